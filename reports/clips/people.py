"""The thesis's tables 4.1 and 4.2 for any clips: people in the original and in the output, and the difference."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from unmask.bench.store.clip_set import ClipSet
from unmask.bench.store.planned import Release
from unmask.bench.store.results import ClipResult, ClipRow, EstimateRow
from unmask.bench.store.view import ALL, column_of
from unmask.reports.boards import Board
from unmask.reports.cells import missing_text
from unmask.reports.numbers import NOT_MEASURED, format_number, interval_text, listed

AVERAGE = "people_difference"


@cache
def thesis() -> Mapping[str, Any]:
    """What the thesis printed (thesis.toml)."""
    return tomllib.loads((Path(__file__).parent / "thesis.toml").read_text("utf-8"))


def people_tables(board: Board, clips: ClipSet) -> list[tuple[Release, list[dict[str, Any]], list[dict[str, Any]]]]:
    """Every method, then the control where it was re-encoded: its tables by the first tracker, one for each group of
    clips, and those by the others."""
    views = []
    for release in (*clips.competing, *([clips.recoded] if clips.recoded else [])):
        first, *others = (
            [_table(board, clips, release, group, tracker) for group in clips.groups] for tracker in clips.trackers
        )
        views.append((release, first, [table for tables in others for table in tables]))
    return views


def _table(board: Board, clips: ClipSet, release: Release, group: str, tracker: str) -> dict[str, Any]:
    """One release, one group of clips ('' = they come in no groups), one tracker."""
    lines = [_line(row, result, tracker) for row, result in clips.results(release.label) if row.group == group]
    pairs = [(before, after) for _, before, after, *_ in lines if before is not None and after is not None]
    name = ALL if clips.groups == [""] else f"group={group}"
    average, total, sd = (
        clips.row(release.label, metric, tracker, name) for metric in (AVERAGE, f"{AVERAGE}_sum", f"{AVERAGE}_sd")
    )
    return {
        "release": release,
        "group": group,
        "tracker": tracker,
        "lines": lines,
        "sums": [
            *(sum(pair[k] for pair in pairs) if pairs else None for k in (0, 1)),
            None if total is None or total.value is None else round(total.value),
        ],
        "sd": "needs two clips" if sd is None or sd.value is None else format_number(sd.value, "people", 2),
        "average": NOT_MEASURED
        if average is None or average.value is None
        else format_number(average.value, "people", 2),
        "interval": _interval(board, average),
        "left_out": sum(bool(row.problem) for row in clips.every if row.group == group),
        "reported": _reported(clips, group),
    }


def _line(row: ClipRow, result: ClipResult, tracker: str) -> tuple[str, int | None, int | None, int | None, str]:
    """Clip, people in the original and in the output, their difference, and why the counts are not what they look like,
    e.g. no output."""
    before, after = row.people.get(tracker), result.people.get(tracker)
    difference = None if before is None or after is None else before - after
    return row.clip, before, after, difference, f"no output: {result.error}" if result.error else row.damage


def _interval(board: Board, row: EstimateRow | None) -> str:
    if row is None or row.value is None:
        return ""
    return interval_text(row, "people") or missing_text(board, row, board.metric(column_of(row)))


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
