"""Critics against each other and against MusPy's metrics: can they tell music from what was spoilt?

    python benchmarks/critique.py --data DATA --pieces pieces.npz --model critic critic-roll --muspy PYTHON

Excerpts of 30 s of works of the test split (`clefkit/train/pieces.py`), each with twins of five kinds at five
severities and harmless twins (`clefkit/train/trial.py`). A checkpoint calls music what it gives P(real) of .5 or more;
MusPy's metrics have no verdict, so theirs are AUC and pairs alone. PYTHON is one that has muspy (pip install muspy).

    auc       that a real excerpt scores higher than a spoilt one, of any piece
    paired    that it scores higher than its own twin
    caught    of spoilt ones, at all severities, and at .1 alone
    spearman  of score and severity within an excerpt
    note f1   of the notes that were changed
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clefkit import registry
from clefkit.critique import infer, reading
from clefkit.critique.table import ONSET, Table
from clefkit.train import critics, pieces, trial
from clefkit.train.trial import Case

WINDOW_MS = 10_000
METRICS = ("scale_consistency", "pitch_class_entropy", "pitch_entropy", "polyphony_rate", "groove_consistency")
ASK = f"""
import json, sys
import muspy
for line in sys.stdin:
    music = muspy.Music(resolution=24, tempos=[muspy.Tempo(0, 120)], tracks=[muspy.Track(notes=[
        muspy.Note(round(onset * 0.048), pitch, max(1, round(duration * 0.048)), velocity)
        for onset, duration, pitch, velocity in json.loads(line)])])
    values = [getattr(muspy, name)(music) for name in {METRICS[:4]!r}]
    values.append(muspy.groove_consistency(music, 96))
    print(json.dumps([value if value == value else 0.0 for value in values]), flush=True)
"""


def judged(name: str, cases: Sequence[Case]) -> list[infer.Judgement]:
    """What a checkpoint says of each case."""
    critic = infer.load(registry.checkpoint(name).path)
    return [infer.judge(case.notes, critic, reading.domain(case.notes)) for case in cases]


def windows(cases: Sequence[Case]) -> list[Table]:
    """10 s of each real excerpt."""
    real = [case.notes for case in cases if case.kind == trial.REAL]
    cut = [notes[notes[:, ONSET] < notes[0, ONSET] + WINDOW_MS] for notes in real]
    return [notes for notes in cut if len(notes) >= infer.LEAST_NOTES]


def speed(name: str, cut: Sequence[Table]) -> float:
    """Windows that the reward takes a second of CPU time."""
    critic = infer.load(registry.checkpoint(name).path)
    infer.rewards(cut, critic)
    began = time.process_time()
    infer.rewards(cut, critic)
    return len(cut) / (time.process_time() - began)


def metrics(python: str, cases: Sequence[Case]) -> dict[str, NDArray[np.float64]]:
    """MusPy's metrics of each case; entropies negated, so that more is more like music."""
    asked = "".join(json.dumps(case.notes.tolist()) + "\n" for case in cases)
    done = subprocess.run([python, "-c", ASK], input=asked, capture_output=True, text=True, check=True)
    rows = np.array([json.loads(line) for line in done.stdout.splitlines()])
    return {name: rows[:, index] * (-1 if "entropy" in name else 1) for index, name in enumerate(METRICS)}


def show(title: str, rows: list[tuple[str, list[float | None]]], columns: Sequence[str]) -> None:
    print(f"\n{title}")
    print("| kind | " + " | ".join(columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for name, values in rows:
        print(f"| {name} | " + " | ".join("" if value is None else f"{value:.3f}" for value in values) + " |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="as for `clefkit train`; needed once, to read the pieces")
    parser.add_argument("--pieces", type=Path, required=True, help="where they are kept, once read")
    parser.add_argument("--collection", nargs="*", default=list(critics.FREE), help="of pieces; these alone")
    parser.add_argument("--split", default="test", choices=("test", "validation"))
    parser.add_argument("--excerpts", type=int, default=40, help="of each collection and domain")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--model", nargs="*", default=["critic"])
    parser.add_argument("--muspy", metavar="PYTHON")
    parser.add_argument("--by-group", action="store_true", help="real ones kept, by collection and domain")
    asked = parser.parse_args()
    music = pieces.read(asked.data or Path(), asked.pieces, asked.collection)
    music = [piece for piece in music if piece.collection in asked.collection]
    cases = trial.cases(music, asked.split, asked.excerpts, 1, excerpt_ms=round(asked.seconds * 1000))
    real = sum(case.kind == trial.REAL for case in cases)
    print(f"{real} excerpts of {asked.seconds:g} s, {len(cases)} cases, {asked.split} split")
    cut = windows(cases)
    print(f"windows of 10 s for the reward: {len(cut)}, of {np.mean([len(each) for each in cut]):.0f} notes")
    for name in asked.model:
        began = time.process_time()
        said = judged(name, cases)
        cost_ms = (time.process_time() - began) / len(cases) * 1000
        scores = np.array([each.logit for each in said])
        limit = infer.load(registry.checkpoint(name).path).thresholds["pitch"]
        marks = [each.marks[:, 0] for each in said]
        figures = trial.figures(cases, scores, 0.0)
        rows: list[tuple[str, list[float | None]]] = []
        for kind, row in figures.items():
            named = kind in ("off-key", "noise", "stray") and name != "critic-roll"
            rows.append((kind, [*row, trial.note_f1(cases, marks, limit, kind) if named else None]))
        show(
            f"{name}, {cost_ms:.1f} CPU ms a case, reward {speed(name, cut):.0f} windows a CPU second",
            rows,
            [*trial.Figures._fields, "note f1"],
        )
        kept = trial.kept(cases, scores, 0.0)
        print("kept: " + ", ".join(f"{key} {value:.3f}" for key, value in kept.items()))
        drops = trial.drops(cases, np.array([each.p_real for each in said]))
        print("mean change of P(real): " + ", ".join(f"{key} {value:+.3f}" for key, value in drops.items()))
        if asked.by_group:
            for group in sorted({case.group for case in cases}):
                mine = [index for index, case in enumerate(cases) if case.group == group]
                here = [cases[index] for index in mine]
                found = trial.figures(here, scores[mine], 0.0)
                aucs = ", ".join(f"{kind} {row.auc:.3f}" for kind, row in found.items())
                print(f"  {group}: real kept {trial.kept(here, scores[mine], 0.0)[trial.REAL]:.3f}; AUC {aucs}")
    if asked.muspy:
        for name, scores in metrics(asked.muspy, cases).items():
            figures = trial.figures(cases, scores, 0.0)
            show(f"MusPy {name}", [(kind, [row.auc, row.paired]) for kind, row in figures.items()], ["auc", "paired"])


if __name__ == "__main__":
    main()
