"""Notes played by TiMidity++ on a single patch of FreePats, exactly when they are asked for.

TiMidity++ (Izumo, Toivonen) 2.14 plays each event of a MIDI file in the sample that its time names. Measured on a
claves patch at 44.1 kHz, 40 strokes at random times: the sound rises to a tenth of its peak 0.0 ms after the event, at
most 0.17 ms off (a label is rounded to 0.21 ms by itself), so there is no offset to correct. `--preserve-silence` is
needed: without it the file begins with the first note.

Left alone it would read the system's configuration, too, and play instruments that FreePats lacks from another font
without a word. Here each part has a configuration with one patch, and plays nothing else.
"""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clefkit import midi
from clefkit.errors import MissingError
from clefkit.notes import TICKS_PER_SECOND, Notes, Part, make

Array = NDArray[np.float32]

RATE = 44_100
PATCHES = Path("/usr/share/midi/freepats")
PROGRAM = Path("timidity")
INSTALL = "apt-get install timidity freepats"
LIMIT_S = 600
# Dry: no reverb, chorus or delay. Every note sounds until its end, and no chord is so loud that it clips. No cache
# (-S): what goes into it depends on where memory lies, so two runs would not sound the same.
OPTIONS = (
    *("-EFreverb=d", "-EFchorus=d", "-EFdelay=d", "--preserve-silence", "--no-polyphony-reduction"),
    *("-p", "256", "-S", "0", "-A", "20", "-s", str(RATE), "-Ow2slM", "-idqqq"),
)


def play(notes: Notes, program: int, cents: float = 0.0) -> tuple[Array, Notes]:
    """Play notes on a melodic patch of FreePats.

    notes: of one part; whole pitches
    program: General MIDI's number, 0 to 127, of a patch that FreePats has
    cents: how far the patch is out of tune, which is corrected
    returns: (samples,), float32, mono, 44.1 kHz, until the last sound has died away; and the notes as they sound, on a
        grid of 1/2,400 s, of one pitch one at a time
    raises: MissingError when TiMidity++ or the patch is not there
    """
    import soundfile

    sent = _on_grid(notes)
    with tempfile.TemporaryDirectory(prefix="clefkit-") as name:
        folder = Path(name)
        tuned = f" tune={-cents / 100:.2f}" if cents else ""
        (folder / "one.cfg").write_text(f"dir {PATCHES}\nbank 0\n0 {patch(program)}{tuned}\n", encoding="ascii")
        (folder / "notes.mid").write_bytes(midi.encode(sent))
        command = [_program(), "-c", "one.cfg", "notes.mid", *OPTIONS, "-o", "notes.wav"]
        subprocess.run(
            command, cwd=folder, env={"HOME": name}, stdin=subprocess.DEVNULL, capture_output=True, check=True,
            timeout=LIMIT_S,
        )  # fmt: skip
        samples, _ = soundfile.read(folder / "notes.wav", dtype="float32")
    return np.asarray(samples, np.float32), sent


def patch(program: int) -> str:
    """The file of a program, seen from the folder of FreePats. Raises MissingError when it has none."""
    found = sorted(PATCHES.glob(f"Tone_000/{program:03d}_*.pat"))
    if not found:
        raise MissingError(f"FreePats has no patch for program {program}: {INSTALL}")
    return found[0].relative_to(PATCHES).as_posix()


def version() -> str:
    """What TiMidity++ says of itself. Raises MissingError when it is not there."""
    told = subprocess.run([_program(), "--version"], stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return told.stdout.decode("ascii", "replace").split("\n", 1)[0].removeprefix("TiMidity++ version ").strip()


def _program() -> str:
    found = shutil.which(PROGRAM)
    if found is None:
        raise MissingError(f"the program TiMidity++ is missing: {INSTALL}")
    return found


def _on_grid(notes: Notes) -> Notes:
    """As MIDI can say it, for program 0 of a single part."""
    onset, offset = (np.rint(times * TICKS_PER_SECOND).astype(np.int64) for times in (notes.onset, notes.offset))
    part = np.zeros(len(notes), np.int64)
    columns = midi.separated(onset, np.maximum(offset, onset + 1), notes.pitch, notes.velocity, part)
    start, end, pitch, velocity, _ = columns
    return dataclasses.replace(
        make(start / TICKS_PER_SECOND, end / TICKS_PER_SECOND, pitch, velocity), parts=(Part("", 0),)
    )
