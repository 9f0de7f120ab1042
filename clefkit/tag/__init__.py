"""Which instruments play, when, how loud each is in the mix, and what they sound like.

    from clefkit import tag
    found = tag.listen(samples, rate)
    found["instruments"][0]["name"], found["instruments"][0]["gain_lu"]

A small network looks at cells of 0.1 s and names 24 instruments and 8 families (`vocabulary`); `decide` makes segments
and loudness of what it says, `descriptors` measures the timbre of the whole.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from clefkit.record import Source
from clefkit.registry import Asset

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np
    from numpy.typing import NDArray


def listen(
    samples: NDArray[np.float32], rate: int, model: str = "tag", threshold: float | None = None, top: int | None = None
) -> dict[str, Any]:
    """What is heard in a sound.

    samples: (channels, samples), float32, -1 to 1; rate: Hz
    model: a checkpoint by name, or the path of a folder with one
    threshold: of probabilities, which are calibrated, from which on an instrument is called present; None for that
        of the checkpoint, at which it finds segments best
    top: so many instruments at most, likeliest first; None for all
    returns: plain data, as a line of `clefkit tag --json`
    raises: UsageError when there is no such checkpoint
    """
    import numpy as np

    from clefkit import audio, registry
    from clefkit.tag import hearing

    mono = np.asarray(samples.mean(axis=0, keepdims=True), np.float32)
    sound = audio.resample(audio.Audio(mono, rate), hearing.RATE).samples[0]
    return _found(Path(), [sound], registry.checkpoint(model).path, threshold, top)


def measure(
    source: Source, *, checkpoint: Asset, threshold: float | None = None, top: int | None = None, plot: bool = False
) -> dict[str, Any]:
    """What is found out about one file, as plain data: what `findings.finding` says.

    raises: InputError when it is no sound that `audio.blocks` can read
    """
    from clefkit import audio
    from clefkit.tag import hearing

    found = _found(source.path, audio.blocks(source.path, hearing.RATE), checkpoint.path, threshold, top)
    if plot:
        from clefkit.tag import picture

        found["picture"] = picture.draw(source.path.name, found)
    return found


def _found(
    path: Path, blocks: Iterable[NDArray[np.float32]], checkpoint: Path, threshold: float | None, top: int | None
) -> dict[str, Any]:
    from clefkit.tag import descriptors, findings, infer

    model = infer.load(checkpoint)
    describer = descriptors.Describer()

    def described() -> Iterable[NDArray[np.float32]]:
        for block in blocks:
            describer.push(block)
            yield block

    heard = infer.listen(described(), model)
    chosen = model.threshold if threshold is None else threshold
    return findings.finding(path, heard, model, describer.result(), chosen, top)
