"""Identity over time: does a person keep one new face through a clip, and is it theirs alone?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from unmask.bench.core.cards import Direction, MetricCard
from unmask.bench.core.evidence import point_at
from unmask.bench.core.exposure import FMR, distances
from unmask.bench.core.protocols import CLIPS
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import Float, Floats32
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.bench.core.video_evidence import VideoEvidence

MOST_FRAMES = 200
"""Evenly chosen frames of a track; all their pairs are compared."""
STRANGERS = 20
"""Tracks of other clips that each track is compared with, one random frame of each against one of its own."""

_ONE_PERSON = " One person: cosine distance at or below the recogniser's threshold at a false match rate of 1e-3."


def kept_share(embeddings: Floats32, threshold: float) -> float:
    """Share of the pairs of rows (n, D) at or below a cosine distance; NaN rows are left out; NaN below two rows."""
    rows = embeddings[np.isfinite(embeddings).all(1)].astype(np.float64)
    if len(rows) < 2 or not np.isfinite(threshold):
        return float("nan")
    rows = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_FRAMES)).round().astype(int))]
    first, second = np.triu_indices(len(rows), k=1)
    return float((1 - (rows @ rows.T)[first, second] <= threshold).mean())


def _card(name: str, direction: Direction, title: str, question: str, how: str) -> MetricCard:
    return MetricCard(
        name=name,
        version="1",
        family="consistency",
        direction=direction,
        unit="share",
        bounds=(0.0, 1.0),
        title=title,
        question=question,
        how=how + _ONE_PERSON,
        source="unmask; the thesis asks it in words (4.2: does a person keep the same facial characteristics?)",
        limits="Only frames in which a face is found and read; a track with fewer than two is unscored. Faces that "
        "were left as they were keep their own face: read it beside the missed frames.",
    )


class IdentityStability:
    """`identity_kept`, `identity_kept_original`, `identity_shared` for every recogniser."""

    needs: ClassVar[tuple[str, ...]] = (CLIPS, "role:recogniser")
    cards: ClassVar[tuple[MetricCard, ...]] = (
        _card(
            "identity_kept",
            "higher",
            "One new face per person",
            "Does a person keep one new face through a clip?",
            f"Share of the pairs of frames of one track (at most {MOST_FRAMES} frames, evenly chosen) whose anonymized "
            "faces a recogniser takes for one person; averaged over tracks.",
        ),
        _card(
            "identity_kept_original",
            "none",
            "One face per person, original",
            "How steady does the recogniser find the original face?",
            "The same on the original frames: what a perfectly steady method could reach.",
        ),
        _card(
            "identity_shared",
            "lower",
            "New face shared with others",
            "Do different people get the same new face?",
            f"Share of pairs of anonymized faces of tracks in different clips (up to {STRANGERS} other tracks for "
            "each) that a recogniser takes for one person; averaged over tracks. Being steady means nothing where this "
            "is high.",
        ),
    )

    def ask(self, evidence: VideoEvidence) -> Iterator[UnitValues | SetStatistic]:
        for recogniser in sorted({name for clip in evidence.clips for name in clip.original}):
            threshold = point_at(evidence.operating_points.get(recogniser, ()), FMR).threshold
            outputs = [evidence.clips[k].anonymized[recogniser][rows] for k, rows in evidence.tracks]
            originals = [evidence.clips[k].original[recogniser][rows] for k, rows in evidence.tracks]
            for name, values in (
                ("identity_kept", np.array([kept_share(rows, threshold) for rows in outputs])),
                ("identity_kept_original", np.array([kept_share(rows, threshold) for rows in originals])),
                ("identity_shared", _shared(evidence, recogniser, outputs, threshold)),
            ):
                chance = FMR if name != "identity_shared" else None
                yield UnitValues(name, recogniser, values, region="image", unit="track", chance=chance)


def _shared(evidence: VideoEvidence, recogniser: str, outputs: list[Floats32], threshold: float) -> Float:
    """(T,) how many of a track's strangers look like it; NaN where there is none to compare."""
    clips = evidence.track_clip
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
