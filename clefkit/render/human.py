"""How a human plays a score: rules, a smooth tempo, and what no player controls.

The KTH rule system (Friberg, Bresin, Sundberg 2006) on what is written: each rule of `RULES` adds to tempo, loudness,
length and timing. Their tempos add up to one curve, smooth over beats, which all notes follow, so what is written
together stays together; it keeps the mean tempo. A drift with 1/f noise lies over tempo, timing and loudness.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.random import Generator

from clefkit.errors import UsageError
from clefkit.render import jitter
from clefkit.render.line import Array, Interpretation, Line
from clefkit.render.reading import Reading, read
from clefkit.render.rules import RULES, Effect, Rule

__all__ = ["RULES", "Interpretation", "Line", "Rule", "drawn", "interpret", "weights"]

FULL = 2.0  # rules and noise are fitted to pianists at amount 0.5
# What a regression expects varies less than what a pianist does. The gain and the noise of loudness were chosen on
# ASAP's training split, so that spread and smoothness are pianists'.
TEMPO_GAIN = 1.25
LOUD_GAIN = 1.75
MOST_LEVELLED = 0.8  # however freely: what is written louder stays louder
VARIETY = 0.3  # standard deviation of the logarithm of weights that are drawn
MOST_VARIED = 1.2  # standard deviations
SLOWEST, FASTEST = 2.2, 0.5
MOST_BENT = 0.6  # logarithm; what rules add up to nears it and never passes it
FARTHEST_S = 0.04
# What is not in the rules, standard deviations at amount 0.5
TEMPO_NOISE = 0.03
CHORD_NOISE_S = 0.004
HAND_NOISE_S = 0.003
LOUD_NOISE = 4.0
KEY_NOISE = 7.0
LENGTH_NOISE = 0.05
SHORTEST, LONGEST = 0.4, 1.2
ROUNDS = 8


def interpret(
    line: Line, amount: float, generator: Generator, weights: Mapping[str, float] | None = None
) -> Interpretation:
    """Play a line.

    amount: 0 plays what is written; 0.5 as pianists do on average; 1 twice as much
    weights: of rules by name, 1 is as fitted; rules without one get theirs drawn around the fitted one
    """
    if amount <= 0 or not len(line.onset):
        return _as_written(line)
    reading = read(line)
    scale = FULL * amount
    chosen = {name: scale * weight for name, weight in drawn(generator, weights).items()}
    tempo, shift, length, velocity = (
        rules + scale * noise
        for rules, noise in zip(combined(reading, chosen), _noise(reading, generator), strict=True)
    )
    points, factor = tempo_curve(reading, tempo)
    return Interpretation(
        tempo_onset=points,
        tempo_factor=factor,
        shift_s=np.clip(shift, -FARTHEST_S, FARTHEST_S),
        length=np.clip(np.exp(length), SHORTEST, LONGEST),
        velocity=velocity,
    )


def drawn(generator: Generator, weights: Mapping[str, float] | None = None) -> dict[str, float]:
    """A weight for each rule: as given, else drawn around the fitted one, rounded to what a record shows."""
    more = np.exp(VARIETY * np.clip(generator.standard_normal(len(RULES)), -MOST_VARIED, MOST_VARIED))
    chosen = {
        name: round(rule.weight * each, 4) for (name, rule), each in zip(RULES.items(), more.tolist(), strict=True)
    }
    return chosen | dict(weights or {})


def weights(said: Iterable[str]) -> dict[str, float]:
    """From "high_loud=0.5" and the like.

    raises: UsageError when a rule has no such name or its weight is no number
    """
    found = {}
    for each in said:
        name, _, number = each.partition("=")
        if name not in RULES:
            raise UsageError(f"no rule is called {name}: there are {', '.join(RULES)}")
        try:
            found[name] = float(number)
        except ValueError as error:
            raise UsageError(f"the weight of {name} must be a number, as in {name}=0.5") from error
        if not np.isfinite(found[name]):
            raise UsageError(f"the weight of {name} must be finite")
    return found


def combined(reading: Reading, chosen: Mapping[str, float]) -> tuple[Array, Array, Array, Array]:
    """The sum of the rules: tempo of (beats,); shift_s, length and velocity of (notes,)."""
    count = len(reading.line.onset)
    tempo, shift, length, velocity = np.zeros(len(reading.beats)), np.zeros(count), np.zeros(count), np.zeros(count)
    for name, rule in RULES.items():
        weight = chosen[name]
        if not weight:
            continue
        effect: Effect = rule.effect(reading)
        if effect.tempo is not None:
            tempo += weight * TEMPO_GAIN * rule.tempo * effect.tempo
        if effect.shift_s is not None:
            shift += weight * effect.shift_s
        if effect.length is not None:
            length += weight * effect.length
        if effect.velocity is not None:
            velocity += _loud(rule, weight) * effect.velocity
    return tempo, shift, length, velocity


def _loud(rule: Rule, weight: float) -> float:
    """How strongly a rule acts on loudness."""
    if rule.levels:
        return min(weight * rule.velocity, MOST_LEVELLED)
    return weight * LOUD_GAIN * rule.velocity


def _noise(reading: Reading, generator: Generator) -> tuple[Array, Array, Array, Array]:
    """Drifts in tempo, timing and loudness, the same for a chord, and a little of its own for each hand and note.

    returns: tempo of (beats,); shift_s, length and velocity of (notes,)
    """
    count, chords = len(reading.group), int(reading.group.max()) + 1
    own = generator.standard_normal(int(reading.hand.max()) + 1)
    return (
        TEMPO_NOISE * jitter.pink(len(reading.beats), generator),
        CHORD_NOISE_S * jitter.pink(chords, generator)[reading.group] + HAND_NOISE_S * own[reading.hand],
        LENGTH_NOISE * generator.standard_normal(count),
        LOUD_NOISE * jitter.pink(chords, generator)[reading.group] + KEY_NOISE * generator.standard_normal(count),
    )


def tempo_curve(reading: Reading, tempo: Array) -> tuple[Array, Array]:
    """tempo: (beats,), logarithms. returns: places in quarters and factors, which keep the mean tempo as written."""
    points = (reading.beats + reading.beat_end) / 2
    bent = MOST_BENT * np.tanh((tempo - np.mean(tempo)) / MOST_BENT)
    factor = np.clip(np.exp(bent), FASTEST, SLOWEST)
    for _ in range(ROUNDS):  # what is cut off at the bounds is made up for by the rest
        mean = float(np.sum(factor * reading.beat_s) / np.sum(reading.beat_s))
        factor = np.clip(factor / mean, FASTEST, SLOWEST)
    return points, factor


def _as_written(line: Line) -> Interpretation:
    count = len(line.onset)
    at = line.onset[:1] if count else np.zeros(1)
    return Interpretation(at, np.ones(1), np.zeros(count), np.ones(count), np.zeros(count))
