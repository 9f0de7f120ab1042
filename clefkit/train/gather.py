"""Real single notes of many instruments, from public repositories of recordings: the folder that training plays from.

`samples.toml` names the repositories, each at one commit and with the licence that it states, and the files of every
instrument by a pattern that says what pitch a name means. From clones of them this makes

    <instrument>/<file>.flac    22,050 Hz (or --rate), mono, 16 bits, at most 8 s, peak -1 dB
    noise/<file>.flac           what has no pitch
    drum/<file>.flac, speech/   what has one, but is nobody's note
    index.csv                   one row a file: COLUMNS

A name's pitch is believed only where the sound agrees within 60 cents; the octave of a whole instrument is put right
in the table (`transpose`). `single` measures it and says which recordings are left out. Files are read from git at the
commit, so a clone needs no work tree, and their hashes are checked.

    python -m clefkit.train.gather --sources CLONES --out FOLDER

`--table tag_samples` takes another table, drums; `--only OWNER/NAME` some of the repositories.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from clefkit.errors import ClefkitError, InputError, MissingError
from clefkit.train import single

Array = NDArray[np.float32]

TABLE = Path(__file__).with_name("samples.toml")
TABLES = ("samples", "tag_samples")
COLUMNS: tuple[str, ...] = (
    "file",  # below the folder
    "instrument",  # one timbre
    "family",  # bowed, plucked, struck, wind, brass, reed, voice, keys, mallet, organ, noise, drum, speech
    "held",  # 1: sounds as long as the player wants; 0: dies away by itself
    "midi_pitch",  # as it sounds, with a fraction; empty where there is none
    "dynamic",  # as the source names it
    "source",  # owner/name on GitHub
    "commit",
    "source_file",
    "licence",
    "attribution",
    "sha256",  # of the source file
    "onset_s",  # where in the file the note is heard to begin
    "split",  # train or validation, whole instruments
)
NO_PITCH = ("noise", "drum", "speech")
LARGEST = 4 * 2**20 - 1  # bytes of a source file: more than a note needs
NOTE = re.compile(r"([A-Ha-h])(is|es|#|♯|b|s)?(-?\d+)")
STEPS = {"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "h": 11, "b": 11}
ALTERED = {"is": 1, "#": 1, "♯": 1, "s": 1, "es": -1, "b": -1, None: 0}


class Entry(NamedTuple):
    """One instrument of the table, with what its repository says."""

    name: str
    family: str
    held: bool
    files: re.Pattern[str]
    keys: dict[str, int]
    transpose: float
    rate: float
    split: str
    digest: str
    source: str
    commit: str
    licence: str
    attribution: str


class Note(NamedTuple):
    """sound: (samples,), at the rate of the folder; onset_s: in it; pitch: MIDI, nan where there is none"""

    sound: Array
    onset_s: float
    pitch: float


def table(path: Path = TABLE) -> list[Entry]:
    """The instruments of a table.

    raises: InputError when it is not one
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
        return [_entry(repository, each) for repository in document["repository"] for each in repository["instrument"]]
    except (OSError, KeyError, ValueError, re.error) as error:
        raise InputError(f"{path.name} is not a table of instruments: {error}") from error


def _entry(repository: dict[str, Any], instrument: dict[str, Any]) -> Entry:
    files = instrument["files"]
    return Entry(
        instrument["name"],
        instrument["family"],
        instrument.get("held", False),
        re.compile(files if isinstance(files, str) else "|".join(files)),
        dict(instrument.get("keys", [])),
        instrument.get("transpose", 0),
        instrument.get("rate", 0),
        instrument.get("split", "train"),
        instrument.get("digest", ""),
        repository["name"],
        repository["commit"],
        instrument.get("licence", repository.get("licence", "")),
        instrument.get("attribution", repository.get("attribution", "")),
    )


def gather(sources: Path, out: Path, entries: list[Entry], rate: int = single.RATE) -> Iterator[str]:
    """Make the folder; what an earlier run left there and this one doesn't make is removed at the end.

    sources: holds the clones, each in a folder named `owner+name`; rate: Hz, of what is made
    yields: a line for people after each instrument
    raises: MissingError with the lines that get what is missing, InputError when files differ from the table's
    """
    _check_sources(sources, entries)
    rows: list[dict[str, str]] = []
    for entry in entries:
        mine, reasons = _instrument(sources / entry.source.replace("/", "+"), out, entry, rate)
        rows += mine
        left = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        yield f"{entry.name}: {len(mine)} notes" + (f", left out: {left}" if left else "")
    write_index(out / "index.csv", rows)
    kept = {out / row["file"] for row in rows}
    for path in out.glob("*/*.flac"):
        if path not in kept:
            path.unlink()


def write_index(path: Path, rows: list[dict[str, str]]) -> None:
    """Write rows of COLUMNS at once: a reader sees the old index or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    part.replace(path)


def credits(index: Path) -> str:  # noqa: A001 (nobody calls the builtin in a library)
    """Who recorded what under which licence, as a Markdown table for a model card; one line a source and licence.

    "" for recordings of one's own, whose index names no source.
    """
    with index.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("source")]
    if not rows:
        return ""
    groups: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for row in rows:
        groups.setdefault((row["source"], row["commit"], row["attribution"], row["licence"]), []).append(row)
    lines = ["| source | recorded by | licence | instruments | files |", "|---|---|---|---|---|"]
    for (source, commit, attribution, licence), mine in sorted(groups.items()):
        address = f"[{source}](https://github.com/{source}/tree/{commit})"
        names = ", ".join(sorted({row["instrument"] for row in mine}))
        lines.append(f"| {address} | {attribution} | {licence} | {names} | {len(mine)} |")
    return "\n".join(lines) + "\n"


def _check_sources(sources: Path, entries: list[Entry]) -> None:
    missing = []
    for name, commit in sorted({(entry.source, entry.commit) for entry in entries}):
        clone = sources / name.replace("/", "+")
        if not clone.is_dir():
            missing.append(f"git clone --no-checkout https://github.com/{name} {clone}")
        elif _git(clone, "cat-file", "-e", f"{commit}^{{commit}}").returncode:
            missing.append(f"git -C {clone} fetch https://github.com/{name} {commit}")
    if missing:
        raise MissingError("sources are missing; get them with\n" + "\n".join(missing))


def _git(clone: Path, *arguments: str, told: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = ["git", "-c", "safe.directory=*", "-C", str(clone), *arguments]
    try:
        return subprocess.run(command, input=told, capture_output=True, check=False)
    except FileNotFoundError as error:
        raise MissingError("git is not there: install it") from error


def names(clone: Path, commit: str) -> list[str]:
    """Files of a commit that are small enough, sorted."""
    names = []
    for line in _git(clone, "ls-tree", "-r", "-l", "-z", commit).stdout.decode(errors="replace").split("\0")[:-1]:
        about, name = line.split("\t", 1)
        size = about.split()[3]
        if size.isdigit() and int(size) <= LARGEST:
            names.append(name)
    return sorted(names)


def contents(clone: Path, commit: str, names: list[str]) -> Iterator[bytes]:
    """What files of a commit hold, in order."""
    asked = "".join(f"{commit}:{name}\n" for name in names).encode()
    answers = io.BytesIO(_git(clone, "cat-file", "--batch", told=asked).stdout)
    for name in names:
        header = answers.readline().split()
        if len(header) != 3 or header[1] != b"blob":
            raise InputError(f"{clone.name} lacks {name}: clone it again")
        yield answers.read(int(header[2]))
        answers.read(1)


def _instrument(clone: Path, out: Path, entry: Entry, rate: int) -> tuple[list[dict[str, str]], Counter[str]]:
    """Make the files of one instrument.

    returns: its rows, and how many recordings were left out for which reason
    """
    matches = [match for name in names(clone, entry.commit) if (match := entry.files.fullmatch(name))]
    rows, reasons, whole, seen = [], Counter[str](), hashlib.sha256(), set[str]()
    for match, content in zip(matches, contents(clone, entry.commit, [match[0] for match in matches]), strict=True):
        digest = hashlib.sha256(content).hexdigest()
        whole.update(f"{digest}  {match[0]}\n".encode())
        if digest in seen:
            reasons["twice"] += 1
            continue
        seen.add(digest)
        try:
            note = _note(content, entry, match, rate)
        except single.UnfitError as reason:
            reasons[str(reason)] += 1
            continue
        rows.append(_row(entry, match, note, digest))
        _write(out / rows[-1]["file"], note.sound, rate)
    if entry.digest not in ("", whole.hexdigest()):
        raise InputError(
            f"the files of {entry.name} in {entry.source} have the digest {whole.hexdigest()}, not {entry.digest}"
        )
    return rows, reasons


def _row(entry: Entry, match: re.Match[str], note: Note, digest: str) -> dict[str, str]:
    folder = entry.family if entry.family in NO_PITCH else entry.name
    stem = re.sub(r"[^a-z0-9]+", "_", match[0].rsplit(".", 1)[0].replace("#", "s").lower()).strip("_")
    dynamic = match.groupdict().get("dynamic") or ""
    return {
        "file": f"{folder}/{stem}_{digest[:6]}.flac",  # names may differ by case alone
        "instrument": entry.name,
        "family": entry.family,
        "held": str(int(entry.held)),
        "midi_pitch": "" if np.isnan(note.pitch) else f"{note.pitch:.2f}",
        "dynamic": dynamic.lower(),
        "source": entry.source,
        "commit": entry.commit,
        "source_file": match[0],
        "licence": entry.licence,
        "attribution": entry.attribution,
        "sha256": digest,
        "onset_s": f"{note.onset_s:.4f}",
        "split": entry.split,
    }


def _write(path: Path, sound: Array, rate: int) -> None:
    path.parent.mkdir(exist_ok=True, parents=True)
    part = path.with_name(f".{path.name}.part")
    soundfile.write(part, sound, rate, format="FLAC", subtype="PCM_16")
    part.replace(path)


def named_pitch(match: re.Match[str], keys: dict[str, int]) -> float:
    """The MIDI pitch that a file's name means, by the groups of its pattern.

    midi: a number; hz: a frequency; key: one of `keys`; note: a letter with an accidental, German too (Cis, H), and its
    octave (C4 is 60)
    """
    groups = match.groupdict()
    if "midi" in groups:
        return float(groups["midi"])
    if "hz" in groups:
        return 69 + 12 * float(np.log2(float(groups["hz"]) / 440))
    if "key" in groups:
        return keys[groups["key"]]
    note = NOTE.fullmatch(groups["note"])
    if note is None:
        raise InputError(f"{groups['note']!r} in {match[0]} is not the name of a note")
    return 12.0 * (int(note[3]) + 1) + STEPS[note[1].lower()] + ALTERED[note[2]]


def _note(content: bytes, entry: Entry, match: re.Match[str], rate: int) -> Note:
    """A recording made ready, at that rate.

    raises: single.UnfitError when it is not good enough
    """
    try:
        samples, own_rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        raise single.UnfitError("unreadable") from error
    recorded = np.asarray(samples, dtype=np.float32)
    single.check_peaks(recorded)
    mono = soxr.resample(recorded.mean(axis=1), entry.rate or own_rate, rate, quality="HQ")
    sound = np.asarray(mono, dtype=np.float32)
    sound, onset_s = single.cut(sound - sound.mean(), rate)
    low = np.asarray(soxr.resample(sound, rate, single.RATE) if rate != single.RATE else sound, np.float32)
    if entry.family in NO_PITCH:
        if entry.family == "noise":
            single.check_noise(low)
        return Note(sound, onset_s, float("nan"))
    named = named_pitch(match, entry.keys) + entry.transpose
    return Note(sound, onset_s, single.sounding_pitch(low[round(onset_s * single.RATE) :], named, entry.family))


def _main(arguments: Iterable[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m clefkit.train.gather", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sources", type=Path, required=True, metavar="DIR", help="clones named owner+name")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to make")
    parser.add_argument("--table", choices=TABLES, default="samples", help="which recordings")
    parser.add_argument("--rate", type=int, default=single.RATE, metavar="HZ", help="of what is made")
    parser.add_argument("--only", action="append", metavar="OWNER/NAME", help="these repositories")
    chosen = parser.parse_args(list(arguments))
    try:
        entries = table(TABLE.with_name(f"{chosen.table}.toml"))
        wanted = [each for each in entries if not chosen.only or each.source in chosen.only]
        for line in gather(chosen.sources, chosen.out, wanted, chosen.rate):
            sys.stderr.write(f"{line}\n")
    except ClefkitError as error:
        sys.exit(f"gather: {error}")


if __name__ == "__main__":
    _main(sys.argv[1:])
