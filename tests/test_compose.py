"""compose: pieces that are tonal, varied, and no better than music; the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from conftest import Shell

from clefkit import critique, notes, registry
from clefkit.critique import compose, infer
from clefkit.critique.table import columns

SCALES = np.array([[(pitch - tonic) % 12 in (0, 2, 4, 5, 7, 9, 11) for pitch in range(12)] for tonic in range(12)])


def scale_consistency(pitch: np.ndarray) -> float:
    """The largest share of notes in one major scale (MusPy's measure)."""
    counts = np.bincount(pitch.astype(int) % 12, minlength=12)
    return float((SCALES @ counts).max() / counts.sum())


@pytest.fixture(scope="module")
def piece() -> notes.Notes:
    critic = infer.load(registry.checkpoint("critic").path)
    return compose.compose(16, critic, np.random.default_rng(1))


def test_a_piece_has_its_voices_and_its_length(piece: notes.Notes) -> None:
    assert [part.name for part in piece.parts] == ["melody", "bass", "alto"]
    assert np.unique(piece.part).tolist() == [0, 1, 2]
    assert 12 < piece.offset.max() < 20
    for number, voice in enumerate(compose.VOICES[:3]):
        mine = notes.take(piece, piece.part == number)
        assert (mine.pitch >= voice.low).all()
        assert (mine.pitch <= voice.high).all()
        assert (mine.offset[:-1] <= mine.onset[1:] + 1e-6).all()  # a voice is one line


def test_it_is_tonal_without_a_rule_and_not_dull(piece: notes.Notes) -> None:
    assert scale_consistency(piece.pitch) >= 0.85
    assert len(np.unique(piece.pitch)) >= 10
    generator = np.random.default_rng(2)
    chance = [scale_consistency(generator.integers(40, 80, len(piece))) for _ in range(50)]
    assert scale_consistency(piece.pitch) > max(chance)


def test_it_sounds_more_like_music_than_chance_and_not_more_than_music(piece: notes.Notes) -> None:
    generator = np.random.default_rng(3)
    table = columns(piece)
    random = table.copy()
    random[:, 2] = generator.integers(table[:, 2].min(), table[:, 2].max() + 1, len(table))
    for name, past in (("critic", 1.5), ("critic-roll", 0.0)):  # what it was made for, and another
        made, chance = critique.reward([table, random], model=name)
        assert made > chance + 1
        assert made <= critique.ceiling(name) + past


def test_same_seed_same_bytes_and_replay(tmp_path: Path, shell: Shell) -> None:
    line = "clefkit compose --seconds 6 --voices 2 --seed"
    done = shell(f"{line} 5 && {line} 5 --out again && {line} 6 --out again")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "composed-6s-2-5.mid"
    first = (tmp_path / "composed-6s-2-5.mid").read_bytes()
    assert first == (tmp_path / "again" / "composed-6s-2-5.mid").read_bytes()
    assert first != (tmp_path / "again" / "composed-6s-2-6.mid").read_bytes()
    record = json.loads((tmp_path / "composed-6s-2-5.mid.json").read_text())
    assert record["checkpoint"]["name"] == "critic-1"
    assert record["judge"]["name"] == "critic-roll-1"
    for role in ("checkpoint", "judge"):
        assert 0 <= record[role]["p_real"] <= 1
        assert 0 <= record[role]["percentile"] <= 100
    assert record["judge"]["p_real"] != record["checkpoint"]["p_real"]
    (tmp_path / "composed-6s-2-5.mid").unlink()
    assert shell("clefkit replay composed-6s-2-5.mid").returncode == 0
    assert first == (tmp_path / "composed-6s-2-5.mid").read_bytes()


def test_a_wrong_command_line_is_said(shell: Shell) -> None:
    assert shell("clefkit compose --voices 9").returncode == 2
    assert shell("clefkit compose --model nobody").returncode == 2
    assert shell("clefkit compose --judge nobody").returncode == 2
    assert shell("clefkit compose --model notes").returncode != 0
