"""Training of critics: examples, the loop and its state, pieces and their splits, the checkpoint that comes out."""

from __future__ import annotations

import csv
import hashlib
import json
import tomllib
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import ROOT, Shell
from excerpts import named
from training import Here, general_midi

from clefkit import cli, critique
from clefkit.critique import infer
from clefkit.critique.corrupt import KINDS, clusters
from clefkit.critique.infer import MARKS, REACH
from clefkit.critique.table import DURATION, ONSET, PITCH, Table
from clefkit.errors import MissingError, UsageError

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("safetensors")

from clefkit.train import ahead, critic, critic_finish, critic_roll, critics, pieces, spoil, trial  # noqa: E402 they need torch

SHARES = {"chopin": 1.0}
TASKS = {"critic": critic.CRITIC, "critic-roll": critic_roll.CRITIC_ROLL}


class Prepared(Here):
    """As `Here`, after the initializer."""

    def __init__(self, _: int, __: object, prepare: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        prepare(*arguments)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two pairs a step, the state is kept every third, a few excerpts at the end; all in this process."""
    for name, value in {"PAIRS": 2, "BATCHES": 2, "SAVE_EVERY": 3}.items():
        monkeypatch.setattr(critic, name, value)
    monkeypatch.setattr(ahead, "ProcessPoolExecutor", Prepared)
    monkeypatch.setattr(critic_finish, "EXCERPTS", 3)
    monkeypatch.setattr(critic_finish, "RECORDED", 2)
    monkeypatch.setattr(trial, "SEVERITIES", (0.1, 0.35))


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Beginnings of songs and quartets under the name of another collection, some of them for validation."""
    work = tmp_path / "work"
    work.mkdir()
    found = []
    for index, (name, table) in enumerate(named().items()):
        work_name, _, domain = name.rpartition(" ")
        split = "validation" if index % 4 < 2 else "train"
        found.append(pieces.Piece(f"chopin/{work_name}", domain, split, table[table[:, ONSET] < 15_000]))
    assert {piece.domain for piece in found} == {"score", "performance"}
    pieces.save(work / "pieces.npz", found)
    return work / "pieces.npz"


def weights(task: critic.Task, work: Path) -> dict[str, Any]:
    network, _ = critic.trained(task, work)
    return dict(network.state_dict())


# Examples


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("harmless", [False, True])
def test_marks_and_shifts_say_what_was_done(kind: str, harmless: bool) -> None:
    for seed, table in enumerate(list(named().values())[:8]):
        real, twin = spoil.twins(table, kind, 0.3, np.random.default_rng(seed), harmless=harmless)
        assert (real.severity, twin.severity) == (0, 0.3)
        assert not real.marked.marks.any()
        assert (real.marked.shift == REACH).all()
        own = MARKS.index(critic.FAULT_OF[kind])
        assert twin.marked.marks[:, own].any()
        assert not np.delete(twin.marked.marks, own, axis=1).any()
        if harmless:
            continue
        wrong = twin.marked.marks[:, own]
        was, now = ({tuple(row) for row in each[:, [ONSET, PITCH]]} for each in (table, twin.marked.notes))
        if kind in ("off-key", "noise"):
            righted = twin.marked.notes[:, PITCH] + twin.marked.shift - REACH
            assert {tuple(row) for row in np.column_stack([twin.marked.notes[:, ONSET], righted])} == was
            assert ((twin.marked.shift != REACH) == wrong).all()
        elif kind == "stray":
            assert (twin.marked.shift[wrong] == -1).all()
            assert len(was & now) >= 0.6 * len(was)


def test_a_pair_is_changed_alike_but_for_the_fault() -> None:
    """What a transcriber, a player or an arranger does happens to both.

    But for few notes: which are long enough to be struck again depends on where the others are.
    """
    found = [pieces.Piece(f"chopin/{name}", "score", "train", table) for name, table in named().items()]
    stock = spoil.stock(found, "train", SHARES)
    seen = set()
    for seed in range(60):
        real, twin = spoil.pair(stock, np.random.default_rng(seed))
        seen.add(list(KINDS)[real.kind])
        assert abs(len(real.marked.notes) - len(twin.marked.notes)) <= 0.05 * len(real.marked.notes)
        if list(KINDS)[real.kind] in ("off-key", "noise"):
            onsets = [{*each.marked.notes[:, ONSET].tolist()} for each in (real, twin)]
            assert len(onsets[0] & onsets[1]) >= 0.95 * len(onsets[0])
        for each in (real, twin):
            table = each.marked.notes
            assert (np.diff(table[:, ONSET]) >= 0).all()
            assert (table[:, DURATION] > 0).all()
            assert len(each.marked.marks) == len(each.marked.shift) == len(table)
    assert seen == set(KINDS)


def test_even_steps_keep_the_notes_and_their_order() -> None:
    for table in list(named().values())[:8]:
        even = spoil.evened(table, 400)
        (which, _), (were, _) = clusters(even[:, ONSET]), clusters(table[:, ONSET])
        assert {*np.diff(np.unique(even[:, ONSET])).tolist()} == {400}
        assert [sorted(even[which == at, PITCH]) for at in range(which[-1])] == [
            sorted(table[were == at, PITCH]) for at in range(were[-1])
        ]
        assert (even[:, DURATION] > 0).all()
        assert np.median(even[:, DURATION]) > 200


def test_a_bent_tempo_passes_through_its_knots() -> None:
    """Of twice the length up to 4 s, as it was from 6 s on, and evenly faster in between: 2 s that last 3 s."""
    table = np.array([[time, 500, 60, 80] for time in range(0, 10_000, 1000)], np.int32)
    bent = spoil.bent(table, np.array([0.0, 4000.0, 6000.0, 12_000.0]), np.array([2.0, 2.0, 1.0, 1.0]))
    assert bent[:, ONSET].tolist() == [0, 2000, 4000, 6000, 8000, 9750, 11_000, 12_000, 13_000, 14_000]
    assert bent[[0, -1], DURATION].tolist() == [1000, 500]
    assert (bent[:, PITCH:] == table[:, PITCH:]).all()


def test_half_of_all_pairs_are_shuffles() -> None:
    kinds = np.random.default_rng(0).choice(list(spoil.KINDS_SHARE), 4000, p=list(spoil.KINDS_SHARE.values()))
    assert abs(np.mean(kinds == "shuffle") - 0.5) < 0.03


# The loop


@pytest.mark.parametrize("name", list(TASKS))
def test_training_goes_on_where_it_stopped(
    name: str, small: None, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = TASKS[name]._replace(longest_ms=9_000)
    through = list(critic.train(corpus, SHARES, task, tmp_path / "a", 6, 0, 1))
    assert [row["step"] for row in through] == [3, 6]
    half = critic.train(corpus, SHARES, task, tmp_path / "b", 6, 0, 1)
    assert next(half)["step"] == 3
    del half
    assert [row["step"] for row in critic.train(corpus, SHARES, task, tmp_path / "b", 6, 0, 1)] == [6]
    one, other = weights(task, tmp_path / "a"), weights(task, tmp_path / "b")
    assert all(torch.equal(one[key], other[key]) for key in one)
    with (tmp_path / "b" / "log.csv").open() as log:
        assert [row["step"] for row in csv.DictReader(log)] == ["3", "6"]
    list(critic.train(corpus, SHARES, task, tmp_path / "c", 6, 1, 1))
    third = weights(task, tmp_path / "c")
    assert not all(torch.equal(one[key], third[key]) for key in one), "the seed says what is learnt"
    other_task = next(each for key, each in TASKS.items() if key != name)
    with pytest.raises(UsageError, match="another network"):
        critic.trained(other_task, tmp_path / "a")
    with pytest.raises(MissingError, match="nothing was trained"):
        critic.trained(task, tmp_path / "nowhere")


def test_something_is_learnt(small: None, corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wrong notes become less surprising than a coin for each kind of note makes them."""
    monkeypatch.setattr(critic, "SAVE_EVERY", 20)
    monkeypatch.setattr(critic, "PAIRS", 4)
    task = critic.CRITIC._replace(longest_ms=9_000)
    rows = list(critic.train(corpus, SHARES, task, tmp_path / "a", 80, 0, 1))
    first, last = rows[0], rows[-1]
    assert last["marks"] < 0.8 * first["marks"]
    assert last["shift"] < 0.8 * first["shift"]


# Pieces


def test_pieces_are_read_once_and_each_work_has_one_split(tmp_path: Path) -> None:
    (tmp_path / "data" / "kern").mkdir(parents=True)
    score = (ROOT / "tests" / "data" / "small.krn").read_text()
    names = [
        *(f"{number:03}-1-BH.krn" for number in range(1, 41)),
        "009_1et2-1a-W.krn",
        "058-1-BH-003.krn",
        "GDC-1.krn",
    ]
    with zipfile.ZipFile(tmp_path / "data" / "kern" / "chopin-first-editions.zip", "w") as archive:
        for name in names:
            archive.writestr(name, score)
        archive.writestr("060-1-broken.krn", "not music")
    cache = tmp_path / "pieces.npz"
    found = pieces.read(tmp_path / "data", cache, SHARES)
    split = {piece.name: piece.split for piece in found}
    assert set(split) == {f"chopin/{name}" for name in names}
    assert len(found) == 3 * len(names), "as written, and in two takes"
    assert set(split.values()) == set(pieces.SPLITS)
    assert split["chopin/009_1et2-1a-W.krn"] == split["chopin/009-1-BH.krn"]
    assert split["chopin/058-1-BH-003.krn"] == "test", "ASAP's validation has this sonata"
    written, one, other = (piece.notes for piece in found if piece.name == "chopin/GDC-1.krn")
    assert len(written) == len(one) == len(other)
    assert not np.array_equal(one, other)
    again = pieces.read(tmp_path / "nowhere", cache, SHARES)
    assert [piece[:3] for piece in again] == [piece[:3] for piece in found]
    assert all(np.array_equal(a.notes, b.notes) for a, b in zip(again, found, strict=True))


def test_a_recipe_asks_for_its_sources(tmp_path: Path, corpus: Path) -> None:
    plan = critics.plan("critic")
    with pytest.raises(UsageError, match="--data"):
        next(critics.run(plan, tmp_path / "empty", tmp_path / "mine-1", None, Path("font.sf2")))
    with pytest.raises(UsageError, match="lieder, pop909, string-quartets"):
        next(critics.run(plan, corpus.parent, tmp_path / "mine-1", None, Path("font.sf2")))


# Calibration


def heard(generator: np.random.Generator, faults: float, wrong: float) -> critic_finish.Heard:
    """What a network might say of 200 real excerpts, 200 twins and 200 harmless ones.

    faults, wrong: how far the logits of faults, and the shares of wrong notes, of twins lie from those of real ones
    """
    kinds = np.repeat(["real", "off-key", "octaves"], 200)
    found = object.__new__(critic_finish.Heard)
    none = np.zeros((0, 4), np.int32), np.zeros(0, bool)
    severities = np.where(kinds == "off-key", trial.SEVERITIES[0], 0.0).tolist()
    found.cases = [trial.Case(0, "", str(kind), each, *none) for kind, each in zip(kinds, severities, strict=True)]
    found.domains = np.array(["score", "performance", "transcript"] * 200)
    spoilt = kinds == "off-key"
    found.verdict = generator.normal(-2 + faults * spoilt[:, None], 1, (600, 4)).astype(np.float32)
    found.wrong = np.clip(generator.normal(0.1 + wrong * spoilt + 0.02 * (kinds == "octaves"), 0.02), 0, 1)
    return found


@pytest.mark.parametrize(("faults", "wrong"), [(4.0, 0.0), (0.0, 0.2)])
def test_calibration_keeps_real_and_harmless_music(faults: float, wrong: float) -> None:
    found = heard(np.random.default_rng(0), faults, wrong)
    kinds = np.array([case.kind for case in found.cases])
    for domain, chosen in critic_finish.calibrations(found, found).items():
        assert (chosen["wrong"] > 0) == (wrong > 0), "what tells nothing doesn't count"
        mine = found.domains == domain
        spoilt = infer.spoilt(found.verdict[mine], np.array(chosen["odds"]))
        logits = -(chosen["scale"] * spoilt + chosen["wrong"] * found.wrong[mine] + chosen["bias"])
        kept = {kind: np.mean(logits[kinds[mine] == kind] >= 0) for kind in ("real", "off-key", "octaves")}
        assert kept["real"] >= 0.95
        assert kept["octaves"] >= 0.93
        assert kept["off-key"] < 0.15
        assert np.median(chosen["real"]) > 0


# The whole


def test_the_graph_of_rolls_says_what_the_network_says() -> None:
    from clefkit import graph
    from clefkit.critique import rolls
    from clefkit.nets.critic_roll import CriticRoll

    torch.manual_seed(0)
    network = CriticRoll().eval()
    pictures = np.stack([rolls.roll(table, 0) for table in list(named().values())[:3]])
    with torch.inference_mode():
        network.judge[2].weight *= 0.5 / network(torch.from_numpy(pictures)).verdict.std()
        whole = network(torch.from_numpy(pictures)).verdict.numpy()
    assert whole.std() > 0.3, "what it hasn't learnt yet is spread"
    session = graph.session(critic_finish.onnx_graph(network), "roll")
    for count in (1, 3):
        (verdict,) = session.run(["verdict"], {"roll": pictures[:count]})
        assert np.allclose(verdict, whole[:count], atol=0.1)


@pytest.mark.parametrize("recipe", ["critic", "critic-roll", "critic-research"])
def test_the_quick_recipe_makes_a_checkpoint_that_critique_uses(
    recipe: str,
    small: None,
    corpus: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    shell: Shell,
) -> None:
    out, font = tmp_path / "mine-1", general_midi(tmp_path / "general.sf2")
    command = ["clefkit", "train", recipe, "--quick", "--steps", "4", "--work", str(corpus.parent), "--out", str(out)]
    monkeypatch.setattr("sys.argv", [*command, "--seed", "3", "--soundfont", str(font)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["step"] for line in lines if "step" in line] == [3, 4]
    assert set(lines[-1]["validation"]["kinds"]) == set(KINDS)
    assert {path.name for path in out.iterdir()} == {"model.onnx", "weights.safetensors", "config.toml", "card.md"}
    config, card = tomllib.loads((out / "config.toml").read_text()), (out / "card.md").read_text()
    for file, key in (("model.onnx", "sha256"), ("weights.safetensors", "weights_sha256")):
        assert hashlib.sha256((out / file).read_bytes()).hexdigest() == config[key]
    assert set(config["calibration"]) == {"score", "performance", "transcript"}
    assert f"clefkit train {recipe} --quick" in card
    assert ("not to be shipped" in card) == (recipe == "critic-research")
    ran = shell(f"clefkit critique --json --model {out} {ROOT}/tests/data/notation-brahms-magdalena.mxl")
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    assert 0 <= found["p_real"] <= 1
    song: Table = next(iter(named().values()))
    assert np.isfinite(critique.reward([song], model=str(out)))
