"""Files that are not what they should be: one clear line, no traceback, nothing written, nothing executed."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from conftest import Shell

CONTAINER = '<container><rootfiles><rootfile full-path="score.xml"/></rootfiles></container>'
ENTITY = '<!DOCTYPE score-partwise [<!ENTITY secret SYSTEM "file:///etc/hostname">]>'
PART_LIST = '<part-list><score-part id="P1"><part-name>&secret;</part-name></score-part></part-list>'
NOTE = "<note><pitch><step>C</step><octave>4</octave></pitch><duration>1</duration></note>"
SCORE = f'<score-partwise>{PART_LIST}<part id="P1"><measure number="1">{NOTE}</measure></part></score-partwise>'


def wav(samples: np.ndarray, rate: int, subtype: str = "FLOAT") -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype=subtype)
    return buffer.getvalue()


def mxl(score: bytes, container: str = CONTAINER) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("score.xml", score)
    return buffer.getvalue()


def billion_laughs() -> bytes:
    levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    return f'<!DOCTYPE score-partwise [<!ENTITY l0 "ha">{levels}]>{SCORE.replace("&secret;", "&l11;")}'.encode()


SCORES = {
    "text.mid": b"hello, this is no MIDI file",
    "empty.mid": b"",
    "truncated.mid": b"MThd\x00\x00\x00\x06\x00\x01\x00\x01\x01\xe0MTrk\x00\x00\x10\x00\x00\x90",
    "endless.mid": b"MThd\x00\x00\x00\x06\x00\x00\x00\x01\x00\x01MTrk\x00\x00\x00\x10"
    b"\x00\x90\x3c\x40\xff\xff\xff\x7f\x80\x3c\x40\x00\xff\x2f\x00",
    "truncated.musicxml": SCORE.replace("&secret;", "Violin").encode()[:120],
    "empty.musicxml": b"",
    "entity.xml": (ENTITY + SCORE).encode(),
    "laughs.musicxml": billion_laughs(),
    "other.xml": b"<html><body>not a score</body></html>",
    "silent.musicxml": SCORE.replace("&secret;", "Violin").replace(NOTE, "").encode(),
    "bomb.mxl": mxl(b"<score-partwise>" + b" " * 300_000_000 + b"</score-partwise>"),
    "notzip.mxl": b"PK but no more",
    "outside.mxl": mxl(b"", CONTAINER.replace("score.xml", "../../etc/passwd")),
    "score.pdf": b"%PDF-1.4",
}
SOUNDS = {
    "text.wav": b"hello, this is no sound",
    "empty.wav": b"",
    "nan.wav": wav(np.full(44100, np.nan, np.float32), 44100),
    "infinite.wav": wav(np.full(44100, np.inf, np.float32), 44100),
    "one.wav": wav(np.zeros(1, np.float32), 44100),
    "eight.wav": wav(np.zeros((44100, 8), np.float32), 44100),
    "slow.wav": wav(np.zeros(7999, np.float32), 7999),
    "fast.wav": wav(np.zeros(192_001, np.float32), 192_001),
    "cut.flac": b"fLaC\x00\x00\x00\x22",
    "film.mp4": b"\x00\x00\x00\x18ftypmp42",
}


def assert_one_line_and_nothing_written(shell: Shell, tmp_path: Path, command: str, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    done = shell(f"clefkit {command} {name}", CLEFKIT_SOUNDFONT="TimGM6mb")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(f"clefkit {command.split(maxsplit=1)[0]}: {name}: ")
    assert "internal error" not in done.stderr
    assert {path.name for path in tmp_path.iterdir()} == {name}


@pytest.mark.parametrize("name", SCORES)
def test_render_refuses(shell: Shell, tmp_path: Path, name: str) -> None:
    assert_one_line_and_nothing_written(shell, tmp_path, "render", name, SCORES[name])


@pytest.mark.parametrize("command", ["augment", "transcribe"])
@pytest.mark.parametrize("name", SOUNDS)
def test_sound_is_refused(shell: Shell, tmp_path: Path, name: str, command: str) -> None:
    assert_one_line_and_nothing_written(shell, tmp_path, command, name, SOUNDS[name])


@pytest.mark.parametrize("name", ["text.mid", "empty.mid", "truncated.mid", "endless.mid"])
def test_score_refuses(shell: Shell, tmp_path: Path, name: str) -> None:
    assert_one_line_and_nothing_written(shell, tmp_path, "score", name, SCORES[name])


def test_a_folder_is_told_apart_from_a_file(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "scores").mkdir()
    done = shell("clefkit render scores", CLEFKIT_SOUNDFONT="TimGM6mb")
    assert done.returncode == 1
    assert "a folder" in done.stderr


def test_a_fault_that_is_mended_is_told_and_recorded(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.musicxml").write_text(SCORE.replace("&secret;", "Violin").replace("</measure>", ""))
    done = shell("clefkit render a.musicxml", CLEFKIT_SOUNDFONT="TimGM6mb")
    assert (done.returncode, done.stdout) == (0, "a.wav\n")
    assert "a.musicxml: damaged XML in line 1" in done.stderr
    assert "end tag" in json.loads((tmp_path / "a.wav.json").read_text())["faults"][0]


@pytest.mark.parametrize(("rate", "minutes", "told"), [(8000, 121, "120 minutes"), (192_000, 31, "30 minutes")])
def test_sound_that_would_not_fit_into_memory(shell: Shell, tmp_path: Path, rate: int, minutes: int, told: str) -> None:
    samples = rate * 60 * minutes
    head = bytearray(wav(np.zeros(rate), rate, "PCM_16"))
    size = len(head) - 2 * rate
    head[4:8], head[size - 4 : size] = (
        (2 * samples + size - 8).to_bytes(4, "little"),
        (2 * samples).to_bytes(4, "little"),
    )
    with (tmp_path / "long.wav").open("wb") as file:
        file.write(head[:size])
        file.truncate(size + 2 * samples)  # a sparse file, of nothing but its head on the disk
    done = shell("clefkit augment long.wav")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"clefkit augment: long.wav: longer than {told} at {rate} Hz: cut it into parts first\n"
