"""The sound of a line: a sum of harmonics below 0.45 of the rate, each as loud as source, formants and body make it.

Source and filter (Fant 1960, "Acoustic Theory of Speech Production"): the source has a slope that flattens with
loudness; formants are resonances that move; the body is a fixed curve, so vibrato sweeps the harmonics over its peaks
and troughs (Mellody and Wakefield 2000, "The time-frequency characteristics of violin vibrato"). The harmonics are
summed by Horner's rule in powers of one rotating phasor.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from clefkit.train.contours import STEP, Contours, smooth
from clefkit.train.phrasing import Event, Player

Array = NDArray[np.float32]

MOST_HARMONICS = 160
HIGHEST = 0.45  # of the rate
BODY_LOWEST_HZ = 40.0
BODY_PER_OCTAVE = 6  # values of a body's curve
BODY_FINE = 96  # the same, for looking up
BODY_OCTAVES = 9
BLOCK = 128  # frames that fit into the cache
EVEN_FRAMES = 130  # 0.4 s: slower changes of the loudness are the player's will, not chance of the resonances
MOST_KEPT = 1.4  # log power: 6 dB


def tone(contours: Contours, phase: Array, player: Player, size: float, rate: int) -> tuple[Array, NDArray[np.float64]]:
    """(samples,), root mean square about 1 at 0 dB; and (frames,), the root mean square that it has.

    phase: (samples,), radians, of the fundamental; size: factor on all frequencies of the body
    """
    loud_db = contours.level_db + 20 * np.log10(np.maximum(contours.gate, 0.1))
    amplitudes = _amplitudes(contours, loud_db, player, size, rate)
    power = np.sum(amplitudes**2, axis=1, dtype=np.float64) / 2
    gain = contours.gate * contours.voiced * 10 ** (contours.level_db / 20) * _evened(np.log(power + 1e-12))
    amplitudes *= gain.astype(np.float32)[:, None]
    steps = 2 if player["under_db"] > -60 else 1
    starts = np.exp(1j * player["spread"] * np.arange(1, amplitudes.shape[1] + 1) ** 2).astype(np.complex64)
    sound = _sum(amplitudes * starts, np.exp(1j * phase / steps).astype(np.complex64))
    return sound, np.asarray(gain * np.sqrt(power))


def phase(pitch: NDArray[np.float64], rate: int) -> Array:
    """(samples,), radians modulo 4 π, of a curve of MIDI numbers with a value every `STEP` samples."""
    hz = 440.0 * 2 ** ((pitch - 69) / 12)
    steps = hz[:-1, None] + np.diff(hz)[:, None] * (np.arange(STEP) / STEP)
    return np.asarray(np.cumsum(steps) * (2 * np.pi / rate) % (4 * np.pi), dtype=np.float32)


def ringing(events: list[Event], player: Player, tuning: float, length: int, rate: int) -> Array:
    """(length,): open strings that the player leaves, and those an octave below, go on sounding for a while."""
    sound = np.zeros(length, np.float32)
    strings = np.array(player["strings"])
    for event in events:
        if not np.isin(event.pitch - np.array([0, 12]), strings).any():
            continue
        start = max(0, int((event.offset - 0.02) * rate))
        time = np.arange(min(int(4 * player["ringing_s"] * rate), length - start), dtype=np.float32) / np.float32(rate)
        turn = np.float32(2 * np.pi * 440.0 * 2 ** ((event.pitch + tuning - 69) / 12)) * time
        gain = 10 ** (player["ringing_db"] / 20) * event.velocity / 80
        for number in range(1, 7):
            fading = np.minimum(time / 0.02, 1) * np.exp(-time * (number**0.5 / player["ringing_s"]))
            sound[start : start + len(time)] += np.float32(gain / number) * fading * np.sin(number * turn)
    return sound


def bells(squares: Array, formants: NDArray[np.float64], player: Player) -> Array:
    """(frames, frequencies), dB: what formants add, 0 dB far away from them.

    squares: (frames or 1, frequencies), Hz², formants: (frames, 5), Hz
    """
    power = np.ones((len(formants), squares.shape[1]), np.float32)
    for formant in formants.T:
        sharpness = formant / (player["bandwidth"] * (50 + formant**2 / 20_000))
        ratio = squares * (1 / formant**2).astype(np.float32)[:, None]
        power *= (1 + ratio**2) / ((1 - ratio) ** 2 + ratio * (sharpness**-2).astype(np.float32)[:, None])
    return np.asarray(np.float32(10 * player["formant_gain"]) * np.log10(power), dtype=np.float32)


def body(octaves: NDArray[np.floating], player: Player, size: float) -> Array:
    """dB of the body at frequencies that are `octaves` above 1 Hz."""
    knots = np.arange(len(player["body_db"])) / BODY_PER_OCTAVE
    fine = np.interp(np.arange(BODY_OCTAVES * BODY_FINE) / BODY_FINE, knots, player["body_db"]).astype(np.float32)
    index = ((octaves - np.log2(BODY_LOWEST_HZ * size)) * BODY_FINE).astype(np.int32)
    return np.asarray(fine[np.clip(index, 0, len(fine) - 1)])


def _amplitudes(
    contours: Contours, loud_db: NDArray[np.float64], player: Player, size: float, rate: int
) -> NDArray[np.float32]:
    """(frames, harmonics): of sine waves; with subharmonics where the player has some."""
    hz = (440.0 * 2 ** ((contours.pitch - 69) / 12)).astype(np.float32)
    steps = 2 if player["under_db"] > -60 else 1
    count = int(np.clip(steps * HIGHEST * rate / np.quantile(hz, 0.02), 1, MOST_HARMONICS))
    numbers = np.arange(1, count + 1, dtype=np.float32) / np.float32(steps)
    tilt = player["tilt_db"] + player["brighten_db"] * np.clip(loud_db, -30, 12) / 20
    octaves = np.log2(numbers)
    decibels = np.clip(tilt, -24, -1).astype(np.float32)[:, None] * np.maximum(octaves, 0) + _source(numbers, player)
    decibels += body(octaves + np.log2(hz)[:, None], player, size)
    squares = np.square(hz[:, None] * numbers)
    if player["formant_gain"] > 0:
        formants = contours.formants.copy()
        formants[:, 0] = np.maximum(formants[:, 0], hz)  # singers open the mouth for high notes
        decibels += bells(squares, formants, player)
    decibels -= np.float32(10) * np.log10(1 + (squares / np.float32((player["cutoff_hz"] * size) ** 2)) ** 2)
    amplitudes = np.exp(decibels * np.float32(np.log(10) / 20))
    amplitudes *= np.clip((HIGHEST * rate - hz[:, None] * numbers) / (0.02 * rate), 0, 1)
    return np.asarray(amplitudes, dtype=np.float32)


def _evened(power: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gains that leave of the resonances' loudness (log power, frames) a quarter, and what vibrato stirs up."""
    slow = smooth(power, EVEN_FRAMES)
    kept = 0.25 * (slow - slow.mean()) + power - slow
    return np.asarray(np.exp(0.5 * (MOST_KEPT * np.tanh(kept / MOST_KEPT) - power)))


def _source(numbers: Array, player: Player) -> Array:
    """dB of each harmonic beside the slope: weak even ones, nodes at the bow, a weak or strong fundamental."""
    whole = numbers % 1 == 0
    even = np.where(numbers % 2 == 0, player["even_db"] * np.exp(-numbers / player["even_until"]), 0.0)
    nodes = 20 * np.log10(np.abs(np.sin(np.pi * numbers * player["bow"])) * player["nodes"] + 1 - player["nodes"])
    first = np.where(numbers == 1, player["fundamental_db"], 0.0)
    return np.asarray(even + nodes + first + np.where(whole, 0.0, player["under_db"]), dtype=np.float32)


def _sum(amplitudes: NDArray[np.complex64], turn: NDArray[np.complex64]) -> Array:
    """The imaginary part of Σ amplitude(t) exp(ikφ(t)), with k from 1.

    amplitudes: (frames, harmonics); turn: (samples,), exp(iφ)
    """
    frames = len(amplitudes) - 1
    turns = turn.reshape(frames, STEP)
    sound = np.zeros((frames, STEP), np.float32)
    along = (np.arange(STEP) / STEP).astype(np.float32)
    for first in range(0, frames, BLOCK):
        mine = amplitudes[first : first + BLOCK + 1]
        heard = np.flatnonzero(np.abs(mine).max(axis=0) > 1e-4)
        total = np.zeros((len(mine) - 1, STEP), np.complex64)
        here = turns[first : first + BLOCK]
        for number in range(heard[-1] if len(heard) else -1, -1, -1):
            column = mine[:, number]
            total += column[:-1, None] + np.diff(column)[:, None] * along
            total *= here
        sound[first : first + BLOCK] = total.imag
    return sound.reshape(-1)
