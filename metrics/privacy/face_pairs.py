"""Which faces are compared with which, and their distances."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.evidence import Evidence
from unmask.bench.core.exposure import FARTHEST, distances
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import Bools, Float, Floats32

Ints = NDArray[np.int64]
MAX_PAIRS = 100_000
MIN_PARTNERS = 20
BLOCK = 4096


def pair_distances(a: Floats32, b: Floats32, i: Ints, j: Ints) -> Float:
    """(P,) cosine distances of ``a[i]`` and ``b[j]``, unit rows, a block of pairs at a time; 0 exactly for identical
    rows, NaN for NaN rows."""
    distance = np.empty(len(i))
    for start in range(0, len(i), BLOCK):
        part = slice(start, start + BLOCK)
        distance[part] = distances(a[i[part]], b[j[part]])
    return np.clip(distance, 0.0, FARTHEST)


def impostor_pairs(different: Bools, seed: int, dataset: str, max_pairs: int = MAX_PAIRS) -> tuple[Ints, Ints]:
    """(i, j): for every face i up to K faces j of other people, drawn without replacement.

    ``different``: (N, N) which pairs are of two people. K = ``max_pairs`` / N, at least `MIN_PARTNERS`, all others
    where there are no more. Depends on the seed and the data set alone, so every method and recogniser meets the same
    pairs.
    """
    n = len(different)
    everyone = np.arange(n, dtype=np.int64)
    partners = max(max_pairs // max(n, 1), MIN_PARTNERS)
    if n - 1 <= partners:
        i, j = np.repeat(everyone, n), np.tile(everyone, n)
    else:
        rng = np.random.default_rng(derive_seed(seed, "impostors", dataset))
        i = np.repeat(everyone, partners)
        j = np.concatenate([rng.choice(n, partners, replace=False) for _ in everyone])
    apart = different[i, j]
    return i[apart], j[apart]


def genuine_photo_pairs(evidence: Evidence) -> tuple[Ints, Ints]:
    """(i, j), i before j: faces of one labelled person in two different images."""
    identity = evidence.truth.identity
    first: list[Ints] = [np.zeros(0, np.int64)]
    second: list[Ints] = [np.zeros(0, np.int64)]
    for name in np.unique(identity[identity != ""]):
        faces = np.flatnonzero(identity == name)
        a, b = np.triu_indices(len(faces), k=1)
        first.append(faces[a])
        second.append(faces[b])
    i, j = np.concatenate(first), np.concatenate(second)
    apart = evidence.faces.sample[i] != evidence.faces.sample[j]
    return i[apart], j[apart]
