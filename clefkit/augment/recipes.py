"""What a command line asks for, as presets in plain data: by name, joined, by level, a room alone, a record's numbers.

A preset's `level` says how far from the studio it is: 1 changes the signal, 2 the place and the device, 3 what is left
of the source. A recipe asks for levels, and gets another preset for each file and variant.
"""

from __future__ import annotations

import fnmatch
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clefkit import record, registry
from clefkit.augment import chain, rooms
from clefkit.errors import InputError, UsageError
from clefkit.registry import Asset

Preset = dict[str, Any]


def named(names: str) -> Preset:
    """A preset by its name, or several, "studio,phone", one after another.

    raises: UsageError when there is none of that name; InputError when one is wrong
    """
    return joined([registry.preset(name.strip()) for name in names.split(",")])


def joined(presets: Sequence[Preset]) -> Preset:
    """One preset that does what these do one after another, as far from the studio as the farthest."""
    for preset in presets:
        chain.check(preset)
    if len(presets) == 1:
        return presets[0]
    return {
        "name": "+".join(preset["name"] for preset in presets),
        "sha256": "+".join(preset["sha256"] for preset in presets),
        "level": max(preset.get("level", 1) for preset in presets),
        "effect": [effect for preset in presets for effect in preset["effect"]],
    }


def of_levels(levels: str) -> list[Preset]:
    """Every preset of a level, "2", or of several, "1..3".

    raises: UsageError when it is no level
    """
    asked = re.fullmatch(r"(\d+)(?:\.\.(\d+))?", levels)
    low, high = (int(asked[1]), int(asked[2] or asked[1])) if asked else (0, 0)
    if low not in chain.LEVELS or high not in chain.LEVELS or low > high:
        raise UsageError(f"--level {levels}: give one of {chain.LEVELS[0]} to {chain.LEVELS[-1]}, or a range like 1..3")
    presets = [registry.preset(name) for name in sorted(registry.presets())]
    chosen = [preset for preset in presets if low <= preset.get("level", 0) <= high]
    for preset in chosen:
        chain.check(preset)
    return [{key: preset[key] for key in ("name", "sha256", "level", "effect")} for preset in chosen]


def room(name: str) -> Preset:
    """The rooms of a preset alone, a room by its name, any of several ("hall_*"), or the impulse response in a file.

    raises: UsageError when there is none of that name, or the preset has no room; InputError when the file is no
        impulse response
    """
    path = Path(name)
    if name in registry.presets():
        preset = registry.preset(name)
        effects = [effect for effect in preset.get("effect", []) if effect.get("kind") == "room"]
        if not effects:
            raise UsageError(f"preset {name} has no room in it")
        return {"name": f"ir-{name}", "sha256": preset["sha256"], "effect": effects}
    if path.is_file():
        rooms.load(path)
        asset = Asset("room", path.stem, path, record.sha256(path))
        return {"name": f"ir-{path.stem}", "sha256": asset.sha256, "effect": [{"kind": "room", "file": asset}]}
    found = fnmatch.filter(sorted(registry.rooms()), name)
    if not found:
        raise UsageError(f"no preset, room or sound file {name!r}: `clefkit presets` lists the presets")
    label = re.sub(r"[^\w-]+", "", name).strip("_-") or "any"
    digests = "+".join(registry.room(each).sha256 for each in found)
    sha256 = digests if len(found) == 1 else hashlib.sha256(digests.encode()).hexdigest()
    return {
        "name": f"ir-{label}",
        "sha256": sha256,
        "effect": [{"kind": "room", "room": found if len(found) > 1 else found[0]}],
    }


def with_noise(preset: Preset, snr_db: float, kind: str) -> Preset:
    """The preset with noise at its end."""
    return {**preset, "effect": [*preset["effect"], {"kind": "noise", "noise": kind, "snr_db": snr_db}]}


def replayed(path: Path) -> tuple[Preset, str]:
    """What was drawn for a file, to be applied to others: from its record, x.hall-7.wav.json, or the file beside it.

    returns: the preset, and the label of its results
    raises: InputError when there is no record of `augment`, or its numbers are wrong
    """
    beside = path if path.suffix == record.SUFFIX else record.beside(path)
    data = record.load(beside)
    try:
        known, label = data["preset"], str(data["options"]["label"])
        preset = {key: known[key] for key in ("name", "sha256", "level") if key in known}
        preset["effect"] = [_with_file(effect, path.parent) for effect in known["drawn"]]
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{beside.name} is no record of a file that augment made") from error
    chain.check(preset)
    return preset, label


def _with_file(effect: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The effect; a response given as a file is found by its name beside the record, or among the rooms."""
    if "file" not in effect:
        return effect
    path = folder / Path(effect["file"]).name
    asset = Asset("room", path.stem, path, record.sha256(path)) if path.is_file() else registry.room(path.stem)
    if asset.sha256 != effect["sha256"]:
        raise InputError(f"the room response {path.name} is another file than the one drawn")
    return {**effect, "file": asset}
