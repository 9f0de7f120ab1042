"""Where items run: worker processes that outlive a crashing or hanging native library.

The process that reads the command line stays light (no numpy, one thread), so workers are forked from it in a few
milliseconds and import what they need themselves. One item at a time goes to a worker; when the worker dies or takes
too long, that item is lost, a new worker takes its place, and the rest goes on. Results come back in the order of the
items, whatever the number of workers.

Where there is no fork (Windows) workers are spawned, which costs some 0.1 s each.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple, Protocol

AHEAD = 1000
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Arrivals(Protocol):
    """Items that may still be on their way, as paths on stdin are. ended: nothing more will come from fileno()"""

    ended: bool

    def fileno(self) -> int: ...
    def take(self) -> Any | None:
        """The next item that is here, or None."""

    def receive(self) -> None:
        """Called when fileno() has something to read."""


class Done(NamedTuple):
    """What became of an item: a result, or the reason why its worker was lost."""

    item: Any
    result: Any = None
    lost: str | None = None


class Worker:
    """A process that does one item at a time."""

    def __init__(self, work: Callable[[Any], Any], verbose: bool) -> None:
        forks = "fork" in multiprocessing.get_all_start_methods()
        context: Any = multiprocessing.get_context("fork" if forks else "spawn")
        self.connection, theirs = context.Pipe()
        lifeline, self.lifeline = context.Pipe(duplex=False)
        held = [self.connection, self.lifeline] if forks else []
        self.process = context.Process(target=_serve, args=(work, theirs, lifeline, held, verbose), daemon=True)
        self.process.start()
        theirs.close()
        lifeline.close()
        self.busy = False
        self.index = -1
        self.item: Any = None
        self.deadline = 0.0

    def begin(self, index: int, item: Any, limit_s: float) -> None:
        self.busy, self.index, self.item, self.deadline = True, index, item, time.monotonic() + limit_s
        self.connection.send(item)

    def finish(self) -> Done:
        """The result that is waiting, or why there is none."""
        try:
            return Done(self.item, self.connection.recv())
        except (EOFError, OSError):
            self.process.join()
            return Done(self.item, lost=f"crashed the worker ({_cause(self.process.exitcode)})")

    def stop(self) -> None:
        self.process.kill()
        self.process.join()
        self.connection.close()
        self.lifeline.close()


def run(
    work: Callable[[Any], Any], arrivals: Arrivals, jobs: int, limit_s: float, *, verbose: bool = False
) -> Generator[Done, None, None]:
    """Do `work` on every item, `jobs` at a time, each within `limit_s` seconds.

    work: importable by name; its items and results can be pickled
    yields: one Done an item, in the order of the items
    """
    workers: list[Worker] = []
    waiting: deque[tuple[int, Any]] = deque()
    finished: dict[int, Done] = {}
    taken = given = 0
    try:
        while True:
            while len(waiting) < jobs and taken - given < AHEAD and (item := arrivals.take()) is not None:
                waiting.append((taken, item))
                taken += 1
            _distribute(work, workers, waiting, jobs, limit_s, verbose)
            if arrivals.ended and not any(worker.busy for worker in workers):
                return
            for worker, done in _collect(workers, arrivals, hungry=len(waiting) < jobs):
                finished[worker.index] = done
                worker.busy = False
                if done.lost:
                    workers.remove(worker)
                    worker.stop()
            while given in finished:
                yield finished.pop(given)
                given += 1
    finally:
        for worker in workers:
            worker.stop()


def _distribute(
    work: Callable[[Any], Any],
    workers: list[Worker],
    waiting: deque[tuple[int, Any]],
    jobs: int,
    limit_s: float,
    verbose: bool,
) -> None:
    while waiting:
        worker = next((each for each in workers if not each.busy), None)
        if worker is None:
            if len(workers) >= jobs:
                return
            worker = Worker(work, verbose)
            workers.append(worker)
        worker.begin(*waiting.popleft(), limit_s)


def _collect(workers: list[Worker], arrivals: Arrivals, hungry: bool) -> Iterator[tuple[Worker, Done]]:
    """Wait until something happens; yield the workers that finished or were lost."""
    busy = {worker.connection: worker for worker in workers if worker.busy}
    channels: list[Any] = list(busy)
    if hungry and not arrivals.ended:
        channels.append(arrivals.fileno())
    if not channels:
        return
    nearest = min((worker.deadline for worker in busy.values()), default=None)
    timeout = None if nearest is None else max(0.0, nearest - time.monotonic())
    ready = wait(channels, timeout)
    if not isinstance(channels[-1], Connection) and channels[-1] in ready:
        arrivals.receive()
    now = time.monotonic()
    for connection, worker in busy.items():
        if connection in ready:
            yield worker, worker.finish()
        elif now >= worker.deadline:
            yield worker, Done(worker.item, lost="took longer than the time limit and was stopped: raise --time-limit")


def _serve(
    work: Callable[[Any], Any], connection: Connection, lifeline: Connection, held: list[Connection], verbose: bool
) -> None:
    """The life of a worker."""
    for end in held:  # our copies of the parent's ends, without which its death would go unnoticed
        end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_die_with_parent, args=(lifeline,), daemon=True).start()
    for name in THREAD_VARIABLES:  # a worker is one core; and sums over threads would change with their number
        os.environ[name] = "1"
    _close_standard_streams(keep_errors=verbose)
    while True:
        try:
            item = connection.recv()
        except (EOFError, OSError):
            return
        connection.send(work(item))


def _die_with_parent(lifeline: Connection) -> None:
    try:
        lifeline.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)


def _close_standard_streams(keep_errors: bool) -> None:
    """No reader of our stdout waits for a worker, and native libraries tell nobody what they think."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1) if keep_errors else (0, 1, 2):
        os.dup2(nothing, descriptor)
    os.close(nothing)
    sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115 open for the whole life of the process


def _cause(exitcode: int | None) -> str:
    if exitcode is None or exitcode >= 0:
        return f"exit status {exitcode}"
    try:
        return signal.Signals(-exitcode).name
    except ValueError:
        return f"signal {-exitcode}"


def cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
