"""How a shoe box sounds: the response of one with walls of any absorption.

Mirrored sources are heard one by one, in each octave as loud as walls and air leave them, on their way to each
microphone. What is scattered is a noise with the energy that the rays have over time, octave by octave: scattered
reflections are far too many to be told apart. pyroomacoustics has such a noise too, but draws it for each microphone
alone, while in a real room bass comes nearly alike to neighbours: in a diffuse field two microphones at a distance d
have the coherence sin(kd)/(kd) (Cook et al., Measurement of correlation coefficients in reverberant sound fields,
1955). So the noise here is our own, and is coherent like that.

The few resonances that a small room has under some 100 Hz are not simulated.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from clefkit.audio import Audio, Samples
from clefkit.augment import acoustics, air
from clefkit.augment.shoebox import BIN_S, FITTINGS_LOSS, SCATTERING_LOSS, Energies, Floats, Mirrored

LOWEST_HZ = 62.5
LEAD_S = 0.002
PADDING_S = 0.1
HALF_SINC = 32
HIGH_PASS_HZ = 20.0
SMOOTHED, MOST_SMOOTHED_S = 0.05, 0.03
FAINTEST = 1e-30
SLOWEST = -0.0005  # nepers a bin: a decay of 55 s


def octaves_hz(rate: int) -> Floats:
    """Centres of the octaves from 62.5 Hz to the first one at half the rate or above."""
    return np.array([LOWEST_HZ * 2**index for index in range(math.ceil(math.log2(rate / 2 / LOWEST_HZ)) + 1)])


@dataclass(frozen=True)
class Reverberation:
    """A room whose noise is drawn, and whose walls absorb what they are told to.

    spacing_m: of the microphones; noise: (2, samples), white, as long as the response
    """

    mirrored: Mirrored
    energies: Energies
    spacing_m: float
    rate: int
    noise: Floats

    @cached_property
    def bands_hz(self) -> Floats:
        return octaves_hz(self.rate)

    def decay_time_s(self, band: int, loss: float) -> float:
        """T20 of one octave as the energies have it, without the direct sound."""
        energy = self._scattered(band, loss)
        strengths = self._strengths(band, loss) ** 2 / len(self.mirrored.distances_m)
        bins = (self.mirrored.distances_m / (air.SPEED_M_S * BIN_S)).astype(np.intp)
        early = bins < len(energy)
        energy += np.bincount(bins[early], strengths[early], len(energy))
        return acoustics.decay_time_s(_continued(energy), BIN_S)

    def sound(self, losses: Floats) -> Audio:
        """With these losses at the walls, one an octave; the first direct sound has a height of 1, 2 ms from the start.

        losses: (bands,); returns: one channel for each microphone
        """
        spectrum = np.zeros((len(self.mirrored.distances_m), self._size // 2 + 1), np.complex128)
        for band, loss in enumerate(losses):
            reflections = self._heard(self._strengths(band, loss))
            spectrum += self._weights[band] * np.fft.rfft(reflections, self._size)
        out = np.fft.irfft(spectrum * self._high_pass, self._size)[:, : self.noise.shape[1]] + self._direct()
        for band, loss in enumerate(losses):
            out += self._envelope(band, loss) * self._bands_of_noise[band]
        return Audio(out.astype(np.float32), self.rate)

    @cached_property
    def _nearest_m(self) -> float:
        return float(self.mirrored.distances_m[:, 0].min())

    @cached_property
    def _air(self) -> Floats:
        """What a metre of air takes, in nepers of energy. returns: (bands,)"""
        return air.absorption_db(self.bands_hz) * (math.log(10) / 10)

    @cached_property
    def _size(self) -> int:
        return 1 << int(self.noise.shape[1] + PADDING_S * self.rate).bit_length()

    def _scattered(self, band: int, loss: float) -> Floats:
        """Energy of what is scattered, to that of the direct sound. returns: (bins,)"""
        lost = self._air[band] * (air.SPEED_M_S * self.energies.times_s - self._nearest_m)
        return np.asarray(self.energies.scattered(loss) * np.exp(-lost) * self._nearest_m**2)

    def _strengths(self, band: int, loss: float) -> Floats:
        """Amplitudes of the mirrored sources, and none for the real one. returns: (microphones, sources)"""
        distances = self.mirrored.distances_m
        lost = self.mirrored.reflections * (loss + SCATTERING_LOSS) + self._air[band] * (distances - self._nearest_m)
        lost += FITTINGS_LOSS * distances / self.energies.free_path_m
        strengths = np.exp(-lost / 2) * self._nearest_m / distances
        strengths[:, 0] = 0
        return np.asarray(strengths)

    def _direct(self) -> Floats:
        strengths = self._nearest_m / self.mirrored.distances_m
        strengths[:, 1:] = 0
        return self._heard(strengths)

    def _heard(self, strengths: Floats) -> Floats:
        """All sources, each as strong as it says. strengths: (microphones, sources); returns: (microphones, samples)"""
        channels = zip(*self._pulses, strengths, strict=True)
        length = self.noise.shape[1]
        heard = [np.bincount(at.ravel(), (each[:, None] * pulse).ravel(), length) for at, pulse, each in channels]
        return np.array(heard, np.float64)

    @cached_property
    def _pulses(self) -> tuple[NDArray[np.intp], Floats]:
        """A click from each source: its samples, and their heights, a sinc under a Hann window.

        returns: both (microphones, sources, taps)
        """
        later_m = self.mirrored.distances_m - self._nearest_m
        arrivals = later_m * (self.rate / air.SPEED_M_S) + round(LEAD_S * self.rate)
        taps = np.arange(1 - HALF_SINC, HALF_SINC + 1)
        before = np.floor(arrivals)
        from_arrival = taps - (arrivals - before)[..., None]
        heights = np.sinc(from_arrival) * np.cos(np.pi / 2 * from_arrival / HALF_SINC) ** 2
        places = before.astype(np.intp)[..., None] + taps
        inside = (places >= 0) & (places < self.noise.shape[1])
        return np.where(inside, places, 0), np.where(inside, heights, 0.0)

    @cached_property
    def _frequencies(self) -> Floats:
        return np.asarray(np.maximum(np.fft.rfftfreq(self._size, 1 / self.rate), FAINTEST))

    @cached_property
    def _high_pass(self) -> NDArray[np.complex128]:
        """Against what mirrored sources add up to below hearing: Butterworth, second order. returns: (frequencies,)"""
        low = HIGH_PASS_HZ / self._frequencies
        return np.asarray(1 / (1 - 1j * math.sqrt(2) * low - low**2), np.complex128)

    @cached_property
    def _weights(self) -> Samples:
        """How much of each frequency belongs to each octave, in amplitude: 1 in all. returns: (bands, frequencies)"""
        octave = np.clip(np.log2(self._frequencies / LOWEST_HZ), 0, len(self.bands_hz) - 1)
        near = (np.clip(1 - np.abs(octave - band), 0, 1) for band in range(len(self.bands_hz)))
        return np.array([np.sin(np.pi / 2 * part) ** 2 for part in near], np.float32)

    @cached_property
    def _bands_of_noise(self) -> Samples:
        """The noise at each microphone, in octaves. returns: (bands, microphones, samples)

        What is alike and what is unlike have the power they should have in each octave, as they do by chance in a long
        noise: a short tail holds too few periods of the bass for that.
        """
        coherence = np.sinc(2 * self._frequencies * self.spacing_m / air.SPEED_M_S)
        shares = np.sqrt([(1 + coherence) / 2, np.maximum((1 - coherence) / 2, 0)]) * np.abs(self._high_pass)
        spectra = np.fft.rfft(self.noise, self._size)
        spectra *= shares * np.exp(1j * np.angle(self._high_pass))
        length, bands = self.noise.shape[1], []
        for weights in self._weights:
            parts = np.fft.irfft(weights * spectra, self._size)[:, :length]
            expected = np.square(weights * shares).mean(axis=1)
            measured = np.square(parts).mean(axis=1)
            parts *= np.sqrt(expected / np.maximum(measured, FAINTEST))[:, None]
            heard = [parts[0] + parts[1], parts[0] - parts[1]]
            bands.append(np.array(heard[: len(self.mirrored.distances_m)], np.float32))
        return np.array(bands)

    def _envelope(self, band: int, loss: float) -> Floats:
        """What the noise is multiplied by. The rays' energy is smoothed, over longer times the later it comes.

        returns: (samples,)
        """
        energy = self._scattered(band, loss)
        edges = [0]
        while edges[-1] < len(energy):
            edges.append(edges[-1] + max(1, min(round(MOST_SMOOTHED_S / BIN_S), int(SMOOTHED * edges[-1]))))
        widths = np.diff([*edges[:-1], len(energy)])
        density = np.add.reduceat(energy, edges[:-1]) / (widths * BIN_S * self.rate)
        middles_s = (edges[:-1] + widths / 2) * BIN_S
        since_start = np.arange(self.noise.shape[1]) / self.rate - LEAD_S + self._nearest_m / air.SPEED_M_S
        return np.asarray(np.exp(np.interp(since_start, middles_s, np.log(np.maximum(density, FAINTEST))) / 2))


def _continued(energy: Floats) -> Floats:
    """Energy that goes on as it ended, for 60 dB more: without what is still to come, a decay seems too fast."""
    part = len(energy) // 4
    before, last = float(energy[-2 * part : -part].sum()), float(energy[-part:].sum())
    slope = min(math.log(max(last, FAINTEST) / max(before, FAINTEST)) / part, SLOWEST)
    further = np.arange(1, int(-6 * math.log(10) / slope))
    return np.concatenate([energy, last / part * np.exp(slope * (further + part / 2))])
