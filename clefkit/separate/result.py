"""What a separation of one file found, and its sounds: made when the first of them is wanted, or to be named."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from clefkit import audio, labels, wavefile
from clefkit.audio import Samples, Shape
from clefkit.errors import InputError
from clefkit.notes import Notes, alone
from clefkit.record import Source
from clefkit.registry import Asset
from clefkit.separate import whose
from clefkit.spool import Spool
from clefkit.tag import hearing
from clefkit.tag import infer as tags
from clefkit.transcribe.names import of_stems

How = Callable[[Path, Shape], list[Spool]]

BLOCK = 1 << 16
REST = ""


class Stem(NamedTuple):
    """number: of its sound, from 0; name: of its file, "1-violin"; kind: that without numbers; notes: that it plays

    facts: for its record
    """

    number: int
    name: str
    kind: str
    facts: dict[str, Any]
    notes: Notes | None = None


@dataclass(frozen=True)
class Result:
    """stems: those that were wanted; facts: for the records of all of them; how: takes the file apart

    how(path, shape) gives the sound of every stem, wanted or not
    """

    path: Path
    stems: list[Stem]
    facts: dict[str, Any]
    how: How

    @property
    def names(self) -> list[str]:
        return [stem.name for stem in self.stems]

    @functools.cached_property
    def _sounds(self) -> tuple[Shape, dict[str, Spool]]:
        with audio.native(self.path) as path:  # it is read several times
            shape = audio.shape(path)
            found = self.how(path, shape)
            wanted = {stem.name: found[stem.number] for stem in self.stems}
            wanted[REST] = _left(blocks(path, shape), shape, list(wanted.values()))
            return shape, wanted

    def shape(self) -> Shape:
        return self._sounds[0]

    def pieces(self, name: str) -> Iterator[Samples]:
        """The sound of a stem, or of the rest, REST: (channels, samples) each."""
        sound = self._sounds[1][name]
        for first in range(0, sound.rows, BLOCK):
            yield np.ascontiguousarray(sound.read(first, first + BLOCK).T)

    def write(self, name: str, kind: str, path: Path) -> None:
        bits = wavefile.FLOAT_BITS if kind == "wav" else 24
        audio.write_pieces(path, self.pieces(name), self.shape(), kind, bits)


def blocks(path: Path, shape: Shape) -> Iterator[Samples]:
    """A file at its own rate."""
    return audio.chunks(path, shape.rate, shape.channels, BLOCK)


def _left(mixture: Iterable[Samples], shape: Shape, stems: list[Spool]) -> Spool:
    """What is in none of the stems: with it, they add up to the mixture."""
    rest = Spool((shape.channels,), np.float32)
    for block in mixture:
        end = rest.rows + block.shape[1]
        taken = sum((stem.read(rest.rows, end) for stem in stems), np.zeros_like(block.T))
        rest.push(block.T - taken)
    return rest


def of(
    source: Source,
    *,
    mode: str,
    keep: list[str],
    network: Asset | None = None,
    checkpoint: Asset | None = None,
    thresholds: dict[str, float] | None = None,
    timbre: Asset | None = None,
    tagger: Asset | None = None,
    instruments: int | None = None,
    notes: Asset | str | None = None,
) -> Result:
    """Find out what there is to take apart. The options are those that `settings.options` makes.

    raises: InputError when the file is no sound, its notes can't be read, or no stem has a name that is to be kept
    """
    facts: dict[str, Any] = {"mode": mode}
    for name, asset in (("checkpoint", checkpoint), ("timbre", timbre), ("tagger", tagger), ("masks", network)):
        if asset is not None:
            facts[name] = {"name": asset.name, "sha256": asset.sha256}
    if mode == "harmonic-percussive":
        from clefkit.separate import percussive

        return _by_class(source, percussive.NAMES, keep, facts, percussive.split)
    if mode == "classes":
        from clefkit.separate import classes

        assert network is not None
        loaded = classes.load(network.path)
        return _by_class(source, loaded.names, keep, facts, functools.partial(classes.split, network=loaded))
    assert checkpoint is not None
    assert thresholds is not None
    wanted = whose.Settings(checkpoint.path, thresholds, instruments, timbre.path if timbre else None)
    found = _notes(source, notes, wanted)
    played, how = found.notes, _by_timbre(found, network)
    if tagger is not None and len(played) and not found.known:
        played, how = _named(source.path, played, how, tagger)
    stems = _stems(played)
    return _kept(source, stems, keep, facts | {"instruments": len(stems)}, how)


def _notes(source: Source, notes: Asset | str | None, wanted: whose.Settings) -> whose.Parted:
    if notes is None:
        return whose.heard(source.path, wanted)
    score = notes.path if isinstance(notes, Asset) else source.reference
    if score is None:
        raise InputError("its record names no reference: give --notes FILE")
    return whose.given(source.path, score, wanted)


def _by_class(
    source: Source, names: Sequence[str], keep: list[str], facts: dict[str, Any], split: Callable[..., dict[str, Spool]]
) -> Result:
    """Stems that are always the same. split: given blocks and shape, the sound of each of `names`"""
    stems: list[Stem] = []
    for number, name in enumerate(names):
        kind = labels.plain(name)
        stems.append(Stem(number, f"{number + 1}-{kind}", kind, {"stem": {"name": name, "number": number + 1}}))

    def how(path: Path, shape: Shape) -> list[Spool]:
        found = split(lambda: blocks(path, shape), shape)
        return [found[name] for name in names]

    return _kept(source, stems, keep, facts, how)


def _stems(found: Notes) -> list[Stem]:
    """A stem for each part that plays; names are told apart by number."""
    stems: list[Stem] = []
    for number, part in enumerate(found.parts):
        if (found.part == number).any():
            name = labels.label(number + 1, part)
            kind = re.sub(r"-\d+$", "", name.partition("-")[2])
            stems.append(Stem(number, name, kind, whose.facts(found, number), alone(found, number)))
    return stems


def _by_timbre(found: whose.Parted, network: Asset | None) -> How:
    def how(path: Path, shape: Shape) -> list[Spool]:
        from clefkit.separate import masks, stems

        session = None if network is None else masks.load(network.path)
        return stems.split(blocks(path, shape), shape, whose.played(found), session)

    return how


def _named(path: Path, played: Notes, how: How, tagger: Asset) -> tuple[Notes, How]:
    """The same notes and sounds, once made; parts are called what is heard in their sounds."""
    with audio.native(path) as native:
        shape = audio.shape(native)
        sounds = how(native, shape)
    model = tags.load(tagger.path)
    return of_stems(played, [tags.listen(_mono(sound, shape.rate), model) for sound in sounds]), lambda *_: sounds


def _mono(sound: Spool, rate: int) -> Iterator[Samples]:
    """(samples,) each, at the rate at which `tag` hears."""
    for block in audio.resampled((rows.mean(axis=1)[None] for rows in sound.pieces()), rate, hearing.RATE):
        yield block[0]


def _kept(source: Source, stems: list[Stem], keep: list[str], facts: dict[str, Any], how: How) -> Result:
    """With the stems alone whose names are to be kept, if there are any."""
    wanted = [stem for stem in stems if not keep or {stem.kind, stem.name} & set(keep)]
    if keep and not wanted:
        there = ", ".join(stem.kind for stem in stems) or "none"
        raise InputError(f"no stem is called {' or '.join(keep)}: there are {there}")
    return Result(source.path, wanted, facts, how)
