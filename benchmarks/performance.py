"""Whether `render --human` plays as pianists do: `python benchmarks/performance.py DATA [--split train] [--fit]`.

DATA holds `asap/` (Foscarin et al. 2020): performances of scores, aligned beat by beat. A score's notes become what
`clefkit.render.human` reads; its tempo and velocity curves are compared with each pianist's, less the written tempo.
Curves: the logarithm of a beat's duration, outliers past four robust deviations clipped; the velocity of each note.
Figures are means over pieces, in brackets 95 % bootstrap intervals over pieces. Against them: the same notes as
written, and noise of the same spread (white, and with power 1/f). Explained is 1 less the squared error over that of a
flat curve, as it is (all pieces together) and after the best scale of each curve.
`--fit` prints the strengths of the rules, by least squares without negative ones, each piece counting the same: run on
the training split it gives those in `clefkit/render/rules.py`.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import warnings
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.random import Generator
from scipy import optimize

from clefkit.render import human, jitter
from clefkit.render import reading as reads
from clefkit.render.human import RULES, Line
from clefkit.render.line import Array, Truth, Whole

Rows = dict[str, dict[str, list[float]]]
BOOTSTRAPS = 10_000
NEAR_QUARTERS = 0.2  # a key within this of a written note of its pitch is that note
NEAR_S = 0.25
STEP = 0.25  # quarters: what a measure that is not as long as its time signature says may be off by
FARTHEST = 24.0
SLIP = 4.0  # notes that must speak for it before we believe that a measure is irregular
LEAST_MATCHED = 0.8


class Performed(NamedTuple):
    """One performance of a score.

    piece, split, composer: as in ASAP
    onset, duration, pitch, velocity, track: (notes,), the score; quarters
    beat_quarter, beat_s, beat_unit: (beats,), places in the score, times in the performance, quarters
    downbeat: (beats,), bool; key: (beats,), sharps
    written_s: (beats,), seconds per quarter of the score's own tempo
    played_s, played_velocity: (notes,), nan where no key of the performance belongs to the note
    """

    piece: str
    split: str
    composer: str
    performance: str
    onset: Array
    duration: Array
    pitch: Array
    velocity: Array
    track: Whole
    beat_quarter: Array
    beat_s: Array
    beat_unit: Array
    downbeat: Truth
    key: Whole
    written_s: Array
    played_s: Array
    played_velocity: Array


def read(folder: Path, split: str) -> Iterator[Performed]:
    """Performances of a split whose beats are aligned and whose notes are found in the score (four fifths at least)."""
    scores = {row["folder"]: int(row["index"]) for row in _table(folder / "asap_scores.csv")}
    written, played = (dict(np.load(folder / f"asap_{name}.npz")) for name in ("scores", "performances"))
    with gzip.open(folder / "asap_beats.json.gz", "rt", encoding="utf-8") as file:
        beats = json.load(file)
    for row in _table(folder / "asap_performances.csv"):
        known = beats.get(f"{row['folder']}/{row['performance']}")
        score = scores.get(row["score"].rsplit("/", 1)[0])
        if row["split"] != split or score is None or not known or not known["aligned"]:
            continue
        found = _together(row, _rows(written, score), _rows(played, int(row["index"])), known)
        if np.isfinite(found.played_s).mean() >= LEAST_MATCHED:
            yield found


def _table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _rows(columns: dict[str, Any], index: int) -> dict[str, Any]:
    first, last = (int(place) for place in columns["note_offset"][index : index + 2])
    return {name: column[first:last].astype(np.float64) for name, column in columns.items() if len(column) >= last}


def _together(row: dict[str, str], score: dict[str, Any], played: dict[str, Any], known: dict[str, Any]) -> Performed:
    beat_s = np.array(known["beats"])
    unit = _held(known["time_signatures"], beat_s, _unit)
    own = np.array(known["score_beats"])
    regular = own[0] * unit[0] / (own[1] - own[0]) + np.concatenate([[0.0], np.cumsum(unit[:-1])])
    key_s = played["onset_ms"] / 1000
    beat_quarter = _slipped(regular, beat_s, key_s, played["pitch"], score)
    which = _matched(score, np.interp(score["onset_quarters"], beat_quarter, beat_s), key_s, played["pitch"])
    which[(score["onset_quarters"] < beat_quarter[0]) | (score["onset_quarters"] > beat_quarter[-1])] = -1
    found = which >= 0
    lengths = np.append(np.diff(beat_quarter), unit[-1])
    down = np.isin(np.round(beat_s, 3), np.round(np.array(known["downbeats"]), 3))
    return Performed(
        piece=row["piece"],
        split=row["split"],
        composer=row["composer"],
        performance=row["performance"],
        onset=score["onset_quarters"],
        duration=score["duration_quarters"],
        pitch=score["pitch"],
        velocity=score["velocity"],
        track=score["track"].astype(np.int64),
        beat_quarter=beat_quarter,
        beat_s=beat_s,
        beat_unit=unit,
        downbeat=down,
        key=_held(known["key_signature_sharps"], beat_s, float).astype(np.int64),
        written_s=np.append(np.diff(own), own[-1] - own[-2]) / np.maximum(lengths, STEP),
        played_s=np.where(found, key_s[which], np.nan),
        played_velocity=np.where(found, played["velocity"][which], np.nan),
    )


def _unit(time: str) -> float:
    """What ASAP calls a beat: dotted where beats come in threes, whatever they are written in."""
    count, kind = (int(number) for number in time.split("/"))
    return (3.0 if count > 3 and count % 3 == 0 else 1.0) * 4.0 / kind


def _held(changes: dict[str, Any], times_s: Array, value: Any) -> Array:
    at = np.array([float(time) for time in changes])
    values = np.array([value(item) for item in changes.values()], dtype=np.float64)
    return np.asarray(values[np.clip(np.searchsorted(at, times_s + 1e-3, side="right") - 1, 0, None)])


def _slipped(regular: Array, beat_s: Array, key_s: Array, pitch: Array, score: dict[str, Any]) -> Array:
    """Where beats are, if measures may be longer or shorter than their time signature says.

    The path of slips under which the most keys fall on written notes of their pitch, each change costing `SLIP`
    (Viterbi).
    """
    slips = np.arange(-FARTHEST, FARTHEST + STEP, STEP)
    beat = np.searchsorted(beat_s, key_s, side="right") - 1
    inside = (beat >= 0) & (beat < len(beat_s) - 1)
    place = np.interp(key_s, beat_s, regular)
    found = np.zeros((len(beat_s), len(slips)))
    order = np.lexsort((score["onset_quarters"], score["pitch"]))
    line = score["pitch"][order] * 1e5 + score["onset_quarters"][order]
    for index, slip in enumerate(slips):
        wanted = pitch * 1e5 + place + slip
        right = np.clip(np.searchsorted(line, wanted), 1, len(line) - 1)
        near = np.minimum(np.abs(line[right] - wanted), np.abs(line[right - 1] - wanted)) < NEAR_QUARTERS
        found[:, index] = np.bincount(beat[inside & near], minlength=len(beat_s))
    total, came = found[0].copy(), np.zeros(found.shape, np.int64)
    for index in range(1, len(found)):
        best = int(np.argmax(total))
        stay = total >= total[best] - SLIP
        came[index] = np.where(stay, np.arange(len(slips)), best)
        total = np.where(stay, total, total[best] - SLIP) + found[index]
    path = np.empty(len(found), np.int64)
    path[-1] = int(np.argmax(total))
    for index in range(len(found) - 1, 0, -1):
        path[index - 1] = came[index, path[index]]
    return np.maximum.accumulate(regular + slips[path] + np.arange(len(path)) * 1e-9)


def _matched(score: dict[str, Any], expected_s: Array, key_s: Array, pitch: Array) -> Whole:
    """For each written note the nearest key of its pitch, -1 when none is near."""
    which = np.full(len(expected_s), -1)
    for one in np.unique(score["pitch"]):
        mine, theirs = np.flatnonzero(score["pitch"] == one), np.flatnonzero(pitch == one)
        if len(theirs):
            right = np.searchsorted(key_s[theirs], expected_s[mine])
            both = np.clip(np.stack([right - 1, right]), 0, len(theirs) - 1)
            off = np.abs(key_s[theirs][both] - expected_s[mine])
            near = both[off.argmin(axis=0), np.arange(len(mine))]
            which[mine] = np.where(off.min(axis=0) < NEAR_S, theirs[near], -1)
    return which


def main() -> None:
    parser = argparse.ArgumentParser(description="tempo and loudness of `render --human` against pianists'")
    parser.add_argument("data", type=Path)
    parser.add_argument("--split", default="validation", choices=["train", "validation"])
    parser.add_argument("--amount", type=float, default=0.5)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--fit", action="store_true", help="print the strengths of the rules")
    asked = parser.parse_args()
    scores: dict[Any, list[Performed]] = defaultdict(list)
    for each in read(asked.data / "asap", asked.split):
        scores[each.piece, len(each.onset), len(each.beat_s)].append(each)
    takes = list(scores.values())
    print(f"{asked.split}: {len({one[0].piece for one in takes})} pieces, {sum(map(len, takes))} performances")
    if asked.fit:
        fit(takes)
    else:
        compare(takes, asked.amount, asked.seeds)


def line_of(score: Performed) -> tuple[Line, Whole]:
    """What the rules read, and the order of its notes."""
    order = np.lexsort((score.pitch, score.onset))
    down = score.downbeat.copy()
    down[0] = True
    duration = np.maximum(score.duration, 1e-3)
    beat = np.clip(np.searchsorted(score.beat_quarter, score.onset[order] + 1e-6, side="right") - 1, 0, None)
    nothing = np.zeros(len(order), np.bool_)
    line = Line(
        score.onset[order], duration[order], score.pitch[order], np.zeros(len(order), np.int64), score.track[order],
        score.velocity[order], nothing, nothing, score.beat_quarter[down], score.beat_unit[down], score.key[down],
        score.written_s[beat], (float((score.onset + duration).max()),),
    )  # fmt: skip
    return line, order


def pianist_tempo(played: Performed) -> Array:
    """(beats - 1,), mean 0; nan where the score's beats are irregular."""
    took, length = np.diff(played.beat_s), np.diff(played.beat_quarter)
    regular = (took > 0.02) & (np.abs(length / played.beat_unit[:-1] - 1) < 0.6)
    curve = np.full(len(took), np.nan)
    curve[regular] = np.log(took[regular] / length[regular] / played.written_s[:-1][regular])
    curve -= np.nanmedian(curve)
    most = 4 * 1.4826 * np.nanmedian(np.abs(curve))
    curve = np.clip(curve, -most, most)
    return np.asarray(curve - np.nanmean(curve))


def middles(score: Performed) -> Array:
    return np.asarray((score.beat_quarter[1:] + score.beat_quarter[:-1]) / 2)


def fit(takes: list[list[Performed]]) -> None:
    tempo, loud = [], []
    for played in takes:
        line, order = line_of(played[0])
        reading = reads.read(line)
        effects = {name: rule.effect(reading) for name, rule in RULES.items()}
        points = (reading.beats + reading.beat_end) / 2
        beats = middles(played[0])
        curves = {n: np.interp(beats, points, e.tempo) for n, e in effects.items() if e.tempo is not None}
        tempo.append((curves, _mean([pianist_tempo(one) for one in played])))
        louder = {name: effect.velocity for name, effect in effects.items() if effect.velocity is not None}
        heard = [one.played_velocity[order] - line.velocity for one in played]
        loud.append((louder, _mean([each - np.nanmean(each) for each in heard])))
    for kind, rows in (("tempo", tempo), ("velocity", loud)):
        for name, strength in _least_squares(rows).items():
            print(f"{kind:10}{name:22}{strength:8.3f}")


def _mean(curves: list[Array]) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # where nobody played
        return np.asarray(np.nanmean(curves, axis=0))


def _least_squares(rows: list[tuple[dict[str, Array], Array]]) -> dict[str, float]:
    left, right = [], []
    for curves, wanted in rows:
        known = np.isfinite(wanted)
        each = np.stack([curve[known] for curve in curves.values()], axis=1)
        left.append((each - each.mean(axis=0)) / np.sqrt(known.sum()))
        right.append((wanted[known] - wanted[known].mean()) / np.sqrt(known.sum()))
    found, _ = optimize.nnls(np.concatenate(left), np.concatenate(right))
    return dict(zip(rows[0][0], found.tolist(), strict=True))


def compare(takes: list[list[Performed]], amount: float, seeds: int) -> None:
    """Print the table."""
    tempo: Rows = defaultdict(lambda: defaultdict(list))
    loud: Rows = defaultdict(lambda: defaultdict(list))
    for played in takes:
        line, order = line_of(played[0])
        pianists = [pianist_tempo(one) for one in played]
        keys = [one.played_velocity[order] for one in played]
        for seed in range(seeds):
            chance = np.random.default_rng(seed)
            view = human.interpret(line, amount, chance)
            ours = np.log(np.interp(middles(played[0]), view.tempo_onset, view.tempo_factor))
            _against(tempo[played[0].piece], pianists, {"human": ours, **_noise(ours, chance)})
            velocity = np.clip(line.velocity + view.velocity, 1, 127)
            _against(
                loud[played[0].piece], keys, {"human": velocity, "written": line.velocity, **_noise(velocity, chance)}
            )
    for title, rows in (("tempo, per beat", tempo), ("velocity, per note", loud)):
        _table_of(title, rows)


def _noise(curve: Array, chance: Generator) -> dict[str, Array]:
    white, pink = chance.standard_normal(len(curve)), jitter.pink(len(curve), chance)
    return {name: curve.std() / noise.std() * noise for name, noise in (("white noise", white), ("1/f noise", pink))}


def _against(row: dict[str, list[float]], pianists: list[Array], curves: dict[str, Array]) -> None:
    for one, theirs in enumerate(pianists):
        known = np.isfinite(theirs)
        wanted = theirs[known] - theirs[known].mean()
        row["pianist whole"].append(float(np.mean(wanted**2)))
        row["pianist spread"].append(float(wanted.std()))
        row["pianist slow"].append(_correlation(wanted[1:], wanted[:-1]))
        for other in pianists[one + 1 :]:
            both = known & np.isfinite(other)
            row["another pianist r"].append(_correlation(theirs[both], other[both]))
        for name, curve in curves.items():
            each = curve[known] - curve[known].mean()
            relation = _correlation(each, wanted)
            row[f"{name} r"].append(relation)
            row[f"{name} left"].append(float(np.mean((wanted - each) ** 2)))
            row[f"{name} scaled"].append(max(relation, 0.0) ** 2)
            row[f"{name} spread"].append(float(each.std()))
            row[f"{name} slow"].append(_correlation(each[1:], each[:-1]))


def _correlation(first: Array, second: Array) -> float:
    if len(first) < 3 or first.std() < 1e-9 or second.std() < 1e-9:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _table_of(title: str, rows: Rows) -> None:
    figures: dict[str, Array] = {
        name: np.array([float(np.mean(row[name])) for row in rows.values() if row[name]]) for name in _names(rows)
    }
    print(f"\n{title:34}   r to a pianist        explained   after scaling")
    for name in ("human", "written", "white noise", "1/f noise", "another pianist"):
        if f"{name} r" in figures:
            cells = ""
            if f"{name} left" in figures:
                explained = 1 - figures[f"{name} left"].mean() / figures["pianist whole"].mean()
                cells = f"{explained:14.3f}{figures[f'{name} scaled'].mean():14.3f}"
            print(f"  {name:30}{_interval(figures[f'{name} r'])}{cells}")
    for other in ("written", "white noise", "1/f noise"):
        if f"{other} r" in figures:
            print(f"  human less {other:19}{_interval(figures['human r'] - figures[f'{other} r'])}")
    for kind, told in (("spread", "standard deviation"), ("slow", "correlation with the next")):
        theirs = np.quantile(np.concatenate([row[f"pianist {kind}"] for row in rows.values()]), [0.05, 0.5, 0.95])
        ours = np.concatenate([row[f"human {kind}"] for row in rows.values()])
        inside = np.mean((ours >= theirs[0]) & (ours <= theirs[2]))
        low, middle, high = np.quantile(ours, [0.05, 0.5, 0.95])
        print(f"  {told}: {middle:.3f} ({low:.3f} to {high:.3f}), of pianists {theirs[1]:.3f} ({theirs[0]:.3f} to "
              f"{theirs[2]:.3f}); {100 * inside:.0f} % inside")  # fmt: skip


def _names(rows: Rows) -> list[str]:
    return list(dict.fromkeys(name for row in rows.values() for name in row))


def _interval(values: Array) -> str:
    """Mean and 95 % interval over pieces."""
    draws = np.random.default_rng(0).integers(0, len(values), (BOOTSTRAPS, len(values)))
    low, high = np.quantile(values[draws].mean(axis=1), [0.025, 0.975])
    return f"{values.mean():6.3f} ({low:6.3f} to {high:6.3f})"


if __name__ == "__main__":
    main()
