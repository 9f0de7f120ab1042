"""score, separation: known ratios, museval's numbers, the best assignment, stems found by name or record."""

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
from scipy.signal import lfilter

from clefkit import audio, notes, record
from clefkit.audio import Audio
from clefkit.errors import InputError
from clefkit.score import kinds, separation

RATE = 8000
KINDS = {"mono": (3, 1, 3), "stereo": (2, 2, 3), "doubled": (2, 2, 3), "pauses": (2, 1, 4)}
Signals = NDArray[np.float64]
Facts = dict[str, Any]


def sources(kind: str) -> tuple[Signals, Signals]:
    """References and estimates, (stems, channels, samples): every estimate is off by other stems, noise and a filter.

    "doubled" has a stereo stem of two equal channels, "pauses" one second in which a reference is silent and one in
    which an estimate is.
    """
    stems, channels, length = KINDS[kind]
    rng = np.random.default_rng(7)
    reference = 0.1 * rng.standard_normal((stems, channels, length * RATE + 1000))
    reference = np.asarray(lfilter([1.0], [1.0, -0.9], reference))
    if kind == "doubled":
        reference[0, 1] = reference[0, 0]
    noise = 0.02 * rng.standard_normal(reference.shape)
    estimate = 0.8 * reference + 0.1 * np.roll(reference, 40, axis=2) + 0.2 * np.roll(reference, 1, axis=0) + noise
    if kind == "pauses":
        reference[1, :, RATE : 2 * RATE + 1] = 0.0
        estimate[0, :, 3 * RATE :] = 0.0
    return reference, estimate


# What museval 0.4.1 finds: SDR, ISR, SIR, SAR of each stem, medians over windows; by benchmarks/separation.py --stored
MUSEVAL: dict[str, list[list[float]]] = {
    "mono": [
        [10.262701794204258, 12.973568167418726, 12.125063175904213, 19.927083452358296],
        [10.171981021991698, 13.142777857955195, 12.350716249270189, 19.981087183644956],
        [10.030194313590622, 13.039991964876435, 12.31327102538238, 19.94908466256901],
    ],
    "stereo": [
        [10.251342692072946, 12.990734508472046, 12.370751228082478, 20.0638645859525],
        [10.26192533442272, 13.12203112293529, 12.337394787419719, 20.040134116154697],
    ],
    "doubled": [
        [10.186864484822866, 12.959535120350305, 12.176289746553602, 19.80926099655836],
        [10.250000535039774, 13.05394788697797, 12.420875196673425, 19.98744388794832],
    ],
    "pauses": [
        [10.027300555525887, 7.489660116088919, 12.083742877784832, 7.912285563982693],
        [10.272263177131354, 13.009350140238904, 12.038226536707434, 18.968217488854805],
    ],
}
NAMES = ("sdr", "isr", "sir", "sar")


@pytest.mark.parametrize("kind", MUSEVAL)
def test_ratios_are_those_of_museval(kind: str) -> None:
    found = separation.compare(*sources(kind), RATE, protocol="bss-eval-v4")
    for stem, expected in zip(found["stems"], MUSEVAL[kind], strict=True):
        assert [stem[name] for name in NAMES] == pytest.approx(expected, rel=0.0, abs=1e-9)
    assert found["sar"] == pytest.approx(np.mean([row[3] for row in MUSEVAL[kind]]), abs=1e-9)


def noise(stems: int, seed: int = 0, seconds: float = 2.0) -> list[Signals]:
    """Stems of one energy that are orthogonal to each other, so that ratios are known; (1, samples) each."""
    basis = np.linalg.qr(np.random.default_rng(seed).standard_normal((round(seconds * RATE), stems)))[0]
    return [0.1 * math.sqrt(len(basis)) * column[None] for column in basis.T]


def test_known_ratios() -> None:
    first, second, rest = noise(3)
    found = separation.compare([first, second], [0.5 * first + 0.05 * rest, second + 0.1 * first], RATE)
    assert [stem["si_sdr"] for stem in found["stems"]] == pytest.approx([20.0, 20.0], abs=1e-9)
    assert found["stems"][0]["sdr_mdx"] == pytest.approx(-10 * math.log10(0.5**2 + 0.05**2), abs=1e-6)
    assert found["stems"][1]["sdr_mdx"] == pytest.approx(20.0, abs=1e-6)
    # the mixture is their sum, in which either is as strong as the other
    assert found["si_sdr_improvement"] == pytest.approx(20.0, abs=1e-9)


def test_the_gain_of_the_mixture_counts_for_the_improvement_alone() -> None:
    first, second = noise(2)
    estimates = [first + 0.1 * second, second + 0.1 * first]
    found = separation.compare([first, second], estimates, RATE, mixture=first + 0.5 * second)
    assert found["si_sdr"] == pytest.approx(20.0, abs=1e-9)
    assert [stem["si_sdr_improvement"] for stem in found["stems"]] == pytest.approx(
        [20 - 20 * math.log10(2), 20 + 20 * math.log10(2)], abs=1e-9
    )


def test_perfect_stems_have_the_highest_ratios() -> None:
    stems = noise(2)
    found = separation.compare(stems, stems, RATE, protocol="bss-eval-v4")
    assert {found[name] for name in ("si_sdr", "sdr")} == {100.0}
    assert all(math.isfinite(found[name]) and found[name] == 100.0 for name in NAMES)
    assert found["sdr_mdx"] == pytest.approx(10 * math.log10(0.01 * 2 * RATE / 1e-7), abs=0.1)
    assert found["stem_count_accuracy"] == 1.0
    assert found["silent_stems"] == found["extra_stems"] == []


def test_one_gain_does_not_matter_to_si_sdr() -> None:
    stems = noise(2)
    found = separation.compare(stems, [1e-4 * stems[0], -3.0 * stems[1]], RATE)
    assert found["si_sdr"] == 100.0
    assert found["sdr"] < 0.0


@settings(derandomize=True, deadline=None, max_examples=20)
@given(order=st.permutations(range(4)), extra=st.integers(0, 2), missing=st.integers(0, 2))
def test_order_and_extra_stems_change_nothing(order: list[int], extra: int, missing: int) -> None:
    stems, rests = noise(5, seconds=0.5), noise(7, 1, seconds=0.5)
    estimates = [stem + (0.1 + 0.1 * each) * rests[each] for each, stem in enumerate(stems[:4])]
    plain = separation.compare(stems[: 4 - missing], estimates[: 4 - missing], RATE)
    given_order = [each for each in order if each < 4 - missing]
    shuffled = [estimates[each] for each in given_order] + rests[5 : 5 + extra]
    found = separation.compare(stems[: 4 - missing], shuffled, RATE)
    assert found["si_sdr"] == pytest.approx(plain["si_sdr"], abs=1e-9)
    assert [given_order[stem["estimate"]] for stem in found["stems"]] == list(range(4 - missing))
    assert found["extra_stems"] == list(range(len(given_order), len(shuffled)))
    assert found["stem_count_accuracy"] == float(extra == 0)


def test_a_missing_stem_counts_as_silence() -> None:
    stems = noise(2, seconds=1.0)
    few = separation.compare(stems, stems[:1], RATE, protocol="bss-eval-v4")
    silent = separation.compare(stems, [stems[0], 0 * stems[1]], RATE, protocol="bss-eval-v4")
    assert few["stems"] == silent["stems"]
    assert few["stems"][1] == {
        "reference": 1,
        "estimate": None,
        "si_sdr": -30.0,
        "si_sdr_improvement": pytest.approx(-30.0, abs=1e-9),
        "sdr": 0.0,
        "sdr_mdx": 0.0,
        "isr": 0.0,
        "sir": -30.0,
        "sar": -30.0,
    }
    assert few["si_sdr"] == pytest.approx((100 - 30) / 2)
    assert (few["ref_stems"], few["est_stems"], few["stem_count_accuracy"]) == (2, 1, 0.0)
    assert silent["est_stems"] == 1


def test_silence_is_never_better_than_noise_in_si_sdr() -> None:
    stems, (other,) = noise(2), noise(1, seed=5)
    noisy = separation.compare(stems, [stems[0], other], RATE)
    silent = separation.compare(stems, [stems[0], 0 * other], RATE)
    assert silent["si_sdr"] <= noisy["si_sdr"]
    assert separation.compare(stems, [0 * other], RATE, protocol="bss-eval-v4")["si_sdr"] == -30.0


def test_a_silent_reference_is_left_out_and_named() -> None:
    stems = noise(2)
    found = separation.compare([stems[0], 0 * stems[0], stems[1]], [*stems, 0.01 * stems[0]], RATE)
    assert found["si_sdr"] == 100.0
    assert (found["silent_stems"], found["ref_stems"], len(found["stems"])) == ([1], 2, 2)
    with pytest.raises(InputError, match="all reference stems are silent"):
        separation.compare([0 * stems[0]], stems, RATE)


def test_windows_in_which_a_stem_is_silent_do_not_count() -> None:
    reference, other = noise(2, seconds=3.0)
    reference[:, RATE : 2 * RATE] = 0.0
    estimate = reference.copy()
    estimate[:, :RATE] *= 1.1
    estimate[:, RATE : 2 * RATE] = 0.5
    estimate[:, 2 * RATE :] *= 1.01
    found = separation.compare([reference, other], [estimate, other], RATE)
    assert found["stems"][0]["sdr"] == pytest.approx(30.0, abs=1e-9)  # of 20 and 40 dB
    assert found["stems"][0]["sdr_mdx"] < 0.0
    never = separation.compare([reference[:, RATE : 3 * RATE], other[:, :RATE]], [estimate, other], RATE)
    assert "sdr" not in never
    assert "si_sdr" in never


def test_a_single_stem_has_no_improvement_and_no_interference() -> None:
    (stem, rest) = noise(2)
    found = separation.compare([stem], [stem + 0.1 * rest], RATE, protocol="bss-eval-v4")
    assert found["si_sdr"] == pytest.approx(20.0, abs=1e-9)
    assert not {"sir", "si_sdr_improvement"} & found.keys()
    assert "si_sdr_improvement" in separation.compare([stem], [stem], RATE, mixture=stem + rest)


def test_stereo_is_mixed_down_for_a_mono_side_and_lengths_are_those_of_the_reference() -> None:
    first, second, rest = noise(3)
    stereo = [np.concatenate([stem + rest, stem - rest]) for stem in (first, second)]
    assert separation.compare(stereo, [first, second], RATE)["si_sdr"] == 100.0
    tail = np.concatenate([first, np.ones((1, 3 * RATE))], axis=1)
    assert separation.compare([first, second], [tail, second], RATE)["si_sdr"] == 100.0
    assert separation.compare([tail[:, : 3 * RATE], second], [tail[:, : 3 * RATE], second], RATE)["si_sdr"] == 100.0
    with pytest.raises(InputError, match=r"estimate 1 is 1\.5 s shorter"):
        separation.compare([first, second], [first, second[:, : RATE // 2]], RATE)


@pytest.mark.parametrize(
    ("reference", "estimate", "message"),
    [
        ([], [np.ones((1, 800))], "1 to 64 stems"),
        ([np.ones((1, 800))] * 65, [np.ones((1, 800))], "1 to 64 stems"),
        ([np.ones((3, 800))], [np.ones((1, 800))], "one or two channels"),
        ([np.ones((1, 800))], [np.full((1, 800), np.nan)], "estimate 0"),
        ([np.ones((1, 0))], [np.ones((1, 800))], "no samples"),
    ],
)
def test_what_is_no_set_of_stems_is_refused(reference: list[Any], estimate: list[Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        separation.compare(reference, estimate, RATE)


def test_stems_of_pure_tones_are_measured_though_filters_are_not_unique() -> None:
    time = np.arange(2 * RATE) / RATE
    tones = [0.3 * np.sin(2 * np.pi * frequency * time)[None] for frequency in (220.0, 331.0)]
    found = separation.compare(tones, [tones[0] + 0.1 * tones[1], tones[1]], RATE, protocol="bss-eval-v4")
    assert found["stems"][0]["sir"] == pytest.approx(20.0, abs=0.3)  # tones have ends
    assert found["stems"][0]["sar"] > 60.0


def test_too_many_channels_are_refused_before_they_fill_memory() -> None:
    stems = noise(25, seconds=0.1)
    assert separation.compare(stems, stems, RATE)["si_sdr"] == 100.0
    with pytest.raises(InputError, match="more than 24"):
        separation.compare(stems, stems, RATE, protocol="bss-eval-v4")


def written(folder: Path, name: str, samples: NDArray[Any], rate: int = RATE, facts: Facts | None = None) -> Path:
    """A sound file, and its record when there are facts."""
    folder.mkdir(parents=True, exist_ok=True)
    audio.write(folder / name, Audio(samples.astype(np.float32), rate))
    if facts:
        text = json.dumps(facts | {"file": name, "sha256": record.sha256(folder / name)})
        record.beside(folder / name).write_text(text)
    return folder / name


def origin(path: Path) -> dict[str, str]:
    return {"file": path.name, "sha256": record.sha256(path)}


def measured(paths: list[Path], ref: Path | None = None, protocol: str = "sdr") -> dict[str, Any]:
    first, *others = [record.source(path) for path in paths]
    return separation.measure(first, *others, ref=ref, protocol=protocol)


@pytest.fixture
def rendering(tmp_path: Path) -> Path:
    """mix.wav and two stems of it as render makes them, other sounds beside them, and two estimates."""
    violin, cello = (0.5 * stem for stem in noise(2))
    recipe: Facts = {
        "stage": "render",
        "seed": 3,
        "from": {"file": "mix.mxl", "sha256": "0"},
        "options": {"stems": True},
    }
    both = notes.make([0.0, 0.5], [1.0, 1.0], [60, 62], part=[0, 1], parts=(notes.Part("a"), notes.Part("b")))
    notes.write_jsonl(tmp_path / "mix.ref.jsonl", both, RATE, 2 * RATE)
    mix = written(tmp_path, "mix.wav", violin + cello, facts=recipe | {"reference": origin(tmp_path / "mix.ref.jsonl")})
    written(tmp_path, "mix.1-violin.wav", violin, facts=recipe)
    written(tmp_path, "mix.2-cello.wav", cello, facts=recipe)
    written(tmp_path, "mix.3-other-seed.wav", cello, facts=recipe | {"seed": 4})
    written(tmp_path, "mix.hall-7.wav", violin, facts={"stage": "augment", "from": origin(mix)})
    facts = {"stage": "separate", "from": origin(mix)}
    written(tmp_path, "mix.a.wav", cello + 0.1 * violin, facts=facts)
    written(tmp_path, "mix.b.wav", violin + 0.1 * cello, facts=facts)
    return tmp_path


def test_records_lead_to_the_stems_of_the_rendered_mixture(rendering: Path) -> None:
    found = measured([rendering / "mix.a.wav", rendering / "mix.b.wav"])
    assert found["reference"] == found["mixture"] == str(rendering / "mix.wav")
    assert [(stem["reference"], stem["estimate"]) for stem in found["stems"]] == [
        ("mix.1-violin.wav", "mix.b.wav"),
        ("mix.2-cello.wav", "mix.a.wav"),
    ]
    assert found["si_sdr_improvement"] == pytest.approx(20.0, abs=0.01)
    alone = measured([rendering / "mix.a.wav"])
    assert alone["stem_count_accuracy"] == 0.0
    assert alone["si_sdr"] < found["si_sdr"] - 20


def test_a_folder_is_searched_for_the_stems_of_the_mixture(rendering: Path) -> None:
    estimates = [rendering / "mix.a.wav", rendering / "mix.b.wav"]
    (rendering / "mix.3-other-seed.wav").unlink()
    found = measured(estimates, rendering)
    assert [stem["reference"] for stem in found["stems"]] == ["mix.1-violin.wav", "mix.2-cello.wav"]
    assert found["reference"] == str(rendering)
    assert measured(estimates, rendering / "mix.1-violin.wav")["extra_stems"] == ["mix.a.wav"]


def test_what_the_records_cannot_lead_to_is_said(rendering: Path) -> None:
    first, hall = rendering / "mix.a.wav", rendering / "mix.hall-7.wav"
    (rendering / "mix.2-cello.wav").rename(rendering / "elsewhere.wav")
    with pytest.raises(InputError, match=r"only 1 of 2 stems are beside mix\.wav"):
        measured([first])
    audio.write(rendering / "mix.1-violin.wav", Audio(np.zeros((1, RATE), np.float32), RATE))
    with pytest.raises(InputError, match=r"mix\.1-violin\.wav was edited since"):
        measured([first])
    wet = written(rendering, "wet.a.wav", np.ones((1, RATE)), facts={"stage": "separate", "from": origin(hall)})
    with pytest.raises(InputError, match="augmented"):
        measured([wet])
    with pytest.raises(InputError, match="no reference stems: give --ref"):
        measured([written(rendering, "alone.wav", np.ones((1, RATE)))])
    (rendering / "empty").mkdir()
    with pytest.raises(InputError, match=r"no reference stems in .*empty"):
        measured([first], rendering / "empty")


def test_folders_of_tracks_with_a_mixture_as_in_data_sets(tmp_path: Path) -> None:
    stems = dict(zip(("bass", "drums", "vocals"), (0.3 * stem for stem in noise(3)), strict=True))
    for name, samples in stems.items():
        written(tmp_path / "ref" / "Track (one) [2]", f"{name}.wav", samples)
        written(tmp_path / "est" / "Track (one) [2]", f"{name}.wav", samples)
    written(tmp_path / "ref" / "Track (one) [2]", "mixture.wav", sum(stems.values(), np.zeros((1, 1))))
    estimates = sorted((tmp_path / "est" / "Track (one) [2]").iterdir())
    found = measured(estimates, tmp_path / "ref", "bss-eval-v4")
    assert [stem["reference"] for stem in found["stems"]] == [f"{name}.wav" for name in stems]
    assert found["mixture"].endswith("mixture.wav")
    assert (found["si_sdr"], found["sir"]) == (100.0, pytest.approx(100.0))
    assert measured(estimates, tmp_path / "ref" / "Track (one) [2]")["ref_stems"] == 3


def test_what_a_person_should_know_is_told(tmp_path: Path) -> None:
    for name, samples in zip(("bass", "drums", "vocals"), noise(3), strict=True):
        written(tmp_path / "ref", f"{name}.wav", 0.3 * samples)
        written(tmp_path / "est", f"{name}.wav", 0.3 * samples)
    estimates = sorted((tmp_path / "est").iterdir())
    assert measured(estimates, tmp_path / "ref")["notes"] == []
    bass, drums, _ = (path.read_bytes() for path in estimates)
    estimates[0].write_bytes(drums)
    estimates[1].write_bytes(bass)
    written(tmp_path / "est", "vocals.wav", np.pad(0.3 * noise(3)[2], ((0, 0), (0, 2 * RATE))))
    found = measured(estimates, tmp_path / "ref")
    assert (found["si_sdr"], found["cut_stems"]) == (100.0, ["vocals.wav"])
    assert found["notes"] == [
        "vocals.wav is longer than the references: what comes after them is not compared",
        "drums.wav is most like bass.wav, and is compared with that",
        "bass.wav is most like drums.wav, and is compared with that",
    ]


def test_estimates_at_another_rate_are_brought_to_that_of_the_references(tmp_path: Path) -> None:
    low = [np.asarray(lfilter([0.02], [1.0, -0.98], stem)) for stem in noise(2)]
    for number, stem in enumerate(low):
        written(tmp_path / "ref", f"{number}.wav", stem)
        sound = audio.resample(Audio(stem.astype(np.float32), RATE), 2 * RATE)
        written(tmp_path / "est", f"{number}.wav", sound.samples, 2 * RATE)
    estimates = sorted((tmp_path / "est").iterdir())
    assert measured(estimates, tmp_path / "ref")["si_sdr"] > 25.0
    written(tmp_path / "ref", "2.wav", low[0], 2 * RATE)
    with pytest.raises(InputError, match=r"several rates \(8000, 16000 Hz\)"):
        measured(estimates, tmp_path / "ref")
    (tmp_path / "ref" / "2.wav").write_bytes(b"no sound")
    with pytest.raises(InputError, match=r"its reference 2\.wav: not a sound file"):
        measured(estimates, tmp_path / "ref")


def test_the_kind_is_complete() -> None:
    kind = kinds.kind("separation")
    names = {measure.name for measure in kind.MEASURES}
    found = separation.compare(*sources("mono"), RATE, protocol="bss-eval-v4")
    assert names <= found.keys()
    assert set(kind.COLUMNS) <= found.keys() | {"file"}
    assert all(math.isfinite(found[name]) for name in names)
