"""The chance level of exposure: how often a track is taken for a stranger, given as many tries as it has frames."""

from __future__ import annotations

import numpy as np

from unmask.bench.core.evidence import KNOWN_PLACE, Evidence
from unmask.bench.core.exposure import nearest
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import Bools, Floats32, Outcome

PARTNERS = 20
"""Tracks of other clips that each track is compared with."""


def chance_of_exposure(evidence: Evidence, recogniser: str, threshold: float) -> float | None:
    """How often a track is taken, in at least one frame, for somebody who is in another clip.

    Each track's outputs, as found again and at the known place, are compared frame by frame with the originals of up to
    `PARTNERS` tracks of other clips (shorter ones are gone through again). ``None`` where no two
    clips have a readable track.
    """
    originals, outputs = _per_track(evidence, recogniser)
    clips = evidence.clips.track_clip
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


def _per_track(evidence: Evidence, recogniser: str) -> tuple[list[Floats32], list[tuple[Floats32, Floats32]]]:
    """The readable embeddings of each track: originals, and the two readings of each output that a method changed."""
    original, released = evidence.original[recogniser]["embedding"], evidence.anonymized[recogniser]
    again, known_place = released["embedding"], released[KNOWN_PLACE]
    changed = np.isin(evidence.outcome, [Outcome.ANONYMIZED.value, Outcome.DESTROYED.value])
    use = changed & (_readable(again) | _readable(known_place))
    readable = _readable(original)
    tracks = evidence.clips.tracks
    outputs = [(again[rows[use[rows]]], known_place[rows[use[rows]]]) for rows in tracks]
    return [original[rows[readable[rows]]] for rows in tracks], outputs


def _readable(rows: Floats32) -> Bools:
    """(N,) whether a row (N, D) was read."""
    return np.asarray(np.isfinite(rows).all(axis=1), np.bool_)
