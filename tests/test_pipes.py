"""The commands in real shells: names, streams, signals, full disks, crashes."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import Shell, interruptible

from clefkit import notes

RENDER = "clefkit render --timbre TimGM6mb"


def files(folder: Path, pattern: str = "*") -> dict[str, str]:
    """Name and hash of every file, temporary ones included."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.match(pattern)]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(found)}


def copies(scale: Path, names: list[str]) -> None:
    for name in names:
        shutil.copy(scale, scale.parent / name)


@pytest.mark.parametrize("name", ["with space", "quo'te\"s", "Für Elise", "-dash", "a.b.c", "emoji🎻", "$(x)`y`"])
def test_names_go_through_the_pipe(shell: Shell, scale: Path, name: str) -> None:
    scale.rename(scale.parent / f"{name}.mid")
    done = shell(f"find . -name '*.mid' | {RENDER} | clefkit augment --ir studio")
    assert (done.returncode, done.stdout, done.stderr) == (
        0,
        f"{'./' * name.startswith('-')}{name}.ir-studio-0.wav\n",
        "",
    )


def test_newline_in_a_name_needs_null(shell: Shell, scale: Path) -> None:
    scale.rename(scale.parent / "two\nlines.mid")
    done = shell(f"find . -name '*.mid' -print0 | {RENDER} -0 | clefkit augment -0 --ir studio | tr '\\0' '|'")
    assert (done.returncode, done.stdout) == (0, "two\nlines.ir-studio-0.wav|")
    refused = shell(f"{RENDER} *.mid")
    assert refused.returncode == 2
    assert "needs --null" in refused.stderr


def test_head_ends_the_pipe_quietly(shell: Shell, scale: Path) -> None:
    copies(scale, [f"{number}.mid" for number in range(12)])
    done = shell(f"{RENDER} --jobs 1 {{0,1,2,3,4,5,6,7,8,9,10,11}}.mid | head -1; echo ${{PIPESTATUS[0]}}")
    assert (done.stdout, done.stderr) == ("0.wav\n0\n", "")
    assert not list(scale.parent.glob(".*.part"))


def test_empty_stream_is_no_error(shell: Shell) -> None:
    done = shell(f"true | {RENDER} | clefkit augment | clefkit transcribe | clefkit score")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_threshold_with_nothing_to_measure_fails(shell: Shell) -> None:
    done = shell("true | clefkit score --min note_f1=0.5")
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing was measured" in done.stderr


def test_stdout_holds_paths_in_input_order_whatever_the_jobs(shell: Shell, scale: Path) -> None:
    names = [f"{number:02}.mid" for number in range(8)]
    copies(scale, names)
    one = shell(f"{RENDER} --jobs 1 --out one {' '.join(names)}")
    four = shell(f"printf '%s\\n' {' '.join(names)} | {RENDER} --jobs 4 --out four")
    assert one.stdout.splitlines() == [f"one/{number:02}.wav" for number in range(8)]
    assert four.stdout == one.stdout.replace("one/", "four/")
    assert files(scale.parent / "one", "*.wav") == files(scale.parent / "four", "*.wav")
    assert files(scale.parent / "one", "*.ref.*") == files(scale.parent / "four", "*.ref.*")


def test_a_stage_starts_before_the_one_before_it_has_ended(shell: Shell, scale: Path) -> None:
    slow = "(echo scale.mid; sleep 6; date +%s.%N >&2)"
    done = shell(f"{slow} | {RENDER} | (read -r first; date +%s.%N; cat)")
    assert float(done.stdout.split()[0]) < float(done.stderr.split()[0]) - 1


@pytest.mark.parametrize("jobs", [1, 2])
def test_batch_survives_a_crash_a_hang_a_corrupt_and_a_missing_file(shell: Shell, scale: Path, jobs: int) -> None:
    names = [f"{number:02}.mid" for number in range(9)]
    copies(scale, [*names, "crash.mid", "hang.mid"])
    (scale.parent / "corrupt.mid").write_bytes(scale.read_bytes()[:60])
    order = [*names[:3], "crash.mid", *names[3:5], "hang.mid", "corrupt.mid", "missing.mid", *names[5:]]
    fault = "abort:crash.mid,sleep:hang.mid"
    done = shell(f"{RENDER} -j {jobs} --time-limit 8 --out out {' '.join(order)}", CLEFKIT_TEST_FAULT=fault)
    assert done.returncode == 1
    assert done.stdout.split() == [f"out/{number:02}.wav" for number in range(9)]
    lines = done.stderr.splitlines()
    assert len(lines) == 4
    assert [line.split(": ")[1] for line in lines] == ["crash.mid", "hang.mid", "corrupt.mid", "missing.mid"]
    assert "SIGABRT" in lines[0]
    assert "time limit" in lines[1]
    assert "no such file" in lines[3]
    assert len(files(scale.parent / "out")) == 9 * 4


def test_result_is_used_again_replaced_or_refused(shell: Shell, scale: Path) -> None:
    wav = scale.with_suffix(".wav")
    first = shell(f"{RENDER} scale.mid")
    made = wav.stat().st_mtime_ns
    assert shell(f"{RENDER} scale.mid").stdout == first.stdout
    assert wav.stat().st_mtime_ns == made
    other = shell(f"{RENDER} --rate 22050 scale.mid")
    assert (other.returncode, other.stdout) == (0, "scale.wav\n")
    assert "out of date" in other.stderr
    wav.write_bytes(wav.read_bytes() + b"edited")
    refused = shell(f"{RENDER} --rate 22050 scale.mid")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "--force" in refused.stderr
    assert wav.read_bytes().endswith(b"edited")
    assert shell(f"{RENDER} --force scale.mid").returncode == 0
    assert not wav.read_bytes().endswith(b"edited")


def test_foreign_reference_is_not_overwritten(shell: Shell, scale: Path) -> None:
    (scale.parent / "scale.ref.mid").write_bytes(b"somebody's own")
    done = shell(f"{RENDER} scale.mid")
    assert done.returncode == 1
    assert "scale.ref.mid" in done.stderr
    assert (scale.parent / "scale.ref.mid").read_bytes() == b"somebody's own"
    assert set(files(scale.parent)) == {"scale.mid", "scale.ref.mid"}


def test_two_inputs_with_one_output_name_are_found_before_work(shell: Shell, scale: Path) -> None:
    shutil.copy(scale, scale.with_suffix(".midi"))
    done = shell(f"{RENDER} scale.mid scale.midi")
    assert (done.returncode, done.stdout) == (2, "")
    assert "same names" in done.stderr
    assert set(files(scale.parent)) == {"scale.mid", "scale.midi"}
    streamed = shell(f"printf 'scale.mid\\nscale.midi\\n' | {RENDER}")
    assert (streamed.returncode, streamed.stdout) == (1, "scale.wav\n")


def test_inputs_that_make_no_files_may_share_a_name(shell: Shell, scale: Path) -> None:
    shell(f"{RENDER} scale.mid && cp scale.ref.jsonl scale.jsonl")
    scored = shell("clefkit score --ref scale.ref.jsonl scale.mid scale.jsonl --min-each note_f1=1 --expect 2")
    assert (scored.returncode, scored.stderr) == (0, "")


def test_out_may_be_a_file_for_one_input(shell: Shell, scale: Path) -> None:
    done = shell(f"{RENDER} scale.mid -o take.wav && clefkit augment take.wav --ir hall -o far/away.wav")
    assert done.stdout.split() == ["take.wav", "far/away.wav"]
    assert {"take.ref.jsonl", "take.ref.mid", "take.wav.json"} <= set(files(scale.parent))
    assert set(files(scale.parent / "far")) == {"away.wav", "away.wav.json", "away.ref.jsonl", "away.ref.mid"}
    assert shell(f"{RENDER} scale.mid -o take.flac").returncode == 1
    assert "several files" in shell(f"{RENDER} --stems scale.mid -o stems.wav").stderr


def test_a_second_format_shares_the_reference(shell: Shell, scale: Path) -> None:
    done = shell(f"{RENDER} scale.mid && {RENDER} --format flac scale.mid && {RENDER} scale.mid")
    assert (done.returncode, done.stdout, done.stderr) == (0, "scale.wav\nscale.flac\nscale.wav\n", "")


def test_json_records_can_be_piped_on(shell: Shell, scale: Path) -> None:
    done = shell(f"{RENDER} --json scale.mid | tee first.json | clefkit augment --ir studio --json")
    record = json.loads(done.stdout)
    assert record["path"] == "scale.ir-studio-0.wav"
    assert record["from"]["sha256"] == json.loads((scale.parent / "first.json").read_text())["sha256"]


def test_records_tell_the_truth_and_only_relative_paths(shell: Shell, scale: Path) -> None:
    shell(f"{RENDER} scale.mid --out sound | clefkit augment --preset hall --seed 7 --out far")
    record = json.loads((scale.parent / "far/scale.hall-7.wav.json").read_text())
    known = files(scale.parent)
    assert record["sha256"] == known["far/scale.hall-7.wav"]
    assert record["reference"] == {"file": "scale.hall-7.ref.jsonl", "sha256": known["far/scale.hall-7.ref.jsonl"]}
    assert record["from"] == {"file": "../sound/scale.wav", "sha256": known["sound/scale.wav"]}
    assert (record["stage"], record["seed"]) == ("augment", 7)
    assert str(scale.parent) not in (scale.parent / "far/scale.hall-7.wav.json").read_text()
    assert "/" not in (scale.parent / "sound/scale.wav.json").read_text().replace("../scale.mid", "")


def test_replay_makes_the_same_bytes_again(shell: Shell, scale: Path) -> None:
    shell(f"{RENDER} --stems scale.mid | clefkit augment --preset phone --snr 30 --noise street --seed 3")
    before = files(scale.parent)
    augmented = next(name for name in before if name.endswith("phone-3.wav") and "1-" not in name)
    (scale.parent / augmented).unlink()
    done = shell(f"clefkit replay {augmented} scale.wav")
    assert (done.returncode, done.stdout) == (0, f"{augmented}\nscale.wav\n"), done.stderr
    assert files(scale.parent) == before


def test_replay_knows_stems_and_files_that_were_named(shell: Shell, scale: Path) -> None:
    shell(f"{RENDER} --stems scale.mid && clefkit augment scale.wav --ir hall -o far.wav")
    before = files(scale.parent)
    stem = next(name for name in before if name.startswith("scale.1-") and name.endswith(".wav"))
    done = shell(f"rm {stem} far.wav far.ref.mid; clefkit replay {stem} far.wav")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{stem}\nfar.wav\n", "")
    assert files(scale.parent) == before


def test_replay_says_when_the_source_changed(shell: Shell, scale: Path, scale_notes: notes.Notes) -> None:
    shell(f"{RENDER} scale.mid")
    notes.write_midi(scale, notes.take(scale_notes, scale_notes.pitch > 60))
    done = shell("clefkit replay scale.wav")
    assert done.returncode == 1
    assert "edited since" in done.stderr


def test_sigkill_leaves_nothing_that_stays(shell: Shell, scale: Path) -> None:
    names = [f"{number:02}.mid" for number in range(10)]
    copies(scale, names)
    expected = shell(f"{RENDER} --out whole {' '.join(names)} | clefkit augment --ir hall")
    assert expected.returncode == 0
    wanted = files(scale.parent / "whole")
    line = f"{RENDER} --out killed {' '.join(names)} | clefkit augment --ir hall"
    for delay in (0.5, 0.8, 1.1, 1.4):
        process = subprocess.Popen(
            ["bash", "-c", f"PATH={Path(sys.executable).parent}:$PATH; {line}"],
            cwd=scale.parent,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    time.sleep(0.5)  # workers notice that their parent has gone
    assert shell(line).returncode == 0
    assert files(scale.parent / "killed") == wanted


def test_interrupt_cleans_up(scale: Path) -> None:
    long = notes.make([0.1 * index for index in range(5000)], [0.1 * index + 1 for index in range(5000)], [60] * 5000)
    notes.write_midi(scale, long)
    program = Path(sys.executable).parent / "clefkit"
    with interruptible():
        process = subprocess.Popen(
            [program, "render", "--timbre", "TimGM6mb", "--rate", "96000", "scale.mid"],
            cwd=scale.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    time.sleep(1.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=10)
    assert process.returncode == 130
    assert (out, err) == ("", "")
    assert set(files(scale.parent)) == {"scale.mid"}


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 200 kB, where we may mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_full_disk_leaves_no_half_file(shell: Shell, scale: Path, tiny_disk: Path) -> None:
    done = shell(f"{RENDER} scale.mid --out disk")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no space left" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert files(tiny_disk) == {}


def test_full_stdout_is_told(shell: Shell, scale: Path) -> None:
    done = shell(f"{RENDER} scale.mid > /dev/full")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "no space left" in done.stderr


def test_read_only_folder_is_told(shell: Shell, scale: Path, tiny_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    done = shell(f"{RENDER} scale.mid --out disk")
    assert (done.returncode, done.stdout) == (1, "")
    assert "read-only" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_two_runs_at_once_make_one_result(shell: Shell, scale: Path) -> None:
    done = shell(f"({RENDER} scale.mid & {RENDER} scale.mid & {RENDER} scale.mid & wait)")
    assert done.stdout == "scale.wav\n" * 3
    assert done.stderr == ""
    assert not list(scale.parent.glob(".*"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("clefkit render --no-such", "No such option"),
        ("clefkit nonsense", "No such command"),
        ("clefkit augment --preset nowhere x.wav", "no preset 'nowhere'"),
        ("clefkit augment --ir nowhere x.wav", "nowhere"),
        ("clefkit augment --ir hall --level 1 x.wav", "exclude each other"),
        ("clefkit augment --level 4 x.wav", "give one of 1 to 3, or a range like 1..3"),
        ("clefkit transcribe --model nothing x.wav", "no model 'nothing'"),
        ("clefkit score --min loveliness=1 x.mid", "no measure is called 'loveliness'"),
        ("clefkit render --timbre nothing x.mid", "no soundfont 'nothing'"),
        ("clefkit render a.mid b.mid --out one.wav", "looks like a file"),
    ],
)
def test_wrong_command_lines_end_with_2(shell: Shell, line: str, expected: str) -> None:
    done = shell(line)
    assert (done.returncode, done.stdout) == (2, "")
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_what_is_no_path_is_told(shell: Shell) -> None:
    records = r'{"path": "a\u0000b"}\n{"path": null}\n{"path": "\ud800"}\n{"path": ""}\n[\n/\n.\n'
    done = shell(f"printf '%s' '{records}' | sed 's/\\\\n/\\n/g' | clefkit score")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 7
    assert "it holds a NUL: say --null" in done.stderr
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr
    assert "--null" in shell("printf 'a.mid\\0b.mid\\0' | clefkit score").stderr
    endless = shell("head -c 40000000 /dev/zero | clefkit score")
    assert endless.returncode == 2
    assert endless.stderr == "clefkit score: stdin holds no paths: no line ends within 16 MiB\n"


def test_no_name_speaks_to_the_terminal(shell: Shell) -> None:
    done = shell("clefkit score $'red\\033[31m.mid' $'bad\\377.mid' '[b]:x:.mid'")
    assert done.stderr.splitlines() == [
        "clefkit score: red\\x1b[31m.mid: no such file",
        "clefkit score: bad\\udcff.mid: no such file",
        "clefkit score: [b]:x:.mid: no such file",
    ]
