"""What each face track of a clip showed over time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby, pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.evidence import NOT_MEASURED, Evidence, Strings, point_at
from unmask.bench.core.exposure import FMR, exposed, frame_seconds, own_distances
from unmask.bench.core.types import Outcome
from unmask.bench.run.video.evidence import OriginalClip

EXPOSED: Final = "exposed"
"""The state of an anonymized or destroyed face that a recogniser still matches; the others are outcomes' names."""


def states(evidence: Evidence) -> Strings:
    """(N,) the state of every face in every frame: its outcome, or `EXPOSED` where any recogniser still matches it."""
    state = evidence.outcome.astype("<U16")
    for recogniser in evidence.recognisers:
        threshold = point_at(evidence.operating_points.get(recogniser, ()), FMR).threshold
        matched = exposed(own_distances(evidence, recogniser), threshold) == 1.0
        changed = np.isin(evidence.outcome, [Outcome.ANONYMIZED.value, Outcome.DESTROYED.value])
        state[matched & changed] = EXPOSED
    return state


def timeline(one: OriginalClip, state: Strings) -> list[tuple[int, float, float, str]]:
    """(track, from, to, state): unbroken stretches of one state, in seconds, track after track. ``state``: (N,) those
    of the clip's faces."""
    lasting = frame_seconds(one.seconds)
    rows = []
    for track in np.unique(one.faces["track"]):
        of = np.flatnonzero(one.faces["track"] == track)
        frames = one.faces["frame"][of]
        # A new stretch begins where the state changes or a frame is skipped.
        breaks = [False, *(b != a + 1 for a, b in pairwise(frames))]
        run = np.cumsum(breaks)
        for (_, kind), stretch in groupby(range(len(of)), key=lambda k: (run[k], str(state[of[k]]))):
            if kind == NOT_MEASURED:
                continue
            part = list(stretch)
            first, last = int(frames[part[0]]), int(frames[part[-1]])
            rows.append((int(track), float(one.seconds[first]), float(one.seconds[last] + lasting[last]), kind))
    return rows


def timeline_columns(rows: Sequence[tuple[str, int, float, float, str]]) -> dict[str, NDArray[Any]]:
    """Stretches of all clips as columns: clip, track, from, to, state."""
    return {
        "clip": np.array([row[0] for row in rows], np.str_),
        "track": np.array([row[1] for row in rows], np.int64),
        "from": np.array([row[2] for row in rows], np.float64),
        "to": np.array([row[3] for row in rows], np.float64),
        "state": np.array([row[4] for row in rows], np.str_),
    }
