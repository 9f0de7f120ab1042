"""Who plays the spines of a **kern file: instrument codes, and which spines are staves of one instrument.

Codes after D. Huron, "The Humdrum Toolkit: Reference Manual" (1994), appendix on instrument codes, and those that
later corpora added.
"""

from __future__ import annotations

from dataclasses import dataclass

from clefkit.notation.model import Part

VOICE = 52
CODES = {
    "soprn": ("Soprano", VOICE), "cant": ("Cantus", VOICE), "mezzo": ("Mezzo-soprano", VOICE),
    "calto": ("Contralto", VOICE), "alto": ("Alto", VOICE), "tenor": ("Tenor", VOICE), "barit": ("Baritone", VOICE),
    "bass": ("Bass", VOICE), "vox": ("Voice", VOICE), "quint": ("Quintus", VOICE), "feme": ("Female voice", VOICE),
    "male": ("Male voice", VOICE), "nfant": ("Child's voice", VOICE), "ctenor": ("Countertenor", VOICE),
    "piano": ("Piano", 0), "fortp": ("Fortepiano", 0), "cemba": ("Harpsichord", 6), "clavi": ("Clavichord", 7),
    "organ": ("Organ", 19), "hammd": ("Hammond organ", 16), "porgn": ("Portative organ", 19), "celes": ("Celesta", 8),
    "harmo": ("Harmonium", 20), "accor": ("Accordion", 21), "carll": ("Carillon", 14),
    "violn": ("Violin", 40), "viola": ("Viola", 41), "cello": ("Violoncello", 42), "cbass": ("Contrabass", 43),
    "vlgam": ("Viola da gamba", 42), "viold": ("Viola d'amore", 41), "arpa": ("Harp", 46), "guitr": ("Guitar", 24),
    "lute": ("Lute", 24), "tiorb": ("Theorbo", 24), "mando": ("Mandolin", 25), "banjo": ("Banjo", 105),
    "picco": ("Piccolo", 72), "flt": ("Flute", 73), "flt_a": ("Alto flute", 73), "flt_b": ("Bass flute", 73),
    "fltds": ("Recorder", 74), "recor": ("Recorder", 74), "oboe": ("Oboe", 68), "oboeD": ("Oboe d'amore", 68),
    "corng": ("English horn", 69), "clarp": ("Piccolo clarinet", 71), "clars": ("Clarinet", 71),
    "clara": ("Clarinet in A", 71), "clarb": ("Bass clarinet", 71), "bset": ("Basset horn", 71),
    "fagot": ("Bassoon", 70), "fagoc": ("Contrabassoon", 70), "cfagt": ("Contrabassoon", 70),
    "saxA": ("Alto saxophone", 65), "saxS": ("Soprano saxophone", 64), "saxT": ("Tenor saxophone", 66),
    "saxR": ("Baritone saxophone", 67), "saxB": ("Bass saxophone", 67), "cor": ("Horn", 60), "corno": ("Horn", 60),
    "tromp": ("Trumpet", 56), "clarn": ("Clarino", 56), "cornt": ("Cornet", 56), "flugh": ("Flugelhorn", 56),
    "tromb": ("Trombone", 57), "trmbt": ("Tenor trombone", 57), "trmbb": ("Bass trombone", 57), "tuba": ("Tuba", 58),
    "sackb": ("Sackbut", 57), "timpa": ("Timpani", 47), "vibra": ("Vibraphone", 11), "marim": ("Marimba", 12),
    "xylo": ("Xylophone", 13), "glock": ("Glockenspiel", 9),
}  # fmt: skip
CODES_OF_TWO_STAVES = {"piano", "fortp", "cemba", "clavi", "organ", "celes", "harmo", "arpa", "accor"}
CLASSES = {"vox": VOICE, "klav": 0}  # *ICvox: what a spine without a code is played with


@dataclass(slots=True)
class Spine:
    """What the interpretations say of one spine.

    kind: "kern", "dynam" or "" for one that we skip
    code: "piano" of "*Ipiano"; family: "vox" of "*ICvox"; part: "*part1"; staves: (2,) of "*staff2"
    transposition: semitones from written to sounding pitch
    """

    kind: str
    code: str = ""
    family: str = ""
    name: str = ""
    abbreviation: str = ""
    part: str = ""
    staves: tuple[int, ...] = ()
    transposition: int = 0


@dataclass(slots=True)
class Seats:
    """parts: top one first; of_spine: spine -> (index of its part, its staff from 1)."""

    parts: list[Part]
    of_spine: dict[int, tuple[int, int]]


def seat(spines: list[Spine]) -> Seats:
    """Put the spines of a score together as parts. **kern writes the lowest voice first, a score the highest."""
    groups: list[list[int]] = []
    for index in reversed(range(len(spines))):
        if spines[index].kind != "kern":
            continue
        home = next((group for group in groups if _belong(spines, group, index)), None)
        if home is None:
            groups.append([index])
        else:
            home.append(index)
    seats = Seats([], {})
    for number, group in enumerate(groups):
        staves = sorted({spines[index].staves[0] for index in group if spines[index].staves})
        for place, index in enumerate(group, 1):
            own = spines[index].staves
            seats.of_spine[index] = (number, staves.index(own[0]) + 1 if own else place)
        count = max(seats.of_spine[index][1] for index in group)
        seats.parts.append(_part(f"P{number + 1}", [spines[index] for index in group], count))
    _seat_dynamics(spines, seats)
    return seats


def _belong(spines: list[Spine], group: list[int], index: int) -> bool:
    """Whether a spine is a further staff of the instrument of a group: the file says so, or both are a keyboard."""
    mine, theirs = spines[index], spines[group[-1]]
    if mine.part or theirs.part:
        return mine.part == theirs.part
    if mine.code or theirs.code:
        return mine.code == theirs.code and mine.code in CODES_OF_TWO_STAVES
    shared = {spine.staves for spine in spines if spine.kind == "dynam" and len(spine.staves) > 1}
    return any({mine.staves[:1], theirs.staves[:1]} == {(staff,) for staff in staves} for staves in shared)


def _part(name: str, group: list[Spine], staves: int) -> Part:
    part = Part(name, staves=staves)
    first = next((spine for spine in group if spine.code in CODES), None)
    known, program = CODES[first.code] if first else ("", None)
    part.name = next((spine.name for spine in group if spine.name), known)
    part.abbreviation = next((spine.abbreviation for spine in group if spine.abbreviation), "")
    part.program = program if program is not None else CLASSES.get(group[0].family)
    part.transposition = group[0].transposition
    return part


def _seat_dynamics(spines: list[Spine], seats: Seats) -> None:
    """A dynamics spine belongs to the part or staff it names, else to the next **kern spine on its left."""
    for index, spine in enumerate(spines):
        if spine.kind != "dynam":
            continue
        kern = [i for i, other in enumerate(spines) if other.kind == "kern"]
        named = [i for i in kern if spine.staves and spines[i].staves[:1] == spine.staves[:1]]
        named = named or [i for i in kern if spine.part and spines[i].part == spine.part]
        left = [i for i in kern if i < index][-1:] or kern[:1]
        if named or left:
            seats.of_spine[index] = (seats.of_spine[(named or left)[0]][0], 1)
