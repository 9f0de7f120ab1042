"""clefkit's separation ratios against museval: time, peak memory, and whether the numbers agree.

    python benchmarks/separation.py                    # noise: 2 mono to 4 stereo stems, up to a minute
    python benchmarks/separation.py STEM.wav ...       # stems of one mixture, as `clefkit render --stems` writes them
    python benchmarks/separation.py --stored           # museval's numbers for tests/test_score_separation.py

It wants museval 0.4.1, whose import wants stempeg and musdb, and stempeg an ffmpeg; ratios need neither, so empty
modules stand in for both. Estimates are references with other stems, a filter and noise added; of real stems, what a
ratio mask with rounded spectra takes from their sum. Time is that of the processor, memory the peak of a whole
process, Python and imports included; each line is a process of its own.
"""

from __future__ import annotations

import importlib
import multiprocessing
import resource
import sys
import time
import warnings
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.signal import istft, lfilter, stft

from clefkit import audio
from clefkit.score import separation

CASES = ((2, 1, 10), (2, 2, 30), (4, 2, 30), (4, 2, 60))
RATE = 44_100
NAMES = ("sdr", "isr", "sir", "sar")
Signals = NDArray[np.float64]


class Cell(NamedTuple):
    """seconds: processor time; memory_mb: 10^6 bytes; values: (stems, ratios), dB."""

    seconds: float
    memory_mb: float
    values: Signals


def noise(stems: int, channels: int, length_s: int) -> tuple[Signals, Signals]:
    """References and estimates, (stems, channels, samples)."""
    rng = np.random.default_rng(0)
    reference = np.asarray(lfilter([1.0], [1.0, -0.9], 0.1 * rng.standard_normal((stems, channels, length_s * RATE))))
    rest = 0.02 * rng.standard_normal(reference.shape)
    return reference, 0.8 * reference + 0.1 * np.roll(reference, 40, axis=2) + 0.2 * np.roll(
        reference, 1, axis=0
    ) + rest


def music(paths: list[str]) -> tuple[Signals, Signals]:
    """Real stems, and what a mask that knows them roughly takes from their sum; rounded to 16 bits as files are."""
    sounds = [audio.read(Path(path)) for path in paths]
    reference = np.stack([sound.samples for sound in sounds]).astype(np.float64)
    power = np.abs(stft(reference, nperseg=2048)[2]) ** 1.2 + 1e-9
    mixed = stft(reference.sum(axis=0), nperseg=2048)[2]
    found = istft(mixed * power / power.sum(axis=0), nperseg=2048)[1][:, :, : reference.shape[2]]
    return reference, np.round(found * 2**15) / 2**15


def museval_ratios(reference: Signals, estimate: Signals, rate: int) -> Signals:
    """(stems, ratios): medians over windows, as museval's own tables have them."""
    for name in ("stempeg", "musdb"):
        sys.modules.setdefault(name, ModuleType(name))
    museval = importlib.import_module("museval")  # no dependency, not even of the tests: see above

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sides = (np.moveaxis(side, 1, 2) for side in (reference, estimate))
        found = np.stack(museval.evaluate(*sides, win=rate, hop=rate))
    return np.asarray(np.nanmedian(found, axis=2).T)


def our_ratios(reference: Signals, estimate: Signals, rate: int) -> Signals:
    rows = separation.compare(list(reference), list(estimate), rate, protocol="bss-eval-v4")["stems"]
    return np.array([[row[name] for name in NAMES] for row in rows])


def our_fast_ratios(reference: Signals, estimate: Signals, rate: int) -> Signals:
    """SI-SDR and SDR alone."""
    rows = separation.compare(list(reference), list(estimate), rate)["stems"]
    return np.array([[row["sdr"]] for row in rows])


WAYS = {"museval": museval_ratios, "bss-eval-v4": our_ratios, "sdr": our_fast_ratios}


def measure(way: str, case: tuple[int, int, int] | None, paths: list[str]) -> Cell:
    reference, estimate = noise(*case) if case else music(paths)
    begun = time.process_time()
    values = WAYS[way](reference, estimate, RATE)
    seconds = time.process_time() - begun
    return Cell(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, values)


def compare(title: str, case: tuple[int, int, int] | None, paths: list[str]) -> None:
    cells = {}
    for way in WAYS:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            cells[way] = pool.apply(measure, (way, case, paths))
    for way, cell in cells.items():
        apart = np.abs(cell.values - cells["museval"].values[:, : cell.values.shape[1]]).max()
        print(f"{title:22} {way:12} {cell.seconds:8.2f} {cell.memory_mb:8.0f} {apart:10.1e}", flush=True)


def stored() -> None:
    sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
    import test_score_separation as test

    for kind in test.KINDS:
        print(f'    "{kind}": [')
        for row in museval_ratios(*test.sources(kind), test.RATE).tolist():
            print(f"        {row},")
        print("    ],")


def main() -> None:
    if sys.argv[1:] == ["--stored"]:
        return stored()
    print(f"{'':22} {'':12} {'seconds':>8} {'MB':>8} {'apart, dB':>10}")
    if sys.argv[1:]:
        return compare("real stems", None, sys.argv[1:])
    for stems, channels, length_s in CASES:
        compare(f"{stems} stems x {channels}, {length_s} s", (stems, channels, length_s), [])
    return None


if __name__ == "__main__":
    main()
