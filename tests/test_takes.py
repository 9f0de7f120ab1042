"""Playing a score more than once: variants, instruments by chance, a human's share, and what else is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_font import Preset, font, tone

from clefkit import audio, midi, notation, notes, record, registry, render
from clefkit.errors import InputError, UsageError
from clefkit.notation.unfold import unfold
from clefkit.record import Source
from clefkit.registry import Asset

DEMO = Path(__file__).parent.parent / "demo" / "erinnerung.mxl"
SCORE = """<score-partwise version="4.0"><part-list><score-part id="P1"><part-name>Piano</part-name></score-part>
    </part-list><part id="P1">{}</part></score-partwise>"""
MEASURE = """<measure number="{number}">{first}<note id="n{number}"><pitch><step>C</step><octave>5</octave></pitch>
    <duration>2</duration></note><note><pitch><step>E</step><octave>5</octave></pitch><duration>2</duration></note>{last}
    </measure>"""
BACK = '<barline location="right"><repeat direction="backward"/></barline>'


@pytest.fixture
def score(tmp_path: Path) -> Path:
    """Two bars, the first of them twice."""
    first = MEASURE.format(number=1, first="<attributes><divisions>1</divisions></attributes>", last=BACK)
    path = tmp_path / "x.musicxml"
    path.write_text(SCORE.format(first + MEASURE.format(number=2, first="", last="")))
    return path


@pytest.fixture
def fonts(tmp_path: Path) -> list[Asset]:
    """Two fonts with pianos that differ."""
    paths = [
        font(tmp_path / f"{name}.sf2", Preset(tone() // (index + 1), looped=True, name=f"Grand {name}"))
        for index, name in enumerate(("a", "b"))
    ]
    return [Asset("soundfont", path.stem, path, record.sha256(path)) for path in paths]


def made(path: Path, fonts: list[Asset], folder: Path, seed: int = 0, **options: Any) -> dict[str, dict[str, Any]]:
    """Writes every product into the folder; returns the facts of each."""
    found = {}
    folder.mkdir(exist_ok=True)
    chosen: dict[str, Any] = {"timbre": "fixed"} | options
    for product in render.products(Source(path), np.random.default_rng(seed), fonts=fonts, **chosen):
        product.write(folder / f"{path.stem}.{product.suffix}")
        found[product.suffix] = product.facts
    return found


def same(one: Path, other: Path) -> bool:
    return one.read_bytes() == other.read_bytes()


def test_variants_are_named_and_differ_and_come_again(score: Path, fonts: list[Asset], tmp_path: Path) -> None:
    first = made(score, fonts, tmp_path / "1", variants=3, timbre="random")
    assert [suffix for suffix in first if suffix.endswith(".wav")] == ["v1.wav", "v2.wav", "v3.wav"]
    made(score, fonts, tmp_path / "2", variants=3, timbre="random")
    made(score, fonts, tmp_path / "3", seed=1, variants=3, timbre="random")
    for name in ("x.v1.wav", "x.v2.wav", "x.v3.wav", "x.v2.ref.jsonl"):
        assert same(tmp_path / "1" / name, tmp_path / "2" / name)
        assert not same(tmp_path / "1" / name, tmp_path / "3" / name)
    assert not same(tmp_path / "1" / "x.v1.wav", tmp_path / "1" / "x.v2.wav")
    json.dumps(first)


def test_a_variant_does_not_depend_on_how_many_there_are(score: Path, fonts: list[Asset], tmp_path: Path) -> None:
    made(score, fonts, tmp_path / "2", variants=2)
    made(score, fonts, tmp_path / "5", variants=5)
    assert same(tmp_path / "2" / "x.v2.wav", tmp_path / "5" / "x.v2.wav")


def test_random_timbres_are_told_and_vary_over_seeds(score: Path, fonts: list[Asset], tmp_path: Path) -> None:
    drawn = set()
    for seed in range(8):
        facts = made(score, fonts, tmp_path / str(seed), seed=seed, timbre="random", human=0)["wav"]
        timbre = facts["parts"][0]["timbre"]
        assert timbre["font"] in ("a", "b")
        assert timbre["sha256"] == {font.name: font.sha256 for font in fonts}[timbre["font"]]
        assert abs(timbre.get("detune_cents", 0)) <= 10
        drawn.add(timbre["font"])
    assert drawn == {"a", "b"}


def test_one_preset_for_all(tmp_path: Path, score: Path) -> None:
    path = font(tmp_path / "c.sf2", Preset(tone(), looped=True), Preset(tone() // 2, bank=3, program=7, looped=True))
    facts = made(score, [Asset("soundfont", "c", path, "")], tmp_path, timbre="3:7")["wav"]
    assert (facts["parts"][0]["timbre"]["bank"], facts["parts"][0]["timbre"]["program"]) == (3, 7)


def test_what_timbre_means_on_the_command_line(fonts: list[Asset]) -> None:
    preset, found = registry.timbre(f"{fonts[0].path}:8:20")
    assert (preset, found[0].path) == ("8:20", fonts[0].path)
    assert registry.timbre(str(fonts[1].path))[0] == "fixed"
    with pytest.raises(UsageError, match="a program 0 to 127"):
        registry.timbre(f"{fonts[0].path}:0:200")
    with pytest.raises(UsageError, match="no soundfont 'nobody'"):
        registry.timbre("nobody:0:1")


def test_a_human_plays_scores_but_not_midi_unless_asked(
    score: Path, scale: Path, fonts: list[Asset], tmp_path: Path
) -> None:
    facts = made(score, fonts, tmp_path / "1")["wav"]
    assert facts["human"]["amount"] == 0.5
    assert {"final_ritard", "high_loud"} <= facts["human"]["rules"].keys()
    assert "human" not in made(score, fonts, tmp_path / "2", human=0.0)["wav"]
    assert "human" not in made(scale, fonts, tmp_path / "3")["wav"]
    asked = made(scale, fonts, tmp_path / "4", human=1.0, rules={"final_ritard": 3.0})["wav"]
    assert asked["human"]["rules"]["final_ritard"] == 3.0
    plain, played = (notes.read(tmp_path / folder / "scale.ref.jsonl") for folder in "34")
    assert plain.pitch.tolist() == played.pitch.tolist()
    assert np.diff(played.onset)[-1] > 1.2 * np.diff(plain.onset)[-1]


def test_the_record_maps_beats_to_seconds(score: Path, fonts: list[Asset], tmp_path: Path) -> None:
    timemap = made(score, fonts, tmp_path, human=0)["wav"]["timemap"]
    assert timemap["columns"] == ["measure", "turn", "beat", "quarter", "time_s"]
    assert timemap["rows"][3:6] == [["1", 1, 4.0, 3.0, 1.5], ["1", 2, 1.0, 4.0, 2.0], ["1", 2, 2.0, 5.0, 2.5]]
    labels = notes.read(tmp_path / "x.ref.jsonl")
    assert labels.measure is not None
    assert labels.measure.tolist() == ["1", "1", "1", "1", "2", "2"]
    assert np.asarray(labels.ids).tolist()[2] == "n1@2"
    once = made(score, fonts, tmp_path, human=0, repeats="none")["wav"]["timemap"]
    assert len(once["rows"]) == 8


def test_what_else_can_be_written(score: Path, fonts: list[Asset], tmp_path: Path) -> None:
    facts = made(score, fonts, tmp_path, also=["midi", "score-midi", "kern", "musicxml", "mel"], human=0.7)
    played, labels = midi.read(tmp_path / "x.performance.mid").notes, notes.read(tmp_path / "x.ref.jsonl")
    assert np.abs(played.onset - labels.onset).max() < 1e-3
    for name in ("x.score.krn", "x.score.musicxml"):
        written = notation.read(tmp_path / name)
        assert [note.pitch for note in written.notes] == [72, 76] * 3
        assert unfold(written) == [0, 1, 2]
    assert midi.read(tmp_path / "x.score.mid").notes.onset.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    mel = np.load(tmp_path / "x.mel.npy")
    assert mel.dtype == np.float16
    assert mel.shape == (facts["wav"]["mel"]["frames"], facts["wav"]["mel"]["bins"])
    with pytest.raises(InputError, match="no notation to write"):
        made(tmp_path / "x.performance.mid", fonts, tmp_path, also=["kern"])


def test_loudness_is_as_asked_unless_peaks_forbid_it(score: Path, fonts: list[Asset], tmp_path: Path) -> None:
    made(score, fonts, tmp_path, lufs=-30.0)
    sound = audio.read(tmp_path / "x.wav")
    assert audio.loudness(sound.samples, sound.rate) == pytest.approx(-30.0, abs=0.05)
    made(score, fonts, tmp_path, lufs=0.0)
    assert audio.true_peak_db(audio.read(tmp_path / "x.wav").samples) == pytest.approx(-1.0, abs=0.05)


@pytest.mark.slow
def test_a_song_with_everything_in_a_shell(shell: Any, tmp_path: Path) -> None:
    line = f"clefkit render --timbre TimGM6mb --variants 2 --stems --also kern --seed 3 --out {{}} {DEMO}"
    first, again = shell(line.format("a")), shell(line.format("b") + " --jobs 1")
    assert (first.returncode, again.returncode) == (0, 0), first.stderr
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "b").iterdir())
    assert len(names) == 2 * (1 + 5 * 4)
    sounds = [name for name in names if not name.endswith(".json")]
    assert all(same(tmp_path / "a" / name, tmp_path / "b" / name) for name in sounds)
    whole = audio.read(tmp_path / "a" / "erinnerung.v1.wav").samples
    stems = [
        audio.read(tmp_path / "a" / name).samples
        for name in names
        if name.startswith("erinnerung.v1.") and name.endswith(".wav")
    ]
    assert np.abs(sum(stems) - 2 * whole).max() < 5 * 2**-15
