"""Does a method change how people are followed, beyond what re-encoding alone does? Decided by intervals."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from unmask.bench.store.results import EstimateRow
from unmask.bench.store.schemas import Release
from unmask.reports.numbers import NBSP
from unmask.reports.video.view import JUDGE, VideoView

CLOSE: Final = 0.05
"""How far IDF1 may lie below the re-encoded control's, and still count as hardly changed."""
STEADY: Final = 0.8
"""Below this IDF1, re-encoding alone disturbs following so much that no method can be said to leave it as it is."""
FEW: Final = 0.1
"""Share of the people of a clip by which counts may differ beyond the codec's own, and still count so."""
MOST_MISSED: Final = 0.5
"""A method that left this share of the faces as they were tells nothing of what changed faces do."""
IDF1: Final = "idf1_original"
RULE: Final = (
    f"“Hardly” is said where, for every method, the whole 95{NBSP}% interval of IDF1 (against the original's own "
    f"tracks) lies no more than {round(CLOSE * 100)} points below the re-encoded control's value, or below "
    f"{round(STEADY * 100)}{NBSP}% where the control has less, and that of the difference in people no further from 0 "
    f"than the control's difference and {round(FEW * 100)}{NBSP}% of the people of a clip. “Beyond the codec” is said "
    "where the interval of IDF1 lies wholly below the control's, or where the count changes more than the control's "
    "and the paired difference between the two, clip by clip, is clearly not 0. A method that left half of the faces "
    "or more as they were is not judged."
)


class Change(StrEnum):
    """What a method does to following people, as against re-encoding alone."""

    BEYOND = "beyond"
    HARDLY = "hardly"
    OPEN = "open"
    """Neither is shown."""
    UNTOUCHED = "untouched"
    """Most faces were left as they were, or there are none: nothing was tried."""
    UNKNOWN = "unknown"
    """Not measured, no interval, or no control."""


@dataclass(frozen=True, slots=True)
class Followed:
    """One method against the re-encoded control."""

    contestant: Release
    change: Change
    extra: EstimateRow | None
    """`people_difference_recoded` by the run's first tracker."""


def followed(view: VideoView, dataset: str) -> list[Followed]:
    """Every contestant that is no control, against the re-encoded control."""
    return [_followed(view, dataset, contestant) for contestant in view.competing]


def _followed(view: VideoView, dataset: str, contestant: Release) -> Followed:
    extra = view.value(dataset, contestant.label, "people_difference_recoded", view.tracker)
    reference = view.reference(contestant)
    if reference is None:
        return Followed(contestant, Change.UNKNOWN, extra)
    own, control = (view.value(dataset, c.label, IDF1, view.tracker) for c in (contestant, reference))
    counted, codec = (view.value(dataset, c.label, "people_difference", view.tracker) for c in (contestant, reference))
    known = [_ends(row) for row in (own, control, counted, codec, extra)]
    if any(row is None for row in known):
        return Followed(contestant, Change.UNKNOWN, extra)
    (_, low, high), (usual, floor, _), (mean, least, most), (moved, _, _), (_, fewer, more) = (r for r in known if r)
    apart = abs(mean) > abs(moved) and (fewer > 0 or more < 0)
    if high < floor or apart:
        return Followed(contestant, Change.BEYOND, extra)
    original = view.value(dataset, contestant.label, "people_original", view.tracker)
    allowed = abs(moved) + FEW * (0.0 if original is None or original.value is None else original.value)
    if not _tried(view, dataset, contestant.label):
        return Followed(contestant, Change.UNTOUCHED, extra)
    close = low >= max(usual, STEADY) - CLOSE and -allowed <= least and most <= allowed
    return Followed(contestant, Change.HARDLY if close else Change.OPEN, extra)


def _tried(view: VideoView, dataset: str, label: str) -> bool:
    """Whether a method changed at least half of the faces in all frames."""
    missed = view.value(dataset, label, "frames_missed", JUDGE)
    return missed is not None and (missed.value or 0.0) < MOST_MISSED


def _ends(row: EstimateRow | None) -> tuple[float, float, float] | None:
    if row is None or row.value is None or row.low is None or row.high is None:
        return None
    return row.value, row.low, row.high
