"""Tags against tags: what is heard in clips, when, and how loud.

One file tells of many clips, what was found in them or what is true. In JSON Lines, a clip a line:

    {"file": "a.wav", "tags": {"violin": 0.93, "piano": 0.1}, "gains_db": {"violin": -4.1},
     "segments": [{"tag": "violin", "onset": 0.0, "offset": 3.2}]}

- `tags`: probabilities, 0 or 1 in the truth. What the truth doesn't name is unknown and left out, as OpenMIC's masks
  ask for; what a finder doesn't name has the probability 0. Or a list of names: these are 1, all others 0. Without
  `tags` they are those of the segments.
- `segments`, if known: when each sounds, in seconds. All that are told count, whatever else is said of them.
- `gains_db`, if known: how loud each is, relative to the mix.

Or in CSV, with a header: `file,tag,probability`; `file,tag`, a list; or `file,violin,piano,...`, a column a tag, where
an empty cell is a tag that isn't named. Other keys are passed over.

Clips are matched by `file` as it is written, else by its last part, else by that without the ending of a sound. Only
the tags of the truth count; others that were found are named (`other_tags`), as are clips of the truth of which
nothing was found (`missing_clips`): all their tags have the probability 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clefkit.errors import InputError
from clefkit.score.kinds import Measure

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from clefkit.record import Source

MEASURES = (
    Measure("tag_map", "average precision, mean over tags"),
    Measure("tag_roc_auc", "area under the ROC curve, mean over tags"),
    Measure("tag_f1", "F-measure of what has a probability of 0.5 or more, mean over tags"),
    Measure("tag_f1_micro", "F-measure of what has a probability of 0.5 or more, all clips and tags together"),
    Measure("segment_based_f1", "F-measure of tags that sound, in segments of 1 s, over all clips"),
    Measure("event_based_f1", "F-measure of segments found: onset within 200 ms, offset within 200 ms or 20 %"),
    Measure(
        "gain_error_db", "mean absolute error of the gain of what sounds", "dB", higher_is_better=False, missing=None
    ),
    Measure("gain_order_accuracy", "pairs in a clip, 3 dB apart or more, of which the louder one is known"),
)
COLUMNS = (
    "file",
    "tag_map",
    "tag_roc_auc",
    "tag_f1",
    "tag_f1_micro",
    "segment_based_f1",
    "gain_error_db",
    "ref_clips",
    "est_clips",
)
PROTOCOLS = {
    "macro": "scikit-learn's average precision, ROC AUC and F1, means over tags with a clip that has them; threshold "
    "0.5; sed_eval's segment-based (1 s) and event-based F1 (200 ms, 20 %), micro; unknown tags left out"
}
ENDINGS = (".ref.jsonl", ".jsonl", ".csv")


def compare(truth: Iterable[Mapping[str, Any]], found: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Every measure of `MEASURES` that makes sense, and what lies behind it.

    truth, found: clips, each as in a line of JSON
    returns: the measures; `intervals`: measure -> [low, high], 95 % of bootstrap over clips; `classes`: tag -> {"ap",
        "roc_auc", "f1", "f1_low", "f1_high", "precision", "recall", "n_positive", "n"}, what is undefined left out;
        `ref_clips`, `est_clips`: how many there are and how many of these were found; `missing_clips` and `other_tags`
        by name
    raises: InputError when a clip is not of this form, is told twice, or when truth and findings share no clip
    """
    from clefkit.score.tags import clips, figures

    return figures.compared(clips.checked(truth), clips.checked(found))


def measure(source: Source, *, ref: Path | None, protocol: str) -> dict[str, Any]:  # noqa: ARG001 one protocol so far
    """Measure one file of findings by a file of truth.

    ref: the truth, or a folder that holds one by the same name
    raises: InputError when one of the two can't be read, says which line is wrong
    """
    from clefkit.score import reference
    from clefkit.score.tags import figures, files

    if ref is None:
        raise InputError("nothing leads from tags to the truth: give it by --ref")
    found = files.read(source.path)
    path = reference.named(ref, source.path, ENDINGS)
    with reference.told(path):
        truth = files.read(path)
    row = figures.compared(truth, found)
    missing = row["ref_clips"] - row["est_clips"]
    named = f"{missing:,} clip{'s' * (missing > 1)}, the first is {row['missing_clips'][0]}" if missing else ""
    notes = [f"nothing was found about {named}: all their tags count as 0"] if missing else []
    return {"reference": str(path), **row, "notes": notes}
