"""What a person may ask of a separation, as plain data: the options of the stage, as its records hold them.

Light to import: the process that reads the command line does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clefkit import labels, registry
from clefkit.errors import UsageError
from clefkit.registry import Asset
from clefkit.transcribe import settings as transcription

MODES = ("timbre", "harmonic-percussive", "classes")
REFERENCE = "ref"


def options(
    mode: str = "timbre",
    *,
    instruments: str = "auto",
    notes: str | None = None,
    keep: Sequence[str] = (),
    threshold: float = 0.5,
    model: str | None = None,
    names: str = "auto",
) -> dict[str, Any]:
    """The options of `separate.products`.

    mode: one of MODES
    instruments: how many there are, 1 to 6, or "auto": as many as there seem to be; given notes keep their tracks then
    notes: a file with the notes, one track a stem; "ref": those that were rendered, as the record says
    keep: names of stems that are wanted, "violin"; all others are in the rest then
    threshold: 0 to 1, of the notes: less finds more of them
    model: a checkpoint by name, or the path of a folder with one: that refines masks ("masks"; "none": without), or of
        classes; names: of `tag`, that names stems, or "none"
    raises: UsageError when something makes no sense; InputError or MissingError when there is no such checkpoint
    """
    if mode not in MODES:
        raise UsageError(f"--mode {mode}: there are {', '.join(MODES)}")
    known: dict[str, Any] = {"mode": mode, "keep": [_name(each) for each in keep]}
    if mode != "timbre":
        if instruments != "auto" or notes is not None:
            raise UsageError(f"--instruments and --notes go with --mode timbre, not with {mode}")
        if mode == "classes" and model is None:
            raise UsageError("--mode classes needs --model, the folder of a network: see clefkit separate --help")
        if mode != "classes" and model is not None:
            raise UsageError(f"--mode {mode} has no --model")
        return known | ({"network": registry.checkpoint(model)} if model is not None else {})
    heard = transcription.options(threshold=threshold, instruments=instruments, names=names)
    by_track = notes is not None and instruments == "auto"
    return known | {
        "checkpoint": heard["checkpoint"],
        "thresholds": heard["thresholds"],
        "timbre": heard["timbre"],
        "tagger": heard["tagger"],
        "instruments": 0 if by_track else heard["instruments"],
        "network": None if model == "none" else registry.checkpoint(model or "masks"),
        "notes": _notes(notes),
    }


def _name(text: str) -> str:
    plain = labels.plain(text)
    if not plain:
        raise UsageError(f"--stems {text}: give names of stems, as in violin,piano")
    return plain


def _notes(text: str | None) -> Asset | str | None:
    return text if text in (None, REFERENCE) else registry.recording(text)
