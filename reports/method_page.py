"""What the page of one method says about one data set."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from markupsafe import Markup

from unmask.bench.core.cards import Family, MetricCard
from unmask.bench.store.results import HistogramRow
from unmask.bench.store.view import WORST, Column
from unmask.reports.audit import audit_line, strongest_column
from unmask.reports.audit_plots import galleries
from unmask.reports.boards import Board, Entrant
from unmask.reports.cells import Cell, chance_text, entrant_cell, estimate_cell
from unmask.reports.charts.histogram import Threshold, histogram
from unmask.reports.columns import FAMILY_TITLES, Head, headline_heads, instrument_text
from unmask.reports.leaderboard import failures_of, headline_cell, outcomes_of
from unmask.reports.numbers import fmr_text, format_p, format_value
from unmask.reports.protection import SIGNIFICANT
from unmask.reports.worst_cases import named_faces, worst_cases


def section_values(board: Board, entrant: Entrant, name: str) -> dict[str, Any]:
    """What the template shows of one method on one data set. ``name``: letters, digits and ``-``; keeps ids apart on
    the page."""
    run, label = entrant.run, entrant.label
    heads = headline_heads(board)
    of_both = [row for row in run.estimates.histograms if (row.dataset, row.method) == (board.dataset, label)]
    histograms = [row for row in of_both if len(row.edges) > 1]
    others = [m for m in run.contestants(board.dataset) if m != label and not entrant.control]
    families = ((title, _family(board, entrant, family)) for family, title in FAMILY_TITLES.items())
    line = audit_line(board, entrant)
    return {
        "board": board,
        "outcomes": outcomes_of(board, entrant),
        "headlines": [(head, headline_cell(board, entrant, head)) for head in heads],
        "histograms": [
            (row.instrument, _histogram(board, entrant, row, f"{name}-h{i}")) for i, row in enumerate(histograms)
        ],
        "series": list(dict.fromkeys(key for row in histograms for key in row.series)),
        "subgroups": [subgroups for head in heads if (subgroups := _subgroups(board, entrant, head)) is not None],
        "versus": [(Entrant(run, m), [_verdict(board, entrant, m, head) for head in heads]) for m in others],
        "attacked": line,
        "named": None if line is None else named_faces(line, board.dataset),
        "galleries": None if line is None else galleries(line, f"{name}-g"),
        # Of clips the timelines tell it.
        "worst": None if board.clips else worst_cases(run, board.dataset, label),
        "failures": failures_of(board, entrant),
        "findings": run.findings(board.dataset, label),
        "families": [(title, lines) for title, lines in families if lines],
    }


def _family(board: Board, entrant: Entrant, family: Family) -> list[tuple[MetricCard, str, Cell, str, str]]:
    """A line for each column that the own run measured: what, by which instrument, the number, control and chance."""
    run, lines = entrant.run, []
    own = set(run.columns(board.dataset))
    for column in (c for c in board.columns if c in own and board.metric(c).family == family):
        card = run.metrics[column.metric]
        row = run.row(board.dataset, entrant.label, column)
        control = None if entrant.control else run.control_row(board.dataset, column)
        # Against the own run, so that a number which may not stand in a shared table is still shown here.
        apart = row is not None and board.reason_against(run, column)
        cell = estimate_cell(board, row) if row and apart else entrant_cell(board, entrant, column)
        by_control = format_value(control.value, card.unit) if control else ""
        chance = chance_text(row, card.unit) if row else ""
        lines.append((card, instrument_text(board, column), cell, by_control, chance))
    return lines


def _histogram(board: Board, entrant: Entrant, row: HistogramRow, name: str) -> Markup:
    points = entrant.run.operating_points.get("points", {}).get(row.instrument) or []
    thresholds = [Threshold(float(p["threshold"]), fmr_text(p["fmr"])) for p in points if p["threshold"] is not None]
    title = f"Distances measured by {row.instrument}: {entrant.label} on {board.dataset}"
    return histogram(row, thresholds, name=name, title=title)


def _subgroups(board: Board, entrant: Entrant, head: Head) -> dict[str, Any] | None:
    """All groups of a headline number, "all" first, and the gap between the worst and the best of each attribute."""
    run, column = entrant.run, head.column
    if board.reason_against(run, column):
        return None
    if column.instrument == WORST and head.card.family == "audit":
        column = strongest_column(board, entrant, column.metric)
    whole = run.row(board.dataset, entrant.label, column)
    if column.instrument == WORST and whole is not None and whole.note:
        # Groups are told for the one recogniser that is worst for everybody: each group's own worst may be another,
        # and a gap between two recognisers would be no gap between people.
        column = Column(column.metric, whole.note, column.region)
        whole = run.row(board.dataset, entrant.label, column)
    rows = run.groups(board.dataset, entrant.label, column)
    gaps = run.gaps(board.dataset, entrant.label, column)
    if not rows and not gaps:
        return None
    return {
        "head": replace(head, column=column, sub=instrument_text(board, column)),
        "gaps": gaps,
        "in_group": {row.group: format_value(row.value, head.card.unit) for row in rows},
        "groups": [(row.group, estimate_cell(board, row)) for row in ([whole] if whole else []) + rows],
    }


def _verdict(board: Board, entrant: Entrant, other: str, head: Head) -> tuple[str, str]:
    """This method against another on one metric: ``better``, ``worse``, ``tie``, ``differs``, ``identical``, or ''
    where they were not compared; and the difference."""
    row = entrant.run.comparison(board.dataset, head.column, entrant.label, other)
    if row is None:
        return "", "not compared"
    if row.identical:
        return "identical", "the same outputs, byte for byte"
    difference = row.difference if row.a == entrant.label else -row.difference
    detail = f"{'+' if difference > 0 else ''}{format_value(difference, head.card.unit).replace('%', 'points')}"
    if row.p_adjusted is None:
        return "", f"{detail}, not tested"
    detail += f", p {format_p(row.p_adjusted)}"
    if row.p_adjusted >= SIGNIFICANT or difference == 0:
        return "tie", detail
    if head.card.direction == "none":
        return "differs", detail
    return "better" if (difference > 0) == (head.card.direction == "higher") else "worse", detail
