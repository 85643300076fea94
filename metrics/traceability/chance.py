"""The chance level of exposure: how often a track is taken for a stranger, given as many tries as it has frames."""

from __future__ import annotations

import numpy as np

from unmask.bench.core.exposure import nearest
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import Floats32, Outcome
from unmask.bench.core.video_evidence import VideoEvidence

PARTNERS = 20
"""Tracks of other clips that each track is compared with."""


def chance_of_exposure(evidence: VideoEvidence, recogniser: str, threshold: float) -> float | None:
    """How often a track is taken, in at least one frame, for somebody who is in another clip.

    Each track's outputs, as found again and at the known place, are compared frame by frame with the originals of up to
    `PARTNERS` tracks of other clips (shorter ones are gone through again). ``None`` where no two
    clips have a readable track.
    """
    originals, outputs = _per_track(evidence, recogniser)
    clips = evidence.track_clip
    rng = np.random.default_rng(derive_seed(evidence.settings.seed, "strangers", evidence.dataset, recogniser))
    hits = []
    for number, (again, known_place) in enumerate(outputs):
        others = [k for k in np.flatnonzero(clips != clips[number]) if len(originals[k])]
        if not len(again) or not others:
            continue
        for other in rng.choice(others, min(PARTNERS, len(others)), replace=False):
            stranger = originals[int(other)]
            distance = nearest(stranger[np.arange(len(again)) % len(stranger)], again, known_place)
            hits.append(float((distance <= threshold).any()))
    return float(np.mean(hits)) if hits else None


def _per_track(evidence: VideoEvidence, recogniser: str) -> tuple[list[Floats32], list[tuple[Floats32, Floats32]]]:
    """The readable embeddings of each track: originals, and the two readings of each output that a method changed."""
    originals, outputs = [], []
    for number, rows in evidence.tracks:
        clip = evidence.clips[number]
        original = clip.original[recogniser][rows]
        again, known_place = clip.anonymized[recogniser][rows], clip.known_place[recogniser][rows]
        changed = np.isin(clip.faces.outcome[rows], [Outcome.ANONYMIZED.value, Outcome.DESTROYED.value])
        use = changed & (np.isfinite(again).all(1) | np.isfinite(known_place).all(1))
        originals.append(original[np.isfinite(original).all(1)])
        outputs.append((again[use], known_place[use]))
    return originals, outputs
