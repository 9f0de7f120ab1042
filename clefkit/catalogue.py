"""What the registry knows, and what is installed, as rows for people: `clefkit models`, `presets`, `doctor`."""

from __future__ import annotations

import inspect
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import clefkit
from clefkit import engine, registry
from clefkit.errors import ClefkitError, UsageError

Row = dict[str, Any]


def models(names: list[str]) -> list[Row]:
    """Checkpoints: those named (`notes` is its highest version), or all."""
    chosen = [registry.model(name) for name in names or sorted(registry.models())]
    return [_model(asset) for asset in chosen]


def presets(names: list[str]) -> list[Row]:
    """Presets: those named, or all."""
    chosen = [registry.preset(name) for name in names or sorted(registry.presets())]
    return [
        {
            "name": preset["name"],
            "level": preset.get("level"),
            "about": preset.get("about", ""),
            "effects": ", ".join(str(effect.get("kind")) for effect in preset.get("effect", [])),
            "source": preset.get("source", ""),
            "sha256": preset["sha256"],
            "effect": preset.get("effect", []),
        }
        for preset in chosen
    ]


def effects() -> list[Row]:
    """What a preset may say: each setting of each effect, the values it may have, and what it is when nobody says."""
    from clefkit.augment import chain

    return [
        {"kind": kind, "about": (inspect.getdoc(effect) or "").split("\n")[0]} | _setting(key, setting)
        for kind, effect in chain.KINDS.items()
        for key, setting in effect.SETTINGS.items()
    ]


def _setting(key: str, setting: Any) -> Row:
    from clefkit.augment import settings

    if isinstance(setting, settings.Name):
        return {"setting": key, "values": ", ".join(sorted(setting.known())), "default": "must be given"}
    if isinstance(setting, settings.Seed):
        return {"setting": key, "values": f"0 to {settings.MOST_SEED - 1}", "default": "drawn"}
    default = "must be given" if setting.default is None else f"{setting.default:g}"
    return {"setting": key, "values": f"{setting.low:g} to {setting.high:g}", "default": default}


def details(kind: str, name: str) -> str:
    """The text that a person wrote about a checkpoint ("models": its card) or a preset ("presets": its file)."""
    if kind == "models":
        return (registry.model(name).path / "card.md").read_text(encoding="utf-8")
    found = registry.presets()
    if name not in found:
        raise UsageError(f"no preset {name!r}: there are {', '.join(sorted(found))}")
    return found[name].read_text(encoding="utf-8")


def installation() -> list[Row]:
    """One row a thing: what it is, whether all is well ("yes", "no", "optional"), and what was found or what to do."""
    return [{"what": what, "ok": state, "found": found} for what, state, found in _installation()]


def _installation() -> Iterator[tuple[str, str, str]]:
    yield (
        "clefkit",
        "yes",
        f"{clefkit.__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}",
    )
    yield _libfluidsynth()
    fonts = registry.soundfonts()
    for name, path in sorted(fonts.items()):
        yield "soundfont", "yes", f"{name} ({_size(path)})"
    yield _default_soundfont()
    names = sorted(registry.models())
    yield from map(_checkpoint, names)
    if not names:
        yield "checkpoint", "no", "none: the package is incomplete, install it again"
    yield (
        "presets",
        "yes" if registry.presets() else "no",
        f"{len(registry.presets())}, and {len(registry.rooms())} rooms",
    )
    program = shutil.which("ffmpeg")
    yield "ffmpeg", "yes" if program else "optional", "found" if program else "none: m4a and video can't be read"
    yield "cores", "yes", str(engine.cores())
    yield "GPU", "optional", _gpu()
    yield (
        "user folder",
        "optional",
        f"{registry.roots()[-len(clefkit.__path__) - 1]}, CLEFKIT_PATH={os.environ.get('CLEFKIT_PATH', '')}",
    )


def _libfluidsynth() -> tuple[str, str, str]:
    from clefkit.render import synth

    try:
        return "libfluidsynth", "yes", synth.version()
    except ClefkitError as error:
        return "libfluidsynth", "no", str(error)


def _default_soundfont() -> tuple[str, str, str]:
    try:
        return "default soundfont", "yes", registry.soundfont().name
    except ClefkitError as error:
        return "default soundfont", "no", str(error)


def _checkpoint(name: str) -> tuple[str, str, str]:
    try:
        return "checkpoint", "yes", f"{name}, sha256 {registry.model(name).sha256[:12]} as its config says"
    except ClefkitError as error:
        return "checkpoint", "no", str(error)


def _gpu() -> str:
    if not shutil.which("nvidia-smi"):
        return "none; every command runs on the CPU"
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20, check=False)
    return f"{', '.join(done.stdout.split(chr(10))).strip(', ') or 'none'}; used by training only"


def _model(asset: registry.Asset) -> Row:
    config = registry.config(asset.path)
    measured = {name: each["value"] for name, each in config.get("measured", {}).items()}
    return {
        "name": asset.name,
        "about": config.get("about", ""),
        "licence": config.get("licence", ""),
        "size": _size(asset.path),
        "sha256": asset.sha256,
        "measured": ", ".join(f"{name} {value:.3f}" for name, value in measured.items()),
        "data": config.get("data", ""),
    }


def _size(path: Path) -> str:
    files = [path] if path.is_file() else [each for each in path.rglob("*") if each.is_file()]
    count = sum(each.stat().st_size for each in files)
    return f"{count / 1e6:.1f} MB"
