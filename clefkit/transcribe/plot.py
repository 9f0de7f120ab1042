"""The notes over the spectrogram, as PNG: what was heard, and what there was to hear.

Time runs to the right, pitch upward, in systems of 20 seconds one below the other, fifteen on a page. The darker, the
louder, on the scale of `features`: relative to the level around. A note is a bar of its part's colour with a dark edge
at its onset; the surer, the denser. Colours are those that everybody can tell apart (Okabe and Ito, Color Universal
Design, 2008).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import features
from clefkit.notes import Notes
from clefkit.spool import Spool
from clefkit.transcribe.listen import Heard

Pixels = NDArray[np.uint8]

SYSTEM_S, SYSTEMS = 20, 15
PER_SECOND, PER_BIN = 70, 2  # pixels
WIDTH = SYSTEM_S * PER_SECOND
LEFT, RIGHT, TOP, AXIS = 44, 28, 12, 36  # pixels
LABELLED_S = 5
FEWEST, MARGIN = 24, 2  # semitones
TEXT = 13  # pixels
WHITE, GREY, DARKEST = 255, 170, 40
BLACK = (40, 40, 40)
FAINTEST = 0.35  # of the scale of the features: less is white
COLOURS = ((213, 94, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233))
THINNEST, SUREST = 0.35, 0.9  # how much of a note's colour covers the spectrogram


class View(NamedTuple):
    """low, high: MIDI numbers of the lowest and the highest semitone that is drawn"""

    low: int
    high: int

    @property
    def height(self) -> int:
        return (self.high - self.low + 1) * features.BINS_PER_SEMITONE * PER_BIN

    def y(self, pitch: float) -> int:
        """Pixels from the top of a system to the upper edge of a pitch."""
        return round((self.high - pitch) * features.BINS_PER_SEMITONE * PER_BIN)


def pages(seconds: float) -> int:
    """How many pages a sound of this length has."""
    return max(1, math.ceil(seconds / (SYSTEM_S * SYSTEMS)))


def write(path: Path, heard: Heard, page: int = 0) -> None:
    """Write one page, counted from 0."""
    from PIL import Image, ImageDraw, ImageFont

    assert heard.spectrum is not None
    view = _view(heard.notes)
    first = page * SYSTEMS
    count = min(SYSTEMS, max(1, math.ceil(heard.seconds / SYSTEM_S) - first))
    pixels = np.full((TOP + count * (view.height + AXIS), LEFT + WIDTH + RIGHT, 3), WHITE, np.uint8)
    tops = [TOP + number * (view.height + AXIS) for number in range(count)]
    for number, top in enumerate(tops, start=first):
        area = pixels[top : top + view.height, LEFT : LEFT + WIDTH]
        _draw_sound(area, heard.spectrum, view, number * SYSTEM_S)
        _draw_lines(area, view)
        _draw_notes(area, heard.notes, view, number * SYSTEM_S)
    image = Image.fromarray(pixels)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(TEXT)
    for number, top in enumerate(tops, start=first):
        for pitch in range(view.low + -view.low % 12, view.high + 1, 12):
            middle = top + view.y(pitch - 0.5)
            draw.text((LEFT - 8, middle), f"C{pitch // 12 - 1}", BLACK, font, anchor="rm")
        for second in range(SYSTEM_S + 1):
            x, below = LEFT + second * PER_SECOND, top + view.height
            draw.line((x, below, x, below + (8 if second % LABELLED_S == 0 else 4)), BLACK)
            if second % LABELLED_S == 0:
                draw.text((x, below + 10), _clock(number * SYSTEM_S + second), BLACK, font, anchor="ma")
    image.save(path, "png")


def _view(notes: Notes) -> View:
    """The semitones that are played, and some around."""
    low, high = (int(notes.pitch.min()), int(notes.pitch.max())) if len(notes) else (60, 60)
    more = max(MARGIN, (FEWEST - (high - low + 1) + 1) // 2)
    lowest, highest = features.LOWEST_PITCH, features.LOWEST_PITCH + features.PITCHES - 1
    return View(max(low - more, lowest), min(high + more, highest))


def _draw_sound(area: Pixels, spectrum: Spool, view: View, start_s: int) -> None:
    times = start_s + (np.arange(WIDTH) + 0.5) / PER_SECOND
    frames = np.rint(times * features.FRAMES_PER_SECOND).astype(np.int64)
    low, high = ((pitch - features.LOWEST_PITCH) * features.BINS_PER_SEMITONE for pitch in (view.low, view.high + 1))
    seen = spectrum.read(int(frames[0]), int(frames[-1]) + 1)[:, low:high]
    there = frames - frames[0] < len(seen)
    energy = np.zeros((WIDTH, high - low))
    energy[there] = features.restored(seen[frames[there] - frames[0]])
    dark = np.clip((energy - FAINTEST) / (1 - FAINTEST), 0, 1) ** 1.5
    shades = np.rint(WHITE - (WHITE - DARKEST) * dark).astype(np.uint8)
    area[...] = np.repeat(shades.T[::-1], PER_BIN, axis=0)[..., None]


def _draw_lines(area: Pixels, view: View) -> None:
    """A line below each C."""
    for pitch in range(view.low + -view.low % 12, view.high + 1, 12):
        row = min(view.y(pitch - 1), view.height - 1)
        area[row] = np.minimum(area[row], GREY)


def _draw_notes(area: Pixels, notes: Notes, view: View, start_s: int) -> None:
    sure = np.ones(len(notes)) if notes.confidence is None else notes.confidence
    shown = (notes.onset < start_s + SYSTEM_S) & (notes.offset > start_s)
    for index in np.flatnonzero(shown).tolist():
        left, right = ((time_s - start_s) * PER_SECOND for time_s in (notes.onset[index], notes.offset[index]))
        first, end = max(round(left), 0), min(max(round(right), round(left) + 2), WIDTH)
        top = view.y(float(notes.pitch[index]))
        bar = area[top : top + view.y(0) - view.y(1), first:end]
        colour = np.array(COLOURS[int(notes.part[index]) % len(COLOURS)])
        cover = THINNEST + (SUREST - THINNEST) * float(sure[index])
        bar[...] = np.rint(bar * (1 - cover) + colour * cover)
        if left >= 0:
            bar[:, :2] = colour // 3


def _clock(seconds: int) -> str:
    """1:05, 1:00:05"""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
