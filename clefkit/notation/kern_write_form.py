"""The sections of a score and the list that says how they are played, for **kern: "*>[A,A1,A,A2,B]"."""

from __future__ import annotations

from itertools import pairwise

from clefkit.notation.model import Score
from clefkit.notation.unfold import unfold


def expansion(score: Score) -> tuple[dict[int, str], list[str]]:
    """Labels of sections by their first measures, and the list; both empty when each measure is played once, in order.

    A section under a bracket is called after the one before it and the bracket's number, "A1".
    raises: InputError when more than 50,000 measures are played
    """
    order = unfold(score)
    if order == list(range(len(score.measures))):
        return {}, []
    starts = {0, order[0]} | {measure.index for measure in score.measures if measure.repeat_start}
    for before, after in pairwise(order):
        if after != before + 1:
            starts |= {after, before + 1}
    for one, other in pairwise(score.measures):
        if one.endings != other.endings or (other.endings and one.repeat_times):
            starts.add(other.index)
    starts |= {order[-1] + 1}
    places = sorted(start for start in starts if start < len(score.measures))
    labels = _labels(score, places)
    return labels, [labels[place] for place in order if place in labels]


def _labels(score: Score, places: list[int]) -> dict[int, str]:
    labels: dict[int, str] = {}
    count = 0
    for place in places:
        endings = score.measures[place].endings
        name = f"{_letters(count - 1)}{min(endings)}" if endings and count else ""
        if not name or name in labels.values():
            name = _letters(count)
            count += 1
        labels[place] = name
    return labels


def _letters(index: int) -> str:
    """A, B, ... Z, AA, AB, ..."""
    name = ""
    index += 1
    while index:
        index, letter = divmod(index - 1, 26)
        name = chr(ord("A") + letter) + name
    return name
