"""`python -m clefkit`."""

from clefkit.cli import main

main()
