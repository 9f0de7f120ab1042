"""Who plays what `tag` learns to name: presets of soundfonts, real single notes, drums, and players made up.

`roles.toml` says which of them are which instrument. A role is played by one source at a time: presets that share
recordings count as one (`clefkit.render.timbre.origins`), so that a violin that five fonts have isn't heard five times
as often. Some of those who play for training are kept on a few keys only (`thrift`); what is for validation is played
by singers made up, but by no other made-up player.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.notes import Notes, Part, Performance, take
from clefkit.render import sf2, synth, timbre
from clefkit.render.timbre import Candidate
from clefkit.tag.hearing import RATE
from clefkit.train import arrange, organs, players, sampler, thrift, voices

Array = NDArray[np.float32]

TABLE = Path(__file__).with_name("roles.toml")
RECORDED = 0.55  # how often real notes play a role that has some
SINGER, SUNG = "voice", 0.4  # how often a singer made up plays a role that others play, too
MADE_UP = 0.3  # how often other players made up
THRIFTY = 0.35  # of those that train: a few keys of them, looped
SYNTHETIC, SYNTHETIC_OFTEN = "OPL", 0.3  # a font made by frequency modulation, which is like no real instrument
LAYERED = 0.1  # of those on fonts: two presets at once
TOGETHER_S = 0.03  # notes of a chord begin within this
CYMBALS = (42, 44, 46, 49, 51, 52, 53, 55, 57, 59)  # General MIDI's keys
HAND_DRUMS = (60, 61, 62, 63, 64, 65, 66)
IS_CYMBAL = re.compile(r"hat|hh|cym|_cy\d|ride|crash|china|splash|_oh_|_oh\d", re.IGNORECASE)


class Role(NamedTuple):
    """What `roles.toml` says of a role.

    leaf: the name that is heard, None for other instruments; family: it belongs to, None where the leaf says it
    unknown: names that are neither right nor wrong; programs, words: which presets; samples: which real notes
    lowest, highest: MIDI pitches; chords: more than one note at a time; often: weight; kit: "drums", "cymbals", "hand"
    made_up: a kind that `voices` or `organs` draws
    """

    name: str
    leaf: str | None
    family: str | None
    unknown: tuple[str, ...]
    programs: tuple[int, ...]
    words: str
    samples: tuple[str, ...]
    lowest: int
    highest: int
    chords: bool
    often: float
    kit: str
    made_up: str


class Hall(NamedTuple):
    """What there is to play with.

    fonts: soundfonts; folders: of real notes, each with an index.csv; split: "train" or "validation", of whose presets
    and instruments
    """

    fonts: tuple[Path, ...]
    folders: tuple[Path, ...]
    split: str


class Played(NamedTuple):
    """sound: (samples,), float32, at 22,050 Hz; by: whom, equal names are one timbre"""

    sound: Array
    by: str


@lru_cache(maxsize=1)
def roles() -> tuple[Role, ...]:
    """All roles, in the order of the table."""
    return tuple(_role(row) for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["role"])


def by_program(program: int) -> Role:
    """The role that a General MIDI instrument plays."""
    return next(role for role in roles() if program in role.programs and not role.kit)


def _role(row: dict[str, Any]) -> Role:
    low, high = row["range"]
    return Role(
        row["name"],
        row.get("leaf"),
        row.get("family"),
        tuple(row.get("unknown", ())),
        tuple(row.get("programs", ())),
        row.get("words", ""),
        tuple(row.get("samples", ())),
        low,
        high,
        row["chords"],
        row.get("often", 1.0),
        row.get("kit", ""),
        row.get("made_up", ""),
    )


@lru_cache(maxsize=1)
def made_up() -> tuple[str, ...]:
    """The kinds of players that are made up."""
    return tuple(sorted({role.made_up for role in roles() if role.made_up}))


def playable(role: Role, hall: Hall) -> bool:
    """Whether anybody is there to play a role."""
    return bool(_presets(role, hall) or _recorded(role, hall) or _made_up(role, hall))


def play(role: Role, notes: Notes, length: int, hall: Hall, generator: Generator) -> Played | None:
    """A role played by somebody drawn for it; None when nobody could.

    notes: in the role's range, for a kit on General MIDI's keys; length: samples
    """
    others = bool(_presets(role, hall) or _recorded(role, hall))
    often = (SUNG if role.made_up == SINGER else MADE_UP) if others else 1.0
    if _made_up(role, hall) and generator.random() < often:
        return Played(_by_nobody(role.made_up, notes, length, generator), f"{role.made_up} {generator.integers(2**31)}")
    if role.kit or hall.split != "train" or generator.random() >= THRIFTY:
        return _by_somebody(role, notes, length, hall, generator)
    keys = thrift.keys(notes, generator)
    asked = thrift.audition(keys, generator)
    heard = _by_somebody(role, asked, length, hall, generator)
    sound = None if heard is None else thrift.play(heard.sound, keys, notes, length, RATE, generator)
    return Played(sound, f"{heard.by} looped") if heard and sound is not None and sound.any() else None


def _made_up(role: Role, hall: Hall) -> bool:
    return bool(role.made_up) and (hall.split == "train" or role.made_up == SINGER)


def _by_nobody(kind: str, notes: Notes, length: int, generator: Generator) -> Array:
    """Somebody made up plays."""
    if kind in organs.KINDS:
        return organs.play(notes, organs.draw(generator, kind), length, RATE, generator)
    return voices.play(notes, voices.draw(generator, kind), length, RATE, float(generator.normal(0, 0.1)), generator)[1]


def _by_somebody(role: Role, notes: Notes, length: int, hall: Hall, generator: Generator) -> Played | None:
    """A preset or a real instrument plays."""
    presets, recorded = _presets(role, hall), _recorded(role, hall)
    if recorded and (not presets or generator.random() < RECORDED):
        instrument = recorded[int(generator.integers(len(recorded)))]
        played = _on_drums if role.kit else _on_notes
        return Played(played(instrument, notes, length, role, generator), instrument.name)
    return _on_presets(presets, role, notes, length, generator) if presets else None


def _on_notes(instrument: sampler.Instrument, notes: Notes, length: int, role: Role, generator: Generator) -> Array:
    del role
    tuning = float(generator.normal(0, 0.1))
    return sampler.play(notes, instrument, length, RATE, tuning, generator)[1]


def _on_drums(instrument: sampler.Instrument, notes: Notes, length: int, role: Role, generator: Generator) -> Array:
    """Every key of the kit is one recording, or several that are alike."""
    sound = np.zeros(length, np.float32)
    speed = 2 ** (generator.normal(0, 1.5) / 12)
    for key in np.unique(notes.pitch):
        name = instrument.files[int(generator.integers(len(instrument.files)))]
        alike = [file for file in instrument.files if _piece(file) == _piece(name)] if role.kit != "hand" else [name]
        loud = float(generator.uniform(0.1, 0.35))
        for index in np.flatnonzero(notes.pitch == key):
            hit = sampler.recorded(alike[int(generator.integers(len(alike)))], RATE)[0]
            hit = np.interp(np.arange(int((len(hit) - 1) / speed)) * speed, np.arange(len(hit)), hit).astype(np.float32)
            start = round(notes.onset[index] * RATE)
            piece = hit[: max(0, length - start)] * np.float32(loud * (notes.velocity[index] / 127) ** 1.5)
            sound[start : start + len(piece)] += piece
    return sound


def _piece(file: Path) -> str:
    """The name of a hit without its number: bd_haus, snare."""
    return re.sub(r"\d+", "", file.stem.rsplit("_", 1)[0])


def _on_presets(
    presets: list[list[Candidate]], role: Role, notes: Notes, length: int, generator: Generator
) -> Played | None:
    real = np.array([0.0 if origin[0].font.stem.startswith(SYNTHETIC) else 1.0 for origin in presets])
    weights = real + SYNTHETIC_OFTEN * (1 - real)
    count = 2 if generator.random() < LAYERED and not role.kit else 1
    chosen = []
    for number in generator.choice(len(presets), count, p=weights / weights.sum()):
        origin = presets[int(number)]
        chosen.append(origin[int(generator.integers(len(origin)))])
    drums = bool(role.kit)
    program = chosen[0].preset.program
    controls = () if drums else arrange.manner(notes, program, 0.0, length / RATE, generator)
    sound = np.zeros(length, np.float32)
    for each in chosen:
        varied = timbre.varied(each, 0.0, generator)
        performance = Performance(replace(notes, parts=(Part("", program, drums),)), controls)
        mono = synth.render(performance, [varied], RATE).audio.samples.mean(axis=0)[:length]
        sound[: len(mono)] += mono
    names = " + ".join(f"{each.font.stem} {each.preset.bank} {each.preset.program}" for each in chosen)
    return Played(sound, names) if sound.any() else None


@lru_cache(maxsize=256)
def _presets(role: Role, hall: Hall) -> list[list[Candidate]]:
    """The presets that may play a role, by the recordings that they are made of."""
    found: dict[tuple[Path, int, int], Candidate] = {}
    for program in role.programs:
        for each in timbre.candidates(Part("", program, bool(role.kit)), hall.fonts):
            found[each.font, each.preset.bank, each.preset.program] = each
    if role.words:
        named = re.compile(role.words, re.IGNORECASE)
        every = [Candidate(font, preset) for font in hall.fonts for preset in sf2.presets(font)]
        found |= {(each.font, *each.preset.where[:2]): each for each in every if named.search(each.preset.name)}
    allowed = [each for each in found.values() if players.allowed(each, hall.split)]
    return timbre.origins(allowed)


@lru_cache(maxsize=256)
def _recorded(role: Role, hall: Hall) -> list[sampler.Instrument]:
    """The real instruments of a role: of its kit the hits that belong to it."""
    found = []
    for folder in hall.folders:
        every = sampler.instruments(folder, pitched=not role.kit)
        found += [each for each in every if each.name in role.samples and each.split == hall.split]
    if role.kit in ("drums", "cymbals"):
        found = [_of_kit(each, cymbals=role.kit == "cymbals") for each in found]
    return [each for each in found if each.files]


def _of_kit(instrument: sampler.Instrument, *, cymbals: bool) -> sampler.Instrument:
    files = tuple(file for file in instrument.files if bool(IS_CYMBAL.search(file.stem)) == cymbals)
    return instrument._replace(files=files)


def fitting(role: Role, notes: Notes) -> Notes:
    """Notes moved by octaves into a role's range, less what is outside; one line where chords aren't in its nature."""
    if role.kit:
        keys = {"cymbals": CYMBALS, "hand": HAND_DRUMS}.get(role.kit)
        own = np.isin(notes.pitch, keys) if keys else ~np.isin(notes.pitch, CYMBALS)
        return take(notes, own)
    middle = float(np.median(notes.pitch)) if len(notes) else 0.0
    octaves = 12 * np.round(((role.lowest + role.highest) / 2 - middle) / 12)
    moved = replace(notes, pitch=notes.pitch + octaves)
    moved = take(moved, (moved.pitch >= role.lowest) & (moved.pitch <= role.highest))
    return moved if role.chords else line(moved)


def line(notes: Notes) -> Notes:
    """Of notes that begin together the highest, each until the next one begins."""
    group = np.round(notes.onset / TOGETHER_S)
    order = np.lexsort((-notes.pitch, group))
    first = order[np.concatenate([[True], np.diff(group[order]) > 0])[: len(order)]]
    notes = take(notes, np.isin(np.arange(len(notes)), first))
    ends = np.concatenate([notes.onset[1:], [np.inf]])[: len(notes)]
    return replace(notes, offset=np.maximum(np.minimum(notes.offset, ends + 0.02), notes.onset + 0.03))
