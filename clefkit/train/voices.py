"""Singers, bowed strings and winds that play a line as one continuous phrase, for training.

Soundfonts and samplers strike every note anew. Here the pitch glides from note to note, the vibrato goes on, consonants
and bow changes break the tone or only dent it; the notes that are returned say when a careful listener hears them
begin and end. A player is drawn once (plain numbers), then plays: `phrasing` joins the notes, `contours` bends pitch
and loudness, `tones` sounds the harmonics and `breath` the noises. More varied than real players are, on purpose.

Vowels: Peterson and Barney 1952, "Control Methods Used in a Study of the Vowels". Singer's formant: Sundberg 1974,
"Articulatory interpretation of the 'singing formant'".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from clefkit.notes import Notes, make, take
from clefkit.train import breath, contours, phrasing, tones
from clefkit.train.phrasing import Event, Player

Array = NDArray[np.float32]

KINDS = ("voice", "bowed", "reed", "flute", "brass")
REEDS = ("cylinder", "cone")
SHARES = (0.4, 0.3, 0.12, 0.08, 0.1)
LEVEL = 0.1  # root mean square while it plays: -20 dB
# First three formants of a man's vowels, Hz.
VOWELS_HZ = (
    (270, 2290, 3010), (390, 1990, 2550), (530, 1840, 2480), (660, 1720, 2410), (730, 1090, 2440),
    (570, 840, 2410), (440, 1020, 2240), (300, 870, 2240), (640, 1190, 2390), (490, 1350, 1690),
)  # fmt: skip
HUM_HZ = (250, 1000, 2100)
# Open strings of violin, viola, cello, and an instrument that doesn't ring.
STRINGS: tuple[list[int], ...] = ([55, 62, 69, 76], [48, 55, 62, 69], [36, 43, 50, 57], [])


def draw(generator: Generator, kind: str | None = None) -> Player:
    """Plain numbers of one player.

    kind: one of `KINDS`, or one half of the reeds, "cylinder" or "cone"; drawn if None
    """
    kind = kind or str(generator.choice(KINDS, p=SHARES))
    own: dict[str, Callable[[Generator], Player]] = {
        "voice": _voice,
        "bowed": _bowed,
        "reed": _reed,
        "cylinder": partial(_reed, cylinder=True),
        "cone": partial(_reed, cylinder=False),
        "flute": _flute,
        "brass": _brass,
    }
    body = 1.5 * generator.standard_normal(tones.BODY_OCTAVES * tones.BODY_PER_OCTAVE)
    drawn = "reed" if kind in REEDS else kind
    return {"kind": drawn, "body_db": body.tolist()} | _manner(generator) | _plain(generator) | own[kind](generator)


def play(
    notes: Notes, player: Player, length: int, rate: int, tuning: float, generator: Generator
) -> tuple[Notes, Array]:
    """One line of notes, played as phrases.

    notes: of a chord the highest is played, by bowed strings sometimes the two highest
    length: samples; rate: 22,050 Hz, or near it; tuning: semitones added to every pitch, but not to the notes returned
    returns: the notes as they sound, and the sound: (length,), float32, -20 dB RMS while it plays
    """
    notes = take(notes, notes.onset < length / rate - phrasing.SHORTEST_S)
    notes = replace(notes, offset=np.minimum(notes.offset, length / rate))
    sound = np.zeros(length, np.float32)
    played: list[Event] = []
    low, middle = np.quantile(notes.pitch, [0.1, 0.5]) if len(notes) else (0.0, 0.0)
    size = _size(player, float(middle if player["kind"] == "voice" else low))
    for events in phrasing.lines(notes, player, generator):
        for event in events:
            event.sung += tuning
        curves = contours.contours(events, player, _formants(player, size), length, rate, generator)
        phase = tones.phase(curves.pitch, rate)
        tone, loudness = tones.tone(curves, phase, player, size, rate)
        _hear(events, curves.times, loudness)
        sound += tone[:length]
        sound += tones.ringing(events, player, tuning, length, rate)
        bursts = breath.bursts(events, player, generator)
        sound += breath.noise(curves, phase, bursts, player, size, rate, generator)[:length]
        played += [event for event in events if not event.phrase.whispered]
    columns = [(event.onset, event.offset, event.pitch, event.velocity) for event in played]
    onset, offset, pitch, velocity = zip(*columns, strict=True) if columns else ((), (), (), ())
    return make(onset, offset, pitch, np.asarray(velocity, dtype=np.int64)), levelled(sound, rate)


def _hear(events: list[Event], times: NDArray[np.float64], loudness: NDArray[np.float64]) -> None:
    """Where a tone rises from nothing, its onset is when it is a tenth as loud as the note: later if that swells."""
    for event in events:
        if event.join != "slur" and event.floor == 0:
            start, end = np.searchsorted(times, [event.begin, event.offset])
            heard = np.flatnonzero(loudness[start:end] > 0.1 * np.median(loudness[start:end]))
            event.onset = float(times[start + heard[0]]) if len(heard) else event.onset


def levelled(sound: Array, rate: int) -> Array:
    """Brought to the level: frames that are 30 dB below the loudest don't count as playing."""
    frame = rate // 20
    frames = sound[: len(sound) // frame * frame].reshape(-1, frame)
    power = np.asarray(np.mean(frames**2, axis=1, dtype=np.float64))
    playing = power[power > 1e-3 * power.max(initial=0.0)]
    return sound * np.float32(LEVEL / np.sqrt(playing.mean())) if len(playing) else sound


def _size(player: Player, pitch: float) -> float:
    """Factor on the frequencies of a body or a throat: small for high parts."""
    middle, power = {"voice": (50, 0.17), "bowed": (55, 0.75)}.get(player["kind"], (55, 0.5))
    return float(np.clip(player["size"] * 2 ** ((pitch - middle) / 12 * power), 0.3, 3.0))


def _formants(player: Player, size: float) -> NDArray[np.float64]:
    """(vowels, 5), Hz."""
    return np.array(player["vowels"]) * size


def log_uniform(generator: Generator, low: float, high: float) -> float:
    """A number from low to high, each octave of it as likely."""
    return float(np.exp(generator.uniform(np.log(low), np.log(high))))


def _manner(generator: Generator) -> Player:
    """Joins, intonation, vibrato and dynamics, of anybody."""
    return {
        "legato": float(generator.uniform(0.0, 1.0)),
        "glide_s": log_uniform(generator, 0.02, 0.12),
        "portamento": float(generator.choice([0.0, 0.03, 0.15])),
        "scoop": float(generator.choice([0.0, 0.1, 0.4])),
        "scoop_semitones": float(generator.uniform(0.3, 3.0)),
        "scoop_s": log_uniform(generator, 0.015, 0.12),
        "overshoot": float(generator.uniform(0, 0.2)),
        "melisma": float(generator.uniform(0.3, 1.0)),
        "fall": float(generator.choice([0.0, 0.0, 0.2])),
        "ornament": float(generator.choice([0.0, 0.01, 0.05])),
        "drift_cents": float(generator.uniform(4, 13)),
        "wander_cents": log_uniform(generator, 1, 10),
        "jitter_cents": log_uniform(generator, 0.7, 6.0),
        "vibrato_hz": float(np.clip(generator.normal(5.6, 0.6), 4.0, 7.5)),
        "vibrato_cents": float(generator.choice([0.0, 1.0, 1.0, 1.0]) * generator.uniform(5, 80)),
        "vibrato_delay_s": float(generator.uniform(0.0, 0.5)),
        "vibrato_growth_s": float(generator.uniform(0.1, 0.8)),
        "vibrato_wander": float(generator.uniform(0.02, 0.12)),
        "tremolo_db": float(generator.uniform(0.0, 1.5)),
        "attack_s": log_uniform(generator, 0.015, 0.15),
        "release_s": log_uniform(generator, 0.03, 0.25),
        "break_s": log_uniform(generator, 0.02, 0.1),
        "shallow": float(generator.uniform(0, 1)),
        "slur_dip_db": float(generator.uniform(0, 2.5)),
        "shape_db": float(generator.uniform(0.5, 5)),
        "phrase_db": float(generator.uniform(0, 8)),
        "shimmer_db": float(generator.uniform(0.1, 0.8)),
        "size": float(np.exp(generator.normal(0, 0.12))),
    }


def _plain(generator: Generator) -> Player:
    """What most kinds have none of, or little, and timbre.

    tilt_db: slope per octave of harmonics, brighten_db: how much it flattens per 20 dB of loudness
    even_db, even_until: of even harmonics, and the number by which that has faded; under_db: of subharmonics
    bow, nodes: where on the string, and how deep the harmonics with a node there are; spread: of the phases, radians
    pulse: how much a tone shakes its air; consonants: shares of none, fricatives, plosives, hummed ones
    """
    return {
        "doubles": 0.0, "pizzicato": 0.0, "pluck_db_per_s": log_uniform(generator, 25, 120), "whisper": 0.0,
        "consonants": [0.0, 0.0, 0.0, 0.0], "vowels": [[500.0, 1500.0, 2500.0, 3500.0, 4500.0]],
        "formant_gain": 0.0, "bandwidth": 1.0,
        "tilt_db": float(generator.uniform(-12, -3)), "brighten_db": float(generator.uniform(1, 6)),
        "even_db": 0.0, "even_until": 8.0, "bow": 0.1, "nodes": 0.0, "fundamental_db": float(generator.normal(0, 3)),
        "under_db": -100.0, "spread": float(generator.uniform(0.03, 3.0)),
        "cutoff_hz": log_uniform(generator, 2500, 10000),
        "air_db": float(generator.uniform(-48, -26)), "air_hz": log_uniform(generator, 800, 5000),
        "air_octaves": float(generator.uniform(0.8, 2.5)), "pulse": 0.0,
        "chiff_db": float(generator.uniform(-45, -22)), "chiff_hz": log_uniform(generator, 800, 4000),
        "strings": [], "ringing_db": float(generator.uniform(-40, -18)), "ringing_s": log_uniform(generator, 0.05, 0.3),
        "chiff_s": log_uniform(generator, 0.01, 0.06), "keys": 0.0, "breaths": float(generator.uniform(0, 0.9)),
    }  # fmt: skip


def _voice(generator: Generator) -> Player:
    hummed, opera = generator.random() < 0.08, generator.random() < 0.3
    count = int(generator.integers(1, 8))
    vowels = (
        [HUM_HZ] if hummed else [VOWELS_HZ[int(number)] for number in generator.integers(len(VOWELS_HZ), size=count)]
    )
    upper = (2500, 2850, 3300) if opera else (3300, 3850)
    table = [[*vowel[: 5 - len(upper)], *upper] for vowel in vowels]
    consonants = generator.dirichlet([1.0, 1.0, 1.0, 1.0]) if generator.random() < 0.8 else np.array([1.0, 0, 0, 0])
    return {
        "vowels": (np.array(table, dtype=float) * np.exp(generator.normal(0, 0.06, (len(table), 5)))).tolist(),
        "formant_gain": float(generator.uniform(0.5, 1.1)),
        "bandwidth": float(generator.uniform(0.8, 2.0)),
        "tilt_db": float(generator.uniform(-20, -14) if hummed else generator.uniform(-12, -4)),
        "cutoff_hz": log_uniform(generator, 700, 3500),
        "fundamental_db": float(generator.normal(0, 4)),
        "brighten_db": float(generator.uniform(2, 7)),
        "consonants": [0.5, 0, 0, 0.5] if hummed else consonants.tolist(),
        "air_db": float(generator.uniform(-45, -12)),
        "pulse": float(generator.uniform(0, 0.8)),
        "whisper": float(generator.choice([0.0, 0.05], p=[0.8, 0.2])),
        "attack_s": log_uniform(generator, 0.015, 0.12),
        "chiff_db": -60.0,
        "breaths": float(generator.uniform(0, 1)),
        "jitter_cents": log_uniform(generator, 1.5, 9.0),
        "wander_cents": log_uniform(generator, 3, 18),
        "glide_s": log_uniform(generator, 0.03, 0.16),
        "vibrato_cents": float(generator.choice([0.0, 1.0, 1.0]) * generator.uniform(10, 100 if opera else 60)),
    }


def _bowed(generator: Generator) -> Player:
    body = generator.normal(0, generator.uniform(3, 7), tones.BODY_OCTAVES * tones.BODY_PER_OCTAVE)
    octaves = np.arange(len(body)) / tones.BODY_PER_OCTAVE
    air_resonance = generator.uniform(1.4, 2.4)  # there is little below it
    body -= generator.uniform(6, 20) * np.clip(air_resonance - octaves, 0, 2)
    muted, bridge = generator.random() < 0.1, generator.random() < 0.08
    return {
        "body_db": body.tolist(),
        "tilt_db": float(generator.uniform(-3, -1) if bridge else generator.uniform(-9, -4) - 4 * muted),
        "fundamental_db": float(generator.uniform(-15, -5) if bridge else generator.normal(-1, 4)),
        "bow": float(generator.uniform(0.03, 0.2)),
        "nodes": float(generator.uniform(0, 0.9)),
        "cutoff_hz": log_uniform(generator, 1500, 3000) if muted else log_uniform(generator, 3000, 9000),
        "air_db": float(generator.uniform(-42, -20) + 8 * bridge),
        "pulse": float(generator.uniform(0, 0.5)),
        "chiff_db": float(generator.uniform(-40, -14)),
        "attack_s": log_uniform(generator, 0.012, 0.2),
        "strings": STRINGS[int(generator.integers(len(STRINGS)))],
        "doubles": float(generator.choice([0.0, 0.4, 0.9])),
        "pizzicato": float(generator.choice([0.0, 0.1, 0.4], p=[0.75, 0.15, 0.1])),
        "breaths": float(generator.choice([0.0, 0.3])),
    }


def _peaks(generator: Generator, count: int) -> list[float]:
    """A body with a few broad formants."""
    octaves = np.arange(tones.BODY_OCTAVES * tones.BODY_PER_OCTAVE) / tones.BODY_PER_OCTAVE
    body = generator.normal(0, 1.5, len(octaves))
    body -= generator.uniform(0, 12) * np.clip(generator.uniform(1.5, 3.5) - octaves, 0, 2)
    for _ in range(count):
        away = (octaves - generator.uniform(3, 6.5)) / generator.uniform(0.2, 0.8)
        body += generator.uniform(3, 16) * np.exp(-(away**2))
    return [float(value) for value in body]


def _reed(generator: Generator, *, cylinder: bool | None = None) -> Player:
    """Clarinets are cylinders, with weak even harmonics; saxophones and double reeds cones. cylinder: drawn if None"""
    if cylinder is None:
        cylinder = generator.random() < 0.45
    return {
        "body_db": _peaks(generator, int(generator.integers(1, 4))),
        "even_db": float(generator.uniform(-35, -8) if cylinder else generator.uniform(-4, 4)),
        "even_until": float(generator.uniform(2, 10)),
        "tilt_db": float(generator.uniform(-10, -4)),
        "fundamental_db": float(generator.normal(0, 2) if cylinder else generator.uniform(-14, 2)),
        "keys": float(generator.choice([0.0, 0.3, 0.9])),
        "attack_s": log_uniform(generator, 0.012, 0.09),
    }


def _flute(generator: Generator) -> Player:
    return {
        "tilt_db": float(generator.uniform(-22, -8)),
        "fundamental_db": float(generator.normal(0, 4)),
        "under_db": float(generator.choice([-100.0, -100.0, generator.uniform(-55, -30)])),
        "air_db": float(generator.uniform(-36, -10)),
        "air_hz": log_uniform(generator, 600, 4000),
        "pulse": float(generator.uniform(0, 0.6)),
        "chiff_db": float(generator.uniform(-36, -14)),
        "tremolo_db": float(generator.uniform(0.5, 4)),
        "keys": float(generator.choice([0.0, 0.4])),
        "attack_s": log_uniform(generator, 0.015, 0.12),
    }


def _brass(generator: Generator) -> Player:
    return {
        "body_db": _peaks(generator, int(generator.integers(1, 3))),
        "tilt_db": float(generator.uniform(-10, -3)),
        "brighten_db": float(generator.uniform(5, 14)),
        "fundamental_db": float(generator.uniform(-8, 3)),
        "cutoff_hz": log_uniform(generator, 1200, 6000),
        "attack_s": log_uniform(generator, 0.02, 0.12),
        "scoop": float(generator.choice([0.0, 0.15, 0.5])),
        "vibrato_cents": float(generator.choice([0.0, 0.0, 1.0]) * generator.uniform(5, 50)),
    }
