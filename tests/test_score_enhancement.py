"""score, enhancement: known distances, blindness to gain and delay, and clean sounds that are found by records."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import signal
from sounds import RATE, plucks

from clefkit import audio, record
from clefkit.audio import Audio
from clefkit.errors import InputError
from clefkit.score import enhancement, kinds
from clefkit.score.enhancement import dynamics

Values = NDArray[np.float64]
Facts = dict[str, Any]
DISTANCES = ("lsd", "mrstft", "loudness_slope_error", "loudness_rms", "loudness_error")


def noise(seconds: float, seed: int = 0, below_hz: float = 15_000.0) -> Values:
    sections = signal.butter(10, below_hz, fs=RATE, output="sos")
    return np.asarray(
        signal.sosfilt(sections, 0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE)))
    )


def swelling(seconds: float = 4.0, below_hz: float = 15_000.0) -> tuple[Values, Values]:
    """Noise that swells and fades by 10 dB either way, and the gain in dB."""
    gain_db = 10 * np.sin(2 * np.pi * np.arange(round(seconds * RATE)) / RATE)
    return 0.3 * noise(seconds, below_hz=below_hz) * 10 ** (gain_db / 20), gain_db


def assert_best(found: dict[str, Any], within: float = 1e-4) -> None:
    for name in DISTANCES:
        assert found[name] == pytest.approx(0.0, abs=within), name
    assert found["loudness_correlation"] == pytest.approx(1.0, abs=within)


def test_equal_sounds_have_no_distance() -> None:
    sound = plucks()[0].samples
    found = enhancement.compare(sound, sound, RATE)
    assert_best(found, within=1e-9)
    assert (found["si_sdr_aligned"], found["lag_ms"], found["gain_db"]) == (100.0, 0.0, 0.0)


@settings(derandomize=True, deadline=None, max_examples=5)
@given(lag=st.integers(-2205, 2205), gain_db=st.floats(-30.0, 10.0), sign=st.sampled_from([-1, 1]))
def test_one_gain_a_small_delay_and_polarity_do_not_matter(lag: int, gain_db: float, sign: int) -> None:
    sound = np.pad(swelling(2.0)[0], 3000)
    estimate = sign * 10 ** (gain_db / 20) * np.roll(sound, lag)
    found = enhancement.compare(sound, estimate, RATE)
    assert found["loudness_difference"] == pytest.approx(gain_db, abs=1e-4)
    assert found["lag_ms"] == pytest.approx(lag / RATE * 1000, abs=1e-9)
    assert found["gain_db"] == pytest.approx(-gain_db, abs=1e-4)
    assert found["si_sdr_aligned"] == 100.0
    assert_best(found | {"loudness_error": 0.0})


@pytest.mark.parametrize("part", [0.5, -0.3, 0.01])
def test_a_delay_between_samples_does_not_matter(part: float) -> None:
    sound = np.pad(noise(2.0, below_hz=12_000.0), 2000)
    taps = np.sinc(np.arange(-500, 501) - part) * np.kaiser(1001, 14.0)
    found = enhancement.compare(sound, np.convolve(sound, taps, "same"), RATE)
    assert found["si_sdr_aligned"] > 80.0
    assert found["mrstft"] < 0.05


def test_a_larger_delay_is_not_taken_out() -> None:
    sound = np.pad(noise(2.0), 5000)
    found = enhancement.compare(sound, np.roll(sound, 3000), RATE)
    assert found["si_sdr_aligned"] < -20.0
    assert found["mrstft"] > 0.5


@pytest.mark.parametrize("snr_db", [-10.0, 0.0, 20.0])
def test_added_noise_gives_its_own_ratio(snr_db: float) -> None:
    sound, rest = noise(3.0), noise(3.0, seed=1)
    rest -= sound * (rest @ sound) / (sound @ sound)
    rest *= math.sqrt((sound @ sound) / (rest @ rest)) * 10 ** (-snr_db / 20)
    found = enhancement.compare(sound, sound + rest, RATE)
    assert found["si_sdr_aligned"] == pytest.approx(snr_db, abs=0.02)


def test_dynamics_pressed_to_half_have_half_the_slope() -> None:
    sound, gain_db = swelling()
    found = enhancement.compare(sound, sound * 10 ** (-0.5 * gain_db / 20), RATE)
    assert found["loudness_slope"] == pytest.approx(0.5, abs=0.02)
    assert found["loudness_slope_error"] == pytest.approx(0.5, abs=0.02)
    assert found["loudness_correlation"] > 0.99
    assert found["loudness_rms"] == pytest.approx(5 / math.sqrt(2), abs=0.25)  # of a sine of 5 dB
    pumped = enhancement.compare(sound, sound * 10 ** (-gain_db / 20), RATE)
    assert pumped["loudness_correlation"] < 0.3


def test_a_wrong_colour_is_a_distance_of_spectra_but_not_of_dynamics() -> None:
    sound = swelling()[0]
    muffled = signal.sosfilt(signal.butter(2, 2000, fs=RATE, output="sos"), sound)
    found = enhancement.compare(sound, np.asarray(muffled), RATE)
    assert found["lsd"] > 8.0
    assert found["loudness_rms"] < 0.5
    assert found["loudness_correlation"] > 0.99


def bands() -> Values:
    """64 triangles, equal on the mel scale from 40 Hz to 18 kHz. returns: (bands, bins)"""
    mel = np.linspace(2595 * np.log10(1 + 40 / 700), 2595 * np.log10(1 + 18_000 / 700), 66)
    corners = 700 * (10 ** (mel / 2595) - 1)
    bins = np.arange(1025) * RATE / 2048
    return np.array([np.interp(bins, corners[band : band + 3], [0.0, 1.0, 0.0]) for band in range(64)])


def plainly(reference: Values, estimate: Values) -> dict[str, float]:
    """The distances as their definitions read, all frames at once, by scipy's STFT."""

    def magnitudes(sound: Values, size: int) -> Values:
        options: Facts = {"nperseg": size, "noverlap": size * 3 // 4, "boundary": None, "padded": False}
        return np.asarray(
            np.abs(signal.stft(np.pad(sound, size // 2), window="hann", scaling="spectrum", **options)[2]) * size / 2
        )

    power, other = (bands() @ magnitudes(side, 2048) ** 2 for side in (reference, estimate))
    whole = (magnitudes(reference, 2048) ** 2).sum(axis=0)
    levels = [10 * np.log10(np.maximum(side, power.max() / 1e7)) for side in (power, other)]
    apart = np.sqrt(((levels[0] - levels[1]) ** 2).mean(axis=0))
    found = {"lsd": float(apart[whole >= whole.max() / 1e5].mean()), "mrstft": 0.0}
    for size in (512, 1024, 2048):
        a, b = magnitudes(reference, size), magnitudes(estimate, size)
        logarithms = [np.log(side + 1e-4 * a.max()) for side in (a, b)]
        convergence = np.linalg.norm(a - b) / np.linalg.norm(a)
        found["mrstft"] += float(convergence + np.abs(logarithms[0] - logarithms[1]).mean()) / 3
    return found


def test_distances_are_those_of_their_definitions() -> None:
    sound = np.asarray(plucks()[0].samples[0], np.float64)[: 7 * RATE]  # several chunks
    other = np.asarray(signal.sosfilt(signal.butter(1, 3000, fs=RATE, output="sos"), sound)) + 0.01 * noise(7.0)
    found = enhancement.compare(sound, other, RATE)
    lag, gain = round(found["lag_ms"] * RATE / 1000), 10 ** (found["gain_db"] / 20)
    shifted = np.pad(other, 100)[100 + lag : 100 + lag + len(sound)] * gain
    for name, expected in plainly(sound, shifted).items():
        assert found[name] == pytest.approx(expected, rel=1e-5), name


def test_loudness_is_the_same_however_it_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = swelling(3.03)[0].astype(np.float32)
    whole = dynamics.powers(sound)
    monkeypatch.setattr(dynamics, "HOPS_AT_ONCE", 7)
    assert dynamics.powers(sound) == pytest.approx(whole, rel=1e-12)
    assert len(whole) == 57


def test_silence_is_as_bad_as_can_be() -> None:
    sound = swelling()[0]
    found = enhancement.compare(sound, 0 * sound, RATE)
    assert (found["loudness_correlation"], found["si_sdr_aligned"]) == (0.0, -30.0)
    assert found["loudness_slope_error"] == pytest.approx(1.0)
    assert found["lsd"] > 20.0
    assert all(math.isfinite(value) for value in found.values())
    with pytest.raises(InputError, match="the reference is silent"):
        enhancement.compare(0 * sound, sound, RATE)


def test_what_a_reference_does_not_have_is_not_measured() -> None:
    steady = np.sin(2 * np.pi * 441 * np.arange(RATE) / RATE)
    found = enhancement.compare(steady, 0.5 * steady, RATE)
    assert not {"loudness_correlation", "loudness_slope", "loudness_slope_error"} & found.keys()
    click = np.eye(1, RATE)  # at the very beginning
    clicked = enhancement.compare(click, 0.5 * click, RATE)
    assert (clicked["lsd"], clicked["mrstft"], clicked["si_sdr_aligned"]) == (0.0, 0.0, 100.0)
    short = enhancement.compare(steady[: RATE // 100], steady[: RATE // 100], RATE)
    assert "loudness_rms" not in short
    assert short["lsd"] == short["mrstft"] == 0.0


def test_a_longer_estimate_is_cut_and_a_shorter_one_is_silent_at_its_end() -> None:
    sound = swelling()[0]
    tail = np.concatenate([sound, noise(1.0, seed=2)])
    assert_best(enhancement.compare(sound, tail, RATE) | {"loudness_error": 0.0})
    found = enhancement.compare(sound, sound[: 3 * RATE], RATE)
    assert found["lsd"] > 5.0
    assert found["loudness_rms"] > 5.0


@pytest.mark.parametrize(
    ("reference", "estimate"),
    [
        (np.ones((3, 800)), np.ones(800)),
        (np.ones(800), np.full(800, np.inf)),
        (np.ones(800), np.ones(0)),
        (np.ones((1, 1, 800)), np.ones(800)),
    ],
)
def test_what_is_no_sound_is_refused(reference: Values, estimate: Values) -> None:
    with pytest.raises(InputError, match="one or two channels"):
        enhancement.compare(reference, estimate, RATE)


def written(path: Path, samples: NDArray[Any], rate: int = RATE, facts: Facts | None = None) -> Path:
    """A sound file, and its record when there are facts."""
    audio.write(path, Audio(np.atleast_2d(samples).astype(np.float32), rate))
    if facts:
        record.beside(path).write_text(json.dumps(facts | {"sha256": record.sha256(path)}))
    return path


def made(stage: str, origin: Path, path: Path, samples: NDArray[Any], **facts: Any) -> Path:
    of = {"file": origin.name, "sha256": record.sha256(origin)}
    return written(path, samples, facts={"stage": stage, "from": of, **facts})


def measured(path: Path, ref: Path | None = None) -> dict[str, Any]:
    return enhancement.measure(record.source(path), ref=ref, protocol="mono-44k")


def test_records_lead_to_the_clean_sound(tmp_path: Path) -> None:
    sound = swelling(1.5)[0]
    clean = written(tmp_path / "x.wav", sound)
    late = np.pad(sound, (RATE // 2, 0))
    phone = made("augment", clean, tmp_path / "x.phone.wav", late, clock={"offset_s": 0.5, "rate": 1.0})
    assert_best(measured(phone))
    found = measured(made("enhance", phone, tmp_path / "x.phone.studio.wav", late))
    assert found["reference"] == str(clean)
    assert_best(found)
    written(clean, 0.3 * sound)
    with pytest.raises(InputError, match=r"the clean x\.wav it was made from has gone or was edited"):
        measured(phone)


def test_clean_input_is_its_own_reference_when_it_was_rendered(tmp_path: Path) -> None:
    sound = swelling(1.5)[0]
    clean = written(tmp_path / "x.wav", sound, facts={"stage": "render", "from": {"file": "x.mid", "sha256": "0"}})
    found = measured(made("enhance", clean, tmp_path / "x.studio.wav", sound))
    assert_best(found)


def test_what_no_record_calls_clean_is_no_reference(tmp_path: Path) -> None:
    sound = swelling(1.0)[0]
    phone = written(tmp_path / "phone.wav", sound)
    alone = "nothing says what this is without noise and room"
    with pytest.raises(InputError, match=alone):
        measured(phone)
    with pytest.raises(InputError, match=alone):
        measured(made("enhance", phone, tmp_path / "phone.studio.wav", sound))
    mix = written(tmp_path / "mix.wav", sound, facts={"stage": "render", "from": {"file": "x.mid", "sha256": "0"}})
    with pytest.raises(InputError, match=alone):
        measured(made("separate", mix, tmp_path / "mix.a.wav", sound))
    tape = made("augment", mix, tmp_path / "mix.tape.wav", sound, clock={"points": [[0.0, 0.0], [1.0, 1.1]]})
    with pytest.raises(InputError, match="its time runs otherwise"):
        measured(made("enhance", tape, tmp_path / "mix.tape.studio.wav", sound))
    odd = made("augment", mix, tmp_path / "mix.odd.wav", sound, clock={"offset_s": math.inf, "rate": 1.0})
    with pytest.raises(InputError, match="damaged"):
        measured(odd)


def test_a_reference_that_is_given_may_have_another_rate_and_more_channels(tmp_path: Path) -> None:
    sound = swelling(2.0, below_hz=6000.0)[0]
    (tmp_path / "ref").mkdir()
    low = audio.resample(Audio((3 * sound).astype(np.float32)[None], RATE), 22_050)
    written(tmp_path / "ref" / "take.wav", np.repeat(low.samples, 2, axis=0), 22_050)
    estimate = written(tmp_path / "take.hall-7.studio.wav", 3 * sound)
    found = measured(estimate, tmp_path / "ref")
    assert found["si_sdr_aligned"] > 40.0
    assert found == measured(estimate, tmp_path / "ref" / "take.wav")
    (tmp_path / "ref" / "take.wav").write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"its reference take\.wav: not a sound file"):
        measured(estimate, tmp_path / "ref")


@pytest.mark.parametrize(
    ("length_s", "notes"),
    [
        (3.5, []),
        (2.0, ["2.0 s shorter than its reference: they count as silence"]),
        (6.0, ["2.0 s longer than its reference: they are not compared"]),
    ],
)
def test_an_estimate_of_another_length_is_told(length_s: float, notes: list[str], tmp_path: Path) -> None:
    sound = noise(6.0)
    reference = written(tmp_path / "ref.wav", sound[: 4 * RATE])
    assert measured(written(tmp_path / "take.wav", sound[: int(length_s * RATE)]), reference)["notes"] == notes


def test_the_kind_is_complete() -> None:
    kind = kinds.kind("enhancement")
    found = enhancement.compare(swelling()[0], noise(4.0), RATE)
    assert {measure.name for measure in kind.MEASURES} <= found.keys()
    assert set(kind.COLUMNS) <= found.keys() | {"file"}
