"""How well `align` places phones on studios, beside a full cross-correlation and audio-offset-finder.

    python benchmarks/align.py              # 12 pairs of a minute, 12 with dropped buffers, 10 that don't match
    python benchmarks/align.py --seed 7     # others

Music is made up and played on TimGM6mb, which pretty_midi carries. The studio's side is heard by the presets studio and
close-condenser, the phone's by those of PHONES, which keep the direct sound in place; then it begins up to 30 s earlier
or later, its clock drifts by up to 100 ppm, and it may be of 48 kHz, mono, inverted, soft or clipped. Ten pairs are of
another performance, another instrument that plays the same notes at the same times, another piece, noise or silence.

Columns: the largest error over what both recorded, in samples at 44.1 kHz, as median and worst of the pairs; the
largest error of the drift; processor seconds a pair; how many of the pairs were refused, and of those that don't match.
The others have no drift and refuse nothing. Of audio-offset-finder (0.5.5 needs librosa; it asks for numpy below 2 but
runs with later ones, so install it with --no-deps) its standard score is compared with 10, as its documents advise.
"""

from __future__ import annotations

import argparse
import importlib
import os
import time
from collections.abc import Callable
from typing import Any, NamedTuple

os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

import numpy as np
import soxr
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import fft

from clefkit import align, audio, augment, notes, registry, render
from clefkit.audio import Audio
from clefkit.clock import Clock, line
from clefkit.errors import InputError
from clefkit.notes import Part, Performance

RATE = 44_100
SECONDS = 60
APART_S = 30.0
DRIFT_PPM = 100.0
EDGE_S = 3.0  # dropped buffers nearer to an end of what both recorded are not asked for
ENSEMBLES = ((0,), (40, 42), (24,), (0, 73), (48, 56), (0, 32, 71), (6,), (73, 24), (4, 33), (60, 42), (46,), (19,))
CHORDS = (0, 4, 6, 19, 24, 46, 48)
PHONES = ("phone", "phone-video", "old-phone", "video-call", "street-musician", "rehearsal")
STUDIOS = ("studio", "close-condenser")
MISMATCHES = ("performance", "instrument", "piece", "performance", "silence", "noise") + (
    "performance",
    "instrument",
) * 2
SCALE = (0, 2, 4, 5, 7, 9, 11)
STANDARD_SCORE = 10.0


class Tune(NamedTuple):
    """(notes,) each: seconds, MIDI pitch, velocity, number of the part"""

    onset: NDArray[np.float64]
    offset: NDArray[np.float64]
    pitch: NDArray[np.float64]
    velocity: NDArray[np.float64]
    part: NDArray[np.int64]


class Pair(NamedTuple):
    """truth: from the take's seconds to the reference's; gaps: (second of the take, seconds) of dropped buffers"""

    take: Audio
    reference: Audio
    truth: Clock
    gaps: list[tuple[float, float]]


class Found(NamedTuple):
    clock: Clock
    gaps: list[tuple[float, float]]


def compose(rng: Generator, programs: tuple[int, ...], seconds: float) -> Tune:
    rows: list[tuple[float, float, float, float, int]] = []
    root, beat_s = int(rng.integers(45, 60)), 60 / rng.uniform(70, 140)
    for part, program in enumerate(programs):
        time_s, degree = 0.3, int(rng.integers(0, 7))
        while time_s < seconds:
            length = beat_s * float(rng.choice([0.5, 0.5, 1, 1, 2]))
            degree = int(np.clip(degree + rng.integers(-3, 4), -4, 12))
            chord = program in CHORDS and rng.random() < 0.4
            for third in (0, 2, 4) if chord else (0,):
                octave, step = divmod(degree + third, 7)
                pitch = root + 12 * (octave + (part == 0) - (program in (32, 33, 42))) + SCALE[step]
                rows.append((time_s, time_s + 0.95 * length, pitch, float(rng.integers(50, 115)), part))
            time_s += length
    onset, offset, pitches, velocity, parts = np.array(rows).T
    return Tune(onset, offset, pitches, velocity, parts.astype(np.int64))


def perform(tune: Tune, rng: Generator, wander: float = 0.0) -> Tune:
    """As people play it, a hundredth of a second off; wander: how much the tempo changes every four seconds."""
    seconds = np.arange(0, tune.offset.max() + 8, 4.0)
    bent = np.cumsum(np.concatenate([[0.0], 4 * (1 + wander * rng.standard_normal(len(seconds) - 1))]))
    moved = 0.012 * rng.standard_normal(len(tune.onset))
    onset = np.maximum(np.interp(tune.onset, seconds, bent) + moved, 0.0)
    offset = np.maximum(np.interp(tune.offset, seconds, bent) + moved, onset + 0.05)
    velocity = np.clip(tune.velocity + 8 * rng.standard_normal(len(onset)), 20, 127)
    return tune._replace(onset=onset, offset=offset, velocity=velocity)


def play(tune: Tune, programs: tuple[int, ...]) -> Audio:
    parts = tuple(Part("", program) for program in programs)
    played = notes.make(tune.onset, tune.offset, tune.pitch, tune.velocity.astype(np.int64), tune.part, parts=parts)
    return render.sound(Performance(played), registry.soundfont("TimGM6mb").path, RATE)[0]


def cut(sound: Audio, first_s: float, seconds: float) -> Audio:
    first = round(first_s * sound.rate)
    return Audio(audio.piece(sound.samples, first, first + round(seconds * sound.rate)), sound.rate)


def pair(seed: int, number: int, dropped: int) -> Pair:
    rng = np.random.default_rng([seed, number, dropped])
    programs = ENSEMBLES[number % len(ENSEMBLES)]
    dry = play(perform(compose(rng, programs, SECONDS + APART_S + 5), rng), programs)
    studio = augment.apply(dry, STUDIOS[number % 2], rng)[0]
    phone = augment.apply(dry, PHONES[number % len(PHONES)], rng)[0]
    offset, drift = round(rng.uniform(-APART_S, APART_S) * RATE) / RATE, rng.uniform(-DRIFT_PPM, DRIFT_PPM) * 1e-6
    rate = 48_000 if number % 3 == 1 else RATE
    heard = cut(phone, max(offset, 0.0), SECONDS + 0.1).samples.T
    recorded = np.ascontiguousarray(soxr.resample(heard, RATE, rate / (1 + drift), "VHQ").T, np.float32)
    take = cut(Audio(spoiled(recorded, number), rate), 0.0, SECONDS)
    gaps: list[tuple[float, float]] = []
    if dropped:
        take, gaps = drop(take, rng, dropped)
    return Pair(take, cut(studio, max(-offset, 0.0), SECONDS), truth(offset, 1 + drift, gaps), gaps)


def spoiled(samples: NDArray[np.float32], number: int) -> NDArray[np.float32]:
    if number % 4 == 2:
        return np.asarray(-samples, np.float32)
    if number % 4 == 3:
        return np.asarray(samples.mean(axis=0, keepdims=True), np.float32)
    if number % 6 == 5:
        return np.asarray(np.clip(samples * np.float32(2), -0.5, 0.5), np.float32)
    return np.asarray(samples * np.float32(0.01 if number % 5 == 4 else 1), np.float32)


def drop(take: Audio, rng: Generator, count: int) -> tuple[Audio, list[tuple[float, float]]]:
    length = take.samples.shape[1]
    first = np.sort(rng.choice(np.arange(2, SECONDS - 2, 2), count, replace=False)) * take.rate
    first = first + rng.integers(0, take.rate, count)
    size = (rng.uniform(0.01, 0.1, count) * take.rate).astype(np.int64)
    keep = np.ones(length, np.bool_)
    for start, lost in zip(first.tolist(), size.tolist(), strict=True):
        keep[start : start + lost] = False
    before = np.concatenate([[0], np.cumsum(size)[:-1]])
    places = ((first - before) / take.rate).tolist()
    return Audio(np.ascontiguousarray(take.samples[:, keep]), take.rate), list(
        zip(places, (size / take.rate).tolist(), strict=True)
    )


def truth(offset_s: float, speed: float, gaps: list[tuple[float, float]]) -> Clock:
    if not gaps:
        return line(offset_s, speed)
    places, lost = np.array(gaps).T
    source = np.stack([places - 1e-5, places], axis=1).ravel()
    source = np.concatenate([[0.0], source, [SECONDS]])
    missing = np.repeat(np.concatenate([[0.0], np.cumsum(lost)]), 2)
    return Clock(source, offset_s + speed * (source + missing))


def mismatch(seed: int, number: int) -> tuple[Audio, Audio]:
    rng, kind = np.random.default_rng([seed, number, 99]), MISMATCHES[number]
    programs = ENSEMBLES[3 * number % len(ENSEMBLES)]
    tune = compose(rng, programs, SECONDS)
    first = perform(tune, rng)
    studio = cut(augment.apply(play(first, programs), "studio", rng)[0], 0.0, SECONDS)
    if kind in ("silence", "noise"):
        return Audio(
            np.float32(0.05 * (kind == "noise")) * rng.standard_normal((1, SECONDS * RATE), np.float32), RATE
        ), studio
    second = {
        "performance": lambda: play(perform(tune, rng, 0.02 * (number % 2)), programs),
        "instrument": lambda: play(first, tuple((program + 40) % 112 for program in programs)),
        "piece": lambda: play(perform(compose(rng, programs, SECONDS), rng), programs),
    }[kind]()
    return cut(augment.apply(second, "phone", rng)[0], 0.0, SECONDS), studio


def by_clefkit(take: Audio, reference: Audio) -> Found:
    found = align.compare(take, reference)
    return Found(found.clock, [(gap.time_s, gap.missing_s) for gap in found.gaps])


def by_correlation(take: Audio, reference: Audio) -> Found:
    """One correlation of all of both: its highest place."""
    ours, theirs = (audio.resample(each, RATE).samples.mean(axis=0) for each in (take, reference))
    size = int(fft.next_fast_len(len(ours) + len(theirs), real=True) or 0)
    whole = np.asarray(fft.irfft(np.asarray(fft.rfft(theirs, size)) * np.conj(np.asarray(fft.rfft(ours, size))), size))
    place = int(np.abs(whole).argmax())
    return Found(line((place if place < len(theirs) else place - size) / RATE), [])


def by_offset_finder(take: Audio, reference: Audio) -> Found:
    peer = importlib.import_module("audio_offset_finder.audio_offset_finder")
    ours, theirs = (audio.resample(each, 8000).samples.mean(axis=0).astype(np.float64) for each in (take, reference))
    found = peer.find_offset_between_buffers(theirs, ours, 8000)
    if found["standard_score"] < STANDARD_SCORE:
        raise InputError("its standard score is low")
    return Found(line(float(found["time_offset"])), [])


def worst(found: Clock, pair: Pair) -> float:
    """Over what both recorded, samples at 44.1 kHz."""
    seconds = np.linspace(0, pair.take.duration_s, 3000)
    true = pair.truth.at(seconds)
    both = (true > 0) & (true < pair.reference.duration_s)
    return float(np.abs(found.at(seconds) - true)[both].max() * RATE)


def drift_ppm(clock: Clock) -> float:
    return float((clock.at([0.001])[0] - clock.at([0.0])[0]) / 0.001 - 1) * 1e6


def compare(
    name: str, way: Callable[[Audio, Audio], Found], pairs: list[Pair], others: list[tuple[Audio, Audio]]
) -> None:
    errors, drifts, refused, begun = [], [], 0, time.process_time()
    for each in pairs:
        try:
            found = way(each.take, each.reference)
        except InputError:
            refused += 1
            continue
        errors.append(worst(found.clock, each))
        drifts.append(abs(drift_ppm(found.clock) - drift_ppm(each.truth)))
    seconds = (time.process_time() - begun) / len(pairs)
    rejected = 0
    for take, reference in others:
        try:
            way(take, reference)
        except InputError:
            rejected += 1
    cells: list[Any] = [
        np.median(errors) if errors else np.nan,
        max(errors, default=np.nan),
        max(drifts, default=np.nan),
    ]
    print(f"{name:22}" + "".join(f"{cell:10.2f}" for cell in (*cells, seconds)), end="")
    print(f"{refused:6} of {len(pairs)}{rejected:6} of {len(others)}", flush=True)


def dropped(pairs: list[Pair]) -> None:
    places, lengths, asked, surplus, errors = [], [], 0, 0, []
    for each in pairs:
        found = by_clefkit(each.take, each.reference)
        true = [gap for gap in each.gaps if inside(each, gap[0])]
        near = [gap for gap in found.gaps if any(abs(gap[0] - other[0]) < 0.5 for other in each.gaps)]
        asked, surplus = asked + len(true), surplus + len(found.gaps) - len(near)
        for place, length in true:
            best = min(found.gaps, key=lambda gap, place=place: abs(gap[0] - place), default=None)  # type: ignore[misc]
            if best is not None:
                places.append(abs(best[0] - place) * 1000)
                lengths.append(abs(best[1] - length) * 1000)
        errors.append(abs(drift_ppm(found.clock) - drift_ppm(each.truth)))
    good = sum(place < 10 and length < 1 for place, length in zip(places, lengths, strict=True))
    print(f"\ndropped buffers: {good} of {asked} within 10 ms, their length within 1 ms; {surplus} that are none")
    print(f"place: median {np.median(places):.2f} ms; length: median {np.median(lengths):.3f} ms", end="")
    print(f"; drift: at most {max(errors):.2f} ppm off")


def inside(pair: Pair, place_s: float) -> bool:
    true = float(pair.truth.at([place_s])[0])
    ends = (pair.take.duration_s, pair.reference.duration_s)
    return all(EDGE_S < at < end - EDGE_S for at, end in zip((place_s, true), ends, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description="how well align places recordings")
    parser.add_argument("--seed", type=int, default=0)
    seed = parser.parse_args().seed
    pairs = [pair(seed, number, 0) for number in range(12)]
    others = [mismatch(seed, number) for number in range(len(MISMATCHES))]
    print(f"{'':22}{'median':>10}{'worst':>10}{'drift ppm':>10}{'CPU s':>10}{'refused':>11}{'mismatches':>13}")
    compare("clefkit align", by_clefkit, pairs, others)
    compare("one cross-correlation", by_correlation, pairs, others)
    try:
        importlib.import_module("audio_offset_finder.audio_offset_finder")
    except ImportError:
        print("audio-offset-finder is not installed: pip install --no-deps audio-offset-finder; pip install librosa")
    else:
        compare("audio-offset-finder", by_offset_finder, pairs, others)
    dropped([pair(seed, number, 3) for number in range(12)])


if __name__ == "__main__":
    main()
