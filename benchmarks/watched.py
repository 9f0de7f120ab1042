"""What a program costs: the seconds of CPU time and the memory of it and of all that it starts."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

# in a small process of its own: what a child uses is counted from the size of its parent on
WATCH = """
import json, resource, subprocess, sys
status = subprocess.run(sys.argv[2:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
json.dump([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024], open(sys.argv[1], "w"))
sys.exit(status)
"""


class Used(NamedTuple):
    """printed: on stdout; cpu_s; peak_mb: of the largest process"""

    printed: str
    cpu_s: float
    peak_mb: float


def run(command: Sequence[str], told: str = "", env: Mapping[str, str] | None = None) -> Used:
    """Run a command to its end. told: what it reads from stdin. Raises CalledProcessError when it fails."""
    with tempfile.NamedTemporaryFile("r") as used:
        watch = [sys.executable, "-c", WATCH, used.name, *command]
        done = subprocess.run(watch, input=told, check=True, capture_output=True, text=True, env=env)
        return Used(done.stdout, *json.load(used))
