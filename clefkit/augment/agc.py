"""Automatic gain control, as phones and recorders have it: what is soft is turned up, what is loud is turned down.

The level is the root mean square of the last `window_s`; the gain that is wanted is `strength` of what is missing to
the target, between `least_db` and `most_db`. The gain falls with the time constant `attack_s` and rises with
`release_s`, after `hold_s` in which it waits; while the level is under the gate it stays where it is, so that a pause
is not blown up. Target and gate are relative to the active level (see `level`), which is not weighted here, nor is the
level: a device has no ears, and a low note is levelled as a high one is. Nothing looks ahead but within a frame of 5
ms: the attack of a loud note comes through before the gain falls, as it does on a phone. (Where the terms come from:
Android's AutomaticGainControl and the analog and digital gain of WebRTC's audio processing; their time constants are
nowhere published as measured, so presets draw them from wide ranges.)
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from clefkit.audio import Audio
from clefkit.augment import dynamics, level, settings

if TYPE_CHECKING:
    from numpy.random import Generator

SETTINGS: settings.Table = {
    "target_db": settings.Number(-20, 20, default=0),
    "strength": settings.Number(0, 1),
    "attack_s": settings.Number(0.001, 10),
    "release_s": settings.Number(0.01, 60),
    "hold_s": settings.Number(0, 10, default=0),
    "window_s": settings.Number(0.005, 2, default=0.05),
    "most_db": settings.Number(0, 40, default=20),
    "least_db": settings.Number(-40, 0, default=-20),
    "gate_db": settings.Number(-90, 0, default=-45),
}


def draw(given: dict[str, Any], rng: Generator) -> dict[str, Any]:
    """raises: InputError naming the key"""
    return settings.draw(SETTINGS, given, rng)


def apply(sound: Audio, numbers: dict[str, Any]) -> Audio:
    """Silence stays as it is."""
    active = level.active_db(sound, weighted=False)
    if not np.isfinite(active):
        return sound
    frame = dynamics.level_frame(sound.rate)
    step_s = frame / sound.rate
    levels = np.append(0.0, dynamics.levels_db(sound, numbers["window_s"]) - active)
    wanted = np.clip(numbers["strength"] * (numbers["target_db"] - levels), numbers["least_db"], numbers["most_db"])
    gains = _following(float(wanted[0]), wanted[1:], levels[1:] >= numbers["gate_db"], numbers, step_s)
    # A frame has reached its gain at its end: the level is known no sooner.
    return dynamics.with_gain(sound, -np.append(gains[0], gains), frame)


def _following(
    state: float, wanted: NDArray[np.float64], open_: NDArray[np.bool_], numbers: dict[str, Any], step_s: float
) -> NDArray[np.float64]:
    """The gain frame by frame, in dB. state: that it starts with, what the active level wants"""
    falls, rises = (math.exp(-step_s / numbers[name]) for name in ("attack_s", "release_s"))
    waits = round(numbers["hold_s"] / step_s)
    since, out = waits, []
    for value, counts in zip(wanted.tolist(), open_.tolist(), strict=True):
        since += 1
        if counts and value < state:
            state, since = value + falls * (state - value), 0
        elif counts and since > waits:
            state = value + rises * (state - value)
        out.append(state)
    return np.array(out)
