"""One track a timbre: with the shipped checkpoint, on two instruments made in the test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clefkit import audio, notes, score, transcribe
from clefkit.audio import Audio

RATE = 22_050


@pytest.fixture(scope="module")
def duet() -> tuple[audio.Samples, notes.Notes]:
    """Ten seconds: a reed that holds its tones, odd partials alone; below it a string that dies away."""
    rng = np.random.default_rng(5)
    sound = np.zeros(11 * RATE, np.float32)
    rows = []
    for part, (low, step_s) in enumerate(((67, 0.5), (45, 0.4))):
        for number in range(int(10 / step_s)):
            onset, pitch = 0.2 + number * step_s, low + int(rng.choice([0, 2, 4, 5, 7, 9, 11, 12]))
            length = step_s * 0.9
            time = np.arange(int(length * RATE)) / RATE
            frequency = 440 * 2 ** ((pitch - 69) / 12)
            numbers = np.arange(1, 16, 2) if part == 0 else np.arange(1, 20)
            waves = np.sin(2 * np.pi * frequency * numbers[:, None] * time) / numbers[:, None] ** (0.8 + 0.4 * part)
            shape = np.minimum(time / 0.03, 1) if part == 0 else np.exp(-time / 0.15) * np.minimum(time / 0.002, 1)
            ending = np.minimum((length - time) / 0.02, 1)
            start = round(onset * RATE)
            sound[start : start + len(time)] += (0.1 * waves.sum(axis=0) * shape * ending).astype(np.float32)
            rows.append((onset, onset + length, pitch, 90, part))
    onsets, offsets, pitches, velocities, parts = np.array(rows).T
    sound += 1e-4 * rng.standard_normal(len(sound)).astype(np.float32)
    return sound[None], notes.make(
        onsets, offsets, pitches, velocities, parts, (notes.Part("reed"), notes.Part("string"))
    )


def test_two_timbres_become_two_parts(duet: tuple[audio.Samples, notes.Notes]) -> None:
    sound, played = duet
    found = transcribe.notes(sound, RATE, names="none")
    measured = score.compare(played, found)
    assert [part.name for part in found.parts] == ["timbre 1", "timbre 2"]
    assert measured["note_f1"] > 0.85
    assert measured["track_f1"] > 0.8


def test_the_number_of_parts_can_be_given(duet: tuple[audio.Samples, notes.Notes]) -> None:
    sound, _ = duet
    alone = transcribe.notes(sound, RATE, instruments=1)
    assert len(alone.parts) == 1
    three = transcribe.notes(sound, RATE, instruments=3)
    assert len(np.unique(three.part)) == 3
    assert np.array_equal(alone.onset, three.onset)
    assert np.bincount(three.part).argmax() == 0


def test_a_held_timbre_and_a_struck_one_play_back_as_such(duet: tuple[audio.Samples, notes.Notes]) -> None:
    sound, played = duet
    found = transcribe.notes(sound, RATE, instruments=2, names="none")
    high = int(np.median(found.pitch[found.part == 0]) < np.median(found.pitch[found.part == 1]))
    assert found.parts[high].program >= 40
    assert found.parts[1 - high].program < 40
    assert len(played.parts) == 2


def test_parts_do_not_depend_on_how_the_sound_arrives(
    duet: tuple[audio.Samples, notes.Notes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from clefkit import features, registry
    from clefkit.transcribe import infer, listen

    sound, _ = duet
    audio.write(tmp_path / "duet.wav", Audio(sound, RATE), "wav")
    model = infer.load(registry.model("notes").path)
    settings = listen.Settings(model.thresholds, instruments=None)
    whole = listen.listen(lambda _: [sound[0]], model, settings).notes
    monkeypatch.setattr(infer.outputs, "__defaults__", (64,))
    pieces = [sound[0][start : start + 1000] for start in range(0, sound.shape[1], 1000)]
    cut = listen.listen(lambda _: pieces, model, settings).notes
    assert features.RATE == RATE
    assert np.array_equal(whole.part, cut.part)
    assert whole.parts == cut.parts
