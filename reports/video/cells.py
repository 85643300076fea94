"""One number of a table about clips with everything that has to stand beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from unmask.bench.core.cards import MetricCard
from unmask.bench.store.results import EstimateRow
from unmask.reports.cells import Cell, estimate_cell
from unmask.reports.numbers import (
    NOT_MEASURED,
    count,
    format_value,
    rank_range,
)
from unmask.reports.runs import ALL, Column
from unmask.reports.video.view import VideoView

ONE_CLIP: Final = "one clip: no interval"
FEW_CLIPS: Final = "fewer than three clips have it: no interval"
BESIDE: Final = {
    "people": ("people_original", "original"),
    "identity_kept": ("identity_kept_original", "original"),
    "kbps": ("kbps_original", "source"),
}
OF_CLIPS: Final = ("traceability", "cost")
"""Families whose values are of clips; those of the others are of face tracks."""
"""Metric -> the metric that is told beside it, and what that is called."""


@dataclass(frozen=True, slots=True)
class VideoCell:
    """A number with all that has to stand beside it; every text is ready."""

    cell: Cell
    beside: str = ""
    """``original 5.20``, ``chance 3.1 %``."""
    missing: str = ""
    """Why there is no value, or no interval."""

    @property
    def speech(self) -> str:
        return "; ".join(part for part in (self.cell.speech, self.beside, self.missing) if part)


def estimate(view: VideoView, dataset: str, label: str, column: Column, group: str = ALL) -> VideoCell:
    """The cell of one estimate."""
    row = view.row(dataset, label, column, group)
    if row is None:
        return VideoCell(Cell("unmeasured", NOT_MEASURED, NOT_MEASURED), missing="no metric of this run gives it")
    card = view.metrics[column.metric]
    contestant = view.contestants[label]
    control = view.row(dataset, view.control.label, column, group)
    rank = None if view.is_control(contestant) or group != ALL else view.rank(dataset, label, column)
    leads = view.leads(dataset, column) if rank else []
    cell = estimate_cell(
        row,
        card,
        view.scale(dataset, column),
        control=control.value if control else None,
        rank=rank_range(rank.best, rank.worst) if rank else "",
        lead="" if label not in leads else "best" if len(leads) == 1 else "tied best",
    )
    return VideoCell(
        replace(cell, counts=count_text(row, card)),
        _beside(view, dataset, label, column, row, group),
        missing_text(view, dataset, row, card, group),
    )


def _beside(view: VideoView, dataset: str, label: str, column: Column, row: EstimateRow, group: str) -> str:
    if column.metric in BESIDE:
        name, word = BESIDE[column.metric]
        other = view.row(dataset, label, view.column(name, column.instrument), group)
        if other is not None and other.value is not None:
            return f"{word} {format_value(other.value, view.metrics[name].unit)}"
    if column.metric == "tracks_exposed" and row.chance is not None:
        return f"chance {format_value(row.chance, 'share')}"
    return ""


def count_text(row: EstimateRow, card: MetricCard) -> str:
    """``60 face tracks scored, 2 could not be scored``."""
    scored = f"{count(row.n, 'clip' if card.family in OF_CLIPS else 'face track')} scored"
    return f"{scored}, {row.unscored:,} could not be scored" if row.unscored else scored


def missing_text(view: VideoView, dataset: str, row: EstimateRow, card: MetricCard, group: str = ALL) -> str:
    """Why an estimate has no value or no interval; empty = it has both."""
    clips = [c for c in view.usable(dataset) if group in (ALL, f"group={c.group}")]
    if row.value is not None:
        if row.low is not None and row.high is not None:
            return ""
        return ONE_CLIP if len(clips) == 1 else FEW_CLIPS
    unit = "clip" if card.family in OF_CLIPS else "face track"
    if not clips:
        return "no clip could be used"
    if not row.n + row.unscored:
        return "no clip to ask about" if unit == "clip" else "no face in these clips"
    if card.name == "identity_shared" and sum(bool(c.face_tracks) for c in clips) < 2:
        return "needs faces in two clips"
    if card.name == "people_difference_sd":
        return "needs two clips"
    return f"none of {count(row.n + row.unscored, unit)} could be scored"
