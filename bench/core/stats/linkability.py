"""Linkability of released faces: how far mated comparisons (of one person) stand out from non-mated ones.

As published (Gomez-Barrero, Galbally, Rathgeb and Busch, IEEE Transactions on Information Forensics and Security 13(6),
2018, section IV): with the likelihood ratio LR(s) = p(s | mated) / p(s | non-mated) and the ratio omega of the priors,

    D(s) = 2 omega LR / (1 + omega LR) - 1, but 0 where omega LR <= 1 and 1 where no non-mated score is;
    D_sys = integral of p(s | mated) D(s) ds; 0 = unlinkable, 1 = every mated comparison is told.

Densities are histograms of min(mated comparisons / 10, 100) equal bins over the pooled range, the integral is the
trapezoidal rule over the bins' centres, both as in the authors' code. Two properties follow. D never is negative, so
noise in the densities alone makes D_sys positive, the more so with few comparisons (about 0.05 where nothing can be
linked). And the rule drops half of the first and of the last bin: fully separated scores stay below 1 with few bins.

The cross-fitted estimate takes the densities from one half of the people and measures on the other. Averaging D there
would not do, because D of noise is positive on average too. But D_sys is an f-divergence of the two densities, with
f(r) = r (omega r - 1) / (omega r + 1) where omega r > 1, else 0, and f is convex: at every r it lies above each of its
tangents. The tangent at the likelihood ratio r0 of the first half, averaged over the second half's densities,

    mean over mated of 1 - 2 / (1 + omega r0)^2, minus mean over non-mated of 2 omega r0^2 / (1 + omega r0)^2
    (both only where omega r0 > 1),

therefore is D_sys at most in expectation, and equal to it where r0 is right: never biased upwards, at any n. Its bins
are its own (`_even`), and sums take the place of the trapezoidal rule.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.stats.histograms import ScoreHistograms
from unmask.bench.core.stats.resampling import halves
from unmask.bench.core.types import Bools, Float

MOST_BINS = 100
PER_BIN = 10
"""Mated comparisons for each bin."""
LEAST_MATED = 2 * PER_BIN
"""Mated comparisons below which there are not even two bins: not measured."""


@dataclass(frozen=True, slots=True)
class Linkability:
    """D_sys as published, and the local measure behind it."""

    value: float
    """0..1; NaN = fewer than `LEAST_MATED` mated comparisons, or no non-mated one."""
    edges: Float
    """(K+1,) of the bins."""
    local: Float
    """(K,) D(s), 0..1."""


def local_linkability(ratio: Float, omega: float = 1.0) -> Float:
    """D(s) for likelihood ratios of any shape, 0..inf (inf = no non-mated score there); 0..1."""
    odds = omega * np.asarray(ratio, dtype=np.float64)
    return np.where(odds > 1, 1 - 2 / (1 + odds), 0.0)


def linkability(mated: Float, non_mated: Float, omega: float = 1.0) -> Linkability:
    """As published, from (N,) and (M,) finite scores; ``omega``: P(mated) / P(non-mated).

    Raises `ValueError` for scores that are not finite, or an omega that is not positive.
    """
    if not (np.isfinite(mated).all() and np.isfinite(non_mated).all()):
        raise ValueError("scores must be finite; leave out comparisons that could not be made")
    _check(omega)
    scores = np.concatenate([mated, non_mated])
    if len(mated) < LEAST_MATED or not len(non_mated) or scores.min() == scores.max():
        # All scores equal tell nothing: that is measured, and 0.
        nothing = len(mated) < LEAST_MATED or not len(non_mated)
        return Linkability(np.nan if nothing else 0.0, np.zeros(1), np.zeros(0))
    edges = np.linspace(scores.min(), scores.max(), _bins(len(mated)) + 1)
    counts = [np.histogram(each, bins=edges)[0].astype(np.float64) for each in (mated, non_mated)]
    local, value = _published(counts[0], counts[1], omega)
    return Linkability(float(value), edges, local)


def binned_linkability(histograms: ScoreHistograms, weights: Float | None = None, omega: float = 1.0) -> Float:
    """(...) as published, from histograms: neighbouring bins are joined to about as many as the rule asks for.

    ``weights``: (..., P) of people; the bins are those of everybody counted once, so a subgroup is asked by histograms
    of its own people. NaN where mated comparisons weigh less than `LEAST_MATED`, or non-mated ones nothing. Raises
    `ValueError` for an omega that is not positive.
    """
    _check(omega)
    mated, non_mated = histograms.totals(weights)
    comparisons = int(histograms.genuine.sum())
    if comparisons < LEAST_MATED or not histograms.impostor.any():
        return np.full(mated.shape[:-1], np.nan)
    join = _joined(histograms, _bins(comparisons))
    value = _published(mated @ join, non_mated @ join, omega)[1]
    return np.where(mated.sum(axis=-1) >= LEAST_MATED, value, np.nan)


def cross_linkability(
    histograms: ScoreHistograms, weights: Float | None = None, omega: float = 1.0, splits: int = 10, seed: int = 0
) -> Float:
    """(...) the cross-fitted estimate of D_sys (see the module) over random halvings of the people, both ways.

    ``weights``: (..., P) of people, who stay in their halves; a subgroup is asked by histograms of its own people. May
    be slightly negative. NaN where a half has fewer than `LEAST_MATED` mated comparisons, or where both weigh less than
    that, or non-mated ones nothing. Resample it by the jackknife: repeated people
    would add noise to the densities, and a bootstrap with the densities fixed misses that both ways share their noise.
    Raises `ValueError` for an omega that is not positive.
    """
    _check(omega)
    rows = np.ones(histograms.people) if weights is None else np.asarray(weights, dtype=np.float64)
    sides: list[Bools] = [side for first in halves(histograms.people, splits, seed) for side in (first, ~first)]
    comparisons = [int(histograms.genuine[side].sum()) for side in sides]
    if not sides or min(comparisons) < LEAST_MATED or not histograms.impostor.any():
        return np.full(rows.shape[:-1], np.nan)
    fits = []
    for side in sides:
        join = _even(histograms, side)
        learned, measured = histograms.totals(rows * side), histograms.totals(rows * ~side)
        gain, loss = _tangent(learned[0] @ join, learned[1] @ join, omega)
        mated, non_mated = measured[0] @ join, measured[1] @ join
        gained, lost = (
            _ratio((each * by).sum(axis=-1), each.sum(axis=-1)) for each, by in ((mated, gain), (non_mated, loss))
        )
        fits.append(gained - lost)
    weight = histograms.totals(rows)[0].sum(axis=-1)
    return np.where(weight >= LEAST_MATED, np.mean(fits, axis=0), np.nan)


def _tangent(mated: Float, non_mated: Float, omega: float) -> tuple[Float, Float]:
    """(..., K) what a mated comparison in each bin adds, and a non-mated one takes away."""
    totals = [each.sum(axis=-1, keepdims=True) for each in (mated, non_mated)]
    # One more comparison of each kind, spread as both kinds are, keeps the ratio finite where one is missing.
    pooled = (_ratio(mated, totals[0]) + _ratio(non_mated, totals[1])) / 2
    smooth = [(each + pooled) / (total + 1) for each, total in zip((mated, non_mated), totals, strict=True)]
    # Without a comparison of either kind the ratio is NaN, and so is the estimate.
    odds = omega * np.divide(smooth[0], smooth[1], out=np.zeros(pooled.shape), where=~(smooth[1] == 0))
    gain, loss = 1 - 2 / (1 + odds) ** 2, 2 * odds**2 / omega / (1 + odds) ** 2
    return np.where(odds <= 1, 0.0, gain), np.where(odds <= 1, 0.0, loss)


def _published(mated: Float, non_mated: Float, omega: float) -> tuple[Float, Float]:
    """(..., K) weighted counts -> D(s) (..., K) and D_sys (...)."""
    density, other = (_ratio(each, each.sum(axis=-1, keepdims=True)) for each in (mated, non_mated))
    ratio = np.divide(density, other, out=np.full(density.shape, np.inf), where=other > 0)
    local = local_linkability(ratio, omega)
    linked = density * local
    # The trapezoidal rule over centres of equal bins; shares are densities times the bins' width.
    value = linked.sum(axis=-1) - (linked[..., 0] + linked[..., -1]) / 2
    return local, np.where(np.isfinite(other).all(axis=-1), value, np.nan)


def _joined(histograms: ScoreHistograms, bins: int) -> NDArray[np.float64]:
    """(B, K) which of K bins over the range that holds anything each of the B bins goes to."""
    used = np.flatnonzero(histograms.genuine.any(axis=0) | histograms.impostor.any(axis=0))
    first, last = int(used[0]), int(used[-1]) + 1
    low, high = float(histograms.edges[first]), float(histograms.edges[last])
    wanted = min(bins, last - first)
    centres = (histograms.edges[1:] + histograms.edges[:-1]) / 2
    at = np.clip(((centres - low) / (high - low) * wanted).astype(np.int64), 0, wanted - 1)
    return np.asarray(at[:, None] == np.arange(wanted), dtype=np.float64)


def _even(histograms: ScoreHistograms, side: Bools) -> NDArray[np.float64]:
    """(B, K) which of K = 2 cube roots of the mated comparisons of one half of the people each bin goes to: equally
    many of both kinds of comparison, kinds weighing the same, so that outliers cost no resolution."""
    kinds = [each[side].sum(axis=0).astype(np.float64) for each in (histograms.genuine, histograms.impostor)]
    wanted = 2 * round(float(kinds[0].sum()) ** (1 / 3))
    share = (kinds[0] / max(kinds[0].sum(), 1.0) + kinds[1] / max(kinds[1].sum(), 1.0)) / 2
    at = np.minimum(((np.cumsum(share) - share / 2) * wanted).astype(np.int64), wanted - 1)
    return np.asarray(at[:, None] == np.arange(wanted), dtype=np.float64)


def _bins(mated: int) -> int:
    return min(mated // PER_BIN, MOST_BINS)


def _check(omega: float) -> None:
    if not omega > 0:
        raise ValueError(f"the ratio of priors must be positive, not {omega}")


def _ratio(sums: Float, counts: Float) -> Float:
    out = np.full(np.broadcast_shapes(sums.shape, counts.shape), np.nan)
    return np.asarray(np.divide(sums, counts, out=out, where=counts > 0))
