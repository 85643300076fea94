"""How the rate of right names falls with the number of people searched, and how far that can be said.

Up to the people that there are, the rate is measured (`identification.sub_gallery_rates`). Beyond, it is modelled: a
probe whose own score is g is named in a gallery of G people if fewer than k of G - 1 strangers beat g, each with the
probability q that a stranger's score is above g (binomial; the model of Grother and Phillips, Models of large
population recognition performance, CVPR 2004). For q, the impostor scores of each probe's person are standardised by
their own mean and standard deviation, and pooled; the top half percent of them, and at least `TAIL_COMPARISONS`, is a
generalised Pareto tail, fitted by probability-weighted moments (Hosking and Wallis, Technometrics 29(3), 1987).

The model ends where fewer than `LEAST_BEYOND` pooled comparisons, of as many different people, lie above the score that
one of G strangers reaches: beyond, a formula would speak in place of data. The band is the 95 % interval of a bootstrap
over people, tail fitted anew in each replicate, widened by the largest difference between model and measurement over
the sizes that can be measured; a model that differs there by more than `LARGEST_MISFIT` is not given at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from unmask.bench.core.stats.histograms import ScoreHistograms
from unmask.bench.core.stats.identification import sub_gallery_rates
from unmask.bench.core.stats.intervals import percentile_interval
from unmask.bench.core.stats.resampling import ClusterResamples
from unmask.bench.core.types import Float

Ints = NDArray[np.int64]
TAIL: Final = 0.005
"""Share of the pooled impostor comparisons that the tail is fitted to. Of a normal distribution a longer tail is fitted
too short: with the top 2 % the rate at 30 times the people is .03 too high, with this .01."""
TAIL_COMPARISONS: Final = 200
LARGEST_TAIL: Final = 0.05
"""Where `TAIL_COMPARISONS` are more than that share, nothing is fitted."""
LEAST_BEYOND: Final = 10
LARGEST_MISFIT: Final = 0.05
_STEP: Final = 0.02  # Standard deviations; finer than the bins of the scores are.


@dataclass(frozen=True, slots=True)
class GalleryCurve:
    """Rank-k rate by gallery size: measured points, and a model beyond them."""

    sizes: Ints
    """(S,) people in the gallery, the right one included, ascending."""
    measured: Float
    """(S,) NaN beyond the people that there are."""
    modelled: Float
    low: Float
    high: Float
    """(S,) NaN where there is no model: beyond ``largest``, or everywhere if it does not fit."""
    largest: int
    """The largest gallery that the impostor tail supports; 0 = none."""
    misfit: float
    """Largest difference between model and measurement; NaN = no tail could be fitted."""


@dataclass(frozen=True, slots=True)
class _Pooled:
    """Impostor comparisons in standard deviations from their person's mean."""

    counts: Float
    """(P, Z)"""
    edges: Float
    """(Z+1,)"""
    own: Float
    """(N,) the probes' own scores, likewise."""


def gallery_curve(
    histograms: ScoreHistograms,
    rank: Float,
    genuine: Float,
    person: Ints,
    people: int,
    sizes: Ints,
    k: int = 1,
    replicates: int = 200,
    seed: int = 0,
) -> GalleryCurve:
    """Measures, and models beyond, the rank-k rate of N probes.

    ``histograms``: one impostor comparison for each probe and other person (their best entry), by the probe's person,
    without those of probes of which nothing is left; ``rank``, ``genuine``: (N,) as in `identification.Searches`, among
    ``people`` people; ``person``: (N,) 0..P-1. Probes never found (rank inf) stay so at any size; those not searched
    (NaN) are left out. Raises `ValueError` for sizes below 1 or ranks beyond ``people``.
    """
    sizes = np.sort(np.asarray(sizes, dtype=np.int64))
    if len(sizes) and sizes[0] < 1:
        raise ValueError("a gallery holds at least one person")
    within = sizes <= people
    nothing = np.full(len(sizes), np.nan)
    measured = nothing.copy()
    measured[within] = sub_gallery_rates(rank, people, sizes[within], k)
    use = ~np.isnan(rank)
    pooled = _pooled(histograms, np.where(np.isinf(rank[use]), -np.inf, genuine[use]), person[use])
    everybody = np.ones(histograms.people)
    largest = _supported(pooled)
    if not use.any() or not largest:
        return GalleryCurve(sizes, measured, nothing, nothing, nothing, 0, np.nan)
    check_sizes = np.unique(np.round(np.geomspace(1, people, 12)).astype(np.int64))
    differences = _rates(pooled, person[use], everybody, check_sizes, k) - sub_gallery_rates(
        rank, people, check_sizes, k
    )
    misfit = float(np.abs(differences).max())
    if misfit > LARGEST_MISFIT:
        return GalleryCurve(sizes, measured, nothing, nothing, nothing, largest, misfit)
    reached = sizes <= largest
    modelled, low, high = nothing.copy(), nothing.copy(), nothing.copy()
    modelled[reached] = _rates(pooled, person[use], everybody, sizes[reached], k)
    draws = ClusterResamples(np.arange(histograms.people), replicates, seed)
    replicate_rates = np.array(
        [_rates(pooled, person[use], row[draws.bag], sizes[reached], k) for row in draws.bootstrap]
    )
    ends = [percentile_interval(column, histograms.people) for column in replicate_rates.T]
    low[reached] = [max(end[0] - misfit, 0.0) for end in ends]
    high[reached] = [min(end[1] + misfit, 1.0) for end in ends]
    return GalleryCurve(sizes, measured, modelled, low, high, largest, misfit)


def largest_gallery(histograms: ScoreHistograms) -> int:
    """The largest gallery that the impostor tail of ``histograms`` (as for `gallery_curve`) supports; 0 = none."""
    return _supported(_pooled(histograms, np.zeros(0), np.zeros(0, np.int64)))


def _pooled(histograms: ScoreHistograms, genuine: Float, person: Ints) -> _Pooled:
    counts = histograms.impostor.astype(np.float64)
    centres = (histograms.edges[1:] + histograms.edges[:-1]) / 2
    total = counts.sum(axis=1)
    usable = total > 1
    mean = np.divide(counts @ centres, total, out=np.zeros(len(total)), where=usable)
    square = np.divide(counts @ centres**2, total, out=np.zeros(len(total)), where=usable)
    spread = np.sqrt(np.maximum(square - mean**2, 0.0))
    usable &= spread > 0
    standard = (centres[None, :] - mean[:, None]) / np.where(usable, spread, 1.0)[:, None]
    held = (counts > 0) & usable[:, None]
    # Where a person's impostor scores are all equal, none stands out: an own score is beaten by none, if there is one.
    alike = np.where(np.isneginf(genuine), -np.inf, np.inf)
    own = np.where(usable[person], (genuine - mean[person]) / np.where(usable, spread, 1.0)[person], alike)
    if not held.any():
        return _Pooled(np.zeros((len(counts), 1)), np.array([0.0, _STEP]), own)
    first, last = np.floor(standard[held].min() / _STEP), np.floor(standard[held].max() / _STEP)
    steps = int(last - first) + 1
    at = np.floor(standard[held] / _STEP - first).astype(np.int64)
    flat = np.nonzero(held)[0] * steps + at
    pooled = np.asarray(np.bincount(flat, counts[held], len(counts) * steps), dtype=np.float64)
    return _Pooled(pooled.reshape(len(counts), steps), (first + np.arange(steps + 1)) * _STEP, own)


def _supported(pooled: _Pooled) -> int:
    """The largest gallery: see the module."""
    total = pooled.counts.sum()
    if total * LARGEST_TAIL < TAIL_COMPARISONS:
        return 0
    beyond = np.cumsum(pooled.counts.sum(axis=0)[::-1])
    people = np.cumsum(pooled.counts[:, ::-1], axis=1) > 0
    enough = (beyond >= LEAST_BEYOND) & (people.sum(axis=0) >= LEAST_BEYOND)
    return 1 + int(total / beyond[int(np.argmax(enough))]) if enough.any() else 0


def _rates(pooled: _Pooled, person: Ints, weights: Float, sizes: Ints, k: int) -> Float:
    """(S,) modelled rates under (P,) weights of people."""
    beaten = _beaten(pooled, weights)
    named = special.bdtr(k - 1, np.maximum(sizes[None, :] - 1, k - 1), beaten[:, None])
    # Fewer strangers than k cannot push anybody back, but those never found stay so.
    named = np.where(sizes[None, :] <= k, 1.0, named)
    named = np.where(np.isneginf(pooled.own)[:, None], 0.0, named)
    share = weights[person]
    return np.asarray(share @ named / share.sum()) if share.sum() > 0 else np.full(len(sizes), np.nan)


def _beaten(pooled: _Pooled, weights: Float) -> Float:
    """(N,) probability that a stranger's score lies above each probe's own."""
    counts = weights @ pooled.counts
    total = max(float(counts.sum()), 1.0)
    above = np.concatenate([np.cumsum(counts[::-1])[::-1], [0.0]]) / total
    start = int(np.searchsorted(-above, -max(TAIL, TAIL_COMPARISONS / total), side="left"))
    threshold, share = pooled.edges[start], above[start]
    inside = np.asarray(np.interp(pooled.own, pooled.edges, above))
    middles = (pooled.edges[start:-1] + pooled.edges[start + 1 :]) / 2 - threshold
    tail = counts[start:]
    if share <= 0 or tail.sum() <= 0:
        return inside
    # Probability-weighted moments: the mean, and the mean of y (1 - F(y)).
    first = float(tail @ middles / tail.sum())
    survival = (np.cumsum(tail[::-1])[::-1] - tail / 2) / tail.sum()
    second = float(tail @ (middles * survival) / tail.sum())
    shape = 2 - first / (first - 2 * second) if first > 2 * second else 0.0
    scale = first * (1 - shape)
    return np.where(pooled.own > threshold, share * _pareto(pooled.own - threshold, scale, shape), inside)


def _pareto(excess: Float, scale: float, shape: float) -> Float:
    """P(Y > ``excess``) of a generalised Pareto distribution."""
    y = np.maximum(excess, 0.0) / scale
    if abs(shape) < 1e-6:
        return np.asarray(np.exp(-y))
    return np.asarray(np.maximum(1 + shape * y, 0.0) ** (-1 / shape))
