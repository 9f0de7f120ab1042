"""Which preset of which soundfont plays a part, and how it is varied: other instruments of the same kind.

Several fonts hold the same recordings, so a preset is drawn in three steps: recordings first, then one of the sets of
samples made of them (in stereo, in mono, filtered, with fewer layers), then one of the presets that use it. Five copies
of one violin count as one violin.

What varies within a preset keeps the note where its label says: an attack changes by 3 ms at most, and the time when
its sound comes within 10 dB of its loudest by less than 5 ms in 99 of 100 notes (`benchmarks/timbre.py`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from clefkit.render import classes, sf2
from clefkit.render.sf2 import Preset

if TYPE_CHECKING:
    from numpy.random import Generator

    from clefkit.notes import Notes, Part

T = TypeVar("T")

# What is drawn, evenly. Cents; timecents (1,200 double); an exponent of velocity, in logarithms; a share.
CUTOFF = (-1200, 300)
RELEASE = (-600, 600)
ATTACK = 600
LOUDNESS = math.log(1.3)
WIDTH = (0.4, 1.0)
ATTACK_MOVED_S = 0.003
# All parts of a piece are tuned together, and each a little on its own: 10 cents in all.
TUNING, OWN_TUNING = 6, 4
ALIKE = 0.5  # the share of common recordings from which on two presets are of one origin
KEYBOARDS = 24  # programs below are often two parts, one for each hand, of one instrument


class Timbre(NamedTuple):
    """One preset of one font, and changes that keep the instrument what it is.

    bank: MIDI bank, 128 for drum kits; program: 0 to 127
    cutoff_cents: moves the low-pass filter; attack_timecents, release_timecents: stretch the envelope (1,200 double it)
    detune_cents: moves the pitch; velocity_exponent: loudness follows 127 * (velocity / 127) ** exponent
    width: of the stereo image, 0 is mono, 1 as the font has it
    """

    font: Path
    bank: int
    program: int
    cutoff_cents: float = 0.0
    attack_timecents: float = 0.0
    release_timecents: float = 0.0
    detune_cents: float = 0.0
    velocity_exponent: float = 1.0
    width: float = 1.0


class Candidate(NamedTuple):
    """A preset that may be drawn, and its font."""

    font: Path
    preset: Preset


def choose(notes: Notes, fonts: Sequence[Path], generator: Generator) -> list[Timbre | None]:
    """A preset and a variation for each part, drawn from all fonts, always of the kind that the part's program says.

    Parts of one kind get different presets while there are any, but keyboards: their parts are the hands of one.
    Presets that have no sound for a part's pitches are drawn only when there is none that has. Where no font has the
    kind, a part gets what `fallback` says; drums without any kit get None.
    raises: InputError when a font can't be read
    """
    tuning = float(generator.uniform(-TUNING, TUNING))
    used: Counter[frozenset[sf2.Sample]] = Counter()
    hands: dict[str, Timbre] = {}
    timbres: list[Timbre | None] = []
    for index, part in enumerate(notes.parts):
        # Its own chance: what one part draws doesn't depend on how many presets there are for another.
        chance = generator.spawn(1)[0]
        kind = classes.kind(part.program, drums=part.drums)
        if kind in hands:
            timbres.append(hands[kind])
            continue
        pitches = notes.pitch[notes.part == index]
        drawn = _drawn(candidates(part, fonts), _keys(pitches.tolist()), used, chance) or fallback(part, fonts)
        timbres.append(None if drawn is None else varied(drawn, tuning, chance))
        if drawn is not None:
            used[drawn.preset.samples] += 1
        if part.program < KEYBOARDS and not part.drums and timbres[-1] is not None:
            hands[kind] = timbres[-1]
    return timbres


def fixed(parts: Sequence[Part], font: Path) -> tuple[list[Timbre | None], tuple[int, ...]]:
    """The General MIDI presets of one font for the parts, and the parts that have to play on another one.

    raises: InputError when the font can't be read
    """
    timbres: list[Timbre | None] = []
    substituted = []
    for index, part in enumerate(parts):
        found = fallback(part, [font])
        timbres.append(None if found is None else Timbre(font, found.preset.bank, found.preset.program))
        wanted = (sf2.DRUM_BANK if part.drums else 0, part.program)
        if found is not None and (found.preset.bank, found.preset.program) != wanted:
            substituted.append(index)
    return timbres, tuple(substituted)


def candidates(part: Part, fonts: Sequence[Path]) -> list[Candidate]:
    """Every preset of the fonts that may play a part: those of its kind. Raises InputError when one can't be read."""
    return [
        Candidate(font, preset)
        for font in fonts
        for preset in classes.members(sf2.presets(font), part.program, drums=part.drums)
    ]


def fallback(part: Part, fonts: Sequence[Path]) -> Candidate | None:
    """Who plays a part for which no font has its kind: the first font's preset of that program, its piano, or any.

    Drums get the first kit, or nobody (None).
    """
    every = [Candidate(font, preset) for font in fonts for preset in sf2.presets(font)]
    there = [one for one in every if (one.preset.bank == sf2.DRUM_BANK) == part.drums]
    plain = [one for one in there if one.preset.bank in (0, sf2.DRUM_BANK)]
    wanted = [one for program in (part.program, 0) for one in plain if one.preset.program == program]
    return next((one for one in wanted + there if one.preset.sounds), None)


def covers(timbre: Timbre, pitches: Sequence[float]) -> bool:
    """Whether a preset has a sound for each of the pitches, MIDI numbers."""
    preset = _preset(timbre)
    return preset is not None and _keys(pitches) <= preset.keys


def facts(timbre: Timbre) -> dict[str, Any]:
    """What a record says of a timbre, but for its font: bank, program, the preset's name, and what varies."""
    preset = _preset(timbre)
    plain = Timbre(timbre.font, timbre.bank, timbre.program)._asdict()
    varied = {name: value for name, value in timbre._asdict().items() if value != plain[name]}
    return {"bank": timbre.bank, "program": timbre.program, "preset": preset.name if preset else None} | varied


def origins(found: Sequence[Candidate]) -> list[list[Candidate]]:
    """The presets grouped by the recordings they come from: of two in a group, or by way of others, half are shared."""
    groups: list[list[Candidate]] = []
    for one in found:
        mine = [group for group in groups if any(_are_alike(one.preset, other.preset) for other in group)]
        groups = [group for group in groups if group not in mine]
        groups.append([each for group in mine for each in group] + [one])
    return groups


def _are_alike(one: Preset, other: Preset) -> bool:
    first, second = sf2.recordings(one.samples), sf2.recordings(other.samples)
    return len(first & second) >= ALIKE * min(len(first), len(second))


def _drawn(
    found: list[Candidate], keys: frozenset[int], used: Counter[frozenset[sf2.Sample]], generator: Generator
) -> Candidate | None:
    if not found:
        return None
    most = max(len(keys & one.preset.keys) for one in found)
    sounding = [one for one in found if len(keys & one.preset.keys) == most]
    least = min(used[one.preset.samples] for one in sounding)
    fresh = [one for one in sounding if used[one.preset.samples] == least]
    origin = _pick(origins(fresh), generator)
    sets: dict[frozenset[sf2.Sample], list[Candidate]] = {}
    for one in origin:
        sets.setdefault(one.preset.samples, []).append(one)
    return _pick(_pick(list(sets.values()), generator), generator)


def _pick(of: Sequence[T], generator: Generator) -> T:
    return of[int(generator.integers(len(of)))]


def varied(drawn: Candidate, tuning: float, generator: Generator) -> Timbre:
    """The preset, a little different. Numbers are rounded to what a record shows."""
    slowest, fastest = attack_range(drawn.preset.attack_s)
    return Timbre(
        drawn.font,
        drawn.preset.bank,
        drawn.preset.program,
        cutoff_cents=round(float(generator.uniform(*CUTOFF))),
        attack_timecents=round(float(generator.uniform(fastest, slowest))),
        release_timecents=round(float(generator.uniform(*RELEASE))),
        detune_cents=round(tuning + float(generator.uniform(-OWN_TUNING, OWN_TUNING)), 1),
        velocity_exponent=round(math.exp(float(generator.uniform(-LOUDNESS, LOUDNESS))), 3),
        width=round(float(generator.uniform(*WIDTH)), 2),
    )


def attack_range(attack_s: float) -> tuple[float, float]:
    """How far an attack of that length may be stretched, and how far shrunk, in timecents: by 5 ms at most."""
    longer = 1200 * math.log2(1 + ATTACK_MOVED_S / attack_s)
    shorter = 1200 * math.log2(1 - ATTACK_MOVED_S / attack_s) if attack_s > ATTACK_MOVED_S else -math.inf
    return min(ATTACK, longer), max(-ATTACK, shorter)


def _preset(timbre: Timbre) -> Preset | None:
    where = (timbre.bank, timbre.program)
    return next((one for one in sf2.presets(timbre.font) if (one.bank, one.program) == where), None)


def _keys(pitches: Sequence[float]) -> frozenset[int]:
    return frozenset(np.clip(np.rint(np.asarray(pitches)), 0, 127).astype(int).tolist())
