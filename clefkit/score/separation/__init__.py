"""Stems against stems: how well the parts of one mixture were taken apart.

Estimates are put to references one to one, so that the mean SI-SDR is highest; names don't matter. `ratios` says what
SI-SDR and SDR are, `bss` what ISR, SIR and SAR are; `stems` finds the references. Every measure is the mean over the
references. Three rules make it fair:

- A reference that got no estimate, for there were too few or they were silent, counts as if silence had been given.
- A reference that is silent has no ratios. It is left out and named (`silent_stems`), as museval would refuse it.
- An estimate too many has nothing to be compared with. It is named (`extra_stems`), and costs `stem_count_accuracy`.

Stems are brought to the rate of the references, stereo is mixed down where the other side is mono. Estimates are cut
to the references' length, which is told when more than a second is lost (`cut_stems`), or lengthened by up to a second
of silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clefkit.errors import UsageError
from clefkit.score.kinds import SOUND, Measure

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from clefkit.record import Source
    from clefkit.score.separation.signals import Sound

FLOOR_DB, CEILING_DB = -30.0, 100.0

MEASURES = (
    Measure("si_sdr", "SDR that is blind to one gain (SI-SDR, -30 to 100)", "dB", missing=FLOOR_DB),
    Measure("si_sdr_improvement", "SI-SDR above that of the mixture itself", "dB", missing=FLOOR_DB),
    Measure("sdr", "signal to distortion, median of 1 s windows (BSS eval v4, as museval)", "dB"),
    Measure("sdr_mdx", "signal to distortion of the whole file (MDX challenges)", "dB"),
    Measure("isr", "signal to spatial distortion (BSS eval v4)", "dB"),
    Measure("sir", "signal to interference by other stems (BSS eval v4)", "dB", missing=FLOOR_DB),
    Measure("sar", "signal to artifacts (BSS eval v4)", "dB", missing=FLOOR_DB),
    Measure("stem_count_accuracy", "1 when there are as many stems as in the reference"),
)
COLUMNS = ("file", "si_sdr", "si_sdr_improvement", "sdr", "sdr_mdx", "ref_stems", "est_stems")
RULES = (
    "best assignment by SI-SDR; mean over reference stems, silent ones left out; a missing one is silence (SI-SDR -30 "
    "dB, SDR 0 dB); SI-SDR without mean removal, -30 to 100 dB; SDR as museval 0.4.1 (BSS eval v4, median of 1 s "
    "windows); at the references' rate and length, in mono where one side is"
)
PROTOCOLS = {"sdr": RULES, "bss-eval-v4": RULES + "; ISR, SIR, SAR likewise, filters of 512 taps"}
ENDINGS = (".wav", ".flac", *sorted(SOUND - {".wav", ".flac"}))


def compare(
    reference: Iterable[Sound],
    estimate: Iterable[Sound],
    rate: int,
    mixture: Sound | None = None,
    protocol: str = "sdr",
) -> dict[str, Any]:
    """Measure the stems of one mixture.

    reference, estimate: stems in any order, (channels, samples) each or in one array, -1 to 1; rate: Hz, of all
    mixture: (channels, samples); None is the sum of the references, when there are several
    protocol: "bss-eval-v4" finds ISR, SIR and SAR too; time and memory for that grow fast with the number of channels
    returns: the measures; "ref_stems" and "est_stems", how many sound; "silent_stems", "extra_stems" and "cut_stems"
        (see above); "stems": for each reference {"reference", "estimate" (None when it has none), its ratios}. Stems
        are called by their number from 0. `sdr`, `isr`, `sir`, `sar` are absent when no window has all stems sounding
    raises: InputError when there are no stems or too many, all references are silent, or an estimate is too short;
        UsageError when there is no such protocol
    """
    from clefkit.score.separation import assign, signals

    if protocol not in PROTOCOLS:
        raise UsageError(f"separation has no protocol {protocol!r}: there are {', '.join(PROTOCOLS)}")
    return assign.scores(signals.of_arrays(reference, estimate, mixture, rate), full=protocol == "bss-eval-v4")


def measure(source: Source, *others: Source, ref: Path | None, protocol: str) -> dict[str, Any]:
    """Measure all stems that were separated from one mixture. They are read block by block.

    ref: a folder of reference stems, or one stem (see `stems.find`); without it the records lead to a rendered mixture
    raises: InputError when no reference is found, and as `compare` does
    """
    from clefkit.score.separation import assign, signals, stems

    estimates = [source.path, *(other.path for other in others)]
    place, references, mixture = stems.find(source, estimates, ref)
    found = assign.scores(signals.of_files(references, estimates, mixture), full=protocol == "bss-eval-v4")
    names = [path.name for path in references]
    for row in found["stems"]:
        row["reference"] = names[row["reference"]]
        row["estimate"] = None if row["estimate"] is None else estimates[row["estimate"]].name
    found["silent_stems"] = [names[each] for each in found["silent_stems"]]
    for key in ("extra_stems", "cut_stems"):
        found[key] = [estimates[each].name for each in found[key]]
    return {
        "reference": str(place),
        "mixture": None if mixture is None else str(mixture),
        **found,
        "notes": _notes(found, {path.stem for path in references}),
    }


def _notes(found: dict[str, Any], names: set[str]) -> list[str]:
    """What a person should know. names: of the references, without endings"""
    told = {
        "nothing was separated for {}: it counts as silence": [
            row["reference"] for row in found["stems"] if row["estimate"] is None
        ],
        "{} is silent in the reference, and is left out": found["silent_stems"],
        "{} is one too many, and is compared with nothing": found["extra_stems"],
        "{} is longer than the references: what comes after them is not compared": found["cut_stems"],
    }
    notes = [sentence.format(name) for sentence, stems in told.items() for name in stems]
    pairs = [(row["estimate"], row["reference"]) for row in found["stems"] if row["estimate"] is not None]
    return notes + [
        f"{estimate} is most like {reference}, and is compared with that"
        for estimate, reference in pairs
        if _name(estimate) != _name(reference) and _name(estimate) in names
    ]


def _name(file: str) -> str:
    return file.rpartition(".")[0]
