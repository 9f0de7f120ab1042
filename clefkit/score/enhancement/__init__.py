"""Sound against clean sound: how much of a recording was restored.

Everything is measured at 44.1 kHz in mono. The estimate is shifted by the lag of at most 50 ms at which both are most
alike, cut or filled to the reference's length (more than a second of that is told) and brought to its level (root mean
square), so one gain, a small delay and polarity count only where that is said. Then:

- `spectra`: log-spectral distance and multi-resolution STFT distance, where and how the colour is wrong.
- `dynamics`: loudness in the course of time, what automatic gain and compression did to it.
- `align`: SI-SDR, also for delays between samples. Rooms and filters change phases, so it is low for sound that is
  good to hear; it is no goal for dereverberation.
- `loudness_error`: by how much the integrated loudness (BS.1770) was missed, before the level was made the same.

`clean` finds the reference. Published distances differ in windows, bands and floors, so compare numbers of this
definition alone. Sound of two hours at most is held in memory, some 40 MB a minute.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from clefkit.score.kinds import SOUND, Measure

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from clefkit.record import Source

MEASURES = (
    Measure("lsd", "log-spectral distance, 64 mel bands", "dB", higher_is_better=False, missing=None),
    Measure("mrstft", "multi-resolution STFT distance, 512 to 2048 samples", higher_is_better=False, missing=None),
    Measure("loudness_correlation", "correlation of loudness in the course of time with the reference's"),
    Measure(
        "loudness_slope_error",
        "dynamics lost or added: distance of loudness_slope from 1",
        higher_is_better=False,
        missing=1.0,
    ),
    Measure("loudness_rms", "deviation of loudness in the course of time", "dB", higher_is_better=False, missing=None),
    Measure("si_sdr_aligned", "SI-SDR after the delay was taken out (-30 to 100)", "dB", missing=-30.0),
    Measure(
        "loudness_error", "integrated loudness that is amiss (BS.1770)", "LU", higher_is_better=False, missing=None
    ),
)
COLUMNS = ("file", "lsd", "mrstft", "loudness_correlation", "loudness_slope", "loudness_rms", "loudness_difference")
PROTOCOLS = {
    "mono-44k": "44.1 kHz mono, lag of at most 50 ms and RMS made equal; LSD of 64 mel bands (40 Hz to 18 kHz), frames "
    "of 2048, floor -70 dB, frames within 50 dB; mrSTFT of 512, 1024, 2048; loudness of 200 ms within 40 dB"
}
ENDINGS = (".wav", ".flac", *sorted(SOUND - {".wav", ".flac"}))
RATE = 44_100
LONGEST_S = 2 * 3600
LONGEST_GAP_S = 1.0


def compare(reference: NDArray[Any], estimate: NDArray[Any], rate: int) -> dict[str, Any]:
    """Measure restored sound by the clean one.

    reference, estimate: (channels, samples) or (samples,), -1 to 1; rate: Hz, of both
    returns: the measures; "loudness_slope", dB of the estimate for each dB of the reference; "loudness_difference", LU,
        estimate minus reference; "lag_ms" by which the estimate came late; "gain_db" that it was given. In a reference
        without dynamics, or of less than 300 ms, some of the loudness measures make no sense and are absent
    raises: InputError when either is no sound, or the reference is silent
    """
    from clefkit.score.enhancement import align, compared

    return compared.scores(align.mono(reference, rate, "the reference"), align.mono(estimate, rate, "the estimate"))


def measure(source: Source, *others: Source, ref: Path | None, protocol: str) -> dict[str, Any]:  # noqa: ARG001 fixed
    """Measure one file by its clean original.

    ref: a file, or a folder that holds one by the same name; without it the records lead there (see `clean.find`)
    raises: InputError when there is no reference, and as `compare` does
    """
    from clefkit.score import reference
    from clefkit.score.enhancement import align, clean, compared

    path, offset_s = clean.find(source, ref)
    with reference.told(path):
        expected = align.read(path)
    estimate = align.read(source.path, offset_s)
    longer_s = (len(estimate) - len(expected)) / RATE
    notes = []
    if longer_s < -LONGEST_GAP_S:
        notes = [f"{-longer_s:.1f} s shorter than its reference: they count as silence"]
    elif longer_s > LONGEST_GAP_S:
        notes = [f"{longer_s:.1f} s longer than its reference: they are not compared"]
    return {"reference": str(path), **compared.scores(expected, estimate), "notes": notes}
