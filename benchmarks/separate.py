"""How well `separate` takes mixtures apart, beside blind peers and bounds, whether it adds up, and what it costs.

    python benchmarks/separate.py --data DATA --work WORK --split validation    # builds the set where there is none
    python benchmarks/separate.py --set SET --work WORK --only mixtures,labels --first 3 --skip-peers

Mixtures are those of `clefkit.train.separate.heldout`: string quartets that training never reads, on sounds that it
never hears, and at half time the voices change hands. All figures are also written to WORK/separate.json.

mixtures: SI-SDR above that of the mixture, mean over instruments, then over mixtures, as `clefkit score` has it: best
assignment, and an instrument without a stem counts as silence. "worst" is the mean of each mixture's worst instrument.
stereo: the same mixtures, but each instrument panned to a place of its own (constant power), instruments spread evenly.
labels: true notes shared out by timbre, the number of instruments given; all notes of a group count alike.
names: how many stems are called what their instrument is, the number given; what has no name of its own in the table
of `tag`, such as a celesta, may have one that is near it, which is not counted.
solos: how many stay one stem when the number isn't given.
sum: stems and rest against the mixture; and sudden changes (second differences) within 10 ms of where pieces begin,
beside other places, in three minutes: mean and largest. Music changes there, too: the mixture shows by how much.
cost: ten minutes of stereo, the number not given, on one core with one thread, the whole program.

Peers and bounds are those of `blind`.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import watched
from blind import Method, Mixture, by_cepstra, by_oracle, harmonic_and_percussive, ideal
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from clefkit import audio, record
from clefkit import notes as note_files
from clefkit.audio import Audio
from clefkit.grid import Grid
from clefkit.notes import Part
from clefkit.score import separation
from clefkit.separate import stems, whose
from clefkit.train.heldout_sounds import SPLITS
from clefkit.train.separate import heldout
from clefkit.train.tag import players

PARTS = ("mixtures", "stereo", "labels", "names", "solos", "sum", "cost")
GIVEN, UNTOLD = "clefkit, number given", "clefkit, number not given"
KMEANS = "NMF, k-means, number given"
TINY = np.float32(1e-9)
LEAST_SUM_DB = -60.0
SEAMS_S, NEAR_S, PLACES = 180, 0.01, 1000
COST_S, FADE_S = 600, 0.02

Array = NDArray[np.float32]
Result = dict[str, Any]


def grouped(mixtures: list[Mixture]) -> dict[str, NDArray[np.bool_]]:
    """Which mixtures are in each group that has any."""
    kinds = [("all", str(each.number), each.source, "room" if each.room else "dry") for each in mixtures]
    names = ("all", "2", "3", "4", "freepats", "musescore", "dry", "room")
    return {name: np.array([name in kind for kind in kinds]) for name in names if any(name in kind for kind in kinds)}


class Program(NamedTuple):
    """model: that refines masks; out: a folder that is kept as long as the benchmark runs"""

    model: str
    out: Path

    def command(self, path: Path, out: Path, *options: str) -> list[str]:
        told = ["--quiet", "--force", "--jobs", "1", "--model", self.model, "--out", str(out), *options]
        return [sys.executable, "-m", "clefkit", "separate", *told, str(path)]


class Separated(NamedTuple):
    """printed: what the program says it made; stems: those of them that are an instrument's; rest: beside them"""

    printed: list[Path]
    stems: list[Path]
    rest: Path


@functools.cache
def separated(program: Program, path: Path, *options: str) -> Separated:
    """A file, taken apart by the program, once."""
    out = Path(tempfile.mkdtemp(dir=program.out))
    done = subprocess.run(program.command(path, out, *options), check=True, stdout=subprocess.PIPE, text=True)
    printed = [Path(line) for line in done.stdout.splitlines()]
    rest = out / f"{path.stem}.rest{printed[0].suffix}"
    return Separated(printed, [each for each in printed if each.name != rest.name], rest)


def ours(program: Program, options: Callable[[Mixture], Sequence[str]]) -> Method:
    def method(mixture: Mixture) -> Iterator[list[Array]]:
        yield [audio.read(path).samples for path in separated(program, mixture.path, *options(mixture)).printed]

    return method


def methods(program: Program, *, peers: bool) -> Iterator[tuple[str, Method]]:
    yield GIVEN, ours(program, lambda mixture: ("--instruments", str(mixture.number)))
    yield UNTOLD, ours(program, lambda _: ())
    yield "clefkit, true notes and labels", ours(program, lambda mixture: ("--notes", str(mixture.reference)))
    if peers:
        yield KMEANS, by_cepstra
        yield "HPSS, 2 stems", harmonic_and_percussive
        yield "NMF, oracle clusters", by_oracle
        yield "ideal ratio mask", ideal


def judged(mixture: Mixture, found: Iterator[list[Array]]) -> Result:
    """What `clefkit score` says of a mixture, mean over several answers."""
    sound = audio.read(mixture.path)
    true = [audio.read(path).samples for path in mixture.stems]
    told = [separation.compare(true, each, sound.rate, sound.samples) for each in found]
    return {
        "file": mixture.path.name,
        "improvement": float(np.mean([each["si_sdr_improvement"] for each in told])),
        "worst": float(np.mean([min(row["si_sdr_improvement"] for row in each["stems"]) for each in told])),
    }


def compare(program: Program, mixtures: list[Mixture], *, peers: bool) -> Result:
    """Print a line for each method."""
    groups, results = grouped(mixtures), dict[str, Result]()
    print(f"{'SI-SDR improvement, dB':32}" + "".join(f"{name:>10}" for name in groups) + "     worst  number")
    print(f"{'':32}" + "".join(f"{f'of {inside.sum()}':>10}" for inside in groups.values()))
    for name, method in methods(program, peers=peers):
        rows = [judged(each, method(each)) for each in mixtures]
        improved, worst = (np.array([row[key] for row in rows]) for key in ("improvement", "worst"))
        means = {group: float(improved[inside].mean()) for group, inside in groups.items()}
        results[name] = {"means": means | {"worst": float(worst.mean())}, "files": rows}
        print(f"{name:32}" + "".join(f"{value:10.2f}" for value in means.values()) + f"{worst.mean():10.2f}", end="")
        if name == UNTOLD:
            numbers = [len(separated(program, each.path).stems) for each in mixtures]
            right = sum(number == each.number for number, each in zip(numbers, mixtures, strict=True))
            results[name] |= {"stems": numbers, "number_right": right}
            print(f"{right:5} of {len(numbers)}", end="")
        print(flush=True)
    if peers:
        own, peer = results[GIVEN]["means"], results[KMEANS]["means"]
        unbeaten = ", ".join(name for name in own if own[name] <= peer[name])
        print(f"{KMEANS}: {f'not beaten in {unbeaten}' if unbeaten else 'beaten in every group'}")
    return results


def panned(program: Program, mixture: Mixture) -> Mixture:
    """Another mixture of the same stems, in stereo."""
    folder = program.out / f"panned-{mixture.path.stem}"
    folder.mkdir()
    sounds, rate = [audio.read(path).samples for path in mixture.stems], audio.shape(mixture.path).rate
    angles = np.linspace(0, np.pi / 2, 2 * len(sounds) + 1)[1::2]
    angles = np.random.default_rng(list(mixture.path.name.encode())).permutation(angles)
    stereo = [
        np.array([[np.cos(to)], [np.sin(to)]], np.float32) * each for each, to in zip(sounds, angles, strict=True)
    ]
    stems = [folder / path.with_suffix(".wav").name for path in mixture.stems]
    for path, sound in zip(stems, stereo, strict=True):
        audio.write(path, Audio(sound, rate))
    whole = program.out / f"panned-{mixture.path.stem}.wav"
    audio.write(whole, Audio(np.sum(stereo, axis=0), rate))
    return mixture._replace(path=whole, stems=stems)


def labelled(mixtures: list[Mixture]) -> Result:
    """Print how many notes are put to those of their instrument."""
    rows = []
    for mixture in mixtures:
        truth = note_files.read(mixture.reference)
        nobody = replace(truth, part=np.zeros_like(truth.part), parts=(Part(),))
        found = whose.labels(mixture.path, nobody, mixture.number)
        table = np.zeros((mixture.number, int(found.max(initial=0)) + 1), np.int64)
        np.add.at(table, (truth.part, found), 1)
        right = int(table[linear_sum_assignment(table, maximize=True)].sum())
        most = int(table.sum(axis=1).max())
        rows.append({"file": mixture.path.name, "notes": len(truth), "right": right, "majority": most})
    groups, shares = grouped(mixtures), dict[str, Result]()
    print(f"{'share of true notes':32}" + "".join(f"{name:>10}" for name in groups))
    for title, key in ((GIVEN, "right"), ("majority class", "majority")):
        counts = np.array([(row[key], row["notes"]) for row in rows])
        shares[key] = {name: float(np.divide(*counts[inside].sum(axis=0))) for name, inside in groups.items()}
        print(f"{title:32}" + "".join(f"{share:10.3f}" for share in shares[key].values()), flush=True)
    return {"shares": shares, "files": rows}


def called(program: Program, mixtures: list[Mixture]) -> Result:
    """Print how many names of stems are right."""
    counts = Counter[str]()
    for mixture in mixtures:
        paths = separated(program, mixture.path, "--instruments", str(mixture.number)).stems
        sound, *found = (audio.read(path) for path in (mixture.path, *paths))
        true = [audio.read(path).samples for path in mixture.stems]
        rows = separation.compare(true, [each.samples for each in found], sound.rate, sound.samples)["stems"]
        parts = note_files.read(mixture.reference).parts
        for row in rows:
            if row["estimate"] is not None:
                stem = record.load(record.beside(paths[row["estimate"]]))["stem"]["name"]
                counts[verdict(re.sub(r" \d+$", "", stem), parts[row["reference"]].program)] += 1
    told = ", ".join(f"{counts[each]} {each}" for each in ("right", "wrong", "near", "none"))
    print(f"names of {counts.total()} stems: {told}", flush=True)
    return dict(counts)


def verdict(name: str, program: int) -> str:
    """Whether a name is that of a General MIDI instrument."""
    if name == "timbre":
        return "none"
    role = players.by_program(program)
    leaf = name.replace(" ", "_")
    return "right" if leaf == role.leaf else "near" if leaf in role.unknown else "wrong"


def alone(program: Program, solos: list[Mixture]) -> Result:
    """Print how many stay one stem."""
    found = {solo.path.name: len(separated(program, solo.path).stems) for solo in solos}
    others = ", ".join(f"{name} {count}" for name, count in found.items() if count != 1)
    one = sum(count == 1 for count in found.values())
    print(f"solos that stay one stem: {one} of {len(found)}" + (f" (stems: {others})" if others else ""), flush=True)
    return {"one": one, "of": len(found), "stems": found}


def adding_up(program: Program, every: list[Mixture]) -> Result:
    """Print how far stems and rest are from the mixture, at worst."""
    levels = {}
    for each in every:
        found = separated(program, each.path)
        true = audio.read(each.path).samples.astype(np.float64)
        made = sum((audio.read(path).samples for path in [*found.stems, found.rest]), np.zeros_like(true))
        levels[each.path.name] = level_db(np.linalg.norm(made - true), np.linalg.norm(true))
    worst = max(levels, key=lambda name: levels[name])
    told = "good" if levels[worst] <= LEAST_SUM_DB else f"should be under {LEAST_SUM_DB:.0f} dB"
    print(f"stems and rest minus the mixture: at most {levels[worst]:.1f} dB ({worst}): {told}", flush=True)
    return {"worst_db": levels[worst], "files": levels}


def level_db(amplitude: Any, other: Any) -> float:
    return float(20 * np.log10((amplitude + TINY) / (other + TINY)))


def joined(mixtures: list[Mixture], seconds: int) -> Audio:
    """Mono, one after another, faded at their ends, again and again."""
    rate = audio.shape(mixtures[0].path).rate
    ramp = np.linspace(0, 1, round(FADE_S * rate), dtype=np.float32)
    sounds = []
    for each in mixtures:
        sounds.append(audio.read(each.path).samples[0])
        sounds[-1][: len(ramp)] *= ramp
        sounds[-1][-len(ramp) :] *= ramp[::-1]
    return Audio(np.resize(np.concatenate(sounds), seconds * rate)[None], rate)


def seams(program: Program, mixtures: list[Mixture]) -> Result:
    """Print by how much sudden change is more where pieces begin."""
    sound = joined(mixtures, SEAMS_S)
    path = program.out / "seams.wav"
    audio.write(path, sound)
    near, step = round(NEAR_S * sound.rate), stems.STEP_FRAMES * Grid(sound.rate).hop
    borders = np.arange(step, SEAMS_S * sound.rate - near, step)
    places = np.random.default_rng(0).integers(near, SEAMS_S * sound.rate - near, PLACES)
    places = places[np.abs(places[:, None] - borders).min(axis=1) > 4 * near]

    def ratios_db(samples: Array) -> tuple[float, float]:
        changed = np.abs(np.diff(samples.mean(axis=0), 2, prepend=0, append=0))
        there, elsewhere = (changed[at[:, None] + np.arange(-near, near)] for at in (borders, places))
        return level_db(there.mean(), elsewhere.mean()), level_db(there.max(1).mean(), elsewhere.max(1).mean())

    made = separated(program, path, "--instruments", "3").stems
    found = {each.name: ratios_db(audio.read(each).samples) for each in (path, *made)}
    told = [f"{mean:+.1f} ({largest:+.1f})" for mean, largest in found.values()]
    print(f"sudden change at {len(borders)} borders of pieces, mean (largest): stems {', '.join(told[1:])} dB", end="")
    print(f"; the mixture {told[0]} dB", flush=True)
    return {"borders": len(borders), "mean_largest_db": found}


def cost(program: Program, mixtures: list[Mixture]) -> Result:
    """Print what ten minutes of stereo cost the program, on one core."""
    mono = joined(mixtures, COST_S)
    cores = os.sched_getaffinity(0)
    with tempfile.TemporaryDirectory(dir=program.out) as name:
        path = Path(name) / "long.wav"
        audio.write(path, Audio(np.concatenate([mono.samples, 0.7 * mono.samples]), mono.rate))
        os.sched_setaffinity(0, {max(cores)})  # children inherit it
        began = time.perf_counter()
        try:
            used = watched.run(program.command(path, Path(name)), env={**os.environ, "OMP_NUM_THREADS": "1"})
        finally:
            os.sched_setaffinity(0, cores)
        wall_s = time.perf_counter() - began
    count = len(used.printed.splitlines())
    told = f"{COST_S / wall_s:.1f} times real time by the clock, {COST_S / used.cpu_s:.1f} by the processor"
    print(f"{COST_S // 60} min of stereo, {count} stems, one thread: {told}, {used.peak_mb:.0f} MB", flush=True)
    return {"stems": count, "seconds": COST_S, "wall_s": wall_s, "cpu_s": used.cpu_s, "peak_mb": used.peak_mb}


def listed(folder: Path, kind: str, first: int | None) -> list[Mixture]:
    """kind: "mix" or "solo" """
    rows = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]
    rows = [row for row in rows if row["file"].startswith(f"{kind}-")][:first]
    paths = [folder / row["file"] for row in rows]
    return [
        Mixture(path, sorted(path.with_suffix("").iterdir()), folder / row["reference"], row["source"], row["room"])
        for path, row in zip(paths, rows, strict=True)
    ]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder with openscore/: builds the set where there is none")
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--split", choices=SPLITS, default="validation")
    parser.add_argument("--set", type=Path, help="a set that is there, instead of WORK/SPLIT")
    parser.add_argument("--first", type=int, help="only so many mixtures, and solos")
    parser.add_argument("--only", default=",".join(PARTS), metavar="PART,...", help="[default: %(default)s]")
    parser.add_argument("--skip-peers", action="store_true")
    parser.add_argument("--model", default="masks", help="that refines masks [default: %(default)s]")
    asked = parser.parse_args()
    asked.only = asked.only.split(",")
    if unknown := set(asked.only) - set(PARTS):
        parser.error(f"--only {','.join(sorted(unknown))}: there are {', '.join(PARTS)}")
    asked.set = asked.set or asked.work / asked.split
    if not (asked.set / "manifest.json").is_file():
        if asked.data is None:
            parser.error(f"no set in {asked.set}: --data builds one")
        for _ in heldout.build(asked.data, asked.set, asked.split):
            pass
    return asked


def main() -> None:
    asked = options()
    asked.work.mkdir(parents=True, exist_ok=True)
    mixtures, solos = (listed(asked.set, kind, asked.first) for kind in ("mix", "solo"))
    with tempfile.TemporaryDirectory(dir=asked.work, prefix="stems-") as out:
        program = Program(asked.model, Path(out))
        parts: dict[str, Callable[[], Result]] = {
            "mixtures": lambda: compare(program, mixtures, peers=not asked.skip_peers),
            "stereo": lambda: compare(program, [panned(program, each) for each in mixtures], peers=False),
            "labels": lambda: labelled(mixtures),
            "names": lambda: called(program, mixtures),
            "solos": lambda: alone(program, solos),
            "sum": lambda: adding_up(program, [*mixtures, *solos]) | {"seams": seams(program, mixtures)},
            "cost": lambda: cost(program, mixtures),
        }
        results = {part: parts[part]() for part in PARTS if part in asked.only}
    (asked.work / "separate.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
