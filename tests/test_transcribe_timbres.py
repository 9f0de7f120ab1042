"""One track a timbre: with the shipped checkpoint, on two instruments made in the test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_graphs
from numpy.typing import NDArray

from clefkit import audio, features, notes, registry, score, transcribe
from clefkit.audio import Audio
from clefkit.record import Source
from clefkit.transcribe import infer, listen, settings, timbre
from clefkit.transcribe.timbre import Limits, Model, Views

Array = NDArray[np.float32]

RATE = features.RATE


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
    sound, _ = duet
    audio.write(tmp_path / "duet.wav", Audio(sound, RATE), "wav")
    model = infer.load(registry.model("notes").path)
    wanted = listen.Settings(model.thresholds, instruments=None, timbre=registry.model("timbre").path)
    whole = listen.listen(lambda _: [sound[0]], model, wanted).notes
    monkeypatch.setattr(infer.outputs, "__defaults__", (64,))
    pieces = [sound[0][start : start + 1000] for start in range(0, sound.shape[1], 1000)]
    cut = listen.listen(lambda _: pieces, model, wanted).notes
    assert len(whole.parts) == 2
    assert np.array_equal(whole.part, cut.part)
    assert whole.parts == cut.parts


def test_notes_that_are_known_are_shared_out(duet: tuple[audio.Samples, notes.Notes]) -> None:
    sound, played = duet
    shares, parts = listen.shared_out(lambda _: [sound[0]], registry.model("timbre").path, played, None)
    part = shares.argmax(axis=1)
    assert len(parts) == 2
    right = (part == played.part).mean()
    assert max(right, 1 - right) > 0.95
    again, _ = listen.shared_out(
        lambda _: np.split(sound[0], [7, 5000, 5001]), registry.model("timbre").path, played, 2
    )
    assert np.array_equal(shares, again)


def test_the_record_names_who_told_them_apart(duet: tuple[audio.Samples, notes.Notes], tmp_path: Path) -> None:
    audio.write(tmp_path / "duet.wav", Audio(duet[0], RATE), "wav")
    options = settings.options(instruments="2", names="none")
    (product,) = transcribe.products(Source(tmp_path / "duet.wav"), np.random.default_rng(0), **options)
    product.write(tmp_path / "duet.notes.mid")
    asset = registry.model("timbre")
    assert product.facts["timbre"] == {"name": asset.name, "sha256": asset.sha256}
    assert "tagger" not in product.facts
    assert len(notes.read(tmp_path / "duet.notes.mid").parts) == 2


# With a network that says what is wanted: notes of a height are of one instrument


class Single:
    def run(self, _outputs: None, inputs: dict[str, Array]) -> list[Array]:
        assert set(inputs) == set(Views._fields)
        return [inputs["aside"]]


class Together:
    def run(self, _outputs: None, inputs: dict[str, Array]) -> list[Array]:
        pitch = inputs["placed"][:, 2]
        return [6 - np.abs(pitch[:, None] - pitch[None])]


@pytest.fixture
def by_height(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint that needs no files."""
    monkeypatch.setattr(timbre, "load", lambda _: Model(Single(), Together(), Limits(0.0, 0.03)))
    return Path("by-height")


def noise(seconds: float) -> Array:
    return (0.1 * np.random.default_rng(0).standard_normal(round(seconds * RATE))).astype(np.float32)


@pytest.mark.parametrize("block", [1000, 10**6])
def test_parts_come_in_the_order_of_the_notes(by_height: Path, block: int) -> None:
    """Low notes last, so they end after high ones that began later; some begin or end after the sound."""
    onset = np.arange(0, 9, 0.3)
    high = np.arange(len(onset)) % 3 > 0
    found = notes.make(onset, onset + np.where(high, 0.1, 4.0), np.where(high, 80, 40.4), part=np.zeros(len(onset)))
    sound = noise(8.2)
    blocks = [sound[start : start + block] for start in range(0, len(sound), block)]
    shares, parts = listen.shared_out(lambda _: blocks, by_height, found, None)
    assert shares.argmax(axis=1).tolist() == [int(pitch < 60) for pitch in found.pitch], (
        "the part with the most notes is the first"
    )
    assert [each.name for each in parts] == ["timbre 1", "timbre 2"]
    one, parts = listen.shared_out(lambda _: blocks, by_height, found, 1)
    assert (one == 1).all()
    assert len(parts) == 1


def test_pitches_that_no_piano_has_do_no_harm(by_height: Path) -> None:
    onset = np.arange(8) / 2
    found = notes.make(onset, onset + 0.4, [5] * 4 + [120] * 4)
    shares, _ = listen.shared_out(lambda _: [noise(5)], by_height, found, None)
    assert shares.argmax(axis=1).tolist() == [0] * 4 + [1] * 4


def test_two_or_three_notes_are_no_instrument_unless_there_must_be_one(by_height: Path) -> None:
    onset = np.arange(7) / 2
    found = notes.make(onset, onset + 0.4, [50] * 4 + [80] * 3)
    for instruments, parts in ((None, 1), (2, 2)):
        shares, _ = listen.shared_out(lambda _: [noise(4)], by_height, found, instruments)
        assert shares.shape == (7, parts)


def test_without_notes_there_is_one_part(by_height: Path) -> None:
    shares, parts = listen.shared_out(lambda _: [noise(2)], by_height, notes.make([], [], []), None)
    assert shares.shape == (0, 1)
    assert len(parts) == 1


@pytest.mark.parametrize(
    ("given", "told", "named"),
    [(each, [0] * 4 + [1] * 4, ["timbre 1", "timbre 2"]) for each in (None, 2)] + [(1, [0] * 8, [""])],
)
def test_notes_of_models_with_other_eyes_are_told_apart_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: int | None, told: list[int], named: list[str]
) -> None:
    """A network that takes samples and hears middle C; here, notes of the first four seconds are of one instrument."""

    class Early(Together):
        def run(self, _outputs: None, inputs: dict[str, Array]) -> list[Array]:
            early = inputs["placed"][:, 0] < 3.9
            return [np.where(early[:, None] == early[None], 3, -3).astype(np.float32)]

    monkeypatch.setattr(timbre, "load", lambda _: Model(Single(), Early(), Limits(0.0, 0.03)))
    model = infer.load(tiny_graphs.write(tmp_path / "theirs", tiny_graphs.of_samples(), tiny_graphs.OF_SAMPLES))
    time = np.arange(8 * RATE) / RATE
    tone = 0.5 * np.sin(2 * np.pi * 261.6 * time) * (time % 1 < 0.4)
    wanted = listen.Settings(model.thresholds, instruments=given, timbre=Path("early"))
    heard = listen.listen(
        lambda rate: [audio.resample(Audio(tone[None].astype(np.float32), RATE), rate).samples[0]], model, wanted
    )
    assert heard.notes.part.tolist() == told
    assert [part.name for part in heard.notes.parts] == named
