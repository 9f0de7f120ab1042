"""clefkit: scores into sound and sound into scores.

The stages are submodules: `from clefkit import transcribe; transcribe.notes(samples, rate)`.
"""

import os

__version__ = "0.1.0"

if not os.path.isdir(os.path.join(__path__[0], "commands")):  # noqa: PTH112, PTH118 pathlib would double the start-up
    # a checkout: commands, presets and models lie beside this folder, not in it
    __path__.append(os.path.dirname(__path__[0]))  # noqa: PTH120
