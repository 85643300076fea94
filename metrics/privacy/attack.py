"""What an attacker with one recogniser holds: the originals' embeddings, and those of what the method released.

The rules that make every face count:

- `error` and `missed`: the original was released, so the output's embedding is the original's (distance 0);
- `destroyed`: no face is found, so there is nothing to compare (distance 2.0, the largest);
- `anonymized`: what the recogniser reads from the output; a found face that it cannot read is unscored.

Faces whose original the recogniser cannot read are unscored too. Distances are cosine distances, 0..2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.core.evidence import Evidence, Strings
from bench.core.exposure import FARTHEST, distances
from bench.core.seeds import derive_seed
from bench.core.types import Bools, Float, Floats32, Outcome

MAX_PAIRS = 100_000
MIN_PARTNERS = 20
BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Attack:
    """One recogniser against one method, N faces."""

    recogniser: str
    original: Floats32
    """(N, D) unit rows; NaN = the recogniser cannot read the original."""
    released: Floats32
    """(N, D); NaN = nothing to compare (destroyed, or unreadable)."""
    destroyed: Bools
    """(N,)"""
    scored: Bools
    """(N,) the original can be read, and the output too unless it is destroyed."""

    @property
    def own_distance(self) -> Float:
        """(N,) each face's distance to its own original; NaN = unscored."""
        distance = row_distances(self.original, self.released)
        return np.where(self.scored, np.where(self.destroyed, FARTHEST, distance), np.nan)


def attacks(evidence: Evidence) -> Iterator[Attack]:
    """One for each recogniser in the evidence."""
    released_original = np.isin(evidence.outcome, [Outcome.MISSED.value, Outcome.ERROR.value])
    destroyed = evidence.outcome == Outcome.DESTROYED.value
    for name, readings in evidence.original.items():
        if "embedding" not in readings:
            continue
        original = _unit(readings["embedding"])
        output = _unit(evidence.anonymized[name]["embedding"])
        released = np.where(released_original[:, None], original, output)
        released[destroyed] = np.nan
        scored = np.isfinite(original).all(1) & (destroyed | np.isfinite(released).all(1))
        yield Attack(name, original, released, destroyed, scored)


def row_distances(a: Floats32, b: Floats32) -> Float:
    """(N,) cosine distance of matching unit rows, 0..2; 0 exactly for identical rows, NaN for NaN rows."""
    everything = np.arange(len(a), dtype=np.int64)
    return pair_distances(a, b, everything, everything)


def pair_distances(a: Floats32, b: Floats32, i: NDArray[np.int64], j: NDArray[np.int64]) -> Float:
    """(P,) cosine distances of ``a[i]`` and ``b[j]``, a block of pairs at a time."""
    distance = np.empty(len(i))
    for start in range(0, len(i), BLOCK):
        part = slice(start, start + BLOCK)
        distance[part] = distances(a[i[part]], b[j[part]])
    return np.clip(distance, 0.0, FARTHEST)


def same_person(identity: Strings, i: NDArray[np.int64], j: NDArray[np.int64]) -> Bools:
    """Whether faces ``i`` and ``j`` are known to be one person. Unlabelled faces match nobody but themselves."""
    same: Bools = (i == j) | ((identity[i] == identity[j]) & (identity[i] != ""))
    return same


def impostor_pairs(
    identity: Strings, seed: int, dataset: str, max_pairs: int = MAX_PAIRS
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(i, j): for every face i up to K faces j of other people, drawn without replacement.

    K = ``max_pairs`` / N, at least `MIN_PARTNERS`, all others where there are no more. Depends on the seed and the data
    set alone, so every method and recogniser meets the same pairs.
    """
    n = len(identity)
    everyone = np.arange(n, dtype=np.int64)
    partners = max(max_pairs // max(n, 1), MIN_PARTNERS)
    if n - 1 <= partners:
        i, j = np.repeat(everyone, n), np.tile(everyone, n)
    else:
        rng = np.random.default_rng(derive_seed(seed, "impostors", dataset))
        i = np.repeat(everyone, partners)
        j = np.concatenate([rng.choice(n, partners, replace=False) for _ in everyone])
    different = ~same_person(identity, i, j)
    return i[different], j[different]


def genuine_photo_pairs(evidence: Evidence) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(i, j), i before j: faces of one labelled person in two different images."""
    identity = evidence.truth.identity
    first: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    second: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    for name in np.unique(identity[identity != ""]):
        faces = np.flatnonzero(identity == name)
        a, b = np.triu_indices(len(faces), k=1)
        first.append(faces[a])
        second.append(faces[b])
    i, j = np.concatenate(first), np.concatenate(second)
    apart = evidence.faces.sample[i] != evidence.faces.sample[j]
    return i[apart], j[apart]


def _unit(rows: Floats32) -> Floats32:
    """L2-normalised; a zero row has no direction and becomes NaN."""
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats32 = np.divide(rows, length, out=np.full(rows.shape, np.nan, np.float32), where=length > 0)
    return unit
