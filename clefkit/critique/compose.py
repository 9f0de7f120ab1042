"""Music by listening alone: a critic says which next note sounds most like music, voice after voice.

After MuseCritic's greedy layering: first a melody, then a bass, then voices between. Rhythm is drawn from patterns that
come back as in songs; pitches are searched: at each note of a voice every pitch near the last one is tried with all
that sounds in the seconds before, by a beam of lines: the critic says how much that is like music, and how many notes
are wrong. No rule of harmony is written down here.

What is optimised against a critic soon fools it (reward hacking): scores above all music, made of octaves. So nothing
above the median of real music counts as better, notes that were heard often lately cost, and among alike good lines
chance decides (`temperature`). And another critic, which hears by other means, judges what was made.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit import notes, registry
from clefkit.critique import infer
from clefkit.critique.table import ONSET, Table, columns
from clefkit.record import Product

MEMORY_MS = 12_000  # what a note is judged with
FARTHEST = 9  # semitones from the last note of a voice
HEARD = 10  # notes of a voice that count as lately
DULL = 10.0  # what a pitch costs that all of these had
AGAIN = 0.5  # what the same pitch at once costs
FEWEST = 3  # notes that can be judged at all
WRONG = 10.0  # what a note costs that is wrong for sure
TEMPI = (76.0, 112.0)
LEGATO = 0.92

# quarters; a measure has four
MELODY = (
    (1, 1, 1, 1),
    (1, 0.5, 0.5, 1, 1),
    (1.5, 0.5, 1, 1),
    (0.5, 0.5, 1, 0.5, 0.5, 1),
    (2, 1, 1),
    (1, 1, 0.5, 0.5, 1),
    (1.5, 0.5, 1.5, 0.5),
)
ENDS = ((2, 2), (3, 1), (1, 1, 2))
SLOW = ((2, 2), (2, 1, 1), (4,), (1, 1, 1, 1))
FORM = "AABA"


class Voice(NamedTuple):
    """low, high: MIDI numbers; start: of its first note; velocity, program: how it is played"""

    name: str
    low: int
    high: int
    start: int
    velocity: int
    patterns: tuple[tuple[float, ...], ...]


VOICES = (
    Voice("melody", 62, 84, 72, 88, MELODY),
    Voice("bass", 36, 57, 48, 72, SLOW),
    Voice("alto", 55, 72, 64, 64, SLOW),
    Voice("tenor", 48, 67, 57, 62, SLOW),
)


class _Line(NamedTuple):
    """A voice as far as it is written. score: the last verdict, less what dull pitches cost, and chance"""

    pitch: tuple[int, ...]
    score: float


def product(
    seed: int, *, model: str, judge: str, seconds: float, voices: int, beam: int, temperature: float
) -> Product:
    """The file that `clefkit compose` makes, and what two critics say of it.

    model, judge: critics, as for `registry.checkpoint`: the one it is made for, and another; the rest as for `compose`
    """
    critics = {"checkpoint": registry.checkpoint(model), "judge": registry.checkpoint(judge)}
    facts: dict[str, Any] = {role: {"name": each.name, "sha256": each.sha256} for role, each in critics.items()}

    def write(path: Path) -> None:
        asked = {role: infer.load(each.path) for role, each in critics.items()}
        generator = np.random.default_rng(seed)
        made = compose(seconds, asked["checkpoint"], generator, voices=voices, beam=beam, temperature=temperature)
        notes.write_midi(path, made)
        facts["notes"] = len(made)
        for role, critic in asked.items():
            if len(made) >= infer.LEAST_NOTES:
                said = infer.judge(columns(made), critic, "score")
                facts[role] |= {"p_real": round(said.p_real, 4), "percentile": round(said.percentile, 1)}

    return Product(f"composed-{seconds:g}s-{voices}-{seed}.mid", write, facts)


def compose(
    seconds: float,
    critic: infer.Critic,
    generator: Generator,
    *,
    voices: int = 3,
    beam: int = 3,
    temperature: float = 0.2,
) -> notes.Notes:
    """A piece of about that length.

    voices: 1 to 4; beam: lines that are kept at each note; temperature: 0 takes the best, more takes worse ones, too
    returns: notes, a part a voice
    """
    quarter_ms = 60_000 / float(generator.uniform(*TEMPI))
    measures = max(1, round(seconds * 1000 / (4 * quarter_ms)))
    chosen = VOICES[:voices]
    how = critic.calibrations["score"]
    written = np.zeros((0, 4), np.int32)
    part = np.zeros(0, np.int64)
    for number, voice in enumerate(chosen):
        rhythm = _rhythm(voice.patterns, measures, quarter_ms, generator)
        line = _pitches(voice, rhythm, written, critic, how, generator, beam, temperature)
        added = np.column_stack([rhythm, line, np.full(len(line), voice.velocity)]).astype(np.int32)
        written = np.concatenate([written, added])
        part = np.concatenate([part, np.full(len(line), number)])
        order = np.lexsort((written[:, 2], written[:, 0]))
        written, part = written[order], part[order]
    onset = written[:, 0] / 1000
    parts = tuple(notes.Part(voice.name) for voice in chosen)
    return notes.make(onset, onset + written[:, 1] / 1000, written[:, 2], written[:, 3], part, parts)


def _rhythm(
    patterns: tuple[tuple[float, ...], ...], measures: int, quarter_ms: float, generator: Generator
) -> NDArray[np.int64]:
    """(notes, 2), ms: onset and duration. Four measures are a phrase; phrases come back in the order of FORM."""
    phrases = {}
    for name in FORM:
        if name not in phrases:
            bars = [patterns[int(generator.integers(len(patterns)))] for _ in range(2)]
            phrases[name] = [bars[0], bars[1], bars[0], ENDS[int(generator.integers(len(ENDS)))]]
    lengths = [
        length
        for measure in range(measures)
        for length in phrases[FORM[measure // 4 % len(FORM)]][3 if measure == measures - 1 else measure % 4]
    ]
    edges = np.concatenate([[0], np.cumsum(lengths)]) * quarter_ms
    return np.rint(np.column_stack([edges[:-1], np.diff(edges) * LEGATO])).astype(np.int64)


def _pitches(
    voice: Voice,
    rhythm: NDArray[np.int64],
    written: Table,
    critic: infer.Critic,
    how: infer.Calibration,
    generator: Generator,
    beam: int,
    temperature: float,
) -> tuple[int, ...]:
    """The pitches of a voice, searched note by note."""
    enough = float(np.median(how.real))
    lines = [_Line((), 0.0)]
    for index, (onset, _) in enumerate(rhythm):
        tried = [(line, pitch) for line in lines for pitch in _candidates(voice, line.pitch)]
        until = onset + (rhythm[index + 1, 0] - onset if index + 1 < len(rhythm) else 4000)
        near = written[(written[:, ONSET] >= onset - MEMORY_MS) & (written[:, ONSET] < until)]
        tables = [_with(near, rhythm, (*line.pitch, pitch), voice.velocity, onset) for line, pitch in tried]
        heard = np.zeros(len(tables))
        if len(tables[0]) >= FEWEST:
            said = infer.ask(critic, tables)
            wrong = infer.wrong(said.notes) * [len(each) for each in tables]
            heard = np.minimum(how.logits(said), enough) - WRONG * wrong
        chance = temperature * generator.gumbel(size=len(tables))
        score = heard - [_cost(line.pitch, pitch) for line, pitch in tried] + chance
        best = np.argsort(-score, kind="stable")[:beam]
        lines = [_Line((*tried[each][0].pitch, tried[each][1]), float(score[each])) for each in best]
    return lines[0].pitch


def _candidates(voice: Voice, before: tuple[int, ...]) -> list[int]:
    last = before[-1] if before else voice.start
    return [pitch for pitch in range(last - FARTHEST, last + FARTHEST + 1) if voice.low <= pitch <= voice.high]


def _with(near: Table, rhythm: NDArray[np.int64], pitch: tuple[int, ...], velocity: int, now: int) -> Table:
    """The other voices and this one as far as it is written, of the last seconds, in order."""
    count = len(pitch)
    first = int(np.searchsorted(rhythm[:count, 0], now - MEMORY_MS))
    mine = np.column_stack([rhythm[first:count], pitch[first:], np.full(count - first, velocity)]).astype(np.int32)
    both = np.concatenate([near, mine])
    return both[np.lexsort((both[:, 2], both[:, 0]))]


def _cost(before: tuple[int, ...], pitch: int) -> float:
    """How dull a pitch is after these."""
    lately = before[-HEARD:]
    if not lately:
        return 0.0
    return DULL * (lately.count(pitch) / HEARD) ** 2 + AGAIN * (lately[-1] == pitch)
