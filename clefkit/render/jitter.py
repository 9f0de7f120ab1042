"""What no player controls: a slow drift with 1/f noise, and the small white noise of his muscles.

After Gilden, Thornton, Mallon 1995, "1/f noise in human cognition": the clock drifts with power 1/f, the hand adds
white noise.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from clefkit.render.line import Array


def pink(count: int, generator: Generator) -> Array:
    """(count,), noise with power 1/f, mean 0 and standard deviation 1 (for many)."""
    size = 1 << max(count - 1, 1).bit_length()
    spectrum = generator.standard_normal(size // 2 + 1) + 1j * generator.standard_normal(size // 2 + 1)
    frequency = np.arange(size // 2 + 1)
    spectrum[1:] /= np.sqrt(frequency[1:])
    spectrum[0] = 0.0
    spread = np.sqrt(4.0 * np.sum(1.0 / frequency[1:])) / size
    return np.asarray(np.fft.irfft(spectrum, size)[:count] / spread)
