"""The page of a gate: the decision, and baseline and candidate side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from unmask.bench.store.gating import Gate, GateRow
from unmask.bench.store.view import ALL
from unmask.reports.gate_files import difference, headline, interval, needed, value
from unmask.reports.site import single_page

REACH: Final = 3.0
"""Margins from the middle of a drawing to its ends."""
WIDTH: Final = 200
EDGE: Final = 4
"""Of a drawing, in its own units; within its edges lies what is farther away than `REACH`."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """An interval of a loss on a scale of margins, in the drawing's own units."""

    low: float
    high: float
    point: float
    zero: float
    margin: float
    text: str
    """For those who do not see it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A row of the table; every text is ready."""

    row: GateRow
    baseline: str
    candidate: str
    loss: str
    margin: str
    needed: str
    drawing: Drawing | None


def page(gate: Gate) -> str:
    """Of a gate, in one file; the same gate gives the same bytes."""
    lines = [_line(row) for row in gate.rows]
    sets = dict.fromkeys((row.dataset, row.against) for row in gate.rows)
    tables = [
        (
            dataset,
            against,
            [line for line in lines if _is_of(line, dataset, against) and line.row.group == ALL],
            [line for line in lines if _is_of(line, dataset, against) and line.row.group != ALL],
        )
        for dataset, against in sets
    ]
    return single_page("gate.html", gate=gate, headline=headline(gate), tables=tables, width=WIDTH)


def _is_of(line: Line, dataset: str, against: str) -> bool:
    return (line.row.dataset, line.row.against) == (dataset, against)


def _line(row: GateRow) -> Line:
    return Line(
        row,
        value(row.baseline, row.unit),
        value(row.candidate, row.unit),
        interval(row),
        difference(row.margin, row.unit),
        needed(row) if row.verdict == "inconclusive" else "",
        _drawing(row),
    )


def _drawing(row: GateRow) -> Drawing | None:
    if row.loss is None or row.low is None or row.high is None or not row.margin:
        return None
    margin = row.margin

    def at(loss: float) -> float:
        place = (min(max(loss / margin, -REACH), REACH) + REACH) / (2 * REACH)
        return round(EDGE + place * (WIDTH - 2 * EDGE), 1)

    text = f"loss {interval(row)}, margin {difference(margin, row.unit)}"
    return Drawing(at(row.low), at(row.high), at(row.loss), at(0.0), at(margin), text)
