"""enhance's picture: what was changed is seen where it was changed, at any length."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from numpy.random import default_rng
from numpy.typing import NDArray
from PIL import Image

from clefkit.enhance import bands, picture
from clefkit.enhance.bands import BANDS, HOP_S, SILENCE_DB
from clefkit.enhance.picture import LEFT, LINES, PER_BAND, RIGHT, Shown

Pixels = NDArray[np.int64]

FIRST = picture.TOP + picture.HEADING
SECOND = FIRST + PER_BAND * BANDS + picture.GAP + picture.HEADING
LOUDNESS = SECOND + PER_BAND * BANDS + picture.GAP + picture.HEADING
GAIN = LOUDNESS + LINES + picture.GAP + picture.HEADING
TONE = GAIN + LINES + picture.AXIS + picture.HEADING


def shown(frames: int, level_db: float = -50.0) -> Shown:
    """The same before and after, nothing turned up or down."""
    levels = np.full((frames, BANDS), level_db, np.float32)
    nothing = np.zeros(frames, np.float32)
    return Shown(levels, levels.copy(), nothing, np.zeros(BANDS, np.float32), frames * HOP_S)


def drawn(path: Path, what: Shown, title: str = "take 3.wav") -> Pixels:
    picture.draw(path, title, what)
    assert path.read_bytes().startswith(b"\x89PNG")
    return np.asarray(Image.open(path).convert("RGB")).astype(np.int64)


def rows_of(pixels: Pixels, top: int, colour: tuple[int, int, int], column: int) -> NDArray[np.int64]:
    """Where a panel with lines has this colour, in pixels from its top."""
    there = (pixels[top : top + LINES, LEFT + column] == colour).all(axis=1)
    return np.flatnonzero(there)


@pytest.mark.parametrize("frames", [1, 2, 9, 861, 1600, 1601, 5000, 620_000])
def test_any_length_is_a_picture_of_sane_size(tmp_path: Path, frames: int) -> None:
    pixels = drawn(tmp_path / "x.png", shown(frames))
    width = pixels.shape[1] - LEFT - RIGHT
    assert width == min(max(frames, 560), 1600)
    assert pixels.shape[0] == TONE + LINES + picture.AXIS
    assert (tmp_path / "x.png").stat().st_size < 200_000


def test_a_band_that_was_raised_is_darker_after(tmp_path: Path) -> None:
    what = shown(900)
    what.after[300:600, 20] += 30
    pixels = drawn(tmp_path / "x.png", what)
    before, after = (pixels[top : top + PER_BAND * BANDS, LEFT : LEFT + 900, 0] for top in (FIRST, SECOND))
    rows, columns = np.nonzero(after < before)
    assert (rows.min(), rows.max()) == (PER_BAND * (BANDS - 21), PER_BAND * (BANDS - 20) - 1)
    assert (columns.min(), columns.max()) == (300, 599)
    assert np.array_equal(after >= before, after == before)
    assert np.ptp(before) == 0


def test_a_short_event_in_a_long_recording_is_seen(tmp_path: Path) -> None:
    what = shown(100_000)
    what.before[50_000] += 30
    pixels = drawn(tmp_path / "x.png", what)
    columns = np.flatnonzero(pixels[FIRST + 30, LEFT : LEFT + 1600, 0] < pixels[FIRST + 30, LEFT, 0])
    assert columns.tolist() == [800]


def test_loudness_is_that_of_all_bands_together(tmp_path: Path) -> None:
    what = shown(900, -43 - 10 * math.log10(BANDS))
    what.after[:] += 10
    what.after[450:] -= 20
    pixels = drawn(tmp_path / "x.png", what)
    per_db = (LINES - 1) / 30  # from -30 to -60
    assert rows_of(pixels, LOUDNESS, picture.BEFORE, 100).mean() == pytest.approx(13 * per_db, abs=1)
    assert rows_of(pixels, LOUDNESS, picture.AFTER, 100).mean() == pytest.approx(3 * per_db, abs=1)
    assert rows_of(pixels, LOUDNESS, picture.AFTER, 800).mean() == pytest.approx(23 * per_db, abs=1)
    assert rows_of(pixels, LOUDNESS, picture.PALE, 100)[1:-1] == pytest.approx([10 * per_db, 20 * per_db], abs=1)


def test_the_gain_is_above_zero_where_it_raises(tmp_path: Path) -> None:
    what = shown(900)
    what.gain_db[100:400], what.gain_db[500:800] = 9, -6
    pixels = drawn(tmp_path / "x.png", what)
    zero, up, down = (rows_of(pixels, GAIN, picture.GAIN, column).mean() for column in (50, 250, 650))
    per_db = (LINES - 1) / 24  # from -12 to 12
    assert zero == pytest.approx((LINES - 1) / 2, abs=1)
    assert zero - up == pytest.approx(9 * per_db, abs=1)
    assert down - zero == pytest.approx(6 * per_db, abs=1)


def test_gains_in_halves_are_averaged_as_they_are(tmp_path: Path) -> None:
    """The network's gains are float16, whose sums would lose their ends."""
    what = shown(1_600_000 // 4)._replace(gain_db=np.full(400_000, 8.03, np.float16))
    pixels = drawn(tmp_path / "x.png", what)
    rows = [rows_of(pixels, GAIN, picture.GAIN, column).tolist() for column in (10, 800, 1590)]
    assert rows[0] == rows[1] == rows[2]
    assert np.mean(rows[0]) == pytest.approx((12 - 8) * (LINES - 1) / 24, abs=1)


def test_the_tone_is_over_the_logarithm_of_frequency(tmp_path: Path) -> None:
    what = shown(900)
    what.tone_db[:] = np.where(bands.centres_hz() < 1000, -10, 10)
    pixels = drawn(tmp_path / "x.png", what)[:, : LEFT + picture.TONE_WIDTH]
    low, high = np.log(bands.EDGES_HZ)
    border = round((math.log(1000) - low) / (high - low) * picture.TONE_WIDTH)
    left, right = (rows_of(pixels, TONE, picture.AFTER, column).mean() for column in (border - 30, border + 30))
    assert left == pytest.approx((LINES - 1) * 22 / 24, abs=1.5)
    assert right == pytest.approx((LINES - 1) * 2 / 24, abs=1.5)


def test_silence_is_white(tmp_path: Path) -> None:
    pixels = drawn(tmp_path / "x.png", shown(900, SILENCE_DB))
    for top in (FIRST, SECOND):
        assert (pixels[top : top + PER_BAND * BANDS, LEFT : LEFT + 900] == 255).all()


def test_what_is_far_too_much_stays_in_its_panel(tmp_path: Path) -> None:
    what = shown(900)
    what.gain_db[:], what.tone_db[:] = default_rng(1).uniform(-200, 200, 900), 500
    pixels = drawn(tmp_path / "x.png", what)
    coloured = np.ptp(pixels, axis=2) > 40
    outside = np.ones(len(pixels), bool)
    for top in (LOUDNESS, GAIN, TONE):
        outside[top - picture.HEADING : top + LINES + 2] = False
    assert not coloured[outside].any()
    assert not coloured[:, : LEFT - 2].any()
    assert not coloured[:, LEFT + 902 :].any()


def test_a_title_is_one_line_and_no_wider_than_the_picture(tmp_path: Path) -> None:
    long = drawn(tmp_path / "x.png", shown(9), "two\nlines " + 40 * "and more ")
    assert long.shape[1] == LEFT + 560 + RIGHT
    assert (long[: picture.TOP, LEFT + 562 :] == 255).all()
    assert (long[10 + picture.TITLE + 6 : FIRST - picture.HEADING] == 255).all()
    empty = drawn(tmp_path / "y.png", shown(9), "")
    assert (empty[: picture.TOP] == 255).all()


def test_the_same_again_is_the_same_bytes(tmp_path: Path) -> None:
    chance = default_rng(2)
    levels = chance.uniform(-90, -20, (3000, BANDS)).astype(np.float32)
    gain_db = chance.normal(0, 3, 3000).astype(np.float32)
    what = Shown(levels, levels + 3, gain_db, levels[0] / 10, 3000 * HOP_S)
    for name in ("a.png", "b.png"):
        picture.draw(tmp_path / name, "x", what)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
