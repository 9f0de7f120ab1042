"""Formats that verovio reads for us: MEI and Plaine & Easie. It runs in a process of its own, which may crash or hang.

verovio turns the file into the MEI it writes itself, and `mei` reads that. Identifiers that the file does not have are
drawn with a fixed seed, so the same file gives the same score.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

from clefkit.errors import InputError, MissingError
from clefkit.notation import mei
from clefkit.notation.container import tree, xml_bytes
from clefkit.notation.kern import text_of
from clefkit.notation.model import Score

LIMIT_S = 120
MOST_MEMORY = 4 * 2**30
MOST_ANSWER = 256 * 2**20
REFUSED = 3
CHILD = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({MOST_MEMORY}, {MOST_MEMORY}))
resource.setrlimit(resource.RLIMIT_CPU, ({LIMIT_S}, {LIMIT_S}))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
import verovio
verovio.enableLog(verovio.LOG_OFF)
toolkit = verovio.toolkit()
toolkit.setOptions({{"inputFrom": sys.argv[2], "xmlIdSeed": 1}})
data = open(sys.argv[1], "rb").read()
text = data.decode("utf-8-sig", errors="replace")
if not toolkit.loadData(text) or toolkit.getPageCount() < 1:
    sys.exit({REFUSED})
sys.stdout.buffer.write(toolkit.getMEI({{"basic": False}}).encode())
"""
KINDS = {".mei": "mei", ".xml": "mei", ".pae": "pae"}


def read(path: Path) -> Score:
    """Read a file of a kind that verovio knows, by its suffix: .mei (or .xml with MEI in it), .pae.

    raises: InputError when it is missing or past 64 MiB, or when verovio can't read it, crashes or takes more than two
        minutes; MissingError when verovio is not installed
    """
    if importlib.util.find_spec("verovio") is None:
        raise MissingError("this kind of score needs verovio: pip install verovio")
    kind = KINDS.get(path.suffix.lower(), "mei")
    if kind == "mei":
        tree(xml_bytes(path))  # verovio takes what it understands of a damaged file and says nothing
    else:
        text_of(path)
    return mei.parse(_converted(path, kind))


def _converted(path: Path, kind: str) -> bytes:
    """The MEI that verovio makes of a file."""
    command = [sys.executable, "-I", "-c", CHILD, str(path.resolve()), kind]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise InputError(f"verovio can't read it: not done after {LIMIT_S} seconds") from error
    if done.returncode == REFUSED:
        raise InputError(f"verovio can't read it: is this {kind.upper()}?")
    if done.returncode != 0:
        raise InputError(f"verovio can't read it: it stopped with exit status {done.returncode}")
    if len(done.stdout) > MOST_ANSWER:
        raise InputError("a score that verovio makes too big for us")
    return done.stdout
