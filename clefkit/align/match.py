"""A take against its reference, from the first guess to the last sample: all steps in order.

Coarse places (`coarse`), lags of windows there (`lags`), the path through them (`path`), then once more with a filter
that suits both recordings (`fit`). How many windows are on one line decides whether they match. Its steps are the
dropped buffers (`gaps`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from clefkit.align import coarse, fit, gaps, lags, path, track
from clefkit.align.coarse import Anchor
from clefkit.align.fit import Line
from clefkit.align.gaps import Change
from clefkit.align.lags import HOP, WINDOW, Search, Windows
from clefkit.align.path import JITTER_S, MOST_DRIFT, Chosen
from clefkit.align.track import RATE, Track

SURE = 0.9
# The agreement is .5 where HALF of the windows agree; .88 and .12 are 2 STEEP from there.
HALF, STEEP = 0.45, 0.045
PRIOR = 3  # windows that count as if they disagreed: a few that agree may be chance
FINE_JUMP = 0.4  # as `path.JUMP`, where buffers are known to be missing
# Windows of one performance differ by less than a sample, but where its instrument is wide. On other instruments that
# play the same notes at the very same time they differ by 5 samples or so.
WIDE = 4.0
MOST_PLACES = 400
SEARCHING = 0.5  # exponent of the agreement where peaks are looked for: more would leave too little of the band


class Match(NamedTuple):
    """What was found, in samples at the rate of `track`.

    starts: lag of each stretch between dropped buffers, carried back to the take's sample 0; slope: samples a sample
    steps: the first sample after each dropped buffer
    confidence: 0 to 1
    doubtful: stretches of the take where it doesn't agree with the reference
    """

    starts: list[float]
    slope: float
    steps: list[int]
    confidence: float
    doubtful: list[tuple[int, int]]


class _Guess(NamedTuple):
    """A line through windows. near: (windows, PEAKS), which peaks are on it"""

    anchor: Anchor
    windows: Windows
    path: Chosen
    line: Line
    near: NDArray[np.bool_]

    def stretched(self, speed: float) -> _Guess:
        """The same of a take that is so many times as long."""
        centres, moved = self.windows.centres * speed, (speed - 1) * self.windows.centres
        windows = self.windows._replace(centres=centres, lags=self.windows.lags - moved[:, None])
        chosen = self.path._replace(lags=self.path.lags - moved)
        line = Line(self.line.starts, (1 + self.line.slope) / speed - 1)
        return _Guess(self.anchor._replace(at_s=self.anchor.at_s * speed), windows, chosen, line, self.near)

    def apart(self, other: _Guess) -> float:
        """How far the two lines are from each other in the middle of windows, samples."""
        mine = self.line.at(self.windows.centres, self.path.segments)
        theirs = [lag for _, lag in _places(self.windows.centres, other)]
        return float(np.median(np.abs(mine - theirs)))

    @property
    def agreement(self) -> float:
        """0 to 1, from the share of windows that agree on the line; whose highest peak is elsewhere count half."""
        heard = self.windows.audible & ~self.windows.mute
        votes = (self.near[heard, 0].sum() + self.near[heard].any(axis=1).sum()) / 2
        jumps = self.path.segments[-1]  # each makes a window agree by itself
        share = max(votes - jumps, 0) / (np.count_nonzero(heard) + PRIOR)
        return float(1 / (1 + np.exp((HALF - share) / STEEP)))


def match(take: Track, reference: Track) -> Match | None:
    """The likeliest place of the take. None when there is nothing to go by, as in silence."""
    best: _Guess | None = None
    for anchor in coarse.anchors(take, reference):
        guess = _guess(Search(take, reference), anchor)
        if guess and (best is None or guess.agreement > best.agreement):
            best = guess
        if best and best.agreement >= SURE:
            break
    return None if best is None else _refined(take, reference, best)


def _refined(take: Track, reference: Track, guess: _Guess) -> Match:
    """Once more, without the drift, which blurs the windows, and with a filter that suits both recordings."""
    speed = 1 + min(max(guess.line.slope, -MOST_DRIFT), MOST_DRIFT)
    take = track.stretched(take, speed)
    guess = guess.stretched(speed)
    suiting = fit.suited(take, reference, _places(guess.windows.centres[guess.near.any(axis=1)], guess))
    search = Search(take, reference, suiting.weighted(SEARCHING))
    found = _guess(search, guess.anchor)
    if found is None or found.apart(guess) > JITTER_S * RATE:  # a filter raises a strong reflection, too
        found = guess
    on_line = found.near.any(axis=1) | ~np.isnan(found.path.lags)  # so every stretch has a window
    places = _places(found.windows.centres[on_line], found)
    line, spread = fit.refined(take, reference, places, found.path.segments[on_line], suiting)
    starts, steps = _steps(search, found._replace(line=line))
    return Match(
        starts,
        (1 + line.slope) * speed - 1,
        [round(step / speed) for step in steps],
        max(guess.agreement, found.agreement) / (1 + (spread / WIDE) ** 4),
        [(round(first / speed), round(last / speed)) for first, last in _doubtful(found)],
    )


def _guess(search: Search, anchor: Anchor) -> _Guess | None:
    windows = lags.follow(search, anchor)
    if windows is None:
        return None
    chosen = path.choose(windows)
    if np.isnan(chosen.lags).all():
        return None
    line = fit.line(windows, chosen)
    near = np.abs(windows.lags - line.at(windows.centres, chosen.segments)[:, None]) <= JITTER_S * RATE
    return _Guess(anchor, windows, chosen, line, near) if near.any() else None


def _places(centres: NDArray[np.float64], guess: _Guess) -> fit.Places:
    """These moments of the take, each with its lag."""
    nearest = np.abs(guess.windows.centres[:, None] - centres).argmin(axis=0)
    at = guess.line.at(centres, guess.path.segments[nearest])
    return list(zip(centres.tolist(), at.tolist(), strict=True))


def _steps(search: Search, guess: _Guess) -> tuple[list[float], list[int]]:
    """The start of each stretch, and where they meet."""
    changes = [fine for change in _changes(guess.windows, guess.path, guess.line) for fine in _split(search, change)]
    starts = [float(guess.line.starts[0])]
    if not changes:
        return starts, []
    places = [(int(centre) - gaps.SIZE // 2, lag) for centre, lag in _places(_certain(guess, changes), guess)]
    filtering = gaps.response(search.take, search.reference, places)
    steps = [gaps.locate(search.take, search.reference, filtering, change) for change in changes]
    for change in changes:
        starts.append(starts[-1] + change.after - change.before)
    return starts, steps


def _certain(guess: _Guess, changes: list[Change]) -> NDArray[np.float64]:
    """Moments of the take at which the lag is known: none where a buffer may be missing, if there are others."""
    first, last = guess.windows.centres[[0, -1]].tolist()
    moments = np.linspace(first, last, min(MOST_PLACES, int(last - first) // gaps.SIZE * 2 + 2))
    changing = [(change.first < moments) & (moments < change.last) for change in changes]
    certain = moments[~np.any(changing, axis=0)]
    return np.asarray(certain if len(certain) else moments, np.float64)


def _changes(windows: Windows, chosen: Chosen, line: Line) -> list[Change]:
    used = np.flatnonzero(~np.isnan(chosen.lags))
    changes = []
    for before, after in zip(used[:-1].tolist(), used[1:].tolist(), strict=True):
        if chosen.segments[after] > chosen.segments[before]:
            first, last = int(windows.centres[before]) - WINDOW // 2, int(windows.centres[after]) + WINDOW // 2
            lag = line.starts[chosen.segments[[before, after]]] + line.slope * (first + last) / 2
            changes.append(Change(first, last, float(lag[0]), float(lag[1])))
    return changes


def _split(search: Search, change: Change) -> list[Change]:
    """A change that is several near each other, as shorter windows show it; else itself."""
    windows = lags.between_lags(search, change.first, change.last, (change.before, change.after))
    if windows is None:
        return [change]
    chosen = path.choose(windows, FINE_JUMP)
    used = ~np.isnan(chosen.lags)
    stretches = [np.flatnonzero(used & (chosen.segments == kind)) for kind in np.unique(chosen.segments[used])]
    inner = [each for each in stretches[1:-1] if len(each) > 1]
    levels = [change.before, *(float(np.median(chosen.lags[each])) for each in inner), change.after]
    edges = [change.first, *(int(np.median(windows.centres[each])) for each in inner), change.last]
    return [Change(*each) for each in zip(edges, edges[1:], levels, levels[1:], strict=False)]


def _doubtful(guess: _Guess) -> list[tuple[int, int]]:
    """Where two windows or more in a row are not on the line though the reference sounds."""
    off = guess.windows.audible & ~guess.near.any(axis=1)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], off, [False]]).astype(np.int8)))
    centres = guess.windows.centres
    runs = [(first, last) for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)]
    return [
        (int(centres[first]) - HOP // 2, int(centres[last - 1]) + HOP // 2) for first, last in runs if last - first > 1
    ]
