"""What can go wrong in a way that a person can mend.

The library raises `ClefkitError` with one sentence: lower case, what is wrong and, when we know it, what to do.
Anything else that escapes is a bug.
"""

from __future__ import annotations


class ClefkitError(Exception):
    """A problem that a person can mend; its text is one sentence."""


class InputError(ClefkitError):
    """The input file can't be used: missing, damaged, of another kind, or past a limit."""


class MissingError(ClefkitError):
    """A program, library, font, preset or checkpoint that we need is not there."""


class RefusedError(ClefkitError):
    """Writing would destroy something that is not ours."""


class UsageError(ClefkitError):
    """The command line asks for something that is not there or makes no sense: exit status 2."""
