"""From what was trained to a checkpoint: thresholds, figures, files, card.

Thresholds are chosen on recordings that judge (`heldout`, its validation half) and on the validation shards, so that
neither one kind of sound nor the other has the say alone. When the first were not built, the shards have it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clefkit.nets.notes import SIZES, Size
from clefkit.train import card, data, evaluate, export, notes
from clefkit.transcribe.decode import Thresholds

FIRST_GUESS = Thresholds(onset=0.4, again=0.4, frame=0.3, sustain=0.3)


def finish(work: Path, folder: Path, size: Size) -> dict[str, Any]:
    """Choose thresholds and write the checkpoint with its card.

    folder: the checkpoint's, such as `models/notes-1`
    returns: what there is to tell: the figures on the validation set
    raises: MissingError when nothing was trained in `work`
    """
    network, step = notes.trained(work, size)
    judges = work / "heldout-validation"
    recordings = list(evaluate.shards([data.load(p) for p in sorted((work / "shards").glob("validation-*.npy"))]))
    if (judges / "manifest.json").is_file():
        recordings += list(evaluate.held_out(judges))
    predicted = evaluate.predict(network, recordings)
    thresholds = evaluate.choose(predicted, FIRST_GUESS)
    figures = evaluate.means(evaluate.rows(predicted, thresholds))
    manifest = json.loads((work / "shards" / "manifest.json").read_text(encoding="utf-8"))
    recipe = next(name for name, known in SIZES.items() if known == size)
    known = card.Known(folder.name, recipe, manifest, step, export.parameters(network), thresholds, figures)
    measured = {
        "validation_note_f1": {
            "value": round(figures["mean"]["note_f1"], 4),
            "on": "the validation set, on which thresholds were chosen",
        }
    }
    export.write(folder, network, thresholds, card.about(known), measured)
    recorded = work / "shards" / "credits.md"
    named = recorded.read_text(encoding="utf-8") if recorded.is_file() else ""
    (folder / "card.md").write_text(card.text(known) + named, encoding="utf-8")
    card.curve(work / "log.csv", folder / "curve.png")
    return {"validation": figures["mean"]}
