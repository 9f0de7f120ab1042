"""Fixed classes: somebody's network that takes a mixture apart into vocals, drums and whatever else it was trained for.

A folder holds `model.onnx`, with its weights inside, and `config.toml`:

    net = "stems"
    names = ["drums", "bass", "other", "vocals"]  # 1 to 32: letters, digits, "-", "_"; "rest" is what is in no stem
    rate_hz = 44100
    channels = 2                                  # or 1
    sha256 = "..."                                # of model.onnx, if it is to be checked

and one of two forms. Waveforms, like Demucs (Alexandre Défossez and others, 2019, "Music source separation in the
waveform domain"):

    input = "audio"
    window = 343980                               # samples

from "mixture" (1, channels, window) to "stems" (1, names, channels, window), float32. Or spectrograms, like Open-Unmix
(Fabian-Robert Stöter and others, 2019, "Open-Unmix: a reference implementation for music source separation"):

    input = "magnitude"
    window = 256                                  # frames
    size = 4096                                   # samples in a frame, any number
    hop = 1024                                    # from one to the next, at most half of that
    exponent = 1.0                                # 1 if it isn't said

from "magnitude" (1, channels, window, size // 2 + 1), of frames under a Hann window and not scaled, to "magnitudes"
(1, names, channels, window, size // 2 + 1). They become soft masks: where they are m and the mixture is x, a stem has
m^e / max(sum of all m^e, x^e) of it. So masks add up to 1 or less, and never more. A graph may also give "masks" of the
same shape; then x is 1. What is below 0 counts as 0. The one input may have any other name.

Windows overlap by half, and fade into each other. Files have their own rates: what is above half of `rate_hz` is in no
stem. A network for stereo hears a mono file in both channels, and a stem is their mean; one for mono hears each channel
of a stereo file by itself.

A Demucs is exported with the help of the package demucs-onnx, because PyTorch can't export its Fourier transforms:

    net = demucs.pretrained.get_model("htdemucs").models[0].eval()
    torch.onnx.export(demucs_onnx.export.patch_htdemucs_for_onnx(net), torch.zeros(1, 2, 343980), "model.onnx",
                      dynamo=False, opset_version=17, input_names=["mixture"], output_names=["stems"])

and an Open-Unmix as one graph of its four, each with a copy, which it changes:

    class All(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.each = torch.nn.ModuleList(openunmix.umxl_spec().values())  # vocals, drums, bass, other

        def forward(self, magnitude):
            seen = magnitude.transpose(2, 3)
            return torch.stack([net(seen.clone()).transpose(2, 3) for net in self.each], 1)

    torch.onnx.export(All().eval(), torch.zeros(1, 2, 256, 2049), "model.onnx",
                      dynamo=False, opset_version=17, input_names=["magnitude"], output_names=["magnitudes"])
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from clefkit import audio, graph, registry
from clefkit.audio import Samples
from clefkit.errors import InputError
from clefkit.spool import Spool

Array = NDArray[np.float32]
Spectra = NDArray[np.complex64]
Blocks = Iterable[Samples]

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
MOST_NAMES = 32
RATES_HZ = (1000, 192_000)
WINDOWS = (256, 2**24)  # samples
FRAMES = (2, 2**16)
SIZES = (16, 2**16)
LEAST_OVERLAP, MOST_OVERLAP = 2, 64  # hops in a frame
EXPONENTS = (0.25, 4.0)
MOST_NUMBERS = 2**25  # that come out of a graph at once; memory holds them some eight times
TINY = 1e-20


class Frames(NamedTuple):
    """What a network sees of a sound. size: samples in a frame; hop: to the next; exponent: of masks"""

    size: int
    hop: int
    exponent: float


class Network(NamedTuple):
    """A checkpoint that takes mixtures apart.

    session: an onnxruntime.InferenceSession; model: its folder's name
    takes, gives: what its input and output are called
    names: of stems, in order; rate: Hz; channels: 1 or 2
    window: samples that it hears at once, or frames if it has `frames`
    """

    session: Any
    model: str
    takes: str
    gives: str
    names: tuple[str, ...]
    rate: int
    channels: int
    window: int
    frames: Frames | None


@lru_cache(maxsize=2)
def load(folder: Path) -> Network:
    """Load a checkpoint; nothing in it is run as code.

    folder: with `config.toml` and `model.onnx`, as this module says
    raises: MissingError when there is no such checkpoint, or its network isn't the one its config names;
        InputError when the config promises what can't be, or the network doesn't do what it promises
    """
    config, (network,) = registry.promised(folder, "stems")
    return _network(config, network, folder.name)


def _network(config: dict[str, Any], network: bytes, model: str) -> Network:
    """The network that a config promises. Raises InputError when it promises what can't be, or breaks the promise."""
    names = _names(config.get("names"), model)
    rate = _whole(config, "rate_hz", RATES_HZ, model)
    channels = _whole(config, "channels", (1, 2), model)
    kind = config.get("input")
    if kind not in ("audio", "magnitude"):
        raise InputError(f"the config.toml of {model}: input must be 'audio' or 'magnitude', not {kind!r}")
    frames = _frames(config, model) if kind == "magnitude" else None
    window = _whole(config, "window", FRAMES if frames else WINDOWS, model)
    example = (channels, window, frames.size // 2 + 1) if frames else (channels, window)
    if len(names) * int(np.prod(example)) > MOST_NUMBERS:
        raise InputError(f"the config.toml of {model}: a window of {window} is too long for {len(names)} stems")
    session = graph.session(network, model)
    takes, gives = ([each.name for each in side] for side in (session.get_inputs(), session.get_outputs()))
    known = [each for each in (("magnitudes", "masks") if frames else ("stems",)) if each in gives]
    if len(takes) != 1 or len(known) != 1:
        wanted = "'magnitudes' or 'masks'" if frames else "'stems'"
        raise InputError(f"the model.onnx of {model} needs one input and an output {wanted}, has {takes} and {gives}")
    made = Network(session, model, takes[0], known[0], names, rate, channels, window, frames)
    _said(made, np.zeros(example, np.float32))
    return made


def _names(names: Any, model: str) -> tuple[str, ...]:
    told = f'the config.toml of {model}: names must be a list of 1 to {MOST_NAMES} names, such as ["drums"]'
    if not isinstance(names, list) or not 1 <= len(names) <= MOST_NAMES:
        raise InputError(told)
    for each in names:
        if not isinstance(each, str) or not NAME.fullmatch(each) or each.lower() == "rest":
            raise InputError(f"{told}; {each!r} is no name for a stem")
    if len({each.lower() for each in names}) < len(names):
        raise InputError(f"{told}, and each once")
    return tuple(names)


def _frames(config: dict[str, Any], model: str) -> Frames:
    size = _whole(config, "size", SIZES, model)
    hop = _whole(config, "hop", (-(-size // MOST_OVERLAP), size // LEAST_OVERLAP), model)
    exponent = config.get("exponent", 1.0)
    low, high = EXPONENTS
    if type(exponent) not in {int, float} or not low <= exponent <= high:
        raise InputError(f"the config.toml of {model}: exponent must be a number from {low} to {high}")
    return Frames(size, hop, float(exponent))


def _whole(config: dict[str, Any], key: str, ends: tuple[int, int], model: str) -> int:
    value = config.get(key)
    if not isinstance(value, int) or isinstance(value, bool) or not ends[0] <= value <= ends[1]:
        raise InputError(f"the config.toml of {model}: {key} must be a whole number from {ends[0]} to {ends[1]}")
    return value


def split(blocks: Callable[[], Blocks], shape: audio.Shape, network: Network) -> dict[str, Spool]:
    """The stems of a sound of any length, in the order of `network.names`.

    blocks: gives the sound from its beginning: (channels, samples) each, of any lengths, at `shape.rate`
    returns: rows of channels, float32, as many as `shape.frames`; what is missing in their sum is in no stem
    raises: InputError when the network says what is no number
    """
    kept = {name: Spool((shape.channels,), np.float32) for name in network.names}
    lanes = max(shape.channels, network.channels)
    widened = (np.repeat(each, lanes // len(each), axis=0) for each in blocks())
    heard = audio.resampled(widened, shape.rate, network.rate)
    apart = _of_frames(heard, network, network.frames) if network.frames else _of_samples(heard, network)
    stems = (each if lanes == shape.channels else each.mean(axis=1, keepdims=True) for each in apart)
    rows = (np.ascontiguousarray(each).reshape(-1, each.shape[2]) for each in stems)
    for piece in audio.resampled(rows, network.rate, shape.rate):
        for spool, stem in zip(kept.values(), np.split(piece, len(kept)), strict=True):
            spool.push(stem[:, : shape.frames - spool.rows].T)
    for spool in kept.values():  # resampling there and back may lose a sample
        spool.push(np.zeros((shape.frames - spool.rows, shape.channels), np.float32))
    return kept


def _of_samples(blocks: Blocks, network: Network) -> Iterator[Array]:
    """(lanes, samples) each -> (names, lanes, samples) each, from a graph that takes waveforms."""
    half = network.window // 2
    heard = ((_said(network, each)[..., None], last) for each, last in _windows(blocks, network.window, half))
    return (piece[..., 0] for piece in _faded(heard, half))


def _of_frames(blocks: Blocks, network: Network, frames: Frames) -> Iterator[Array]:
    """(lanes, samples) each -> (names, lanes, samples) each, from a graph that takes magnitudes."""
    size, hop, _ = frames
    half = network.window // 2
    windows = _windows(_between_silence(blocks, _overhang(frames)), (network.window - 1) * hop + size, half * hop)
    masked = ((_masked(network, frames, each), last) for each, last in windows)
    return _sound(_faded(masked, half), frames)


def _overhang(frames: Frames) -> int:
    """Samples before a frame that other frames reach into."""
    return (-(-frames.size // frames.hop) - 1) * frames.hop


def _between_silence(blocks: Blocks, samples: int) -> Iterator[Samples]:
    coming = iter(blocks)
    first = next(coming, None)
    if first is not None:
        silence = np.zeros((len(first), samples), np.float32)
        yield from chain([silence, first], coming, [silence])


def _windows(blocks: Blocks, size: int, step: int) -> Iterator[tuple[Samples, bool]]:
    """Stretches of `size` samples, `step` after each other; and whether it is the last, which ends in silence."""
    waiting: Samples | None = None
    for block in blocks:
        waiting = block if waiting is None else np.concatenate([waiting, block], axis=1)
        while waiting.shape[1] > size:
            yield waiting[:, :size], False
            waiting = waiting[:, step:]
    if waiting is not None:
        yield audio.piece(waiting, 0, size), True


def _faded(said: Iterable[tuple[NDArray[Any], bool]], half: int) -> Iterator[NDArray[Any]]:
    """Windows that overlap by half, each faded into the next one: (names, lanes, samples or frames, depth)."""
    rising = np.square(np.sin(np.pi / 4 / half * np.arange(1, 2 * half, 2, dtype=np.float32)))[:, None]
    before: NDArray[Any] | None = None
    for window, last in said:
        now = window[:, :, :half]
        yield now if before is None else before + (now - before) * rising
        before = window[:, :, half : 2 * half]
        if last:
            yield window[:, :, half:]


def _said(network: Network, lanes: Array) -> Array:
    """What a network gives for a window. (lanes, ...) -> (names, lanes, ...). Raises InputError if it can't be used."""
    stems = []
    for group in np.split(lanes, len(lanes) // network.channels):
        wanted = (len(network.names), *group.shape)
        try:
            (found,) = network.session.run([network.gives], {network.takes: np.ascontiguousarray(group[None])})
            said = np.asarray(found, np.float32)
        except Exception as error:  # the errors of ONNX Runtime have no other base
            raise InputError(
                f"the model.onnx of {network.model} doesn't take {network.takes!r} of shape {(1, *group.shape)}"
            ) from error
        if said.shape != (1, *wanted):
            raise InputError(
                f"the model.onnx of {network.model} gives {network.gives!r} of shape {said.shape}, not {(1, *wanted)}"
            )
        if not np.isfinite(said).all():
            raise InputError(f"the model.onnx of {network.model} gives {network.gives!r} that are not numbers")
        stems.append(said[0])
    return np.concatenate(stems, axis=1)


def _masked(network: Network, frames: Frames, samples: Samples) -> Spectra:
    """(lanes, samples) -> (names, lanes, window, bins): the spectra of each stem."""
    from scipy import fft

    views = sliding_window_view(samples, frames.size, axis=1)[:, :: frames.hop]
    spectra = np.asarray(fft.rfft(views * _hann(frames.size)), np.complex64)
    magnitudes = np.abs(spectra)
    mixture = magnitudes if network.gives == "magnitudes" else np.ones_like(magnitudes)
    return np.asarray(_masks(_said(network, magnitudes), mixture, frames.exponent) * spectra)


def _masks(said: Array, mixture: Array, exponent: float) -> Array:
    """Shares of the mixture, 0 to 1, whose sum is not more than 1. said: (names, ...); mixture: (...)"""
    said = np.maximum(said, 0)
    most = np.maximum(np.maximum(said.max(axis=0), mixture), np.float32(TINY))  # powers of what is above 1 overflow
    shares = (said / most) ** np.float32(exponent)
    whole = np.maximum(shares.sum(axis=0), (mixture / most) ** np.float32(exponent))
    return np.asarray(shares / np.maximum(whole, np.float32(TINY)), np.float32)


def _hann(size: int) -> Array:
    return np.hanning(size + 1)[:-1].astype(np.float32)


def _sound(pieces: Iterable[Spectra], frames: Frames) -> Iterator[Array]:
    """Frames that follow on each other, (names, lanes, frames, bins), put together: (names, lanes, samples)."""
    from scipy import fft

    size, hop, _ = frames
    left_out = _overhang(frames)
    parts = left_out // hop + 1
    window = np.pad(_hann(size), (0, parts * hop - size)).reshape(parts, hop)
    window /= np.square(window).sum(axis=0)
    waiting: Array | None = None
    for spectra in pieces:
        *who, count, _ = spectra.shape
        sound = np.asarray(fft.irfft(spectra, size), np.float32)
        sound = np.pad(sound, [(0, 0)] * 3 + [(0, parts * hop - size)]).reshape(*who, count, parts, hop) * window
        out = np.zeros((*who, count + parts - 1, hop), np.float32)
        for part in range(parts):
            out[:, :, part : part + count] += sound[:, :, :, part]
        if waiting is not None:
            out[:, :, : parts - 1] += waiting
        waiting = out[:, :, count:]
        done = out[:, :, :count].reshape(*who, -1)
        yield done[:, :, left_out:]
        left_out = max(left_out - done.shape[2], 0)
