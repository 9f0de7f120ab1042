"""Which stems the estimates of one mixture are measured by.

Either they are given, as a folder or as one file: then the first of these that holds sound:

- `REF/TRACK/*.wav`, where the estimates lie in a folder TRACK, as in MUSDB and most data sets, or the mixture was
  TRACK.wav, or the estimates are called TRACK.1-violin.wav or the like;
- `REF/MIX.*.wav`, where the mixture was MIX.wav, or the estimates are called MIX.1-violin.wav or the like;
- all sound in REF.

A file called mixture or mix is the mixture; the estimates, and what records say was made from the mixture, are no
references. Or the records lead to a mixture that `clefkit render --stems` made: the stems of that same rendering.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from clefkit import notes, record
from clefkit.errors import InputError
from clefkit.record import Source
from clefkit.score.kinds import SOUND
from clefkit.score.reference import ancestors

MIXTURES = ("mixture", "mix")
RECIPE = ("stage", "seed", "from", "options", "version")
NONE = "no reference stems: give --ref, or separate what `clefkit render --stems` made"

Found = tuple[Path, list[Path], Path | None]


def find(source: Source, estimates: Sequence[Path], given: Path | None) -> Found:
    """The reference stems of one mixture.

    source: one of the estimates; given: a folder, or a file that is the only stem
    returns: what to call the reference, its stems by name, and the mixture when it is there
    raises: InputError when there are none, or they were edited since
    """
    if given is None:
        return _rendered(source)
    mixture = _mixture(source)
    if not given.is_dir():
        return given, [given], mixture
    place, stems, beside = _in_folder(given, source, {path.resolve() for path in estimates}, mixture)
    return place, stems, mixture or beside


def _in_folder(folder: Path, source: Source, estimates: set[Path], mixture: Path | None) -> Found:
    names = list(_names(source, mixture))
    tracks = [folder / name for name in (source.path.resolve().parent.name, *names)]
    for place in (*tracks, folder):
        sounds = [path for path in _sounds(place) if path.resolve() not in estimates]
        mixed = [path for path in sounds if path.stem.lower() in MIXTURES]
        stems = [path for path in sounds if path not in mixed]
        if place == folder:
            for name in names:
                named = [path for path in stems if path.stem.startswith(f"{name}.") and not _made_from(name, path)]
                if named:
                    return folder, named, next((path for path in stems if path.stem == name), None)
        if stems:
            return place, stems, next(iter(mixed), None)
    raise InputError(
        f"no reference stems in {folder}: they would be in {tracks[0]}, or called {source.stem}.1-violin.wav"
    )


def _sounds(folder: Path) -> list[Path]:
    """In the order of their names, whatever the file system says."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SOUND and path.is_file())


def _names(source: Source, mixture: Path | None) -> Iterator[str]:
    """What the mixture may be called: as the record says, or the estimate's name, shorter at each dot."""
    if mixture is not None:
        yield mixture.stem
    name = source.stem
    while name := name.rpartition(".")[0]:
        yield name


def _made_from(name: str, path: Path) -> bool:
    """Whether a record says that the file was made from the sound `name`: by augmenting or separating it."""
    origin = Path(record.load(record.beside(path)).get("from", {}).get("file", ""))
    return origin.stem == name and origin.suffix.lower() in SOUND


def _mixture(source: Source) -> Path | None:
    """The sound that was taken apart, if it is still there and as it was."""
    origin = source.record.get("from", {})
    path: Path = source.path.parent / origin.get("file", "")
    if path.suffix.lower() in SOUND and path.is_file() and record.sha256(path) == origin.get("sha256"):
        return path
    return None


def _rendered(source: Source) -> Found:
    """The stems of the rendering that the records lead to."""
    for sound in ancestors(source):
        stage = sound.record.get("stage")
        if stage == "augment":
            raise InputError("its mixture was augmented, and no stem was in the same way: give --ref")
        if stage == "render":
            return sound.path, _siblings(sound), _mixture(source)
    raise InputError(NONE)


def _siblings(mixture: Source) -> list[Path]:
    """What was rendered with the mixture: of the same score, with the same chance and options."""
    options = mixture.record.get("options")
    if not isinstance(options, dict) or not options.get("stems"):
        raise InputError(f"{mixture.path.name} was rendered without stems: render it with --stems, or give --ref")
    stems = []
    for path in _sounds(mixture.path.parent):
        data = record.load(record.beside(path)) if path.stem.startswith(f"{mixture.stem}.") else {}
        if data and all(data.get(key) == mixture.record.get(key) for key in RECIPE):
            if record.sha256(path) != data.get("sha256"):
                raise InputError(f"its reference {path.name} was edited since: render it again, or give --ref")
            stems.append(path)
    heard = _heard(mixture)
    if len(stems) < heard:
        found = f"{len(stems)} of {heard} stems are beside {mixture.path.name}"
        raise InputError(f"only {found}: render it again, or give --ref")
    return stems


def _heard(mixture: Source) -> int:
    """So many parts sound, and have a stem each; at least 1 when its notes are not there any more."""
    try:
        reference = mixture.reference
    except InputError:
        return 1
    return max(len(set(notes.read(reference).part.tolist())), 1) if reference else 1
