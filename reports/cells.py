"""One number of a table with everything that has to stand beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, Literal

from unmask.bench.core.cards import MetricCard
from unmask.bench.store.attack_rows import lacking, strongest_name
from unmask.bench.store.results import EstimateRow
from unmask.bench.store.view import ALL, WORST, Column, column_of
from unmask.reports.boards import Board, Entrant
from unmask.reports.numbers import (
    NOT_MEASURED,
    Bar,
    bar_of,
    count,
    format_interval,
    format_value,
    interval_text,
    rank_range,
)

FID_UNBIASED = 2048
"""Below this many images FID is biased upwards by an amount that depends on the method (Binkowski et al. 2018)."""
BESIDE: Final = {
    "attack_rank1": ("attack_rank5", "first five"),
    "people": ("people_original", "original"),
    "identity_kept": ("identity_kept_original", "original"),
    "kbps": ("kbps_original", "source"),
}
"""Metric -> the metric that is shown beside it, and what that is called."""
OF_CLIPS: Final = ("traceability", "cost")
"""Families whose values about no region are of clips; those of the others are of face tracks."""


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
    beside: str = ""
    """``original 5.20``: the number to hold it against."""
    missing: str = ""
    """Of clips: why there is no value, or no interval."""

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
            self.beside,
            self.missing,
            *self.flags,
        ]
        return "; ".join(part for part in parts if part)


def entrant_cell(board: Board, entrant: Entrant, column: Column, group: str = ALL) -> Cell:
    """The cell of a method in a board's table."""
    run, label = entrant.run, entrant.label
    reason = board.reason_against(run, column)
    if reason:
        return Cell("incomparable", "not comparable", "not comparable", flags=(reason,))
    row = run.row(board.dataset, label, column, group)
    if row is None:
        card = run.metrics.get(column.metric)
        apart = lacking(strongest_name(run.plan, label)) if card is not None and card.family == "audit" else ""
        return Cell("unmeasured", NOT_MEASURED, NOT_MEASURED, missing=apart)
    control = run.control_row(board.dataset, column) if group == ALL else None
    rank = board.rank(entrant, column) if group == ALL else None
    leads = run.leads(board.dataset, column) if rank else []
    cell = replace(
        estimate_cell(board, row, control=control.value if control else None),
        rank=rank_range(rank.best, rank.worst) if rank else "",
        lead="" if label not in leads else "best" if len(leads) == 1 else "tied best",
        beside=_beside(board, entrant, row),
    )
    # Few faces behind a number look like many unless that is said where the number stands.
    faces = board.inputs.faces if board.inputs else 0
    if cell.state == "measured" and row.region == "face" and group == ALL and row.n < faces / 2:
        cell = replace(cell, flags=(f"only {count(row.n, 'face')}", *cell.flags))
    if cell.state == "measured" and column.instrument in run.own_instruments(label):
        cell = replace(cell, flags=(*cell.flags, "judged by its own tool: the method runs this instrument itself"))
    return cell


def estimate_cell(board: Board, row: EstimateRow, *, control: float | None = None) -> Cell:
    """The cell of any estimate of a board's data set, on the scale of its column over everybody."""
    column, measured = column_of(row), row.value is not None
    card = board.metric(column)
    return Cell(
        "measured" if measured else "unmeasured",
        format_value(row.value, card.unit),
        format_value(row.value, card.unit if card.unit == "share" else ""),
        interval=interval_text(row, card.unit),
        counts=count_text(row, card, bool(board.clips)),
        unscored=row.unscored,
        bar=bar_of(board.scale(column), row.value, row.low, row.high, row.chance, control),
        by=row.note if measured and row.instrument == WORST else "",
        flags=(row.note,) if row.note and row.instrument != WORST else (),
        chance=chance_text(row, card.unit) if measured else "",
        bias=bias_text(row),
        sort=row.value,
        missing=missing_text(board, row, card),
    )


def count_text(row: EstimateRow, card: MetricCard, clips: bool) -> str:
    """``60 faces scored, 2 could not be scored``."""
    scored = f"{count(row.n, _unit(row, card, clips))} scored"
    return f"{scored}, {row.unscored:,} could not be scored" if row.unscored else scored


def _unit(row: EstimateRow, card: MetricCard, clips: bool) -> str:
    if row.region is None:
        return "clip" if card.family in OF_CLIPS else "face track"
    image = "frame" if clips else "image"
    return image if card.family == "cost" or row.region != "face" else "face"


def missing_text(board: Board, row: EstimateRow, card: MetricCard) -> str:
    """Why an estimate of clips has no value or no interval; empty = it has both, or is of photos."""
    if not board.clips or (row.value is not None and row.low is not None and row.high is not None):
        return ""
    clips = [c for c in board.clips[0].usable if row.group in (ALL, f"group={c.group}")]
    if row.value is not None:
        return "one clip: no interval" if len(clips) == 1 else "fewer than three clips have it: no interval"
    unit = _unit(row, card, True)
    if not clips:
        return "no clip could be used"
    if not row.n + row.unscored:
        return "no clip to ask about" if unit == "clip" else "no face in these clips"
    if card.name == "identity_shared" and sum(bool(c.face_tracks) for c in clips) < 2:
        return "needs faces in two clips"
    if card.name == "people_difference_sd":
        return "needs two clips"
    return f"none of {count(row.n + row.unscored, unit)} could be scored"


def _beside(board: Board, entrant: Entrant, row: EstimateRow) -> str:
    name, word = BESIDE.get(row.metric, ("", ""))
    column = Column(name, row.instrument, row.region or "")
    other = entrant.run.row(board.dataset, entrant.label, column, row.group) if name else None
    if other is None or other.value is None:
        return ""
    return f"{word} {format_value(other.value, board.metric(column).unit)}"


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
