"""Movement over time: does a face flicker, and does it move as the original did?"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.protocols import CLIPS
from unmask.bench.core.types import Float, Floats32
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.bench.core.video_evidence import VideoEvidence

JUDGE = "yunet"
PIXELS = "frames"
"""The variant that flicker is measured by: plain pixels, no network."""
LEAST_FRAMES = 5
LEAST_MOVEMENT = 0.5
"""Pixels of standard deviation below which a coordinate does not move, and cannot correlate."""


def trajectory_correlation(original: Floats32, found: Floats32) -> float:
    """Pearson's r between the paths of landmarks, averaged over the coordinates that move.

    ``original``, ``found``: (n, 5, 2) pixels over the frames of one track; frames that are NaN in either are left out.
    NaN with fewer than `LEAST_FRAMES` frames, or where no coordinate of the original moves. A coordinate that moves in
    the original and stands still in the output counts 0.
    """
    seen = np.isfinite(original).all((1, 2)) & np.isfinite(found).all((1, 2))
    if seen.sum() < LEAST_FRAMES:
        return float("nan")
    a = original[seen].reshape(-1, 10).astype(np.float64)
    b = found[seen].reshape(-1, 10).astype(np.float64)
    moving = a.std(0) >= LEAST_MOVEMENT
    if not moving.any():
        return float("nan")
    a, b = a[:, moving] - a[:, moving].mean(0), b[:, moving] - b[:, moving].mean(0)
    length = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    products = (a * b).sum(0)
    return float(np.divide(products, length, out=np.zeros(len(length)), where=length > 1e-9).mean())


def ratio_of_sums(original: Float, output: Float, weights: Float) -> float:
    """The outputs' change over the originals', each track's ``weights`` (T,) times; tracks of weight 0 may be NaN. NaN
    where the originals do not change at all."""
    drawn = weights > 0
    changed = float(weights[drawn] @ original[drawn])
    return float(weights[drawn] @ output[drawn]) / changed if changed > 0 else float("nan")


class Motion:
    """`flicker` and `landmark_correlation`."""

    needs: ClassVar[tuple[str, ...]] = (CLIPS, "yunet")
    cards: ClassVar[tuple[MetricCard, ...]] = (
        MetricCard(
            name="flicker",
            version="2",
            family="consistency",
            direction="lower",
            unit="ratio",
            bounds=(0.0, None),
            title="Flicker",
            question="How much more than the original does a face change from frame to frame?",
            how="Mean absolute difference (0..255) between a face region and the same track's region one frame before, "
            "each the square about the original's box at 128 x 128, so that most of the head's movement is taken out; "
            "the sum of the output's over the sum of the original's, over all tracks. 1 = as the original; below 1 = "
            "smoother. (A mean of ratios would be decided by one face that hardly moves.)",
            source="unmask; the flickering that thesis 4.2 describes",
            limits="A face that is a black box does not flicker: read it beside the destroyed frames. Compression "
            "noise of the original counts as its flicker. Long and lively tracks weigh more.",
        ),
        MetricCard(
            name="landmark_correlation",
            version="1",
            family="consistency",
            direction="higher",
            unit="correlation",
            bounds=(-1.0, 1.0),
            title="Movement kept",
            question="Does the new face move as the original did?",
            how="Pearson's r between the paths of the five landmarks in the original and as found again in the output, "
            f"averaged over the coordinates that move by at least {LEAST_MOVEMENT} px (standard deviation), then over "
            f"tracks with at least {LEAST_FRAMES} frames in which the face is found again.",
            source="unmask",
            limits="A face that crosses the picture correlates even if its expression is lost.",
        ),
    )

    def ask(self, evidence: VideoEvidence) -> Iterator[UnitValues | SetStatistic]:
        original, output, correlation = np.full((3, len(evidence.tracks)), np.nan)
        for number, (k, rows) in enumerate(evidence.tracks):
            faces = evidence.clips[k].faces
            before, after = faces.flicker_original[rows], faces.flicker_output[rows]
            seen = np.isfinite(before) & np.isfinite(after)
            if seen.any():
                original[number], output[number] = before[seen].sum(), after[seen].sum()
            correlation[number] = trajectory_correlation(faces.landmarks[rows], faces.found[rows])
        yield SetStatistic(
            "flicker",
            PIXELS,
            partial(ratio_of_sums, original, output),
            np.isfinite(original),
            region="image",
            unit="track",
        )
        yield UnitValues("landmark_correlation", JUDGE, correlation, region="image", unit="track")
