"""Verification thresholds of a recogniser at stated false match rates, measured on labelled photos of many people.

Every pair of photos of two people is an impostor pair, every pair of photos of one person a genuine one. Intervals are
over people: a replicate draws identities with replacement and a pair weighs the product of its two people's
multiplicities (both of a genuine pair's photos are one person: weight w). Only the near tail of the impostor
distances can ever hold a threshold, so only that is kept; the total weight is known in closed form.

An attack that tries several looks of a photo is calibrated through them: a pair's distance is the smallest of those of
one photo's looks, and of that photo itself, to the other photo.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.stats.error_rates import measurable, step_threshold
from unmask.bench.core.stats.intervals import percentile_interval, share_interval
from unmask.bench.core.stats.resampling import ClusterResamples
from unmask.bench.core.types import Float, Floats32

CALIBRATION_FMRS = (1e-2, 1e-3, 1e-4)
BLOCK = 1024
_BINS = 1 << 16
_TAIL = 5  # The tail kept is this many times the largest FMR: no replicate strays as far.


class CalibratedPoint(NamedTuple):
    """A threshold and what it was measured on."""

    fmr: float
    threshold: float
    """Cosine distance 0..2; at or below it two faces count as one person. NaN = fewer than 1/fmr impostor pairs."""
    low: float
    high: float
    """95 % interval over identities; NaN = not measured."""
    tar: float
    """Share of genuine pairs accepted; NaN without genuine pairs."""
    tar_low: float
    tar_high: float
    genuine: int
    impostor: int
    """Pairs."""
    identities: int
    photos: int
    unscored: int
    """Photos without an embedding, left out."""


_Tail = tuple[Float, NDArray[np.int32], NDArray[np.int32]]
"""The nearest impostor pairs, ascending: distance, and the person of either photo."""


def calibrate(
    embeddings: Floats32,
    identities: Sequence[str] | NDArray[np.str_],
    fmrs: Sequence[float] = CALIBRATION_FMRS,
    replicates: int = 200,
    seed: int = 0,
    looks: Sequence[Floats32] = (),
) -> list[CalibratedPoint]:
    """Thresholds for ``fmrs`` from (N, D) unit embeddings (NaN rows = not embedded) of (N,) people, none ''.

    ``looks``: (N, D) each, the same photos seen otherwise; a photo counts as embedded only where all of them are.
    Time and memory grow with N squared in blocks of `BLOCK` rows; only the tail of the pairs is held.
    Raises `ValueError` for shapes that do not fit, unlabelled photos, or fmrs outside 0..1.
    """
    names = np.asarray(identities)
    if embeddings.ndim != 2 or names.shape != (len(embeddings),):
        raise ValueError(f"one identity per embedding: got {embeddings.shape} and {names.shape}")
    if (names == "").any():
        raise ValueError("every photo of a calibration set needs an identity")
    if not all(0 < fmr < 1 for fmr in fmrs):
        raise ValueError("false match rates lie between 0 and 1")
    if any(look.shape != embeddings.shape for look in looks):
        raise ValueError("a look needs one embedding per photo, of the photos' own length")
    usable = np.logical_and.reduce([np.isfinite(rows).all(axis=1) for rows in (embeddings, *looks)])
    rows = np.asarray(embeddings[usable], dtype=np.float32)
    views = [rows, *(np.asarray(look[usable], dtype=np.float32) for look in looks)]
    people, person = np.unique(names[usable], return_inverse=True)
    counts = np.bincount(person, minlength=len(people)).astype(np.float64)
    genuine, owner = _genuine(rows, views, person)
    tail = _tail(rows, views, person.astype(np.int32), min(1.0, _TAIL * max(fmrs)))

    design = ClusterResamples(np.arange(len(people)), replicates, seed)
    draws = [np.ones(len(people)), *(draw[design.bag] for draw in design.bootstrap)]
    measured = [_at(fmrs, tail, genuine, owner, counts, weights) for weights in draws]
    thresholds, tars = (np.array([[pair[i] for pair in row] for row in measured]) for i in (0, 1))
    impostors = round(_impostors(counts, np.ones(len(people))))
    sizes = len(genuine), impostors, len(people), len(rows), int((~usable).sum())
    points = []
    for k, fmr in enumerate(fmrs):
        low, high = percentile_interval(thresholds[1:, k], len(people))
        threshold, tar = float(thresholds[0, k]), float(tars[0, k])
        tar_low, tar_high = share_interval(tar, tars[1:, k], int(np.count_nonzero(counts > 1)))
        points.append(CalibratedPoint(fmr, threshold, low, high, tar, tar_low, tar_high, *sizes))
    return points


def _at(
    fmrs: Sequence[float], tail: _Tail, genuine: Float, owner: NDArray[np.intp], counts: Float, weights: Float
) -> list[tuple[float, float]]:
    """(threshold, TAR) per FMR under people's weights."""
    total = _impostors(counts, weights)
    distance, a, b = tail
    cumulative = np.cumsum(weights[a] * weights[b])
    of_genuine = weights[owner]
    out = []
    for fmr in fmrs:
        if not measurable(total, fmr) or not len(cumulative) or cumulative[-1] < fmr * total:
            out.append((math.nan, math.nan))
            continue
        threshold = step_threshold(distance, cumulative, fmr * total)
        weight = of_genuine.sum()
        tar = float(of_genuine[genuine <= threshold].sum() / weight) if weight > 0 else math.nan
        out.append((threshold, tar))
    return out


def _impostors(counts: Float, weights: Float) -> float:
    """Total weight of the impostor pairs: ((sum n w)^2 - sum (n w)^2) / 2."""
    photos = counts * weights
    return float((photos.sum() ** 2 - (photos**2).sum()) / 2)


def _nearest(views: Sequence[Floats32], rows: Floats32) -> Floats32:
    """(A, B) the smallest cosine distance of the looks of A photos, (A, D) each, to B photos."""
    distance = 1 - views[0] @ rows.T
    for look in views[1:]:
        np.minimum(distance, 1 - look @ rows.T, out=distance)
    return distance


def _genuine(rows: Floats32, views: Sequence[Floats32], person: NDArray[np.intp]) -> tuple[Float, NDArray[np.intp]]:
    """Distances within each person, and whose they are."""
    distances: list[Float] = []
    owners: list[NDArray[np.intp]] = []
    order = np.argsort(person, kind="stable")
    for same in np.split(order, np.flatnonzero(np.diff(person[order])) + 1):
        upper = np.triu_indices(len(same), k=1)
        distances.append(_nearest([look[same] for look in views], rows[same])[upper].astype(np.float64))
        owners.append(np.full(len(upper[0]), person[same[0]] if len(same) else 0, dtype=np.intp))
    return np.concatenate(distances), np.concatenate(owners)


def _tail(rows: Floats32, views: Sequence[Floats32], person: NDArray[np.int32], share: float) -> _Tail:
    """At least the nearest ``share`` of the impostor pairs: one pass to find where it ends, one to collect it."""
    histogram = np.zeros(_BINS, dtype=np.int64)
    for distance, _, _ in _blocks(rows, views, person):
        histogram += np.bincount(_bin(distance), minlength=_BINS)
    least = share * histogram.sum()
    limit = int(np.searchsorted(np.cumsum(histogram), least))
    nearest = [(np.zeros(0, np.float32), np.zeros(0, np.int32), np.zeros(0, np.int32))]
    for distance, a, b in _blocks(rows, views, person):
        near = _bin(distance) <= limit
        nearest.append((distance[near], a[near], b[near]))
    joined, people_a, people_b = (np.concatenate(parts) for parts in zip(*nearest, strict=True))
    order = np.argsort(joined, kind="stable")
    return joined[order].astype(np.float64), people_a[order], people_b[order]


def _bin(distance: Floats32) -> NDArray[np.int64]:
    bins: NDArray[np.int64] = np.clip(distance * (_BINS / 2), 0, _BINS - 1).astype(np.int64)
    return bins


def _blocks(
    rows: Floats32, views: Sequence[Floats32], person: NDArray[np.int32]
) -> Iterator[tuple[Floats32, NDArray[np.int32], NDArray[np.int32]]]:
    """Impostor pairs (distance, person, person), each once, a block of rows at a time."""
    for start in range(0, len(rows), BLOCK):
        stop = min(start + BLOCK, len(rows))
        distance = _nearest([look[start:stop] for look in views], rows[start:])
        later = np.arange(start, len(rows))[None, :] > np.arange(start, stop)[:, None]
        i, j = np.nonzero(later & (person[start:stop, None] != person[None, start:]))
        yield distance[i, j], person[start + i], person[start + j]
