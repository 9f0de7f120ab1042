"""Paths in, paths out: the loop every command runs in, and the options that all of them share.

A command is a function with a parameter `common`; `@stream.command(app)` gives it the options. It ends in one call:
`stream.run` for a stage that makes files, `stream.create` for one that needs no input to make one, `stream.measure` for
one that finds something out.
"""

from __future__ import annotations

import functools
import inspect
import os
import signal
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from clefkit import engine, report, work, writing
from clefkit.arrivals import Arrivals
from clefkit.errors import ClefkitError, UsageError
from clefkit.verdict import Judge, Verdict
from clefkit.work import Drawing, Item, Job, Outcome

Paths = Annotated[
    list[str] | None,
    typer.Argument(metavar="[FILE]...", help="Inputs. None, or '-': one path a line on stdin.", show_default=False),
]

OPTIONS: dict[str, Any] = {
    "out": Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="PATH", help="Folder for the results, or a file for one input."),
    ],
    "seed": Annotated[
        int, typer.Option(min=0, metavar="N", help="Where chance starts: the same seed, the same bytes.")
    ],
    "jobs": Annotated[
        int, typer.Option("--jobs", "-j", min=0, metavar="N", help="Workers; 0 is one a core. Changes no result.")
    ],
    "time_limit": Annotated[float, typer.Option(min=0.1, metavar="SECONDS", help="Seconds that one file may take.")],
    "force": Annotated[bool, typer.Option("--force", "-f", help="Replace files that clefkit did not make.")],
    "null": Annotated[bool, typer.Option("--null", "-0", help="Paths in and out end in NUL instead of newline.")],
    "json": Annotated[bool, typer.Option("--json", help="Print JSON Lines.")],
    "csv": Annotated[bool, typer.Option("--csv", help="Print CSV with all numbers.")],
    "quiet": Annotated[bool, typer.Option("--quiet", "-q", help="No progress, no notes.")],
    "verbose": Annotated[bool, typer.Option("--verbose", "-v", help="Tracebacks, and what libraries have to say.")],
}


@dataclass(frozen=True)
class Common:
    """The options that commands share, and the command's name."""

    name: str
    out: Path | None = None
    seed: int = 0
    jobs: int = 0
    time_limit: float = 900.0
    force: bool = False
    null: bool = False
    json: bool = False
    csv: bool = False
    quiet: bool = False
    verbose: bool = False

    @property
    def form(self) -> str:
        """How findings are printed: "json", "csv" or "" (a table, or lines with tabs)."""
        if self.json and self.csv:
            raise UsageError("--json and --csv don't go together")
        return "json" if self.json else "csv" if self.csv else ""


WRITES = tuple(name for name in OPTIONS if name != "csv")
MEASURES = ("jobs", "time_limit", "null", "json", "csv", "quiet", "verbose")
LISTS = ("json",)


def command(app: typer.Typer, options: Sequence[str] = WRITES) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a function the command of `app`, with these of the common options."""

    def register(function: Callable[..., None]) -> Callable[..., None]:
        name = function.__name__
        own = [each for each in inspect.signature(function, eval_str=True).parameters.values() if each.name != "common"]
        keyword = inspect.Parameter.KEYWORD_ONLY
        shared = [
            inspect.Parameter(key, keyword, default=getattr(Common, key), annotation=OPTIONS[key]) for key in options
        ]

        def called(**values: Any) -> None:
            os.environ |= dict.fromkeys(engine.THREAD_VARIABLES, "1")  # no threads here before workers are forked
            with _told(name):
                common = Common(name, **{key: values.pop(key) for key in options})
                function(**values, common=common)

        parameters = [each.replace(kind=keyword) for each in own] + shared
        functools.update_wrapper(called, function, assigned=("__module__", "__name__", "__doc__"), updated=())
        called.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        called.__annotations__ = {each.name: each.annotation for each in parameters}
        app.command()(called)
        return called

    return register


def run(stage: str, paths: list[str] | None, common: Common, *, drawn_by: str = "", **options: Any) -> NoReturn:
    """Run a stage that makes files on every path. Prints the paths it wrote, in input order, each when complete.

    drawn_by: a submodule of clefkit whose `draw` shows each file on stderr
    """
    out, out_is_file = _target(paths, common)
    canvas = report.canvas() if drawn_by else None
    drawing = Drawing(drawn_by, canvas.columns, canvas.coloured) if canvas else None
    job = Job(stage, options, common.seed, out, out_is_file, common.force, common.verbose, drawing)
    _write(work.make, job, paths, common)


def create(stage: str, common: Common, **options: Any) -> NoReturn:
    """Run a stage that makes one file of numbers alone (`product`), and print its path."""
    out, out_is_file = _target([""], common)
    writing.sweep((out.parent if out_is_file else out) if out else Path())
    written = work.create(Job(stage, options, common.seed, out, out_is_file, common.force))
    if written.note:
        report.Reporter(common.name, None, quiet=common.quiet).note(written.note)
    report.path(str(written.path), written.record, as_json=common.json, null=common.null)
    raise typer.Exit


def replay(paths: list[str] | None, common: Common) -> NoReturn:
    """Make every path again from its record. Prints the paths of those that came out the same to the byte."""
    job = Job("", {}, out=common.out, force=common.force, verbose=common.verbose)
    _write(work.replay, job, paths, common)


def measure(stage: str, paths: list[str] | None, common: Common, judge: Judge, **options: Any) -> NoReturn:
    """Run a stage that finds something out about every path, print what it finds, and let `judge` decide."""
    arrivals = Arrivals(paths or [], null=common.null, together=judge.together)
    job = Job(stage, options, verbose=common.verbose)
    table: report.Table | None = None
    reporter = report.Reporter(common.name, arrivals.total, quiet=common.quiet)
    failed = False
    with reporter, closing(_outcomes(work.measure, job, arrivals, common, reporter)) as outcomes:
        for outcome in outcomes:
            if outcome.finding is None:
                failed = True
                judge.fail(outcome.path, outcome.error)
                continue
            failed |= not _written(judge.add(outcome.finding), reporter)
            table = table or report.Table(judge.columns(outcome.finding, all_of_them=common.csv), common.form)
            with _to_the_end(judge):
                for line in judge.lines(outcome.finding):
                    table.add(line)
    verdict = judge.verdict()
    failed |= not _written(verdict.files, reporter)
    with _to_the_end(judge):
        if table:
            table.end(verdict.last)
        for columns, found in verdict.tables:
            report.table(columns, found, common.form)
    _tell(verdict, reporter)
    raise typer.Exit(int(failed or bool(verdict.complaints)))


def _written(texts: dict[Path, str], reporter: report.Reporter) -> bool:
    """Write reports. One that can't be written is told, and costs none of the others."""
    done = True
    for path, text in texts.items():
        try:
            writing.replace(path, text)
        except ClefkitError as error:
            reporter.error(str(error))
            done = False
    return done


@contextmanager
def _to_the_end(judge: Judge) -> Iterator[None]:
    """When the next program stops reading, we stop, too, unless there is more to do than to print."""
    try:
        yield
    except BrokenPipeError:
        if not judge.decides:
            raise
        _close_stdout()


def _tell(verdict: Verdict, reporter: report.Reporter) -> None:
    for complaint in verdict.complaints:
        reporter.error(complaint)
    if verdict.fell:
        report.table(*verdict.fell, "", to=sys.stderr)
    for note in verdict.notes:
        reporter.note(note)


def rows(found: list[dict[str, Any]], columns: Sequence[str], common: Common, *, failed: bool = False) -> NoReturn:
    """Print rows that are known already; `failed` makes the exit status 1."""
    report.table(columns, found, common.form)
    raise typer.Exit(1 if failed else 0)


def text(pieces: Iterable[str]) -> NoReturn:
    """Print texts as they are."""
    for piece in pieces:
        report.line(piece.rstrip("\n"))
    raise typer.Exit


def _write(do: Callable[[Job, Item], Outcome], job: Job, paths: list[str] | None, common: Common) -> NoReturn:
    folder = job.out.parent if job.out and job.out_is_file else job.out
    arrivals = Arrivals(paths or [], out=folder, null=common.null, enter=writing.sweep)
    failed = False
    reporter = report.Reporter(common.name, arrivals.total, quiet=common.quiet)
    with reporter, closing(_outcomes(do, job, arrivals, common, reporter)) as outcomes:
        for outcome in outcomes:
            failed = failed or bool(outcome.error)
            for path, data in outcome.files:
                report.path(path, data, as_json=common.json, null=common.null)
            reporter.draw(outcome.drawings)
    raise typer.Exit(1 if failed else 0)


def _outcomes(
    do: Callable[[Job, Item], Outcome], job: Job, arrivals: Arrivals, common: Common, reporter: report.Reporter
) -> Generator[Outcome, None, None]:
    """What became of each input, in order, with its notes and its error told."""
    jobs = common.jobs or engine.cores()
    results = engine.run(functools.partial(do, job), arrivals, jobs, common.time_limit, verbose=common.verbose)
    try:
        with closing(results):
            for item, result, lost in results:
                outcome = Outcome(error=lost) if lost else result
                if lost:
                    _sweep(arrivals)
                for note in outcome.notes:
                    reporter.note(f"{item.path}: {note}")
                outcome.path = item.path
                if outcome.error:
                    reporter.error(f"{item.path}: {outcome.error}")
                reporter.advance()
                yield outcome
    except (GeneratorExit, KeyboardInterrupt, SystemExit):
        _sweep(arrivals)  # the workers were killed in the middle of a file
        raise


def _sweep(arrivals: Arrivals) -> None:
    for folder in arrivals.folders:
        writing.sweep(folder)


def _target(paths: list[str] | None, common: Common) -> tuple[Path | None, bool]:
    """`--out` and whether it is a file: a name with an ending that is no folder, for a single input."""
    out = common.out
    if out is None or out.is_dir() or not out.suffix:
        return out, False
    if len(paths or []) != 1 or paths == ["-"]:
        raise UsageError(f"--out {out} looks like a file, but there may be several inputs: give a folder")
    return out, True


@contextmanager
def _told(name: str) -> Iterator[None]:
    """Problems become one line on stderr and an exit status."""
    signal.signal(signal.SIGTERM, _terminated)
    try:
        yield
    except UsageError as error:
        print(f"clefkit {name}: {error}", file=sys.stderr)
        raise typer.Exit(2) from error
    except ClefkitError as error:
        print(f"clefkit {name}: {error}", file=sys.stderr)
        raise typer.Exit(1) from error
    except BrokenPipeError as error:
        _close_stdout()
        raise typer.Exit(0) from error
    except OSError as error:
        if error.filename is None:
            _close_stdout()
        what = error.filename or "stdout"
        print(f"clefkit {name}: {what}: {(error.strerror or str(error)).lower()}", file=sys.stderr)
        raise typer.Exit(1) from error


def _terminated(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


def _close_stdout() -> None:
    """What is still in the buffer goes nowhere, or Python would complain when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
