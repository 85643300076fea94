"""Does a method change how people are followed, beyond what re-encoding alone does? Decided by intervals."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from unmask.bench.core.headlines import JUDGE
from unmask.bench.store.clip_set import ClipSet
from unmask.bench.store.planned import Release
from unmask.bench.store.results import EstimateRow

CLOSE: Final = 0.05
"""How far IDF1 may lie below the re-encoded control's, and still count as hardly changed."""
STEADY: Final = 0.8
"""Below this IDF1, re-encoding alone disturbs following so much that no method can be said to leave it as it is."""
FEW: Final = 0.1
"""Share of the people of a clip by which counts may differ beyond the codec's own, and still count so."""
MOST_MISSED: Final = 0.5
"""A method that left this share of the faces in all frames as they were tells nothing of what changed faces do."""
IDF1: Final = "idf1_original"


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

    release: Release
    change: Change
    extra: EstimateRow | None
    """`people_difference_recoded` by the run's first tracker."""


def followed(clips: ClipSet) -> list[Followed]:
    """Every release that is no control, against the re-encoded control.

    `Change.HARDLY` needs the whole interval of IDF1 no more than `CLOSE` below the control's value (below `STEADY`
    where the control has less), and that of the difference in people no further from 0 than the control's difference
    and `FEW` of the people of a clip. `Change.BEYOND` needs the interval of IDF1 wholly below the control's, or a count
    that changes more than the control's with a paired difference between the two whose interval excludes 0.
    """
    return [_followed(clips, release) for release in clips.competing]


def _followed(clips: ClipSet, release: Release) -> Followed:
    extra = clips.value(release.label, "people_difference_recoded", clips.tracker)
    reference = clips.reference(release)
    if reference is None:
        return Followed(release, Change.UNKNOWN, extra)
    own, control = (clips.value(r.label, IDF1, clips.tracker) for r in (release, reference))
    counted, codec = (clips.value(r.label, "people_difference", clips.tracker) for r in (release, reference))
    ends = [_ends(row) for row in (own, control, counted, codec, extra)]
    if any(row is None for row in ends):
        return Followed(release, Change.UNKNOWN, extra)
    (_, low, high), (usual, floor, _), (mean, least, most), (moved, _, _), (_, fewer, more) = (r for r in ends if r)
    apart = abs(mean) > abs(moved) and (fewer > 0 or more < 0)
    if high < floor or apart:
        return Followed(release, Change.BEYOND, extra)
    missed = clips.value(release.label, "frames_missed", JUDGE)
    if missed is None or (missed.value or 0.0) >= MOST_MISSED:
        return Followed(release, Change.UNTOUCHED, extra)
    original = clips.value(release.label, "people_original", clips.tracker)
    allowed = abs(moved) + FEW * (0.0 if original is None or original.value is None else original.value)
    close = low >= max(usual, STEADY) - CLOSE and -allowed <= least and most <= allowed
    return Followed(release, Change.HARDLY if close else Change.OPEN, extra)


def _ends(row: EstimateRow | None) -> tuple[float, float, float] | None:
    if row is None or row.value is None or row.low is None or row.high is None:
        return None
    return row.value, row.low, row.high
