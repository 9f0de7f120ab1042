"""Error rates of **kern text: the edits that make the reference of the estimate, for each token of the reference.

Words are tokens (whitespace stands between them), characters are all of them, tabs and line ends included, lines are
whole ones; insertions, deletions and substitutions cost 1 (Levenshtein 1966), so a rate can be above 1. So they are
counted by M. A. Román, A. Pertusa and J. Calvo-Zaragoza, "A holistic approach to polyphonic music transcription with
neural networks", ISMIR 2019 (words, characters), and by A. Ríos-Vila et al., "Sheet Music Transformer", ICDAR 2024
(lines).

Both sides are written anew by our own writer, so what counts is what the score says, not how a file spells it: parts,
staves, clefs, signatures, bar lines with repeats, notes, rests, ties, slurs, articulations, ornaments, the order of
playing. Names, titles, words, dynamics, tempos, pedals and the numbers of measures are left out, which who writes a
repeat out counts otherwise, and a key or clef that holds already; our scores know no beams or stems.
`verbatim` takes files as they are but for comments, which no reader of music needs.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from clefkit import notation
from clefkit.errors import InputError
from clefkit.notation import kern_write
from clefkit.notation.model import Clef, Key, Score

Said = TypeVar("Said", Key, Clef)
MOST_BYTES = 32 * 2**20
MOST_WORK = 10**11  # length times length: some five seconds


def rates(reference: str, estimate: str) -> dict[str, float]:
    """Word, line and character error rate. One of texts too long to compare in seconds is left out."""
    sides = {
        "kern_wer": (reference.split(), estimate.split()),
        "kern_ler": (reference.splitlines(), estimate.splitlines()),
        "kern_cer": (reference, estimate),
    }
    measured = {name: _rate(*pair) for name, pair in sides.items()}
    return {name: value for name, value in measured.items() if value is not None}


def _rate(reference: Sequence[Hashable], estimate: Sequence[Hashable]) -> float | None:
    from rapidfuzz.distance import Levenshtein

    if len(reference) * len(estimate) > MOST_WORK or not reference:
        return None
    hint = len(reference) // 20  # so many edits are looked for first, which is ten times faster where they suffice
    return Levenshtein.distance(reference, estimate, score_hint=hint) / len(reference)


def written(score: Score) -> str:
    """The **kern text of what is compared of a score."""
    bare = replace(
        score,
        parts=[replace(part, name="", abbreviation="", program=0) for part in score.parts],
        measures=[replace(measure, number="") for measure in score.measures],
        keys=_changes(score.keys, lambda _: 0),
        clefs=_changes(score.clefs, lambda clef: (clef.part, clef.staff)),
        title="",
        composer="",
    )
    return kern_write.text(replace(bare, texts=[], tempos=[], dynamics=[], wedges=[], pedals=[], swings=[]))


def _changes(events: list[Said], owner: Callable[[Said], object]) -> list[Said]:
    """The events without those that say again what holds, as they do wherever a repeat is written out."""
    found: list[Said] = []
    now: dict[object, object] = {}
    for event in events:
        if now.get(owner(event)) != event[1:]:
            found.append(event)
            now[owner(event)] = event[1:]
    return found


def verbatim(path: Path) -> str:
    """The text of a **kern file without comments (`!`), empty lines and the kind of its line ends.

    raises: InputError when it is no **kern file, can't be read or is larger than 32 MiB
    """
    if path.suffix.lower() not in notation.KERN:
        raise InputError(f"{path.name} is no **kern file: kern-verbatim compares those, take another protocol")
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"larger than {MOST_BYTES // 2**20} MiB")
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        text = path.read_text(encoding="latin-1")
    except OSError as error:
        raise InputError(f"can't be read ({(error.strerror or 'unknown error').lower()})") from error
    lines = (line.rstrip() for line in text.lstrip("\ufeff").splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("!"))
