"""The thesis's tables 4.1 and 4.2 for any clips: people in the original and in the output, and the difference."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from unmask.bench.store.results import ClipResult, ClipRow, EstimateRow
from unmask.bench.store.schemas import Release
from unmask.reports.numbers import MINUS, NOT_MEASURED, format_interval, format_number
from unmask.reports.runs import ALL
from unmask.reports.video.cells import missing_text
from unmask.reports.video.view import VideoView

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
    """One contestant, one group of clips, one tracker."""

    contestant: Release
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
    """All tables of one contestant."""

    contestant: Release
    control: bool
    lead: tuple[PeopleTable, ...]
    """By the first tracker, a table a group."""
    others: tuple[PeopleTable, ...]


def people_tables(view: VideoView, dataset: str) -> list[PeopleTables]:
    """Every method, then the control where it was re-encoded."""
    chosen = [*view.competing, *([view.recoded] if view.recoded else [])]
    found = []
    for contestant in chosen:
        tables = [
            _table(view, dataset, contestant, group, tracker)
            for tracker in view.trackers
            for group in clip_groups(view, dataset)
        ]
        lead = tuple(t for t in tables if t.tracker == view.tracker)
        others = tuple(t for t in tables if t.tracker != view.tracker)
        found.append(PeopleTables(contestant, view.is_control(contestant), lead, others))
    return found


def clip_groups(view: VideoView, dataset: str) -> list[str]:
    """Groups of clips, in the order of the data set; ``['']`` where there are none."""
    return list(dict.fromkeys(row.group for row in view.clips(dataset))) or [""]


def _table(view: VideoView, dataset: str, contestant: Release, group: str, tracker: str) -> PeopleTable:
    every = [row for row in view.clips(dataset) if row.group == group]
    pairs = [
        (row, result)
        for row in every
        if not row.problem and (result := view.result(dataset, contestant.label, row.clip)) is not None
    ]
    counted = [
        (row.people[tracker], result.people[tracker])
        for row, result in pairs
        if tracker in row.people and tracker in result.people
    ]
    sums = [number_text(sum(pair[k] for pair in counted)) if counted else NOT_MEASURED for k in (0, 1)]
    name = ALL if clip_groups(view, dataset) == [""] else f"group={group}"
    average, total, sd = (
        view.row(dataset, contestant.label, view.column(metric, tracker), name)
        for metric in (AVERAGE, f"{AVERAGE}_sum", f"{AVERAGE}_sd")
    )
    return PeopleTable(
        contestant,
        view.is_control(contestant),
        group,
        tracker,
        tuple(_line(row, result, tracker) for row, result in pairs),
        (sums[0], sums[1], NOT_MEASURED if total is None or total.value is None else number_text(round(total.value))),
        "needs two clips" if sd is None or sd.value is None else format_number(sd.value, "people", 2),
        NOT_MEASURED if average is None or average.value is None else format_number(average.value, "people", 2),
        _interval(view, dataset, average, name),
        sum(bool(row.problem) for row in every),
        _reported(view, dataset, group),
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


def _interval(view: VideoView, dataset: str, row: EstimateRow | None, group: str) -> str:
    if row is None or row.value is None:
        return ""
    return format_interval(row.low, row.high, row.value, "people") or missing_text(
        view, dataset, row, view.metrics[AVERAGE], group
    )


def _reported(view: VideoView, dataset: str, group: str) -> Mapping[str, Any] | None:
    if view.datasets[dataset].name != thesis()["source"]["dataset"]:
        return None
    tables: Sequence[Mapping[str, Any]] = thesis()["tables"]
    return next((table for table in tables if table["group"] == group), None)
