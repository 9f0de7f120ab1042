"""Where distortion comes from: ISR, SIR and SAR of BSS eval version 4.

An estimate is projected on all that filters of 512 taps can make of its own reference (P), then on all that they can
make of all references (Q). With the reference `s`: ISR = |s|² / |P - s|², what linear filtering changed; SIR =
|P|² / |Q - P|², what other stems added; SAR = |Q|² / |e - Q|², what none of them explains. The filters are found on the
whole file, the ratios in windows of 1 s, their median taken. Vincent, Gribonval and Févotte 2006, "Performance
measurement in blind audio source separation"; Liutkus, Stöter and Ito 2018, "The 2018 signal separation evaluation
campaign".

The numbers are museval's, but for rounding (some 1e-9 dB for noise, 1e-8 dB for music, whose equations are nearly
singular). It costs much less, because the equations are solved once for all stems, and because projections stay
spectra: their energies are those of the sound (Parseval).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import scipy.linalg
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from clefkit.errors import InputError
from clefkit.score.separation import FLOOR_DB
from clefkit.score.separation.ratios import Values, decibels
from clefkit.score.separation.signals import Signals, Stems

TAPS = 512
FRAME = 8192
MOST_CHANNELS = 24  # 1.2 GB of equations, twice
RIDGE = 1e-12
REFINEMENTS = 2
UNDEFINED = {"isr": 0.0, "sir": FLOOR_DB, "sar": FLOOR_DB}  # of silence

Spectra = NDArray[np.complex128]


def ratios(
    signals: Signals, references: Sequence[int], pairs: Mapping[int, int], counted: NDArray[np.bool_]
) -> dict[str, dict[int, float]]:
    """Medians over the windows that count.

    references: those that sound; pairs: reference -> estimate; what has none counts as silence
    counted: by window
    returns: {"isr": {reference: dB}, "sir" (unless there is one reference only), "sar"}
    raises: InputError when there are too many channels to solve for
    """
    paired = [each for each in references if each in pairs]
    if len(references) * signals.channels > MOST_CHANNELS:
        most = MOST_CHANNELS // signals.channels
        raise InputError(f"more than {most} reference stems are too many for ISR, SIR and SAR: use the protocol sdr")
    found = {name: dict.fromkeys(references, value) for name, value in UNDEFINED.items()}
    if paired:
        owners = [references.index(each) for each in paired]
        chosen = Chosen(signals, list(references), [pairs[each] for each in paired], owners)
        filters = _filters(chosen)
        each_block = zip(chosen.blocks(), counted, strict=True)
        windows = [_in_window(chosen, *stems, *filters) for stems, counts in each_block if counts]
        for name, values in zip(found, np.median(windows, axis=0), strict=True):
            found[name] |= dict(zip(paired, values.tolist(), strict=True))
    if len(references) == 1:
        del found["sir"]  # nothing could interfere
    return found


class Chosen(NamedTuple):
    """The stems that take part. owners: for each estimate the place of its reference among `references`"""

    signals: Signals
    references: list[int]
    estimates: list[int]
    owners: list[int]

    def blocks(self) -> Iterator[tuple[Stems, Stems]]:
        for block in self.signals.blocks():
            yield block.references[self.references], block.estimates[self.estimates]


def _filters(chosen: Chosen) -> tuple[Spectra, Spectra]:
    """The spectra of the filters that make projections.

    returns: by own reference, (estimates, from channel, to channel, bins); by all, (bins, estimates' channels,
        references' channels)
    """
    channels, count = chosen.signals.channels, len(chosen.references) * chosen.signals.channels
    correlations = _correlations(chosen)
    matrix = np.empty((count, TAPS, count, TAPS))
    for row in range(count):
        for column in range(count):
            matrix[row, :, column] = scipy.linalg.toeplitz(correlations[column, row], correlations[row, column])
    wanted = np.moveaxis(correlations[count:], 0, 2)
    size = _size(chosen.signals.rate)
    own = []
    for place, owner in enumerate(chosen.owners):
        one, its = (slice(each * channels, (each + 1) * channels) for each in (owner, place))
        own.append(_solved(matrix[one, :, one], wanted[one, :, its]).transpose(0, 2, 1))
    every = _solved(matrix, wanted)
    return np.fft.rfft(np.stack(own), size), np.fft.rfft(every, size, axis=1).transpose(1, 2, 0)


def _size(rate: int) -> int:
    """Room for a window and the filters' ends, as a multiple of 1,024, for such transforms are fast."""
    return -(-(rate + TAPS - 1) // 1024) * 1024


def _correlations(chosen: Chosen) -> Values:
    """Of each channel with each channel of the references that was delayed by 0 to 511 samples.

    returns: (channels of references, then estimates; channels of references; delays)
    """
    count = len(chosen.references) * chosen.signals.channels
    before = np.zeros((count, TAPS - 1))
    total = np.zeros((1, 1, 1), np.complex128)
    for references, estimates in chosen.blocks():
        flat = references.reshape(count, -1)
        delayed = np.concatenate([before, flat], axis=1)
        total = total + _cross_spectra(np.concatenate([flat, estimates.reshape(-1, flat.shape[1])]), delayed)
        before = delayed[:, -(TAPS - 1) :]
    return np.moveaxis(np.fft.irfft(total, FRAME, axis=0)[:TAPS], 0, 2)


def _cross_spectra(sound: Values, delayed: Values) -> Spectra:
    """Added up over frames. `delayed` begins TAPS - 1 samples earlier. returns: (bins, channels, delayed channels)"""
    step = FRAME - TAPS + 1
    frames = -(-sound.shape[1] // step)
    filled = ((0, 0), (0, frames * step - sound.shape[1]))
    cut = np.pad(sound, filled).reshape(len(sound), frames, step)
    spectra = np.fft.rfft(np.pad(cut, ((0, 0), (0, 0), (TAPS - 1, 0))))
    others = np.fft.rfft(sliding_window_view(np.pad(delayed, filled), FRAME, axis=1)[:, ::step])
    return np.asarray(spectra.transpose(2, 0, 1) @ others.conj().transpose(2, 1, 0))


def _solved(matrix: Values, wanted: Values) -> Values:
    """Least squares, also where equations say the same twice, as for a stereo stem of two equal channels.

    matrix: (channels, taps, channels, taps); wanted: (channels, taps, outputs); returns: as wanted
    """
    size = wanted.shape[0] * TAPS
    square, right = matrix.reshape(size, size), wanted.reshape(size, -1)
    factor = square.copy()
    factor[np.diag_indices(size)] += RIDGE * np.trace(square) / size
    # Transposed it is the same, and in the order that LAPACK can overwrite.
    solver = scipy.linalg.cho_factor(factor.T, lower=True, overwrite_a=True, check_finite=False)
    found = scipy.linalg.cho_solve(solver, right, check_finite=False)
    for _ in range(REFINEMENTS):  # takes away what the ridge did
        found += scipy.linalg.cho_solve(solver, right - square @ found, check_finite=False)
    return np.asarray(found.reshape(wanted.shape))


def _in_window(chosen: Chosen, references: Stems, estimates: Stems, own: Spectra, every: Spectra) -> Values:
    """returns: ISR, SIR and SAR of each estimate, (3, estimates), dB"""
    size = _size(chosen.signals.rate)
    true, found = np.fft.rfft(references, size), np.fft.rfft(estimates, size)
    target = true[chosen.owners]
    alone = np.einsum("eabf,eaf->ebf", own, target)
    flat = true.reshape(-1, true.shape[2]).T
    projected = (every @ flat[:, :, None])[:, :, 0].T.reshape(found.shape)
    rests = (alone - target, projected - alone, found - projected)
    parts = zip((target, alone, projected), rests, UNDEFINED.values(), strict=True)
    return np.stack([decibels(_energy(one, size), _energy(rest, size), silent) for one, rest, silent in parts])


def _energy(spectra: Spectra, size: int) -> Values:
    """Of each stem's sound, times `size`. spectra: (stems, channels, bins)"""
    power = np.square(np.abs(spectra)).sum(axis=1)
    once = power[:, 0] + (power[:, -1] if size % 2 == 0 else 0.0)
    return np.asarray(2 * power.sum(axis=1) - once)
