"""transcribe: the front end, streaming, the checkpoint that ships."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from clefkit import audio, features, notes, registry, score, transcribe
from clefkit.audio import Audio
from clefkit.errors import InputError, MissingError, UsageError
from clefkit.record import Source
from clefkit.transcribe import infer, listen, settings
from clefkit.transcribe.decode import Decoder

Array = NDArray[np.float32]


def sine(pitch: float, seconds: float, level: float = 0.5) -> Array:
    time = np.arange(round(seconds * features.RATE)) / features.RATE
    return np.asarray(level * np.sin(2 * np.pi * 440 * 2 ** ((pitch - 69) / 12) * time), dtype=np.float32)


def plucks(onset: list[float], pitch: list[int], seconds: float, rate: int = features.RATE) -> Array:
    """Decaying tones of six partials at known times."""
    sound = np.zeros(round(seconds * rate), np.float32)
    for start, each in zip(onset, pitch, strict=True):
        time = np.arange(round(0.45 * rate)) / rate
        base = 2 * np.pi * 440 * 2 ** ((each - 69) / 12) * time
        tone = sum(np.sin(base * k) / k**1.5 * np.exp(-time * 4 * k**0.5) for k in range(1, 7))
        first = round(start * rate)
        sound[first : first + len(time)] += (0.2 * np.minimum(time / 0.003, 1) * tone)[: len(sound) - first]
    return sound


@pytest.mark.parametrize("pitch", [33, 45, 54, 55, 69, 75, 76, 90, 105])
def test_a_sine_is_loudest_at_its_own_pitch(pitch: int) -> None:
    middle = features.compute(sine(pitch, 2.0))[43]
    expected = (pitch - features.LOWEST_PITCH) * features.BINS_PER_SEMITONE + 1
    assert abs(int(middle[0].argmax()) - expected) <= (1 if pitch < 45 else 0)  # 8192 samples are short for 55 Hz


@pytest.mark.parametrize("samples", [1, 511, 512, 513, 131_071, 131_072, 131_073, 132_096, 135_168, 300_000])
def test_blocks_of_any_length_give_the_same_features_to_the_bit(samples: int) -> None:
    generator = np.random.default_rng(samples)
    sound = (0.1 * generator.standard_normal(samples)).astype(np.float32)
    whole = features.compute(sound)
    cuts = np.sort(generator.integers(0, samples + 1, 7))
    pieces = list(features.stream(np.split(sound, cuts)))
    assert len(whole) == samples // features.HOP + 1
    assert np.array_equal(np.concatenate(pieces), whole)


def test_the_level_of_a_recording_changes_nothing() -> None:
    generator = np.random.default_rng(0)
    sound = (0.1 * generator.standard_normal(5 * features.RATE)).astype(np.float32)
    assert np.allclose(features.compute(sound), features.compute(sound / np.float32(64)), atol=1e-4)


def test_silence_is_zero() -> None:
    assert features.compute(np.zeros(20_000, np.float32)).max() == 0


ONSETS = [0.2 + 0.3 * index for index in range(100)]
PITCHES = [48 + (7 * index) % 37 for index in range(100)]


SHIPPED = ("notes", "notes-small")


@pytest.fixture(scope="module", params=SHIPPED)
def model(request: pytest.FixtureRequest) -> infer.Model:
    loaded = infer.load(registry.model(request.param).path)
    assert isinstance(loaded, infer.Model)
    return loaded


def heard(blocks: Iterable[Array], model: infer.Model) -> notes.Notes:
    return listen.listen(lambda _: blocks, model, listen.Settings(model.thresholds)).notes


@pytest.mark.parametrize("name", SHIPPED)
def test_plucked_notes_are_found_where_they_are(name: str) -> None:
    found = transcribe.notes(plucks(ONSETS[:30], PITCHES[:30], 10.0)[None], features.RATE, name)
    truth = notes.make(ONSETS[:30], [each + 0.4 for each in ONSETS[:30]], PITCHES[:30])
    assert score.compare(truth, found)["note_f1"] > 0.85


def test_a_seam_neither_loses_nor_doubles_a_note(model: infer.Model) -> None:
    sound = plucks(ONSETS, PITCHES, 31.0)
    whole = heard([sound], model)
    for window in (64, 100, 4096):
        decoder = Decoder(model.thresholds)
        for piece in infer.outputs(features.stream([sound]), model, window=window):
            decoder.push(infer.arranged(piece, model.names))
        again = decoder.finish()
        assert again.pitch.tolist() == whole.pitch.tolist()
        assert np.allclose(again.intervals, whole.intervals, atol=1e-3)


def test_blocks_of_any_length_give_the_same_notes_to_the_bit(model: infer.Model) -> None:
    sound = plucks(ONSETS[:60], PITCHES[:60], 19.0)
    whole = heard([sound], model)
    for block in (997, 22_050, 131_072):
        again = heard([sound[start : start + block] for start in range(0, len(sound), block)], model)
        for name in ("onset", "offset", "pitch", "velocity", "confidence"):
            assert np.array_equal(getattr(again, name), getattr(whole, name))


def test_silence_and_noise_have_no_notes(model: infer.Model) -> None:
    generator = np.random.default_rng(1)
    noise = (0.05 * generator.standard_normal(10 * features.RATE)).astype(np.float32)
    assert len(heard([np.zeros(10 * features.RATE, np.float32)], model)) == 0
    assert len(heard([noise], model)) <= 2


def test_a_quiet_recording_gives_the_notes_of_a_loud_one(model: infer.Model) -> None:
    sound = plucks(ONSETS[:20], PITCHES[:20], 7.0)
    loud, quiet = heard([sound], model), heard([sound / np.float32(20)], model)
    assert score.compare(loud, quiet)["note_f1"] > 0.97


def test_stereo_and_another_rate_are_fine() -> None:
    sound = plucks(ONSETS[:10], PITCHES[:10], 4.0, rate=48_000)
    mono = transcribe.notes(sound, 48_000)
    stereo = transcribe.notes(np.stack([sound, sound]), 48_000)
    assert mono.pitch.tolist() == stereo.pitch.tolist()
    assert len(mono) >= 8


@pytest.mark.parametrize("samples", [np.zeros((2, 0)), np.array([[0.0, np.nan, 0.0]])])
def test_what_is_no_sound_is_refused(samples: NDArray[np.float64]) -> None:
    with pytest.raises(InputError, match="samples"):
        transcribe.notes(samples.astype(np.float32), 44_100)


def test_an_unknown_model_is_told() -> None:
    with pytest.raises(UsageError, match="no model"):
        transcribe.notes(np.zeros((1, 8000), np.float32), 8000, model="nothing")


def written(path: Path, out: Path) -> dict[str, Any]:
    (product,) = transcribe.products(Source(path), np.random.default_rng(0), **settings.options())
    assert product.suffix == "notes.mid"
    assert product.printed
    product.write(out)
    return product.facts


def test_a_file_becomes_a_midi_file_and_its_facts(tmp_path: Path) -> None:
    sound = plucks(ONSETS[:12], PITCHES[:12], 4.0, rate=44_100)
    audio.write(tmp_path / "x.wav", Audio(sound[None], 44_100))
    facts = written(tmp_path / "x.wav", tmp_path / "x.notes.mid")
    found = notes.read(tmp_path / "x.notes.mid")
    assert facts["notes"] == len(found) >= 10
    assert facts["checkpoint"]["name"].startswith("notes-")
    assert facts["checkpoint"]["sha256"] == registry.model("notes").sha256
    again = written(tmp_path / "x.wav", tmp_path / "again.mid")
    assert again == facts
    assert (tmp_path / "again.mid").read_bytes() == (tmp_path / "x.notes.mid").read_bytes()


def test_naming_products_reads_nothing(tmp_path: Path) -> None:
    (product,) = transcribe.products(Source(tmp_path / "none.wav"), np.random.default_rng(0), **settings.options())
    with pytest.raises(InputError, match="no such file"):
        product.write(tmp_path / "x.mid")


def test_a_folder_without_a_checkpoint_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingError, match=r"config\.toml"):
        infer.load(tmp_path)


def test_a_network_that_was_changed_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "notes-1"
    shutil.copytree(registry.model("notes").path, folder)
    with (folder / "model.onnx").open("ab") as file:
        file.write(b"more")
    with pytest.raises(MissingError, match="not the one"):
        infer.load(folder)


def test_a_checkpoint_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('net = "tags"\n')
    (tmp_path / "model.onnx").write_bytes(b"")
    with pytest.raises(MissingError, match="kind"):
        infer.load(tmp_path)


@pytest.mark.slow
def test_a_long_recording_needs_no_more_memory_than_a_minute(model: infer.Model) -> None:
    import tracemalloc

    block = plucks(ONSETS[:30], PITCHES[:30], 10.0)

    def peak(minutes: int) -> int:
        tracemalloc.start()
        heard((block for _ in range(6 * minutes)), model)
        result = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return result

    assert peak(6) < peak(1) + 4_000_000
