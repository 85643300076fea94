"""The thesis's tables with our numbers beside theirs, and the de-identification rates that it has none of."""

from __future__ import annotations

from itertools import groupby
from typing import Literal, NamedTuple

from unmask.bench.store.view import WORST
from unmask.reports.thesis.decisions import Range
from unmask.reports.thesis.published import Published, Row, Rules, Table
from unmask.reports.thesis.results import Results

Place = Literal["", "inside", "above", "below"]
"""Of the thesis's number as seen from our interval: ``above`` = it is higher than all of it; '' = cannot be said."""


class Line(NamedTuple):
    title: str
    unit: str
    pairs: list[tuple[str, Range, Place]]
    """In each column the thesis's number, ours, and where our interval has the thesis's."""


def beside(table: Table, results: Results) -> list[tuple[str, list[Line]]]:
    """One of the thesis's tables: title and lines of each group of rows."""
    groups = groupby(table.rows, key=lambda row: row.group)
    return [(title, [_line(row, table, results) for row in rows]) for title, rows in groups]


def _line(row: Row, table: Table, results: Results) -> Line:
    instrument, unit = results.instrument(row.instrument), results.unit(row.metric)
    ours = [results.estimate(column.role, row.metric, instrument, row.region) for column in table.columns]
    printed = zip(row.values, ours, strict=True)
    return Line(row.title, unit, [(value, number, place_of(value, number, unit)) for value, number in printed])


class Crops(NamedTuple):
    """The image quality of one part: the thesis's numbers, which are of 128 px crops with a face in about half of them,
    and ours over several kinds of picture."""

    role: str
    title: str
    table: str
    """Of the thesis, the last one that has this part."""
    lines: list[tuple[str, str, str, list[Range]]]
    """Criterion, unit, the thesis's number ('' = it has none), and ours over each of `pictures`."""


def pictures(results: Results) -> list[tuple[str, str]]:
    """Data set and region: whole photos of the test set, then wide crops of each set of wider photos."""
    wide = [(each.dataset, "wide") for each in results.reproduction.wide]
    return [(results.reproduction.dataset, "image"), *wide]


def quality_over_crops(published: Published, results: Results) -> list[Crops]:
    """Of every part that is played and that the thesis measured the image quality of, the numbers side by side, and how
    many faces a method missed: pictures that it left as they were lift PSNR and SSIM."""
    tables = {
        column.role: (table, number) for table in published.tables for number, column in enumerate(table.columns)
        if any(row.region == "image" for row in table.rows)
    }  # fmt: skip
    parts = []
    for role in results.roles:
        if role not in tables:
            continue
        table, number = tables[role]
        lines = []
        for row in table.rows:
            if row.region == "image":
                instrument, unit = results.instrument(row.instrument), results.unit(row.metric)
                ours = [results.estimate(role, row.metric, instrument, r, dataset=d) for d, r in pictures(results)]
                lines.append((row.title, unit, row.values[number], ours))
        missed = [
            results.estimate(role, "outcome_missed", results.judge.name, dataset=dataset)
            for dataset, _ in pictures(results)
        ]
        lines.append(("Missed faces", "share", "", missed))
        parts.append(Crops(role, table.columns[number].title, table.number, lines))
    return parts


def place_of(printed: str, ours: Range, unit: str) -> Place:
    """Where a printed number (shares in per cent) lies as seen from our interval."""
    if ours.interval is None:
        return ""
    value = float(printed) / (100 if unit == "share" else 1)
    low, high = ours.interval
    return "below" if value < low else "above" if value > high else "inside"


def deid_rates(rules: Rules, results: Results) -> list[tuple[str, str, list[tuple[str, list[Range]]]]]:
    """De-identification rates, calibrated and in both readings of the thesis's threshold: title, metric, and of each
    method the rate by each recogniser, ``worst`` last."""
    readings = (
        (f"Calibrated, at a false match rate of {rules.fmr}", f"deid_rate@{rules.fmr}"),
        ("The thesis's threshold, read as cosine distance above 0.3", "deid_rate_thesis_cosine"),
        ("The thesis's threshold, read as squared L2 distance above 0.3", "deid_rate_thesis_l2"),
    )
    names = (*results.recognisers, WORST)
    return [
        (title, metric, [(results.label(r), [results.estimate(r, metric, n) for n in names]) for r in results.roles])
        for title, metric in readings
        if metric in results.run.metrics
    ]
