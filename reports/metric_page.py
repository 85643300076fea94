"""What the page of one metric shows: its card, and every method's value in one drawn column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from unmask.bench.core.cards import MetricCard
from unmask.reports.boards import Board, Entrant
from unmask.reports.cells import Cell, entrant_cell
from unmask.reports.columns import instrument_text
from unmask.reports.leaderboard import chance_values
from unmask.reports.numbers import ends_text, format_number
from unmask.reports.runs import Column


@dataclass(frozen=True, slots=True)
class Forest:
    """One instrument's values of a metric, a line a method."""

    sub: str
    chance: str
    left: str
    right: str
    """The ends of the drawn scale."""
    lines: tuple[tuple[Entrant, Cell], ...]


@dataclass(frozen=True, slots=True)
class MetricOnBoard:
    board: Board
    forests: tuple[Forest, ...]


def metric_cards(boards: Sequence[Board]) -> dict[str, MetricCard]:
    """Every metric of a report; the first run's card where versions differ (the pages say so)."""
    cards: dict[str, MetricCard] = {}
    for board in boards:
        for run in board.runs:
            for name, card in run.metrics.items():
                cards.setdefault(name, card)
    return cards


def metric_on_boards(boards: Sequence[Board], metric: str) -> list[MetricOnBoard]:
    found = []
    for board in boards:
        columns = [c for c in board.columns if c.metric == metric]
        if columns:
            found.append(MetricOnBoard(board, tuple(_forest(board, c) for c in columns)))
    return found


def _forest(board: Board, column: Column) -> Forest:
    unit = board.metric(column).unit
    scale = board.scale(column)
    return Forest(
        instrument_text(board, column),
        ends_text(chance_values(board, column), unit),
        format_number(scale.low, unit, 0 if unit == "share" else None),
        format_number(scale.high, unit, 0 if unit == "share" else None),
        tuple((entrant, entrant_cell(board, entrant, column)) for entrant in board.entrants),
    )
