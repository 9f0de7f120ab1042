"""`clefkit align`: recordings of one performance onto one clock."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clefkit import stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@stream.command(app, (*stream.WRITES, "csv"))
def align(
    paths: stream.Paths = None,
    *,
    common: stream.Common,
    ref: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="The reference. With --dataset the name, without ending, that it has in each take.",
            show_default="the last file; studio",
        ),
    ] = None,
    threshold: Annotated[
        float, typer.Option(min=0, max=1, metavar="P", help="The least confidence: a take with less is refused.")
    ] = 0.5,
    write: Annotated[bool, typer.Option("--write", help="Write the takes on the reference's clock.")] = False,
    dataset: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Make a paired data set of a folder of takes, in --out DIR.")
    ] = None,
    validation: Annotated[
        float, typer.Option(min=0, max=1, metavar="SHARE", help="With --dataset: how many takes are for validation.")
    ] = 0.1,
) -> None:
    """Find where recordings of one performance lie on each other: a phone's and a studio's, to the sample.

    The last file is the reference, whose clock counts; or name it with --ref. All others are takes, each by itself.
    Rates, channels, levels, polarity and lengths may differ. About six seconds in common are needed.

    Prints a row for each take. offset_s: where its first sample lies on the reference's clock, positive when it began
    later. delay_samples: the same in samples of the reference. drift_ppm: how much longer its seconds are. So

    \b
      reference_s = offset_s + (1 + drift_ppm / 1e6) * take_s + all that was dropped before

    dropped, missing_ms: buffers that the recorder lost, and how much that was; --json tells where. confidence: 0 to 1,
    how many windows of three seconds agree on one line, and how closely. Under --threshold the take is refused: it is
    not of this performance, as another take of the same piece isn't. A grand piano with both microphones beside it may
    need a lower threshold, for its strings are a few milliseconds apart.

    --write writes x.aligned.wav (FLAC of FLAC): sample n of it and of the reference are the same moment. It is as long
    as the reference, with silence where the take has nothing, or lost it.

    --dataset FOLDER pairs FOLDER/TAKE/DEVICE-POSITION.wav with FOLDER/TAKE/studio.wav, for all takes, devices and
    positions, and writes both from where they begin to sound together to where one ends:
    OUT/SPLIT/TAKE/DEVICE-POSITION.input.wav and .target.wav; SPLIT is train or validation, never both for a take.
    OUT/pairs.jsonl has a line for each pair; "gaps" are the stretches to be left out, [from, to] in seconds.

    \b
    Examples:
      clefkit align phone.wav studio.wav
      clefkit align --write --ref studio.wav phone.wav tablet.m4a camera.wav
      find takes -name 'phone*.wav' | clefkit align --ref takes/studio.wav --json
      clefkit align --dataset recordings --out pairs
    """
    from clefkit.align import told

    if dataset is not None:
        from clefkit.align import dataset as pairs

        told.check_dataset(paths, write=write)
        name, out = ref or "studio", pairs.target(common.out, dataset)
        recordings = pairs.files(dataset, name)
        kept = pairs.validation(recordings, validation, common.seed)
        stream.measure(
            "align.dataset", recordings, common, pairs.Judge(out=out), out=out, ref=name, kept=kept, threshold=threshold
        )
    told.check(write=write, out=common.out, csv=common.csv)
    takes, reference = told.chosen(paths, ref)
    if write:
        stream.run("align", takes, common, reference=reference, threshold=threshold)
    stream.measure("align", takes, common, told.Judge(), reference=reference, threshold=threshold)
