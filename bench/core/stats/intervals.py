"""Replicates -> 95 % intervals and `Estimate`s.

- Bootstrap, from ten clusters C on: percentile interval, its two tails moved out to where a t interval of C-1 degrees
  of freedom would put them ("expanded percentile", Hesterberg, The American Statistician 69(4), 2015, section 5.3.2):
  with few clusters the plain percentiles are too narrow.
- Bootstrap, three to nine clusters: value +- t(C-1) x standard error, since percentiles cannot leave the range of what
  was drawn. Fewer than three clusters say too little about variation between clusters: no interval (NaN).
- Jackknife: value +- t(G-1) x standard error, G = the deletions that removed something; from three clusters on.
- Shares, from two clusters on: resampling sees no variation where all units agree. So a share's interval always reaches
  at least as far as Clopper and Pearson's (Biometrika 26, 1934) for 0 of C clusters reaches up from 0, and for C of C
  down from 1; where all units agree it is exactly that interval.
- A magnitude |x| has the interval of x, folded: one that holds 0 begins at 0.
- The worst of K attacks: the end that is bad news is the worst of the attacks' own 95 % ends, which covers, since the
  truly worst attack is among them; the other end is the worst of the ends at 2.5 % divided among the K (Bonferroni;
  attacks that agree in every replicate are one), since every attack has to be covered for the worst to be. Percentiles
  of the worst in each replicate would not do: where attacks are equally good they lie too far on the bad side, the more
  attacks the further.
- Replicates in which the number is undefined are left out; if more than half are, there is no interval.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from scipy import special

from unmask.bench.core.stats.resampling import ClusterResamples, Replicates, replicate_means
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import Estimate, UnitValues

LEVEL = 0.95
LEAST_CLUSTERS = 3
"""For the interval of a mean."""
PERCENTILES_FROM = 10
"""Clusters from which the percentiles of a bootstrap are used."""
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
        magnitude = abs(float(value)) if replicates.magnitude else float(value)
        out.append(Estimate(magnitude, low, high, int(replicates.n[m]), int(replicates.unscored[m])))
    return out


def interval(replicates: Replicates, m: int = 0, level: float = LEVEL) -> Interval:
    """The interval of set ``m``, without its alternatives; NaN ends = not measured."""
    if replicates.attacks:
        return _worst_interval(replicates, m, level)
    point, clusters = float(replicates.point[m]), int(replicates.clusters[m])
    values, active = replicates.values[:, m], replicates.active[:, m]
    if math.isnan(point):
        return NO_INTERVAL
    if replicates.kind == "jackknife":
        low, high = jackknife_interval(point, values, active, level) if clusters >= LEAST_CLUSTERS else NO_INTERVAL
    elif replicates.share:
        low, high = share_interval(point, values, clusters, level)
    else:
        low, high = mean_interval(point, values, clusters, level)
    return _folded(low, high) if replicates.magnitude else (low, high)


def share_interval(point: float, values: Float, clusters: int, level: float = LEVEL) -> Interval:
    """Interval of a share (mean of 0/1 values) from its bootstrap replicates (R,); see the module."""
    if clusters >= 2 and point in (0.0, 1.0):
        return clopper_pearson(round(point) * clusters, clusters, level)
    low, high = percentile_interval(values, clusters, level)
    if math.isnan(low):
        return NO_INTERVAL
    return min(low, clopper_pearson(clusters, clusters, level)[0]), max(high, clopper_pearson(0, clusters, level)[1])


def mean_interval(point: float, values: Float, clusters: int, level: float = LEVEL) -> Interval:
    """Interval of a mean, or of a difference of means, from its bootstrap replicates (R,); see the module."""
    if clusters < LEAST_CLUSTERS:
        return NO_INTERVAL
    if clusters >= PERCENTILES_FROM:
        return percentile_interval(values, clusters, level)
    return _t_interval(point, bootstrap_error(values, clusters), clusters - 1, level)


def _worst_interval(replicates: Replicates, m: int, level: float) -> Interval:
    """Of the worst attack on set ``m``; see the module."""
    measured = [each for each in replicates.attacks if not math.isnan(each.point[m])]
    if not measured:
        return NO_INTERVAL
    own = [interval(each, m, level) for each in measured]
    distinct = len({each.values[:, m].tobytes() for each in measured})
    shared = [interval(each, m, 1 - (1 - level) / distinct) for each in measured]
    if any(math.isnan(low) for low, _ in (*own, *shared)):
        return NO_INTERVAL
    if replicates.lowest_is_worst:
        return min(low for low, _ in own), min(high for _, high in shared)
    return max(low for low, _ in shared), max(high for _, high in own)


def _folded(low: float, high: float) -> Interval:
    """The interval of |x| from that of x."""
    if math.isnan(low):
        return NO_INTERVAL
    return 0.0 if low <= 0 <= high else min(abs(low), abs(high)), max(abs(low), abs(high))


def chance_estimates(
    values: UnitValues, resamples: ClusterResamples, masks: Bools, bounds: tuple[float | None, float | None]
) -> list[Estimate]:
    """The mean of `UnitValues.chance_values` for each row of ``masks`` (M, N), with its interval.

    Chance of a share is a mean of shares, of which many may be exactly 0 (or 1): its interval reaches at least as far
    as Clopper and Pearson's for 0 (or C) of C clusters, times the largest deviation from 0 (or 1) that was seen; where
    none was, the whole of it.
    """
    assert values.chance_values is not None
    measured = UnitValues(values.metric, values.instrument, values.chance_values, eligible=values.eligible)
    replicates = replicate_means(measured, resamples, masks)
    out = []
    for m, estimate in enumerate(estimates(replicates, bounds)):
        low, high, clusters = estimate.low, estimate.high, int(replicates.clusters[m])
        if values.share and math.isfinite(low):
            units = masks[m] if values.eligible is None else masks[m] & values.eligible
            shares = values.chance_values[units & np.isfinite(values.chance_values)]
            unseen = clopper_pearson(0, clusters)[1]
            low = min(low, 1 - unseen * (float((1 - shares).max()) or 1.0))
            high = max(high, unseen * (float(shares.max()) or 1.0))
        out.append(replace(estimate, low=low, high=high))
    return out


def percentile_interval(values: Float, clusters: int, level: float = LEVEL) -> Interval:
    """Expanded percentile interval of bootstrap replicates (R,) drawn from ``clusters`` clusters."""
    defined = values[np.isfinite(values)]
    if clusters < 2 or 2 * len(defined) <= len(values):
        return NO_INTERVAL
    reach = math.sqrt(clusters / (clusters - 1)) * t_quantile((1 + level) / 2, clusters - 1)
    tail = float(special.ndtr(-reach))
    low, high = np.quantile(defined, [tail, 1 - tail])
    return float(low), float(high)


def jackknife_interval(point: float, values: Float, active: Bools, level: float = LEVEL) -> Interval:
    """t interval about ``point`` from delete-a-group replicates (G,)."""
    error, groups = jackknife_error(values, active)
    return _t_interval(point, error, groups - 1, level)


def _t_interval(point: float, error: float, freedom: int, level: float) -> Interval:
    reach = t_quantile((1 + level) / 2, freedom) * error
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


def clopper_pearson(successes: int, trials: int, level: float = LEVEL) -> Interval:
    """Exact binomial interval for ``successes`` of ``trials`` (> 0)."""
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(special.betaincinv(successes, trials - successes + 1, tail))
    high = 1.0 if successes == trials else float(special.betaincinv(successes + 1, trials - successes, 1 - tail))
    return low, high


def t_quantile(probability: float, freedom: float) -> float:
    """Of Student's t distribution."""
    return float(special.stdtrit(freedom, probability))


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
