"""Stereo helps: a stem is also where it is.

Masks say how strong each stem is in a bin. How its two channels belong together, the stem's covariance, is estimated
from what the masks leave of the mixture, and both together filter it: what comes from where a stem is, is more its own
(the multichannel Wiener filter: Duong, Vincent and Gribonval 2010, "Under-determined reverberant audio source
separation using a full-rank spatial covariance model"; Nugraha, Liutkus and Vincent 2016). Filters of all stems and of
the rest add up to one.

In a room the covariance differs from bin to bin, and once is enough. Panned by a mixing desk a stem is at one place at
all frequencies: then covariances are averaged over a wide band, and estimated again from what was filtered.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.grid import Spectra

Array = NDArray[np.float32]

PANNED = 0.89  # of a stem's energy in one direction, above which it is at one place
BAND, WIDE_BAND = 41, 101  # bins that are averaged: 0.4 and 1.1 kHz
AGAIN = 2  # times that covariances of panned stems are estimated again
DIFFUSE = 1e-3  # of a covariance comes from everywhere
TINY = 1e-12


class Covariance(NamedTuple):
    """Of the channels of one stem, (bins,) each: left and right energy, and both together; their mean energy is 1."""

    left: Array
    right: Array
    both: NDArray[np.complex64]


def filtered(spectra: Spectra, masks: Array) -> Spectra:
    """The stems: (stems, channels, frames, bins).

    spectra: (channels, frames, bins), of the mixture; masks: (stems, frames, bins), 0 to 1
    """
    if len(spectra) != 2 or not len(masks):
        return np.asarray(masks[:, None] * spectra, dtype=np.complex64)
    rest = np.maximum(1 - masks.sum(axis=0), 0)
    shares = np.concatenate([masks, rest[None]])
    power = shares * np.square(np.abs(spectra)).mean(axis=0)
    parts = [share * spectra for share in shares]
    if _panned(parts[:-1]):
        for _ in range(1 + AGAIN):
            parts = _wiener(spectra, power, [_covariance(part, BAND) for part in parts])
    else:
        parts = _wiener(spectra, power, [_covariance(part, 1) for part in parts])
    return np.asarray(np.stack(parts[:-1]), dtype=np.complex64)


def _panned(parts: list[Spectra]) -> bool:
    """Whether stems come from one direction each: how much of their energy the first principal component has."""
    along, whole = 0.0, 0.0
    for part in parts:
        left, right, both = _covariance(part, WIDE_BAND, diffuse=0)
        weight = np.square(np.abs(part)).sum(axis=(0, 1))
        first = 1 + np.sqrt(np.square(left - right) / 4 + np.square(np.abs(both)))
        along += float((first / 2 * weight).sum())
        whole += float(weight.sum())
    return along > PANNED * whole > 0


def _covariance(part: Spectra, band: int, diffuse: float = DIFFUSE) -> Covariance:
    """Of an estimate, (channels, frames, bins), averaged over frames and some bins."""
    left, right = (np.square(np.abs(channel)).sum(axis=0) for channel in part)
    both = (part[0] * part[1].conj()).sum(axis=0)
    if band > 1:
        from scipy.ndimage import uniform_filter1d

        left, right, real, imaginary = (uniform_filter1d(each, band) for each in (left, right, both.real, both.imag))
        both = real + 1j * imaginary
    mean = (left + right) / 2 + TINY
    kept = 1 - diffuse
    return Covariance(
        np.asarray(kept * left / mean + diffuse, np.float32),
        np.asarray(kept * right / mean + diffuse, np.float32),
        np.asarray(kept * both / mean, np.complex64),
    )


def _wiener(spectra: Spectra, power: Array, covariances: list[Covariance]) -> list[Spectra]:
    """The mixture filtered for each stem, (channels, frames, bins). power: (stems, frames, bins)"""
    pairs = list(zip(power, covariances, strict=True))
    left, right = np.full_like(power[0], TINY), np.full_like(power[0], TINY)
    both = np.zeros_like(spectra[0])
    for each, its in pairs:
        left += each * its.left
        right += each * its.right
        both += each * its.both
    size = np.maximum(left * right - np.square(np.abs(both)), TINY**2)
    one = (right * spectra[0] - both * spectra[1]) / size
    other = (left * spectra[1] - both.conj() * spectra[0]) / size
    return [
        np.stack([each * (its.left * one + its.both * other), each * (its.both.conj() * one + its.right * other)])
        for each, its in pairs
    ]
