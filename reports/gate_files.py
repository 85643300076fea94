"""The verdicts of a gate as files for continuous integration: Markdown to be read, JUnit XML for test reports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final
from xml.etree import ElementTree

from unmask.bench.store.gating import FaceList, Gate, GateRow
from unmask.bench.store.view import ALL
from unmask.reports.numbers import NBSP, format_number, format_value

MOST_BYTES: Final = 64_000
"""Of a Markdown text: GitHub takes comments of 65,536 characters."""
MOST_NAMED: Final = 10
"""Faces of a list that Markdown names; the JSON has more."""
_ILLEGAL: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no place for, not even escaped (section 2.2)."""
_FAILING: Final = ("worse", "newly failed", "not comparable", "inconclusive")


def headline(gate: Gate) -> str:
    """``worse (exit code 3)``"""
    return f"{gate.decision} (exit code {gate.exit_code})"


def markdown(gate: Gate) -> str:
    """A summary below `MOST_BYTES`: decision and reasons first, so that what is cut is never the verdict."""
    blocks = [
        f"## unmask gate: {headline(gate)}",
        f"`{_cell(gate.candidate)}` against `{_cell(gate.baseline)}`"
        + (f", pinned anchor `{_cell(gate.anchor)}`" if gate.anchor else ""),
        _list(gate.reasons),
        _table([row for row in gate.rows if row.group == ALL]),
        _groups([row for row in gate.rows if row.group != ALL and row.verdict in ("worse", "newly failed", "better")]),
        _changes(gate.changes),
        _list([each.text for each in gate.sensitivity]),
        _list(gate.notes),
        f"Where this is meant: `{gate.accept.replace('`', '')}`, and commit the file.",
    ]
    return _cut([block for block in blocks if block])


def _cut(blocks: Sequence[str]) -> str:
    text, note = "", "\n\nCut here; gate.json has all of it.\n"
    for block in blocks:
        for line in f"{block}\n\n".splitlines(keepends=True):
            if len((text + line + note).encode()) > MOST_BYTES:
                return text.rstrip() + note
            text += line
    return text.rstrip() + "\n"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {_cell(line)}" for line in lines)


def _table(rows: Sequence[GateRow]) -> str:
    head = "| data set | metric | against | baseline | candidate | loss [95 %] | margin | faces | verdict |"
    lines = [head, "|---|---|---|---|---|---|---|---|---|"]
    return "\n".join([*lines, *(_line(row) for row in rows)])


def _groups(rows: Sequence[GateRow]) -> str:
    if not rows:
        return ""
    named = [row.model_copy(update={"title": f"{row.title}, {row.group}"}) for row in rows]
    return f"Subgroups that stand out:\n\n{_table(named)}"


def _line(row: GateRow) -> str:
    verdict = f"**{row.verdict}**" if row.blocks else row.verdict
    if row.verdict == "inconclusive":
        verdict += f" ({needed(row)})"
    if row.collapsed:
        verdict += ", collapsed"
    if row.reason:
        verdict += f": {_cell(row.reason)}"
    metric = f"{row.title}, {row.instrument}"
    values = [value(each, row.unit) for each in (row.baseline, row.candidate)]
    cells = [row.dataset, metric, row.against, *values, interval(row), difference(row.margin, row.unit)]
    return "| " + " | ".join([*map(_cell, cells), f"{row.faces:,}", verdict]) + " |"


def needed(row: GateRow) -> str:
    """How many faces would settle an inconclusive row."""
    return "more faces will not settle it" if row.faces_needed is None else f"about {row.faces_needed:,} faces would"


def value(number: float | None, unit: str) -> str:
    """``95.0 %``; '' = none."""
    return "" if number is None else format_value(number, unit)


def difference(number: float | None, unit: str) -> str:
    """A difference of two values; of shares in points of per cent. '' = none."""
    if number is None:
        return ""
    return f"{format_number(number, unit, exact=False)}{NBSP}points" if unit == "share" else value(number, unit)


def interval(row: GateRow) -> str:
    """The loss, and its interval in brackets."""
    if row.low is None or row.high is None:
        return difference(row.loss, row.unit)
    low, high = (format_number(end, row.unit, exact=False) for end in (row.low, row.high))
    return f"{difference(row.loss, row.unit)} [{low}, {high}]"


def _changes(lists: Sequence[FaceList]) -> str:
    lines = []
    for each in lists:
        if each.count:
            more = f" and {each.count - MOST_NAMED:,} more" if each.count > MOST_NAMED else ""
            names = ", ".join(_cell(face) for face in each.faces[:MOST_NAMED])
            against = "" if each.against == "baseline" else " (anchor)"
            lines.append(f"- {_cell(each.dataset)}: {each.what}{against}: {each.count:,} of {each.of:,}: {names}{more}")
    return "\n".join(lines)


def _cell(text: str) -> str:
    """Text that ends no cell and starts no markup."""
    plain = " ".join(_ILLEGAL.sub("?", text).split())
    return re.sub(r"([\\`*_{}\[\]<>|@])", r"\\\1", plain)


def junit(gate: Gate) -> str:
    """One test case a metric and group. What blocks and fails is a failure, what cannot be measured is skipped."""
    root = ElementTree.Element("testsuites", name="unmask gate")
    for dataset in dict.fromkeys((row.dataset, row.against) for row in gate.rows):
        rows = [row for row in gate.rows if (row.dataset, row.against) == dataset]
        cases = [(row, _outcome(gate, row)) for row in rows]
        counts = {kind: str(sum(outcome == kind for _, outcome in cases)) for kind in ("failure", "skipped")}
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=_legal(f"{dataset[0]} against the {dataset[1]}"),
            tests=str(len(cases)),
            failures=counts["failure"],
            errors="0",
            skipped=counts["skipped"],
        )
        for row, outcome in cases:
            name = f"{row.metric} {row.instrument} {row.region or ''} {row.group}"
            case = ElementTree.SubElement(
                suite, "testcase", classname=_legal(f"unmask.{row.family}"), name=_legal(" ".join(name.split()))
            )
            message = (
                f"{row.verdict}: loss {interval(row)}, margin {difference(row.margin, row.unit)}"
                if not row.reason
                else (f"{row.verdict}: {row.reason}")
            )
            if outcome:
                ElementTree.SubElement(case, outcome, message=_legal(message))
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name="gate",
        tests="1",
        failures=str(int(gate.exit_code != 0)),
        errors="0",
        skipped="0",
    )
    case = ElementTree.SubElement(suite, "testcase", classname="unmask.gate", name="decision")
    if gate.exit_code:
        failure = ElementTree.SubElement(case, "failure", message=headline(gate))
        failure.text = _legal("\n".join(gate.reasons))
    ElementTree.indent(root)
    return "<?xml version='1.0' encoding='utf-8'?>\n" + ElementTree.tostring(root, encoding="unicode") + "\n"


def _outcome(gate: Gate, row: GateRow) -> str:
    if row.verdict == "not measured":
        return "skipped"
    if not row.blocks or row.verdict not in _FAILING:
        return ""
    if row.verdict == "inconclusive":
        return "failure" if gate.inconclusive_blocks and row.group == ALL else "skipped"
    return "failure"


def _legal(text: str) -> str:
    return _ILLEGAL.sub("?", text)
