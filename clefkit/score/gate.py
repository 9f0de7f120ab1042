"""The gate of a CI build: what a batch of findings has to reach."""

from __future__ import annotations

from typing import Any, NamedTuple

from clefkit.errors import UsageError
from clefkit.score.kinds import measures
from clefkit.score.totals import check, summary


class Gate(NamedTuple):
    """minimum: measure -> least mean over files; minimum_each: least value of every file; expect: how many files."""

    minimum: dict[str, float]
    minimum_each: dict[str, float]
    expect: int | None

    def judge(self, rows: list[dict[str, Any]], failed: int) -> tuple[dict[str, Any], list[str]]:
        """The mean as a last row, and a sentence for each thing that was not reached.

        Inputs that failed, and files that were expected and did not come, count as 0.
        """
        missing = max(failed, (self.expect or 0) - len(rows))
        means = summary(rows, missing)["mean"]
        return {"file": f"mean of {len(rows) + missing}", **means}, check(rows, *self, missing)


def gate(minimum: list[str], minimum_each: list[str], expect: int | None) -> Gate:
    """A gate from texts like "note_f1=0.8". Raises UsageError when one is not of that form."""
    return Gate(dict(map(_threshold, minimum)), dict(map(_threshold, minimum_each)), expect)


def _threshold(text: str) -> tuple[str, float]:
    key, _, value = text.partition("=")
    if key not in measures():
        raise UsageError(f"no measure is called {key!r}: `clefkit score --measures` lists them")
    try:
        return key, float(value)
    except ValueError as error:
        raise UsageError(f"{text}: write a threshold as {key}=0.8") from error
