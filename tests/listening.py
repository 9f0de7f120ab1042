"""What a listener's measures say of augmented music: levels, gaps, when and how high it sounds, if its notes are found.

The music is rendered; a dry sound and a heard one are compared through the clock between them. Used by the test that
lets a preset ship and by benchmarks/presets.py, which shows the figures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit import audio, augment, notes, render, score, transcribe
from clefkit.audio import Audio
from clefkit.clock import Clock
from clefkit.notes import Notes

RATE = 44_100
CEILING_DBTP = -1.0
LUFS = (-30.0, -10.0)
LATE_S = 0.001
CENTS = 15.0
# By how much the notes may be harder to find at each level (note F1, onset within 50 ms).
F1_FALLS = {1: 0.05, 2: 0.12, 3: 0.25}

PART_S, PHASE_WINDOW_S, FARTHEST_S = 5.0, 0.5, 0.05
LOWEST_HZ, HIGHEST_HZ = 100.0, 8000.0
PITCH_WINDOW_S, PITCH_HOP_S = 0.4, 0.2
PITCH_HZ = (100.0, 2000.0)
MOST_CENTS = 60
GAP_S = 0.05


class Piece(NamedTuple):
    """Music as it was rendered, what was played, and how well its notes are found; of a recording only the sound."""

    name: str
    sound: Audio
    notes: Notes | None = None
    note_f1: float = float("nan")


class Heard(NamedTuple):
    """What became of a piece.

    late_s: by how much what is heard comes after what its clock says; the worst of its parts of five seconds
    cents: how much higher it sounds than its clock says; gaps_s: how long it is silent where there was music
    f1_fall: by how much fewer notes are found than before
    """

    lufs: float
    true_peak_db: float
    gaps_s: float
    late_s: float
    cents: float
    f1_fall: float


def beginning(path: Path, seconds: float) -> notes.Performance:
    """The first seconds of a score, played."""
    whole = render.performance(path, repeats=False)
    inside = notes.take(whole.notes, whole.notes.onset < seconds)
    cut = notes.make(
        inside.onset,
        np.minimum(inside.offset, seconds),
        inside.pitch,
        inside.velocity,
        inside.part,
        inside.parts,
    )
    return notes.Performance(cut, tuple(each for each in whole.controls if each.time_s < seconds))


def piece(name: str, performance: notes.Performance, soundfont: Path) -> Piece:
    """The piece at a loudness that recordings have (-20 LUFS, if its peaks allow)."""
    sound, reference = render.sound(performance, soundfont, RATE)
    gain_db = min(-20.0 - audio.loudness(sound.samples, RATE), -1.0 - audio.true_peak_db(sound.samples))
    sound = Audio(sound.samples * np.float32(10 ** (gain_db / 20)), RATE)
    return Piece(name, sound, reference, found(sound, reference))


def recording(path: Path, seconds: float) -> Piece:
    """The beginning of a real recording; a loop goes round until it is long enough."""
    sound = audio.resample(audio.read(path), RATE)
    times = int(np.ceil(min(seconds, PART_S + 1) / sound.duration_s))
    return Piece(path.stem, Audio(np.tile(sound.samples, (1, times))[:, : round(seconds * RATE)], RATE))


def listen(to: Piece, preset: dict[str, Any] | str, seed: int) -> Heard:
    heard, clock = augment.apply(to.sound, preset, np.random.default_rng(seed))
    if not np.isfinite(heard.samples).all():
        raise ValueError("holds samples that are not numbers")
    return Heard(
        audio.loudness(heard.samples, heard.rate),
        audio.true_peak_db(heard.samples),
        gaps_s(to.sound, heard, clock),
        lateness_s(to.sound, heard, clock),
        cents(to.sound, heard, clock),
        to.note_f1 - (0 if to.notes is None else found(heard, clock.moved(to.notes))),
    )


def found(sound: Audio, reference: Notes) -> float:
    return float(score.compare(reference, transcribe.notes(sound.samples, sound.rate, names="none"))["note_f1"])


def gaps_s(dry: Audio, heard: Audio, clock: Clock) -> float:
    """Seconds in which the music had its usual level (within 10 dB) and what is heard is 30 dB under its own."""
    dry_db, heard_db = _levels(dry), _levels(heard)
    at = np.clip(np.rint(clock.at(np.arange(len(dry_db)) * GAP_S) / GAP_S).astype(int), 0, len(heard_db) - 1)
    usual, heard_usual = np.percentile(dry_db, 75), np.percentile(heard_db, 75)
    return float(((dry_db > usual - 10) & (heard_db[at] < heard_usual - 30)).sum() * GAP_S)


def lateness_s(dry: Audio, heard: Audio, clock: Clock) -> float:
    """The worst lag of five seconds at which both sounds agree best in phase (Knapp and Carter, The generalized
    correlation method for estimation of time delay, 1976): that of the direct sound."""
    length = heard.samples.shape[1]
    moved = clock.back(np.arange(length) / heard.rate) * dry.rate
    ours = np.interp(moved, np.arange(dry.samples.shape[1]), dry.samples.mean(axis=0), 0, 0)
    theirs = heard.samples.mean(axis=0)
    size = round(PHASE_WINDOW_S * heard.rate)
    hertz = np.fft.rfftfreq(2 * size, 1 / heard.rate)
    band = (hertz > LOWEST_HZ) & (hertz < HIGHEST_HZ)
    reach, lags, window = round(FARTHEST_S * heard.rate), [], np.hanning(size)
    for start in range(0, length - round(PART_S * heard.rate), round(PART_S * heard.rate)):
        agreed = np.zeros(len(hertz), np.complex128)
        for at in range(start, start + round(PART_S * heard.rate), size // 2):
            pieces = [each[at : at + size] for each in (ours, theirs)]
            if len(pieces[0]) == size and np.square(pieces[0]).mean() > 0.1 * np.square(ours).mean():
                one, other = (np.fft.rfft(each * window, 2 * size) for each in pieces)
                cross = other * np.conj(one)
                agreed += np.where(band, cross / np.maximum(np.abs(cross), 1e-12), 0)
        if agreed.any():
            likeness = np.roll(np.fft.irfft(agreed), reach)[: 2 * reach + 1]
            lags.append((int(np.argmax(likeness)) - reach) / heard.rate)
    return float(max(lags, key=abs)) if lags else 0.0


def cents(dry: Audio, heard: Audio, clock: Clock) -> float:
    """The shift in pitch at which the two spectra agree best, less the one that the clock tells."""
    spacing = round(PITCH_HOP_S * RATE)
    size = round(PITCH_WINDOW_S * RATE)
    likeness = np.zeros(2 * MOST_CENTS + 1)
    for start in range(0, dry.samples.shape[1] - size, spacing):
        at = round(float(clock.at([(start + size / 2) / RATE])[0]) * RATE - size / 2)
        if at < 0 or at + size > heard.samples.shape[1]:
            continue
        ours, theirs = _spectrum(dry, start, size), _spectrum(heard, at, size)
        middle = ours[MOST_CENTS:-MOST_CENTS]
        likeness += [float(middle @ theirs[k : k + len(middle)]) for k in range(2 * MOST_CENTS + 1)]
    told = -1200 * np.log2(np.diff(clock.at([0.0, dry.duration_s]))[0] / dry.duration_s)
    return float(np.argmax(likeness) - MOST_CENTS - told)


def _levels(sound: Audio) -> NDArray[np.float64]:
    size = round(GAP_S * sound.rate)
    mono = sound.samples.mean(axis=0)[: sound.samples.shape[1] // size * size].reshape(-1, size)
    return np.asarray(10 * np.log10((mono.astype(np.float64) ** 2).mean(axis=1) + 1e-12))


def _spectrum(sound: Audio, start: int, size: int) -> NDArray[np.float64]:
    """Amplitudes, compressed, one a cent."""
    piece = sound.samples.mean(axis=0)[start : start + size] * np.hanning(size)
    amplitude = np.sqrt(np.abs(np.fft.rfft(piece, 4 * size)))
    low, high = PITCH_HZ
    count = round(1200 * np.log2(high / low))
    hertz = low * 2 ** (np.arange(-MOST_CENTS, count + MOST_CENTS) / 1200)
    return np.interp(hertz, np.fft.rfftfreq(4 * size, 1 / sound.rate), amplitude)
