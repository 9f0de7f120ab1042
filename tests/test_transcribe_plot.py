"""transcribe --plot: notes over the spectrogram, in systems and pages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from clefkit import audio, features, notes, registry, transcribe
from clefkit.audio import Audio
from clefkit.notes import Notes
from clefkit.record import Source
from clefkit.spool import Spool
from clefkit.transcribe import infer, plot, settings
from clefkit.transcribe.listen import Heard


def heard(found: Notes, seconds: float, tone: int = 60) -> Heard:
    """Notes, and a sound that is one steady tone."""
    seen = Spool((features.BINS,), np.uint8)
    rows = np.zeros((round(seconds * features.FRAMES_PER_SECOND) + 1, features.BINS))
    rows[:, (tone - features.LOWEST_PITCH) * features.BINS_PER_SEMITONE + 1] = 255
    seen.push(rows)
    return Heard(found, seconds, infer.load(registry.model("notes").path), spectrum=seen)


def drawn(path: Path, page: int, what: Heard) -> NDArray[np.uint8]:
    plot.write(path, what, page)
    assert path.read_bytes().startswith(b"\x89PNG")
    return np.asarray(Image.open(path).convert("RGB"))


def coloured(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return np.asarray(np.ptp(pixels.astype(int), axis=2) > 60)


def test_a_note_and_its_sound_are_where_they_should_be(tmp_path: Path) -> None:
    pixels = drawn(tmp_path / "x.png", 0, heard(notes.make([5.0], [10.0], [67]), 12.0))
    rows, columns = np.nonzero(coloured(pixels))
    assert columns.min() == pytest.approx(plot.LEFT + 5 * plot.PER_SECOND, abs=3)
    assert columns.max() == pytest.approx(plot.LEFT + 10 * plot.PER_SECOND, abs=2)
    assert np.ptp(rows) + 1 == features.BINS_PER_SEMITONE * plot.PER_BIN
    dark = np.nonzero((pixels[:, plot.LEFT + 100] < 60).all(axis=1))[0][: plot.PER_BIN]
    semitone = features.BINS_PER_SEMITONE * plot.PER_BIN
    assert dark.mean() - rows.mean() == pytest.approx(7 * semitone, abs=1)  # the tone is a fifth below the note
    assert not (pixels[dark[0], plot.LEFT + 13 * plot.PER_SECOND] < 60).any()  # and has ended


def test_parts_have_colours_and_sure_notes_are_denser(tmp_path: Path) -> None:
    two = (notes.Part("a"), notes.Part("b"))
    found = notes.make([1, 3, 5], [2, 4, 6], [60, 60, 60], part=[0, 1, 0], parts=two, confidence=[1.0, 1.0, 0.2])
    pixels = drawn(tmp_path / "x.png", 0, heard(found, 8.0, tone=100)).astype(int)
    row = int(np.median(np.nonzero(coloured(pixels.astype(np.uint8)))[0]))
    sure, other, doubtful = (pixels[row, plot.LEFT + round((at + 0.5) * plot.PER_SECOND)] for at in (1, 3, 5))
    assert np.abs(sure - other).max() > 100
    assert doubtful.sum() > sure.sum()


@pytest.mark.parametrize(("seconds", "pages"), [(0.1, 1), (300, 1), (300.5, 2), (3 * 3600, 36)])
def test_a_page_has_five_minutes(seconds: float, pages: int) -> None:
    assert plot.pages(seconds) == pages


def test_later_pages_show_later_notes(tmp_path: Path) -> None:
    long = heard(notes.make([1.0, 301.0], [2.0, 302.0], [60, 60]), 321.0)
    first, second = (drawn(tmp_path / f"{page}.png", page, long) for page in (0, 1))
    assert first.shape[1] == second.shape[1]
    assert len(first) > 7 * (len(second) - plot.TOP)
    for pixels in (first, second):
        columns = np.nonzero(coloured(pixels))[1]
        assert columns.min() == pytest.approx(plot.LEFT + plot.PER_SECOND, abs=3)


def test_no_notes_and_silence_are_a_picture_too(tmp_path: Path) -> None:
    pixels = drawn(tmp_path / "x.png", 0, heard(notes.make([], [], []), 1.0))
    assert not coloured(pixels).any()


def test_a_recording_has_as_many_files_as_pages(tmp_path: Path) -> None:
    audio.write(tmp_path / "x.wav", Audio(np.zeros((1, 301 * 8000), np.float32), 8000))
    options = settings.options(also=["plot"])
    made = list(transcribe.products(Source(tmp_path / "x.wav"), np.random.default_rng(0), **options))
    assert [(product.suffix, product.printed) for product in made] == [
        ("plot-1.png", False),
        ("plot-2.png", False),
        ("notes.mid", True),
    ]


def test_the_same_notes_are_the_same_picture_to_the_byte(tmp_path: Path) -> None:
    what = heard(notes.make([1.0], [2.0], [60]), 3.0)
    for name in ("a", "b"):
        plot.write(tmp_path / name, what)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
