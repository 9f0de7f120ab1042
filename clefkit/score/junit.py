"""The outcome of a gate as a JUnit file, which CI services show as tests: one for each file, one for each thing asked
of the whole set."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from clefkit.score.gate import Check

NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def text(rows: Sequence[Mapping[str, Any]], failures: Mapping[str, str], checks: Sequence[Check]) -> str:
    """The file.

    rows: what was found; failures: file -> why it could not be measured; checks: everything that was asked for
    """
    suite = Element("testsuite", name="clefkit score")
    of_files: dict[str, list[Check]] = {}
    for check in checks:
        of_files.setdefault(check.file, []).append(check)
    for row in rows:
        case = SubElement(suite, "testcase", classname=f"clefkit.score.{row['kind']}", name=_clean(row["file"]))
        _add(case, of_files.get(row["file"], []))
        numbers = [f"{key}={value:.6g}" for key, value in row.items() if isinstance(value, int | float)]
        SubElement(case, "system-out").text = _clean(f"{' '.join(numbers)}\n{row['protocol']}")
    for file, reason in failures.items():
        case = SubElement(suite, "testcase", classname="clefkit.score", name=_clean(file))
        SubElement(case, "error", message=_clean(reason))
    for check in of_files.get("", []):
        _add(SubElement(suite, "testcase", classname="clefkit.score.set", name=_clean(check.name)), [check])
    for tag, key in (("testcase", "tests"), ("failure", "failures"), ("error", "errors")):
        suite.set(key, str(sum(1 for _ in suite.iter(tag))))
    root = Element("testsuites")
    root.append(suite)
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}\n'


def _add(case: Element, checks: Sequence[Check]) -> None:
    """At most one failure a test, as the schema wants it."""
    problems = [check.problem for check in checks if check.problem]
    if problems:
        SubElement(case, "failure", message=_clean("; ".join(problems)))


def _clean(text: str) -> str:
    """What XML 1.0 can say; names of files may hold more."""
    return NOT_XML.sub("\ufffd", text)
