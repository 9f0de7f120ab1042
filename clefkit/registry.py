"""Finds presets, rooms, checkpoints and soundfonts by name, and knows their hashes.

They lie in folders `presets/`, `presets/rooms/`, `models/` and `soundfonts/` of each root. Roots, first wins: the
folders in CLEFKIT_PATH, the user's data folder, the package. Soundfonts are also looked for where systems keep them
and, last, in pretty_midi, which carries TimGM6mb.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import re
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import clefkit
from clefkit import record
from clefkit import soundfonts as known
from clefkit.errors import InputError, MissingError, UsageError

SOUNDFONT_SUFFIXES = (".sf2", ".sf3")
SYSTEM_SOUNDFONTS = (
    "/usr/local/share/sounds/sf2",
    "/usr/share/sounds/sf2",
    "/usr/share/soundfonts",
    "/usr/local/share/sounds/sf3",
    "/usr/share/sounds/sf3",
    "/opt/homebrew/share/sounds/sf2",
)
SHA256 = re.compile(r"[0-9a-f]{64}")
SETTLED_NS = 2 * 10**9  # no file system's clock is coarser
MOST_BANK, MOST_PROGRAM = 16_383, 127
MOST_MODEL_BYTES = 512 * 2**20
# The file in a package, and how to install it: here without the TensorFlow that it asks for.
PACKAGED = {
    "basic-pitch": ("saved_models/icassp_2022/nmp.onnx", "pip install --no-deps basic-pitch==0.4.0"),
}
FAVOURITE_SOUNDFONTS = ("FluidR3_GM", "MuseScore_General", "MuseScore_General_Lite", "FluidR3Mono_GM", "TimGM6mb")


class Asset(NamedTuple):
    """A file or folder that has a name. kind: "soundfont", "model", "package", "room" or "recording"."""

    kind: str
    name: str
    path: Path
    sha256: str


def roots() -> list[Path]:
    """Folders that may hold presets/, models/ and soundfonts/, in the order in which they are searched."""
    import platformdirs

    given = [Path(entry).expanduser() for entry in os.environ.get("CLEFKIT_PATH", "").split(os.pathsep) if entry]
    return [*given, platformdirs.user_data_path("clefkit"), *(Path(entry) for entry in clefkit.__path__)]


def preset(name: str) -> dict[str, Any]:
    """A preset as plain data, with its "name" and "sha256".

    raises: UsageError when there is none of that name; InputError when its file is not TOML
    """
    files = presets()
    if name not in files:
        raise UsageError(f"no preset {name!r}: there are {', '.join(sorted(files))}")
    return {"name": name, "sha256": record.sha256(files[name]), **_toml(files[name])}


def presets() -> dict[str, Path]:
    """Every preset by name."""
    return _by_name("presets", "*.toml")


def rooms() -> dict[str, Path]:
    """Every room response by name."""
    return _by_name("presets/rooms", "*.flac", "*.wav")


def room(name: str) -> Asset:
    """raises: UsageError when there is none of that name"""
    files = rooms()
    if name not in files:
        raise UsageError(f"no room {name!r}: there are {', '.join(sorted(files))}")
    return Asset("room", name, files[name], record.sha256(files[name]))


def models() -> dict[str, Path]:
    """Every checkpoint's folder by name."""
    return _by_name("models", "*/config.toml")


def model(name: str) -> Asset:
    """A checkpoint: `notes-1`, or `notes` for its highest version. Its hash is that of model.onnx, and is checked.

    raises: UsageError when there is none of that name; InputError when the file is not what its config says
    """
    folders = models()
    versions = [each for each in folders if each == name or re.fullmatch(re.escape(name) + r"-\d+", each)]
    if not versions:
        raise UsageError(f"no model {name!r}: there are {', '.join(sorted(folders))}")
    chosen = max(versions, key=lambda each: int(each.rpartition("-")[2]) if each != name else -1)
    folder = folders[chosen]
    digest = record.sha256(folder / "model.onnx")
    if digest != config(folder).get("sha256"):
        raise InputError(f"model {chosen}: model.onnx is not the file that its config.toml names")
    return Asset("model", chosen, folder, digest)


def own_model(folder: Path) -> Asset:
    """A checkpoint in any folder. Its hash is that of its config.toml and model.onnx: who has one changes both.

    raises: UsageError when the folder holds none; InputError when its files are not what they should be
    """
    missing = [name for name in ("config.toml", "model.onnx") if not (folder / name).is_file()]
    if missing:
        raise UsageError(f"no model {str(folder)!r}: there is no {missing[0]}")
    if (folder / "model.onnx").stat().st_size > MOST_MODEL_BYTES:
        raise InputError(f"model {folder}: model.onnx is larger than {MOST_MODEL_BYTES // 2**20} MiB")
    digest = record.sha256(folder / "model.onnx")
    if config(folder).get("sha256", digest) != digest:
        raise InputError(f"model {folder}: model.onnx is not the file that its config.toml names")
    both = hashlib.sha256(f"{record.sha256(folder / 'config.toml')}{digest}".encode()).hexdigest()
    return Asset("model", folder.resolve().name, folder.resolve(), both)


def checkpoint(name: str) -> Asset:
    """A checkpoint by name, or by the path of its folder, which has a slash. Raises as `model` and `own_model` do."""
    is_path = "/" in name or os.sep in name  # a folder may have the name of a checkpoint, and not be meant
    return own_model(Path(name).expanduser()) if is_path else model(name)


def package(name: str) -> Asset:
    """The network that an installed Python package brings; the package is not imported.

    raises: MissingError when it isn't installed, or has no such file
    """
    place, command = PACKAGED[name]
    found = importlib.util.find_spec(name.replace("-", "_"))
    for folder in (found and found.submodule_search_locations) or []:
        path = Path(folder) / place
        if path.is_file():
            return Asset("package", name, path, record.sha256(path))
    raise MissingError(f"{name} is not installed; without what else it asks for: {command}")


def recording(name: str) -> Asset:
    """A sound file that is an option of a stage. Its record has the name alone, so it is found again where one works.

    raises: UsageError when there is no such file
    """
    path = Path(name).expanduser()
    if not path.is_file():
        raise UsageError(f"no such file: {name}")
    return Asset("recording", path.name, path, record.sha256(path))


def promised(folder: Path, net: str, hashes: dict[str, str] | None = None) -> tuple[dict[str, Any], list[bytes]]:
    """The config of a checkpoint, and its networks, which are those that it names, if it does.

    net: of which kind it has to be; hashes: files with the key of each one's hash; None: model.onnx with sha256
    raises: MissingError when files are not there, or are others, or of another kind
    """
    keys = hashes or {"model.onnx": "sha256"}
    try:
        known = tomllib.loads((folder / "config.toml").read_text(encoding="utf-8"))
        networks = [(folder / name).read_bytes() for name in keys]
    except OSError as error:
        needed = " and ".join(["config.toml", *keys])
        raise MissingError(f"no checkpoint {folder.name}: it needs {needed}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MissingError(f"the config.toml of checkpoint {folder.name} is damaged: {error}") from error
    if known.get("net") != net:
        raise MissingError(f"checkpoint {folder.name} is of kind {known.get('net')!r}, not {net!r}")
    for (name, key), network in zip(keys.items(), networks, strict=True):
        digest = hashlib.sha256(network).hexdigest()
        if known.get(key, digest) != digest:
            raise MissingError(f"the {name} of checkpoint {folder.name} is not the one its config.toml names")
    return known, networks


def config(folder: Path) -> dict[str, Any]:
    """What a checkpoint says of itself."""
    return _toml(folder / "config.toml")


def soundfont(name: str | None = None) -> Asset:
    """A soundfont by path or name; without one CLEFKIT_SOUNDFONT, or the best that is installed.

    raises: UsageError when there is none of that name; MissingError when there is none at all
    """
    wanted = name or os.environ.get("CLEFKIT_SOUNDFONT")
    if wanted and Path(wanted).expanduser().is_file():
        path = Path(wanted).expanduser()
        return Asset("soundfont", path.stem, path, _font_sha256(path))
    fonts = soundfonts()
    if wanted:
        if wanted not in fonts:
            raise UsageError(f"no soundfont {wanted!r}: there are {', '.join(sorted(fonts)) or 'none'}, or give a file")
        return Asset("soundfont", wanted, fonts[wanted], _font_sha256(fonts[wanted]))
    if not fonts:
        raise MissingError("no soundfont found: `apt-get install fluid-soundfont-gm`, or give one with --timbre FILE")
    best = next((each for each in FAVOURITE_SOUNDFONTS if each in fonts), min(fonts))
    return Asset("soundfont", best, fonts[best], _font_sha256(fonts[best]))


def timbre(text: str) -> tuple[str, list[Asset]]:
    """What `render --timbre` means: "fixed", "random" or "BANK:PROGRAM", and the soundfonts for it.

    text: "fixed" is the best installed font, "random" draws from all; else FONT or FONT:BANK:PROGRAM, by name or file
    raises: as `soundfont` does; UsageError when bank or program is not a number in range
    """
    if text == "fixed":
        return text, [soundfont()]
    if text == "random":
        drawn = [name for name in soundfonts() if known.is_drawn(name)]
        return text, [soundfont(name) for name in sorted(drawn)] or [soundfont()]
    found = re.fullmatch(r"(.+):(\d{1,5}):(\d{1,3})", text, re.ASCII)
    if found is None:
        return "fixed", [soundfont(text)]
    if int(found[2]) > MOST_BANK or int(found[3]) > MOST_PROGRAM:
        raise UsageError(f"--timbre {text}: a bank is 0 to {MOST_BANK}, a program 0 to {MOST_PROGRAM}")
    return f"{int(found[2])}:{int(found[3])}", [soundfont(found[1])]


def soundfonts() -> dict[str, Path]:
    """Every soundfont by name. Debian's `default-GM`, a second name of one of them, is left out."""
    folders = [root / "soundfonts" for root in roots()] + [Path(folder) for folder in SYSTEM_SOUNDFONTS]
    found: dict[str, Path] = {}
    for path in (path for folder in folders for path in sorted(folder.glob("*")) if path.is_file()):
        if path.suffix.lower() in SOUNDFONT_SUFFIXES and not path.stem.startswith("default-"):
            found.setdefault(path.stem, path)
    for path in _carried_by_pretty_midi():
        found.setdefault(path.stem, path)
    return found


def _font_sha256(path: Path) -> str:
    """As `record.sha256`, but kept in the user's cache folder: a font has a hundred megabytes, a program starts often.

    A kept hash counts while the file has the same number, size and times. One that was changed just now is not kept:
    its next change may leave the same times.
    """
    import platformdirs

    state = path.stat()
    now = f"{state.st_dev} {state.st_ino} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"
    name = hashlib.sha256(os.fsencode(path.resolve())).hexdigest()[:16]
    place = platformdirs.user_cache_path("clefkit") / "hashes" / name
    with contextlib.suppress(OSError, UnicodeDecodeError):
        then, _, digest = place.read_text(encoding="ascii").rpartition(" ")
        if then == now and SHA256.fullmatch(digest):
            return digest
    digest = record.sha256(path)
    if time.time_ns() - max(state.st_mtime_ns, state.st_ctime_ns) > SETTLED_NS:
        with contextlib.suppress(OSError):  # a cache that can't be written to costs time, nothing else
            place.parent.mkdir(parents=True, exist_ok=True)
            pending = place.with_name(f".{name}.{os.getpid()}.part")
            pending.write_text(f"{now} {digest}", encoding="ascii")
            pending.replace(place)
    return digest


def recorded(value: Any) -> Any:
    """An option as its record holds it: assets in it by name and hash, never by path."""
    if isinstance(value, Asset):
        return {"asset": value.kind, "name": value.name, "sha256": value.sha256}
    if isinstance(value, dict):
        return {key: recorded(each) for key, each in value.items()}
    return [recorded(each) for each in value] if isinstance(value, list) else value


def restored(value: Any) -> Any:
    """An option from a record. Raises MissingError when an asset in it is not here, or is another file by now."""
    if isinstance(value, list):
        return [restored(each) for each in value]
    if not isinstance(value, dict):
        return value
    if "asset" not in value:
        return {key: restored(each) for key, each in value.items()}
    finders = {"soundfont": soundfont, "model": model, "package": package, "room": room, "recording": recording}
    asset = finders[value["asset"]](value["name"])
    if asset.sha256 != value["sha256"]:
        raise MissingError(f"{value['asset']} {value['name']} here is another file than the record's")
    return asset


def _by_name(folder: str, *patterns: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for root in roots():
        for path in sorted(path for pattern in patterns for path in (root / folder).glob(pattern)):
            named = path.parent if path.name == "config.toml" else path
            found.setdefault(named.name if named.is_dir() else named.stem, named)
    return found


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise InputError(f"{path.name} can't be read: {error}") from error


def _carried_by_pretty_midi() -> Iterator[Path]:
    spec = importlib.util.find_spec("pretty_midi")
    if spec is not None and spec.origin is not None:
        yield from Path(spec.origin).parent.glob("*.sf2")
