"""The thesis's tables 4.1 and 4.2 for any clips: people in the original and in the output, and the difference."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from unmask.bench.store.clip_set import ClipSet
from unmask.bench.store.results import ClipResult, ClipRow, EstimateRow
from unmask.bench.store.schemas import Release
from unmask.bench.store.view import ALL, column_of
from unmask.reports.boards import Board
from unmask.reports.cells import missing_text
from unmask.reports.numbers import MINUS, NOT_MEASURED, format_interval, format_number, listed

AVERAGE = "people_difference"


@cache
def thesis() -> Mapping[str, Any]:
    """What the thesis printed (thesis.toml)."""
    return tomllib.loads((Path(__file__).parent / "thesis.toml").read_text("utf-8"))


@dataclass(frozen=True, slots=True)
class PeopleLine:
    clip: str
    original: str
    output: str
    difference: str
    note: str
    """Why the counts are not what they look like, e.g. no output."""


@dataclass(frozen=True, slots=True)
class PeopleTable:
    """One release, one group of clips, one tracker."""

    release: Release
    control: bool
    group: str
    """'' = the clips come in no groups."""
    tracker: str
    lines: tuple[PeopleLine, ...]
    sums: tuple[str, str, str]
    sd: str
    average: str
    interval: str
    """Of the average; or why there is none."""
    left_out: int
    """Clips of the group that could not be used."""
    reported: Mapping[str, Any] | None
    """The thesis's own sums for these clips."""


@dataclass(frozen=True, slots=True)
class PeopleTables:
    """All tables of one release."""

    release: Release
    control: bool
    lead: tuple[PeopleTable, ...]
    """By the first tracker, a table a group."""
    others: tuple[PeopleTable, ...]


def people_tables(board: Board, clips: ClipSet) -> list[PeopleTables]:
    """Every method, then the control where it was re-encoded."""
    views = []
    for release in (*clips.competing, *([clips.recoded] if clips.recoded else [])):
        tables = [_table(board, clips, release, group, t) for t in clips.trackers for group in clips.groups]
        lead = tuple(t for t in tables if t.tracker == clips.tracker)
        others = tuple(t for t in tables if t.tracker != clips.tracker)
        views.append(PeopleTables(release, clips.run.is_control(release.label), lead, others))
    return views


def _table(board: Board, clips: ClipSet, release: Release, group: str, tracker: str) -> PeopleTable:
    pairs = [(row, result) for row, result in clips.results(release.label) if row.group == group]
    counted = [
        (row.people[tracker], result.people[tracker])
        for row, result in pairs
        if tracker in row.people and tracker in result.people
    ]
    sums = [number_text(sum(pair[k] for pair in counted)) if counted else NOT_MEASURED for k in (0, 1)]
    name = ALL if clips.groups == [""] else f"group={group}"
    average, total, sd = (
        clips.row(release.label, metric, tracker, name) for metric in (AVERAGE, f"{AVERAGE}_sum", f"{AVERAGE}_sd")
    )
    return PeopleTable(
        release,
        clips.run.is_control(release.label),
        group,
        tracker,
        tuple(_line(row, result, tracker) for row, result in pairs),
        (sums[0], sums[1], NOT_MEASURED if total is None or total.value is None else number_text(round(total.value))),
        "needs two clips" if sd is None or sd.value is None else format_number(sd.value, "people", 2),
        NOT_MEASURED if average is None or average.value is None else format_number(average.value, "people", 2),
        _interval(board, average),
        sum(bool(row.problem) for row in clips.every if row.group == group),
        _reported(clips, group),
    )


def _line(row: ClipRow, result: ClipResult, tracker: str) -> PeopleLine:
    before, after = row.people.get(tracker), result.people.get(tracker)
    both = before is not None and after is not None
    note = f"no output: {result.error}" if result.error else ""
    if not note and row.damage:
        note = row.damage
    return PeopleLine(
        row.clip,
        NOT_MEASURED if before is None else f"{before:,}",
        NOT_MEASURED if after is None else f"{after:,}",
        number_text(before - after) if both and before is not None and after is not None else NOT_MEASURED,
        note,
    )


def number_text(value: int) -> str:
    """A whole number, with a true minus."""
    return f"{value:,}".replace("-", MINUS)


def _interval(board: Board, row: EstimateRow | None) -> str:
    if row is None or row.value is None:
        return ""
    interval = format_interval(row.low, row.high, row.value, "people")
    return interval or missing_text(board, row, board.metric(column_of(row)))


def _reported(clips: ClipSet, group: str) -> Mapping[str, Any] | None:
    if clips.card.name != thesis()["source"]["dataset"]:
        return None
    tables: Sequence[Mapping[str, Any]] = thesis()["tables"]
    return next((table for table in tables if table["group"] == group), None)


def followed_by(clips: ClipSet) -> str:
    """Who found and followed people, and how that differs from the thesis."""
    source, plan = thesis()["source"], clips.run.plan
    detector, trackers = plan.part("person_detector"), plan.trackers
    here = f"People were found by {detector.label} and followed by {listed(clips.trackers)}"
    if (detector.card.name, trackers[0].card.name) == (source["detector"], source["tracker"]):
        return f"{here}, as in the thesis ({source['instruments']})."
    return f"{here}. The thesis used {source['instruments']}, so its counts and these are not comparable."
