"""score on notation: MV2H's view of scores, pairs of notes, error rates of **kern, references."""

# mypy: disable-error-code="comparison-overlap"
# Fractions stand beside plain numbers here.

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clefkit import midi, notation, record, score
from clefkit.errors import InputError, MissingError, UsageError
from clefkit.midifile import KEY, META, METER, TEMPO
from clefkit.notation import kern, kern_write, midi_read, midi_write, musicxml_write
from clefkit.notation.model import Key, Note, Score
from clefkit.notation.played import unfolded
from clefkit.score import notation as kind
from clefkit.score.notation import music, mv2h, omr, origin, pairs, text

ROOT = Path(__file__).parent.parent
DATA = Path(__file__).parent / "data"
DEMO = ROOT / "demo" / "erinnerung.mxl"
REAL = (DEMO, DATA / "small.krn", DATA / "notation-brahms-magdalena.mxl", DATA / "notation-24a-grace-notes.xml")
RATES = ("kern_wer", "kern_ler", "kern_cer")
GOODNESS = tuple(each.name for each in kind.MEASURES if each.higher_is_better)
PIANO = """
**kern  **kern
*part1  *part1
*staff2  *staff1
*clefF4  *clefG2
*k[b-]  *k[b-]
*M3/4  *M3/4
4r  4c
=1  =1
4C  4d
4D  4e-
4E  8f
.  8g
=2  =2
2.F  [2a
.  4a]
=3  =3
4F  4cc
4r  4ff#
4C  4b-
==  ==
*-  *-
"""


def table(rows: str) -> Score:
    """A score whose fields stand between two spaces."""
    return kern.parse("\n".join(row.strip().replace("  ", "\t") for row in rows.strip().split("\n")))


def one(*lines: str) -> Score:
    """A score of one spine."""
    return kern.parse("\n".join(["**kern", *lines, "*-"]))


def edited(score: Score, place: int, **changes: Any) -> Score:
    """The score with one of its notes changed."""
    notes = [replace(note, **changes) if index == place else note for index, note in enumerate(score.notes)]
    return replace(score, notes=notes)


def aligned(reference: Score, estimate: Score) -> dict[str, Any]:
    return kind.compare(reference, estimate, "aligned")


def encoded(*conductor: tuple[int, bytes], notes: tuple[tuple[int, int, int], ...], ticks: int = 4) -> bytes:
    """A MIDI file of one track. conductor: (tick, meta event); notes: (onset, offset, key) in ticks"""
    rows = [*conductor]
    for onset, offset, key in notes:
        rows += [(onset, bytes([0x90, key, 64])), (offset, bytes([0x80, key, 64]))]
    body, before = bytearray(), 0
    for tick, message in sorted(rows, key=lambda row: (row[0], row[1][0] & 0xF0 != 0x80)):
        body += midi.variable(tick - before) + message
        before = tick
    return midi.file([midi.chunk(bytes(body))], ticks)


def meta(number: int, *body: int) -> bytes:
    return bytes([META, number, len(body), *body])


def made_of(path: Path, origin_file: Path, **facts: Any) -> Path:
    """Write the record of a file that was made of another one."""
    named = {"file": record.relative(origin_file, path.parent), "sha256": record.sha256(origin_file)}
    data = {"from": named, **facts, "file": path.name, "sha256": record.sha256(path)}
    record.beside(path).write_text(json.dumps(data), encoding="utf-8")
    return path


def measured(path: Path, **options: Any) -> dict[str, Any]:
    return score.measure(record.source(path), kind="notation", **options)


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
@pytest.mark.parametrize("protocol", ["aligned", "played", "written"])
def test_a_score_is_like_itself(path: Path, protocol: str) -> None:
    side = notation.read(path)
    found = kind.compare(side, side, protocol)
    assert {name: found[name] for name in RATES} == dict.fromkeys(RATES, 0.0)
    assert {"mv2h", "voice_f1", "time_signature_accuracy", "spelling_accuracy"} <= found.keys()
    assert {name: found[name] for name in GOODNESS if name in found} == {
        name: pytest.approx(1.0) for name in GOODNESS if name in found
    }
    assert "mv2h_bounded" not in found


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.stem)
def test_kern_of_our_writer_is_the_same_music(path: Path) -> None:
    side = notation.read(path)
    found = aligned(side, kern.parse(kern_write.text(side)))
    assert all(found[name] == 1.0 for name in GOODNESS if name in found)
    assert all(found[name] == 0.0 for name in RATES)


def test_music_is_what_the_java_converter_makes_of_midi() -> None:
    side = unfolded(notation.read(DATA / "small.krn"))
    theirs = (DATA / "small.mv2h.txt").read_text(encoding="utf-8").splitlines()
    ours = mv2h.text(music.music(side)).splitlines()
    anacrusis = "Hierarchy 3,2 1 a=2 0"  # our MIDI does not tell it
    assert {line.lower() for line in ours} ^ {line.lower() for line in theirs} == {
        anacrusis.lower(),
        anacrusis.replace("a=2", "a=0").lower(),
    }


def test_music_of_a_small_score() -> None:
    found = music.music(table(PIANO))
    assert [note for note in found.notes if note.voice == 1] == [
        mv2h.Note(48, 500, 500, 1000, 1), mv2h.Note(50, 1000, 1000, 1500, 1), mv2h.Note(52, 1500, 1500, 2000, 1),
        mv2h.Note(53, 2000, 2000, 3500, 1), mv2h.Note(53, 3500, 3500, 4000, 1), mv2h.Note(48, 4500, 4500, 5000, 1),
    ]  # fmt: skip
    assert mv2h.Note(69, 2000, 2000, 3500, 0) in found.notes  # tied
    assert list(found.tatums) == list(range(0, 5001, 250))
    assert list(found.hierarchies) == [mv2h.Hierarchy(3, 2, 1, 2, 0)]
    assert list(found.keys) == [mv2h.Key(5, major=True, time=0)]


@pytest.mark.parametrize(
    ("lines", "hierarchies", "tatum_ms"),
    [
        (["*M6/8", "2.c", "=", "2.c"], [(2, 3, 1, 0, 0)], 250),
        (["*M3/8", "4.c", "=", "4.c"], [(3, 2, 1, 0, 0)], 125),
        (["*M2/2", "1c", "=", "1c"], [(2, 2, 1, 0, 0)], 500),
        (["*M9/8", "8c", "=", "1..c"], [(3, 3, 1, 1, 0)], 250),
        (["*M4/4", "1c", "=", "2.c", "=:|!", "4c", "=", "1c"], [(4, 2, 1, 0, 0)], 250),  # a bar that a repeat cuts
        (["*M4/4", "1c", "=", "2c", "=", "1c"], [(4, 2, 1, 0, 0), (4, 2, 1, 0, 3000)], 250),  # a bar too short
        (["*M4/4", "1c", "=", "*M3/4", "2.c"], [(4, 2, 1, 0, 0), (3, 2, 1, 0, 2000)], 250),
    ],
)
def test_bars_and_beats(lines: list[str], hierarchies: list[tuple[int, ...]], tatum_ms: int) -> None:
    found = music.music(one(*lines))
    assert [tuple(each) for each in found.hierarchies] == hierarchies
    assert list(found.tatums) == list(range(0, found.tatums[-1] + 1, tatum_ms))


def test_absurd_lengths_are_refused() -> None:
    side = one("*M4/4", "1c")
    side.measures[0].length = Fraction(10**12)
    with pytest.raises(InputError, match="more than 1,000,000 beats"):
        music.music(side)


def test_keys_are_signatures_and_change() -> None:
    side = replace(one("*M4/4", "*k[f#]", "*e:", "1e", "=", "1e", "=", "1e"))
    side.keys += [Key(Fraction(4), 1, "major"), Key(Fraction(8), -3)]
    assert list(music.music(side).keys) == [mv2h.Key(7, major=True, time=0), mv2h.Key(3, major=True, time=4000)]


def test_grace_notes_have_no_time() -> None:
    plain, graced = one("*M2/4", "4c", "4d"), one("*M2/4", "4c", "16eeq", "4d")
    assert music.music(plain) == music.music(graced)
    found = aligned(plain, graced)
    assert found["mv2h"] == 1.0
    assert found["kern_wer"] > 0.0


def test_repeats_are_played_unless_signs_are_compared() -> None:
    signs = notation.read(DATA / "small.krn")
    out = unfolded(signs)
    assert signs.measures[-1].onset < out.measures[-1].onset
    assert aligned(signs, out)["mv2h"] == 1.0
    assert kind.compare(signs, out, "played")["kern_wer"] == 0.0
    once = replace(out, keys=out.keys[:1], clefs=out.clefs[:2])
    assert kind.compare(signs, once, "played")["kern_cer"] == 0.0
    assert kind.compare(signs, out, "written")["kern_wer"] > 0.0
    assert kind.compare(signs, out, "written")["mv2h_multi_pitch"] < 1.0


def test_a_missing_note() -> None:
    side = table(PIANO)
    found = aligned(side, replace(side, notes=side.notes[:-1]))
    assert len(music.held(side)) == 15
    assert found["mv2h_multi_pitch"] == pytest.approx(2 * 14 / (14 + 15))
    assert (found["ref_notes"], found["est_notes"]) == (16, 15)
    assert found["spelling_accuracy"] == 1.0


def test_a_note_with_another_letter() -> None:
    side = table(PIANO)
    sharp = next(index for index, note in enumerate(side.notes) if note.pitch == 78)
    found = aligned(side, edited(side, sharp, step="G"))
    assert found["spelling_accuracy"] == pytest.approx(14 / 15)
    assert found["mv2h"] == 1.0
    tokens = len(text.written(side).split())
    assert found["kern_wer"] == pytest.approx(1 / tokens)
    assert found["kern_ler"] == pytest.approx(1 / len(text.written(side).splitlines()))
    assert found["kern_cer"] == pytest.approx(3 / len(text.written(side)))  # 4ff# and 4gg-


def test_a_note_on_the_other_staff() -> None:
    side = table(PIANO)
    low = next(index for index, note in enumerate(side.notes) if note.pitch == 48)
    found = aligned(side, edited(side, low, staff=1))
    assert found["staff_accuracy"] == pytest.approx(14 / 15)
    assert found["mv2h_voice"] < 1.0


def test_staves_belong_together_by_their_order() -> None:
    song = table("**kern  **kern  **kern\n*part2  *part2  *part1\n*staff3  *staff2  *staff1\n*M4/4  *M4/4  *M4/4\n"
                 "4C  4c  4ccc\n4D  4d  4ddd\n4E  4e  4eee\n4F  4f  4fff\n*-  *-  *-")  # fmt: skip
    piano = replace(song, notes=[note for note in song.notes if note.part == 1])
    assert aligned(song, piano)["staff_accuracy"] == aligned(piano, song)["staff_accuracy"] == 1.0
    above = replace(song, notes=[replace(note, part=1, staff=max(note.staff, 1)) for note in song.notes])
    assert aligned(song, above)["staff_accuracy"] == aligned(above, song)["staff_accuracy"] == pytest.approx(2 / 3)
    crossed = replace(piano, notes=[replace(note, staff=3 - note.staff) for note in piano.notes])
    assert aligned(piano, crossed)["staff_accuracy"] == 0.0


def test_a_hand_may_be_a_part() -> None:
    side = table(PIANO)
    hands = table(PIANO.replace("*part1  *part1", "*part2  *part1"))
    assert len(hands.parts) == 2
    found = aligned(side, hands)
    assert found["staff_accuracy"] == found["mv2h_voice"] == found["voice_f1"] == 1.0


def test_steps_of_voices() -> None:
    voices = "*M4/4", "*^", "4cc\t4c", "4dd\t4d", "4ee\t4e", "4ff\t4f", "*v\t*v"
    crossed = "*M4/4", "*^", "4cc\t4c", "4dd\t4d", "4e\t4ee", "4f\t4ff", "*v\t*v"
    found = aligned(one(*voices), one(*crossed))
    assert found["voice_f1"] == pytest.approx(4 / 6)  # of three steps in each of two voices, the middle ones are wrong
    assert found["mv2h_voice"] == 1.0  # all on one staff
    chords = "*M4/4", "2c 2e 2g", "2c 2f 2a"
    assert aligned(one(*chords), one(*chords))["voice_f1"] == 1.0


def test_a_wrong_key_half_the_way() -> None:
    side = one("*M4/4", "*k[f#]", "1g", "=", "1a", "=", "1b", "=", "1cc")
    wrong = replace(side, keys=[*side.keys, Key(Fraction(8), 2)])
    found = aligned(side, wrong)
    assert found["key_accuracy"] == 0.5
    assert found["mv2h_harmony"] == 0.75  # a fifth off is half right
    assert "key_accuracy" not in aligned(replace(side, keys=[]), wrong)


def test_signatures_are_compared_at_the_same_notes() -> None:
    lines = ["=", "4c", "4d", "4e", "=", "*k[b-]", "4f", "4g", "4a", "=", "4b-", "4cc", "4dd"]
    side = one("*M3/4", "*k[]", *lines)
    later = one("*M3/4", "*k[]", "4ff", "4ff", "4ff", "=", *lines)
    found = kind.compare(side, later)
    assert found["key_accuracy"] == found["time_signature_accuracy"] == 1.0
    assert kind.compare(later, side)["key_accuracy"] == 1.0
    assert aligned(side, later)["key_accuracy"] == pytest.approx(2 / 3)
    faster = replace(one("*M3/8", "*k[]", *(line.replace("4", "8") for line in lines)))
    assert kind.compare(side, faster)["key_accuracy"] == 1.0
    assert kind.compare(side, faster)["time_signature_accuracy"] == 0.0


def test_pairs_are_a_longest_common_subsequence() -> None:
    side = one("*M4/4", "4c", "4d", "4e", "4f")
    other = one("*M4/4", "4d", "4c", "4e", "4g")
    assert [(one.note.pitch, two.note.pitch) for one, two in pairs.pairs(side, other)] in ([(60, 60), (64, 64)],
        [(62, 62), (64, 64)])  # fmt: skip
    assert [pair[0].note.pitch for pair in pairs.pairs_in_place(side, other)] == [64]


def test_of_two_that_sound_the_same_one_may_be_missing() -> None:
    rows = "**kern  **kern", "*M4/4  *M4/4", "4c  4c", "4d  4d", "4e  4e", "4f  4f", "*-  *-"
    side = table("\n".join(rows))
    for place in range(8):
        kept = replace(side, notes=[note for index, note in enumerate(side.notes) if index != place])
        for protocol in ("aligned", "played"):
            found = kind.compare(side, kept, protocol)
            assert found["staff_accuracy"] == found["voice_f1"] == 1.0
            found = kind.compare(kept, side, protocol)
            assert found["staff_accuracy"] == found["voice_f1"] == 1.0


TOKENS = st.lists(st.sampled_from(["4c", "4d", "8e", ".", "4r"]), min_size=1, max_size=12)


def edits(one: list[str], other: list[str]) -> int:
    """Levenshtein's distance, from its definition."""
    row = list(range(len(other) + 1))
    for count, token in enumerate(one, 1):
        row, above = [count], row
        for place, second in enumerate(other):
            row.append(min(above[place] + (token != second), above[place + 1] + 1, row[place] + 1))
    return row[-1]


@settings(derandomize=True, deadline=None)
@given(TOKENS, TOKENS)
def test_rates_are_edits_for_each_token(reference: list[str], estimate: list[str]) -> None:
    found = text.rates("\n".join(reference), "\n".join(estimate))
    assert found["kern_wer"] == found["kern_ler"] == pytest.approx(edits(reference, estimate) / len(reference))
    letters = list("\n".join(reference)), list("\n".join(estimate))
    assert found["kern_cer"] == pytest.approx(edits(*letters) / len(letters[0]))


def test_names_numbers_words_and_dynamics_are_no_kern_errors() -> None:
    side = notation.read(DEMO)
    parts = [replace(part, name="", program=3) for part in side.parts]
    counted = [replace(measure, number=str(measure.index + 7)) for measure in side.measures]
    bare = replace(side, parts=parts, measures=counted, title="", texts=[], dynamics=[], wedges=[], tempos=[])
    assert kern_write.text(bare) != kern_write.text(side)
    assert text.written(bare) == text.written(side)
    assert not [line for line in text.written(side).splitlines() if line.startswith("!")]


def test_texts_too_long_to_compare_have_no_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "MOST_WORK", 80)
    assert text.rates("4c 4d", "4c 4d 4e").keys() == {"kern_wer", "kern_ler", "kern_cer"}
    assert text.rates("4c 4d 4e", "4c 4d 4e 4f").keys() == {"kern_wer", "kern_ler"}


PITCHES = st.integers(48, 84)
LINES = st.lists(st.tuples(PITCHES, st.sampled_from([1, 2, 3, 4])), min_size=1, max_size=12)


def melody(line: list[tuple[int, int]]) -> Score:
    """Notes of so many eighths one after the other, in bars of 4/4."""
    side = one("*M4/4", *["1c", "="] * (sum(length for _, length in line) // 8 + 1))
    onset = Fraction(0)
    side.notes.clear()
    for index, (pitch, length) in enumerate(line):
        place = int(onset // 4)
        side.notes.append(Note(f"n{index}", 0, place, onset, Fraction(length, 2), pitch, "C"))
        onset += Fraction(length, 2)
    return side


@settings(derandomize=True, deadline=None, max_examples=40)
@given(LINES, LINES)
def test_all_that_is_measured_is_in_its_range(
    reference: list[tuple[int, int]], estimate: list[tuple[int, int]]
) -> None:
    sides = melody(reference), melody(estimate)
    for protocol in ("aligned", "played"):
        found = kind.compare(*sides, protocol)
        assert all(0.0 <= found[name] <= 1.0 for name in GOODNESS if name in found)
        assert all(found[name] >= 0.0 for name in RATES)
    mirrored = aligned(sides[1], sides[0])
    assert aligned(*sides)["mv2h_multi_pitch"] == pytest.approx(mirrored["mv2h_multi_pitch"])
    assert aligned(sides[0], sides[0])["mv2h"] == 1.0 or len(reference) == 1  # a note alone takes no step


def test_midi_of_notation_is_the_same_music(tmp_path: Path) -> None:
    side = table(PIANO.partition("=3")[0] + "==  ==\n*-  *-")
    side = replace(side, parts=[replace(side.parts[0]), replace(side.parts[0])])
    hands = [replace(note, part=note.staff - 1, staff=1) for note in side.notes]
    path = tmp_path / "x.mid"
    path.write_bytes(midi_write.encode(replace(side, notes=hands)))
    again = midi_read.read(path)
    assert [(n.onset, n.duration, n.pitch, n.part) for n in sorted(again.notes, key=lambda n: (n.part, n.onset))] == [
        (r.note.onset, r.end - r.note.onset, r.note.pitch, r.note.staff - 1)
        for r in sorted(music.held(side), key=lambda r: (r.note.staff, r.note.onset))
    ]
    assert again.keys == [Key(Fraction(0), -1, "major")]
    found = aligned(side, again)
    assert found["mv2h_multi_pitch"] == found["mv2h_voice"] == found["mv2h_value"] == found["staff_accuracy"] == 1.0
    assert not {"spelling_accuracy", "voice_f1", *RATES} & found.keys()


def test_midi_with_a_pickup_as_notation_programs_write_it(tmp_path: Path) -> None:
    path = tmp_path / "x.mid"
    meters = (0, meta(METER, 1, 2, 24, 8)), (4, meta(METER, 3, 2, 24, 8))
    keys = (0, meta(KEY, 253, 1)), (16, meta(KEY, 2, 0))
    path.write_bytes(encoded(*meters, *keys, notes=((0, 4, 60), (4, 16, 62), (16, 24, 64)), ticks=4))
    side = midi_read.read(path)
    assert [(m.onset, m.length, m.time, m.implicit) for m in side.measures] == [
        (0, 1, (3, 4), True), (1, 3, (3, 4), False), (4, 3, (3, 4), False)
    ]  # fmt: skip
    assert side.keys == [Key(Fraction(0), -3, "minor"), Key(Fraction(4), 2, "major")]
    assert list(music.music(side).hierarchies) == [mv2h.Hierarchy(3, 2, 1, 2, 0)]


def test_bar_lines_of_midi_are_those_of_the_score(tmp_path: Path) -> None:
    """A pickup, a bar that a repeat cuts, a last bar that the pickup makes whole; one that is just too short."""
    bars = "8c", "2c", "4.d", "8e", "2f", "4g", "2a", "4.b"
    side = one("*M2/4", *"\n=\n".join(bars).split("\n"))
    side.measures[0].implicit = True
    path = tmp_path / "x.mid"
    path.write_bytes(midi_write.encode(side))
    again = midi_read.read(path)
    assert [(m.onset, m.length) for m in again.measures] == [(m.onset, m.length) for m in side.measures]
    assert [m.time for m in again.measures] == [(2, 4)] * 5 + [(1, 4)] + [(2, 4)] * 2
    assert aligned(side, again)["mv2h_meter"] == 1.0
    assert music.music(again).hierarchies[0] == mv2h.Hierarchy(2, 2, 1, 1, 0)


def test_bars_that_midi_has_no_name_for_keep_the_next_bar_line(tmp_path: Path) -> None:
    side = one("*M2/4", "2c", "=", "12d", "=", "2e", "=", "2f")
    path = tmp_path / "x.mid"
    path.write_bytes(midi_write.encode(side))
    assert [m.onset for m in midi_read.read(path).measures] == [0, 2, Fraction(7, 3), Fraction(13, 3)]


def test_a_time_signature_may_cut_a_measure_short(tmp_path: Path) -> None:
    path = tmp_path / "x.mid"
    path.write_bytes(
        encoded((0, meta(METER, 4, 2, 24, 8)), (24, meta(METER, 2, 2, 24, 8)), notes=((0, 36, 60),), ticks=4)
    )
    side = midi_read.read(path)
    assert [(m.onset, m.length, m.time) for m in side.measures] == [
        (0, 4, (4, 4)), (4, 2, (4, 4)), (6, 2, (2, 4)), (8, 2, (2, 4))
    ]  # fmt: skip


def test_midi_times_follow_the_tempo(tmp_path: Path) -> None:
    path = tmp_path / "x.mid"
    slow, fast = (0, meta(TEMPO, 0x0F, 0x42, 0x40)), (8, meta(TEMPO, 0x03, 0xD0, 0x90))
    notes = tuple((start, start + 3, 60 + start) for start in range(0, 40, 3))
    path.write_bytes(encoded((0, meta(METER, 4, 2, 24, 8)), slow, fast, notes=notes, ticks=4))
    side = midi_read.read(path)
    heard = music.music(side, music.by_tempo(side))
    assert [note.onset / 1000 for note in heard.notes] == pytest.approx(midi.read(path).notes.onset.tolist(), abs=6e-4)
    assert [note.value_offset / 1000 for note in heard.notes] == pytest.approx(
        midi.read(path).notes.offset.tolist(), abs=6e-4
    )


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (encoded(notes=((0, 4, 60),)), "no bar lines"),
        (encoded((0, meta(METER, 4, 2, 24, 8)), notes=((0, 4, 60),), ticks=0xE728), "no bar lines"),
        (b"MThd", "ends too early"),
        (encoded((0, meta(METER, 4, 2, 24, 8)), notes=()), "without notes"),
    ],
)
def test_midi_that_is_no_notation(tmp_path: Path, data: bytes, says: str) -> None:
    path = tmp_path / "x.mid"
    path.write_bytes(data)
    with pytest.raises(InputError, match=says):
        measured(path, ref=str(DEMO))


def test_performances_are_compared_in_seconds(tmp_path: Path) -> None:
    meter, key = (0, meta(METER, 4, 2, 24, 8)), (0, meta(KEY, 0, 0))
    notes = tuple((start, start + 4, 60 + start) for start in range(0, 32, 4))
    late = tuple((start + (start == 8), end, pitch) for start, end, pitch in notes)
    reference, estimate = tmp_path / "a.mid", tmp_path / "b.mid"
    reference.write_bytes(encoded(meter, key, notes=notes, ticks=4))
    estimate.write_bytes(encoded(meter, key, notes=late, ticks=4))
    found = measured(estimate, ref=str(reference), protocol="performance")
    assert found["mv2h_multi_pitch"] == pytest.approx(7 / 8)  # an eighth of a second late is too late
    assert found["mv2h_meter"] == found["key_accuracy"] == 1.0
    assert "staff_accuracy" not in found
    slower = (0, meta(TEMPO, 0x0F, 0x42, 0x40))
    estimate.write_bytes(encoded(meter, key, slower, notes=notes, ticks=4))
    assert measured(estimate, ref=str(reference), protocol="performance")["mv2h_meter"] < 0.5
    assert measured(estimate, ref=str(reference), protocol="aligned")["mv2h"] == 1.0
    with pytest.raises(InputError, match="does not say when"):
        measured(estimate, ref=str(DEMO), protocol="performance")


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    """A sound with the record of its making, twice as slow as 120, without repeats."""
    page = tmp_path / "page.krn"
    page.write_bytes((DATA / "small.krn").read_bytes())
    sound = tmp_path / "page.wav"
    sound.write_bytes(b"no sound")
    timemap = {
        "columns": ["measure", "turn", "beat", "quarter", "time_s"],
        "rows": [["0", 1, 3.0, 0, 0.0], ["1", 1, 1.0, 1, 1.0]],
    }
    made_of(sound, page, stage="render", options={"repeats": "none"}, parts=[{"name": "Piano"}], timemap=timemap)
    return sound


def test_records_lead_to_the_score_as_it_was_played(tmp_path: Path, rendered: Path) -> None:
    side = notation.read(DATA / "small.krn")
    side.order = list(range(len(side.measures)))
    transcript = tmp_path / "page.notes.musicxml"
    transcript.write_text(musicxml_write.text(unfolded(side)), encoding="utf-8")
    found = measured(made_of(transcript, rendered, stage="transcribe"))
    assert found["reference"] == str(tmp_path / "page.krn")
    assert found["mv2h_multi_pitch"] == found["spelling_accuracy"] == 1.0
    assert found["ref_measures"] == found["est_measures"] == 5
    assert found["protocol"] == "played"


def test_records_tell_when_the_score_was_heard(tmp_path: Path, rendered: Path) -> None:
    side = notation.read(DATA / "small.krn")
    side.order = list(range(len(side.measures)))
    side = unfolded(side)
    played = tmp_path / "page.mid"
    side.tempos = [side.tempos[0]._replace(quarters_per_minute=60.0)]
    played.write_bytes(midi_write.encode(replace(side, notes=[note for note in side.notes if not note.grace])))
    found = measured(made_of(played, rendered, stage="transcribe"), protocol="performance")
    assert found["mv2h_multi_pitch"] == found["mv2h_harmony"] == 1.0
    data = record.load(record.beside(rendered))
    damaged: list[list[Any]] = [[["0", 1, 3.0, 0, 0.0], ["1", 1, 1.0, 1, float("nan")]], [["0", 1, 3.0, 0, 0.0]], [[]]]
    for rows in damaged:
        data["timemap"]["rows"] = rows
        record.beside(rendered).write_text(json.dumps(data), encoding="utf-8")
        with pytest.raises(InputError, match="timemap"):
            measured(played, protocol="performance")
    del data["timemap"]
    record.beside(rendered).write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(InputError, match="does not say when"):
        measured(played, protocol="performance")


def test_a_stem_is_compared_with_its_part(tmp_path: Path) -> None:
    whole = notation.read(DEMO)
    page = tmp_path / "page.mxl"
    page.write_bytes(DEMO.read_bytes())
    stem = tmp_path / "page.3-cembalo.wav"
    stem.write_bytes(b"no sound")
    made_of(stem, page, stage="render", options={"repeats": "full"}, parts=[{"name": "Cembalo Piano"}])
    alone = origin._only(whole, {2: 0})
    transcript = tmp_path / "page.3-cembalo.krn"
    transcript.write_text(kern_write.text(alone), encoding="utf-8")
    found = measured(made_of(transcript, stem, stage="transcribe"), protocol="aligned")
    assert found["mv2h"] == 1.0
    assert found["kern_wer"] == 0.0
    assert found["ref_notes"] == sum(note.part == 2 for note in whole.notes)


def test_references_that_are_not_there(tmp_path: Path, rendered: Path) -> None:
    transcript = tmp_path / "page.notes.krn"
    transcript.write_bytes((DATA / "small.krn").read_bytes())
    with pytest.raises(InputError, match="no reference: give --ref"):
        measured(transcript)
    made_of(transcript, rendered, stage="transcribe")
    page = tmp_path / "page.krn"
    page.write_text(page.read_text(encoding="utf-8").replace("4d", "4e"), encoding="utf-8")
    with pytest.raises(InputError, match=r"its reference page\.krn is missing or was edited since"):
        measured(transcript)
    assert measured(transcript, ref=str(tmp_path), protocol="aligned")["reference"] == str(page)


@pytest.mark.parametrize("name", ["x.musicxml", "x.mxl", "x.krn", "x.mid", "x.abc"])
def test_damaged_files_are_told(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(DEMO.read_bytes()[:500])
    with pytest.raises(InputError):
        measured(path, ref=str(DEMO))
    good = tmp_path / "y.krn"
    good.write_bytes((DATA / "small.krn").read_bytes())
    with pytest.raises(InputError, match=f"its reference {name}"):
        measured(good, ref=str(path))


def test_kern_as_it_is(tmp_path: Path) -> None:
    verbatim = (DATA / "small.krn").read_text(encoding="utf-8")
    path = tmp_path / "x.krn"
    path.write_text(verbatim.replace("4d\tp", "4dd\tp").replace("!!!COM: Nobody\n", "\r\n"), encoding="utf-8")
    found = measured(path, ref=str(DATA / "small.krn"), protocol="kern-verbatim")
    tokens = [token for line in verbatim.splitlines() if not line.startswith("!") for token in line.split()]
    assert found["kern_wer"] == pytest.approx(1 / len(tokens))
    with pytest.raises(InputError, match="no \\*\\*kern file"):
        measured(path, ref=str(DEMO), protocol="kern-verbatim")


def test_omr_ned_asks_for_musicdiff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(MissingError, match="pip install 'clefkit\\[omr\\]'"):
        measured(DEMO, ref=str(DEMO), protocol="omr")


def test_omr_ned_is_musicdiffs(tmp_path: Path) -> None:
    pytest.importorskip("musicdiff")
    small = DATA / "small.krn"
    other = tmp_path / "x.krn"
    other.write_text(small.read_text(encoding="utf-8").replace("2g", "2a"), encoding="utf-8")
    assert measured(small, ref=str(small), protocol="omr")["omr_ned"] == 0.0
    assert 0.0 < omr.ned(small, other) < 0.2
    with pytest.raises(InputError, match="more than"):
        omr.ned(small, other, longest_s=0.01)
    damaged = tmp_path / "x.musicxml"
    damaged.write_text("<score-partwise", encoding="utf-8")
    with pytest.raises(InputError, match="musicdiff can't compare"):
        omr.ned(small, damaged)
    with pytest.raises(InputError, match="of no kind"):
        omr.ned(small, tmp_path / "x.pae")


def test_protocols_are_known() -> None:
    with pytest.raises(UsageError, match="no protocol"):
        measured(DEMO, ref=str(DEMO), protocol="mirex")


def test_the_kind_is_light_to_import() -> None:
    code = "import sys, clefkit.score.notation; print({'numpy', 'lxml', 'rapidfuzz'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
