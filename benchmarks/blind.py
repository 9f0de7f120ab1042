"""Other ways to take a mixture apart: blind ones, and bounds that know the truth.

Peers hear frames of 2,048 samples. NMF: 40 components, Kullback-Leibler divergence, mean of three seeds; clustered by
k-means on cepstra of the components (Spiertz and Gnann 2009, "Source-filter based clustering for monaural blind source
separation"; in nussl it is NMF_MFCC), the number given, with soft masks; or each put where most of its energy belongs.
HPSS: medians over 31 frames and bins (Fitzgerald 2010, "Harmonic/percussive separation using median filtering"), two
stems for any number of instruments. The ideal ratio mask knows the magnitudes of the stems.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import median_filter
from scipy.signal import istft, stft
from sklearn.cluster import KMeans
from sklearn.decomposition import NMF

from clefkit import audio
from clefkit.render import mel

FRAME = 2048
COMPONENTS: Any = 40  # of some numbers pyright thinks that scikit-learn wants strings, as their defaults are
RESTARTS: Any = 10
STEPS, SEEDS = 200, 3
BANDS, CEPSTRA = 40, slice(1, 14)  # without the first, the level
DEEPEST = 1e-4  # of a component's loudest band
MEDIAN = 31
TINY = np.float32(1e-9)

Array = NDArray[np.float32]


class Mixture(NamedTuple):
    """A row of the set. stems: of the instruments, which add up to it; reference: its notes; room: or "" """

    path: Path
    stems: list[Path]
    reference: Path
    source: str
    room: str

    @property
    def number(self) -> int:
        return len(self.stems)


Method = Callable[[Mixture], Iterator[list[Array]]]  # several answers, when chance is in it


def spectra(*paths: Path) -> NDArray[np.complex64]:
    """(files, bins, frames), of mono files"""
    sounds = np.concatenate([audio.read(path).samples for path in paths])
    return np.asarray(stft(sounds, nperseg=FRAME, noverlap=FRAME * 3 // 4)[2], np.complex64)


def filtered(mixture: Mixture, masks: Array) -> list[Array]:
    """masks: (stems, bins, frames); returns: (1, samples) of each stem, as long as the frames"""
    found = istft(spectra(mixture.path) * masks, nperseg=FRAME, noverlap=FRAME * 3 // 4)[1]
    return list(np.asarray(found, np.float32)[:, None])


@functools.cache
def factors(path: Path, seed: int) -> tuple[Array, Array]:
    """Templates, (bins, components), and how loud they are, (components, frames)."""
    divergence = "kullback-leibler"
    model = NMF(COMPONENTS, init="random", solver="mu", beta_loss=divergence, max_iter=STEPS, tol=0, random_state=seed)
    templates = model.fit_transform(np.abs(spectra(path)[0]))
    return np.asarray(templates, np.float32), np.asarray(model.components_, np.float32)


def of_components(mixture: Mixture, seed: int, labels: NDArray[np.int64]) -> list[Array]:
    """Stems when it is known whose each component is. labels: (components,)"""
    templates, gains = factors(mixture.path, seed)
    masks = np.stack([templates[:, labels == each] @ gains[labels == each] for each in range(mixture.number)])
    return filtered(mixture, (masks / (templates @ gains + TINY)).astype(np.float32))


def by_cepstra(mixture: Mixture) -> Iterator[list[Array]]:
    filters = mel.filters(mel.Settings(audio.shape(mixture.path).rate, FRAME, FRAME // 4, BANDS, 30.0, 16_000.0))
    for seed in range(SEEDS):
        bands = factors(mixture.path, seed)[0].T @ filters
        levels = 20 * np.log10(np.maximum(bands / (bands.max(axis=1, keepdims=True) + TINY), DEEPEST))
        cepstra = np.asarray(fft.dct(levels, axis=1, norm="ortho"))[:, CEPSTRA]
        labels = KMeans(mixture.number, n_init=RESTARTS, random_state=seed).fit_predict(cepstra)
        yield of_components(mixture, seed, np.asarray(labels, np.int64))


def by_oracle(mixture: Mixture) -> Iterator[list[Array]]:
    """Each component goes to the instrument of whose energy its mask takes most."""
    true = np.square(np.abs(spectra(*mixture.stems)))
    for seed in range(SEEDS):
        templates, gains = factors(mixture.path, seed)
        taken = np.sum(templates.T @ (true / (templates @ gains + TINY)) * gains, axis=2)
        yield of_components(mixture, seed, taken.argmax(axis=0))


def ideal(mixture: Mixture) -> Iterator[list[Array]]:
    true = np.abs(spectra(*mixture.stems))
    yield filtered(mixture, true / (true.sum(axis=0) + TINY))


def harmonic_and_percussive(mixture: Mixture) -> Iterator[list[Array]]:
    whole = np.abs(spectra(mixture.path)[0])
    along, across = (np.square(median_filter(whole, size)) for size in ((1, MEDIAN), (MEDIAN, 1)))
    harmonic = along / (along + across + TINY**2)
    yield filtered(mixture, np.stack([harmonic, 1 - harmonic]))
