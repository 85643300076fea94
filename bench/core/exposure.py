"""Which frames of a face track give the person away, for metrics and for timelines.

An attacker needs one; so every frame counts, as in images:

- `missed`: the face was left as it was; and `error`: a method that gives no output would release the original. Both
  are exposed whatever the distance;
- `anonymized` and `destroyed`: exposed where the recogniser's cosine distance to the same frame's original is at or
  below the threshold, for the face that is found again or for the output at the original's place (who holds the
  original knows where to look), whichever is nearer;
- a destroyed face in whose place nothing can be read is not exposed; an anonymized one that cannot be read on either
  side is unscored.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from unmask.bench.core.evidence import KNOWN_PLACE, Evidence
from unmask.bench.core.types import Float, Floats32, Outcome
from unmask.bench.core.video import Ints

FMR: Final = 1e-3
"""The false match rate at which two faces count as one person."""
FARTHEST = 2.0
"""The largest cosine distance: what a destroyed face is given in whose place nothing can be read."""


def distances(a: Floats32, b: Floats32) -> Float:
    """(N,) cosine distance of matching L2-normalised rows, 0..2; NaN where either is NaN."""
    # |a-b|^2 / 2 rather than 1 - a.b: exactly 0 for equal rows, and as good otherwise.
    difference = a.astype(np.float64) - b.astype(np.float64)
    return np.asarray(np.einsum("nd,nd->n", difference, difference) / 2)


def nearest(originals: Floats32, again: Floats32, known_place: Floats32) -> Float:
    """(N,) cosine distance of each original to the nearer of two readings of an output; NaN where neither is there."""
    return np.fmin(distances(originals, again), distances(originals, known_place))


def own_distances(evidence: Evidence, recogniser: str) -> Float:
    """(N,) each face's distance to its own original by the rules above; NaN = unscored."""
    outcome, released = evidence.outcome, evidence.anonymized[recogniser]
    distance = nearest(evidence.original[recogniser]["embedding"], released["embedding"], released[KNOWN_PLACE])
    distance = np.where((outcome == Outcome.DESTROYED.value) & np.isnan(distance), FARTHEST, distance)
    return np.where(np.isin(outcome, [Outcome.MISSED.value, Outcome.ERROR.value]), 0.0, distance)


def exposed(distance: Float, threshold: float) -> Float:
    """(N,) 1.0 where ``distance`` is at or below ``threshold``, else 0.0; NaN where unscored or not calibrated."""
    return np.where(np.isfinite(distance) & np.isfinite(threshold), (distance <= threshold).astype(float), np.nan)


def strangers_matched(frames: Ints, embeddings: Floats32, threshold: float) -> tuple[int, int]:
    """Pairs of faces in one frame that count as one person though they must be two, and pairs that could be compared.

    ``frames`` (N,) the frame of each face; ``embeddings`` (N, D) L2-normalised, NaN = unreadable. (0, 0) without a
    calibrated threshold. The false match rate on this very footage, where faces may be smaller than the photos that the
    threshold was calibrated on.
    """
    order = np.argsort(frames, kind="stable")
    frames, embeddings = frames[order], embeddings[order]
    matched = pairs = 0
    for apart in range(1, len(frames)):
        first = np.flatnonzero(frames[apart:] == frames[:-apart])
        if not len(first):
            break
        flags = exposed(distances(embeddings[first], embeddings[first + apart]), threshold)
        matched += int((flags == 1.0).sum())
        pairs += int(np.isfinite(flags).sum())
    return matched, pairs


def longest_run(seconds: Float, frames: Ints, flags: Float) -> float:
    """Seconds of the longest unbroken exposure of one track.

    ``seconds`` (F,) when each frame of the clip is shown; ``frames`` (n,) those of the track, ascending; ``flags`` (n,)
    1.0 = exposed. A frame lasts until the next one; the last one as long as the one before it. A frame in which the
    judge did not find the face breaks the run.
    """
    lasting = frame_seconds(seconds)
    longest = run = 0.0
    before = -2
    for frame, flag in zip(frames, flags, strict=True):
        unbroken = run if frame == before + 1 else 0.0
        run, before = unbroken + float(lasting[frame]) if flag == 1.0 else 0.0, int(frame)
        longest = max(longest, run)
    return longest


def frame_seconds(seconds: Float) -> Float:
    """(F,) how long each frame is shown; a clip of one frame lasts 0."""
    if len(seconds) < 2:
        return np.zeros(len(seconds))
    steps = np.diff(seconds)
    return np.append(steps, steps[-1])
