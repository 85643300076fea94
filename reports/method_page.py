"""What the page of one method says about one data set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from markupsafe import Markup

from unmask.bench.core.cards import Family, MetricCard
from unmask.bench.store.results import FindingRow, Problem
from unmask.bench.store.view import WORST, Column
from unmask.reports.boards import Board, Entrant
from unmask.reports.cells import Cell, chance_text, entrant_cell, estimate_cell
from unmask.reports.charts.histogram import Threshold, histogram
from unmask.reports.columns import FAMILY_TITLES, Head, family_columns, headline_heads, instrument_text
from unmask.reports.leaderboard import Outcomes, failures_of, outcomes_of
from unmask.reports.numbers import NBSP, fmr_text, format_interval, format_p, format_value
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
    worst: WorstCases | None
    """`None` = of clips, whose timelines tell it."""
    failures: tuple[Problem, ...]
    findings: tuple[FindingRow, ...]
    families: tuple[tuple[str, tuple[Measured, ...]], ...]


def make_section(board: Board, entrant: Entrant, name: str) -> Section:
    """``name``: letters, digits and ``-``; keeps ids apart on the page."""
    run, label = entrant.run, entrant.label
    heads = headline_heads(board)
    drawn, series = _histograms(board, entrant, name)
    others = [m for m in run.contestants(board.dataset) if m != label and not entrant.control]
    families = ((title, _family(board, entrant, family)) for family, title in FAMILY_TITLES.items())
    return Section(
        board,
        outcomes_of(board, entrant),
        tuple((head, entrant_cell(board, entrant, head.column)) for head in heads),
        drawn,
        series,
        tuple(s for head in heads if (s := _subgroups(board, entrant, head)) is not None),
        tuple((Entrant(run, m), tuple(_verdict(board, entrant, m, head) for head in heads)) for m in others),
        None if board.clips else worst_cases(run, board.dataset, label),
        tuple(failures_of(board, entrant)),
        run.findings(board.dataset, label),
        tuple((title, lines) for title, lines in families if lines),
    )


def _family(board: Board, entrant: Entrant, family: Family) -> tuple[Measured, ...]:
    run, lines = entrant.run, []
    own = set(run.columns(board.dataset))
    for column in (c for c in family_columns(board, family) if c in own):
        card = run.metrics[column.metric]
        row = run.row(board.dataset, entrant.label, column)
        control = run.control_row(board.dataset, column)
        # Against the own run, so that a number which may not stand in a shared table is still shown here.
        apart = row is not None and board.reason_against(run, column)
        lines.append(
            Measured(
                card,
                instrument_text(board, column),
                estimate_cell(board, row) if row and apart else entrant_cell(board, entrant, column),
                chance_text(row, card.unit) if row else "",
                format_value(control.value, card.unit) if control and not entrant.control else "",
            )
        )
    return tuple(lines)


def _histograms(board: Board, entrant: Entrant, name: str) -> tuple[tuple[tuple[str, Markup], ...], tuple[str, ...]]:
    rows = [
        r
        for r in entrant.run.estimates.histograms
        if (r.dataset, r.method) == (board.dataset, entrant.label) and len(r.edges) > 1
    ]
    drawn = tuple(
        (
            row.instrument,
            histogram(
                row,
                _thresholds(entrant.run.operating_points, row.instrument),
                name=f"{name}-h{i}",
                title=f"Distances measured by {row.instrument}: {entrant.label} on {board.dataset}",
            ),
        )
        for i, row in enumerate(rows)
    )
    return drawn, tuple(dict.fromkeys(key for row in rows for key in row.series))


def _thresholds(points: Mapping[str, Any], instrument: str) -> list[Threshold]:
    rows = points.get("points", {}).get(instrument) or []
    return [Threshold(float(p["threshold"]), fmr_text(p["fmr"])) for p in rows if p["threshold"] is not None]


def _subgroups(board: Board, entrant: Entrant, head: Head) -> Subgroups | None:
    run = entrant.run
    if board.reason_against(run, head.column):
        return None
    column = head.column
    own = run.row(board.dataset, entrant.label, column)
    if column.instrument == WORST and own is not None:
        # Groups are told for the one recogniser that is worst for everybody: each group's own worst may be another,
        # and a gap between two recognisers would be no gap between people.
        column = Column(column.metric, own.note, column.region)
    rows = run.groups(board.dataset, entrant.label, column)
    gaps = run.gaps(board.dataset, entrant.label, column)
    if not rows and not gaps:
        return None
    unit = head.card.unit
    values = {row.group: format_value(row.value, unit) for row in rows}
    whole = run.row(board.dataset, entrant.label, column)
    return Subgroups(
        replace(head, column=column, sub=instrument_text(board, column)),
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
        tuple((row.group, estimate_cell(board, row)) for row in ([whole] if whole else []) + rows),
    )


def _verdict(board: Board, entrant: Entrant, other: str, head: Head) -> Verdict:
    row = entrant.run.comparison(board.dataset, head.column, entrant.label, other)
    if row is None:
        return Verdict("", "not compared")
    if row.identical:
        return Verdict("identical", "the same outputs, byte for byte")
    difference = row.difference if row.a == entrant.label else -row.difference
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
