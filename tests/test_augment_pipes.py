"""augment and room in real shells: the same bytes in any order, again from records, at any rate."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Shell
from test_pipes import RENDER, copies, files

from clefkit import audio, notes, registry


@pytest.mark.slow
def test_every_preset_gives_the_same_bytes_in_any_order_and_replayed(shell: Shell, scale: Path) -> None:
    notes.write_midi(scale.with_name("b.mid"), notes.take(notes.read(scale), np.arange(1, 7)))
    shell(f"{RENDER} scale.mid b.mid --format flac --out sound")
    count = len(registry.presets())
    line = f"clefkit augment --level 1..3 --variants {count} --seed 2"
    done = shell(f"{line} --jobs 1 --out one sound/scale.flac sound/b.flac", timeout=600)
    sounds = [f"{name}.level-1-3-2.v{number}.flac" for name in ("scale", "b") for number in range(1, count + 1)]
    assert done.stdout.splitlines() == [f"one/{sound}" for sound in sounds]
    made = files(scale.parent / "one")
    records = [json.loads(path.read_text()) for path in sorted((scale.parent / "one").glob("*.json"))]
    assert sorted(each["preset"]["name"] for each in records) == sorted([*registry.presets()] * 2)
    shell(f"{line} --jobs 4 --out two sound/b.flac sound/scale.flac", timeout=600)
    assert files(scale.parent / "two") == made
    done = shell(f"cd two && rm *.flac *.ref.*; clefkit replay {' '.join(sounds)}", timeout=600)
    assert (done.returncode, done.stdout.splitlines()) == (0, sounds), done.stderr
    assert files(scale.parent / "two") == made


def test_what_was_drawn_for_one_file_is_applied_to_another(shell: Shell, scale: Path) -> None:
    copies(scale, ["a.mid", "b.mid"])
    shell(f"{RENDER} a.mid b.mid && clefkit augment --preset cassette --seed 4 a.wav")
    done = shell(
        "clefkit augment --replay a.cassette-4.wav.json b.wav && clefkit augment --replay a.cassette-4.wav -o c a.wav"
    )
    assert (done.returncode, done.stdout) == (0, "b.cassette-4.wav\nc/a.cassette-4.wav\n"), done.stderr
    first, second = (json.loads((scale.parent / f"{name}.cassette-4.wav.json").read_text()) for name in "ab")
    assert first["preset"] == second["preset"]
    assert (scale.parent / "c/a.cassette-4.wav").read_bytes() == (scale.parent / "a.cassette-4.wav").read_bytes()


def test_a_room_is_made_again_from_its_record(shell: Shell, scale: Path) -> None:
    done = shell(
        "clefkit room --rt60 .4 --size 6x5x3 && mv room-0.4s-6x5x3-0.wav a && clefkit replay room-0.4s-6x5x3-0.wav"
    )
    assert (done.returncode, done.stdout) == (0, "room-0.4s-6x5x3-0.wav\n" * 2), done.stderr
    assert (scale.parent / "a").read_bytes() == (scale.parent / "room-0.4s-6x5x3-0.wav").read_bytes()


def test_an_edited_record_makes_no_endless_room(shell: Shell, scale: Path) -> None:
    shell("clefkit room --rt60 .4 --size 6x5x3")
    beside = scale.with_name("room-0.4s-6x5x3-0.wav.json")
    beside.write_text(beside.read_text().replace('"rt60_s": 0.4,', '"rt60_s": 1e9,'))
    done = shell("clefkit replay room-0.4s-6x5x3-0.wav")
    assert (done.returncode, done.stdout) == (1, "")
    assert "rt60_s must lie within 0.1 and 10" in done.stderr


@pytest.mark.parametrize("rate", [8000, 192_000])
def test_unusual_rates_go_through_the_pipeline(shell: Shell, scale: Path, rate: int) -> None:
    shell(f"{RENDER} scale.mid")
    sound = audio.resample(audio.read(scale.with_suffix(".wav")), rate)
    audio.write(scale.with_name("odd.wav"), sound)
    done = shell(
        "clefkit augment --preset phone,cassette odd.wav | clefkit transcribe | clefkit score --ref scale.mid --json"
    )
    assert json.loads(done.stdout)["note_f1"] > 0.7, done.stderr
