"""Paired comparison of methods on the same faces, and what it lets one say about their ranks.

Differences are taken within each replicate, so faces that are hard for everybody cancel. A mean is compared on the
units scored for both methods only: a method that leaves the hard faces unscored gains nothing by it.

p values are two-sided, of the difference over its bootstrap (or jackknife) standard error against t with C-1 (G-1)
degrees of freedom. Where no replicate varies but the methods differ, the error says nothing; then all C clusters
agree in sign and p is the sign test's 2^(1-C). Identical methods have p = 1. Holm's step-down method (Scandinavian
Journal of Statistics 6, 1979) corrects over all pairs of a metric.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import stats

from bench.core.cards import Direction
from bench.core.stats.intervals import (
    Interval,
    bootstrap_error,
    clopper_pearson,
    jackknife_error,
    jackknife_interval,
    percentile_interval,
)
from bench.core.stats.resampling import ClusterResamples, Replicates, distinct_clusters, means_under
from bench.core.types import Bools, Float
from bench.core.values import UnitValues

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Comparison:
    """Method ``a`` minus method ``b``, both by their place in what was compared."""

    a: int
    b: int
    difference: float
    low: float
    high: float
    """95 % interval, not corrected for the number of pairs; NaN = not measured (a single cluster)."""
    p: float
    p_adjusted: float
    """Holm-adjusted over all pairs compared with it."""


@dataclass(frozen=True, slots=True)
class RankRange:
    """The ranks that a method may hold, 1 = best."""

    best: int
    worst: int


def compare_means(
    values: Sequence[UnitValues], resamples: ClusterResamples, mask: Bools | None = None
) -> list[Comparison]:
    """Every pair of methods on one metric, on the units (of ``mask``, (N,)) scored for both.

    Pairs without such a unit are left out.
    """
    pairs = list(combinations(range(len(values)), 2))
    if not pairs:
        return []
    columns = np.stack([_scored(each, mask) for each in values])
    differences = np.stack([columns[a] - columns[b] for a, b in pairs])
    both = np.isfinite(differences)
    points, draws = means_under(resamples.bootstrap, differences, both, resamples.bag)
    clusters = distinct_clusters(both, resamples)
    found = []
    for k, (a, b) in enumerate(pairs):
        point, count = float(points[k]), int(clusters[k])
        if math.isnan(point):
            continue
        low, high = percentile_interval(draws[:, k], count)
        if values[a].share and values[b].share:
            low, high = _widened(low, high, point, count)
        error = bootstrap_error(draws[:, k], count)
        found.append(Comparison(a, b, point, low, high, p_value(point, error, count), math.nan))
    return _adjusted(found)


def compare_replicates(methods: Sequence[Replicates], m: int = 0) -> list[Comparison]:
    """Every pair of methods on one statistic of the set (FID, EER), from replicates of one design; ``m`` = which set.

    Pairs of which one could not be measured are left out.
    """
    found = []
    for a, b in combinations(range(len(methods)), 2):
        one, other = methods[a], methods[b]
        point = float(one.point[m] - other.point[m])
        if math.isnan(point):
            continue
        values = one.values[:, m] - other.values[:, m]
        clusters = int(min(one.clusters[m], other.clusters[m]))
        if one.kind == "jackknife":
            active = one.active[:, m] | other.active[:, m]
            low, high = jackknife_interval(point, values, active)
            error, units = jackknife_error(values, active)
        else:
            low, high = percentile_interval(values, clusters)
            if one.share and other.share:
                low, high = _widened(low, high, point, clusters)
            error, units = bootstrap_error(values, clusters), clusters
        found.append(Comparison(a, b, point, low, high, p_value(point, error, units), math.nan))
    return _adjusted(found)


def p_value(difference: float, error: float, units: int) -> float:
    """Two-sided p for a difference with standard error ``error`` over ``units`` independent units; see the module."""
    if difference == 0 or units < 2 or math.isnan(error):
        return 1.0
    if error <= 1e-12 * abs(difference):
        return 2.0 ** (1 - units)
    return float(2 * stats.t.sf(abs(difference) / error, units - 1))


def holm(p: Sequence[float]) -> list[float]:
    """Holm-adjusted p values, in the order given."""
    order = np.argsort(np.asarray(p), kind="stable")
    adjusted = [0.0] * len(p)
    running = 0.0
    for place, index in enumerate(order):
        running = max(running, min(1.0, (len(p) - place) * p[index]))
        adjusted[index] = running
    return adjusted


def significantly_better(methods: int, comparisons: Sequence[Comparison], direction: Direction) -> Bools:
    """(M, M): [i, j] = method i is better than method j, adjusted p < .05. Nothing is where direction is ``none``."""
    better = np.zeros((methods, methods), dtype=np.bool_)
    if direction == "none":
        return better
    sign = 1 if direction == "higher" else -1
    for each in comparisons:
        if each.p_adjusted < ALPHA and each.difference != 0:
            winner, loser = (each.a, each.b) if sign * each.difference > 0 else (each.b, each.a)
            better[winner, loser] = True
    return better


def rank_ranges(values: Sequence[float], better: Bools, direction: Direction) -> list[RankRange | None]:
    """For each method: 1 + how many are significantly better, to M - how many are significantly worse.

    ``None`` for methods whose value is NaN (they also count for nobody else), and for all where no direction is better.
    """
    measured = np.isfinite(np.asarray(values, dtype=np.float64))
    if direction == "none":
        return [None] * len(values)
    total = int(measured.sum())
    wins = better & measured[:, None] & measured[None, :]
    return [
        RankRange(1 + int(wins[:, i].sum()), total - int(wins[i].sum())) if measured[i] else None
        for i in range(len(values))
    ]


def _scored(values: UnitValues, mask: Bools | None) -> Float:
    """(N,) values, NaN where the unit does not count."""
    keep = np.isfinite(values.values)
    for condition in (values.eligible, mask):
        keep = keep if condition is None else keep & condition
    return np.where(keep, values.values, np.nan)


def _widened(low: float, high: float, difference: float, clusters: int) -> Interval:
    """A difference of shares that no replicate varies in: as uncertain as a share on which all clusters agree."""
    if low != high:
        return low, high
    unseen = clopper_pearson(0, clusters)[1]
    # People not seen may differ by one from a difference of 0, by two from +1 or -1.
    reach = unseen if difference == 0 else 2 * unseen
    return max(difference - reach, -1.0), min(difference + reach, 1.0)


def _adjusted(found: list[Comparison]) -> list[Comparison]:
    return [replace(each, p_adjusted=p) for each, p in zip(found, holm([each.p for each in found]), strict=True)]
