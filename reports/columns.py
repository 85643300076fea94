"""Which of the many numbers stand in the leaderboard, and what columns are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bench.core.cards import Family, MetricCard
from reports.boards import Board
from reports.cells import FID_UNBIASED, bias_text
from reports.numbers import unit_mark
from reports.runs import WORST, Column

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

HEADLINE_PRIVACY: Final = "deid_rate@1e-3"
HEADLINE_UTILITY: Final = "gender_estimated_correct"

HEADLINES: Final[tuple[tuple[str, ...], ...]] = (
    (HEADLINE_PRIVACY,),
    # Where nobody has two photos there is no cross-photo search; the weaker same-photo question stands in, named so.
    ("rank1_cross_photo", "rank1_same_photo"),
    ("eer_cross_photo", "eer"),
    (HEADLINE_UTILITY,),
    ("age_group_estimated_correct",),
    ("ita_change", "skin_mse"),
    ("ssim",),
    ("lpips_alex",),
    ("fid",),
    ("kid",),
    ("ms_per_face",),
)
"""One column each: the first of its names that was measured."""

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
    bias: str
    """Why the whole column is biased; empty = it is not."""


def headline_heads(board: Board) -> list[Head]:
    """The leaderboard's columns, in family order; a metric that nobody measured has none."""
    found = [column for names in HEADLINES if (column := _first_measured(board, names)) is not None]
    return [make_head(board, column) for column in found]


def family_columns(board: Board, family: Family) -> list[Column]:
    return [c for c in board.columns if board.metric(c).family == family]


def headline_column(board: Board, name: str) -> Column | None:
    """The column that speaks for a metric: its worst recogniser, else the default instrument, on the face."""
    settings = board.reference.plan.settings
    wanted = [WORST, settings.default_recogniser, settings.default_attributes, "standard"]
    regions = ["face", "image", "background"]

    def preference(c: Column) -> tuple[int, int]:
        return wanted.index(c.instrument) if c.instrument in wanted else len(wanted), regions.index(c.region)

    return min((c for c in board.columns if c.metric == name), key=preference, default=None)


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
        f"biased, n < {FID_UNBIASED:,}" if _biased(board, column) else "",
    )


def _biased(board: Board, column: Column) -> bool:
    rows = [run.row(board.dataset, method, column) for run in board.runs for method in run.methods]
    return any(bias_text(row) for row in rows if row is not None)


def better_text(card: MetricCard) -> str:
    return "" if card.direction == "none" else f"{card.direction} is better"


def instrument_text(board: Board, column: Column) -> str:
    """``worst of 4 recognisers``, ``sface``, ``standard, whole image``."""
    if column.instrument == WORST:
        names = {c.instrument for c in board.columns if c.metric == column.metric} - {WORST}
        measured = f"worst of {len(names)} recognisers" if names else "worst recogniser"
    else:
        measured = column.instrument
    plain = column.region == "face" or board.metric(column).family == "cost"
    over = "" if plain else REGION_NAMES[column.region]
    return ", ".join(part for part in (measured, over) if part)


def _first_measured(board: Board, names: Sequence[str]) -> Column | None:
    columns = [column for name in names if (column := headline_column(board, name)) is not None]
    return next((c for c in columns if _has_value(board, c)), columns[0] if columns else None)


def _has_value(board: Board, column: Column) -> bool:
    return any(
        (row := run.row(board.dataset, method, column)) is not None and row.value is not None
        for run in board.runs
        for method in run.methods
    )
