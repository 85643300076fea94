"""One number of a table with everything that has to stand beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from unmask.bench.core.cards import MetricCard
from unmask.bench.store.results import EstimateRow
from unmask.reports.boards import Board, Entrant
from unmask.reports.numbers import (
    NOT_MEASURED,
    Bar,
    Scale,
    bar_of,
    count,
    format_interval,
    format_value,
    rank_range,
)
from unmask.reports.runs import WORST, Column

FID_UNBIASED = 2048
"""Below this many images FID is biased upwards by an amount that depends on the method (Binkowski et al. 2018)."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What a template prints; every text is ready."""

    state: Literal["measured", "unmeasured", "incomparable"]
    text: str
    short: str
    """Without its unit (but with %), where the table head says it."""
    interval: str = ""
    counts: str = ""
    """``60 faces scored, 2 could not be``."""
    unscored: int = 0
    bar: Bar | None = None
    by: str = ""
    """The instrument behind a ``worst`` number."""
    rank: str = ""
    """Range of ranks in its run, e.g. ``1–3``."""
    lead: Literal["", "best", "tied best"] = ""
    flags: tuple[str, ...] = ()
    chance: str = ""
    """What an attacker without evidence would score, with its interval where it was measured."""
    bias: str = ""
    """Why the number is off by construction."""
    sort: float | None = None

    @property
    def speech(self) -> str:
        """All of it as one sentence, for hovering and for screen readers."""
        parts = [
            f"95 % interval {self.interval}" if self.interval else "",
            self.counts,
            f"measured by {self.by}" if self.by else "",
            f"chance {self.chance}" if self.chance else "",
            f"rank {self.rank}" if self.rank else "",
            self.lead,
            self.bias,
            *self.flags,
        ]
        return "; ".join(part for part in parts if part)


def entrant_cell(board: Board, entrant: Entrant, column: Column) -> Cell:
    """The cell of a method in a board's table."""
    run = entrant.run
    reason = board.reason_against(run, column)
    if reason:
        return Cell("incomparable", "not comparable", "not comparable", flags=(reason,))
    row = run.row(board.dataset, entrant.method, column)
    card = board.metric(column)
    if row is None:
        return Cell("unmeasured", NOT_MEASURED, NOT_MEASURED)
    control = run.control_row(board.dataset, column)
    rank = None if entrant.control else run.rank(board.dataset, entrant.method, column)
    leads = run.leads(board.dataset, column) if rank else []
    cell = estimate_cell(
        row,
        card,
        board.scale(column),
        control=control.value if control else None,
        rank=rank_range(rank.best, rank.worst) if rank else "",
        lead="" if entrant.method not in leads else "best" if len(leads) == 1 else "tied best",
    )
    # Few faces behind a number look like many unless that is said where the number stands.
    faces = board.inputs.faces if board.inputs else 0
    if cell.state == "measured" and row.region == "face" and row.n < faces / 2:
        cell = replace(cell, flags=(f"only {count(row.n, 'face')}", *cell.flags))
    if cell.state == "measured" and column.instrument in run.own_instruments(entrant.method):
        cell = replace(cell, flags=(*cell.flags, "judged by its own tool: the method runs this instrument itself"))
    return cell


def estimate_cell(
    row: EstimateRow,
    card: MetricCard,
    scale: Scale,
    *,
    control: float | None = None,
    rank: str = "",
    lead: Literal["", "best", "tied best"] = "",
) -> Cell:
    """The cell of any estimate."""
    counts = count_text(row, card)
    if row.value is None:
        return Cell(
            "unmeasured", NOT_MEASURED, NOT_MEASURED, counts=counts, unscored=row.unscored, flags=_note_flags(row)
        )
    return Cell(
        "measured",
        format_value(row.value, card.unit),
        format_value(row.value, card.unit if card.unit == "share" else ""),
        interval=format_interval(row.low, row.high, row.value, card.unit),
        counts=counts,
        unscored=row.unscored,
        bar=bar_of(scale, row.value, row.low, row.high, row.chance, control),
        by=row.note if row.instrument == WORST else "",
        rank=rank,
        lead=lead,
        flags=_note_flags(row),
        chance=chance_text(row, card.unit),
        bias=bias_text(row),
        sort=row.value,
    )


def count_text(row: EstimateRow, card: MetricCard) -> str:
    """``60 faces scored, 2 could not be scored``."""
    unit = "image" if card.family == "cost" or row.region != "face" else "face"
    scored = f"{count(row.n, unit)} scored"
    return f"{scored}, {row.unscored:,} could not be scored" if row.unscored else scored


def chance_text(row: EstimateRow, unit: str) -> str:
    """``97.9 % (96.1–99.0)``; '' where chance has no meaning."""
    if row.chance is None:
        return ""
    interval = format_interval(row.chance_low, row.chance_high, row.chance, unit)
    return format_value(row.chance, unit) + (f" ({interval})" if interval else "")


def bias_text(row: EstimateRow) -> str:
    """Why an estimate is biased; empty = it is not, as far as is known."""
    if row.metric == "fid" and row.value is not None and row.n < FID_UNBIASED:
        return f"biased: fewer than {FID_UNBIASED:,} images ({row.n:,})"
    return ""


def _note_flags(row: EstimateRow) -> tuple[str, ...]:
    return (row.note,) if row.note and row.instrument != WORST else ()
