"""Paired comparisons of all methods on the same faces, and what they let one say about the methods' ranks.

Two methods are compared on the units scored for both only: a method that leaves the hard faces unscored, or fails on
them, gains nothing by it, and statistics that depend on the number of units (FID) are of equally many. How one pair is
compared: `paired`. Holm's step-down method (Scandinavian Journal of Statistics 6, 1979) corrects over all pairs tested.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from unmask.bench.core.cards import Direction
from unmask.bench.core.stats.paired import Scored, Side, interval_and_p, measure_common, scored_units
from unmask.bench.core.stats.resampling import ClusterResamples
from unmask.bench.core.values import SetStatistic

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Comparison:
    """Method ``a`` minus method ``b``, both by their place in what was compared."""

    a: int
    b: int
    difference: float
    low: float
    high: float
    """95 % interval, not corrected for the number of pairs; NaN = not measured (too few clusters)."""
    p: float
    """NaN = not tested."""
    p_adjusted: float
    """Holm-adjusted over all pairs tested with it; NaN = not tested."""


@dataclass(frozen=True, slots=True)
class RankRange:
    """The ranks that a method may hold, 1 = best."""

    best: int
    worst: int


def compare(
    methods: Sequence[Sequence[Scored]],
    resamples: ClusterResamples,
    lowest_is_worst: bool = True,
    untested: Collection[tuple[int, int]] = (),
) -> list[Comparison]:
    """Every pair of methods on one metric, each by the same attacks, of which the worst counts.

    Pairs without a unit scored for both are left out. ``untested`` pairs (a < b) get no p, nor do those of a statistic
    with fewer common units than its `SetStatistic.tested_from`.
    """
    pairs = list(combinations(range(len(methods)), 2))
    common = {
        (a, b, k): scored_units(one.item) & scored_units(other.item)
        for a, b in pairs
        for k, (one, other) in enumerate(zip(methods[a], methods[b], strict=True))
    }
    measured = measure_common(methods, common, resamples)
    comparisons = []
    for a, b in pairs:
        units = [common[a, b, k] for k in range(len(methods[a]))]
        ones, others = ([measured[m, k, on.tobytes()] for k, on in enumerate(units)] for m in (a, b))
        usable = [k for k in range(len(units)) if np.isfinite([ones[k].points[0], others[k].points[0]]).all()]
        if not usable:
            continue
        one, other = (
            Side([methods[m][k].item for k in usable], [sides[k] for k in usable], lowest_is_worst)
            for m, sides in ((a, ones), (b, others))
        )
        (low, high), p = interval_and_p(one, other, [units[k] for k in usable], resamples)
        first = one.items[0]
        least = first.tested_from if isinstance(first, SetStatistic) else 0
        tested = (a, b) not in untested and int(units[usable[0]].sum()) >= least
        value = float(one.points[0] - other.points[0])
        comparisons.append(Comparison(a, b, value, low, high, p if tested else math.nan, math.nan))
    return adjusted(comparisons)


def adjusted(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """With Holm-adjusted p values over those that were tested."""
    corrected = iter(holm([each.p for each in comparisons if not math.isnan(each.p)]))
    return [each if math.isnan(each.p) else replace(each, p_adjusted=next(corrected)) for each in comparisons]


def holm(p: Sequence[float]) -> list[float]:
    """Holm-adjusted p values, in the order given."""
    order = np.argsort(p, kind="stable")
    steps = np.minimum(np.arange(len(p), 0, -1) * np.asarray(p)[order], 1.0)
    adjusted = np.empty(len(p))
    adjusted[order] = np.maximum.accumulate(steps)
    return adjusted.tolist()


def rank_ranges(
    values: Sequence[float], comparisons: Sequence[Comparison], direction: Direction
) -> list[RankRange | None]:
    """For each method: 1 + how many are significantly better (adjusted p < .05), to M - how many are significantly
    worse. ``None`` for methods whose value is NaN (they also count for nobody else), and for all where direction is
    ``none``."""
    if direction == "none":
        return [None] * len(values)
    measured = np.isfinite(np.asarray(values, dtype=np.float64))
    best, worst = [1] * len(values), [int(measured.sum())] * len(values)
    for each in comparisons:
        if each.p_adjusted < ALPHA and each.difference != 0 and measured[each.a] and measured[each.b]:
            winner, loser = (each.a, each.b) if (each.difference > 0) == (direction == "higher") else (each.b, each.a)
            best[loser] += 1
            worst[winner] -= 1
    return [RankRange(best[k], worst[k]) if measured[k] else None for k in range(len(values))]
