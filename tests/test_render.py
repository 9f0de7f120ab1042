"""The stage: a score becomes its sound, its references, its stems and their records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_font import RATE, Preset, font, tone

from clefkit import audio, notes, record, render
from clefkit.audio import Audio
from clefkit.errors import InputError
from clefkit.notes import Part
from clefkit.record import Product, Source
from clefkit.registry import Asset
from clefkit.render import synth


def made(path: Path, soundfont: Path, folder: Path, **options: Any) -> dict[str, Product]:
    """Writes every product into the folder, as the frame does. Returns them by suffix."""
    asset = Asset("soundfont", soundfont.stem, soundfont, record.sha256(soundfont))
    found = {}
    for product in render.products(Source(path), np.random.default_rng(0), timbre="fixed", fonts=[asset], **options):
        product.write(folder / f"{path.stem}.{product.suffix}")
        found[product.suffix] = product
    return found


def test_products_are_the_references_then_the_sound(scale: Path, soundfont: Path, tmp_path: Path) -> None:
    found = made(scale, soundfont, tmp_path, kind="flac")
    assert [(suffix, product.printed) for suffix, product in found.items()] == [
        ("ref.jsonl", False),
        ("ref.mid", False),
        ("flac", True),
    ]
    facts = found["flac"].facts
    assert facts["reference"] == "ref.jsonl"
    assert facts["clock"] == {"offset_s": 0.0, "rate": 1.0}
    assert facts["silent"] == {"count": 0, "notes": []}
    played = {"bank": 0, "program": 0, "preset": "Piano 1", "font": soundfont.stem, "sha256": record.sha256(soundfont)}
    assert facts["parts"] == [{"name": "", "program": 0, "drums": False, "timbre": played}]
    assert facts["made_with"]["libfluidsynth"] == synth.version()
    json.dumps(facts)
    sound = audio.read(tmp_path / "scale.flac")
    head = json.loads((tmp_path / "scale.ref.jsonl").read_text().splitlines()[0])
    assert head["samples"] == sound.samples.shape[1]
    exact, rounded = notes.read(tmp_path / "scale.ref.jsonl"), notes.read(tmp_path / "scale.ref.mid")
    assert not (np.rint(exact.onset * RATE) % 64).any()
    assert np.abs(exact.onset - rounded.onset).max() <= 0.5 / 2400 + 1e-9


def test_names_cost_nothing(tmp_path: Path) -> None:
    asset = Asset("soundfont", "none", tmp_path / "none.sf2", "")
    found = render.products(Source(tmp_path / "none.mid"), np.random.default_rng(0), timbre="fixed", fonts=[asset])
    assert [product.suffix for product in found] == ["ref.jsonl", "ref.mid", "wav"]


def test_stems_add_up_to_the_mix(soundfont: Path, tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    parts = (Part("Violine I / Größe", 40), Part("", 42), Part("", 0, drums=True), Part("silent one", 5))
    onset = generator.uniform(0, 3, 60)
    asked = notes.make(onset, onset + 0.4, generator.integers(36, 80, 60), None, np.arange(60) % 3, parts)
    notes.write_midi(tmp_path / "x.mid", asked)
    found = made(tmp_path / "x.mid", soundfont, tmp_path, stems=True)
    stems = [suffix for suffix, product in found.items() if product.printed and suffix != "wav"]
    assert stems == ["1-violine-i-grosse.wav", "2-cello.wav", "3-drums.wav"]
    assert {found[suffix].facts["gain_db"] for suffix in [*stems, "wav"]} == {found["wav"].facts["gain_db"]}
    mix = audio.read(tmp_path / "x.wav").samples
    total = sum(audio.read(tmp_path / f"x.{suffix}").samples.astype(np.float64) for suffix in stems)
    assert np.abs(mix - total).max() <= (len(stems) + 1) / 2 / 32_768 + 1e-6
    labels = [notes.read(tmp_path / f"x.{suffix.removesuffix('wav')}ref.jsonl") for suffix in stems]
    whole = notes.read(tmp_path / "x.ref.jsonl")
    assert [len(each) for each in labels] == [int((whole.part == part).sum()) for part in range(3)]
    assert labels[1].parts == (parts[1],)
    assert all(audio.true_peak_db(audio.read(tmp_path / f"x.{each}").samples) <= -0.99 for each in [*stems, "wav"])


def test_a_stem_is_the_same_when_the_mix_is_there_already(soundfont: Path, tmp_path: Path) -> None:
    parts = (Part("a", 40), Part("b", 42))
    notes.write_midi(tmp_path / "x.mid", notes.make([0, 1], [1, 3], [60, 50], None, [0, 1], parts))
    (tmp_path / "all").mkdir()
    made(tmp_path / "x.mid", soundfont, tmp_path / "all", stems=True)
    asset = Asset("soundfont", soundfont.stem, soundfont, "")
    found = list(
        render.products(Source(tmp_path / "x.mid"), np.random.default_rng(0), timbre="fixed", fonts=[asset], stems=True)
    )
    last = found[-1]
    last.write(tmp_path / last.suffix)
    assert (tmp_path / last.suffix).read_bytes() == (tmp_path / "all" / f"x.{last.suffix}").read_bytes()


def test_stage_tells_silent_notes(tmp_path: Path) -> None:
    soundfont = font(tmp_path / "x.sf2", Preset(tone(), looped=True, keys=(60, 72)))
    notes.write_midi(tmp_path / "x.mid", notes.make([0, 0.5], [0.4, 0.9], [60, 90]))
    assert made(tmp_path / "x.mid", soundfont, tmp_path)["wav"].facts["silent"] == {
        "count": 1,
        "notes": ["90 at 0.501 s"],
    }
    notes.write_midi(tmp_path / "y.mid", notes.make([0], [0.4], [90]))
    with pytest.raises(InputError, match="none of its notes sounds with x"):
        made(tmp_path / "y.mid", soundfont, tmp_path)


def test_what_is_no_score(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"not a kind of score we read: give one of \.musicxml"):
        render.performance(tmp_path / "x.txt")
    notes.write_midi(tmp_path / "x.MID", notes.make([], [], []))
    with pytest.raises(InputError, match="no notes to play"):
        render.performance(tmp_path / "x.MID")


def test_musicxml_is_played_with_its_ids(tmp_path: Path) -> None:
    tones = font(tmp_path / "tone.sf2", Preset(tone(), looped=True))
    score = """<score-partwise version="4.0"><part-list><score-part id="P1"><part-name>Flute</part-name></score-part>
        </part-list><part id="P1"><measure number="1"><attributes><divisions>1</divisions></attributes>
        <note id="n7"><pitch><step>C</step><octave>5</octave></pitch><duration>2</duration></note>
        <note><rest/><duration>2</duration></note></measure></part></score-partwise>"""
    (tmp_path / "x.musicxml").write_text(score)
    sound, labels = render.sound(render.performance(tmp_path / "x.musicxml", human=0), tones)
    assert (labels.pitch.tolist(), np.asarray(labels.ids).tolist()) == ([72], ["n7"])
    assert labels.parts[0].program == 73
    assert labels.offset[0] == pytest.approx(1.0, abs=0.1)
    assert isinstance(sound, Audio)


def test_the_mix_is_the_same_with_and_without_stems(soundfont: Path, tmp_path: Path) -> None:
    parts = (Part("a", 40), Part("b", 0))
    notes.write_midi(tmp_path / "x.mid", notes.make([0, 0.5, 1], [1, 2, 3], [60, 50, 72], None, [0, 1, 0], parts))
    for name, stems in (("with", True), ("without", False)):
        (tmp_path / name).mkdir()
        made(tmp_path / "x.mid", soundfont, tmp_path / name, stems=stems)
    for suffix in ("wav", "ref.jsonl", "ref.mid"):
        assert (tmp_path / "with" / f"x.{suffix}").read_bytes() == (tmp_path / "without" / f"x.{suffix}").read_bytes()
