"""The response of a simulated room that has the reverberation time asked for.

What walls absorb is found for each octave: first so that the energies of the rays have the time, then until the
response itself has it, as T20 (see `acoustics`). Bass rings longer than the middle, and treble shorter; in large rooms
much shorter, for so air has it.
"""

from __future__ import annotations

import math

import numpy as np

from clefkit.augment import acoustics, air, rooms, shoebox
from clefkit.augment.filters import Response
from clefkit.augment.reverberation import LOWEST_HZ, Reverberation
from clefkit.augment.shoebox import Box, Floats
from clefkit.errors import InputError

LONGEST_S = 10.0
ALGORITHM = 1  # one more whenever the same numbers give another response
# Of the time asked for, in octaves from 62.5 Hz up. Most of a click's energy is treble: with the middle a little longer
# and treble a little shorter than asked for, the time of the whole spectrum is nearly right, too.
RATIOS = (1.25, 1.16, 1.08, 1.04, 1.04, 1.03, 1.01, 0.98, 0.95)
MIDDLE = (3, 4)
LOSSES = (0.01, 3.0)
BISECTIONS = 30
CORRECTIONS = 3
CLOSE, WIDE = 0.02, 0.1
MOST_DRAWN_OUT = 20
MOST_CORRECTION = 1.3
LONGER = 1.35  # than the time asked for, because bass must fall by 60 dB


def response(rt60_s: float, box: Box, seed: int, rate: int) -> Response:
    """One channel for each microphone, the direct sound at unity gain, the tail cut where it has fallen by 60 dB.

    rt60_s: as T20, within 10 %: the mean of the octaves at 500 Hz and 1 kHz, and that of the whole spectrum, unless the
        source is much nearer than the critical distance, where the whole decay begins with the end of the direct sound
    seed: of the places in the room and of the noise in its tail
    raises: InputError naming what is possible; MissingError without pyroomacoustics
    """
    if box.size_m.max() > MOST_DRAWN_OUT * box.size_m.min():
        raise InputError(f"{box.name} is too long: {MOST_DRAWN_OUT} times its shortest side at most")
    places, noise = np.random.default_rng(seed).spawn(2)
    where = shoebox.places(box, places)
    mirrored = shoebox.mirrored(box, where, places)
    lasts_s = LONGER * rt60_s + 2 * box.free_path_m / air.SPEED_M_S
    arrives_s = float(mirrored.distances_m[:, 0].min()) / air.SPEED_M_S
    energies = shoebox.energies(box, where, arrives_s + lasts_s, places)
    white = noise.standard_normal((2, round(lasts_s * rate)))
    room = Reverberation(mirrored, energies, box.spacing_m, rate, white)
    bare, dead = ([room.decay_time_s(band, loss) / RATIOS[band] for band in MIDDLE] for loss in LOSSES)
    shortest, longest = max(dead), min(bare)
    if not shortest < rt60_s < longest:
        longest = min(longest, LONGEST_S)
        raise InputError(f"{box.name} can't have an rt60_s of {rt60_s:g}: from about {shortest:.2f} to {longest:.1f}")
    made = _fitted(room, rt60_s)
    if abs(acoustics.rt60_s(made, rate) / rt60_s - 1) > WIDE:
        raise InputError(f"no walls give {box.name} an rt60_s of {rt60_s:g} at {box.distance_m:g} m")
    return made


def _fitted(room: Reverberation, rt60_s: float) -> Response:
    """The response that has the times it should have, one an octave, where walls can do it."""
    wanted = rt60_s * np.interp(np.arange(len(room.bands_hz)), np.arange(len(RATIOS)), RATIOS)
    measured_hz = acoustics.octaves_hz(room.rate)
    first = round(math.log2(measured_hz[0] / LOWEST_HZ))
    part = slice(first, first + len(measured_hz))
    aims = wanted.copy()
    made = _made(room, aims)
    for _ in range(CORRECTIONS):
        times = np.array([acoustics.t20_s(made, room.rate, centre) for centre in measured_hz])
        off = np.where(times > 0, times / wanted[part], 1.0)
        if np.abs(off[MIDDLE[0] - first : MIDDLE[-1] + 1 - first] - 1).max() < CLOSE:
            break
        aims[part] /= np.clip(off, 1 / MOST_CORRECTION, MOST_CORRECTION)
        made = _made(room, aims)
    return made


def _made(room: Reverberation, aims_s: Floats) -> Response:
    losses = [_loss(room, band, aim_s) for band, aim_s in enumerate(aims_s)]
    return rooms.prepared(room.sound(np.array(losses)))


def _loss(room: Reverberation, band: int, aim_s: float) -> float:
    """The loss at the walls with which the energies have this time in this octave, or the one that comes nearest."""
    low, high = (math.log(loss) for loss in LOSSES)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        if room.decay_time_s(band, math.exp(middle)) > aim_s:
            low = middle
        else:
            high = middle
    return math.exp(low)
