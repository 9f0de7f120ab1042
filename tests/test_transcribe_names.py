"""Parts get the names of the instruments that `tag` hears when they play."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from clefkit import notes as music
from clefkit.errors import UsageError
from clefkit.notes import Notes, Part
from clefkit.tag.infer import NAMES, Heard
from clefkit.tag.vocabulary import DESCRIBED, LEAVES
from clefkit.transcribe import names, settings

CELLS = 40


def heard(**probabilities: Any) -> Heard:
    """An instrument's probability in each cell, by its name; what isn't given isn't there."""
    cells = np.full((CELLS, len(NAMES)), 0.02)
    for name, values in probabilities.items():
        cells[:, NAMES.index(name)] = values
    shape = (CELLS, len(LEAVES))
    sounds = np.ones((len(LEAVES), len(DESCRIBED)))
    return Heard(
        CELLS / 10, cells.max(axis=0), cells.astype(np.float16), np.ones(shape, np.float32),
        np.ones(CELLS, np.float32), sounds, sounds, np.ones(64),
    )  # fmt: skip


def played(*parts: tuple[float, float, float]) -> Notes:
    """A note a part: onset, offset, pitch."""
    onset, offset, pitch = np.array(parts).T
    unnamed = tuple(Part(f"timbre {number + 1}", 43) for number in range(len(parts)))
    return music.make(onset, offset, pitch, np.full(len(parts), 80), np.arange(len(parts)), unnamed)


def told(notes: Notes, by: Heard, *, apart: bool = True) -> list[tuple[str, int]]:
    return [part[:2] for part in names.named(notes, by, apart=apart).parts]


FIRST, LAST = (np.where(first, 0.9, 0.05) for first in (np.arange(CELLS) < 20, np.arange(CELLS) >= 20))


def test_a_part_is_what_sounds_when_it_plays() -> None:
    both = played((0, 2, 72), (2, 4, 60))
    assert told(both, heard(flute=FIRST, piano=LAST)) == [("flute", 73), ("piano", 0)]
    assert told(both, heard(flute=LAST, piano=FIRST)) == [("piano", 0), ("flute", 73)]


def test_where_a_part_plays_alone_tells_most() -> None:
    always = np.full(CELLS, 0.9)
    assert told(played((0, 4, 72), (0, 2, 60)), heard(flute=FIRST, piano=always)) == [("piano", 0), ("flute", 73)]


def test_what_fits_nothing_keeps_its_number() -> None:
    notes = played((0, 2, 72), (2, 4, 60))
    assert told(notes, heard(flute=FIRST)) == [("flute", 73), ("timbre 2", 43)]
    assert told(notes, heard()) == [("timbre 1", 43), ("timbre 2", 43)]
    assert told(notes, heard(drums=FIRST)) == [("timbre 1", 43), ("timbre 2", 43)]


def test_two_parts_of_one_name_are_numbered() -> None:
    always = np.full(CELLS, 0.95)
    assert told(played((0, 4, 72), (0, 4, 60)), heard(violin=always)) == [("violin 1", 40), ("violin 2", 40)]


def test_the_program_fits_the_pitch() -> None:
    always = np.full(CELLS, 0.9)
    for pitch, program in ((45, 70), (72, 68)):
        assert told(played((0, 4, pitch)), heard(double_reed=always)) == [("double reed", program)]


def test_all_in_one_part_has_a_name_only_if_one_instrument_plays() -> None:
    one = played((0, 4, 60))
    assert told(one, heard(violin=FIRST), apart=False) == [("violin", 40)]
    assert told(one, heard(violin=FIRST, piano=LAST), apart=False) == [("timbre 1", 43)]


def test_notes_beyond_the_sound_do_no_harm() -> None:
    assert told(played((3, 9, 60), (20, 21, 60)), heard(violin=LAST)) == [("violin", 40), ("timbre 2", 43)]


@pytest.mark.parametrize("model", ["notes", "notes-small"])
def test_notes_of_every_network_are_told_apart_and_named(model: str) -> None:
    options = settings.options(model)
    assert options["instruments"] is None
    assert options["timbre"].name.startswith("timbre-")
    assert options["tagger"].name.startswith("tag-")
    assert settings.options(model, names="none")["tagger"] is None
    assert settings.options(model, instruments="3")["instruments"] == 3
    with pytest.raises(UsageError, match="no model"):
        settings.options(model, names="nothing")


def test_nothing_changes_but_the_parts() -> None:
    notes = played((0, 2, 72), (2, 4, 60))
    found = names.named(notes, heard(flute=FIRST, piano=LAST), apart=True)
    for name in ("onset", "offset", "pitch", "velocity", "part"):
        assert np.array_equal(getattr(found, name), getattr(notes, name))


def stem(**probabilities: float) -> Heard:
    return heard(**{name: np.full(CELLS, value) for name, value in probabilities.items()})


@pytest.mark.parametrize(
    ("heard_in_it", "called"),
    [
        ({"flute": 0.9, "piano": 0.4}, "flute"),
        ({"flute": 0.9, "piano": 0.85}, "timbre 1"),
        ({"flute": 0.65}, "timbre 1"),
        ({"flute": 1.0, "drums": 1.0}, "flute"),
        ({"drums": 0.9}, "timbre 1"),
        ({}, "timbre 1"),
    ],
)
def test_a_stem_is_called_what_it_clearly_is(heard_in_it: dict[str, float], called: str) -> None:
    found = names.of_stems(played((0, 2, 72)), [stem(**heard_in_it)])
    assert found.parts[0].name == called


def test_stems_of_one_name_are_numbered() -> None:
    found = names.of_stems(
        played((0, 2, 72), (2, 4, 60), (0, 4, 40)), [stem(flute=0.9), stem(piano=0.9), stem(flute=0.9)]
    )
    assert [part[:2] for part in found.parts] == [("flute 1", 73), ("piano", 0), ("flute 2", 73)]
