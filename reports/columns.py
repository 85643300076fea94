"""Which of the many numbers stand in the leaderboard, and what columns are called."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from unmask.bench.core.cards import Family, MetricCard
from unmask.bench.core.headlines import JUDGE, headline_keys, speaking_key
from unmask.bench.store.view import WORST, Column, column_of
from unmask.reports.boards import Board

FAMILY_TITLES: Final[dict[Family, str]] = {
    "outcome": "Outcome",
    "traceability": "Following people",
    "exposure": "Privacy over time",
    "audit": "Informed attackers",
    "privacy": "Privacy",
    "consistency": "Consistency",
    "utility": "Utility",
    "skin": "Skin",
    "quality": "Quality",
    "cost": "Cost",
}
"""In the order of the pages."""
TRACEABILITY: Final = {
    "people": "People counted",
    "truth": "Followed, against the truth",
    "original": "Followed, against the original's tracks",
}
"""The parts of that family in the leaderboard."""
OUTCOMES: Final = ("anonymized", "destroyed", "missed", "error")

_REGIONS: Final = {"": "", "face": "", "image": "whole image", "background": "background", "wide": "wide crop"}
_INSTRUMENTS: Final = {"frames": "1 = as the original", "wall-clock": "this machine", "stream": "as written"}
"""What is no instrument is said in words."""
_UNSAID: Final = ("share", "LPIPS", "ratio", "correlation", "people", "frames")
"""Units that a head need not say."""


@dataclass(frozen=True, slots=True)
class Head:
    """A column of the leaderboard."""

    column: Column
    card: MetricCard
    span: str
    """The group of columns it stands in: a family, or a key of `TRACEABILITY`."""
    title: str
    sub: str
    """What measured, over what."""
    better: str
    """``higher is better`` or ``lower is better``; empty where neither is."""
    arrow: str
    unit: str
    """Where the head has to say it."""


def headline_heads(board: Board) -> list[Head]:
    """The leaderboard's columns; without a metric that was not asked, and without those of people's tracks where the
    data set has no reference for them."""
    keys = [column.key for column in board.columns]
    rows = (e.run.row(board.dataset, e.label, column) for e in board.entrants for column in board.columns)
    valued = {column_of(row).key for row in rows if row is not None and row.value is not None}
    cards = {column.metric: board.metric(column) for column in board.columns}
    heads = headline_keys(cards, keys, valued, instruments=board.reference.plan.headline_instruments)
    spans = {key: span_of(cards[key[0]]) for key in heads}
    names = {span for key, span in spans.items() if key in valued or span not in ("truth", "original")}
    return [make_head(board, Column(*key)) for key, span in spans.items() if span in names]


def span_of(card: MetricCard) -> str:
    """The group of columns that a metric stands in."""
    if card.family != "traceability":
        return card.family
    return "people" if card.unit == "people" else "original" if card.name.endswith("_original") else "truth"


def span_title(span: str) -> str:
    return dict[str, str]([*FAMILY_TITLES.items(), *TRACEABILITY.items()])[span]


def headline_column(board: Board, name: str) -> Column | None:
    """The column that speaks for a metric: its worst recogniser, else the default instrument, on the face."""
    keys = [column.key for column in board.columns]
    key = speaking_key(keys, name, board.reference.plan.headline_instruments)
    return None if key is None else Column(*key)


def make_head(board: Board, column: Column) -> Head:
    card = board.metric(column)
    return Head(
        column,
        card,
        span_of(card),
        card.title.split(", against")[0],
        instrument_text(board, column),
        better_text(card),
        {"higher": "\N{UPWARDS ARROW}", "lower": "\N{DOWNWARDS ARROW}", "none": ""}[card.direction],
        "" if card.unit in _UNSAID else card.unit,
    )


def better_text(card: MetricCard) -> str:
    return "" if card.direction == "none" else f"{card.direction} is better"


def instrument_text(board: Board, column: Column) -> str:
    """``worst of 4 attacks``, ``sface``, ``standard, whole image``."""
    measured = _INSTRUMENTS.get(column.instrument, column.instrument)
    if column.instrument == WORST:
        names = {c.instrument for c in board.columns if c.metric == column.metric} - {WORST}
        measured = f"worst of {len(names)} attacks" if names else "worst attack"
        if board.metric(column).family == "audit":
            measured = "strongest trustworthy attack"
    elif column.instrument.startswith(f"{WORST}-"):
        measured = "strongest of the attacks that could be tried"
    elif column.instrument == JUDGE and not column.region:
        measured = "all face tracks"
    over = "" if board.metric(column).family == "cost" else _REGIONS[column.region]
    return ", ".join(part for part in (measured, over) if part)
