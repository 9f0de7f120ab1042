"""Written music against written music."""
