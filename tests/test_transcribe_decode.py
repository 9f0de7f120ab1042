"""transcribe: from the outputs of a network to notes, where the right answer is known exactly."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from clefkit import features, notes
from clefkit.transcribe.decode import Decoder, Thresholds
from clefkit.transcribe.thresholds import moved

Array = NDArray[np.float32]
PLAIN = Thresholds(onset=0.5, again=0.5, frame=0.4, sustain=0.3)
ONSET, FRAME, OFFSET, VELOCITY = range(4)


def silence(frames: int) -> Array:
    """What a network says of nothing."""
    outputs = np.zeros((frames, 4, features.PITCHES), np.float32)
    outputs[:, VELOCITY] = 0.5
    return outputs


def play(outputs: Array, onset: float, offset: float, pitch: int, height: float = 1.0, frame: float = 1.0) -> None:
    """What a perfect network says of a note: triangles at its onset and offset, in frames."""
    frames = np.arange(len(outputs))
    for row, time in ((ONSET, onset), (OFFSET, offset)):
        column = outputs[:, row, pitch - features.LOWEST_PITCH]
        np.maximum(column, height * np.clip(1 - np.abs(frames - time) / 2, 0, 1), out=column)
    outputs[int(np.ceil(onset)) : int(np.ceil(offset)), FRAME, pitch - features.LOWEST_PITCH] = frame


def without_offsets(outputs: Array) -> Array:
    """As a network says it that has no such output."""
    silent = outputs.copy()
    silent[:, OFFSET] = 0
    return silent


def decoded(outputs: Array, thresholds: Thresholds = PLAIN, cuts: list[int] | None = None) -> notes.Notes:
    decoder = Decoder(thresholds)
    for piece in np.split(outputs, cuts or []):
        decoder.push(piece)
    return decoder.finish()


def in_frames(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(seconds * features.FRAMES_PER_SECOND)


def test_the_time_between_frames_is_told() -> None:
    outputs = silence(60)
    for onset, pitch in ((10.0, 60), (20.3, 61), (30.75, 62)):
        play(outputs, onset, onset + 8, pitch)
    for heard, exact in ((outputs, 0.01), (without_offsets(outputs), 1.0)):
        found = decoded(heard)
        assert found.pitch.tolist() == [60, 61, 62]
        assert np.allclose(in_frames(found.onset), [10.0, 20.3, 30.75], atol=0.01)
        assert np.allclose(in_frames(found.offset - found.onset), 8, atol=exact)
        assert set(found.velocity.tolist()) == {64}


@pytest.mark.parametrize("late", [-5.0, -2.4, 1.6])
def test_a_note_ends_at_the_peak_of_the_offset_near_the_fall(late: float) -> None:
    outputs = silence(80)
    play(outputs, 10.0, 40.0, 60)
    outputs[:, OFFSET] = 0
    play(outputs, 40.0 + late, 40.0 + late, 60)
    outputs[:, ONSET, 60 - features.LOWEST_PITCH] *= np.arange(80) < 20
    outputs[10:40, FRAME, 60 - features.LOWEST_PITCH] = 1
    assert in_frames(decoded(outputs).offset)[0] == pytest.approx(40 + late, abs=0.01)


def test_a_note_ends_at_the_highest_offset_since_its_onset() -> None:
    pitch = 60 - features.LOWEST_PITCH
    outputs = silence(700)
    play(outputs, 10.0, 600.0, 60)
    outputs[:, OFFSET] = 0
    for row, height in ((9, 1.0), (11, 0.5), (120, 0.7), (380, 0.9), (599, 0.6), (604, 1.0)):
        outputs[row, OFFSET, pitch] = height
    assert in_frames(decoded(outputs).offset).tolist() == pytest.approx([380.0])
    outputs[250:254, ONSET, pitch] = [0.2, 1.0, 0.2, 0.0]
    assert in_frames(decoded(outputs).offset).tolist() == pytest.approx([120.0, 380.0]), "of each its own"
    outputs[:, OFFSET] *= 0.2
    too_low = decoded(outputs, PLAIN._replace(offset=0.3))
    assert in_frames(too_low.offset).tolist() == pytest.approx([251.0, 599.5])


def test_repeated_notes_meet_or_end_at_the_offset_between_them() -> None:
    outputs = silence(60)
    play(outputs, 10.0, 20.0, 60)
    play(outputs, 20.0, 30.0, 60)
    found = decoded(without_offsets(outputs))
    assert len(found) == 2
    assert found.offset[0] == found.onset[1]
    outputs[:, OFFSET, 60 - features.LOWEST_PITCH] = np.clip(1 - np.abs(np.arange(60) - 17.5) / 2, 0, 1)
    assert in_frames(decoded(outputs).offset)[0] == pytest.approx(17.5, abs=0.01)


def test_a_short_dip_does_not_end_a_note_and_a_long_one_does() -> None:
    outputs = silence(60)
    play(outputs, 5.0, 35.0, 60)
    outputs[15:18, FRAME] = 0
    assert in_frames(decoded(without_offsets(outputs)).offset)[0] == pytest.approx(34.5)
    outputs[15:20, FRAME] = 0
    assert in_frames(decoded(without_offsets(outputs)).offset)[0] == pytest.approx(14.5)


def test_an_onset_that_never_sounds_is_no_note() -> None:
    outputs = silence(30)
    play(outputs, 10.0, 10.0, 60)
    assert len(decoded(outputs)) == 0


def test_notes_at_the_first_and_the_last_frame() -> None:
    outputs = silence(50)
    play(outputs, 0.0, 5.0, 60)
    play(outputs, 49.0, 50.0, 72)
    # what lay before the first frame is not known, so the time between frames isn't either
    assert np.allclose(in_frames(decoded(outputs).onset), [0.0, 49.0], atol=0.51)


def test_nothing_is_nothing() -> None:
    assert len(Decoder(PLAIN).finish()) == 0
    assert len(decoded(silence(1))) == 0


def test_the_confidence_grows_with_the_onset_and_with_the_frames() -> None:
    outputs = silence(100)
    for pitch, height, frame in ((50, 1.0, 1.0), (60, 0.64, 1.0), (70, 1.0, 0.49)):
        play(outputs, 10.0, 90.0, pitch, height, frame)
    found = decoded(outputs)
    assert found.confidence is not None
    assert np.allclose(found.confidence, [1.0, 0.8, 0.7], atol=0.01)


def test_confidence_does_not_depend_on_where_a_block_begins() -> None:
    outputs = silence(1400)
    play(outputs, 100.0, 1300.0, 60, 1.0, 0.81)
    found = decoded(outputs)
    assert found.confidence is not None
    assert found.confidence[0] == pytest.approx(0.9, abs=1e-4)


def test_an_overtone_that_begins_with_a_stronger_note_needs_a_higher_onset() -> None:
    outputs = silence(60)
    play(outputs, 10.0, 40.0, 48)
    play(outputs, 11.0, 40.0, 60, height=0.6)
    play(outputs, 11.0, 40.0, 65, height=0.6)  # no overtone of 48
    play(outputs, 30.0, 40.0, 67, height=0.6)  # one, but later
    assert decoded(outputs).pitch.tolist() == [48, 60, 65, 67]
    assert decoded(outputs, PLAIN._replace(ghost=0.7)).pitch.tolist() == [48, 65, 67]
    assert decoded(outputs, PLAIN._replace(ghost=0.55)).pitch.tolist() == [48, 60, 65, 67]


def test_a_repeated_onset_counts_when_it_is_high_or_the_frames_dip() -> None:
    careful = PLAIN._replace(again=0.9, dip=0.3)
    outputs = silence(80)
    play(outputs, 10.0, 60.0, 60, height=0.8)
    outputs[30, ONSET, 60 - features.LOWEST_PITCH] = 0.8
    assert len(decoded(outputs)) == 2
    assert len(decoded(outputs, careful)) == 1
    outputs[28:30, FRAME, 60 - features.LOWEST_PITCH] = 0.5
    assert len(decoded(outputs, careful)) == 2
    assert len(decoded(outputs, careful._replace(dip=1.0))) == 1


def test_a_frame_output_that_rises_and_stays_begins_a_note_when_it_may() -> None:
    outputs = silence(80)
    play(outputs, 20.0, 50.0, 60)
    outputs[:, ONSET] = 0.1
    assert len(decoded(outputs)) == 0
    found = decoded(outputs, PLAIN._replace(legato=0.8))
    assert in_frames(found.onset).tolist() == pytest.approx([19.5])
    assert in_frames(found.offset).tolist() == pytest.approx([50.0], abs=0.01)
    for begun in range(250, 270):  # around the end of a block
        late = silence(400)
        late[begun:, FRAME, 60 - features.LOWEST_PITCH] = np.minimum(np.arange(400 - begun) * 0.12, 0.9)
        found = decoded(late, PLAIN._replace(legato=0.8))
        assert in_frames(found.onset).tolist() == pytest.approx([begun + 3.5])  # .36 is low, .48 no more
    outputs[23:, FRAME] = 0  # too short
    assert len(decoded(outputs, PLAIN._replace(legato=0.8))) == 0


def test_how_frames_arrive_changes_nothing() -> None:
    generator = np.random.default_rng(3)
    outputs = generator.uniform(0, 1, (900, 4, features.PITCHES)).astype(np.float32) ** 3
    outputs[:, 1] = np.clip(np.cumsum(outputs[:, 1] - outputs[:, 1].mean(), axis=0) / 8 + 0.5, 0, 1)  # slower
    for thresholds in (PLAIN, Thresholds(0.5, 0.7, 0.5, 0.3, offset=0.4, ghost=0.6, dip=0.2, legato=0.7)):
        whole = decoded(outputs, thresholds)
        assert len(whole) > 500
        for seed in range(3):
            cuts = sorted(np.random.default_rng(seed).integers(0, 901, 60).tolist())
            again = decoded(outputs, thresholds, cuts)
            for name in ("onset", "offset", "pitch", "velocity", "confidence"):
                assert np.array_equal(getattr(again, name), getattr(whole, name))
        assert np.array_equal(decoded(outputs, thresholds, list(range(1, 900))).intervals, whole.intervals)


@pytest.mark.parametrize("frames_per_second", [22050 / 256, 100.0, 20.0])
def test_other_frame_rates_and_beginnings(frames_per_second: float) -> None:
    outputs = silence(900)
    play(outputs, 700.25, 760.0, 60)
    decoder = Decoder(PLAIN, frames_per_second, first_s=0.5)
    decoder.push(outputs)
    found = decoder.finish()
    assert found.onset == pytest.approx([0.5 + 700.25 / frames_per_second], abs=1e-3)
    assert found.offset == pytest.approx([0.5 + 760 / frames_per_second], abs=1e-3)


def test_half_moves_no_threshold_and_the_ends_move_all() -> None:
    thresholds = Thresholds(0.3, 0.35, 0.4, 0.2, ghost=0.0, legato=1.0)
    assert moved(thresholds, 0.5) == pytest.approx(thresholds)
    onsets = [moved(thresholds, each / 10).onset for each in range(11)]
    assert onsets == sorted(onsets)
    assert (onsets[0], onsets[-1]) == (0, 1)
    assert moved(thresholds, 0.9)[2:] == thresholds[2:]
