"""Over time: does a person keep one new face, theirs alone, and does it flicker or move unlike the original?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import ClassVar, Final

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence, point_at
from unmask.bench.core.exposure import FMR, distances
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import Float, Floats32
from unmask.bench.core.values import CLIPS, SetStatistic, UnitValues

MOST_FRAMES: Final = 200
"""Evenly chosen frames of a track; all their pairs are compared."""
STRANGERS: Final = 20
"""Tracks of other clips that each track is compared with, one random frame of each against one of its own."""
JUDGE: Final = "yunet"
PIXELS: Final = "frames"
"""The variant that flicker is measured by: plain pixels, no network."""
LEAST_FRAMES: Final = 5
LEAST_MOVEMENT: Final = 0.5
"""Pixels of standard deviation below which a coordinate does not move, and cannot correlate."""
_CONSISTENCY: Final = partial(MetricCard, family="consistency")
_IDENTITY: Final = partial(
    _CONSISTENCY,
    version="1",
    unit="share",
    bounds=(0.0, 1.0),
    source="unmask; the thesis asks it in words (4.2: does a person keep the same facial characteristics?)",
    limits="Only frames in which a face is found and read; a track with fewer than two is unscored. Faces that were "
    "left as they were keep their own face: read it beside the missed frames.",
)
_ONE_PERSON: Final = "One person: cosine distance at or below the recogniser's threshold at a false match rate of 1e-3."


def kept_share(embeddings: Floats32, threshold: float) -> float:
    """Share of the pairs of rows (n, D) at or below a cosine distance; NaN rows are left out; NaN below two rows."""
    rows = embeddings[np.isfinite(embeddings).all(1)].astype(np.float64)
    if len(rows) < 2 or not np.isfinite(threshold):
        return math.nan
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_FRAMES)).round().astype(int))]
    first, second = np.triu_indices(len(rows), k=1)
    return float((1 - (rows @ rows.T)[first, second] <= threshold).mean())


class IdentityStability:
    """`identity_kept`, `identity_kept_original`, `identity_shared` for every recogniser."""

    needs: ClassVar[tuple[str, ...]] = (CLIPS, "role:recogniser")
    cards: ClassVar[tuple[MetricCard, ...]] = (
        _IDENTITY(
            name="identity_kept",
            direction="higher",
            title="One new face per person",
            question="Does a person keep one new face through a clip?",
            how=f"Share of the pairs of frames of one track (at most {MOST_FRAMES} frames, evenly chosen) whose "
            f"anonymized faces a recogniser takes for one person; averaged over tracks. {_ONE_PERSON}",
            headline=31,
        ),
        _IDENTITY(
            name="identity_kept_original",
            direction="none",
            title="One face per person, original",
            question="How steady does the recogniser find the original face?",
            how=f"The same on the original frames: what a perfectly steady method could reach. {_ONE_PERSON}",
        ),
        _IDENTITY(
            name="identity_shared",
            direction="lower",
            title="New face shared with others",
            question="Do different people get the same new face?",
            how=f"Share of pairs of anonymized faces of tracks in different clips (up to {STRANGERS} other tracks for "
            "each) that a recogniser takes for one person; averaged over tracks. Being steady means nothing where this "
            f"is high. {_ONE_PERSON}",
            headline=32,
        ),
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | SetStatistic]:
        """Three values a face track and recogniser."""
        for recogniser in sorted(evidence.recognisers):
            threshold = point_at(evidence.operating_points.get(recogniser, ()), FMR).threshold
            outputs = [evidence.anonymized[recogniser]["embedding"][rows] for rows in evidence.clips.tracks]
            originals = [evidence.original[recogniser]["embedding"][rows] for rows in evidence.clips.tracks]
            for name, tracks in (("identity_kept", outputs), ("identity_kept_original", originals)):
                kept = np.array([kept_share(rows, threshold) for rows in tracks])
                yield UnitValues(name, recogniser, kept, "image", "track", chance=FMR)
            shared = _shared(evidence, recogniser, outputs, threshold)
            yield UnitValues("identity_shared", recogniser, shared, "image", "track")


def _shared(evidence: Evidence, recogniser: str, outputs: list[Floats32], threshold: float) -> Float:
    """(T,) how many of a track's strangers look like it; NaN where there is none to compare."""
    clips = evidence.clips.track_clip
    readable = [rows[np.isfinite(rows).all(1)] for rows in outputs]
    rng = np.random.default_rng(derive_seed(evidence.settings.seed, "shared", evidence.dataset, recogniser))
    values = np.full(len(outputs), np.nan)
    for number, own in enumerate(readable):
        others = [k for k in np.flatnonzero(clips != clips[number]) if len(readable[k])]
        if not len(own) or not others or not np.isfinite(threshold):
            continue
        chosen = rng.choice(others, min(STRANGERS, len(others)), replace=False)
        theirs = np.stack([readable[k][rng.integers(len(readable[k]))] for k in chosen])
        values[number] = float((distances(own[rng.integers(len(own), size=len(theirs))], theirs) <= threshold).mean())
    return values


def trajectory_correlation(original: Floats32, output: Floats32) -> float:
    """Pearson's r between the paths of landmarks, averaged over the coordinates that move.

    ``original``, ``output``: (n, 5, 2) pixels over the frames of one track; frames that are NaN in either are left out.
    NaN with fewer than `LEAST_FRAMES` frames, or where no coordinate of the original moves. A coordinate that moves in
    the original and stands still in the output counts 0.
    """
    both = np.isfinite(original).all((1, 2)) & np.isfinite(output).all((1, 2))
    if both.sum() < LEAST_FRAMES:
        return math.nan
    a = original[both].reshape(-1, 10).astype(np.float64)
    b = output[both].reshape(-1, 10).astype(np.float64)
    moving = a.std(0) >= LEAST_MOVEMENT
    if not moving.any():
        return math.nan
    a, b = a[:, moving] - a[:, moving].mean(0), b[:, moving] - b[:, moving].mean(0)
    length = np.sqrt((a**2).sum(0) * (b**2).sum(0))
    products = (a * b).sum(0)
    return float(np.divide(products, length, out=np.zeros(len(length)), where=length > 1e-9).mean())


def ratio_of_sums(original: Float, output: Float, weights: Float) -> float:
    """The outputs' change over the originals', each track's ``weights`` (T,) times; tracks of weight 0 may be NaN. NaN
    where the originals do not change at all."""
    drawn = weights > 0
    changed = float(weights[drawn] @ original[drawn])
    return float(weights[drawn] @ output[drawn]) / changed if changed > 0 else math.nan


class Motion:
    """`flicker` and `landmark_correlation`."""

    needs: ClassVar[tuple[str, ...]] = (CLIPS, JUDGE)
    cards: ClassVar[tuple[MetricCard, ...]] = (
        _CONSISTENCY(
            name="flicker",
            version="2",
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
            headline=33,
        ),
        _CONSISTENCY(
            name="landmark_correlation",
            version="1",
            direction="higher",
            unit="correlation",
            bounds=(-1.0, 1.0),
            title="Movement kept",
            question="Does the new face move as the original did?",
            how="Pearson's r between the paths of the five landmarks in the original and as found again in the output, "
            f"averaged over the coordinates that move by at least {LEAST_MOVEMENT} px (standard deviation), then over "
            f"tracks with at least {LEAST_FRAMES} frames in which the face is found again.",
            source="unmask",
            limits="A face that crosses the frame correlates even if its expression is lost.",
            headline=34,
        ),
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | SetStatistic]:
        """A statistic over face tracks, and a value for each."""
        clips, landmarks = evidence.clips, evidence.truth.landmarks
        original, output, correlation = np.full((3, len(clips.tracks)), np.nan)
        for number, rows in enumerate(clips.tracks):
            before, after = clips.flicker_original[rows], clips.flicker_output[rows]
            both = np.isfinite(before) & np.isfinite(after)
            if both.any():
                original[number], output[number] = before[both].sum(), after[both].sum()
            correlation[number] = trajectory_correlation(landmarks[rows], evidence.landmarks[rows])
        ratio = partial(ratio_of_sums, original, output)
        yield SetStatistic("flicker", PIXELS, ratio, np.isfinite(original), "image", "track")
        yield UnitValues("landmark_correlation", JUDGE, correlation, "image", "track")
