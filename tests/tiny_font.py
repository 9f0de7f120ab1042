"""Soundfonts in which every right answer is known: a click, a tone, half a keyboard."""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

RATE = 44_100
CLICK_AT = 8  # frames of silence before the click in its sample
TONE_HZ = 441.0


class Preset(NamedTuple):
    """A sample of a tiny soundfont, under a bank and program, for a range of keys."""

    sample: NDArray[np.int16]
    bank: int = 0
    program: int = 0
    keys: tuple[int, int] = (0, 127)
    looped: bool = False
    tuned: bool = True
    name: str = "tiny"
    attack: int = -12_000
    attack_when_soft: int = 0


def click() -> NDArray[np.int16]:
    sample = np.zeros(400, np.int16)
    sample[CLICK_AT : CLICK_AT + 3] = 30_000, -20_000, 10_000
    return sample


def tone() -> NDArray[np.int16]:
    """A sine of 441 Hz, 100 whole periods at 44,100 Hz."""
    return np.asarray(20_000 * np.sin(2 * np.pi * TONE_HZ / RATE * np.arange(10_000)), np.int16)


def font(path: Path, *presets: Preset, rate: int = RATE) -> Path:
    """Writes a SoundFont 2.01 file, or one with compressed samples if the path ends in .sf3."""
    packed = path.suffix == ".sf3"
    samples, places = b"", []
    for preset in presets:
        length = len(preset.sample)
        if packed:
            places.append((len(samples), len(samples := samples + _ogg(preset.sample, rate)), 0, length))
        else:
            start = len(samples) // 2
            places.append((start, start + length, start, start + length))
            samples += preset.sample.astype("<i2").tobytes() + bytes(2 * 46)
    order = range(len(presets))
    heads = [(presets[n].name, presets[n].program, presets[n].bank, n) for n in order] + [("EOP", 0, 0, len(presets))]
    phdr = b"".join(struct.pack("<20sHHHIII", name.encode(), *numbers, 0, 0, 0) for name, *numbers in heads)
    inst = b"".join(struct.pack("<20sH", b"i", n) for n in [*order, len(presets)])
    generators = [_generators(preset, n) for n, preset in enumerate(presets)]
    starts = np.cumsum([0, *map(len, generators)]).tolist()
    igen = b"".join(struct.pack("<HH", *pair) for pairs in generators for pair in pairs)
    shdr = b"".join(struct.pack("<20sIIIIIBbHH", b"s", *place, rate, 60, 0, 0, 17 if packed else 1) for place in places)
    parts = {
        "phdr": phdr,
        "pbag": b"".join(struct.pack("<HH", n, 0) for n in [*order, len(presets)]),
        "pmod": bytes(10),
        "pgen": b"".join(struct.pack("<HH", 41, n) for n in order) + bytes(4),
        "inst": inst,
        "ibag": b"".join(struct.pack("<HH", start, n) for n, start in enumerate(starts)),
        # From velocity, 1 to 0, linear, to the attack.
        "imod": b"".join(struct.pack("<HHhHH", 0x102, 34, each.attack_when_soft, 0, 0) for each in presets) + bytes(10),
        "igen": igen + bytes(4),
        "shdr": shdr + struct.pack("<20sIIIIIBbHH", b"EOS", *[0] * 9),
    }
    info = (
        _chunk(b"ifil", struct.pack("<HH", 2 + packed, 1))
        + _chunk(b"isng", b"EMU8000\0")
        + _chunk(b"INAM", b"tiny\0\0")
    )
    data = b"".join(_chunk(name.encode(), body) for name, body in parts.items())
    lists = [b"INFO" + info, b"sdta" + _chunk(b"smpl", samples), b"pdta" + data]
    path.write_bytes(_chunk(b"RIFF", b"sfbk" + b"".join(_chunk(b"LIST", each) for each in lists)))
    return path


def _generators(preset: Preset, sample: int) -> list[tuple[int, int]]:
    pairs = [(43, preset.keys[0] | preset.keys[1] << 8), (54, int(preset.looped)), (56, 100 if preset.tuned else 0)]
    return [*pairs, (34, preset.attack & 0xFFFF), (53, sample)]


def _ogg(sample: NDArray[np.int16], rate: int) -> bytes:
    stream = io.BytesIO()
    soundfile.write(stream, sample, rate, format="OGG", subtype="VORBIS")
    return stream.getvalue()


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body
