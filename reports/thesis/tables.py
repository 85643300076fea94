"""The thesis's tables with our numbers beside theirs, and the de-identification rates that it has none of."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from unmask.bench.store.view import WORST
from unmask.reports.thesis.decisions import Range
from unmask.reports.thesis.measured import Measured
from unmask.reports.thesis.published import Row, Rules, Table
from unmask.reports.thesis.words import Shown, show

Place = Literal["", "inside", "above", "below"]


@dataclass(frozen=True, slots=True)
class Pair:
    """Theirs and ours."""

    thesis: str
    ours: Shown
    place: Place
    """Where our interval has the thesis's number: ``above`` = it is higher than all of it; '' = cannot be said."""


@dataclass(frozen=True, slots=True)
class Line:
    title: str
    pairs: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class TableView:
    table: Table
    groups: tuple[tuple[str, tuple[Line, ...]], ...]
    played: tuple[str, ...]
    """The label of the method in each column; '' = not run."""


@dataclass(frozen=True, slots=True)
class DeidView:
    """De-identification rates of all methods by all recognisers, in one reading."""

    title: str
    metric: str
    recognisers: tuple[str, ...]
    """``worst`` last."""
    lines: tuple[tuple[str, tuple[Shown, ...]], ...]


def beside(table: Table, measured: Measured) -> TableView:
    """One of the thesis's tables."""
    groups = tuple(
        (title, tuple(_line(row, table, measured) for row in rows))
        for title, rows in groupby(table.rows, key=lambda row: row.group)
    )
    return TableView(table, groups, tuple(measured.label(column.role) for column in table.columns))


def _line(row: Row, table: Table, measured: Measured) -> Line:
    instrument = measured.instrument(row.instrument)
    unit = measured.unit(row.metric)
    pairs = []
    for column, value in zip(table.columns, row.values, strict=True):
        ours = measured.estimate(column.role, row.metric, instrument, row.region)
        pairs.append(Pair(value, show(ours, unit), place_of(value, ours, unit)))
    return Line(row.title, tuple(pairs))


def place_of(printed: str, ours: Range, unit: str) -> Place:
    """Where a printed number (shares in per cent) lies as seen from our interval."""
    if ours.interval is None:
        return ""
    value = float(printed) / (100 if unit == "share" else 1)
    low, high = ours.interval
    return "below" if value < low else "above" if value > high else "inside"


def deid_views(rules: Rules, measured: Measured) -> list[DeidView]:
    """Calibrated, and in both readings of the thesis's threshold."""
    readings = (
        (f"Calibrated, at a false match rate of {rules.fmr}", f"deid_rate@{rules.fmr}"),
        ("The thesis's threshold, read as cosine distance above 0.3", "deid_rate_thesis_cosine"),
        ("The thesis's threshold, read as squared L2 distance above 0.3", "deid_rate_thesis_l2"),
    )
    names = (*measured.recognisers, WORST)
    return [
        DeidView(
            title,
            metric,
            names,
            tuple(
                (
                    measured.label(role),
                    tuple(show(measured.estimate(role, metric, name), "share") for name in names),
                )
                for role in measured.roles
            ),
        )
        for title, metric in readings
        if metric in measured.run.metrics
    ]
