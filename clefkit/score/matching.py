"""The largest set of pairs in which nobody appears twice: maximum bipartite matching.

Hopcroft and Karp, An n^5/2 algorithm for maximum matchings in bipartite graphs, 1973: layers of shortest augmenting
paths are found breadth first and used up depth first. There is often more than one largest set. Ours is the one that
mir_eval 0.8 takes (greedy start, layers and paths in the same order), so measures that depend on the choice, as the
overlap ratio does, agree with it. Two things differ: memory grows with the number of candidate pairs, not with notes
times notes, and there is no recursion, so long chains of repeated notes do no harm.

Where only the number of pairs matters and everyone reaches a run of neighbours, no pairs are needed: see
`count_in_intervals`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Neighbours = dict[int, list[int]]


def maximum(reference: Indices, estimate: Indices) -> tuple[Indices, Indices]:
    """Choose as many of the candidate pairs as possible, each index at most once a side.

    reference, estimate: (pairs,), the two ends of each candidate, sorted by reference, then by estimate
    returns: (matched,) twice, sorted by reference
    """
    if len(reference) == 0:
        return reference, estimate
    lonely = (np.bincount(reference)[reference] == 1) & (np.bincount(estimate)[estimate] == 1)
    rivals = _matched(reference[~lonely].tolist(), estimate[~lonely].tolist())
    left = np.concatenate([reference[lonely], np.fromiter(rivals.keys(), np.int64, len(rivals))])
    right = np.concatenate([estimate[lonely], np.fromiter(rivals.values(), np.int64, len(rivals))])
    order = np.argsort(left)
    return left[order], right[order]


def count_in_intervals(first: Indices, last: Indices) -> int:
    """How many pairs there can be where each reference reaches the estimates first <= index < last.

    Each estimate in turn goes to the waiting reference whose reach ends soonest (Glover, Maximum matching in a convex
    bipartite graph, 1967).
    first, last: (references,)
    """
    reaches = sorted((start, end) for start, end in zip(first.tolist(), last.tolist(), strict=True) if start < end)
    waiting: list[int] = []
    found = arrived = at = 0
    while waiting or arrived < len(reaches):
        if not waiting:
            at = reaches[arrived][0]
        while arrived < len(reaches) and reaches[arrived][0] <= at:
            heapq.heappush(waiting, reaches[arrived][1])
            arrived += 1
        while waiting and waiting[0] <= at:
            heapq.heappop(waiting)
        if waiting:
            heapq.heappop(waiting)
            found += 1
            at += 1
    return found


def _matched(reference: list[int], estimate: list[int]) -> dict[int, int]:
    """reference -> estimate, as many as possible."""
    neighbours: Neighbours = {}
    for left, right in zip(reference, estimate, strict=True):
        neighbours.setdefault(right, []).append(left)
    owner = _greedy(neighbours)
    taken = set(owner.values())
    free = [right for right in neighbours if right not in taken]
    while free:
        behind, parent, ends = _layers(neighbours, owner, free)
        if not ends:
            break
        for end in ends:
            _augment(end, owner, behind, parent)
        taken = set(owner.values())
        free = [right for right in free if right not in taken]
    return owner


def _greedy(neighbours: Neighbours) -> dict[int, int]:
    owner: dict[int, int] = {}
    for right, candidates in neighbours.items():
        for left in candidates:
            if left not in owner:
                owner[left] = right
                break
    return owner


def _layers(
    neighbours: Neighbours, owner: dict[int, int], free: list[int]
) -> tuple[dict[int, list[int]], dict[int, int | None], list[int]]:
    """Spread from the free estimates until the first layer that holds free references.

    returns: for each reference reached, the estimates it was reached from; for each estimate reached, the reference
        that owns it (None for the free ones); the free references
    """
    behind: dict[int, list[int]] = {}
    parent: dict[int, int | None] = dict.fromkeys(free)
    ends: list[int] = []
    layer = free
    while layer and not ends:
        reached: dict[int, list[int]] = {}
        for right in layer:
            for left in neighbours[right]:
                if left not in behind:
                    reached.setdefault(left, []).append(right)
        behind.update(reached)
        layer = []
        for left in reached:
            if left in owner:
                layer.append(owner[left])
                parent[owner[left]] = left
            else:
                ends.append(left)
    return behind, parent, ends


def _augment(end: int, owner: dict[int, int], behind: dict[int, list[int]], parent: dict[int, int | None]) -> None:
    """Walk back from a free reference to a free estimate, depth first, and swap the pairs along the way.

    What was walked over is removed from `behind` and `parent`: it can be part of no second path of this round.
    """
    path: list[tuple[int, Iterator[int]]] = [(end, iter(behind.pop(end, ())))]
    used: list[int] = []  # the estimate that leads from each step of the path to the next
    while path:
        right = next((each for each in path[-1][1] if each in parent), None)
        if right is None:  # a dead end
            path.pop()
            if used:
                used.pop()
            continue
        left = parent.pop(right)
        used.append(right)
        if left is None:
            owner.update((step, estimate) for (step, _), estimate in zip(path, used, strict=True))
            return
        path.append((left, iter(behind.pop(left, ()))))
