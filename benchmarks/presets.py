"""What each preset does to music: `python benchmarks/presets.py --data DATA [--real] [--works N] [PRESET]...`.

DATA holds `openscore/`; the works are those of the validation split, songs with piano and string quartets, half a
minute of each, with the installed soundfont. A line a preset: its level; loudness from and to; the highest true peak;
seconds of gaps; the worst lateness and detuning against its clock; and by how much fewer notes the transcriber finds
(note F1): the mean, which decides whether the preset may ship at its level, and the worst of all. `--real` takes the
recorded phrases of `real/` instead, whose notes nobody knows.
"""

from __future__ import annotations

import argparse
import itertools
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import listening

from clefkit import notes, registry
from clefkit.train import corpus

SECONDS = 30.0
FEWEST_NOTES = 60


def main() -> None:
    parser = argparse.ArgumentParser(description="what presets do to music")
    parser.add_argument("presets", nargs="*")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--works", type=int, default=3, help="of each collection")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--soundfont")
    parser.add_argument("--real", action="store_true", help="recordings instead of rendered works")
    asked = parser.parse_args()
    if asked.real:
        paths = sorted((asked.data / "real" / "phrases").glob("*.flac"))
        pieces = [listening.recording(path, SECONDS) for path in paths]
    else:
        pieces = list(works(asked.data, asked.works, registry.soundfont(asked.soundfont).path))
    print(f"{len(pieces)} works, note F1 dry {np.mean([piece.note_f1 for piece in pieces]):.3f}, {asked.seeds} seeds")
    print(f"{'preset':20} level   LUFS from, to   dBTP  gaps s  late ms  cents   F1 falls by (worst)")
    for name in asked.presets or sorted(registry.presets()):
        level = registry.preset(name).get("level", 0)
        rows = [listening.listen(each, name, seed) for each in pieces for seed in range(asked.seeds)]
        lufs, falls = [row.lufs for row in rows], [row.f1_fall for row in rows]
        late, cents = (max((getattr(row, key) for row in rows), key=abs) for key in ("late_s", "cents"))
        verdict = "  too much" if np.mean(falls) > listening.F1_FALLS.get(level, 0) else ""
        print(
            f"{name:20} {level:5}  {min(lufs):6.1f} {max(lufs):6.1f}  {max(row.true_peak_db for row in rows):6.2f}"
            f"  {sum(row.gaps_s for row in rows):6.2f}  {1000 * late:+6.1f}  {cents:+5.1f}"
            f"   {np.mean(falls):+.3f} ({max(falls):+.3f}){verdict}",
            flush=True,
        )


def works(data: Path, each: int, soundfont: Path) -> Iterator[listening.Piece]:
    """The first of both collections that are full enough."""
    scores = {name: content for name, _, content in corpus.openscore(data, "validation")}
    for collection in corpus.SHARES:
        names = sorted(name for name in scores if name.startswith(collection))
        excerpts = ((name, _beginning(scores[name])) for name in names)
        full = ((name, played) for name, played in excerpts if len(played.notes) >= FEWEST_NOTES)
        for name, played in itertools.islice(full, each):
            yield listening.piece(name, played, soundfont)


def _beginning(content: bytes) -> notes.Performance:
    with tempfile.TemporaryDirectory(prefix="clefkit-") as folder:
        path = Path(folder) / "score.mxl"
        path.write_bytes(content)
        return listening.beginning(path, SECONDS)


if __name__ == "__main__":
    main()
