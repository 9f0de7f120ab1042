"""`clefkit align`: offset, drift and dropped buffers of recordings that are made up, and those that don't match."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import performances
import pytest
import soundfile
from conftest import Shell
from numpy.typing import NDArray
from performances import RATE

from clefkit import align, audio
from clefkit.align import coarse, path, retimed, track
from clefkit.align.alignment import Alignment, Gap
from clefkit.align.lags import PEAKS, Windows
from clefkit.audio import Audio
from clefkit.clock import line
from clefkit.errors import InputError

SECONDS = 24.0
TUNE = performances.tune(1, SECONDS)


@pytest.fixture(scope="module")
def music() -> NDArray[np.float64]:
    return performances.play(TUNE, SECONDS)


def save(path: Path, sound: Audio) -> None:
    soundfile.write(path, sound.samples.T, sound.rate)


def worst(found: Alignment, offset_s: float, drift_ppm: float, seconds: float) -> float:
    """Of the take, in samples at 44.1 kHz."""
    times = np.linspace(0, seconds, 100)
    return float(np.abs(found.clock.at(times) - offset_s - (1 + drift_ppm * 1e-6) * times).max() * RATE)


@pytest.mark.parametrize(
    ("offset_s", "drift_ppm", "seconds", "rate"),
    [(5.0, 80.0, 15.0, 44_100), (-4.0, -95.0, 20.0, 48_000), (0.5, 0.0, 8.0, 16_000), (12.25, 30.0, 11.0, 44_100)],
)
def test_offset_and_drift_are_found(
    music: NDArray[np.float64], offset_s: float, drift_ppm: float, seconds: float, rate: int
) -> None:
    take = performances.phone(music, offset_s, drift_ppm, seconds, rate)
    found = align.compare(take, performances.studio(music))
    assert worst(found, offset_s, drift_ppm, seconds) < 1.5
    assert found.delay_samples == pytest.approx(offset_s * RATE, abs=2)
    assert found.confidence > 0.9
    assert found.gaps == ()
    assert found.doubtful == ()


def test_a_take_may_be_the_longer_one(music: NDArray[np.float64]) -> None:
    cut = Audio(performances.studio(music).samples[:, 10 * RATE : 18 * RATE], RATE)
    found = align.compare(performances.phone(music, 0.0, 50.0, SECONDS), cut)
    assert found.offset_s == pytest.approx(-10, abs=2 / RATE)
    assert found.drift_ppm == pytest.approx(50, abs=2)


@pytest.mark.parametrize("spoiled", ["quiet", "inverted", "clipped", "stereo"])
def test_what_phones_do_changes_little(music: NDArray[np.float64], spoiled: str) -> None:
    take = performances.phone(music, 3.0, 40.0, 18.0)
    samples = {
        "quiet": take.samples * np.float32(0.003),
        "inverted": -take.samples,
        "clipped": np.clip(take.samples * np.float32(20), -0.3, 0.3),
        "stereo": np.concatenate([take.samples, 0.3 * take.samples]),
    }[spoiled]
    found = align.compare(Audio(samples.astype(np.float32), take.rate), performances.studio(music))
    assert worst(found, 3.0, 40.0, 18.0) < 2


def test_a_copy_is_where_it_is(music: NDArray[np.float64]) -> None:
    studio = performances.studio(music)
    found = align.compare(studio, studio)
    assert found.delay_samples == 0
    assert found.offset_s == pytest.approx(0, abs=1e-6)
    assert found.drift_ppm == pytest.approx(0, abs=0.002)
    assert found.confidence > 0.99
    again = align.aligned(studio, studio)
    assert np.abs(again.samples - studio.samples).max() < 0.01
    with pytest.raises(InputError):
        align.compare(studio, studio, threshold=1.0)


def test_dropped_buffers_are_found(music: NDArray[np.float64]) -> None:
    dropped = [(4.0, 0.03), (6.5, 0.012), (14.0, 0.09)]
    whole = performances.phone(music, 1.0, -60.0, 22.0)
    found = align.compare(performances.without(whole, dropped), performances.studio(music))
    expected = [4.0, 6.5 - 0.03, 14.0 - 0.042]
    assert [gap.time_s for gap in found.gaps] == pytest.approx(expected, abs=0.01)
    assert [gap.missing_s for gap in found.gaps] == pytest.approx([0.03, 0.012, 0.09], abs=0.001)
    assert found.offset_s == pytest.approx(1.0, abs=2 / RATE)
    later = found.clock.at([expected[2] + 1.0])[0]
    assert later == pytest.approx(1.0 + (expected[2] + 1.0 + 0.132) * (1 - 60e-6), abs=2 / RATE)


def test_what_follows_a_dropped_buffer_is_in_its_place(music: NDArray[np.float64]) -> None:
    whole = performances.phone(music, 2.0, 70.0, 20.0, 48_000)
    studio = performances.studio(music)
    ideal = align.aligned(whole, studio).samples[0]
    mended = align.aligned(performances.without(whole, [(8.0, 0.05)]), studio)
    assert (mended.rate, mended.samples.shape) == (RATE, (1, studio.samples.shape[1]))
    difference = np.abs(mended.samples[0] - ideal)
    gap = int((2.0 + 8.0) * RATE)
    assert difference[: gap - RATE // 50].max() < 0.05 * np.abs(ideal).max()
    assert difference[gap + RATE // 10 :].max() < 0.05 * np.abs(ideal).max()
    assert not mended.samples[0][gap + RATE // 50 : gap + RATE // 30].any()
    assert not mended.samples[0][: 2 * RATE - 10].any()


def test_a_stretch_of_something_else_is_doubtful(music: NDArray[np.float64]) -> None:
    take = performances.phone(music, 0.0, 20.0, 24.0)
    take.samples[:, 9 * RATE : 17 * RATE] = 0.05 * np.random.default_rng(3).standard_normal(8 * RATE)
    found = align.compare(take, performances.studio(music))
    (first, last), *others = found.doubtful
    assert others == []
    assert first == pytest.approx(9, abs=2)
    assert last == pytest.approx(17, abs=2)
    assert worst(found, 0.0, 20.0, 24.0) < 3


def test_confidence_does_not_fall_with_silence(music: NDArray[np.float64]) -> None:
    take = performances.phone(music, 14.0, 0.0, 8.0)
    silent = Audio(np.concatenate([np.zeros((1, 14 * RATE), np.float32), take.samples], axis=1), RATE)
    found = align.compare(silent, performances.studio(music))
    assert found.offset_s == pytest.approx(0, abs=2 / RATE)
    assert found.confidence > 0.7


@pytest.mark.parametrize("kind", ["performance", "exact performance", "instrument", "piece", "noise", "later"])
def test_other_recordings_are_refused(music: NDArray[np.float64], kind: str) -> None:
    other = {
        "performance": lambda: performances.play(performances.again(TUNE, 2), SECONDS),
        "exact performance": lambda: performances.play(performances.again(TUNE, 3, 0.005), SECONDS),
        "instrument": lambda: performances.play(TUNE, SECONDS, harmonics=5, cents=4.0),
        "piece": lambda: performances.play(performances.tune(9, SECONDS), SECONDS),
        "noise": lambda: 0.1 * np.random.default_rng(0).standard_normal(len(music)),
        "later": lambda: performances.play(performances.again(TUNE, 4, 0.3), SECONDS),
    }[kind]()
    with pytest.raises(InputError, match="does not match the reference"):
        align.compare(performances.phone(other, 0.0, 0.0, 20.0), performances.studio(music))


def test_too_little_is_refused(music: NDArray[np.float64]) -> None:
    studio = performances.studio(music)
    with pytest.raises(InputError, match=r"only 4\.0 s"):
        align.compare(performances.phone(music, 0.0, 0.0, 4.0), studio)
    with pytest.raises(InputError, match="silent"):
        align.compare(Audio(np.zeros((1, 10 * RATE), np.float32), RATE), studio)
    with pytest.raises(InputError, match="the reference the reference is silent"):
        align.compare(studio, Audio(np.zeros((1, 10 * RATE), np.float32), RATE))
    with pytest.raises(InputError):
        align.compare(Audio(np.full((1, RATE // 10), 0.1, np.float32), RATE), studio)


def test_a_track_on_disk_is_that_in_memory(music: NDArray[np.float64], tmp_path: Path) -> None:
    sound = performances.phone(music, 0.0, 0.0, 12.0, 48_000)
    save(tmp_path / "x.wav", sound)
    disk, memory = track.read(tmp_path / "x.wav"), track.of(audio.read(tmp_path / "x.wav"))
    assert disk.samples == pytest.approx(memory.samples, abs=1e-5)
    assert disk.flux.shape == memory.flux.shape


def test_long_recordings_are_looked_for_piece_by_piece() -> None:
    rng = np.random.default_rng(0)
    flux = rng.standard_normal((18, int(600 * track.FRAME_RATE))).astype(np.float32)
    empty = np.zeros(1, np.float32)
    part = track.Track(empty, flux[:, 20_000:44_000] + rng.standard_normal((18, 24_000)).astype(np.float32))
    best = coarse.anchors(part, track.Track(empty, flux))[0]
    assert best.offset_s == pytest.approx(20_000 / track.FRAME_RATE)
    turned = coarse.anchors(track.Track(empty, flux), part)[0]
    assert turned.offset_s == pytest.approx(-best.offset_s)
    assert 0 <= turned.at_s - best.offset_s <= 24_000 / track.FRAME_RATE


def test_paths_only_jump_onward() -> None:
    lags = np.repeat(np.array([0.0, 0.3, 0.1, 900.2, 900.0, 900.3, 500.0, 900.1])[:, None], PEAKS, axis=1)
    heights = np.tile([20.0, 0, 0, 0, 0], (8, 1))
    sound = np.ones(8, np.bool_)
    found = path.choose(Windows(np.arange(0.0, 8 * 33_075.0, 33_075.0), lags, heights, sound, ~sound))
    assert found.segments.tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert math.isnan(found.lags[6])


@pytest.mark.parametrize(("offset_s", "drift_ppm", "rate"), [(1.2345678, 63.0, 48_000), (-2.5, -80.0, 44_100)])
def test_a_take_is_moved_between_samples(offset_s: float, drift_ppm: float, rate: int) -> None:
    def tone(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(sum(np.sin(2 * np.pi * hertz * seconds) for hertz in (440.0, 4321.0, 15_000.0)) / 4)

    times = np.arange(40 * rate) / rate
    take = Audio(tone(offset_s + (1 + drift_ppm * 1e-6) * times)[None].astype(np.float32), rate)
    found = Alignment(offset_s, drift_ppm, 0, (), (), 1.0, line(offset_s, 1 + drift_ppm * 1e-6))
    moved = retimed.onto(take, found, RATE, 37 * RATE).samples[0]
    first = max(0, math.ceil(offset_s * RATE))
    assert np.abs(moved - tone(np.arange(37 * RATE) / RATE))[first + 300 :].max() < 2e-4
    assert not moved[:first].any()


def test_a_clock_jumps_where_a_buffer_was_dropped(music: NDArray[np.float64]) -> None:
    take = performances.without(performances.phone(music, 0.0, 0.0, 20.0), [(9.0, 0.08)])
    found = align.compare(take, performances.studio(music))
    assert len(found.gaps) == 1
    assert found.gaps[0] == pytest.approx(Gap(9.0, 0.08), abs=0.01)
    before, after = found.clock.at([found.gaps[0].time_s - 0.01, found.gaps[0].time_s])
    assert after - before == pytest.approx(0.09, abs=0.001)


def test_the_command_prints_rows(music: NDArray[np.float64], tmp_path: Path, shell: Shell) -> None:
    save(tmp_path / "phone.wav", performances.phone(music, 3.0, 50.0, 15.0))
    save(tmp_path / "tablet.wav", performances.phone(music, 6.0, -20.0, 12.0, 48_000))
    save(tmp_path / "other.wav", performances.studio(performances.play(performances.tune(5, 12.0), 12.0)))
    save(tmp_path / "studio.wav", performances.studio(music))
    (tmp_path / "junk.wav").write_bytes(b"no sound at all")
    done = shell("clefkit align phone.wav junk.wav other.wav gone.wav tablet.wav studio.wav")
    head, *rows = [text.split("\t") for text in done.stdout.splitlines()]
    assert done.returncode == 1
    assert head == ["file", "offset_s", "drift_ppm", "delay_samples", "dropped", "missing_ms", "confidence"]
    assert [row[0] for row in rows] == ["phone.wav", "tablet.wav"]
    assert float(rows[0][1]) == pytest.approx(3.0, abs=0.001)
    assert int(rows[1][3]) == pytest.approx(6 * RATE, abs=2)
    told = done.stderr.splitlines()
    assert [text.split(": ")[1] for text in told] == ["junk.wav", "other.wav", "gone.wav"]
    assert "does not match studio.wav" in told[1]


def test_takes_may_come_on_stdin(music: NDArray[np.float64], tmp_path: Path, shell: Shell) -> None:
    for name, offset_s in (("a b.wav", 2.0), ("ü.wav", 4.0)):
        save(tmp_path / name, performances.phone(music, offset_s, 0.0, 12.0))
    save(tmp_path / "studio.wav", performances.studio(music))
    lines = [shell(f"ls a*.wav ü.wav | clefkit align --json -j {jobs} --ref studio.wav").stdout for jobs in (1, 2)]
    assert lines[0] == lines[1]
    rows = [json.loads(text) for text in lines[0].splitlines()]
    assert [row["file"] for row in rows] == ["a b.wav", "ü.wav"]
    assert rows[1]["offset_s"] == pytest.approx(4.0, abs=2 / RATE)
    assert (rows[0]["reference"], rows[0]["gaps"], rows[0]["doubtful"]) == ("studio.wav", [], [])


def test_nothing_on_stdin_is_no_error(music: NDArray[np.float64], tmp_path: Path, shell: Shell) -> None:
    save(tmp_path / "studio.wav", performances.studio(music))
    done = shell("true | clefkit align --ref studio.wav && true | clefkit align --write --ref studio.wav")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_takes_are_written(music: NDArray[np.float64], tmp_path: Path, shell: Shell) -> None:
    take = performances.phone(music, 3.0, 50.0, 15.0)
    save(tmp_path / "phone.wav", performances.without(take, [(6.0, 0.04)]))
    save(tmp_path / "tablet.flac", performances.phone(music, -2.0, 0.0, 20.0, 48_000))
    save(tmp_path / "other.wav", performances.studio(performances.play(performances.tune(5, 12.0), 12.0)))
    save(tmp_path / "studio.wav", performances.studio(music))
    done = shell("clefkit align --write phone.wav other.wav tablet.flac studio.wav")
    assert (done.returncode, done.stdout) == (1, "phone.aligned.wav\ntablet.aligned.flac\n")
    assert not list(tmp_path.glob("other.aligned*"))
    for name in ("phone.aligned.wav", "tablet.aligned.flac"):
        shape = audio.shape(tmp_path / name)
        assert (shape.channels, shape.rate, shape.frames) == (1, RATE, round(SECONDS * RATE))
    data = json.loads((tmp_path / "phone.aligned.wav.json").read_text(encoding="utf-8"))
    assert data["from"]["file"] == "phone.wav"
    assert data["options"]["reference"]["name"] == "studio.wav"
    assert data["alignment"]["dropped"] == 1
    assert data["clock"]["points"][0][1] == pytest.approx(3.0, abs=1e-4)
    again = shell("clefkit align --write phone.wav studio.wav | clefkit align --ref studio.wav --json")
    assert abs(json.loads(again.stdout)["delay_samples"]) <= 1
    assert json.loads(again.stdout)["dropped"] == 0


def test_another_reference_makes_another_file(music: NDArray[np.float64], tmp_path: Path, shell: Shell) -> None:
    save(tmp_path / "phone.wav", performances.phone(music, 3.0, 0.0, 15.0))
    save(tmp_path / "studio.wav", performances.studio(music))
    assert shell("clefkit align --write phone.wav studio.wav").returncode == 0
    save(tmp_path / "studio.wav", Audio(performances.studio(music).samples[:, RATE:], RATE))
    done = shell("clefkit align --write phone.wav studio.wav")
    assert "out of date and is replaced" in done.stderr
    data = json.loads((tmp_path / "phone.aligned.wav.json").read_text(encoding="utf-8"))
    assert data["alignment"]["offset_s"] == pytest.approx(2.0, abs=1e-4)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("clefkit align studio.wav", "takes first, the reference last"),
        ("echo studio.wav | clefkit align", "--ref FILE"),
        ("clefkit align studio.wav gone.wav", "no such file: gone.wav"),
        ("clefkit align --ref gone.wav studio.wav", "no such file: gone.wav"),
        ("clefkit align --out here studio.wav studio.wav", "--write"),
        ("clefkit align --csv --write studio.wav studio.wav", "--csv"),
        ("clefkit align --dataset . studio.wav", "leave out studio.wav"),
    ],
)
def test_command_lines_that_make_no_sense(tmp_path: Path, shell: Shell, line: str, told: str) -> None:
    save(tmp_path / "studio.wav", Audio(np.zeros((1, RATE), np.float32), RATE))
    done = shell(line)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_reference_that_is_no_sound_is_named(music: NDArray[np.float64], tmp_path: Path, shell: Shell) -> None:
    save(tmp_path / "phone.wav", performances.phone(music, 3.0, 0.0, 8.0))
    (tmp_path / "studio.wav").write_bytes(b"no sound at all")
    done = shell("clefkit align phone.wav studio.wav")
    assert done.returncode == 1
    assert "phone.wav: the reference studio.wav: not a sound file" in done.stderr
