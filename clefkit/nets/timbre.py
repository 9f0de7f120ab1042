"""The networks that tell whose a note is, as `transcribe.timbre` asks them.

`Timbre` looks at one note by itself, as `transcribe.timbre.views` sees it: each frame, then with its neighbours, then
all together with what doesn't change. A branch of its own: sharing a body with the network that finds notes hurts both
(Wei et al. 2025, timbreAMT).

`Context` looks at the notes of a recording together, for how much an instrument differs from note to note, only its
other notes tell. It is a transformer whose notes attend to each other (a set transformer: Lee et al. 2019), with
biases that depend on how two notes lie to each other in pitch and time; what comes out are the odds that one instrument
played two notes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from clefkit.transcribe import timbre

WIDTH = 192
TOKEN = 192  # numbers that `Timbre` tells of a note
HEADS = 4
LAYERS = 4
POINT = 32  # dimensions of the sphere on which notes of one instrument are close
BESIDE = 13  # numbers that say how two notes lie to each other


class Timbre(nn.Module):
    """spectrum (notes, frames, SPECTRUM), present (notes, frames), aside (notes, ASIDE) -> (notes, TOKEN)."""

    def __init__(self) -> None:
        super().__init__()
        self.each = nn.Linear(timbre.SPECTRUM, WIDTH)
        self.near = nn.Linear(3 * WIDTH, WIDTH)
        self.wide = nn.Linear(3 * WIDTH, WIDTH)
        self.all = nn.Linear(3 * WIDTH + timbre.ASIDE, 2 * TOKEN)
        self.token = nn.Linear(2 * TOKEN, TOKEN)

    def forward(self, spectrum: Tensor, present: Tensor, aside: Tensor) -> Tensor:
        mask = present[..., None]
        x = torch.relu(self.each(spectrum)) * mask
        x = (x + torch.relu(self.near(around(x, 1)))) * mask
        x = (x + torch.relu(self.wide(around(x, 2)))) * mask
        mean = x.sum(1) / mask.sum(1)
        together = torch.cat([mean, x.amax(1), x[:, :5].mean(1), aside], dim=1)
        result: Tensor = self.token(torch.relu(self.all(together)))
        return result


def around(x: Tensor, apart: int) -> Tensor:
    """Each frame with one before and one after it: (notes, frames, width) -> (notes, frames, 3 * width)."""
    silent = torch.zeros_like(x[:, :apart])
    before, after = torch.cat([silent, x[:, :-apart]], dim=1), torch.cat([x[:, apart:], silent], dim=1)
    return torch.cat([before, x, after], dim=2)


class Context(nn.Module):
    """tokens (notes, TOKEN), placed (notes, 3): onset s, offset s, MIDI pitch -> (notes, notes): log odds."""

    def __init__(self) -> None:
        super().__init__()
        self.beside = nn.Sequential(nn.Linear(BESIDE, 48), nn.ReLU(), nn.Linear(48, LAYERS * HEADS + 1))
        self.layers = nn.ModuleList(Layer() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(TOKEN)
        self.point = nn.Linear(TOKEN, POINT)
        self.slope = nn.Parameter(torch.tensor(8.0))
        self.bias = nn.Parameter(torch.tensor(-4.0))

    def forward(self, tokens: Tensor, placed: Tensor) -> Tensor:
        return self.odds(*self.points(tokens, placed))

    def points(self, tokens: Tensor, placed: Tensor) -> tuple[Tensor, Tensor]:
        """(notes, POINT), of length 1; (notes, notes): what their places add to the odds"""
        beside = self.beside(besides(placed))
        x = tokens
        for number, layer in enumerate(self.layers):
            x = layer(x, beside[..., number * HEADS : (number + 1) * HEADS].permute(2, 0, 1))
        return functional.normalize(self.point(self.norm(x)), dim=1), beside[..., -1]

    def odds(self, points: Tensor, beside: Tensor) -> Tensor:
        return self.slope * (points @ points.T) + self.bias + (beside + beside.T) / 2


class Layer(nn.Module):
    """Notes attend to notes, then each to itself: (notes, TOKEN), biases (HEADS, notes, notes) -> (notes, TOKEN)."""

    def __init__(self) -> None:
        super().__init__()
        self.before = nn.LayerNorm(TOKEN)
        self.asked = nn.Linear(TOKEN, 3 * TOKEN)
        self.told = nn.Linear(TOKEN, TOKEN)
        self.between = nn.LayerNorm(TOKEN)
        self.wide = nn.Linear(TOKEN, 2 * TOKEN)
        self.narrow = nn.Linear(2 * TOKEN, TOKEN)

    def forward(self, x: Tensor, biases: Tensor) -> Tensor:
        query, key, value = (
            part.reshape(-1, HEADS, TOKEN // HEADS).transpose(0, 1) for part in self.asked(self.before(x)).chunk(3, 1)
        )
        weights = torch.softmax(query @ key.transpose(1, 2) * (TOKEN // HEADS) ** -0.5 + biases, dim=2)
        x = x + self.told((weights @ value).transpose(0, 1).reshape(-1, TOKEN))
        result: Tensor = x + self.narrow(torch.relu(self.wide(self.between(x))))
        return result


def besides(placed: Tensor) -> Tensor:
    """How each note lies to each other: (notes, 3) -> (notes, notes, BESIDE)."""
    onset, offset, pitch = placed.unbind(1)
    higher = (pitch[:, None] - pitch[None]) / 12
    apart = higher.abs()
    later = onset[:, None] - onset[None]
    gap = (onset[:, None] - offset[None]).abs()  # from the end of the one to the beginning of the other
    together = torch.minimum(offset[:, None], offset[None]) - torch.maximum(onset[:, None], onset[None])
    shorter = torch.minimum((offset - onset)[:, None], (offset - onset)[None]).clamp(min=0.05)
    return torch.stack(
        [
            higher,
            apart,
            torch.exp(-apart * 12),
            torch.cos(2 * torch.pi * apart),
            torch.exp(-later.abs() / 0.05),
            torch.exp(-later.abs() / 0.5),
            torch.exp(-later.abs() / 3),
            torch.tanh(later),
            (together / shorter).clamp(-1, 1),
            torch.exp(-gap / 0.08),
            torch.exp(-gap.T / 0.08),
            torch.exp(-gap / 0.08) * torch.exp(-apart * 2),
            torch.exp(-gap.T / 0.08) * torch.exp(-apart * 2),
        ],
        dim=2,
    )
