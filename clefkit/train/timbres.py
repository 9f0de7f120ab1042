"""Instruments that no General MIDI font has: made up from partials, or by frequency modulation.

Four made-up kinds: struck bars and tines (inharmonic partials that die away), plucked strings (stretched partials, a
plucking point), sustained tones (winds, bows, voices: an envelope, vibrato, formants, breath) and two-operator
frequency modulation (Chowning 1973, "The Synthesis of Complex Audio Spectra by Means of Frequency Modulation"). Each is
drawn once a part and plays notes at exact samples, so targets are exact.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.notes import Notes

Array = NDArray[np.float32]
Instrument = dict[str, Any]

KINDS = ("struck", "plucked", "sustained", "modulated")
BARS = ((1.0, 2.76, 5.40, 8.93), (1.0, 4.0, 9.9), (1.0, 3.0, 6.2), (1.0, 6.27, 17.5), (1.0, 2.0, 3.01, 4.1, 5.4))


def draw(generator: Generator) -> Instrument:
    """Plain numbers of one made-up instrument."""
    return {
        "kind": str(generator.choice(KINDS)),
        "bar": int(generator.integers(len(BARS))),
        "decay_s": float(np.exp(generator.uniform(np.log(0.15), np.log(3.0)))),
        "damping": float(generator.uniform(0.1, 1.5)),
        "slope": float(generator.uniform(0.4, 2.4)),
        "even": float(generator.choice([1.0, 1.0, 0.5, 0.1])),
        "stretch": float(np.exp(generator.uniform(np.log(2e-5), np.log(8e-4)))),
        "pluck": float(generator.uniform(0.08, 0.5)),
        "attack_s": float(np.exp(generator.uniform(np.log(0.004), np.log(0.07)))),
        "release_s": float(generator.uniform(0.02, 0.25)),
        "vibrato_hz": float(generator.uniform(4.5, 6.8)),
        "vibrato": float(generator.choice([0.0, 0.1, 0.25, 0.45])),
        "formants_hz": [float(f) for f in generator.uniform((250, 800, 2000), (800, 2000, 3600))],
        "formant_gain": float(generator.choice([0.0, 3.0, 8.0])),
        "noise": float(np.exp(generator.uniform(np.log(0.002), np.log(0.15)))),
        "ratio": float(generator.choice([1.0, 1.0, 2.0, 3.0, 4.0, 1.41, 3.5, 7.0, 14.0])),
        "index": float(generator.uniform(0.3, 4.0)),
        "index_decay_s": float(np.exp(generator.uniform(np.log(0.05), np.log(2.0)))),
    }


def play(
    notes: Notes, instrument: Instrument, length: int, rate: int, tuning: float, generator: Generator
) -> tuple[Notes, Array]:
    """Notes on a made-up instrument.

    length: samples; rate: Hz; tuning: semitones added to every pitch
    returns: the notes as they sound: those of bars that nobody damps go on; and (length,), float32, about -20 dB a note
    """
    notes = replace(notes, offset=np.maximum(notes.offset, notes.onset + _rings_s(instrument)))
    sound = np.zeros(length, np.float32)
    for onset, offset, pitch, velocity in zip(notes.onset, notes.offset, notes.pitch, notes.velocity, strict=True):
        start = round(onset * rate)
        frequency = 440.0 * 2 ** ((pitch + tuning - 69) / 12)
        tone = _tone(instrument, frequency, offset - onset, rate, generator) * np.float32((velocity / 127) ** 1.6 * 0.1)
        tone = tone[: max(0, length - start)]
        sound[start : start + len(tone)] += tone
    return notes, sound


def _rings_s(instrument: Instrument) -> float:
    """How long a note sounds at least: bars are often not damped."""
    undamped = instrument["kind"] == "struck" and instrument["pluck"] > 0.3
    return min(3.0, 2 * float(instrument["decay_s"])) if undamped else 0.0


def _tone(instrument: Instrument, frequency: float, duration_s: float, rate: int, generator: Generator) -> Array:
    release_s = instrument["release_s"]
    time = np.arange(int((duration_s + release_s) * rate), dtype=np.float32) / np.float32(rate)
    make = {"struck": _struck, "plucked": _plucked, "sustained": _sustained, "modulated": _modulated}
    tone = make[instrument["kind"]](instrument, frequency, time, rate, generator)
    burst = generator.standard_normal(len(time), dtype=np.float32) * np.exp(-time / np.float32(0.012))
    tone = tone + np.float32(instrument["noise"]) * burst
    return np.asarray(tone * np.clip((duration_s - time) / release_s + 1, 0, 1), dtype=np.float32)


def _partials(
    amplitudes: list[float], frequencies: list[float], decays_s: list[float], time: Array, rate: int
) -> Array:
    tone = np.zeros(len(time), np.float32)
    for amplitude, frequency, decay_s in zip(amplitudes, frequencies, decays_s, strict=True):
        if frequency < 0.45 * rate and abs(amplitude) > 0.003:
            phase = np.float32(2 * np.pi * frequency) * time
            tone += np.float32(amplitude) * np.sin(phase) * np.exp(-time / np.float32(decay_s))
    return tone


def _struck(instrument: Instrument, frequency: float, time: Array, rate: int, generator: Generator) -> Array:
    ratios = BARS[instrument["bar"]]
    amplitudes = [generator.uniform(0.6, 1.0) * ratio ** -instrument["slope"] for ratio in ratios]
    decays = [instrument["decay_s"] * (440 / frequency) ** 0.5 * ratio ** -instrument["damping"] for ratio in ratios]
    tone = _partials(amplitudes, [frequency * ratio for ratio in ratios], decays, time, rate)
    return np.asarray(tone * np.clip(time / 0.002, 0, 1), dtype=np.float32)


def _plucked(instrument: Instrument, frequency: float, time: Array, rate: int, generator: Generator) -> Array:
    numbers = np.arange(1, 13)
    comb = np.abs(np.sin(np.pi * numbers * instrument["pluck"])) + 0.05
    amplitudes = comb * numbers ** -(0.5 + instrument["slope"] / 2) * generator.uniform(0.7, 1.0, len(numbers))
    frequencies = frequency * numbers * np.sqrt(1 + instrument["stretch"] * numbers**2)
    decays = instrument["decay_s"] * 2 * (220 / frequency) ** 0.4 * numbers ** -(instrument["damping"] / 2)
    tone = _partials(list(amplitudes), list(frequencies), list(decays), time, rate)
    return np.asarray(tone * np.clip(time / 0.003, 0, 1), dtype=np.float32)


def _sustained(instrument: Instrument, frequency: float, time: Array, rate: int, generator: Generator) -> Array:
    depth = instrument["vibrato"] * generator.uniform(0.5, 1.2)
    wave = np.sin(2 * np.pi * instrument["vibrato_hz"] * time + generator.uniform(0, 6.28)) * np.clip(time / 0.25, 0, 1)
    drift = depth * wave + generator.uniform(-0.08, 0.08)
    phase = 2 * np.pi * np.cumsum(frequency * 2 ** (drift / 12)) / rate
    turn = np.exp(1j * phase).astype(np.complex64)
    count = int(min(16, 0.45 * rate / frequency))
    tone, power = np.zeros(len(time), np.float32), np.ones(len(time), np.complex64)
    for number in range(1, count + 1):
        power = power * turn
        amplitude = number ** -instrument["slope"] * (instrument["even"] if number % 2 == 0 else 1.0)
        distances = (np.log2(frequency * number / np.array(instrument["formants_hz"])) * 2.5) ** 2
        tone += np.float32(amplitude * (1 + instrument["formant_gain"] * np.exp(-distances).sum())) * power.imag
    breath = generator.standard_normal(len(time), dtype=np.float32) * np.float32(instrument["noise"] * 0.2)
    envelope = np.clip(time / instrument["attack_s"], 0, 1) * (0.75 + 0.25 * np.exp(-time / 0.3))
    return np.asarray((tone / max(1.0, np.abs(tone).max(initial=0.0)) + breath) * envelope, dtype=np.float32)


def _modulated(instrument: Instrument, frequency: float, time: Array, rate: int, generator: Generator) -> Array:
    room = max(0.0, 0.45 * rate / frequency - 1) / max(1.0, instrument["ratio"])
    index = min(instrument["index"], max(0.2, room)) * (0.15 + 0.85 * np.exp(-time / instrument["index_decay_s"]))
    inner = np.sin(2 * np.pi * frequency * instrument["ratio"] * time + generator.uniform(0, 6.28))
    tone = np.sin(2 * np.pi * frequency * time + index * inner)
    decaying = np.exp(-time / instrument["decay_s"]) if instrument["pluck"] < 0.3 else 1.0
    return np.asarray(tone * np.clip(time / min(instrument["attack_s"], 0.03), 0, 1) * decaying, dtype=np.float32)
