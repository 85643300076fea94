"""Two methods on the units scored for both: their difference, its interval and its p value.

Where a threshold has an interval of its own, both methods are judged at the same end of it; the interval is the hull
over the point and both ends, and p the largest of the three. Where the worst of several attacks counts, it is picked
for each method, and again in each replicate.

Intervals of differences are those of means (see `intervals`). Differences of shares come from discordant units, those
that count for one method and not for the other: with few of them replicates vary too little, with none not at all.
The interval therefore reaches at least as far as exact intervals of the two discordant shares do, combined as MOVER
combines them (Zou and Donner, Statistics in Medicine 27(10), 2008).

p values are two-sided, of the difference over its bootstrap (or jackknife) standard error against t with C-1 (G-1)
degrees of freedom. Where a share differs in up to `EXACT_UP_TO` clusters, p is at least the exact sign test's over them
(McNemar's test, if everybody has one photo). Where no replicate varies but the methods differ, the error says nothing;
then all C clusters agree in sign and p is the sign test's 2^(1-C).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from scipy import special

from unmask.bench.core.stats import intervals
from unmask.bench.core.stats.resampling import ClusterResamples, Replicates, means_under, replicate_statistic, worst_of
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import SetStatistic, UnitValues

EXACT_UP_TO: Final = 25
"""Clusters with discordant units up to which a share's p is held against the exact sign test."""
_AT_ONCE = 64

Item = UnitValues | SetStatistic


@dataclass(frozen=True, slots=True)
class Scored:
    """What one method scored on one metric by one attack (or instrument)."""

    item: Item
    replicates: Replicates
    """Of all units first; only those are compared."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One method by one attack, on some of the units, at the E ends of a threshold (E = 1 without one)."""

    points: Float
    """(E,); NaN = not measured."""
    draws: Float
    """(R, E)"""
    active: Bools
    """(R,) see `Replicates.active`."""


Key = tuple[int, int, bytes]
"""Method, attack, units."""


def scored_units(item: Item) -> Bools:
    """(N,) units that the question is about and that could be scored."""
    scored: Bools = np.isfinite(item.values) if isinstance(item, UnitValues) else item.scored
    return scored if item.eligible is None else scored & item.eligible


def measure_common(
    methods: Sequence[Sequence[Scored]], common: Mapping[tuple[int, int, int], Bools], resamples: ClusterResamples
) -> dict[Key, Measured]:
    """Each method by each attack on each set of units that it has in common with another one.

    ``common``: (method, other method, attack) -> (N,) units.
    """
    sets: dict[Key, Bools] = {}
    for (a, b, k), units in common.items():
        for method in (a, b):
            sets[method, k, units.tobytes()] = units
    measured: dict[Key, Measured] = {}
    means: dict[Key, tuple[UnitValues, Bools]] = {}
    for key, units in sets.items():
        scored = methods[key[0]][key[1]]
        if np.array_equal(units, scored_units(scored.item)):
            measured[key] = _of_everybody(scored.replicates)
        elif isinstance(scored.item, UnitValues):
            means[key] = scored.item, units
        else:
            on_units = replace(scored.item, scored=units, eligible=None)
            measured[key] = _of_everybody(replicate_statistic(on_units, resamples))
    keys = list(means)
    for start in range(0, len(keys), _AT_ONCE):
        measured |= _means({key: means[key] for key in keys[start : start + _AT_ONCE]}, resamples)
    return measured


def _means(means: Mapping[Key, tuple[UnitValues, Bools]], resamples: ClusterResamples) -> dict[Key, Measured]:
    """Many at once: one product of matrices."""
    columns: list[Float] = []
    units: list[Bools] = []
    places: dict[Key, slice] = {}
    for key, (item, on) in means.items():
        ends = [item.values, *item.alternatives]
        places[key] = slice(len(columns), len(columns) + len(ends))
        columns += ends
        units += [on & np.isfinite(values) for values in ends]
    points, draws = means_under(resamples.bootstrap, np.stack(columns), np.stack(units), resamples.bag)
    active = np.ones(len(draws), np.bool_)
    return {key: Measured(points[place], draws[:, place], active) for key, place in places.items()}


def _of_everybody(replicates: Replicates) -> Measured:
    ends = (replicates, *replicates.alternatives)
    points = replicates.folded(np.array([each.point[0] for each in ends]))
    draws = replicates.folded(np.stack([each.values[:, 0] for each in ends], axis=1))
    return Measured(points, draws, replicates.active[:, 0])


class Side:
    """One of two methods: the worst of its attacks at each end of the threshold, and again in each replicate."""

    def __init__(self, items: Sequence[Item], attacks: Sequence[Measured], lowest_is_worst: bool) -> None:
        self.items = items
        self.ends = max(len(each.points) for each in attacks)
        points = np.stack([_stretched(each.points, self.ends) for each in attacks])
        draws = np.stack([_stretched(each.draws, self.ends) for each in attacks])
        picked = worst_of(points, lowest_is_worst)
        self.picked: list[int] = picked.tolist()
        self.points: Float = points[picked, np.arange(self.ends)]
        self.draws: Float = (np.fmin if lowest_is_worst else np.fmax).reduce(draws)
        self.active: Bools = np.asarray(np.stack([each.active for each in attacks]).any(axis=0))

    def values(self, end: int) -> Float:
        """(N,) values by the attack that is picked at an end."""
        item = self.items[self.picked[end]]
        assert isinstance(item, UnitValues)
        return item.at_end(end)


def _stretched(values: Float, ends: int) -> Float:
    """An attack without an interval of its threshold has the same number at every end; so has a missing end."""
    more = ends - values.shape[-1]
    return np.concatenate([values, np.repeat(values[..., :1], more, axis=-1)], axis=-1) if more else values


def interval_and_p(
    one: Side, other: Side, units: Sequence[Bools], resamples: ClusterResamples
) -> tuple[intervals.Interval, float]:
    """Of ``one`` minus ``other``; ``units``: (N,) for each attack, those scored for both."""
    ends = [_at_end(one, other, end, units, resamples) for end in range(min(one.ends, other.ends))]
    return intervals.hull([each for each, _ in ends]), max(p for _, p in ends)


def _at_end(
    one: Side, other: Side, end: int, units: Sequence[Bools], resamples: ClusterResamples
) -> tuple[intervals.Interval, float]:
    point = float(one.points[end] - other.points[end])
    values = one.draws[:, end] - other.draws[:, end]
    on = units[one.picked[end]] & units[other.picked[end]]
    clusters = resamples.clusters_of(on)
    first = one.items[0]
    if isinstance(first, SetStatistic) and first.resampling == "jackknife":
        active = one.active | other.active
        p = p_value(point, *intervals.jackknife_error(values, active))
        enough = clusters >= intervals.LEAST_CLUSTERS
        return intervals.jackknife_interval(point, values, active) if enough else intervals.NO_INTERVAL, p
    p = p_value(point, intervals.bootstrap_error(values, clusters), clusters)
    if not (first.share or other.items[0].share):
        return intervals.mean_interval(point, values, clusters), p
    if isinstance(first, SetStatistic):
        return _widened(*intervals.percentile_interval(values, clusters), point, clusters), p
    apart = np.where(on, one.values(end) - other.values(end), 0.0)
    apart[~np.isfinite(apart)] = 0.0
    interval = _at_least_exact(intervals.percentile_interval(values, clusters), apart, on, resamples, clusters)
    return interval, max(p, _sign_test(apart, resamples))


def p_value(difference: float, error: float, units: int) -> float:
    """Two-sided p for a difference with standard error ``error`` over ``units`` independent units; see the module."""
    if difference == 0 or units < 2 or math.isnan(error):
        return 1.0
    if error <= 1e-12 * abs(difference):
        return 2.0 ** (1 - units)
    return float(2 * special.stdtr(units - 1, -abs(difference) / error))


def _sign_test(apart: Float, resamples: ClusterResamples) -> float:
    """p of the exact sign test over clusters; 0 where there are too many that differ for it to matter."""
    of_cluster = np.bincount(resamples.cluster, weights=apart, minlength=resamples.clusters)
    for_one, for_other = int((of_cluster > 0).sum()), int((of_cluster < 0).sum())
    many, fewer = for_one + for_other, min(for_one, for_other)
    if not 0 < many <= EXACT_UP_TO:
        return 0.0
    # Counted in integers: of scipy only the package that has this test takes as long to import as a gate to judge.
    return float(min(2 * sum(math.comb(many, k) for k in range(fewer + 1)) / 2**many, 1.0))


def _at_least_exact(
    resampled: intervals.Interval, apart: Float, on: Bools, resamples: ClusterResamples, clusters: int
) -> intervals.Interval:
    """At least as wide as the shares of units that count for one method only, each known no better than exactly, allow.

    ``apart``: (N,) by how much units count more for the first method; ``on``: (N,) those compared.
    """
    if math.isnan(resampled[0]):
        return resampled
    (plus, plus_low, plus_high), (minus, minus_low, minus_high) = (
        _exact(more, on, resamples, clusters) for more in (apart, -apart)
    )
    point = plus - minus
    down = math.hypot(plus - plus_low, minus_high - minus)
    up = math.hypot(plus_high - plus, minus - minus_low)
    return max(min(resampled[0], point - down), -1.0), min(max(resampled[1], point + up), 1.0)


def _exact(more: Float, on: Bools, resamples: ClusterResamples, clusters: int) -> tuple[float, float, float]:
    """Share of the units with ``more`` above 0, weighed by it; and Clopper and Pearson's interval over the clusters
    that hold them, scaled to the share."""
    share = float(np.maximum(more, 0.0).sum() / max(on.sum(), 1))
    holders = resamples.clusters_of(more > 0)
    low, high = intervals.clopper_pearson(holders, clusters)
    scale = share * clusters / holders if holders else 1.0
    least = intervals.clopper_pearson(0, clusters)[1]
    return share, min(low * scale, share), max(min(high * scale, 1.0), share, least)


def _widened(low: float, high: float, point: float, clusters: int) -> intervals.Interval:
    """A difference of shares of the set that no replicate varies in: as uncertain as a unanimous share."""
    if low != high:
        return low, high
    unseen = intervals.clopper_pearson(0, clusters)[1]
    # People not seen may differ by one from a difference of 0, by two from +1 or -1.
    reach = unseen if point == 0 else 2 * unseen
    return max(point - reach, -1.0), min(point + reach, 1.0)
