"""OpenMIC-2018, MUSDB18-HQ, MedleyDB and Slakh2100, as they are when unpacked; `layouts` says what each looks like."""

from __future__ import annotations

import csv
import io
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

from clefkit.errors import InputError
from clefkit.train.layouts import files, names
from clefkit.train.layouts.files import Listed, Stem, Track, refused

OPENMIC = "openmic-2018-aggregated-labels.csv"
OPENMIC_COLUMNS = {"sample_key", "instrument", "relevance"}
OPENMIC_PARTITIONS = ("split01_{}.csv", "{}01.txt")  # as they are, and as its README calls them
MUSDB = ("vocals", "drums", "bass", "other")
MUSDB_SHARE = 2  # so many of them are no chance
MEDLEYDB = ("Audio", "V1", "V2", ".")
METADATA = "Metadata"


def is_openmic(folder: Path) -> bool:
    if (folder / OPENMIC).is_file():
        return True
    if (folder / "openmic-2018.npz").is_file():
        raise InputError(f"{folder} lacks {OPENMIC}: labels are read from it, as the .npz holds pickles")
    return False


def openmic(folder: Path) -> Listed:
    splits = _openmic_splits(folder / "partitions")
    for key, labels in sorted(_openmic_labels(folder / OPENMIC).items()):
        yield key, partial(_openmic_clip, folder, key, labels, splits.get(key, ""))


def _openmic_labels(path: Path) -> dict[str, list[tuple[str, str]]]:
    """key of a clip -> (instrument, relevance)"""
    labels: dict[str, list[tuple[str, str]]] = {}
    rows = csv.DictReader(io.StringIO(files.text(path), newline=""), strict=True)
    try:
        if not set(rows.fieldnames or ()) >= OPENMIC_COLUMNS:
            raise InputError(f"{path.name} lacks one of the columns {', '.join(sorted(OPENMIC_COLUMNS))}")
        for row in rows:
            labels.setdefault(row["sample_key"] or "", []).append((row["instrument"] or "", row["relevance"] or ""))
    except csv.Error as error:
        raise InputError(f"{path.name} is no table: {error}") from error
    return labels


def _openmic_splits(folder: Path) -> dict[str, str]:
    """key of a clip -> split; a clip of both is never learnt from"""
    splits: dict[str, str] = {}
    for split in ("train", "test"):
        for name in OPENMIC_PARTITIONS:
            if (path := folder / name.format(split)).is_file():
                splits |= dict.fromkeys((line.strip() for line in files.text(path).splitlines()), split)
    return splits


def _openmic_clip(folder: Path, key: str, labels: list[tuple[str, str]], split: str) -> Track:
    tags: dict[str, float] = {}
    for instrument, relevance in labels:
        known = names.named(instrument)
        if known is None or known.leaf is None:
            raise InputError(f"{files.shown(instrument)} is no instrument of OpenMIC-2018")
        tags[known.leaf] = float(_share(relevance, instrument) >= files.RIGHT)
    sound = files.sound(files.inside(folder, f"audio/{key[:3]}/{key}"))
    return Track(key, split, sound or refused(f"no audio/{key[:3]}/{key}.ogg"), (), tags)


def _share(relevance: str, instrument: str) -> float:
    try:
        value = float(relevance)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:  # nan is in no range
        raise InputError(f"its relevance of {instrument} is no number from 0 to 1")
    return value


def is_musdb(folder: Path) -> bool:
    places = [section for _, section in files.sections(folder)]
    if any(_has_sources(path) for place in places for path in files.folders(place)):
        return True
    if any(next(place.glob("*.stem.mp4"), None) for place in places):
        raise InputError(
            f"{folder} has .stem.mp4 files, of whose five streams we can read the mix alone: get MUSDB18-HQ, or make "
            "WAV files of them with musdbconvert"
        )
    return False


def _has_sources(path: Path) -> bool:
    return sum(files.ending(path / name) is not None for name in ("mixture", *MUSDB)) >= MUSDB_SHARE


def musdb(folder: Path) -> Listed:
    for split, section in files.sections(folder):
        for path in files.folders(section):
            is_validation = split == "train" and path.name in names.musdb_validation()
            yield path.name, partial(_musdb_track, path, "validation" if is_validation else split)


def _musdb_track(path: Path, split: str) -> Track:
    stems = tuple(
        Stem(files.sound(path / said) or refused(f"no {said}.wav"), *(names.named(said) or names.UNCLEAR), said)
        for said in MUSDB
    )
    return Track(path.name, split, files.sound(path / "mixture"), stems, None)


def is_medleydb(folder: Path) -> bool:
    return bool(_medleydb_places(folder))


def _medleydb_places(folder: Path) -> list[Path]:
    """The folders that hold tracks."""
    places = [folder / name for name in MEDLEYDB if (folder / name).is_dir()]
    return [place for place in places if any(_is_medleydb_track(path) for path in files.folders(place))]


def _is_medleydb_track(path: Path) -> bool:
    name = path.name
    return (path / f"{name}_STEMS").is_dir() or any(
        (path / f"{name}{end}").is_file() for end in ("_MIX.wav", "_METADATA.yaml")
    )


def medleydb(folder: Path) -> Listed:
    for place in _medleydb_places(folder):
        for path in files.folders(place):
            if _is_medleydb_track(path) or (place != folder and path.name != METADATA):
                yield path.name, partial(_medleydb_track, path)


def _medleydb_track(path: Path) -> Track:
    name = f"{path.name}_METADATA.yaml"
    places = (path, path.parent / METADATA, path.parent.parent / METADATA)
    told = next((place / name for place in places if (place / name).is_file()), None)
    if told is None:
        raise InputError(f"no {name}: put the folder medleydb/data/{METADATA} of github.com/marl/medleydb beside it")
    stems = tuple(_medleydb_stem(path, key, each) for key, each in files.stems(told))
    return Track(path.name, "", files.sound(path / f"{path.name}_MIX"), stems, None)


def _medleydb_stem(path: Path, key: str, told: dict[str, Any]) -> Stem:
    file = str(told.get("filename") or f"{path.name}_STEM_{key[1:]}.wav")
    instruments = told.get("instrument")
    said = [str(each or "") for each in (instruments if isinstance(instruments, list) else [instruments])]
    sound = files.there(files.inside(path / f"{path.name}_STEMS", file))
    return Stem(sound, *names.together(said), ", ".join(said))


def is_slakh(folder: Path) -> bool:
    return any(_is_slakh_track(path) for _, section in files.sections(folder) for path in files.folders(section))


def _is_slakh_track(path: Path) -> bool:
    return path.name.startswith("Track") and ((path / "metadata.yaml").is_file() or (path / "stems").is_dir())


def slakh(folder: Path) -> Listed:
    for split, section in files.sections(folder):
        for path in files.folders(section):
            if path.name.startswith("Track"):
                yield path.name, partial(_slakh_track, path, split)


def _slakh_track(path: Path, split: str) -> Track:
    # where stems are is what the data set says, not each file: that of Track00616 leads elsewhere
    made = [_slakh_stem(path, key, told) for key, told in files.stems(path / "metadata.yaml")]
    stems = tuple(stem for stem in made if stem)
    if not stems:
        raise InputError("none of its stems is there")
    return Track(path.name, split, files.sound(path / "mix"), stems, None)


def _slakh_stem(path: Path, key: str, told: dict[str, Any]) -> Stem | None:
    """None for one that was never rendered."""
    sound = files.sound(files.inside(path / "stems", key))
    if sound is None:
        return refused(f"no stems/{key}.flac") if told.get("audio_rendered") is True else None
    program, kind = told.get("program_num"), str(told.get("inst_class") or "")
    patch = PurePosixPath(str(told.get("plugin_name") or "")).stem
    known = names.played(patch, program if isinstance(program, int) else None, kind)
    if told.get("is_drum") is True:
        known = names.played("", names.DRUM_KIT, kind)
    return Stem(sound, *known, f"{told.get('midi_program_name') or kind} ({patch})" if patch else kind)
