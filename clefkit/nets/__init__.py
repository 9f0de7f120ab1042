"""Networks in PyTorch, one a file, each read from top to bottom. Only `clefkit.train` imports them."""
