"""Recordings of the user's own for `tag` to learn from, read where they lie. The folder tells which layout it has:

- `openmic`, OpenMIC-2018 (Humphrey, Durand, McFee 2018): clips, their labels in `openmic-2018-aggregated-labels.csv`.
  A relevance of .5 or more is right, less is wrong, what isn't told is unknown. The `.npz` holds the same, but its keys
  are pickles, so nobody opens it.
- `slakh`, Slakh2100 (Manilow and others 2019), its redux and BabySlakh: `train/Track00001/stems/S00.flac`. A stem is
  there when its file is, since BabySlakh calls all of them not rendered. `omitted/` has duplicates and is passed over.
  What sounds is what the patch says, where we know it: harmonicas are played on organs there.
- `medleydb`, MedleyDB 1 and 2 (Bittner and others 2014, 2016): `Audio/TRACK/TRACK_STEMS/`, also in `V1/` and `V2/`; its
  metadata, which don't come with the sound, in `Metadata/` or in each track's folder.
- `musdb18`, MUSDB18-HQ (Rafii and others 2019): `train/TRACK/mixture.wav` beside vocals, drums, bass and other. The
  tracks for validation are those of its own reader.
- `tables`: files that `clefkit score` reads as tags (`file,tag`, `file,violin,piano`, JSON Lines); one named train,
  validation or test is of that split.
- `classes`: a folder an instrument, `violin/a.wav` or `train/violin/a.wav`; each sound is of that instrument alone.

Sounds of the data sets may have become WAV, FLAC or OGG. They are found, not opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from clefkit.errors import InputError
from clefkit.train.layouts import files, own, sets
from clefkit.train.layouts.files import Listed, Stem, Track

__all__ = ["LAYOUTS", "Layout", "Stem", "Track", "layout", "tracks"]


class Layout(NamedTuple):
    """found: whether a folder has it; listed: its tracks; looks: what shows it, for people"""

    found: Callable[[Path], bool]
    listed: Callable[[Path], Listed]
    looks: str


LAYOUTS = {
    "openmic": Layout(sets.is_openmic, sets.openmic, f"OpenMIC-2018 ({sets.OPENMIC}, audio/)"),
    "slakh": Layout(sets.is_slakh, sets.slakh, "Slakh2100 (train/Track00001/metadata.yaml)"),
    "medleydb": Layout(sets.is_medleydb, sets.medleydb, "MedleyDB (Audio/TRACK/TRACK_STEMS/)"),
    "musdb18": Layout(sets.is_musdb, sets.musdb, "MUSDB18-HQ (train/TRACK/mixture.wav)"),
    "tables": Layout(own.has_tables, own.tagged, "sounds with a table of tags (file,tag or file,violin,piano)"),
    "classes": Layout(own.has_classes, own.classes, "a folder an instrument (violin/a.wav)"),
}


def layout(folder: Path) -> str:
    """Which of LAYOUTS a folder has.

    raises: InputError when it has none, says what they look like
    """
    for name, each in LAYOUTS.items():
        if each.found(folder):
            return name
    known = ", ".join(each.looks for each in LAYOUTS.values())
    raise InputError(f"{folder} is none of the layouts that we read: {known}")


def tracks(folder: Path, left_out: list[str] | None = None) -> Iterator[Track]:
    """The tracks of a folder, in the order of their names in each split.

    left_out: gets a line for each track that can't be used, "TRACK: why"; it costs nothing else
    raises: InputError when the folder has none of LAYOUTS and, once they are asked for, when none of its tracks can be
        used; MissingError when its metadata are YAML and PyYAML isn't there
    """
    return _usable(LAYOUTS[layout(folder)].listed(folder), [] if left_out is None else left_out)


def _usable(listed: Listed, left_out: list[str]) -> Iterator[Track]:
    found, before = False, len(left_out)
    for name, make in listed:
        try:
            track = make()
        except InputError as error:
            left_out.append(f"{name}: {error}")
        except OSError as error:
            left_out.append(f"{name}: {files.reason(error)}")
        else:
            found = True
            yield track
    if not found:
        first = "".join(f", the first for this: {why}" for why in left_out[before : before + 1])
        raise InputError(f"none of the tracks can be used{first}")
