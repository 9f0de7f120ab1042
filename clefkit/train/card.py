"""What the checkpoint `notes` says of itself: its config's words, and its card."""

from __future__ import annotations

from typing import Any

from clefkit.transcribe.decode import Thresholds

LICENCE = "CC BY 4.0"  # the data allow it; one of them, the speech, asks to be named

CARD = """\
# notes-1

Hears notes: sound in, onset, offset, pitch and velocity of each note out. Any pitched instrument and mixtures of them;
the notes don't say which instrument played. A convolutional network of 91,043 parameters on log-frequency energy, 43
frames a second; see `clefkit/features.py`, `clefkit/nets/notes.py`, `clefkit/transcribe/decode.py`.

Licence of the weights: {licence}.

## Data

{hours:.1f} hours of sound made for it ({shards} shards of {recordings} recordings of {seconds:.0f} s), seed {seed}:

| what | licence | how much |
|---|---|---|
| OpenScore string quartets and songs, train split ({clefkit_splits}) | CC0 | 65 quartets, 1,188 songs |
| POP909, train split | MIT (arrangements of songs under copyright) | 650 songs |
| soundfonts {fonts} | MIT, public domain, CC0 | 72 % of recordings |
| made-up instruments (`clefkit/train/timbres.py`: partials, frequency modulation) | own | 15 % |
| real single notes: alto saxophone, double bass, grand piano, nylon guitar | CC0, public domain | 10 % |
| silence and noise, some with speech (LibriSpeech 198-209-0000) | CC BY 4.0 | 3 %; speech also in 2 % of the others |

Every recording has its own instruments, key, tempo, timing, dynamics, vibrato, tuning (30 % of them anywhere within 45
cents), microphone, noise and level; half have a made-up room, a fifth drums. {halls} of the shards, used in the last
quarter of the training only, are all in large rooms. No data with a non-commercial licence, no recording of a
performance, no sound of any other soundfont, and none of the rooms that `augment` has.

## Made by

    clefkit train notes --data DATA --work WORK --out models/notes-1 --steps {steps} --seed {seed} \\
        --soundfont FluidR3_GM --soundfont MuseScore_General_Lite

{passes:.0f} hours of passes in {steps} steps of six clips of 4.6 s. DATA holds `openscore/`, `pop909/` and `real/`.

## On the validation set

{minutes:.0f} minutes of works that were not trained on. "font": instruments that were trained on; "held back": five
General MIDI programs that were not (6, 24, 41, 64, 70); "real": an upright piano and an electric guitar that were not;
"made up": newly drawn. Thresholds (onset {onset}, again {again}, frame {frame}, sustain {sustain}) were chosen here.
Onset 50 ms, pitch 50 cents; with offset: 50 ms or 20 %.

{table}

In recordings without music: {false:.1f} false notes a minute.

## Where it fails

Two instruments on the same pitch at once are one note. Repeated notes while another part holds the same pitch, slurred
notes of the same pitch, and soft attacks are missed most; a recall below the precision everywhere says the same. Drums
are not transcribed and can cost notes under them. Recordings tuned a quarter tone from A = 440 Hz come out on either
side. Organs with octave stops, bells and pads were not trained on. The offset is when a key is let go, so under a pedal
it is early. Velocity is a guess from level and attack, relative to the few seconds around.
"""


def about(manifest: dict[str, Any], steps: int) -> dict[str, str]:
    """For config.toml."""
    hours = _hours(manifest)
    return {
        "about": "notes of any pitched instrument and mixtures of them",
        "licence": LICENCE,
        "made_by": f"clefkit/train/notes.py, seed {manifest['seed']}, {steps} steps",
        "data": f"{hours:.1f} h made from OpenScore (CC0) and POP909 (MIT) on two soundfonts (MIT), own synthesis, "
        "real single notes (CC0, public domain) and noise with speech (CC BY 4.0)",
    }


def text(
    manifest: dict[str, Any], steps: int, thresholds: Thresholds, figures: dict[str, dict[str, float]], minutes: float
) -> str:
    """The card in Markdown. figures: of the validation set, by measure, then by kind of recording."""
    kinds = [kind for kind in figures["note_f1"] if kind != "silence"]
    rows = ["| | precision | recall | note F | with offset | frame F |", "|---|---|---|---|---|---|"]
    rows += [f"| {kind} | " + " | ".join(f"{each[kind]:.3f}" for each in figures.values()) + " |" for kind in kinds]
    return CARD.format(
        licence=LICENCE,
        hours=_hours(manifest),
        shards=_shards(manifest),
        halls=manifest["shards"].get("halls", 0),
        recordings=manifest["recordings_a_shard"],
        seconds=manifest["recording_s"],
        seed=manifest["seed"],
        clefkit_splits="by hash of composer and title, `clefkit/train/corpus.py`",
        fonts=" and ".join(manifest["fonts"]),
        steps=steps,
        passes=steps * 6 * 4.6 / 3600,
        minutes=minutes,
        table="\n".join(rows),
        false=figures["note_f1"].get("silence", 0.0),
        **thresholds._asdict(),
    )


def _hours(manifest: dict[str, Any]) -> float:
    return float(_shards(manifest) * manifest["recordings_a_shard"] * manifest["recording_s"] / 3600)


def _shards(manifest: dict[str, Any]) -> int:
    return int(sum(count for name, count in manifest["shards"].items() if name != "validation"))
