"""A recording from the phone to the studio: heard once as a whole, then turned, then brought to its level.

What waits in between, the levels of bands, their floors and what the network says of them, is 40 kB a second; the sound
itself waits on disk. So an hour takes some 140 MB.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import audio
from clefkit.audio import Samples, Shape
from clefkit.enhance import bands, filterbank, infer, matching, overall, parts
from clefkit.enhance.overall import Overall
from clefkit.enhance.parts import Parts
from clefkit.spool import Spool

if TYPE_CHECKING:
    from clefkit.enhance.picture import Shown

Array = NDArray[np.float32]
Blocks = Callable[[], Iterable[Samples]]

BLOCK = 1 << 16
CEILING_DB = -1.0
PEAK_MARGIN = 128
MOST_POINTS = 600
QUIETEST_LUFS = -70.0
MOST_GAIN_DB = 60.0


class Wishes(NamedTuple):
    """strength: 0 to 1; wanted: of `parts.NAMES`; reference: a recording to sound like; lufs: a loudness to have"""

    strength: float = 1.0
    wanted: Collection[str] = parts.NAMES
    reference: Path | None = None
    lufs: float | None = None


class Heard(NamedTuple):
    """levels: (frames, BANDS), dB of full scale"""

    levels: NDArray[np.float16]
    overall: Overall
    parts: Parts


class Enhanced(NamedTuple):
    """sound: rows of channels, float32, not yet brought to its level; gain: a factor that does that

    gains: of a slice of frames what was done, (frames, BANDS), dB, and what was filled in
    """

    sound: Spool
    shape: Shape
    gain: float
    heard: Heard
    gains: filterbank.Wanted
    facts: dict[str, Any]

    def pieces(self) -> Iterator[Samples]:
        """(channels, samples) each"""
        for first in range(0, self.sound.rows, BLOCK):
            yield self.read(first, first + BLOCK) * np.float32(self.gain)

    def shown(self) -> Shown:
        """For the picture."""
        from clefkit.enhance.picture import Shown

        before = self.heard.levels.astype(np.float32)
        level_db = np.float32(20 * np.log10(self.gain))
        gains, _ = self.gains(slice(None))
        duration_s = self.shape.frames / self.shape.rate
        found = self.heard.parts
        return Shown(before, before + gains + level_db, found.dynamics, found.tone, duration_s)

    def read(self, first: int, last: int) -> Samples:
        return np.ascontiguousarray(self.sound.read(first, last).T)


def cut(samples: Samples) -> Iterator[Samples]:
    """A sound in memory as blocks."""
    return (samples[:, first : first + BLOCK] for first in range(0, samples.shape[1], BLOCK))


def read(path: Path, shape: Shape) -> Iterator[Samples]:
    """A file as blocks, at its own rate."""
    return audio.chunks(path, shape.rate, shape.channels, BLOCK)


def enhance(blocks: Blocks, shape: Shape, session: Any, wishes: Wishes) -> Enhanced:
    """blocks: gives the sound from its beginning, as often as it is called; session: see `infer.load`"""
    heard = hear(blocks(), shape.rate, session)
    count = len(heard.levels)
    changes = functools.partial(parts.together, heard.parts, heard.overall.level_db, wishes.wanted, wishes.strength)
    matched = np.zeros(bands.BANDS, np.float32)
    if wishes.reference is not None:
        after_it = (heard.levels[here].astype(np.float32) + changes(here)[0] for here in _slices(count))
        matched = matching.curve(wishes.reference, after_it)

    def gains(here: slice) -> tuple[Array, Array]:
        gains_db, fills_db = changes(here)
        return gains_db + matched, fills_db + matched

    kept = Spool((shape.channels,), np.float32)
    for piece in filterbank.turned(blocks(), gains, count, shape.rate):
        kept.push(piece[:, : shape.frames - kept.rows].T)
    made = Enhanced(kept, shape, 1.0, heard, gains, {})
    before = audio.loudness_of(audio.forward(blocks()), shape)
    after = audio.loudness_of(made.read, shape)
    wanted = _wanted(wishes, before)
    gain_db = float(np.clip(wanted - after, -MOST_GAIN_DB, MOST_GAIN_DB)) if np.isfinite(wanted - after) else 0.0
    over = _peak_db(made) + gain_db - CEILING_DB
    gain_db -= max(over, 0.0)
    facts = _facts(heard, shape.rate, matched, wishes) | {
        "gain_db": round(gain_db, 2),
        "loudness": {"lufs": _decibels(after + gain_db), "source_lufs": _decibels(before)},
    }
    return made._replace(gain=10 ** (gain_db / 20), facts=facts)


def hear(blocks: Iterable[Samples], rate: int, session: Any) -> Heard:
    """Everything that is inferred of a recording."""
    counter, rows = overall.Counter(), []
    for levels, floors in filterbank.heard(blocks, rate):
        counter.add(levels, floors)
        rows.append((levels.astype(np.float16), floors.astype(np.float16)))
    levels_db, floors_db = (np.concatenate(side) for side in zip(*rows, strict=True))
    known = counter.result()
    return Heard(levels_db, known, parts.of(infer.say(session, levels_db, floors_db, known), levels_db))


def _slices(count: int) -> Iterator[slice]:
    return (slice(first, first + parts.ROWS) for first in range(0, count, parts.ROWS))


def _wanted(wishes: Wishes, before: float) -> float:
    if wishes.lufs is not None:
        return wishes.lufs
    return matching.loudness(wishes.reference) if wishes.reference is not None else before


def _peak_db(made: Enhanced) -> float:
    """True peak, block by block."""
    starts = range(0, made.sound.rows, BLOCK)
    around = (made.read(start - PEAK_MARGIN, start + BLOCK + PEAK_MARGIN) for start in starts)
    return max((audio.true_peak_db(piece) for piece in around), default=-np.inf)


def _facts(heard: Heard, rate: int, matched: Array, wishes: Wishes) -> dict[str, Any]:
    """What was inferred, as a record holds it."""
    known, found = heard.overall, heard.parts
    hertz = bands.centres_hz()
    inferred: dict[str, Any] = {
        "dynamics": _curve(found.dynamics, rate),
        "tone": _by_band(hertz, found.tone),
        "noise_floor": _by_band(hertz, known.percentiles[1, 0] - np.float32(bands.FLOOR_DB)),
    }
    if wishes.reference is not None:
        inferred["matched"] = _by_band(hertz, matched)
    return {"strength": wishes.strength, "parts": list(wishes.wanted), "inferred": inferred}


def _curve(values: Array, rate: int) -> list[list[float]]:
    """Seconds and dB, at most MOST_POINTS of them, means of what lies between."""
    each = max(1, -(-len(values) // MOST_POINTS), bands.frames(0.1))
    starts = np.arange(0, len(values), each)
    means = np.add.reduceat(values.astype(np.float64), starts) / np.diff(np.append(starts, len(values)))
    return [
        [round(bands.seconds(int(start), rate), 2), round(float(mean), 2)]
        for start, mean in zip(starts, means, strict=True)
    ]


def _by_band(hertz: NDArray[np.float64], values: Array) -> list[list[float]]:
    return [[round(float(at), 1), round(float(value), 1)] for at, value in zip(hertz, values, strict=True)]


def _decibels(value: float) -> float | None:
    """As a record holds it: hundredths, null for silence."""
    return round(value, 2) if np.isfinite(value) and value > QUIETEST_LUFS else None
