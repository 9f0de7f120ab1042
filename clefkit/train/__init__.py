"""Recipes, one per checkpoint: data, loss, loop, export, report. Needs PyTorch (`pip install clefkit[train]`)."""
