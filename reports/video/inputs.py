"""Every clip that went in, what was wrong with it, and the frames that methods failed on."""

from __future__ import annotations

from dataclasses import dataclass

from unmask.bench.store.results import ClipRow
from unmask.reports.numbers import NOT_MEASURED
from unmask.reports.video.view import VideoView


@dataclass(frozen=True, slots=True)
class ClipLine:
    row: ClipRow
    size: str
    rate: str
    seconds: str
    kbps: str
    rotation: str
    people: str
    state: str
    """Problem, damage, or that it was used."""


@dataclass(frozen=True, slots=True)
class FailedLine:
    method: str
    frames: int
    of: int
    clips: tuple[tuple[str, str], ...]
    """Clips with failures, and what became of them."""


@dataclass(frozen=True, slots=True)
class Inputs:
    clips: tuple[ClipLine, ...]
    problems: tuple[ClipRow, ...]
    damaged: tuple[ClipRow, ...]
    failed: tuple[FailedLine, ...]
    notes: tuple[str, ...]
    """What was passed over, a sentence each."""


def make_inputs(view: VideoView, dataset: str) -> Inputs:
    rows = view.clips(dataset)
    return Inputs(
        tuple(_line(view, row) for row in rows),
        tuple(row for row in rows if row.problem),
        tuple(row for row in rows if row.damage and not row.problem),
        tuple(_failed(view, dataset, label) for label in view.contestants),
        next(tuple(planned.notes) for planned in view.plan.datasets if planned.label == dataset),
    )


def _line(view: VideoView, row: ClipRow) -> ClipLine:
    people = row.people.get(view.tracker)
    rate = "not known" if row.rate is None else f"{row.rate:.2f}".rstrip("0").rstrip(".") + " a second"
    return ClipLine(
        row,
        f"{row.width:,} × {row.height:,}" if row.width and row.height else "not known",
        f"{rate}, variable" if row.variable_rate else rate,
        f"{row.seconds:,.1f}",
        "not known" if row.kbps is None else f"{row.kbps:,.0f}",
        f"{row.rotation}°" if row.rotation else "none",
        NOT_MEASURED if people is None else f"{people:,}",
        f"could not be used: {row.problem}" if row.problem else f"damaged: {row.damage}" if row.damage else "used",
    )


def _failed(view: VideoView, dataset: str, label: str) -> FailedLine:
    pairs = list(view.results(dataset, label))
    clips = tuple(
        (row.clip, f"no output: {result.error}" if result.error else f"{result.failed_frames:,} of {row.frames:,}")
        for row, result in pairs
        if result.failed_frames or result.error
    )
    return FailedLine(
        label, sum(result.failed_frames for _, result in pairs), sum(row.frames for row, _ in pairs), clips
    )
