"""Telephones to learn from: chains of `augment`'s effects that are drawn wide, so that real phones lie among them.

In the order of a phone: a room by distance, what else sounds there, the microphone and its port, band limits, the
converter's limiter, noise suppression and expansion, automatic gain, compression, another limiter, a codec, a lower
rate. Each part may be missing. Gains go both ways: automatic gain that levels, suppression and expanders that make soft
sound softer. Ranges: microphones by the tolerances of Android's compatibility definition (voice recognition within 3
dB, unprocessed within 10 dB, distortion under 1 % at 90 dB SPL, more than 60 dB above their own noise); the time
constants of automatic gains are published by nobody and are drawn from 5 ms to 15 s.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit import audio
from clefkit.audio import Audio
from clefkit.augment import chain
from clefkit.train.voices import log_uniform

Array = NDArray[np.float32]
Effect = dict[str, Any]

ROOMS = 64  # simulated ones, each drawn from its number, so that they are kept
NAMED = ["living_*", "small_*", "practice_*", "studio_*", "chamber_*", "bathroom_a", "hall_*"]
MICROPHONES = {"phone": 0.35, "laptop": 0.13, "lavalier": 0.15, "measurement": 0.25, "portable": 0.1, "telephone": 0.02}
RATES_HZ = (16_000, 22_050, 24_000, 32_000)
UNTOUCHED, DIRECT, LOWER, STRONG = 0.03, 0.12, 0.12, 0.1


def heard(clean: Array, rate: int, generator: Generator) -> Array:
    """A clean sound as a phone has it, or as it was, drawn anew. (samples,), float32 -> the same length"""
    if generator.random() < UNTOUCHED:
        return clean
    strong = generator.random() < STRONG
    lower = int(generator.choice(RATES_HZ)) if generator.random() < LOWER else rate
    if generator.random() < DIRECT:  # what was recorded well goes through a phone's software alone
        narrow = audio.resample(Audio(clean[None], rate), lower)
        made = _through(narrow, _gains(generator, strong=strong), generator)
    else:
        made = audio.resample(_through(Audio(clean[None], rate), effects(generator, strong=strong), generator), lower)
    return _as_long(audio.resample(made, rate), len(clean))


def recorded(clean: Array, rate: int, generator: Generator) -> Array:
    """A clean sound as most phones record it. (samples,), float32 -> the same length"""
    made = _through(Audio(clean[None], rate), effects(generator, strong=False), generator)
    return _as_long(made, len(clean))


def _through(sound: Audio, parts: list[Effect], generator: Generator) -> Audio:
    return chain.apply(sound, chain.draw({"name": "phone", "effect": parts}, generator))[0]


def _as_long(sound: Audio, length: int) -> Array:
    mono = sound.samples.mean(axis=0)[:length]
    return np.pad(mono, (0, length - len(mono))).astype(np.float32)


def effects(generator: Generator, *, strong: bool) -> list[Effect]:
    """One chain, as a preset lists it. strong: as bad as phones get, or as most are"""
    parts = [_room(generator)] if generator.random() < 0.92 else []
    parts += [_noise(generator, strong=strong)] if generator.random() < 0.7 else []
    parts += _microphone(generator, strong=strong)
    parts += _gains(generator, strong=strong)
    parts += [{"kind": "limiter", "ceiling_db": [3, 14], "release_s": [0.03, 0.5]}] if generator.random() < 0.4 else []
    return parts + _codec(generator)


def _gains(generator: Generator, *, strong: bool) -> list[Effect]:
    """What turns up and down: at least one of these."""
    gains = [_suppression(generator, strong=strong)] if generator.random() < 0.4 else []
    gains += [_expander(generator, strong=strong)] if generator.random() < 0.15 else []
    gains += [_agc(generator)] if generator.random() < 0.75 or not gains else []
    gains += [_compressor(strong=strong)] if generator.random() < 0.25 else []
    return [gains[each] for each in generator.permutation(len(gains))] if generator.random() < 0.3 else gains


def _room(generator: Generator) -> Effect:
    if generator.random() < 0.5:
        return {"kind": "room", "room": NAMED, "distance_gain_db": [-8, 14]}
    number = int(generator.integers(ROOMS))
    own = np.random.default_rng([number, ROOMS])
    size = own.uniform([2.5, 2.2, 2.2], [9, 7, 4])
    numbers = {
        "rt60_s": round(log_uniform(own, 0.25, 1.1), 2),
        "length_m": round(float(size[0]), 2),
        "width_m": round(float(size[1]), 2),
        "height_m": round(float(size[2]), 2),
        "distance_m": round(float(own.uniform(0.3, 0.6 * size[:2].min())), 2),
        "spacing_m": 0,
        "seed": number,
    }
    return {"kind": "room", **numbers, "distance_gain_db": [-6, 8]}


def _noise(generator: Generator, *, strong: bool) -> Effect:
    kinds = ["room", "white", "hiss", "pink", "street", "hum-50", "hum-60", "crowd"]
    kind = str(generator.choice(kinds, p=[0.4, 0.15, 0.15, 0.1, 0.1, 0.04, 0.04, 0.02]))
    return {"kind": "noise", "noise": kind, "snr_db": [18, 45] if strong else [28, 62]}


def _microphone(generator: Generator, *, strong: bool) -> list[Effect]:
    name = str(generator.choice(list(MICROPHONES), p=list(MICROPHONES.values())))
    unit_db = [0, 8] if strong else [0, 4]
    parts: list[Effect] = [{"kind": "microphone", "microphone": name, "unit_db": unit_db, "distance_m": [0.3, 3]}]
    if generator.random() < 0.5:
        gain_db = [-3, 9] if strong else [-2, 6]
        parts.append({"kind": "eq", "shape": "peak", "frequency_hz": [1500, 9000], "gain_db": gain_db, "q": [0.5, 2]})
    if generator.random() < 0.5:
        low_hz, high_hz = ([60, 350], [4000, 16_000]) if strong else ([40, 180], [8000, 20_000])
        parts.append({"kind": "band", "low_hz": low_hz, "high_hz": high_hz})
    if generator.random() < 0.6:
        parts.append({"kind": "noise", "noise": ["white", "hiss"], "snr_db": [30, 50] if strong else [42, 68]})
    if generator.random() < 0.4:
        parts.append({"kind": "limiter", "ceiling_db": [4, 14], "release_s": [0.03, 0.5]})
    return parts


def _suppression(generator: Generator, *, strong: bool) -> Effect:
    return {
        "kind": "suppression",
        "most_db": [6, 22] if strong else [3, 15],
        "noise_below_db": [-25, -12] if generator.random() < 0.5 else [-14, 3 if strong else -4],
        "window_s": [0.5, 4],
        "subtracted": [1, 4],
    }


def _expander(generator: Generator, *, strong: bool) -> Effect:
    slow = generator.random() < 0.5
    return {
        "kind": "expander",
        "threshold_db": [-20, 2],
        "ratio": [1.2, 2.5] if strong else [1.1, 1.8],
        "attack_s": [0.003, 0.05],
        "release_s": [0.2, 2] if slow else [0.03, 0.3],
        "most_db": [4, 20],
    }


def _agc(generator: Generator) -> Effect:
    fast = generator.random() < 0.35
    return {
        "kind": "agc",
        "target_db": [-3, 4],
        "strength": [0.25, 0.95],
        "attack_s": [0.005, 0.1] if fast else [0.05, 2],
        "release_s": [0.1, 1] if fast else [0.5, 15],
        "hold_s": [0.01, 1],
        "window_s": [0.01, 0.4],
        "most_db": [6, 26],
        "least_db": [-20, -4],
        "gate_db": [-60, -20],
    }


def _compressor(*, strong: bool) -> Effect:
    return {
        "kind": "compressor",
        "threshold_db": [-14, 2],
        "ratio": [1.5, 5] if strong else [1.3, 3],
        "attack_s": [0.003, 0.1],
        "release_s": [0.05, 2],
    }


def _codec(generator: Generator) -> list[Effect]:
    luck = generator.random()
    if luck < 0.2:
        return [{"kind": "codec", "codec": "mp3", "vbr_quality": [2, 9.5]}]
    if luck < 0.4:
        return [{"kind": "codec", "codec": "opus", "kbps": [40, 160]}]
    return []
