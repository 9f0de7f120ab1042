"""What `enhance` did, as a picture (PNG): the sound before and after, its loudness, the gain that was found, the tone.

Time runs to the right, the same for all panels but the last. A recording of any length is as wide as its frames, but no
wider than WIDEST pixels; each column of a spectrogram then shows the loudest of its frames. A band is three pixels
high, and the darker the louder, on one scale for before and after. Loudness is the power of all bands, smoothed over
0.4 s. Colours are those that everybody can tell apart (Okabe and Ito, Color Universal Design, 2008).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.enhance import bands
from clefkit.enhance.bands import BANDS, HOP_S, SILENCE_DB, Array

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont, ImageFont

Pixels = NDArray[np.uint8]
Line = NDArray[np.float64]
Colour = tuple[int, int, int]

NARROWEST, WIDEST, TONE_WIDTH = 560, 1600, 640  # pixels of the panels
LEFT, RIGHT, TOP, HEADING, GAP, AXIS = 64, 28, 40, 22, 14, 34
PER_BAND, LINES = 3, 120  # pixels: height of a band, and of the panels that show lines
TEXT, TITLE = 13, 17
WHITE, DARKEST = 255, 20
BLACK, GREY, PALE = (40, 40, 40), (150, 150, 150), (228, 228, 228)
BEFORE, AFTER, GAIN, GAIN_RANGE = (213, 94, 0), (0, 114, 178), (0, 158, 115), (179, 226, 213)
RANGE_DB = 70.0  # from white to the loudest
LOUDNESS_S, LOUDNESS_DB = 0.4, 60
FEWEST_DB = 6  # that a gain's axis goes up and down
AXIS_DB = (3, 6, 12, 20, 30, 60)
LABELLED_HZ = {100: "100 Hz", 1000: "1 kHz", 10_000: "10 kHz"}
TICKED_HZ = [each * power for power in (10, 100, 1000, 10_000) for each in range(1, 10)]
STEPS_S = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600)
LABEL_WIDTH = 90  # pixels from a label on the time axis to the next, at least
AT_ONCE = 2**14  # frames


class Shown(NamedTuple):
    """What is drawn.

    before, after: (frames, BANDS), dB of full scale
    gain_db: (frames,), the inferred gain of the dynamics; tone_db: (BANDS,); duration_s: of the sound
    """

    before: Array
    after: Array
    gain_db: Array
    tone_db: Array
    duration_s: float


class Panel(NamedTuple):
    """A rectangle of pixels that shows lines; low, high: dB at its lower and its upper edge"""

    left: int
    top: int
    width: int
    low: float
    high: float

    def y(self, decibels: Line) -> Line:
        share = (self.high - np.clip(decibels, self.low, self.high)) / (self.high - self.low)
        return np.asarray(self.top + share * (LINES - 1), np.float64)


class Pen(NamedTuple):
    """What is drawn with."""

    draw: ImageDraw
    font: FreeTypeFont | ImageFont

    def text(self, x: float, y: float, words: str, anchor: str, colour: Colour = BLACK) -> float:
        """returns: where the words end, in pixels from the left when they start at x"""
        self.draw.text((x, y), words, colour, self.font, anchor=anchor)
        return x + self.draw.textlength(words, self.font)

    def words(self, x: float, y: float, pieces: list[tuple[str, Colour]]) -> None:
        """Words in several colours, one after the other."""
        for words, colour in pieces:
            x = self.text(x, y, words, "ls", colour)

    def curve(self, panel: Panel, x: Line, decibels: Line, colour: Colour) -> None:
        points = np.stack([x, panel.y(decibels)], axis=1).ravel().tolist()
        self.draw.line(points if len(decibels) > 1 else points * 2, colour, 2, joint="curve")


def draw(path: Path, title: str, shown: Shown) -> None:
    """Write the picture. title: one line; what is too long for it is left out"""
    from PIL import Image, ImageDraw, ImageFont

    width = min(max(len(shown.before), NARROWEST), WIDEST)
    tall = PER_BAND * BANDS
    tops = [TOP + HEADING]
    for height in (tall, tall, LINES, LINES + AXIS - GAP):
        tops.append(tops[-1] + height + GAP + HEADING)
    pixels = np.full((tops[-1] + LINES + AXIS, LEFT + width + RIGHT, 3), WHITE, np.uint8)
    _draw_sounds(pixels, shown, tops[:2], width)

    image = Image.fromarray(pixels)
    pen = Pen(ImageDraw.Draw(image), ImageFont.load_default(TEXT))
    large = ImageFont.load_default(TITLE)
    pen.draw.text((LEFT, 10), _fitting(title, lambda words: pen.draw.textlength(words, large) <= width), BLACK, large)

    for top, name in zip(tops, ("before", "after"), strict=False):
        _draw_frequencies(pen, top, width)
        pen.text(LEFT, top - 7, f"{name} (the darker, the louder)", "ls")
    _draw_times(pen, tops[:4], shown.duration_s, width)
    _draw_loudness(pen, tops[2], shown, width)
    _draw_gain(pen, tops[3], shown.gain_db, width)
    _draw_tone(pen, tops[4], shown.tone_db, min(width, TONE_WIDTH))
    image.save(path, "png")


def _draw_sounds(pixels: Pixels, shown: Shown, tops: list[int], width: int) -> None:
    """Both spectrograms, on one scale."""
    seen = [_reduced(np.maximum, each, width) for each in (shown.before, shown.after)]
    loudest = max(float(np.max(seen)), SILENCE_DB + RANGE_DB)
    for top, levels in zip(tops, seen, strict=True):
        dark = np.clip((levels - loudest) / RANGE_DB + 1, 0, 1) ** 1.5
        shades = np.rint(WHITE - (WHITE - DARKEST) * dark).astype(np.uint8)
        area = np.repeat(shades.T[::-1], PER_BAND, axis=0)
        pixels[top : top + len(area), LEFT : LEFT + width] = area[..., None]


def _draw_frequencies(pen: Pen, top: int, width: int) -> None:
    """The frame of a spectrogram and its frequencies."""
    bottom = top + PER_BAND * BANDS
    pen.draw.rectangle((LEFT - 1, top - 1, LEFT + width, bottom), outline=GREY)
    for hertz, label in LABELLED_HZ.items():
        band = float(np.interp(hertz, bands.centres_hz(), np.arange(BANDS)))
        y = bottom - round((band + 0.5) * PER_BAND)
        pen.draw.line((LEFT - 6, y, LEFT - 2, y), GREY)
        pen.text(LEFT - 10, y, label, "rm")


def _draw_loudness(pen: Pen, top: int, shown: Shown, width: int) -> None:
    lines = [_decibels(_reduced(np.add, _power(each), width)) for each in (shown.before, shown.after)]
    highest = max(10 * math.ceil(float(np.max(lines)) / 10), round(SILENCE_DB) + LOUDNESS_DB)
    lowest = max(10 * math.floor(float(np.min(lines)) / 10), highest - LOUDNESS_DB)
    panel = Panel(LEFT, top, width, min(lowest, highest - 20), highest)
    _draw_frame(pen, panel, 20 if panel.high - panel.low > 40 else 10)
    for line, colour in zip(lines, (BEFORE, AFTER), strict=True):
        pen.curve(panel, LEFT + np.arange(width, dtype=np.float64), line, colour)
    pen.words(LEFT, top - 7, [("loudness: ", BLACK), ("before", BEFORE), (" and ", BLACK), ("after", AFTER)])
    pen.text(LEFT + width, top - 7, "dB of full scale", "rs", GREY)


def _draw_gain(pen: Pen, top: int, gain_db: Array, width: int) -> None:
    lowest, highest = (_reduced(extreme, gain_db, width) for extreme in (np.minimum, np.maximum))
    panel = _around_zero(LEFT, top, width, np.stack([lowest, highest]))
    _draw_frame(pen, panel, panel.high / 2)
    for x, (upper, lower) in enumerate(zip(panel.y(highest).tolist(), panel.y(lowest).tolist(), strict=True)):
        pen.draw.line((LEFT + x, round(upper), LEFT + x, round(lower)), GAIN_RANGE)
    pen.draw.line((LEFT, *panel.y(np.zeros(1)).round(), LEFT + width, *panel.y(np.zeros(1)).round()), GREY)
    pen.curve(panel, LEFT + np.arange(width, dtype=np.float64), _reduced(np.add, gain_db, width), GAIN)
    pen.words(LEFT, top - 7, [("gain that undoes the dynamics", GAIN)])
    pen.text(LEFT + width, top - 7, "dB", "rs", GREY)


def _draw_tone(pen: Pen, top: int, tone_db: Array, width: int) -> None:
    """Over the logarithm of frequency."""
    low, high = np.log(bands.EDGES_HZ).tolist()
    panel = _around_zero(LEFT, top, width, tone_db.astype(np.float64))
    _draw_frame(pen, panel, panel.high / 2)
    for hertz in TICKED_HZ:
        x = LEFT + (math.log(hertz) - low) / (high - low) * (width - 1)
        if LEFT <= x < LEFT + width:
            long = hertz in LABELLED_HZ
            pen.draw.line((x, top + LINES, x, top + LINES + (8 if long else 4)), GREY)
            if long:
                pen.draw.line((x, top, x, top + LINES), PALE)
                pen.text(x, top + LINES + 10, LABELLED_HZ[hertz], "ma")
    zero = panel.y(np.zeros(1)).round().tolist()
    pen.draw.line((LEFT, *zero, LEFT + width, *zero), GREY)
    x = LEFT + (np.log(bands.centres_hz()) - low) / (high - low) * (width - 1)
    pen.curve(panel, x, tone_db.astype(np.float64), AFTER)
    pen.words(LEFT, top - 7, [("tone: how much each frequency is turned up or down", AFTER)])
    pen.text(LEFT + width, top - 7, "dB", "rs", GREY)


def _draw_times(pen: Pen, tops: list[int], seconds: float, width: int) -> None:
    """Marks under each panel, pale lines in those that show lines, and labels under the last."""
    fewest = seconds * LABEL_WIDTH / width
    step = next((each for each in STEPS_S if each >= fewest), STEPS_S[-1] * math.ceil(fewest / STEPS_S[-1]))
    heights = [PER_BAND * BANDS] * 2 + [LINES] * 2
    for number in range(math.floor(seconds / step) + 1):
        x = LEFT + round(number * step / seconds * width)
        for top, height in zip(tops, heights, strict=True):
            pen.draw.line((x, top + height, x, top + height + 4), GREY)
            if height == LINES:
                pen.draw.line((x, top, x, top + height), PALE)
        pen.text(x, tops[-1] + LINES + 10, _clock(number * step, seconds), "ma")


def _draw_frame(pen: Pen, panel: Panel, step: float) -> None:
    """The frame of a panel with lines, and its decibels."""
    left, right = panel.left - 1, panel.left + panel.width
    for decibels in np.arange(math.ceil(panel.low / step) * step, panel.high + step / 2, step).tolist():
        y = float(panel.y(np.array([decibels])).round()[0])
        pen.draw.line((left, y, right, y), PALE)
        pen.text(left - 8, y, f"{decibels:g}", "rm")
    pen.draw.rectangle((left, panel.top - 1, right, panel.top + LINES), outline=GREY)


def _around_zero(left: int, top: int, width: int, decibels: Line) -> Panel:
    """A panel with as much room above zero as below it."""
    most = max(float(np.abs(decibels).max()), FEWEST_DB)
    reach = next((each for each in AXIS_DB if each >= most), AXIS_DB[-1])
    return Panel(left, top, width, -reach, reach)


def _power(levels_db: Array) -> Line:
    """The power of all bands together, smoothed. (frames, BANDS), dB -> (frames,)"""
    from scipy import ndimage

    pieces = [levels_db[start : start + AT_ONCE] for start in range(0, len(levels_db), AT_ONCE)]
    power = np.concatenate([np.power(10.0, each.astype(np.float64) / 10).sum(axis=1) for each in pieces])
    return np.asarray(ndimage.uniform_filter1d(power, round(LOUDNESS_S / HOP_S), mode="nearest"), np.float64)


def _decibels(power: Line) -> Line:
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (SILENCE_DB / 10))), np.float64)


def _reduced(how: np.ufunc, values: Array | Line, width: int) -> Line:
    """The frames of each column of pixels as one, their mean when added. (frames, ...) -> (width, ...)"""
    starts = np.arange(width) * len(values) // width
    found = how.reduceat(values, starts, axis=0, dtype=np.float64)
    if how is np.add:
        found /= np.maximum(np.diff(starts, append=len(values)), 1)
    return np.asarray(found, np.float64)


def _fitting(title: str, fits: Callable[[str], bool]) -> str:
    """As much of the title as fits into its line."""
    words = " ".join(title.split())
    if fits(words):
        return words
    while words and not fits(f"{words}..."):
        words = words[:-1]
    return f"{words}..."


def _clock(at_s: float, seconds: float) -> str:
    """0.2 s, 15 s; 1:05 in what lasts minutes; 1:00:05"""
    if seconds < 60:
        return f"{at_s:g} s"
    minutes, rest = divmod(round(at_s), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
