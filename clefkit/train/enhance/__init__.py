"""How the checkpoint `enhance` is made."""
