"""Which of the many numbers stand in the leaderboard, and what columns are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from unmask.bench.core.cards import Family, MetricCard
from unmask.bench.core.headlines import headline_keys, speaking_key
from unmask.reports.boards import Board
from unmask.reports.numbers import unit_mark
from unmask.reports.runs import WORST, Column

FAMILIES: Final[tuple[Family, ...]] = ("outcome", "privacy", "utility", "skin", "quality", "cost")
FAMILY_TITLES: Final[dict[str, str]] = {
    "outcome": "Outcome",
    "privacy": "Privacy",
    "utility": "Utility",
    "skin": "Skin",
    "quality": "Quality",
    "cost": "Cost",
}
OUTCOMES: Final = ("anonymized", "destroyed", "missed", "error")

REGION_NAMES: Final = {"face": "face", "image": "whole image", "background": "background"}


@dataclass(frozen=True, slots=True)
class Head:
    """A column of the leaderboard."""

    column: Column
    card: MetricCard
    title: str
    sub: str
    """What measured, over what."""
    better: str
    """``higher is better`` or ``lower is better``; empty where neither is."""
    arrow: str
    unit: str


def headline_heads(board: Board) -> list[Head]:
    """The leaderboard's columns, in family order; a metric that nobody measured has none."""
    measured = [(c.metric, c.instrument, c.region) for c in board.columns]
    valued = {key for key in measured if _has_value(board, Column(*key))}
    cards = {column.metric: board.metric(column) for column in board.columns}
    keys = headline_keys(cards, measured, valued, instruments=_instruments(board))
    return [make_head(board, Column(*key)) for key in keys]


def family_columns(board: Board, family: Family) -> list[Column]:
    return [c for c in board.columns if board.metric(c).family == family]


def headline_column(board: Board, name: str) -> Column | None:
    """The column that speaks for a metric: its worst recogniser, else the default instrument, on the face."""
    key = speaking_key([(c.metric, c.instrument, c.region) for c in board.columns], name, _instruments(board))
    return None if key is None else Column(*key)


def _instruments(board: Board) -> list[str]:
    settings = board.reference.plan.settings
    return [settings.default_recogniser, settings.default_attributes, "standard"]


def make_head(board: Board, column: Column) -> Head:
    card = board.metric(column)
    return Head(
        column,
        card,
        card.title,
        instrument_text(board, column),
        better_text(card),
        {"higher": "\N{UPWARDS ARROW}", "lower": "\N{DOWNWARDS ARROW}", "none": ""}[card.direction],
        unit_mark(card.unit),
    )


def better_text(card: MetricCard) -> str:
    return "" if card.direction == "none" else f"{card.direction} is better"


def instrument_text(board: Board, column: Column) -> str:
    """``worst of 4 recognisers``, ``sface``, ``standard, whole image``."""
    if column.instrument == WORST:
        names = {c.instrument for c in board.columns if c.metric == column.metric} - {WORST}
        measured = f"worst of {len(names)} attacks" if names else "worst attack"
    else:
        measured = column.instrument
    plain = column.region == "face" or board.metric(column).family == "cost"
    over = "" if plain else REGION_NAMES[column.region]
    return ", ".join(part for part in (measured, over) if part)


def _has_value(board: Board, column: Column) -> bool:
    return any(
        (row := run.row(board.dataset, method, column)) is not None and row.value is not None
        for run in board.runs
        for method in run.methods
    )
