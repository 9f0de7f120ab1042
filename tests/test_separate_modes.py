"""separate by what rings and what strikes, and by networks of other people: right parts, nothing lost, no seams."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Shell
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from clefkit import audio
from clefkit.audio import Samples
from clefkit.errors import ClefkitError, InputError, MissingError
from clefkit.separate import classes, percussive
from clefkit.separate.classes import Network
from clefkit.spool import Spool

Array = NDArray[np.float32]
Numbers = NDArray[np.floating[Any]]

RATE = 22_050
TAPS = 65
WINDOW = 4096  # samples of the graphs that take waveforms
SIZE, HOP, FRAMES = 1500, 400, 32  # of those that take magnitudes; neither goes into the other
AUDIO = f'net = "stems"\nnames = ["low", "high"]\nrate_hz = {RATE}\nchannels = 1\ninput = "audio"\nwindow = {WINDOW}\n'
MAGNITUDE = AUDIO.replace("audio", "magnitude").replace(
    f"window = {WINDOW}", f"window = {FRAMES}\nsize = {SIZE}\nhop = {HOP}"
)


def decibels(error: Numbers, beside: Numbers) -> float:
    """Largest error beside the largest sample."""
    return float(20 * np.log10(np.abs(error).max() / np.abs(beside).max() + 1e-12))


def si_sdr(estimate: Numbers, truth: Numbers) -> float:
    mine = truth * (np.vdot(estimate, truth) / np.vdot(truth, truth))
    return float(10 * np.log10(np.vdot(mine, mine) / np.vdot(estimate - mine, estimate - mine)))


def heard(spools: dict[str, Spool]) -> dict[str, Array]:
    """(channels, samples) by name."""
    return {name: spool.read(0, spool.rows).T for name, spool in spools.items()}


def rings_and_strikes(sound: Samples, rate: int, cuts: list[int] | None = None) -> dict[str, Array]:
    blocks = np.split(sound, cuts or [], axis=1)
    return heard(percussive.split(lambda: blocks, audio.Shape(len(sound), sound.shape[1], rate)))


def stems(sound: Samples, rate: int, network: Network, cuts: list[int] | None = None) -> dict[str, Array]:
    blocks = np.split(sound, cuts or [], axis=1)
    return heard(classes.split(lambda: blocks, audio.Shape(len(sound), sound.shape[1], rate), network))


def tones(rate: int, seconds: float) -> Array:
    """A chord that swells and fades. returns: (1, samples)"""
    time = np.arange(round(seconds * rate)) / rate
    swell = np.minimum(1, 5 * np.minimum(time, seconds - time))
    waves = [np.sin(2 * np.pi * hertz * time) for hertz in (220.0, 554.37, 987.77, 1975.53)]
    return np.asarray(0.1 * swell * np.sum(waves, axis=0), np.float32)[None]


def strikes(rate: int, seconds: float) -> Array:
    """Bursts of noise, 10 ms each. returns: (1, samples)"""
    sound = np.zeros((1, round(seconds * rate)), np.float32)
    generator = np.random.default_rng(7)
    fall = np.exp(-np.arange(round(0.05 * rate)) / (0.01 * rate))
    for start in np.arange(0.3, seconds - 0.1, 0.37):
        first = round(start * rate)
        sound[0, first : first + len(fall)] += 0.5 * fall * generator.standard_normal(len(fall))
    return sound


def noise(channels: int, samples: int) -> Array:
    return (0.2 * np.random.default_rng(samples).standard_normal((channels, samples))).astype(np.float32)


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_chord_rings_and_bursts_strike(rate: int) -> None:
    chord, bursts = tones(rate, 6), strikes(rate, 6)
    found = rings_and_strikes(chord + bursts, rate)
    assert list(found) == ["harmonic", "percussive"]
    assert si_sdr(chord + bursts, chord) < 10
    assert si_sdr(found["harmonic"], chord) > 24
    assert si_sdr(found["percussive"], bursts) > 17


def test_a_chord_alone_and_bursts_alone_stay_whole() -> None:
    chord, bursts = tones(RATE, 5), strikes(RATE, 5)
    assert np.square(rings_and_strikes(chord, RATE)["percussive"]).sum() < 1e-4 * np.square(chord).sum()
    assert np.square(rings_and_strikes(bursts, RATE)["harmonic"]).sum() < 1e-4 * np.square(bursts).sum()


@pytest.mark.parametrize(
    ("channels", "rate", "samples"),
    [(1, 8000, 400), (2, 44_100, 100_001), (1, 192_000, 300_000), (2, 48_000, 1115 * 40)],
)
def test_both_parts_add_up_from_the_first_sample_to_the_last(channels: int, rate: int, samples: int) -> None:
    sound = noise(channels, samples)
    found = rings_and_strikes(sound, rate)
    assert [each.shape for each in found.values()] == [sound.shape] * 2
    assert decibels(found["harmonic"] + found["percussive"] - sound, sound) < -120


def test_strikes_stay_where_they_were_between_the_channels() -> None:
    bursts, chord = strikes(RATE, 4), tones(RATE, 4)
    sound = np.concatenate([chord + bursts, 0.5 * chord])
    found = rings_and_strikes(sound, RATE)["percussive"]
    assert np.square(found[1]).sum() < 1e-3 * np.square(found[0]).sum()


def test_blocks_and_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sound = tones(RATE, 9) + strikes(RATE, 9) + noise(1, 9 * RATE)
    whole = rings_and_strikes(sound, RATE)
    cut = rings_and_strikes(sound, RATE, [0, 1, 700, 701, 50_000, 51_000, 180_000])
    assert all(np.array_equal(cut[name], whole[name]) for name in whole)
    for frames in (2 * percussive.AROUND + 1, 77, 10_000):
        monkeypatch.setattr(percussive, "CHUNK", frames)
        other = rings_and_strikes(sound, RATE)
        assert max(decibels(other[name] - whole[name], sound) for name in whole) < -120


def test_silence_stays_silent() -> None:
    silence = np.zeros((2, 30_000), np.float32)
    assert not any(each.any() for each in rings_and_strikes(silence, RATE).values())


def graph(nodes: list[Any], numbers: dict[str, Any], ends: tuple[str, str], shape: tuple[int, ...]) -> bytes:
    """From an input of a shape (1, ...) to an output."""
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in numbers.items()]
    sides = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, each)
        for name, each in zip(ends, ((1, *shape), None), strict=True)
    ]
    made = helper.make_graph(nodes, "tiny", sides[:1], sides[1:], constants)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    return bytes(model.SerializeToString())


def low_pass(rate: int = RATE) -> Array:
    from scipy.signal import firwin

    return np.asarray(firwin(TAPS, 2000, fs=rate), np.float32)


def waves(channels: int = 1, window: int = WINDOW, takes: str = "mixture", gives: str = "stems") -> bytes:
    """What passes a filter, and what doesn't."""
    nodes = [
        helper.make_node("Conv", [takes, "filter"], ["passed"], group=channels, pads=[TAPS // 2] * 2),
        helper.make_node("Sub", [takes, "passed"], ["stopped"]),
        helper.make_node("Unsqueeze", ["passed", "axis"], ["low"]),
        helper.make_node("Unsqueeze", ["stopped", "axis"], ["high"]),
        helper.make_node("Concat", ["low", "high"], [gives], axis=1),
    ]
    kernel = np.tile(low_pass(), (channels, 1, 1))
    return graph(nodes, {"filter": kernel, "axis": np.array([1])}, (takes, gives), (channels, window))


def shares(factors: Numbers, channels: int = 1, gives: str = "magnitudes", frames: int = FRAMES) -> bytes:
    """Stems are what is there times a factor for each bin. factors: (names, bins)"""
    name = "magnitude" if gives == "magnitudes" else "nothing"
    nodes = [
        helper.make_node("Mul", ["magnitude", "zero"], ["nothing"]),
        helper.make_node("Unsqueeze", [name, "axis"], ["one"]),
        helper.make_node("Mul" if gives == "magnitudes" else "Add", ["one", "factors"], [gives]),
    ]
    numbers = {"zero": np.float32(0), "axis": np.array([1]), "factors": factors[None, :, None, None].astype(np.float32)}
    return graph(nodes, numbers, ("magnitude", gives), (channels, frames, factors.shape[1]))


def below(hertz: float) -> Array:
    """(2, bins): 1 below in the first, 1 above in the second"""
    low = np.arange(SIZE // 2 + 1) * RATE / SIZE < hertz
    return np.stack([low, ~low]).astype(np.float32)


def checkpoint(folder: Path, network: bytes, config: str = AUDIO) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(network)
    (folder / "config.toml").write_text(config, encoding="utf-8")
    return folder


def test_waveforms_come_apart_without_seams(tmp_path: Path) -> None:
    network = classes.load(checkpoint(tmp_path / "waves", waves(2), AUDIO.replace("channels = 1", "channels = 2")))
    sound = noise(2, 20 * WINDOW + 321)
    found = stems(sound, RATE, network)
    assert list(found) == ["low", "high"]
    ideal = np.stack([np.convolve(each, low_pass(), "same") for each in sound])
    error = np.abs(found["low"] - ideal)
    since = np.arange(sound.shape[1]) % (WINDOW // 2)
    near = np.minimum(since, WINDOW // 2 - since) < TAPS  # of the end of a window, where it doesn't hear all it needs
    assert decibels(error[:, near], sound) < -105
    assert decibels(error[:, ~near], sound) < -120
    assert decibels(found["low"] + found["high"] - sound, sound) < -120


def test_magnitudes_come_apart_without_seams(tmp_path: Path) -> None:
    network = classes.load(checkpoint(tmp_path / "mags", shares(below(700)), MAGNITUDE))
    time = np.arange(6 * RATE) / RATE
    low, high = ((0.3 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)[None] for hertz in (220, 5000))
    found = stems(low + high, RATE, network)
    assert decibels(found["low"] + found["high"] - low - high, low) < -115
    inner = slice(SIZE, -SIZE)  # a tone that begins at once is heard in all bins
    error = np.abs(found["low"] - low)[0, inner]
    assert decibels(error, low) < -110
    since_a_seam = (np.arange(len(error)) + SIZE + 3 * HOP) % (FRAMES // 2 * HOP)
    assert error[since_a_seam < SIZE].max() < 1.5 * error[since_a_seam >= SIZE].max()


def test_windows_that_disagree_fade_into_each_other(tmp_path: Path) -> None:
    """One stem is all at the end of a window and nothing at its beginning, the other is the opposite."""
    rising = np.linspace(0, 1, WINDOW, dtype=np.float32)
    nodes = [
        helper.make_node("Unsqueeze", ["mixture", "axis"], ["one"]),
        helper.make_node("Mul", ["one", "ramps"], ["stems"]),
    ]
    numbers = {"ramps": np.stack([rising, 1 - rising])[None, :, None], "axis": np.array([1])}
    made = graph(nodes, numbers, ("mixture", "stems"), (1, WINDOW))
    network = classes.load(checkpoint(tmp_path / "ramps", made))
    found = stems(np.ones((1, 9 * WINDOW + 99), np.float32), RATE, network)["low"][0]
    assert found[WINDOW // 2 : -WINDOW // 2].min() > 0.2
    assert np.abs(np.diff(found)).max() < 4 / WINDOW


@pytest.mark.parametrize("samples", [1, 400, WINDOW - 1, WINDOW, WINDOW + 1, 3 * WINDOW, FRAMES * HOP, 30_011])
def test_blocks_and_windows_change_nothing(tmp_path: Path, samples: int) -> None:
    sound = noise(1, samples)
    cuts = np.sort(np.random.default_rng(0).integers(0, samples + 1, 6)).tolist()
    for name, made, config in (("w", waves(), AUDIO), ("m", shares(below(2000)), MAGNITUDE)):
        network = classes.load(checkpoint(tmp_path / name, made, config))
        whole = stems(sound, RATE, network)
        again = stems(sound, RATE, network, cuts)
        assert all(np.array_equal(again[stem], whole[stem]) for stem in whole)
        assert decibels(whole["low"] + whole["high"] - sound, sound) < -115
        assert whole["low"].shape == sound.shape
    longer = checkpoint(
        tmp_path / "longer", shares(below(2000), frames=45), MAGNITUDE.replace(f"window = {FRAMES}", "window = 45")
    )
    other = stems(sound, RATE, classes.load(longer))
    assert max(decibels(other[stem] - whole[stem], sound) for stem in whole) < -115


@pytest.mark.parametrize("rate", [8000, 16_000, 44_100, 48_000, 192_000])
@pytest.mark.parametrize("form", ["audio", "magnitude"])
def test_clicks_stay_at_their_samples_at_any_rate(tmp_path: Path, form: str, rate: int) -> None:
    folder = tmp_path / form
    everything = np.stack([np.ones(SIZE // 2 + 1), np.zeros(SIZE // 2 + 1)])
    made, config = (waves(), AUDIO) if form == "audio" else (shares(everything), MAGNITUDE)
    network = classes.load(checkpoint(folder, made, config))
    sound = np.zeros((1, 4 * rate + 17), np.float32)
    places = [rate // 1000, 5 * rate // 100, rate + 1, 2 * rate + 345, 4 * rate - 3]
    sound[0, places] = 0.9
    found = stems(sound, rate, network)
    assert [each.shape for each in found.values()] == [sound.shape] * 2
    for place in places:
        first = max(place - rate // 100, 0)
        peak = first + int(np.abs(found["low"][0, first : place + rate // 100]).argmax())
        assert abs(peak - place) <= 1


def test_what_a_network_can_hear_comes_back_through_two_changes_of_rate(tmp_path: Path) -> None:
    network = classes.load(checkpoint(tmp_path / "mags", shares(np.ones((2, SIZE // 2 + 1))), MAGNITUDE))
    sound = tones(48_000, 3)
    found = stems(sound, 48_000, network)
    assert decibels(found["low"] + found["high"] - sound, sound) < -80


def test_mono_and_stereo_meet(tmp_path: Path) -> None:
    stereo = classes.load(checkpoint(tmp_path / "stereo", waves(2), AUDIO.replace("channels = 1", "channels = 2")))
    mono = classes.load(checkpoint(tmp_path / "mono", waves()))
    sound = noise(2, 12_345)
    wanted = stems(sound, RATE, stereo)
    assert decibels(stems(sound, RATE, mono)["low"] - wanted["low"], sound) < -120  # each channel by itself
    for name, each in stems(sound[:1], RATE, stereo).items():
        assert each.shape == (1, 12_345)
        assert decibels(each - wanted[name][:1], sound) < -120


@pytest.mark.parametrize(
    ("gives", "factors", "exponent", "expected"),
    [
        ("magnitudes", (3.0, 1.0), 1, (0.75, 0.25)),
        ("magnitudes", (3.0, 1.0), 2, (0.9, 0.1)),
        ("magnitudes", (0.25, 0.25), 1.0, (0.25, 0.25)),
        ("magnitudes", (0.5, 0.5), 2, (0.25, 0.25)),
        ("magnitudes", (-1.0, 0.5), 1, (0.0, 0.5)),
        ("masks", (0.5, 0.25), 1, (0.5, 0.25)),
        ("masks", (1.0, 1.0), 1, (0.5, 0.5)),
    ],
)
def test_masks_are_soft_and_never_more_than_one(
    tmp_path: Path, gives: str, factors: tuple[float, float], exponent: float, expected: tuple[float, float]
) -> None:
    made = shares(np.repeat(np.array(factors)[:, None], SIZE // 2 + 1, axis=1), gives=gives)
    network = classes.load(checkpoint(tmp_path / "mags", made, f"{MAGNITUDE}exponent = {exponent}\n"))
    sound = noise(1, 20_000)
    for stem, share in zip(stems(sound, RATE, network).values(), expected, strict=True):
        assert decibels(stem - share * sound, sound) < -110


def broken(folder: Path) -> Iterator[tuple[str, type[ClefkitError], str]]:
    """What can be wrong with a checkpoint, and what is said of it."""
    audio_changes = {
        "net": ('"stems"', '"notes"', MissingError, "is of kind 'notes', not 'stems'"),
        "names": ('["low", "high"]', "[]", InputError, "names must be a list of 1 to 32"),
        "text": ('["low", "high"]', '"low"', InputError, "names must be a list"),
        "many": ('["low", "high"]', str([f"s{each}" for each in range(33)]), InputError, "names must be a list"),
        "twice": ('["low", "high"]', '["low", "Low"]', InputError, "each once"),
        "path": ('["low", "high"]', '["low", "../up"]', InputError, "'../up' is no name for a stem"),
        "rest": ('["low", "high"]', '["low", "rest"]', InputError, "'rest' is no name for a stem"),
        "number": ('["low", "high"]', "[1, 2]", InputError, "1 is no name for a stem"),
        "rate": (f"rate_hz = {RATE}", "rate_hz = 22050.5", InputError, "rate_hz must be a whole number from 1000"),
        "true": ("channels = 1", "channels = true", InputError, "channels must be a whole number from 1 to 2"),
        "channels": ("channels = 1", "channels = 6", InputError, "channels must be a whole number from 1 to 2"),
        "input": ('"audio"', '"sound"', InputError, "input must be 'audio' or 'magnitude', not 'sound'"),
        "list": ('"audio"', '["audio"]', InputError, r"input must be 'audio' or 'magnitude', not \['audio'\]"),
        "window": (f"window = {WINDOW}", "window = 10", InputError, "window must be a whole number from 256"),
        "none": (f"window = {WINDOW}", "", InputError, "window must be a whole number from 256"),
        "huge": (f"window = {WINDOW}", f"window = {2**24}\nx = 1", InputError, r"doesn't take 'mixture'"),
        "other": (f"window = {WINDOW}", "window = 4095", InputError, r"doesn't take 'mixture' of shape \(1, 1, 4095\)"),
        "stereo": ("channels = 1", "channels = 2", InputError, r"doesn't take 'mixture' of shape \(1, 2, 4096\)"),
        "stems": ('["low", "high"]', '["low"]', InputError, r"\(1, 2, 1, 4096\), not \(1, 1, 1, 4096\)"),
        "toml": ('net = "stems"', "net = ", MissingError, "config.toml of checkpoint toml is damaged"),
        "hash": ("channels = 1", 'channels = 1\nsha256 = "00"', MissingError, "is not the one its config.toml names"),
        "hashes": ("channels = 1", "channels = 1\nsha256 = []", MissingError, "is not the one its config.toml names"),
    }
    for name, (before, after, kind, told) in audio_changes.items():
        checkpoint(folder / name, waves(), AUDIO.replace(before, after))
        yield name, kind, told
    magnitude_changes = {
        "size": (f"size = {SIZE}", "size = 8", "size must be a whole number from 16"),
        "hop": (f"hop = {HOP}", "hop = 751", "hop must be a whole number from 24 to 750"),
        "bins": (f"size = {SIZE}", "size = 2000", r"doesn't take 'magnitude' of shape \(1, 1, 32, 1001\)"),
        "power": ("hop = 400", "hop = 400\nexponent = 0", "exponent must be a number from 0.25 to 4"),
        "nan": ("hop = 400", "hop = 400\nexponent = nan", "exponent must be a number"),
        "word": ("hop = 400", 'hop = 400\nexponent = "2"', "exponent must be a number"),
        "long": (f"window = {FRAMES}", "window = 60000", "a window of 60000 is too long for 2 stems"),
    }
    for name, (before, after, told) in magnitude_changes.items():
        checkpoint(folder / name, shares(below(700)), MAGNITUDE.replace(before, after))
        yield name, InputError, told
    checkpoint(folder / "graph", b"this is no graph" * 20)
    yield "graph", InputError, "no ONNX graph"
    checkpoint(folder / "gives", waves(gives="sources"))
    yield "gives", InputError, r"needs one input and an output 'stems', has \['mixture'\] and \['sources'\]"
    checkpoint(folder / "kind", shares(below(700)))
    yield "kind", InputError, "an output 'stems'"
    checkpoint(folder / "silent", fragile(0.0))
    yield "silent", InputError, "gives 'stems' that are not numbers"
    checkpoint(folder / "lost", waves())
    (folder / "lost" / "model.onnx").unlink()
    yield "lost", MissingError, "no checkpoint lost: it needs config.toml and model.onnx"
    yield "nowhere", MissingError, "no checkpoint nowhere"


def fragile(limit: float) -> bytes:
    """Breaks where the mixture reaches the limit."""
    nodes = [
        helper.make_node("Sub", ["limit", "mixture"], ["below"]),
        helper.make_node("Log", ["below"], ["logarithm"]),
        helper.make_node("Unsqueeze", ["logarithm", "axis"], ["one"]),
        helper.make_node("Concat", ["one", "one"], ["stems"], axis=1),
    ]
    return graph(nodes, {"limit": np.float32(limit), "axis": np.array([1])}, ("mixture", "stems"), (1, WINDOW))


def test_a_checkpoint_that_cannot_be_used_is_told_in_one_line(tmp_path: Path) -> None:
    for name, kind, told in broken(tmp_path):
        with pytest.raises(kind, match=told) as caught:
            classes.load(tmp_path / name)
        assert "\n" not in str(caught.value)
        assert str(tmp_path) not in str(caught.value)


def test_a_network_that_breaks_on_the_way_is_told(tmp_path: Path) -> None:
    network = classes.load(checkpoint(tmp_path / "fragile", fragile(0.5)))
    sound = np.zeros((1, 3 * WINDOW), np.float32)
    sound[0, 2 * WINDOW] = 0.75
    with pytest.raises(InputError, match=r"the model.onnx of fragile gives 'stems' that are not numbers"):
        stems(sound, RATE, network)


def test_the_hash_is_checked_and_the_input_may_have_another_name(tmp_path: Path) -> None:
    made = waves(takes="mix")
    digest = hashlib.sha256(made).hexdigest()
    network = classes.load(checkpoint(tmp_path / "named", made, f'{AUDIO}sha256 = "{digest}"\n'))
    assert (network.takes, network.gives, network.names) == ("mix", "stems", ("low", "high"))


def test_the_program_takes_classes_apart_with_a_network_of_ones_own(tmp_path: Path, shell: Shell) -> None:
    """One of the two is wanted, so the other is in the rest."""
    sound = 0.1 * noise(1, 3 * RATE)
    audio.write_pieces(tmp_path / "x.wav", [sound], audio.Shape(1, sound.shape[1], RATE), bits=32)
    checkpoint(tmp_path / "net", waves())
    done = shell("clefkit separate --mode classes --model ./net/ --stems high x.wav")
    assert done.stdout.splitlines() == ["x.2-high.wav"], done.stderr
    high, rest = (audio.read(tmp_path / name).samples for name in ("x.2-high.wav", "x.rest.wav"))
    assert decibels(high + rest - sound, sound) < -100
    assert decibels(high - stems(sound, RATE, classes.load(tmp_path / "net"))["high"], sound) < -100
    record = json.loads((tmp_path / "x.2-high.wav.json").read_text(encoding="utf-8"))
    assert record["stem"] == {"name": "high", "number": 2}
    assert record["masks"]["name"] == "net"
