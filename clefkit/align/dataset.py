"""A paired data set of a folder of takes, to train on: what phones recorded, and what the studio did, sample by sample.

    FOLDER/TAKE/studio.wav                     the reference of the take; any name, any kind of sound
    FOLDER/TAKE/DEVICE-POSITION.wav            what a device at a position recorded; the last hyphen parts the two

    OUT/SPLIT/TAKE/DEVICE-POSITION.input.wav   on the reference's clock, from where both sound to where one ends
    OUT/SPLIT/TAKE/DEVICE-POSITION.target.wav  the same of the reference: as many samples, the same rate
    OUT/pairs.jsonl                            a line for each pair, see `measure`

SPLIT is train or validation. All of a take is in one of them: whoever trains on one device's recording of a performance
knows the others'.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clefkit import audio, record
from clefkit.align import between, retimed, told
from clefkit.align.alignment import Alignment
from clefkit.audio import Shape
from clefkit.errors import InputError, UsageError
from clefkit.record import Source
from clefkit.registry import Asset
from clefkit.verdict import Row, Verdict

SUFFIXES = audio.NATIVE_SUFFIXES | {".m4a", ".aac", ".opus", ".wma", ".mp4", ".mov", ".3gp", ".webm"}
COLUMNS = ("take", "device", "position", "split", "duration_s", "offset_s", "drift_ppm", "dropped", "confidence")
MANIFEST = "pairs.jsonl"
SPLITS = ("train", "validation")


def files(folder: Path, ref: str) -> list[str]:
    """The recordings of all takes, in order of names, without the references. ref: the stem of these

    raises: UsageError when there are none, or two of a take would make one pair
    """
    if not folder.is_dir():
        raise UsageError(f"--dataset {folder}: no such folder")
    found: dict[tuple[str, str], Path] = {}
    for path in sorted(each for take in folder.iterdir() if take.is_dir() for each in take.iterdir()):
        if path.suffix.lower() not in SUFFIXES or path.name.startswith(".") or path.stem == ref:
            continue
        other = found.setdefault((path.parent.name, path.stem), path)
        if other != path:
            raise UsageError(f"{path} and {other} would make one pair: rename one")
    if not found:
        raise UsageError(f"--dataset {folder}: no recordings in its folders, such as {folder}/take-01/phone-near.wav")
    return [str(path) for path in found.values()]


def validation(recordings: list[str], share: float, seed: int) -> list[str]:
    """Takes that are kept for validation: so large a share of them, drawn by seed and name, at least one of several."""
    takes = sorted({Path(path).parent.name for path in recordings})
    drawn = sorted(takes, key=lambda take: hashlib.sha256(f"{seed}:{take}".encode()).digest())
    wanted = max(round(share * len(takes)), int(share > 0 and len(takes) > 1))
    return sorted(drawn[:wanted])


def measure(source: Source, *, out: Path, ref: str, kept: list[str], threshold: float) -> dict[str, Any]:
    """Write the pair of one recording. ref: the stem of references; kept: takes for validation

    returns: a row for people, and in "pair" the line of the manifest: the names of both files, seen from `out`;
        where the pair begins in the reference; "gaps" are [from, to] in seconds of the pair, where buffers were dropped
        or the recording doesn't sound like its reference: to be left out
    raises: InputError when the take has no reference, or doesn't match it
    """
    take = source.path.parent.name
    device, _, position = source.path.stem.rpartition("-") if "-" in source.path.stem else (source.path.stem, "", "")
    reference = _reference(source.path.parent, ref)
    with audio.native(source.path) as readable:  # it is read twice
        found = between(source._replace(path=readable), reference, threshold)
        sound = audio.read(readable)
    target = audio.read(reference.path)
    split = SPLITS[take in kept]
    first, last = retimed.extent(sound.duration_s, found, target.rate, target.samples.shape[1])
    shapes = [Shape(len(each.samples), last - first, target.rate) for each in (sound, target)]
    both = [retimed.pieces(sound, found, target.rate, (first, last)), [target.samples[:, first:last]]]
    names = [f"{split}/{take}/{source.path.stem}.{side}.wav" for side in ("input", "target")]
    for name, pieces, shape in zip(names, both, shapes, strict=True):
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pending = path.with_name(f".{path.name}.part")
        audio.write_pieces(pending, pieces, shape)
        pending.replace(path)
    pair: Row = {
        "input": names[0],
        "target": names[1],
        "take": take,
        "device": device,
        "position": position,
        "split": split,
    }
    pair |= {"rate": target.rate, "duration_s": round((last - first) / target.rate, 6)}
    pair |= {"begins_s": round(first / target.rate, 6), "offset_s": found.offset_s, "drift_ppm": found.drift_ppm}
    pair |= {"confidence": found.confidence, "gaps": _left_out(found, first / target.rate, last / target.rate)}
    pair |= {"from": {"input": _named(source.path, source.sha256), "target": _named(reference.path, reference.sha256)}}
    return {**pair, "dropped": len(found.gaps), "pair": pair}


def _named(path: Path, sha256: str) -> dict[str, str]:
    return {"file": f"{path.parent.name}/{path.name}", "sha256": sha256}


def _reference(folder: Path, ref: str) -> Asset:
    found = [path for path in sorted(folder.glob(f"{ref}.*")) if path.stem == ref and path.suffix.lower() in SUFFIXES]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or f"no {ref}.wav"
        raise InputError(f"its take needs one reference, has {names}: see --ref")
    return Asset("recording", f"{folder.name}/{found[0].name}", found[0], record.sha256(found[0]))


def _left_out(found: Alignment, begin_s: float, end_s: float) -> list[list[float]]:
    """Stretches of the reference between these seconds of it, as seconds after `begin_s`."""
    dropped = [found.clock.at([gap.time_s]) - [gap.missing_s, 0.0] for gap in found.gaps]
    doubtful = [found.clock.at(each) for each in found.doubtful]
    inside = [each.clip(begin_s, end_s) - begin_s for each in (*dropped, *doubtful)]
    return sorted(each.round(6).tolist() for each in inside if each[1] > each[0])


@dataclass
class Judge(told.Judge):
    """A `verdict.Judge` that collects pairs for the manifest."""

    columns_shown: Sequence[str] = COLUMNS
    out: Path = field(default_factory=Path)
    pairs: list[Row] = field(default_factory=list)

    @property
    def decides(self) -> bool:
        return True

    def add(self, finding: Row) -> dict[Path, str]:
        self.pairs.append(finding.pop("pair"))
        return {}

    def verdict(self) -> Verdict:
        text = "".join(json.dumps(pair, ensure_ascii=False) + "\n" for pair in self.pairs)
        return Verdict({}, [], [], None, [], {self.out / MANIFEST: text} if self.pairs else {})


def target(out: Path | None, folder: Path) -> Path:
    """The folder of the data set.

    raises: UsageError when it isn't given, is inside of the takes' folder, or holds other things
    """
    if out is None:
        raise UsageError("--dataset: say where the pairs go with --out DIR")
    if out.resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"--out {out} is inside of {folder}: it would be taken for a take")
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out} is a file: name a folder")
    strange = sorted({path.name for path in out.iterdir()} - {MANIFEST, *SPLITS}) if out.is_dir() else []
    if strange:
        raise UsageError(f"--out {out} holds other things ({strange[0]}): name a new folder")
    return out
