"""What tests of training share: a font and single notes that are in tune, sets that are made in seconds, measures."""

from __future__ import annotations

import csv
import functools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import soundfile
import tiny_font
from numpy.typing import NDArray

from clefkit import features
from clefkit.train import data, shards

Array = NDArray[np.float32]

RATE = features.RATE
MIDDLE_C_HZ = 440 * 2 ** (-9 / 12)
COLUMNS = ["file", "instrument", "family", "held", "midi_pitch", "split", "source", "commit", "attribution", "licence"]
SHORT_S = 8.0
FEW = 2


def general_midi(path: Path, *more: tiny_font.Preset, **instead: tiny_font.Preset) -> Path:
    """A font with the programs of General MIDI, in tune, each another recording: a sine of which some periods loop.

    more: presets beside them; instead: for program 57 give p57
    """
    presets = [tiny_font.Preset(sine(program), program=program, looped=True) for program in range(128)]
    presets = [instead.get(f"p{each.program}", each) for each in presets]
    return tiny_font.font(path, *presets, tiny_font.Preset(sine(1), bank=128, name="Standard"), *more)


def sine(number: int) -> NDArray[np.int16]:
    """Middle C at 44,100 Hz, 6 periods and `number` more."""
    periods = 6 + number
    length = round(periods * tiny_font.RATE / MIDDLE_C_HZ)
    return np.asarray(20_000 * np.sin(2 * np.pi * periods / length * np.arange(length)), np.int16)


def tone(pitch: float, seconds: float, attack_s: float = 0.003) -> Array:
    """A sine that rises in a straight line, then stays, at 22,050 Hz; the height is 1/2."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave = np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time) * np.clip(time / attack_s, 0, 1)
    return np.asarray(0.5 * wave, dtype=np.float32)


def single_notes(folder: Path, *rows: tuple[str, bool, float, Array]) -> Path:
    """A folder of recordings, as `gather` makes it. rows: instrument, if it can sustain, pitch (0: none), sound

    Instruments named speech_... are people who talk.
    """
    table = []
    for number, (instrument, held, pitch, sound) in enumerate(rows):
        file = folder / instrument / f"{number}.flac"
        file.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(file, sound, RATE, subtype="PCM_24")
        name = file.relative_to(folder).as_posix()
        family = "speech" if instrument.startswith("speech_") else ""
        table.append([name, instrument, family, int(held), pitch or "", "train", "a/b", "0" * 40, "somebody", "CC0"])
    with (folder / "index.csv").open("w", newline="", encoding="utf-8") as index:
        csv.writer(index).writerows([COLUMNS, *table])
    return folder


def rises(sound: Array, onset_s: float, part: float = 0.1) -> float:
    """When the level near an onset reaches a part of the way from what it was to the highest 150 ms after; seconds."""
    level = np.sqrt(np.convolve(sound.astype(np.float64) ** 2, np.ones(110) / 110, "same"))
    first, at = max(0, round((onset_s - 0.1) * RATE)), round(onset_s * RATE)
    before, highest = np.median(level[first : first + RATE // 20]), level[at : at + round(0.15 * RATE)].max()
    return float((first + np.argmax(level[first:] > before + part * (highest - before))) / RATE)


def sounding_pitch(sound: Array, near: float) -> float:
    """The MIDI pitch of the strongest partial within 1.5 semitones of a pitch."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 2**17))
    first, last = (int(440 * 2 ** ((near + edge - 69) / 12) / RATE * 2**17) for edge in (-1.5, 1.5))
    return float(69 + 12 * np.log2((first + spectrum[first:last].argmax()) * RATE / 2**17 / 440))


def small_sources(folder: Path) -> data.Sources:
    """A font of General MIDI, a real instrument and a tap; no scores."""
    horn = [("horn", True, pitch, tone(pitch, 1.5, 0.05)) for pitch in np.arange(43, 90, 6.0).tolist()]
    tap = ("tap", False, 0, tone(40, 0.2) * np.linspace(1, 0, round(0.2 * RATE), dtype=np.float32) ** 4)
    return data.Sources(None, (general_midi(folder / "general.sf2"),), single_notes(folder / "samples", *horn, tap))


def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two clips of a second a step; the state is kept every six."""
    from clefkit.train import notes

    for name, value in {"CLIP_FRAMES": 40, "CLIPS": 2, "SAVE_EVERY": 6, "NEW_SHARDS_EVERY": 6, "WARM_UP": 3}.items():
        monkeypatch.setattr(notes, name, value)


def at_once(monkeypatch: pytest.MonkeyPatch, every: int) -> None:
    """Trainings of `separate` draw in this process; every few steps they tell and keep what they have."""
    from clefkit.train import ahead
    from clefkit.train.separate import loop

    for name, value in {"EVERY": every, "SAVE_EVERY": every, "WARM_UP": 3}.items():
        monkeypatch.setattr(loop, name, value)
    monkeypatch.setattr(ahead, "drawn", _drawn_here)


def _drawn_here(
    draw: Callable[[int], Sequence[Any]], steps: range, together: int, _: int, prepare: Callable[..., None], given: Any
) -> Iterator[Any]:
    """What `ahead.drawn` does, without another process."""
    prepare(*given)
    for number in range(steps.start // together, -(-steps.stop // together)):
        first = number * together
        yield from (batch for step, batch in enumerate(draw(number), first) if step in steps)


def kept_weights(folder: Path, network: str) -> dict[str, Any]:
    """The tensors of one network in the weights of a checkpoint."""
    from safetensors.torch import load_file

    kept = load_file(folder / "weights.safetensors")
    return {key.removeprefix(f"{network}."): each for key, each in kept.items() if key.startswith(f"{network}.")}


def shorten() -> None:
    """Sets of few and short recordings, in this process."""
    data.RECORDING_S, data.PER_SHARD = SHORT_S, FEW


class Here:
    """A pool of no processes: what `ProcessPoolExecutor` does, at once."""

    def __init__(self, *_: Any) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(function(*arguments))
        return done


def short_sets(monkeypatch: pytest.MonkeyPatch, *, processes: bool = False) -> None:
    """`data.build` makes sets of few and short recordings; in this process, or in as many as it is told."""
    monkeypatch.setattr(data, "RECORDING_S", SHORT_S)
    monkeypatch.setattr(data, "PER_SHARD", FEW)
    pool: Any = functools.partial(ProcessPoolExecutor, initializer=shorten) if processes else Here
    monkeypatch.setattr(shards, "ProcessPoolExecutor", pool)
