"""What the page of one method says about one data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from unmask.bench.core.cards import MetricCard
from unmask.bench.store.results import FindingRow, GapRow, MethodProblem
from unmask.reports.boards import Board, Entrant
from unmask.reports.cells import Cell, chance_text, entrant_cell, estimate_cell
from unmask.reports.charts.histogram import Threshold, histogram
from unmask.reports.columns import FAMILIES, FAMILY_TITLES, Head, headline_heads, instrument_text
from unmask.reports.leaderboard import Outcomes, outcomes_of
from unmask.reports.numbers import NBSP, NOT_MEASURED, fmr_text, format_interval, format_p, format_value
from unmask.reports.runs import WORST, Column
from unmask.reports.worst_cases import WorstCases, worst_cases

SIGNIFICANT = 0.05


@dataclass(frozen=True, slots=True)
class Measured:
    """A line of a table: what was measured, and the number."""

    card: MetricCard
    sub: str
    cell: Cell
    chance: str
    control: str


@dataclass(frozen=True, slots=True)
class Gap:
    """The worst and the best subgroup of one attribute."""

    by: str
    worst: str
    worst_value: str
    best: str
    best_value: str
    gap: str
    interval: str
    expected: str
    """What the gap would be on average if the groups did not differ; '' = not computed."""
    p: str
    """Permutation test; '' = not tested."""


@dataclass(frozen=True, slots=True)
class Subgroups:
    head: Head
    gaps: tuple[Gap, ...]
    groups: tuple[tuple[str, Cell], ...]
    """All groups with their estimates, "all" first."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """This method against another on one metric."""

    word: str
    """``better``, ``worse``, ``tie``, ``differs``, ``identical``, or empty where they were not compared."""
    detail: str


@dataclass(frozen=True, slots=True)
class Section:
    """Everything about one method on one data set."""

    board: Board
    outcomes: Outcomes
    headlines: tuple[tuple[Head, Cell], ...]
    histograms: tuple[tuple[str, Markup], ...]
    """Recogniser, drawing."""
    series: tuple[str, ...]
    """Names of the histograms' series, in drawing order."""
    subgroups: tuple[Subgroups, ...]
    versus: tuple[tuple[Entrant, tuple[Verdict, ...]], ...]
    worst: WorstCases
    failures: tuple[MethodProblem, ...]
    findings: tuple[FindingRow, ...]
    families: tuple[tuple[str, tuple[Measured, ...]], ...]


def make_section(board: Board, entrant: Entrant, name: str) -> Section:
    """``name``: letters, digits and ``-``; keeps ids apart on the page."""
    run, method = entrant.run, entrant.method
    heads = headline_heads(board)
    drawn, series = _histograms(board, entrant, name)
    others = [m for m in run.contestants if m != method and not entrant.control]
    return Section(
        board,
        outcomes_of(board, entrant),
        tuple((head, entrant_cell(board, entrant, head.column)) for head in heads),
        drawn,
        series,
        tuple(s for head in heads if (s := _subgroups(board, entrant, head)) is not None),
        tuple((Entrant(run, m), tuple(_verdict(board, entrant, m, head) for head in heads)) for m in others),
        worst_cases(run, board.dataset, method),
        tuple(f for f in run.estimates.failures if (f.dataset, f.method) == (board.dataset, method)),
        run.findings(board.dataset, method),
        tuple(_family(board, entrant, family) for family in FAMILIES if _measured(board, entrant, family)),
    )


def _measured(board: Board, entrant: Entrant, family: str) -> list[Column]:
    columns = entrant.run.columns(board.dataset)
    return [c for c in columns if entrant.run.metrics[c.metric].family == family]


def _family(board: Board, entrant: Entrant, family: str) -> tuple[str, tuple[Measured, ...]]:
    lines = []
    for column in _measured(board, entrant, family):
        card = entrant.run.metrics[column.metric]
        row = entrant.run.row(board.dataset, entrant.method, column)
        control = entrant.run.control_row(board.dataset, column)
        lines.append(
            Measured(
                card,
                instrument_text(board, column),
                # Against the own run, so that a number which may not stand in a shared table is still told here.
                Cell("unmeasured", NOT_MEASURED, NOT_MEASURED)
                if row is None
                else entrant_cell(board, entrant, column)
                if not board.reason_against(entrant.run, column)
                else estimate_cell(row, card, board.scale(column)),
                chance_text(row, card.unit) if row else "",
                format_value(control.value, card.unit) if control and not entrant.control else "",
            )
        )
    return FAMILY_TITLES[family], tuple(lines)


def _histograms(board: Board, entrant: Entrant, name: str) -> tuple[tuple[tuple[str, Markup], ...], tuple[str, ...]]:
    rows = [
        r
        for r in entrant.run.estimates.histograms
        if (r.dataset, r.method) == (board.dataset, entrant.method) and len(r.edges) > 1
    ]
    drawn = tuple(
        (
            row.instrument,
            histogram(
                row,
                _thresholds(entrant.run.operating_points, row.instrument),
                name=f"{name}-h{i}",
                title=f"Distances measured by {row.instrument}: {entrant.method} on {board.dataset}",
            ),
        )
        for i, row in enumerate(rows)
    )
    return drawn, tuple(dict.fromkeys(key for row in rows for key in row.series))


def _thresholds(points: Mapping[str, Any], instrument: str) -> list[Threshold]:
    found = points.get("points", {}).get(instrument) or []
    return [Threshold(float(p["threshold"]), fmr_text(p["fmr"])) for p in found if p["threshold"] is not None]


def _subgroups(board: Board, entrant: Entrant, head: Head) -> Subgroups | None:
    run = entrant.run
    if board.reason_against(run, head.column):
        return None
    column = head.column
    own = run.row(board.dataset, entrant.method, column)
    if column.instrument == WORST and own is not None:
        # Groups are told for the one recogniser that is worst for everybody: each group's own worst may be another,
        # and a gap between two recognisers would be no gap between people.
        column = Column(column.metric, own.note, column.region)
    rows = list(run.groups(board.dataset, entrant.method, column))
    gaps = _gap_rows(entrant, board.dataset, column)
    if not rows and not gaps:
        return None
    unit = head.card.unit
    values = {row.group: format_value(row.value, unit) for row in rows}
    scale = board.scale(head.column)
    whole = run.row(board.dataset, entrant.method, column)
    return Subgroups(
        Head(column, head.card, head.title, instrument_text(board, column), head.better, head.arrow, head.unit),
        tuple(
            Gap(
                g.by,
                g.worst_group,
                values.get(g.worst_group, ""),
                g.best_group,
                values.get(g.best_group, ""),
                format_value(g.gap, unit).replace("%", "points"),
                format_interval(g.low, g.high, g.gap, unit),
                "" if g.expected is None else format_value(g.expected, unit).replace("%", "points"),
                "" if g.p is None else format_p(g.p).removeprefix(f"={NBSP}"),
            )
            for g in gaps
        ),
        tuple((row.group, estimate_cell(row, head.card, scale)) for row in ([whole] if whole else []) + rows),
    )


def _gap_rows(entrant: Entrant, dataset: str, column: Column) -> list[GapRow]:
    return [
        g
        for g in entrant.run.estimates.gaps
        if (g.dataset, g.method, Column(g.metric, g.instrument, g.region or "")) == (dataset, entrant.method, column)
    ]


def _verdict(board: Board, entrant: Entrant, other: str, head: Head) -> Verdict:
    row = entrant.run.comparison(board.dataset, head.column, entrant.method, other)
    if row is None:
        return Verdict("", "not compared")
    if row.identical:
        return Verdict("identical", "the same outputs, byte for byte")
    difference = row.difference if row.a == entrant.method else -row.difference
    unit = head.card.unit
    sign = "+" if difference > 0 else ""
    detail = f"{sign}{format_value(difference, unit).replace('%', 'points')}"
    if row.p_adjusted is None:
        return Verdict("", f"{detail}, not tested")
    detail += f", p {format_p(row.p_adjusted)}"
    if row.p_adjusted >= SIGNIFICANT or difference == 0:
        return Verdict("tie", detail)
    if head.card.direction == "none":
        return Verdict("differs", detail)
    return Verdict("better" if (difference > 0) == (head.card.direction == "higher") else "worse", detail)
