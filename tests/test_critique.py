"""critique: the verdict, the notes to blame, what must not move the score, and the command."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from conftest import Shell
from excerpts import excerpts

from clefkit import critique, notes, registry
from clefkit.critique import context, findings, infer, reading
from clefkit.critique.corrupt import corrupt, settled
from clefkit.critique.table import ONSET, PITCH, Table, columns
from clefkit.errors import InputError, UsageError

BRAHMS = Path(__file__).parent / "data" / "notation-brahms-magdalena.mxl"
SPOILT = ("off-key", "noise", "stray")


def as_notes(table: Table, shift: float = 0.0) -> notes.Notes:
    onset = table[:, 0] / 1000 + shift
    return notes.make(onset, onset + table[:, 1] / 1000, table[:, 2], table[:, 3])


@pytest.fixture(scope="session")
def critic() -> infer.Critic:
    return infer.load(registry.checkpoint("critic").path)


def logit(critic: infer.Critic, table: Table) -> float:
    return infer.judge(table, critic, reading.domain(table)).logit


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.mid"
    notes.write_midi(path, as_notes(excerpts()[0]))
    return path


def test_most_real_music_is_called_real(critic: infer.Critic) -> None:
    real = np.array([logit(critic, settled(each)) for each in excerpts()])
    assert np.mean(real >= 0) >= 0.9


@pytest.mark.parametrize("kind", SPOILT)
def test_wrong_notes_are_heard(critic: infer.Critic, kind: str) -> None:
    generator = np.random.default_rng(1)
    pieces = excerpts()[:24]
    spoilt = [corrupt(each, kind, 0.35, generator).notes for each in pieces]
    found = np.array([logit(critic, each) for each in spoilt])
    paired = found < [logit(critic, settled(each)) for each in pieces]
    assert np.mean(found < 0) >= 0.85
    assert np.mean(paired) >= 0.95


def test_another_order_is_heard(critic: infer.Critic) -> None:
    generator = np.random.default_rng(2)
    pieces = excerpts()
    spoilt = [logit(critic, corrupt(each, "shuffle", 0.6, generator).notes) for each in pieces]
    assert np.mean(np.array(spoilt) < [logit(critic, settled(each)) for each in pieces]) >= 0.8


def test_the_notes_to_blame_are_named(critic: infer.Critic) -> None:
    generator = np.random.default_rng(3)
    hit = named = wrong = 0
    for each in excerpts()[:24]:
        spoilt = corrupt(each, "noise", 0.2, generator)
        marks = infer.judge(spoilt.notes, critic, reading.domain(spoilt.notes)).marks[:, 0]
        said = marks >= critic.thresholds["pitch"]
        hit += int((said & spoilt.changed).sum())
        named += int(said.sum())
        wrong += int(spoilt.changed.sum())
    assert 2 * hit / (named + wrong) >= 0.5


def test_a_transposed_piece_is_judged_the_same(critic: infer.Critic) -> None:
    piece = settled(excerpts()[3])
    moved = piece.copy()
    moved[:, PITCH] += 5
    assert logit(critic, moved) == pytest.approx(logit(critic, piece), abs=1e-4)


def test_when_a_piece_begins_changes_nothing(critic: infer.Critic) -> None:
    piece = settled(excerpts()[4])
    late = piece.copy()
    late[:, ONSET] += 12_345
    assert logit(critic, late) == logit(critic, piece)


@pytest.mark.parametrize("harmless", ["tempo", "octaves", "restrikes", "misheard"])
def test_harmless_changes_hardly_move_the_score(critic: infer.Critic, harmless: str) -> None:
    from clefkit.train import trial

    generator = np.random.default_rng(4)
    pieces = excerpts()
    before = np.array([infer.judge(settled(each), critic, reading.domain(each)).p_real for each in pieces])
    changed = [settled(trial.HARMLESS[harmless](each, generator)) for each in pieces]
    after = np.array([infer.judge(each, critic, reading.domain(each)).p_real for each in changed])
    kept = after[before >= 0.5] >= 0.5
    assert np.mean(kept) >= 0.9
    assert abs(float(np.mean(after - before))) <= 0.05


def test_two_halves_of_a_long_piece_are_both_heard(critic: infer.Critic) -> None:
    """A piece that is spoilt from its middle on: the curve falls there, and the worst passage is in it."""
    piece = settled(np.concatenate([excerpts()[0], excerpts()[0] + np.array([60_000, 0, 0, 0], np.int32)]))
    half = piece[:, ONSET] >= 60_000
    spoilt = piece.copy()
    spoilt[half] = corrupt(piece[half], "noise", 0.6, np.random.default_rng(5)).notes
    judgement = infer.judge(spoilt, critic, reading.domain(spoilt))
    early = judgement.curve[judgement.end_ms < 60_000]
    late = judgement.curve[judgement.start_ms >= 60_000]
    assert early.mean() > late.mean() + 0.2
    assert judgement.start_ms[judgement.curve.argmin()] >= 50_000
    assert judgement.attention.sum() == pytest.approx(1, abs=1e-3)


def test_every_note_lies_in_a_stretch_of_at_most_30_seconds() -> None:
    generator = np.random.default_rng(6)
    for count, step in ((5, 400), (400, 100), (2000, 20), (60, 5000), (321, 1)):
        onset = np.cumsum(generator.integers(0, 2 * step, count)).astype(np.int32)
        spans = infer.stretches(onset)
        assert spans[0].start == 0
        assert spans[-1].stop == count
        for before, after in itertools.pairwise(spans):
            assert before.start < after.start <= before.stop
        for span in spans:
            assert 0 < span.stop - span.start <= infer.MOST_NOTES
            assert onset[span][-1] - onset[span][0] < infer.STRETCH_MS


def test_what_a_note_sees_counts_its_surroundings() -> None:
    """Three notes: C, E half a second later, and G above both that begins with the E; the C sounds on."""
    piece = np.array([[0, 900, 60, 80], [500, 300, 64, 80], [500, 300, 67, 80]], np.int32)
    near = context.seen([piece])[0][0, :, : context.NEAR].reshape(3, context.TIMES, context.INTERVALS)
    later_half_second = next(
        index
        for index, (low, high) in enumerate(zip(context.EDGES_MS, context.EDGES_MS[1:], strict=False))
        if low <= 500 < high
    )
    assert near[0, later_half_second, context.REACH + 4] == 1
    assert near[0, later_half_second, context.REACH + 7] == 1
    assert near[0].sum() == 2
    assert near[1, -1, context.REACH - 4] == 1  # the C still sounds
    assert near[1].sum() == near[2].sum() == 3


def test_what_is_seen_together_is_what_is_seen_alone() -> None:
    pieces = [settled(each) for each in excerpts()[:5]]
    pieces += [pieces[0][:1], pieces[1][:8], pieces[0] + np.array([900_000, 0, 0, 0], np.int32)]
    seen, mask = context.seen(pieces)
    for row, piece in enumerate(pieces):
        alone, _ = context.seen([piece])
        assert np.array_equal(seen[row, : len(piece)], alone[0])
        assert mask[row].sum() == len(piece)
        assert not seen[row, len(piece) :].any()
    assert np.array_equal(seen[0], seen[-1])  # when it begins is no matter


def test_reward_is_what_the_judge_says(critic: infer.Critic) -> None:
    pieces = [settled(each) for each in excerpts()[:5]]
    short = [each[infer.stretches(each[:, ONSET])[0]] for each in pieces]
    found = critique.reward(short)
    alone = [logit_of_score(critic, each) for each in short]
    assert found == pytest.approx(alone, abs=1e-3)
    assert critique.reward([short[0], short[1][:3]])[1] == -np.inf
    assert critique.reward([as_notes(short[0])])[0] == pytest.approx(found[0], abs=1e-3)
    assert critique.ceiling() > 0


def logit_of_score(critic: infer.Critic, table: Table) -> float:
    return infer.judge(table, critic, "score").logit


def test_columns_and_marks_belong_together(critic: infer.Critic) -> None:
    """Notes that come unsorted and with drums: each suspicious row names the right note."""
    spoilt = corrupt(excerpts()[0], "noise", 0.15, np.random.default_rng(7)).notes
    drum = notes.Part("kit", 0, drums=True)
    played = as_notes(spoilt)
    mixed = notes.make(
        [*played.onset, 0.1, 0.2],
        [*played.offset, 0.15, 0.25],
        [*played.pitch, 38, 42],
        [*played.velocity, 90, 90],
        [0] * len(played) + [1, 1],
        (notes.Part("piano"), drum),
    )
    piece = reading.piece(mixed)
    assert len(piece.table) == len(played)
    judgement = infer.judge(piece.table, critic, piece.domain)
    rows = findings.suspicious(piece, judgement, critic.thresholds)
    assert rows
    sounding = {(round(float(onset), 3), int(pitch)) for onset, pitch in zip(played.onset, played.pitch, strict=True)}
    assert {(row["onset_s"], row["midi"]) for row in rows} <= sounding
    assert {row["part"] for row in rows} == {"piano"}


def test_a_score_and_its_midi_are_judged_alike(tmp_path: Path, shell: Shell) -> None:
    shutil.copy(BRAHMS, tmp_path / "song.mxl")
    assert shell("clefkit render --human 0 --repeats none song.mxl && cp song.ref.mid song.mid").returncode == 0
    done = shell("clefkit critique --json song.mxl song.mid song.wav")
    assert done.returncode == 0, done.stderr
    score, midi, sound = (json.loads(line) for line in done.stdout.splitlines())
    assert score["domain"] == midi["domain"] == "score"
    assert sound["domain"] == "transcript"
    assert midi["p_real"] == pytest.approx(score["p_real"], abs=0.05)
    assert sound["p_real"] == pytest.approx(score["p_real"], abs=0.35)
    assert score["worst_measure"]


def test_a_table_for_the_next_program_and_json_for_all_else(song: Path, shell: Shell) -> None:
    done = shell("clefkit critique song.mid")
    assert done.returncode == 0, done.stderr
    head, line = done.stdout.splitlines()
    row = dict(zip(head.split("\t"), line.split("\t"), strict=True))
    assert row["file"] == "song.mid"
    assert 0 <= float(row["p_real"]) <= 1
    found = json.loads(shell("clefkit critique --json --curve --notes song.mid").stdout)
    assert found["p_real"] == pytest.approx(float(row["p_real"]), abs=0.001)
    assert 0 <= found["percentile"] <= 100
    assert len(found["suspicious_notes"]) == found["suspicious"]
    assert [each["start_s"] for each in found["curve"]] == sorted(each["start_s"] for each in found["curve"])
    assert min(each["p_real"] for each in found["curve"]) == found["worst_p_real"]


def test_wrong_notes_are_listed_with_what_they_rather_were(tmp_path: Path, shell: Shell) -> None:
    spoilt = corrupt(excerpts()[0], "off-key", 0.1, np.random.default_rng(8))
    notes.write_midi(tmp_path / "wrong.mid", as_notes(spoilt.notes))
    done = shell("clefkit critique --notes wrong.mid")
    assert done.returncode == 0, done.stderr
    head, *lines = done.stdout.splitlines()
    assert head.split("\t") == list(findings.NOTE_COLUMNS)
    assert any(line.split("\t")[6] == "pitch" for line in lines)


def test_the_exit_status_is_the_gate(song: Path, tmp_path: Path, shell: Shell) -> None:
    generator = np.random.default_rng(9)
    random = settled(excerpts()[0])
    random[:, PITCH] = generator.integers(40, 90, len(random))
    notes.write_midi(tmp_path / "random.mid", as_notes(random))
    assert shell("clefkit critique --min .01 song.mid").returncode == 0
    done = shell("clefkit critique --min .5 random.mid")
    assert done.returncode == 1
    assert "random.mid: P(real) is 0.0" in done.stderr
    assert shell("clefkit critique --min .5 missing.mid").returncode == 1
    assert shell("clefkit critique --min 2 song.mid").returncode == 2


def test_a_folder_is_ranked_best_first(song: Path, tmp_path: Path, shell: Shell) -> None:
    folder = tmp_path / "made"
    folder.mkdir()
    generator = np.random.default_rng(10)
    for number, severity in enumerate((0.7, 0.05, 0.3)):
        spoilt = corrupt(excerpts()[0], "noise", severity, generator).notes
        notes.write_midi(folder / f"{number}.mid", as_notes(spoilt))
    shutil.copy(song, folder / "real.mid")
    done = shell("clefkit critique made")
    assert done.returncode == 0, done.stderr
    files = [Path(line.split("\t")[0]).stem for line in done.stdout.splitlines()[1:]]
    assert files[-2:] == ["2", "0"]
    assert shell("mkdir empty && clefkit critique empty").returncode == 2
    rows = [json.loads(line) for line in shell("clefkit critique --json made").stdout.splitlines()]
    assert [row["p_real"] for row in rows] == sorted((row["p_real"] for row in rows), reverse=True)


def test_a_picture_of_each_file(song: Path, tmp_path: Path, shell: Shell) -> None:
    shutil.copy(song, tmp_path / "<&> b.mid")
    done = shell("clefkit critique --plot drawn song.mid '<&> b.mid'")
    assert done.returncode == 0, done.stderr
    for name in ("song", "<&> b"):
        root = ET.fromstring((tmp_path / "drawn" / f"{name}.critique.svg").read_text())
        shapes = [each.get("class") for each in root.iter()]
        assert shapes.count("note") >= 0.9 * len(excerpts()[0])  # unisons of two voices are one key
        assert "curve" in shapes
        assert "seen" in shapes


@pytest.mark.parametrize(
    ("name", "played", "reason"),
    [
        ("none", [], "no notes to judge"),
        ("one", [60], "too few notes to judge: 1"),
        ("seven", [60, 62, 64, 65, 67, 69, 71], "too few notes to judge: 7"),
    ],
)
def test_too_little_to_judge_is_said(
    name: str, played: list[int], reason: str, tmp_path: Path, song: Path, shell: Shell
) -> None:
    start = np.arange(len(played)) / 2
    notes.write_midi(tmp_path / f"{name}.mid", notes.make(start, start + 0.4, played))
    done = shell(f"clefkit critique {name}.mid song.mid")
    assert done.returncode == 1
    assert done.stderr.startswith(f"clefkit critique: {name}.mid: {reason}")
    assert "Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) == 2  # the other file was judged


def test_drums_alone_and_broken_files_are_said(tmp_path: Path, shell: Shell) -> None:
    start = np.arange(20) / 4
    kit = (notes.Part("kit", 0, drums=True),)
    notes.write_midi(tmp_path / "drums.mid", notes.make(start, start + 0.1, [38] * 20, parts=kit))
    (tmp_path / "broken.mid").write_bytes(b"MThd\0\0\0\6\0\1\0\1\0x broken")
    (tmp_path / "empty.mid").write_bytes(b"")
    (tmp_path / "words.txt").write_text("no music")
    done = shell("clefkit critique drums.mid broken.mid empty.mid words.txt")
    assert done.returncode == 1
    assert "drums.mid: drums alone" in done.stderr
    assert all(f"{name}: " in done.stderr for name in ("broken.mid", "empty.mid", "words.txt"))
    assert len(done.stderr.splitlines()) == 4


def test_jobs_change_nothing(song: Path, tmp_path: Path, shell: Shell) -> None:
    for number, each in enumerate(excerpts()[1:5]):
        notes.write_midi(tmp_path / f"{number}.mid", as_notes(each))
    one, four = (shell(f"clefkit critique -j {jobs} --json song.mid ?.mid").stdout for jobs in (1, 4))
    assert one == four
    assert len(one.splitlines()) == 5


def test_other_models_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model"):
        registry.checkpoint("nobody")
    with pytest.raises(InputError, match="is no critic"):
        infer.load(registry.checkpoint("notes").path)
    with pytest.raises(InputError, match="too few"):
        critique.judge(as_notes(excerpts()[0][:4]))


def test_the_graph_says_what_the_network_says(critic: infer.Critic) -> None:
    torch = pytest.importorskip("torch")
    from safetensors.torch import load

    from clefkit.nets.critic import Critic

    network = Critic().eval()
    weights = load((registry.model("critic").path / "weights.safetensors").read_bytes())
    network.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    pieces = [settled(each)[:200] for each in excerpts()[:3]]
    said = infer.ask(critic, pieces)
    for index, piece in enumerate(pieces):
        with torch.inference_mode():
            own = network(*map(torch.from_numpy, context.seen([piece])))
        assert np.allclose(own.verdict[0].numpy(), said.verdict[index], atol=0.02)
        assert np.allclose(own.notes[0].numpy(), said.notes[index], atol=0.05)


def test_domains_are_told_by_steps() -> None:
    exact = columns(notes.make(np.arange(40) / 2, np.arange(40) / 2 + 0.4, 60 + np.arange(40) % 12))
    assert reading.domain(exact) == "score"
    generator = np.random.default_rng(11)
    played = exact.copy()
    played[:, ONSET] = np.sort(played[:, ONSET] + generator.integers(-60, 60, 40))
    assert reading.domain(played) == "performance"
