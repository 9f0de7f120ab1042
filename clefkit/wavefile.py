"""WAV files, written as sound arrives: 16 bits, or 32-bit floating point numbers, which nothing clips or rounds."""

from __future__ import annotations

import struct
import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clefkit.errors import InputError

Samples = NDArray[np.float32]

FLOAT_BITS = 32
LARGEST = 2**32 - 256  # bytes of samples
FLOATS = 3  # how a header calls them


def write(path: Path, pieces: Iterable[Samples], shape: tuple[int, int, int], bits: int) -> None:
    """pieces: (channels, samples) each, float32; shape: channels, samples of all pieces, rate; bits: 16 or 32

    raises: InputError when it is longer than a WAV file can be
    """
    channels, length, rate = shape
    if channels * length * bits // 8 > LARGEST:
        raise InputError("this is longer than a WAV file can be: write FLAC")
    if bits == FLOAT_BITS:
        with path.open("wb") as file:
            file.write(_header(channels, length, rate))
            for piece in pieces:
                file.write(np.ascontiguousarray(piece.T, "<f4").data)
        return
    with wave.open(str(path), "wb") as out:
        out.setparams((channels, 2, rate, length, "NONE", ""))
        for piece in pieces:
            out.writeframesraw(_sixteen_bits(piece))


def _header(channels: int, length: int, rate: int) -> bytes:
    """What comes before samples that are floating point numbers."""
    frame = FLOAT_BITS // 8 * channels
    form = struct.pack("<4sIHHIIHHH", b"fmt ", 18, FLOATS, channels, rate, rate * frame, frame, FLOAT_BITS, 0)
    head = form + struct.pack("<4sII4sI", b"fact", 4, length, b"data", frame * length)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(head) + frame * length, b"WAVE") + head


def _sixteen_bits(samples: Samples) -> bytes:
    """What a WAV file holds, as libsndfile makes it at four times the cost: of 32 rounded bits the upper 16."""
    scaled = samples * np.float32(2**31)
    np.clip(scaled, -(2.0**31), np.float32(2**31 - 128), out=scaled)  # 128 less is the next float32
    upper: NDArray[np.int16] = np.rint(scaled, out=scaled).astype("<i4").view("<i2")[:, 1::2]
    return np.stack(list(upper), axis=1).tobytes()  # three times as fast as copying it transposed
