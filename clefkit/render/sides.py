"""What `render` can write beside the sound: the performance as MIDI, the score as it was played, a log-mel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from clefkit.render.take import Sound


class Maker(NamedTuple):
    """suffix: of the file's name; write: writes it and returns facts for the record"""

    suffix: str
    write: Callable[[Sound, Path], dict[str, Any]]


def _midi(sound: Sound, path: Path) -> dict[str, Any]:
    from clefkit import midiplay

    path.write_bytes(midiplay.encode(sound.take.performance))
    return {}


def _kern(sound: Sound, path: Path) -> dict[str, Any]:
    from clefkit.notation import kern_write

    path.write_text(kern_write.text(sound.take.played_score), encoding="utf-8")
    return {}


def _musicxml(sound: Sound, path: Path) -> dict[str, Any]:
    from clefkit.notation import musicxml_write

    path.write_text(musicxml_write.text(sound.take.played_score), encoding="utf-8")
    return {}


def _score_midi(sound: Sound, path: Path) -> dict[str, Any]:
    from clefkit.notation import midi_write

    path.write_bytes(midi_write.encode(sound.take.played_score))
    return {}


def _mel(sound: Sound, path: Path) -> dict[str, Any]:
    from clefkit.render import mel

    return {"mel": mel.write(path, sound.audio(None))}


MAKERS = {
    "midi": Maker("performance.mid", _midi),
    "score-midi": Maker("score.mid", _score_midi),
    "kern": Maker("score.krn", _kern),
    "musicxml": Maker("score.musicxml", _musicxml),
    "mel": Maker("mel.npy", _mel),
}
