"""Training of the seed design, for comparison: pictures of ten seconds, spoilt or not, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from clefkit.critique import rolls
from clefkit.critique.table import ONSET
from clefkit.nets.critic_roll import CriticRoll, Judged
from clefkit.train import spoil
from clefkit.train.critic import Task

RATE = 1e-3  # with 2e-3 it stops learning after some 2,000 steps


def collate(examples: Sequence[spoil.Example]) -> list[NDArray[Any]]:
    """(batch, KEYS, FRAMES) pictures, and (batch,) whether each is spoilt."""
    pictures = [rolls.roll(each.marked.notes, int(each.marked.notes[0, ONSET])) for each in examples]
    return [np.stack(pictures), np.array([each.severity > 0 for each in examples], np.float32)]


def loss(said: Judged, batch: Sequence[Tensor]) -> dict[str, Tensor]:
    """Cross-entropy."""
    return {"spoilt": functional.binary_cross_entropy_with_logits(said.verdict, batch[1])}


CRITIC_ROLL = Task(CriticRoll, collate, loss, inputs=1, longest_ms=rolls.STRETCH_MS, rate=RATE)
