"""Replicates -> 95 % intervals and `Estimate`s.

- Bootstrap: percentile interval, its two tails moved out to where a t interval of C-1 degrees of freedom would put
  them ("expanded percentile", Hesterberg, The American Statistician 69(4), 2015, section 5.3.2): with few clusters
  C the plain percentiles are too narrow.
- Jackknife: value +- t(G-1) x standard error, G = the deletions that removed something.
- Shares: resampling sees no variation where all units agree. So a share's interval always reaches at least as far
  as Clopper and Pearson's (Biometrika 26, 1934) for 0 of C clusters reaches up from 0, and for C of C down from 1;
  where all units agree it is exactly that interval.
- Replicates in which the number is undefined are left out; if more than half are, there is no interval.
- One cluster says nothing about variation between clusters: no interval (NaN).
"""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from bench.core.stats.resampling import Replicates
from bench.core.types import Bools, Float
from bench.core.values import Estimate

LEVEL = 0.95
Interval = tuple[float, float]
NO_INTERVAL: Interval = (math.nan, math.nan)


def estimates(replicates: Replicates, bounds: tuple[float | None, float | None] = (None, None)) -> list[Estimate]:
    """One `Estimate` for each of the M sets; interval ends outside ``bounds`` (the metric's own) are cut off.

    Alternatives (values at the ends of a threshold's interval) widen the interval to the hull over all of them.
    """
    out = []
    for m, value in enumerate(replicates.point):
        low, high = hull([interval(each, m) for each in (replicates, *replicates.alternatives)])
        low, high = _clip(low, bounds), _clip(high, bounds)
        out.append(Estimate(float(value), low, high, int(replicates.n[m]), int(replicates.unscored[m])))
    return out


def interval(replicates: Replicates, m: int = 0) -> Interval:
    """The 95 % interval of set ``m``, without its alternatives; NaN ends = not measured."""
    point, clusters = float(replicates.point[m]), int(replicates.clusters[m])
    values, active = replicates.values[:, m], replicates.active[:, m]
    if math.isnan(point) or clusters < 2:
        return NO_INTERVAL
    if replicates.kind == "jackknife":
        return jackknife_interval(point, values, active)
    if replicates.share:
        return share_interval(point, values, clusters)
    return percentile_interval(values, clusters)


def share_interval(point: float, values: Float, clusters: int) -> Interval:
    """Interval of a share (mean of 0/1 values) from its bootstrap replicates (R,); see the module."""
    if clusters >= 2 and point in (0.0, 1.0):
        return clopper_pearson(round(point) * clusters, clusters)
    low, high = percentile_interval(values, clusters)
    if math.isnan(low):
        return NO_INTERVAL
    return min(low, clopper_pearson(clusters, clusters)[0]), max(high, clopper_pearson(0, clusters)[1])


def difference_interval(replicates: Replicates, a: int, b: int) -> tuple[float, float, float]:
    """Set ``a`` minus set ``b`` (two subgroups of one method) and the 95 % interval of the difference.

    Shares: from the two groups' own intervals (MOVER; Zou and Donner, Statistics in Medicine 27(10), 2008), so that a
    group that shows no variation still counts as uncertain; exact only if no cluster is in both groups, else too wide.
    Others: from the replicates that the groups share. NaN ends where either group has no interval.
    """
    point = float(replicates.point[a] - replicates.point[b])
    (low_a, high_a), (low_b, high_b) = interval(replicates, a), interval(replicates, b)
    if math.isnan(low_a) or math.isnan(low_b):
        return point, *NO_INTERVAL
    if replicates.share:
        value_a, value_b = float(replicates.point[a]), float(replicates.point[b])
        low = point - math.hypot(value_a - low_a, high_b - value_b)
        return point, low, point + math.hypot(high_a - value_a, value_b - low_b)
    values = replicates.values[:, a] - replicates.values[:, b]
    if replicates.kind == "jackknife":
        return point, *jackknife_interval(point, values, replicates.active[:, a] | replicates.active[:, b])
    return point, *percentile_interval(values, int(min(replicates.clusters[a], replicates.clusters[b])))


def percentile_interval(values: Float, clusters: int) -> Interval:
    """Expanded percentile interval of bootstrap replicates (R,) drawn from ``clusters`` clusters."""
    defined = values[np.isfinite(values)]
    if clusters < 2 or 2 * len(defined) <= len(values):
        return NO_INTERVAL
    reach = math.sqrt(clusters / (clusters - 1)) * stats.t.ppf((1 + LEVEL) / 2, clusters - 1)
    tail = float(stats.norm.sf(reach))
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def jackknife_interval(point: float, values: Float, active: Bools) -> Interval:
    """t interval about ``point`` from delete-a-group replicates (G,)."""
    error, groups = jackknife_error(values, active)
    if math.isnan(error):
        return NO_INTERVAL
    reach = float(stats.t.ppf((1 + LEVEL) / 2, groups - 1)) * error
    return point - reach, point + reach


def jackknife_error(values: Float, active: Bools) -> tuple[float, int]:
    """(standard error, groups used): sqrt((G-1)/G x sum of squared deviations) (Efron and Tibshirani, eq. 11.5).

    NaN with fewer than two usable deletions, or where more than half of those that removed something are undefined.
    """
    defined = values[active & np.isfinite(values)]
    groups = len(defined)
    if groups < 2 or 2 * groups <= int(active.sum()):
        return math.nan, groups
    return math.sqrt((groups - 1) / groups * float(np.sum((defined - defined.mean()) ** 2))), groups


def bootstrap_error(values: Float, clusters: int) -> float:
    """Standard error from bootstrap replicates, corrected for drawing from ``clusters`` clusters; NaN as above."""
    defined = values[np.isfinite(values)]
    if clusters < 2 or 2 * len(defined) <= len(values):
        return math.nan
    return float(np.std(defined)) * math.sqrt(clusters / (clusters - 1))


def clopper_pearson(successes: int, trials: int) -> Interval:
    """Exact binomial interval for ``successes`` of ``trials`` (> 0)."""
    tail = (1 - LEVEL) / 2
    low = 0.0 if successes == 0 else float(stats.beta.ppf(tail, successes, trials - successes + 1))
    high = 1.0 if successes == trials else float(stats.beta.ppf(1 - tail, successes + 1, trials - successes))
    return low, high


def hull(intervals: list[Interval]) -> Interval:
    """The smallest interval around those that are measured; NaN if the first is not."""
    if math.isnan(intervals[0][0]):
        return NO_INTERVAL
    measured = [each for each in intervals if not math.isnan(each[0])]
    return min(low for low, _ in measured), max(high for _, high in measured)


def _clip(value: float, bounds: tuple[float | None, float | None]) -> float:
    low, high = bounds
    if math.isnan(value):
        return value
    return min(max(value, -math.inf if low is None else low), math.inf if high is None else high)
