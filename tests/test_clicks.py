"""Ten minutes of clicks at odd times with a new tempo on each beat, through the program: labels against the sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from conftest import Shell
from playing import click_track, found_clicks
from tiny_font import RATE, Preset, click, font

from clefkit import audio, notes


def test_two_thousand_clicks_lie_exactly_on_their_labels(shell: Shell, tmp_path: Path) -> None:
    asked = click_track(tmp_path / "clicks.mid")
    font(tmp_path / "click.sf2", Preset(click(), tuned=False))
    done = shell("python -m clefkit render --timbre ./click.sf2 clicks.mid")
    assert (done.returncode, done.stdout) == (0, "clicks.wav\n"), done.stderr
    labels = notes.read(tmp_path / "clicks.ref.jsonl")
    assert len(labels) == len(asked) == 2000
    onset = np.rint(labels.onset * RATE).astype(np.int64)
    heard = found_clicks(audio.read(tmp_path / "clicks.wav").samples[0], onset, 40)
    assert np.abs(heard - onset).max() == 0
    assert np.abs(onset - asked * RATE).max() <= 32 + 1e-6
    for_people = notes.read(tmp_path / "clicks.ref.mid")
    assert np.abs(for_people.onset - labels.onset).max() <= 0.25e-3
