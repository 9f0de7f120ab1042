"""Scores into sound, with references that say to the sample what was played.

`performance(path)` reads any score or MIDI file and plays it, `sound(performance, soundfont)` makes it sound.
`products` is the stage: beside `x.wav` it writes `x.ref.jsonl`, exact, and `x.ref.mid`, for people.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clefkit import audio, labels, notes, record
from clefkit.audio import Audio
from clefkit.notes import Notes, Performance
from clefkit.record import Product
from clefkit.registry import Asset
from clefkit.render import sides, stems, synth
from clefkit.render import take as takes
from clefkit.render.take import Instruments, Sound, Take
from clefkit.render.timbre import Timbre

if TYPE_CHECKING:
    from numpy.random import Generator


def performance(
    path: Path,
    *,
    repeats: bool = True,
    human: float | None = None,
    generator: Generator | None = None,
    weights: Mapping[str, float] | None = None,
) -> Performance:
    """A score or MIDI file as it is played.

    repeats: play what a score repeats
    human: 0 is exact, up to 1 more and more as a human plays; None is .5 for scores and 0 for MIDI
    generator: the player's chance; without one it is always the same
    weights: of single rules of `clefkit.render.human`, by name
    raises: InputError when it is of another kind, damaged, past a limit or without notes
    """
    chance = generator if generator is not None else np.random.default_rng(0)
    source = takes.ScoreFile(path)
    return takes.performance(source, source.humanity(human), chance, repeats=repeats, weights=weights)


def sound(played: Performance, timbres: Sequence[Timbre | None] | Path, rate: int = 44_100) -> tuple[Audio, Notes]:
    """The sound, (2, samples), true peak at -1 dB, and its notes, exact to the sample.

    timbres: one for each part, or a soundfont whose General MIDI presets play
    raises: as `synth.render` does
    """
    rendering = synth.render(played, timbres, rate)
    rendering.audio.samples[...] *= 10 ** (takes.gain_db(rendering) / 20)
    return rendering.audio, rendering.notes


def products(
    source: record.Source,
    rng: Generator,
    *,
    timbre: str,
    fonts: list[Asset],
    rate: int = 44_100,
    kind: str = "wav",
    stems: bool = False,
    repeats: str = "full",
    human: float | None = None,
    rules: dict[str, float] | None = None,
    variants: int = 1,
    also: Sequence[str] = (),
    lufs: float | None = None,
) -> Iterator[Product]:
    """What `clefkit render` makes of one score: the reference and the sound, and with `stems` both of each part too.

    timbre: "fixed", "random", or "BANK:PROGRAM" of the first font
    kind: "wav" or "flac"; repeats: "full" or "none"; also: names of `sides.MAKERS`
    variants: how many times it is played; more than one are called v1, v2, ...
    """
    score = takes.ScoreFile(source.path)
    instruments = _instruments(timbre, fonts)
    chances = np.random.SeedSequence(rng.integers(2**32, size=4).tolist()).spawn(variants)

    # Only the variant that is being written is in memory.
    @functools.lru_cache(maxsize=1)
    def sounded(number: int) -> Sound:
        return take(number).sound()

    @functools.lru_cache(maxsize=1)
    def take(number: int) -> Take:
        return Take(
            score,
            instruments,
            np.random.default_rng(chances[number]),
            rate,
            stems,
            repeats == "full",
            human,
            rules,
            lufs,
        )

    for number in range(variants):
        prefix = f"v{number + 1}." if variants > 1 else ""
        yield from _group(functools.partial(sounded, number), prefix, kind, None, also)
        if stems:
            yield from _stems(take(number), functools.partial(sounded, number), prefix, kind)


def _instruments(timbre: str, fonts: list[Asset]) -> Instruments:
    if timbre in ("fixed", "random"):
        return Instruments(timbre, fonts)
    bank, program = map(int, timbre.split(":"))
    return Instruments("preset", fonts, bank, program)


def _stems(take: Take, sounded: Callable[[], Sound], prefix: str, kind: str) -> Iterator[Product]:
    parts = take.performance.notes.parts
    for number, part in enumerate(stems.played(take.performance), start=1):
        yield from _group(sounded, f"{prefix}{labels.label(number, parts[part])}.", kind, part, ())


def _group(
    sounded: Callable[[], Sound], prefix: str, kind: str, part: int | None, also: Sequence[str]
) -> Iterator[Product]:
    """Reference, side files and sound of one part, or of all (None)."""
    facts: dict[str, Any] = {"reference": f"{prefix}ref.jsonl", "clock": {"offset_s": 0.0, "rate": 1.0}}

    def write_jsonl(path: Path) -> None:
        found = sounded().rendering.audio
        notes.write_jsonl(path, sounded().notes(part), found.rate, found.samples.shape[1])

    def write_midi(path: Path) -> None:
        notes.write_midi(path, sounded().notes(part))

    def write_side(name: str, path: Path) -> None:
        facts.update(sides.MAKERS[name].write(sounded(), path))

    def write_sound(path: Path) -> None:
        facts.update(sounded().facts(part))
        audio.write(path, sounded().audio(part), kind)

    yield Product(f"{prefix}ref.jsonl", write_jsonl, {}, printed=False)
    yield Product(f"{prefix}ref.mid", write_midi, {}, printed=False)
    for name in also:
        yield Product(f"{prefix}{sides.MAKERS[name].suffix}", functools.partial(write_side, name), {}, printed=False)
    yield Product(f"{prefix}{kind}", write_sound, facts)
