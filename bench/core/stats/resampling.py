"""One resampling design for a data set, shared by all methods and metrics, so that comparisons are paired.

What is drawn are clusters (identities; images where nobody is labelled), never single faces: photos of one person
are not independent. Two designs (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 6 and 11):

- bootstrap: C clusters drawn with replacement, as multiplicities;
- delete-a-group jackknife: clusters dealt into 20 groups, each left out in turn (delete-one below 20 clusters),
  for statistics that repeated units would bias, such as FID.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import SetStatistic, UnitValues

JACKKNIFE_GROUPS = 20
# More clusters than this are bagged at random first: memory stays bounded and the standard error as good as unchanged.
MAX_BAGS = 5000
STATISTIC_REPLICATES = 200

Kind = Literal["bootstrap", "jackknife"]


class ClusterResamples:
    """The replicates of one set of units.

    ``cluster``: (N,) integers, any values; ``replicates``: bootstrap draws B; the same arguments give the same draws.
    """

    def __init__(self, cluster: NDArray[np.int64], replicates: int = 2000, seed: int = 0) -> None:
        if replicates < 1:
            raise ValueError("replicates must be at least 1")
        names, codes = np.unique(np.asarray(cluster), return_inverse=True)
        self.cluster = codes.astype(np.int64)
        """(N,) 0..C-1."""
        self.clusters = len(names)
        self.replicates = replicates
        self._seed = seed
        self.bags = min(self.clusters, MAX_BAGS)
        deal = np.random.default_rng(derive_seed(seed, "bags")).permutation(self.clusters)
        bag_of = np.arange(self.clusters) if self.bags == self.clusters else deal % self.bags
        self.bag = bag_of[self.cluster].astype(np.int64)
        """(N,) what is drawn together; the cluster itself up to `MAX_BAGS` clusters."""

    def __len__(self) -> int:
        return len(self.cluster)

    def clusters_of(self, units: Bools) -> int:
        """Distinct clusters among some of the (N,) units."""
        return int(np.count_nonzero(np.bincount(self.cluster[units], minlength=self.clusters)))

    @cached_property
    def bootstrap(self) -> Float:
        """(B, bags) how often each is drawn; rows sum to the number of bags."""
        rng = np.random.default_rng(derive_seed(self._seed, "bootstrap"))
        weights = np.zeros((self.replicates, self.bags))
        for row in weights:
            if self.bags:
                row += np.bincount(rng.integers(0, self.bags, self.bags), minlength=self.bags)
        return weights

    @cached_property
    def jackknife(self) -> Float:
        """(G, bags) 0 = left out, else 1; every bag is left out exactly once."""
        groups = min(self.bags, JACKKNIFE_GROUPS)
        rng = np.random.default_rng(derive_seed(self._seed, "jackknife"))
        # Dealt like cards, so that group sizes differ by one at most.
        group = rng.permutation(np.arange(self.bags) % groups) if groups else np.zeros(0, dtype=np.int64)
        kept: Float = (group[None, :] != np.arange(groups)[:, None]).astype(np.float64)
        return kept


@dataclass(frozen=True, slots=True)
class Replicates:
    """A number and its replicates, for M sets of units (all, and subgroups) at once."""

    kind: Kind
    point: Float
    """(M,) the number itself; NaN = could not be measured."""
    values: Float
    """(R, M); NaN = undefined in that replicate."""
    active: Bools
    """(R, M) False for a jackknife deletion that left out none of the set's units."""
    n: NDArray[np.int64]
    """(M,) units scored."""
    unscored: NDArray[np.int64]
    """(M,) eligible units that could not be scored."""
    clusters: NDArray[np.int64]
    """(M,) distinct clusters among the units scored."""
    share: bool = False
    """See `UnitValues.share`."""
    alternatives: tuple[Replicates, ...] = ()
    """See `UnitValues.alternatives`."""
    magnitude: bool = False
    """See `SetStatistic.magnitude`; ``point`` and ``values`` are signed."""
    centre: float = 0.0
    """See `SetStatistic.centre`."""
    attacks: tuple[Replicates, ...] = ()
    """What the worst was picked from; empty where nothing was picked."""
    lowest_is_worst: bool = True

    def folded(self, values: Float) -> Float:
        """Numbers as they are shown: signed ones by their magnitude."""
        return self.centre + np.abs(values - self.centre) if self.magnitude else values


def replicate_means(values: UnitValues, resamples: ClusterResamples, masks: Bools | None = None) -> Replicates:
    """The mean over scored units and its bootstrap replicates, for every row of ``masks`` (M, N) (default: all).

    Raises `ValueError` if the arrays do not have one row per unit of the design.
    """
    rows = _masks(masks, resamples)
    _check(values.values, resamples)
    eligible = rows if values.eligible is None else rows & values.eligible

    def replicates(column: Float) -> Replicates:
        return _replicates("bootstrap", *_means(column, eligible, resamples), eligible, resamples, values.share)

    return replace(replicates(values.values), alternatives=tuple(map(replicates, values.alternatives)))


def replicate_statistic(
    statistic: SetStatistic,
    resamples: ClusterResamples,
    masks: Bools | None = None,
    replicates: int = STATISTIC_REPLICATES,
) -> Replicates:
    """A statistic of the set and its replicates, for every row of ``masks`` (M, N) (default: all).

    Bootstrap statistics use the first ``replicates`` draws of the design (they are costlier than means); jackknife
    ones all its deletions. Units outside the mask, not eligible or not scored get weight 0.
    """
    rows = _masks(masks, resamples)
    _check(statistic.scored, resamples)
    eligible = rows if statistic.eligible is None else rows & statistic.eligible
    scored = eligible & statistic.scored
    draws = (resamples.bootstrap if statistic.resampling == "bootstrap" else resamples.jackknife)[:replicates]
    values = np.full((len(draws), len(rows)), np.nan)
    point = np.full(len(rows), np.nan)
    for m, mask in enumerate(scored):
        if not mask.any():
            continue
        point[m] = statistic.compute(mask.astype(np.float64))
        weights = draws[:, resamples.bag] * mask
        some = weights.any(axis=1)
        if statistic.compute_all is not None:
            values[some, m] = statistic.compute_all(weights[some])
        else:
            values[some, m] = [statistic.compute(each) for each in weights[some]]
        if statistic.spread != 1:
            values[:, m] = point[m] + statistic.spread * (values[:, m] - point[m])
    replicated = _replicates(statistic.resampling, point, values, scored, eligible, resamples, statistic.share)
    return replace(replicated, magnitude=statistic.magnitude, centre=statistic.centre)


def halves(people: int, splits: int, seed: int) -> Bools:
    """(splits, people) True = first half, drawn anew for each split; the second half has one more of an odd number."""
    rng = np.random.default_rng(derive_seed(seed, "halves"))
    first = np.zeros((splits, people), dtype=np.bool_)
    for row in first:
        row[rng.permutation(people)[: people // 2]] = True
    return first


def worst_replicates(attacks: Sequence[Replicates], lowest: bool) -> Replicates:
    """The worst of several attacks, picked for each set and again in each replicate; ``lowest`` = small values are bad.

    Counts are those of the attack that is worst for the set (`worst_attack`).
    """
    ends = max(len(each.alternatives) for each in attacks)
    alternatives = tuple(
        worst_replicates([each.alternatives[k] if k < len(each.alternatives) else each for each in attacks], lowest)
        for k in range(ends)
    )
    picked = worst_attack(attacks, lowest)
    every = np.arange(len(picked))
    head = attacks[0]
    return Replicates(
        kind=head.kind,
        point=np.stack([each.folded(each.point) for each in attacks])[picked, every],
        values=np.asarray(
            (np.fmin if lowest else np.fmax).reduce(np.stack([each.folded(each.values) for each in attacks]))
        ),
        active=np.asarray(np.stack([each.active for each in attacks]).any(axis=0)),
        n=np.stack([each.n for each in attacks])[picked, every],
        unscored=np.stack([each.unscored for each in attacks])[picked, every],
        clusters=np.stack([each.clusters for each in attacks])[picked, every],
        share=head.share,
        alternatives=alternatives,
        attacks=tuple(attacks),
        lowest_is_worst=lowest,
    )


def worst_attack(attacks: Sequence[Replicates], lowest: bool) -> NDArray[np.int64]:
    """(M,) which attack is worst for each set; the first of equals, and the first where none was measured."""
    return worst_of(np.stack([each.folded(each.point) for each in attacks]), lowest)


def worst_of(points: Float, lowest: bool) -> NDArray[np.int64]:
    """(M,) which of K rows of (K, M) is worst in each column; the first of equals, and the first where all are NaN."""
    filled = np.where(np.isnan(points), np.inf if lowest else -np.inf, points)
    return np.asarray(filled.argmin(axis=0) if lowest else filled.argmax(axis=0), np.int64)


def means_under(draws: Float, values: Float, scored: Bools, bag: NDArray[np.int64]) -> tuple[Float, Float]:
    """Means of many columns at once: (K,) over all scored units and (R, K) under every draw; NaN where none is.

    ``draws``: (R, bags) multiplicities; ``values``, ``scored``: (K, N); ``bag``: (N,).
    """
    bags = draws.shape[1]
    sums = np.empty((bags, len(values)))
    counts = np.empty((bags, len(values)))
    for k, (row, use) in enumerate(zip(values, scored, strict=True)):
        sums[:, k] = np.bincount(bag[use], weights=row[use], minlength=bags)
        counts[:, k] = np.bincount(bag[use], minlength=bags)
    return _ratio(sums.sum(0), counts.sum(0)), _ratio(draws @ sums, draws @ counts)


def _means(values: Float, eligible: Bools, resamples: ClusterResamples) -> tuple[Float, Float, Bools]:
    _check(values, resamples)
    scored = eligible & np.isfinite(values)
    columns = np.broadcast_to(np.asarray(values, dtype=np.float64), scored.shape)
    point, draws = means_under(resamples.bootstrap, columns, scored, resamples.bag)
    return point, draws, scored


def _replicates(
    kind: Kind,
    point: Float,
    values: Float,
    scored: Bools,
    eligible: Bools,
    resamples: ClusterResamples,
    share: bool,
) -> Replicates:
    active = np.ones(values.shape, dtype=np.bool_)
    if kind == "jackknife":
        left_out = 1.0 - resamples.jackknife
        for m, mask in enumerate(scored):
            held = np.bincount(resamples.bag[mask], minlength=resamples.bags)
            active[:, m] = left_out @ held > 0
    n = scored.sum(1)
    clusters = np.array([resamples.clusters_of(row) for row in scored], dtype=np.int64)
    return Replicates(kind, point, values, active, n, eligible.sum(1) - n, clusters, share)


def _ratio(sums: Float, counts: Float) -> Float:
    means: Float = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return means


def _masks(masks: Bools | None, resamples: ClusterResamples) -> Bools:
    if masks is None:
        return np.ones((1, len(resamples)), dtype=np.bool_)
    if masks.ndim != 2 or masks.shape[1] != len(resamples):
        raise ValueError(f"masks must be (M, {len(resamples)}), not {masks.shape}")
    return masks


def _check(values: NDArray[np.float64] | Bools, resamples: ClusterResamples) -> None:
    if values.shape != (len(resamples),):
        raise ValueError(f"expected one value for each of {len(resamples)} units, not {values.shape}")
