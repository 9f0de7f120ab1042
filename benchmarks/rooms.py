"""What simulated rooms are, beside what was asked for: `python benchmarks/rooms.py [SEED...]`.

One line a room and seed, at 44.1 kHz, two microphones 17 cm apart. Times (T20) are to the time asked for: the mean of
500 Hz and 1 kHz ("middle"), the whole spectrum, octaves. C80 and the ratio of direct to reverberant sound, both around
1 kHz, stand beside what Barron and Lee's theory expects in a diffuse field (Energy relations in concert auditoriums,
1988), the ratio also beside the critical distance's. Coherence: how far the late part's is from sin(kd)/(kd) under
300 Hz, the worst of microphones 10, 17, 30 and 60 cm apart. Seconds of processor time are those of one room.
"""

from __future__ import annotations

import math
import sys
import time

import numpy as np

from clefkit.augment import acoustics, air, shoebox, simulate
from clefkit.augment.filters import Response
from clefkit.augment.shoebox import Box

RATE = 44_100
SPACINGS_M = (0.1, 0.17, 0.3, 0.6)
HEADS = "room|s|m|middle|all|125|250|500|1k|2k|4k|8k|EDT|C80|theory|direct|theory|critical|coherence|CPU s"
WIDTHS = (12, 4, 5, *[6] * 14, 8, 9, 5)
ROOMS = [
    (0.3, Box(5, 4, 3, 1.2, 0.17)),
    (0.6, Box(6, 5, 3, 2, 0.17)),
    (1.2, Box(15, 10, 6, 5, 0.17)),
    (2.0, Box(30, 20, 12, 10, 0.17)),
    (4.0, Box(45, 20, 18, 15, 0.17)),
    (0.6, Box(20, 3, 2.5, 4, 0.17)),
    (1.0, Box(12, 12, 2.6, 4, 0.17)),
    (1.5, Box(3, 2, 2.4, 1.2, 0.17)),
    (0.5, Box(4, 4, 4, 1.5, 0.17)),
    (0.2, Box(8, 6, 3.5, 1.5, 0.17)),
    (8.0, Box(60, 30, 25, 12, 0.17)),
]


def main() -> None:
    shoebox.energies(*_first(), 0.1, np.random.default_rng(0))  # imports count for no room
    print(" ".join(head.rjust(width) for head, width in zip(HEADS.split("|"), WIDTHS, strict=True)))
    for seed in [int(each) for each in sys.argv[1:]] or [0]:
        for rt60_s, box in ROOMS:
            cells = _row(rt60_s, box, seed)
            print(" ".join(cell.rjust(width) for cell, width in zip(cells, WIDTHS, strict=True)), flush=True)


def _first() -> tuple[Box, shoebox.Places]:
    return ROOMS[0][1], shoebox.places(ROOMS[0][1], np.random.default_rng(0))


def _row(rt60_s: float, box: Box, seed: int) -> list[str]:
    start = time.process_time()
    made = simulate.response(rt60_s, box, seed, RATE)
    seconds = time.process_time() - start
    octaves = [acoustics.t20_s(made, RATE, centre) for centre in acoustics.octaves_hz(RATE)]
    times = [acoustics.rt60_s(made, RATE), acoustics.t20_s(made, RATE), *octaves, acoustics.edt_s(made, RATE, 1000.0)]
    volume_m3, distance_m = float(box.size_m.prod()), box.distance_m
    critical_m = 0.057 * math.sqrt(volume_m3 / rt60_s)
    decibels = [
        acoustics.c80_db(made, RATE),
        _c80_of_theory_db(rt60_s, volume_m3, distance_m),
        _direct_db(made),
        _direct_of_theory_db(rt60_s, volume_m3, distance_m),
        20 * math.log10(critical_m / distance_m),
    ]
    apart = max(_coherence_off(rt60_s, box._replace(spacing_m=spacing_m), seed) for spacing_m in SPACINGS_M)
    return [
        "x".join(f"{side:g}" for side in box[:3]),
        f"{rt60_s:g}",
        f"{distance_m:g}",
        *(f"{each / rt60_s:.2f}" for each in times),
        *(f"{each:.1f}" for each in decibels),
        f"{apart:.3f}",
        f"{seconds:.2f}",
    ]


def _direct_db(made: Response) -> float:
    """Direct against reverberant sound in the octave at 1 kHz, the direct sound of the nearer microphone a click."""
    click = np.zeros_like(made.samples[:1])
    click[0, made.direct] = 1.0
    nearer = made.samples[[int(np.argmax(made.samples[:, made.direct]))]]
    direct, rest = (acoustics.octave(each, RATE, 1000.0) for each in (click, nearer - click))
    return 10 * math.log10((direct**2).sum() / (rest**2).sum())


def _c80_of_theory_db(rt60_s: float, volume_m3: float, distance_m: float) -> float:
    direct = 100 / distance_m**2
    whole = 31_200 * rt60_s / volume_m3 * math.exp(-0.04 * distance_m / rt60_s)
    late = whole * math.exp(-1.11 / rt60_s)
    return 10 * math.log10((direct + whole - late) / late)


def _direct_of_theory_db(rt60_s: float, volume_m3: float, distance_m: float) -> float:
    whole = 31_200 * rt60_s / volume_m3 * math.exp(-0.04 * distance_m / rt60_s)
    return 10 * math.log10(100 / distance_m**2 / whole)


def _coherence_off(rt60_s: float, box: Box, seed: int) -> float:
    """How far the coherence of the late part is from that of a diffuse field, from 40 to 300 Hz, weighted by power."""
    from scipy.signal import csd

    made = simulate.response(rt60_s, box, seed, RATE)
    first, last = (made.direct + round(part * rt60_s * RATE) for part in (0.25, 0.9))
    late = made.samples[:, first:last].astype(np.float64)
    late *= 10 ** (3 * np.arange(late.shape[1]) / RATE / rt60_s)
    size = min(4096, late.shape[1] // 4)
    frequencies, across = csd(late[0], late[1], RATE, nperseg=size)
    powers = [np.real(csd(channel, channel, RATE, nperseg=size)[1]) for channel in late]
    bass = (frequencies >= 40) & (frequencies < 300)
    weights = np.sqrt(powers[0][bass] * powers[1][bass])
    expected = float((weights * np.sinc(2 * frequencies[bass] * box.spacing_m / air.SPEED_M_S)).sum())
    return abs(float(np.real(across[bass]).sum()) - expected) / float(weights.sum())


if __name__ == "__main__":
    main()
