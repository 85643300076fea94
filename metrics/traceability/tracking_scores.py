"""HOTA, IDF1, MOTA and their parts: counted clip by clip by TrackEval itself, put together over clips as it does.

The counts of a clip are made once; putting them together is a few sums, so that an interval over clips (which draws
them thousands of times) costs little.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np

from unmask.bench.core.types import Float, Floats32
from unmask.bench.core.video import Ints, Tracks

ALPHAS: Final = 19
"""HOTA's overlap thresholds: 0.05, 0.10, ..., 0.95."""
OVERLAP: Final = 0.5
"""IoU from which on a box counts as found, for MOTA, ID switches and IDF1."""
COUNTS: Final = {
    "HOTA": ("HOTA_TP", "HOTA_FN", "HOTA_FP"),
    "CLEAR": ("CLR_TP", "CLR_FN", "CLR_FP", "IDSW"),
    "Identity": ("IDTP", "IDFN", "IDFP"),
}
"""TrackEval's names of what it counts: boxes found, not found, nobody's (TP, FN, FP; of HOTA at each overlap, of CLEAR
frame by frame, of Identity under the one track that fits each person best over the whole clip), and ID switches: a
person of the reference goes on under another track."""
NO_COUNTS: Final[Float] = np.zeros(4 * ALPHAS + 7)
"""Of a clip without any frame: adds nothing to others."""
_SETTINGS: Final = {"PRINT_CONFIG": False, "THRESHOLD": OVERLAP}


class TrackingScores(NamedTuple):
    """Scores over clips. All NaN where the reference has no box: there is nobody to follow."""

    hota: float
    """0..1, averaged over overlaps: the root of ``deta`` x ``assa`` at each."""
    deta: float
    """0..1: found / (found + not found + nobody's), averaged over overlaps."""
    assa: float
    """0..1, averaged over overlaps."""
    idf1: float
    """0..1."""
    mota: float
    """1 at best; below 0 where mistakes outnumber people."""
    id_switches: float


def sequence_counts(reference: Tracks, tracks: Tracks, frames: int) -> Float:
    """(83,) counts of ``tracks`` against ``reference`` over frames 0 to ``frames`` - 1, by TrackEval 1.3.0.

    In order: 19 each of HOTA's three `COUNTS` and of association accuracy x boxes found, then the other seven. Equal to
    TrackEval's evaluator on the same boxes as MOTChallenge files without its preprocessing. Boxes without an area
    overlap with nothing. Raises `ValueError` where a frame lies outside, or a track has two boxes in one frame.
    """
    (gt_ids, gt_boxes, gt_number), (ids, boxes, number) = (_by_frame(t, frames) for t in (reference, tracks))
    # Ids from 0 without gaps, and overlaps, for each frame.
    data = {
        "num_timesteps": frames,
        "num_gt_ids": gt_number,
        "num_tracker_ids": number,
        "num_gt_dets": len(reference),
        "num_tracker_dets": len(tracks),
        "gt_ids": gt_ids,
        "tracker_ids": ids,
        "similarity_scores": [overlaps(a, b) for a, b in zip(gt_boxes, boxes, strict=True)],
    }
    hota, clear, identity = (metric.eval_sequence(data) for metric in _counters())
    numbers = [*(clear[name] for name in COUNTS["CLEAR"]), *(identity[name] for name in COUNTS["Identity"])]
    arrays = [*(hota[name] for name in COUNTS["HOTA"]), np.asarray(hota["AssA"]) * hota["HOTA_TP"]]
    return np.concatenate([*arrays, numbers]).astype(np.float64)


def combined(clips: Float, weights: Float) -> TrackingScores:
    """Scores over clips as TrackEval combines them: counts are added up, so that a clip with more boxes says more.

    ``clips`` (C, 83): `sequence_counts` of each. ``weights`` (C,) >= 0: how often each clip counts.
    """
    total = weights @ clips
    tp, fn, fp, associated = total[: 4 * ALPHAS].reshape(4, ALPHAS)
    hits, misses, nobodys, switches, id_tp, id_fn, id_fp = total[4 * ALPHAS :].tolist()
    if hits + misses <= 0:
        return TrackingScores(*[math.nan] * 6)
    deta, assa = tp / np.maximum(1.0, tp + fn + fp), associated / np.maximum(1.0, tp)
    return TrackingScores(
        hota=float(np.sqrt(deta * assa).mean()),
        deta=float(deta.mean()),
        assa=float(assa.mean()),
        idf1=id_tp / max(1.0, id_tp + 0.5 * id_fp + 0.5 * id_fn),
        mota=(hits - nobodys - switches) / max(1.0, hits + misses),
        id_switches=switches,
    )


def overlaps(a: Floats32, b: Floats32) -> Float:
    """(N, M) intersection over union of boxes (N, 4) and (M, 4): left, top, width, height; 0 where one has no area."""
    import trackeval

    shares = trackeval.datasets.MotChallenge2DBox._calculate_box_ious(a.astype(np.float64), b.astype(np.float64))
    return np.asarray(shares, np.float64)


@cache
def _counters() -> tuple[Any, ...]:
    """TrackEval's HOTA, CLEAR and Identity; imported here, since every run lists all metrics and few need it."""
    import trackeval

    kinds = (trackeval.metrics.CLEAR, trackeval.metrics.Identity)
    return (trackeval.metrics.HOTA(), *(kind(dict(_SETTINGS)) for kind in kinds))


def _by_frame(tracks: Tracks, frames: int) -> tuple[list[Ints], list[Floats32], int]:
    """Ids and boxes of each frame, and how many ids there are."""
    if len(tracks) and not (tracks.frame.min() >= 0 and tracks.frame.max() < frames):
        raise ValueError(f"tracks reach over frames {tracks.frame.min()} to {tracks.frame.max()}, of {frames}")
    ids, numbers = np.unique(tracks.track, return_inverse=True)
    # Files of tracks may come from elsewhere, in any order; within a frame the order is kept.
    order = np.argsort(tracks.frame, kind="stable")
    frame, numbers = tracks.frame[order], numbers[order].astype(np.int64)
    if len(np.unique(frame * max(len(ids), 1) + numbers)) < len(frame):
        raise ValueError("a track has two boxes in one frame")
    edges = np.searchsorted(frame, np.arange(1, frames))
    return np.split(numbers, edges), np.split(tracks.box[order], edges), len(ids)
