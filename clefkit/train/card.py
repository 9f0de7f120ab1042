"""What a checkpoint says of itself: its config's words, its card, and the curve of its training.

The card's first half is written by the recipe; what was measured afterwards on the test split, and where the checkpoint
fails, is added by hand below it, once.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, NamedTuple

from clefkit import features
from clefkit.train import notes
from clefkit.transcribe.decode import Thresholds

LICENCE = "CC BY 4.0"  # the data allow it; some ask to be named

CARD = """\
# {name}

Hears notes: sound in, onset, offset, pitch and velocity of each note out, whatever instruments play.
{parameters:,} parameters on log-frequency energy, 43 frames a second; see `clefkit/features.py`,
`clefkit/nets/notes.py`, `clefkit/transcribe/`.

Licence of the weights: {licence}.

## Data

{hours:.1f} hours of sound made for it ({shards} shards of {recordings} recordings of {seconds:.0f} s), seed {seed}.

| what | licence |
|---|---|
{scores}| exercises (`clefkit/train/exercises.py`): scales, chords, repeated notes, single notes | own |
| soundfonts {fonts}, but the presets of `fonts_heldout.toml` | MIT, public domain, CC0 |
| phrases of voices, bowed strings, winds (`clefkit/train/voices.py`), made-up instruments (`timbres.py`) | own |

Every recording has its own instruments, one to five, key, tempo, timing, dynamics, vibrato, glides, tuning (45 % of
them anywhere within 50 cents), place, microphone, noise and level; half go through a preset of `augment`, but three
that are kept for the test. No data with a non-commercial licence and no recording of a performance.

## Made by

    clefkit train {recipe} --work WORK --out models/{name} --seed {seed} --steps {steps} \\
        {options}

{passes:.1f} hours of passes in {steps} steps of {clips} clips of {clip_s:.1f} s. {where}`shards/manifest.json` in WORK
has the hashes of what it was made from.

![loss](curve.png)

## On the validation set

Unseen works on instruments that were not trained on (`python -m clefkit.train.heldout`, 1 to 4 of them), and the
training set's own kind of recordings ("own"). Thresholds were chosen here: {thresholds}.
Onset 50 ms, pitch 50 cents; with offset: 50 ms or 20 %.

{table}
"""

SCORES = """\
| OpenScore string quartets and songs, train split (`clefkit/train/corpus.py`) | CC0 |
| first editions of Chopin, Fryderyk Chopin Institute, train split | CC BY 4.0 |
| POP909, train split | MIT (arrangements of songs under copyright) |
| real single notes: `real/notes` | CC0, public domain |
"""
SAMPLES = """\
| real single notes, noises, speech (`clefkit/train/samples.toml`) | CC0, public domain, CC BY: named below |
"""


class Known(NamedTuple):
    """All that the card tells.

    recipe: the network's name; manifest: of the training set
    figures: by group of the validation set, then by measure
    """

    name: str
    recipe: str
    manifest: dict[str, Any]
    steps: int
    parameters: int
    thresholds: Thresholds
    figures: dict[str, dict[str, float]]


def about(known: Known) -> dict[str, Any]:
    """For config.toml."""
    return {
        "about": "notes of any pitched instrument and mixtures of them",
        "licence": LICENCE,
        "made_by": f"clefkit train, seed {known.manifest['seed']}, {known.steps} steps",
        "data": f"{_hours(known.manifest):.1f} h made from {_sources(known.manifest)}",
    }


def _sources(manifest: dict[str, Any]) -> str:
    scores = "OpenScore (CC0), Chopin first editions (CC BY 4.0), POP909 (MIT), real single notes (CC0, public domain)"
    parts = [scores] if manifest["corpus_sha256"] else ["exercises"]
    parts += ["gathered single notes, noises and speech (CC0, CC BY)"] if manifest["samples_sha256"] else []
    return ", ".join([*parts, f"own synthesis and the soundfonts {' and '.join(manifest['fonts'])}"])


def _options(manifest: dict[str, Any]) -> str:
    """The last options of the command that makes it again."""
    fonts = " ".join(f"--soundfont {Path(font).stem}" for font in manifest["fonts"])
    sources = "--data DATA" if manifest["corpus_sha256"] else "--quick"
    return f"{sources} {'--samples SAMPLES ' if manifest['samples_sha256'] else ''}{fonts}"


def text(known: Known) -> str:
    """The card in Markdown."""
    manifest = known.manifest
    music = {group: row for group, row in known.figures.items() if "note_f1" in row}
    rows = ["| instruments | precision | recall | note F | with offset | frame F |", "|---|---|---|---|---|---|"]
    rows += [
        f"| {group} | " + " | ".join(f"{value:.3f}" for value in row.values()) + " |" for group, row in music.items()
    ]
    quiet = known.figures.get("none", {}).get("false_a_minute")
    if quiet is not None:
        rows += ["", f"In recordings without notes (speech, drums, noise): {quiet:.1f} false notes a minute."]
    clip_s = notes.CLIP_FRAMES / features.FRAMES_PER_SECOND
    return CARD.format(
        name=known.name,
        recipe=known.recipe,
        parameters=known.parameters,
        licence=LICENCE,
        hours=_hours(manifest),
        shards=_shards(manifest),
        recordings=manifest["recordings_a_shard"],
        seconds=manifest["recording_s"],
        seed=manifest["seed"],
        fonts=" and ".join(manifest["fonts"]),
        steps=known.steps,
        scores=(SCORES if manifest["corpus_sha256"] else "") + (SAMPLES if manifest["samples_sha256"] else ""),
        options=_options(manifest),
        where=("DATA holds `openscore/`, `pop909/`, `kern/` and `real/`. " if manifest["corpus_sha256"] else "")
        + ("SAMPLES is made by `python -m clefkit.train.gather`. " if manifest["samples_sha256"] else ""),
        clips=notes.CLIPS,
        clip_s=clip_s,
        passes=known.steps * notes.CLIPS * clip_s / 3600,
        thresholds=", ".join(f"{name} {value:g}" for name, value in known.thresholds._asdict().items()),
        table="\n".join(rows),
    )


def curve(log: Path, out: Path) -> None:
    """Draw the loss over the steps, as PNG.

    log: `log.csv` of a training
    """
    from PIL import Image, ImageDraw

    with log.open(encoding="utf-8", newline="") as file:
        losses_at = {int(row["step"]): float(row["loss"]) for row in csv.DictReader(file)}  # the last word on each
    rows = sorted(losses_at.items())
    width, height, edge = 640, 320, 44
    steps, losses = max(step for step, _ in rows), [loss for _, loss in rows]
    low, high = min(losses), max(losses[min(2, len(losses) - 1) :])
    image = Image.new("L", (width, height), 255)
    draw = ImageDraw.Draw(image)

    def place(step: float, loss: float) -> tuple[float, float]:
        part = (min(loss, high) - low) / max(high - low, 1e-9)
        return edge + (width - 2 * edge) * step / steps, height - edge - (height - 2 * edge) * part

    draw.rectangle((edge, edge, width - edge, height - edge), outline=170)
    draw.line([place(step, loss) for step, loss in rows], fill=0, width=2)
    draw.text(
        (edge, height - edge + 6), f"0 to {steps} steps; loss {low:.3f} to {high:.3f}, the mean of 250 steps", fill=0
    )
    image.save(out, optimize=True)


def _hours(manifest: dict[str, Any]) -> float:
    return float(_shards(manifest) * manifest["recordings_a_shard"] * manifest["recording_s"] / 3600)


def _shards(manifest: dict[str, Any]) -> int:
    """Those to learn from."""
    return int(sum(count for name, count in manifest["shards"].items() if name != "validation"))
