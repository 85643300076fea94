"""Identification: at which rank a gallery gives a probe's person away.

Ties are counted in the attacker's favour: gallery entries exactly as near as the right one do not push it back. For
privacy that is the pessimistic reading, and it makes a method that maps everybody to one face look no safer for it.
"""

from __future__ import annotations

import numpy as np

from unmask.bench.core.types import Bools, Float


def best_match_rank(distances: Float, match: Bools, gallery: Bools | None = None) -> Float:
    """(Q,) 1 + the number of wrong gallery entries strictly nearer than the nearest right one.

    ``distances``: (Q, G), NaN = cannot be compared (ranked behind everything); ``match``: (Q, G) right entries;
    ``gallery``: (Q, G) entries to search, default all. NaN = no right entry among those that can be compared.
    """
    searched = np.isfinite(distances) if gallery is None else np.isfinite(distances) & gallery
    right = searched & match
    nearest = np.where(right, distances, np.inf).min(axis=1, initial=np.inf)
    nearer = searched & ~match & (np.where(searched, distances, np.inf) < nearest[:, None])
    return np.where(right.any(axis=1), 1.0 + nearer.sum(axis=1), np.nan)


def chance_within(k: int, gallery: Float, right: Float) -> Float:
    """Probability that ``k`` entries drawn blindly from ``gallery`` ones hold at least one of the ``right`` ones.

    All (Q,). Hypergeometric: 1 - prod_{t<k} (G - r - t) / (G - t); 1 where k entries cannot avoid the right ones.
    """
    size, hits = np.asarray(gallery, dtype=np.float64), np.asarray(right, dtype=np.float64)
    miss = np.ones(size.shape)
    for t in range(k):
        left = np.maximum(size - t, 1.0)
        miss *= np.clip(size - hits - t, 0.0, None) / left
    return 1 - miss
