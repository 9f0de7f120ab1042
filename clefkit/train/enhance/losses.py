"""How far what the network makes of levels is from clean ones: the measures of `clefkit score`, on levels in bands.

Power in a band after enhancement is that before times the gain, and what fills it. It is brought to the mean power of
the clean sound, so one constant gain counts nowhere, as in `clefkit.score.enhancement`. Of these measures:

- lsd: root mean square over bands of differences in dB, mean over the frames that are loud.
- mrstft: distance of amplitudes over all, and of their logarithms, where high bands count for the bins they have.
- loudness: standard deviation of the difference in the loudness of 200 ms; and how far its slope is from 1.
- harm: by how much mrstft is worse than without enhancement.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from clefkit.enhance import bands
from clefkit.nets.enhance import Gains

WEIGHTS = {"lsd": 0.2, "mrstft": 1.0, "loudness": 0.45, "slope": 0.5, "harm": 1.0, "steady": 0.02}
RATE = 44_100
WITHIN, LOUD_WITHIN, FLOOR, FAINTEST = 1e-5, 1e-4, 1e-7, 1e-8
WINDOW, EVERY = 17, 4
STEADY_DB = 1.0


def measures(heard: Tensor, clean: Tensor, gains: Gains) -> dict[str, Tensor]:
    """Each measure of each pair. heard, clean: (batch, frames, BANDS), dB. returns: (batch,) each"""
    true, before = _power(clean), _power(heard)
    made = _power(heard + gains.slow[..., None] + gains.band) + _power(gains.fill)
    lsd, mrstft = spectral(true, made)
    found = loudness(true, made)
    with torch.no_grad():
        unprocessed = spectral(true, before)[1]
    steps = (gains.band[:, 1:] - gains.band[:, :-1]).abs().mean((1, 2))
    return {
        "lsd": lsd,
        "mrstft": mrstft,
        "loudness": found[0],
        "slope": (found[1] - 1).abs(),
        "harm": functional.relu(mrstft - unprocessed),
        "steady": steps,
    }


def total(measured: dict[str, Tensor]) -> Tensor:
    return torch.stack([weight * measured[name].mean() for name, weight in WEIGHTS.items()]).sum()


def spectral(true: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
    """lsd (dB) and mrstft of powers, (batch, frames, BANDS)."""
    made = made * (true.sum((1, 2)) / made.sum((1, 2)).clamp(min=1e-12))[:, None, None]
    top = true.amax((1, 2), keepdim=True)
    total_ = true.sum(2)
    loud = (total_ >= WITHIN * total_.amax(1, keepdim=True)).float()
    levels = [10 * torch.log10(torch.maximum(side, FLOOR * top)) for side in (true, made)]
    each = ((levels[0] - levels[1]).square().mean(2) + 1e-4).sqrt()
    lsd = (each * loud).sum(1) / loud.sum(1)
    one, other = ((side + 1e-12).sqrt() for side in (true, made))
    apart = (one - other).square().sum((1, 2)) / true.sum((1, 2)).clamp(min=1e-12)
    least = (FAINTEST * top).sqrt()
    logarithms = ((one + least) / (other + least)).log().abs() @ _bins()
    return lsd, (apart + 1e-6).sqrt() + logarithms.mean(1)


def loudness(true: Tensor, made: Tensor) -> tuple[Tensor, Tensor]:
    """Deviation (dB) and slope of the loudness of 200 ms, over what is loud."""
    weighted = [side @ _hearing() for side in (true, made)]
    windows = [functional.avg_pool1d(side[:, None], WINDOW, EVERY)[:, 0] for side in weighted]
    top = windows[0].amax(1, keepdim=True).clamp(min=1e-9)
    counts = (windows[0] >= LOUD_WITHIN * top).float()
    one, other = (10 * torch.log10(side.clamp(min=1e-9) / top) for side in windows)
    other = other.clamp(min=-80)
    one, other = (side - _mean(side, counts)[:, None] for side in (one, other))
    spread = _mean(one.square(), counts)
    slope = _mean(one * other, counts) / (spread + STEADY_DB)
    slope = torch.where(spread > STEADY_DB, slope * (spread + STEADY_DB) / spread.clamp(min=1e-6), 1.0)
    return (_mean((other - one).square(), counts) + 1e-3).sqrt(), slope


def _power(levels_db: Tensor) -> Tensor:
    return torch.pow(10.0, levels_db / 10)


def _mean(values: Tensor, counts: Tensor) -> Tensor:
    return (values * counts).sum(1) / counts.sum(1).clamp(min=1)


def _bins() -> Tensor:
    """The share of bins that each band has. (BANDS,)"""
    bins = torch.from_numpy(bands.triangles(RATE)).sum(0)
    return 0.7 * bins / bins.sum() + 0.3 / bands.BANDS


def _hearing() -> Tensor:
    """The weighting of loudness in `clefkit.score.enhancement.dynamics`, as factors of power. (BANDS,)"""
    hertz = torch.from_numpy(bands.centres_hz()).float()
    rumble = (hertz / 60) ** 4 / (1 + (hertz / 60) ** 4)
    ratio = hertz / 1500
    shelf = (1 + 0.58 * ratio**2 / (1 + ratio**2)) ** 2 + (0.58 * ratio / (1 + ratio**2)) ** 2
    return rumble * shelf
