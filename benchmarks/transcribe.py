"""How well `transcribe` hears sounds and scores that it was not trained on, beside basic-pitch, and what both cost.

    python -m clefkit.train.heldout --data DATA --out SET --split validation
    python benchmarks/transcribe.py --set SET [--model notes ...] [--basic-pitch PYTHON] [--given] [--json FILE]

SET is made by the first line: recordings of one to four instruments, each as played and 40 cents sharp and flat, and
some without notes. PYTHON is the interpreter of an environment with basic-pitch, in which its own `predict` runs with
its defaults; without TensorFlow it takes its ONNX file:

    python -m venv peer && peer/bin/pip install --no-deps basic-pitch==0.4.0
    peer/bin/pip install librosa "resampy<0.4.3" scikit-learn mir_eval pretty_midi onnxruntime "setuptools<80"

Measures are those of `clefkit score`, means over files; a note is right within 50 ms and 50 cents of its own pitch.
Thresholds are the checkpoints' own. Tracks are judged where a checkpoint finds any, with `--given` told how many, too.
Cost is that of whole processes with one thread, on 24 s and on 30 minutes, both made of the set's recordings.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import watched

from clefkit import audio, notes, score
from clefkit.audio import Audio

FIGURES = ("note_precision", "note_recall", "note_f1", "note_offset_f1", "frame_f1")
TRACKS = ("track_f1", "track_offset_f1")
NUMBERED = (*TRACKS, "number_right")
LENGTHS_S = (24, 1800)
RATE = 44_100

# runs in the peer's environment, which knows nothing of ours; with one thread, as ours does
PEER = """
import contextlib, functools, json, logging, sys
logging.disable(logging.CRITICAL)
import onnxruntime
alone = onnxruntime.SessionOptions()
alone.intra_op_num_threads = 1
onnxruntime.InferenceSession = functools.partial(onnxruntime.InferenceSession, sess_options=alone)
from basic_pitch.inference import Model, predict
from basic_pitch import ICASSP_2022_MODEL_PATH
model = Model(ICASSP_2022_MODEL_PATH)
with open(sys.argv[1], "w") as out:
    for path in sys.stdin.read().splitlines():
        with contextlib.redirect_stdout(sys.stderr):
            _, midi, events = predict(path, model)
            midi.write(sys.argv[1] + ".mid")
        rows = [[float(start), float(end), int(pitch), float(loud)] for start, end, pitch, loud, _ in events]
        print(json.dumps(rows), file=out)
"""

Row = dict[str, Any]


class System(NamedTuple):
    """What is compared.

    run: files to be heard, and how many instruments there are in each if it is told; gives the notes of each
    command: for one file whose notes nobody reads, into a folder: arguments, and what it reads from stdin
    tells_apart: whether it can be told how many instruments there are
    """

    name: str
    run: Callable[[list[Path], int | None], list[notes.Notes]]
    command: Callable[[Path, Path], tuple[list[str], str]]
    tells_apart: bool


def main() -> None:
    parser = argparse.ArgumentParser(description="accuracy and cost of transcribe and of basic-pitch")
    parser.add_argument("--set", type=Path, required=True, help="a folder that clefkit.train.heldout made")
    parser.add_argument("--model", nargs="*", default=["notes"])
    parser.add_argument("--basic-pitch", type=Path, metavar="PYTHON", help="of an environment that has it")
    parser.add_argument("--given", action="store_true", help="also with the number of instruments told")
    parser.add_argument("--no-cost", action="store_true", help="accuracy only")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there, too, of each recording")
    asked = parser.parse_args()
    systems = [ours(name) for name in asked.model]
    systems += [peer(asked.basic_pitch)] if asked.basic_pitch else []
    files = json.loads((asked.set / "manifest.json").read_text(encoding="utf-8"))["files"]
    results: dict[str, Any] = {}
    for system in systems:
        found = accuracy(system, asked.set, files, given=False)
        told = accuracy(system, asked.set, files, given=True) if asked.given and system.tells_apart else []
        report(system.name, found, told)
        results[system.name] = {"files": found, "given": told, "cost": []}
    for system in [] if asked.no_cost else systems:
        for row in cost(system, asked.set, files):
            report_cost(system.name, row)
            results[system.name]["cost"].append(row)
    if asked.json:
        asked.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def ours(model: str) -> System:
    """A checkpoint of clefkit, through the program."""

    def command(paths: list[Path], out: Path, count: int | None) -> list[str]:
        told = [] if count is None else ["--instruments", str(count)]
        options = ["--model", model, "--out", str(out), "--jobs", "1", "--quiet", *told]
        return [sys.executable, "-m", "clefkit", "transcribe", *options, *map(str, paths)]

    def run(paths: list[Path], count: int | None) -> list[notes.Notes]:
        with tempfile.TemporaryDirectory(prefix="clefkit-") as out:
            subprocess.run(command(paths, Path(out), count), check=True, stdout=subprocess.DEVNULL)
            return [notes.read(Path(out) / f"{path.stem}.notes.mid") for path in paths]

    return System(model, run, lambda path, out: (command([path], out, None), ""), tells_apart=True)


def peer(python: Path) -> System:
    """basic-pitch as its authors ship it."""

    def run(paths: list[Path], count: int | None) -> list[notes.Notes]:  # noqa: ARG001 it knows no instruments
        with tempfile.TemporaryDirectory(prefix="clefkit-") as out:
            told, result = "\n".join(map(str, paths)), Path(out) / "notes"
            subprocess.run(
                [python, "-c", PEER, str(result)], input=told.encode(), check=True, stderr=subprocess.DEVNULL
            )
            rows = [np.array(json.loads(line)).reshape(-1, 4) for line in result.read_text().splitlines()]
        return [notes.make(each[:, 0], each[:, 1], each[:, 2], _velocity(each[:, 3])) for each in rows]

    def command(path: Path, out: Path) -> tuple[list[str], str]:
        return [str(python), "-c", PEER, str(out / "notes")], str(path)

    return System("basic-pitch", run, command, tells_apart=False)


def _velocity(loud: Any) -> Any:
    return np.clip(np.rint(127 * loud), 1, 127)


def accuracy(system: System, folder: Path, files: Sequence[Row], given: bool) -> list[Row]:
    """The manifest's rows, each with what `score` measured of it."""
    found = []
    for count in sorted({row["instruments"] for row in files}):
        rows = [row for row in files if row["instruments"] == count]
        if given and count < 2:
            continue
        estimates = system.run([folder / row["file"] for row in rows], count if given else None)
        for row, estimate in zip(rows, estimates, strict=True):
            reference = notes.read(folder / row["reference"]["file"])
            seconds = audio.shape(folder / row["file"])
            known = {"file": row["file"], "source": row["source"], "count": count, "cents": row["cents"]}
            known |= {"preset": row.get("preset", ""), "seconds": seconds.frames / seconds.rate}
            found.append(known | score.compare(reference, estimate))
    return found


def cost(system: System, folder: Path, files: Sequence[Row]) -> Iterator[Row]:
    """CPU time and peak memory of whole processes with one thread; on the shorter file the best of three."""
    music = [folder / row["file"] for row in files if row["instruments"] and not row["cents"]]
    with tempfile.TemporaryDirectory(prefix="clefkit-") as name:
        for seconds in LENGTHS_S:
            path = Path(name) / f"{seconds}.wav"
            audio.write(path, Audio(_medley(music, seconds), RATE))
            cpu_s, peak_mb = min(_watched(system, path) for _ in range(3 if seconds < 60 else 1))
            yield {"seconds": seconds, "cpu_s": cpu_s, "cpu_s_per_s": cpu_s / seconds, "peak_mb": peak_mb}


def _medley(paths: Sequence[Path], seconds: int) -> audio.Samples:
    """The recordings one after another, again and again, mono."""
    whole = np.zeros((1, seconds * RATE), np.float32)
    at = 0
    while at < whole.shape[1]:
        for path in paths:
            piece = audio.read(path).samples.mean(axis=0)[: whole.shape[1] - at]
            whole[0, at : at + len(piece)] = piece
            at += len(piece)
    return whole


def _watched(system: System, path: Path) -> tuple[float, float]:
    """CPU seconds and peak megabytes, with nothing left of a run before."""
    alone = {**os.environ, **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")}
    with tempfile.TemporaryDirectory(prefix="clefkit-") as out:
        command, told = system.command(path, Path(out))
        used = watched.run(command, told, alone)
    return used.cpu_s, used.peak_mb


def report(name: str, files: Sequence[Row], told: Sequence[Row]) -> None:
    rows = [row for row in files if row["count"]]
    for cents in sorted({row["cents"] for row in rows}, key=abs):
        print(f"\n{name}, {cents:+d} cents" if cents else f"\n{name}")
        table([row for row in rows if row["cents"] == cents], FIGURES)
    print(f"\n{name}, by where it was recorded")
    plain = [row for row in rows if not row["cents"]]
    for preset in sorted({row["preset"] for row in plain}):
        line(preset or "dry", [row for row in plain if row["preset"] == preset], FIGURES)
    if any(row["est_tracks"] > 1 for row in rows):
        print(f"\n{name}, tracks, number not told")
        table([row | {"number_right": float(row["est_tracks"] == row["ref_tracks"])} for row in plain], NUMBERED)
    if told:
        print(f"\n{name}, tracks, number told")
        table([row for row in told if not row["cents"]], TRACKS)
    print(f"\n{name}, no notes in it\tnotes a minute")
    for row in files:
        if not row["count"]:
            print(f"{row['file']}\t{row['est_notes'] * 60 / row['seconds']:.1f}", flush=True)


def report_cost(name: str, row: Row) -> None:
    each = f"{row['cpu_s']:.2f} CPU s, {row['cpu_s_per_s']:.4f} a second, peak {row['peak_mb']:.0f} MiB"
    print(f"{name}, {row['seconds']} s: {each}", flush=True)


def table(rows: Sequence[Row], figures: Sequence[str]) -> None:
    """Means by number of instruments and source, by number, and of all."""
    print("\t".join(["instruments", "source", "files", *figures]))
    counts = sorted({row["count"] for row in rows})
    for count in counts:
        mine = [row for row in rows if row["count"] == count]
        for source in sorted({row["source"] for row in mine}):
            line(f"{count}\t{source}", [row for row in mine if row["source"] == source], figures)
        line(f"{count}\tboth", mine, figures)
    line("all\tboth", rows, figures)


def line(label: str, rows: Sequence[Row], figures: Sequence[str]) -> None:
    print("\t".join([label, str(len(rows)), *(f"{np.mean([row[figure] for row in rows]):.3f}" for figure in figures)]))


if __name__ == "__main__":
    main()
