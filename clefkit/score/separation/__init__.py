"""Separated stems against the stems of the mixture."""
