"""`clefkit transcribe`: sound becomes notes."""

from __future__ import annotations

from typing import Annotated

import typer

from clefkit import stream

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@stream.command(app)
def transcribe(
    paths: stream.Paths = None,
    *,
    common: stream.Common,
    model: Annotated[
        str,
        typer.Option(metavar="NAME|PATH", help="A checkpoint: its name, its folder (with a slash), or basic-pitch."),
    ] = "notes",
    threshold: Annotated[
        float, typer.Option(min=0, max=1, metavar="X", help="How sure to be: less finds more notes, more finds fewer.")
    ] = 0.5,
    min_duration: Annotated[
        float, typer.Option(min=0, max=10_000, metavar="MS", help="Leave out notes shorter than this.")
    ] = 0.0,
    pitch_range: Annotated[
        str, typer.Option(metavar="LOW:HIGH", help="Leave out notes outside, as names or MIDI numbers.")
    ] = "A0:C8",
    instruments: Annotated[
        str, typer.Option(metavar="K|auto", help="How many tracks: one for each timbre that is heard, or K.")
    ] = "auto",
    names: Annotated[
        str, typer.Option(metavar="NAME|PATH|auto|none", help="A checkpoint of tag that names the tracks.")
    ] = "auto",
    bends: Annotated[bool, typer.Option("--bends", help="Pitch bends: vibrato, glides, the tuning.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Also x.notes.jsonl: notes with confidences.")] = False,
    activations: Annotated[
        bool, typer.Option("--activations", help="Also x.activations.npz: what the network says of each frame.")
    ] = False,
    plot: Annotated[bool, typer.Option("--plot", help="Also x.plot.png: the notes over the spectrogram.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Draw the piano roll on the terminal (stderr).")] = False,
) -> None:
    """Hear notes: sound of any length and any pitched instrument to MIDI (x.wav to x.notes.mid), one track a timbre.

    Which instruments play, and how many, needs not be known: notes that sound alike share a track; in stereo, where
    they come from counts, too. --instruments 1 puts all in one track, --instruments 3 finds three. A track gets the
    name and the program of the instrument that clefkit tag hears whenever the track plays, or else a number: timbre 2.

    A recording need not be tuned to A = 440 Hz, nor stay as it is tuned: notes are those that were played.

    Reads WAV, FLAC, OGG and MP3; m4a and video when the program ffmpeg is installed.

    --threshold .5 is what the checkpoint was tuned to: the best F-measure on its validation set. Take .3 when missing
    a note is worse than hearing a false one, .7 when a false one is worse. All thresholds that notes begin at move.

    --model notes-small is a tenth of the size, for small machines: it finds somewhat less.

    --bends follow a note that sounds alone; where several sound together they hold the tuning, because a bend moves
    all notes of a channel. They reach two semitones, or as far as the file sets (RPN 0).

    Pages of a plot have five minutes each: x.plot-1.png, x.plot-2.png. In x.activations.npz are onset, frame and
    (if the checkpoint has it) offset, each (frames, 88) from A0 to C8, 0 to 1, and times_s.

    A folder given as --model holds model.onnx and config.toml. The graph takes "sound" (1, channels, frames, bins):
    the features of clefkit.features, moved into tune, any number of frames; and gives "logits" (1, outputs, frames,
    88). The config has net = "notes", outputs = ["onset", "frame", "offset", "velocity"] (at least the first two),
    reach = frames on each side that an output depends on, and [thresholds] with onset, again, frame, sustain. With
    input = "audio" the graph takes "audio" (1, samples) instead, and the config also has rate_hz, hop = samples from
    frame to frame, and window = samples at once; frame 0 is centred on the first sample, and window / hop frames come
    out.

    \b
    Examples:
      clefkit transcribe take3.flac
      clefkit transcribe --show --plot --bends song.wav
      find takes -name '*.wav' | clefkit transcribe --out notes --threshold .7
    """
    from clefkit.transcribe import settings

    sides = {"jsonl": jsonl, "activations": activations, "plot": plot}
    options = settings.options(
        model, threshold=threshold, min_duration=min_duration, pitch_range=pitch_range, instruments=instruments,
        names=names, bends=bends, also=[name for name, wanted in sides.items() if wanted],
    )  # fmt: skip
    stream.run("transcribe", paths, common, drawn_by="transcribe.roll" if show else "", **options)
