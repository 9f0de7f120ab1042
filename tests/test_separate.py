"""`clefkit separate`: what it takes apart, that nothing is lost, of any file; and its program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from conftest import Shell
from numpy.typing import NDArray
from sounds import RATE, ROOT, rng

from clefkit import audio, notes, registry, separate
from clefkit.audio import Audio, Shape
from clefkit.errors import InputError, UsageError
from clefkit.grid import Grid, Joined, chunks
from clefkit.notes import Notes, Part, make
from clefkit.score import separation
from clefkit.separate import atoms, settings, spatial, stems, whose

Array = NDArray[np.float32]

# Two instruments in one register that change voices half way: one with all partials, one with odd ones that die away.
LOW, HIGH = [57, 60, 62, 64], [69, 67, 72, 71]


def tone(pitch: float, seconds: float, kind: int, rate: int = RATE) -> Array:
    time = np.arange(int(seconds * rate)) / rate
    hertz = 440 * 2 ** ((pitch - 69) / 12)
    numbers = np.arange(1, min(20, int(0.45 * rate / hertz))) if kind == 0 else np.arange(1, 12, 2)
    levels = 1.0 / numbers if kind == 0 else numbers**-0.4
    sound = sum(level * np.sin(2 * np.pi * hertz * n * time + n) for n, level in zip(numbers, levels, strict=True))
    fade = np.clip(time / 0.01, 0, 1) * np.clip((seconds - time) / 0.04, 0, 1)
    return np.asarray(0.1 * sound * fade * (np.exp(-3 * time) if kind else 1), np.float32)


def duet(rate: int = RATE, times: int = 2) -> tuple[list[Array], Notes]:
    """(samples,) of each instrument, and their notes, four seconds for each of `times`."""
    rows = []
    for turn in range(times):
        for index in range(4):
            for kind in (0, 1):
                pitch = (LOW, HIGH)[(kind + turn) % 2][index]
                onset = 4.0 * turn + index + (0.0 if kind == 0 else 0.5)
                rows.append((onset, onset + 0.9, float(pitch), kind))
    sounds = [np.zeros(int((4 * times + 0.5) * rate), np.float32) for _ in range(2)]
    for begin, end, height, kind in rows:
        played = tone(height, end - begin, kind, rate)
        start = round(begin * rate)
        sounds[kind][start : start + len(played)] += played
    onsets, offsets, pitches, kinds = (np.array(column) for column in zip(*rows, strict=True))
    return sounds, make(onsets, offsets, pitches, None, kinds, (Part("bowed", 40), Part("struck", 11)))


def taken_apart(mixture: Array, rate: int, found: Notes) -> tuple[list[Array], Array]:
    """Along its notes, without the network. mixture: (channels, samples)"""
    got, rest = separate.apply(Audio(mixture, rate), notes=found, model="none")
    return [sound for _, sound in got], rest


def improvement(reference: list[Array], found: list[Array], rate: int = RATE) -> float:
    return float(separation.compare(reference, found, rate)["si_sdr_improvement"])


def level_db(sound: NDArray[Any], than: NDArray[Any]) -> float:
    return float(
        10 * np.log10(np.mean(np.square(sound, dtype=np.float64)) / np.mean(np.square(than, dtype=np.float64)))
    )


# The grid


@pytest.mark.parametrize("rate", [8000, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("samples", [300, 5000, 4 * 1024 + 1])
def test_what_is_not_changed_comes_back_from_its_first_sample_to_its_last(rate: int, samples: int) -> None:
    grid = Grid(rate)
    sound = rng(1).standard_normal((2, samples)).astype(np.float32)
    assert np.abs(grid.whole(grid.spectra(sound), samples) - sound).max() < 1e-5
    joined = Joined(grid, Shape(2, samples, rate))
    for chunk in chunks([sound[:, :100], sound[:, 100:]], grid, 8, 0):
        joined.push(chunk.spectra)
    assert np.abs(joined.finish().read(0, samples).T - sound).max() < 1e-5


# What it takes apart


def test_two_instruments_that_change_voices_are_taken_apart_and_add_up() -> None:
    sounds, played = duet()
    mixture = np.sum(sounds, axis=0)[None]
    found, rest = taken_apart(mixture, RATE, played)
    assert improvement(sounds, [each[0] for each in found]) > 13
    assert level_db(sum(found) + rest - mixture, mixture) < -100
    assert level_db(rest, mixture) < -15


def test_a_recording_out_of_tune_is_taken_apart_as_well() -> None:
    """Nobody says how it is tuned: the partials do."""
    sounds, played = duet()
    moved = make(played.onset, played.offset, played.pitch + 0.4, None, played.part, played.parts)
    found, _ = taken_apart(np.sum(sounds, axis=0)[None], RATE, moved)
    assert improvement(sounds, [each[0] for each in found]) > 12


def test_what_is_on_the_left_stays_there_and_helps() -> None:
    sounds, played = duet()
    panned = [np.stack([0.9 * sounds[0], 0.3 * sounds[0]]), np.stack([0.4 * sounds[1], 0.8 * sounds[1]])]
    mixture = np.sum(panned, axis=0)
    found, rest = taken_apart(mixture, RATE, played)
    assert improvement(panned, found) > 20
    for want, got in zip(panned, found, strict=True):
        assert level_db(got[0], got[1]) == pytest.approx(level_db(want[0], want[1]), abs=0.5)
        assert level_db(got, want) == pytest.approx(0, abs=0.3)
    assert level_db(sum(found) + rest - mixture, mixture) < -100


def test_the_same_in_both_channels_is_as_good_as_in_one() -> None:
    sounds, played = duet()
    one, _ = taken_apart(np.sum(sounds, axis=0)[None], RATE, played)
    two, _ = taken_apart(np.repeat(np.sum(sounds, axis=0)[None], 2, axis=0), RATE, played)
    for mono, stereo in zip(one, two, strict=True):
        assert level_db(stereo - mono, mono) < -40


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_any_rate(rate: int) -> None:
    sounds, played = duet(rate)
    mixture = np.sum(sounds, axis=0)[None]
    found, rest = taken_apart(mixture, rate, played)
    assert improvement(sounds, [each[0] for each in found], rate) > 12
    assert all(each.shape == mixture.shape for each in (*found, rest))


def test_noise_and_drums_are_in_the_rest() -> None:
    sounds, played = duet()
    sounds = [np.pad(each, (0, 2 * RATE)) for each in sounds]
    noise = 0.01 * rng(2).standard_normal(len(sounds[0])).astype(np.float32)
    strikes = np.zeros_like(noise)
    strikes[:: RATE // 2] = 0.5
    kit = make([0.0, 1.0], [0.1, 1.1], [36, 38], None, [0, 0], (Part("kit", 0, drums=True),))
    both = make(
        np.concatenate([played.onset, kit.onset]), np.concatenate([played.offset, kit.offset]),
        np.concatenate([played.pitch, kit.pitch]), None, np.concatenate([played.part, kit.part + 2]),
        (*played.parts, *kit.parts),
    )  # fmt: skip
    mixture = (np.sum(sounds, axis=0) + noise + strikes)[None]
    names = [name for name, _ in separate.apply(Audio(mixture, RATE), notes=both, model="none")[0]]
    assert names == ["1-bowed", "2-struck"]
    _, rest = taken_apart(mixture, RATE, both)
    after = int(9.5 * RATE)  # nothing rings on
    assert level_db(rest[0, after:], (noise + strikes)[after:]) == pytest.approx(0, abs=0.5)


def test_seams_are_not_heard() -> None:
    """At the borders of chunks stems change no more than elsewhere."""
    sounds, played = duet(times=8)
    found, _ = taken_apart(np.sum(sounds, axis=0)[None], RATE, played)
    wrong = np.abs(np.diff(found[0][0] - sounds[0]))
    hop = Grid(RATE).hop
    borders = [chunk * stems.STEP_FRAMES * hop for chunk in (1, 2)]
    at_borders = np.mean([wrong[border - 2 * hop : border + 66 * hop].mean() for border in borders])
    assert at_borders < 1.5 * wrong.mean()
    assert improvement(sounds, [each[0] for each in found]) > 13


def test_how_the_sound_arrives_changes_nothing() -> None:
    sounds, played = duet(times=4)
    mixture = np.sum(sounds, axis=0)[None]
    shape = Shape(1, mixture.shape[1], RATE)
    known = whose.played(whose.sure(played))
    whole, pieces = (
        stems.split(blocks, shape, known, None) for blocks in ([mixture], np.array_split(mixture, 37, axis=1))
    )
    for one, other in zip(whole, pieces, strict=True):
        assert np.array_equal(one.read(0, one.rows), other.read(0, other.rows))


def test_a_stem_at_one_place_is_told_from_one_in_a_room() -> None:
    grid = Grid(RATE)
    dry = grid.spectra(duet()[0][0][None])
    assert spatial._panned([np.concatenate([0.8 * dry, 0.4 * dry])])
    apart = [grid.spectra(rng(each).standard_normal((1, 4 * RATE)).astype(np.float32)) for each in (3, 4)]
    assert not spatial._panned([np.concatenate(apart)])


# Atoms


def test_an_atom_sounds_while_its_note_does_and_is_in_tune() -> None:
    grid = Grid(RATE)
    sound = np.pad(tone(60.3, 1.0, 0), (RATE, RATE))
    magnitudes = np.abs(grid.spectra(sound[None])[0])
    played = atoms.Played(np.array([1.0]), np.array([2.0]), np.array([60.0]), np.ones((1, 1), np.float32))
    found = atoms.of(played, grid, 0, magnitudes)
    times = grid.seconds(np.arange(len(magnitudes)))
    assert (found.active[0, (times > 1) & (times < 2)] == 1).all()
    assert not found.active[0, (times < 0.9) | (times > 2.95)].any()
    peak = grid.hertz[found.combs[:, 0].argmax()]
    assert 12 * np.log2(peak / 440) + 69 == pytest.approx(60.3, abs=0.5)
    model = atoms.fitted(found, magnitudes).model()
    heard = magnitudes[found.active[0] > 0] ** atoms.EXPONENT
    assert model.power.sum() == pytest.approx(heard.sum(), rel=0.05)


# Options


def test_only_what_is_wanted_is_written_and_the_rest_has_the_others() -> None:
    sounds, played = duet()
    mixture = np.sum(sounds, axis=0)[None]
    (only,), rest = separate.apply(Audio(mixture, RATE), notes=played, model="none", keep=["Struck"])
    assert only[0] == "2-struck"
    assert improvement([sounds[1], sounds[0]], [only[1][0], rest[0]]) > 13
    with pytest.raises(InputError, match="no stem is called violin: there are bowed, struck"):
        separate.apply(Audio(mixture, RATE), notes=played, model="none", keep=["violin"])


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"mode": "vocals"}, "--mode vocals: there are timbre"),
        ({"mode": "classes"}, "needs --model"),
        ({"mode": "harmonic-percussive", "instruments": "2"}, "go with --mode timbre"),
        ({"mode": "harmonic-percussive", "model": "masks"}, "has no --model"),
        ({"instruments": "7"}, "a number from 1 to 6"),
        ({"keep": ["?"]}, "give names of stems"),
        ({"notes": "nowhere.mid"}, "no such file"),
        ({"model": "nothing"}, "no model"),
    ],
)
def test_what_makes_no_sense_is_said(asked: dict[str, object], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        settings.options(**asked)  # type: ignore[arg-type]


# The program


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The mixture of a duet as a file, with its notes as MIDI beside it."""
    folder = tmp_path_factory.mktemp("song")
    sounds, played = duet()
    audio.write(folder / "song.flac", Audio(np.sum(sounds, axis=0)[None], RATE), "flac")
    notes.write_midi(folder / "song.mid", played)
    return folder


def test_files_their_names_and_their_record(song: Path, shell: Shell, tmp_path: Path) -> None:
    done = shell(f"clefkit separate --out . --model none --notes {song}/song.mid {song}/song.flac")
    assert done.stdout.splitlines() == ["song.1-bowed.flac", "song.2-struck.flac"], done.stderr
    sounds = [soundfile.read(tmp_path / name, dtype="float32")[0] for name in done.stdout.split()]
    rest = soundfile.read(tmp_path / "song.rest.flac", dtype="float32")[0]
    mixture = soundfile.read(song / "song.flac", dtype="float32")[0]
    assert level_db(np.sum([*sounds, rest], axis=0) - mixture, mixture) < -90
    record = json.loads((tmp_path / "song.2-struck.flac.json").read_text(encoding="utf-8"))
    stem = record["stem"]
    assert (stem["name"], stem["number"], stem["notes"]) == ("struck", 2, 8)
    assert stem["activity"][0][0] == pytest.approx(0.5, abs=0.01)
    assert stem["sounds_s"] == pytest.approx(8, abs=0.5)
    assert record["instruments"] == 2
    assert len(notes.read(tmp_path / "song.2-struck.notes.mid")) == 8
    again = shell(f"clefkit separate --out . --model none --notes {song}/song.mid {song}/song.flac")
    assert again.stdout == done.stdout
    assert "replaced" not in again.stderr


def test_rendered_stems_are_taken_apart_again_and_scored(shell: Shell, tmp_path: Path) -> None:
    score = ROOT / "demo" / "erinnerung.mxl"
    made = shell(
        f"clefkit render --stems --human 0 --out . {score} | head -1 > mix.txt; "
        "clefkit separate --notes ref --out parts < mix.txt | clefkit score --json"
    )
    assert made.returncode == 0, made.stderr
    found = json.loads(made.stdout)
    assert found["ref_stems"] == found["est_stems"] == 4
    assert found["si_sdr_improvement"] > 6


def test_silence_and_noise_and_speech_leave_the_rest_or_little_else(shell: Shell, tmp_path: Path) -> None:
    audio.write(tmp_path / "silence.wav", Audio(np.zeros((1, 2 * RATE), np.float32), RATE))
    noise = 0.1 * rng(5).standard_normal((2, 3 * RATE)).astype(np.float32)
    audio.write(tmp_path / "noise.wav", Audio(noise, RATE))
    done = shell("clefkit separate silence.wav noise.wav")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == "silence.rest.wav"
    assert not soundfile.read(tmp_path / "silence.rest.wav")[0].any()
    parts = [soundfile.read(path)[0] for path in sorted(tmp_path.glob("noise.*.wav"))]
    assert np.allclose(np.sum(parts, axis=0), soundfile.read(tmp_path / "noise.wav")[0], atol=1e-6)


def test_what_was_rendered_is_not_replaced(shell: Shell, tmp_path: Path) -> None:
    """Stems that `render` made have the names of those that are separated."""
    score = ROOT / "demo" / "erinnerung.mxl"
    made = shell(f"clefkit render --stems --out . {score} | head -1 | clefkit separate --notes ref --model none")
    assert made.returncode == 1
    assert "not made by this step" in made.stderr
    assert "--out" in made.stderr


def test_a_file_that_is_no_sound_costs_nothing_else(song: Path, shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "text.wav").write_text("no sound", encoding="utf-8")
    done = shell(f"clefkit separate --out . --mode harmonic-percussive text.wav {song}/song.flac")
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["song.1-harmonic.flac", "song.2-percussive.flac"]
    assert "text.wav" in done.stderr
    assert "Traceback" not in done.stderr


def test_more_processes_write_the_same_bytes(song: Path, shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "again.flac").write_bytes((song / "song.flac").read_bytes())
    (tmp_path / "song.flac").write_bytes((song / "song.flac").read_bytes())
    for jobs in (1, 2):
        done = shell(f"clefkit separate --jobs {jobs} --out {jobs} --instruments 2 song.flac again.flac")
        assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "1").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "2").iterdir())
    assert all((tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes() for name in names)


# The shipped checkpoints


def test_two_instruments_are_told_apart_and_named_without_being_told() -> None:
    """A duet for a clarinet and a vibraphone, who change voices: nobody says what or how many play."""
    played, sounds = _rendered((71, 11))
    mixture = np.sum(sounds, axis=0)
    found, rest = separate.apply(Audio(mixture, RATE))
    assert sorted(name.partition("-")[2] for name, _ in found) == ["clarinet", "mallet-percussion"]
    assert improvement(sounds, [sound for _, sound in found]) > 8
    with_notes, _ = separate.apply(Audio(mixture, RATE), notes=played)
    without, _ = separate.apply(Audio(mixture, RATE), notes=played, model="none")
    refined, plain = (improvement(sounds, [sound for _, sound in each]) for each in (with_notes, without))
    assert refined > plain
    assert level_db(sum(sound for _, sound in found) + rest - mixture, mixture) < -100


def _rendered(programs: tuple[int, int]) -> tuple[Notes, list[Array]]:
    from clefkit.notes import Performance, alone
    from clefkit.render import synth
    from clefkit.render.timbre import Timbre

    _, played = duet(times=2)
    parts = tuple(Part("", program) for program in programs)
    played = make(played.onset, played.offset, played.pitch, None, played.part, parts)
    font = registry.soundfont().path
    sounds = [
        synth.render(Performance(alone(played, part)), [Timbre(font, 0, program)], RATE).audio.samples
        for part, program in enumerate(programs)
    ]
    length = max(each.shape[1] for each in sounds)
    return played, [np.pad(each, ((0, 0), (0, length - each.shape[1]))) for each in sounds]
