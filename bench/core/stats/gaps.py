"""Gaps between subgroups of one method: how far the worst and the best are apart, and how far by chance alone.

The largest of several differences is above 0 even where no subgroup differs, and the more so the more and the smaller
the subgroups. So it is never read on its own:

- expected: the mean gap over permutations of the subgroup labels over people, values left where they are; p: the share
  of permutations, the one observed included, with a gap at least as large (Good, Permutation, Parametric and Bootstrap
  Tests of Hypotheses, 2005, chapter 3). Photos of one person in one subgroup keep their label in common; a person with
  photos in two subgroups is permuted as two, which errs on the side of a larger p.
- interval: differences of all pairs of subgroups at once, +- t x standard error with 5 % divided among the pairs
  (Bonferroni; Welch's degrees of freedom). All of them hold together 95 % of the time, so the true gap lies between the
  largest of the low ends (or 0) and the largest of the high ends, whichever two subgroups it is of.

At the ends of a threshold's interval both are made anew: hull of the intervals, largest p.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.stats import intervals
from unmask.bench.core.stats.resampling import Replicates
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import UnitValues

PERMUTATIONS: Final = 499
MAX_CELLS: Final = 2000
"""More people than this are permuted in random bundles of one subgroup."""
_COLUMNS = 256


@dataclass(frozen=True, slots=True)
class Gap:
    """Between two of the M sets of `Replicates`."""

    worst: int
    best: int
    value: float
    """Never negative."""
    low: float
    high: float
    """95 % interval; NaN = not measured."""


@dataclass(frozen=True, slots=True)
class GapTest:
    """A gap against those of permuted labels."""

    expected: float
    """Mean gap over permutations."""
    p: float


def gap_between(
    replicates: Replicates, members: Sequence[int], lowest_is_worst: bool, largest: float = math.inf
) -> Gap:
    """The gap between the worst and the best of at least two ``members``, all measured; ``largest``: it can be."""
    points = _points(replicates)
    sign = 1.0 if lowest_is_worst else -1.0
    worst = min(members, key=lambda m: sign * points[m])
    best = max(members, key=lambda m: sign * points[m])
    ends = [_interval(each, members) for each in (replicates, *replicates.alternatives)]
    measured = [each for each in ends if not math.isnan(each[0])]
    low = min((each[0] for each in measured), default=math.nan)
    high = max((min(each[1], largest) for each in measured), default=math.nan)
    return Gap(worst, best, abs(float(points[best] - points[worst])), low, high)


def _points(replicates: Replicates) -> Float:
    return np.abs(replicates.point) if replicates.magnitude else replicates.point


def _interval(replicates: Replicates, members: Sequence[int]) -> tuple[float, float]:
    points = _points(replicates)
    values = np.abs(replicates.values) if replicates.magnitude else replicates.values
    own = {m: _variance(replicates, values[:, m], m) for m in members}
    pairs = list(combinations(members, 2))
    level = 1 - (1 - intervals.LEVEL) / len(pairs)
    lows, highs = [0.0], []
    for a, b in pairs:
        clusters = [int(replicates.clusters[m]) for m in (a, b)]
        both = values[:, a] - values[:, b]
        if replicates.kind == "jackknife":
            error, groups = intervals.jackknife_error(both, replicates.active[:, a] | replicates.active[:, b])
            freedom = min(groups, *clusters) - 1.0
        else:
            total = own[a] + own[b]
            # People in both subgroups make the two depend on each other: the replicates that they share tell.
            error = max(math.sqrt(total), intervals.bootstrap_error(both, min(clusters)))
            parts = own[a] ** 2 / max(clusters[0] - 1, 1) + own[b] ** 2 / max(clusters[1] - 1, 1)
            freedom = total**2 / parts if parts > 0 else min(clusters) - 1.0
        if math.isnan(error) or min(clusters) < intervals.LEAST_CLUSTERS:
            return math.nan, math.nan
        reach = intervals.t_quantile((1 + level) / 2, freedom) * error
        apart = abs(float(points[a] - points[b]))
        lows.append(apart - reach)
        highs.append(apart + reach)
    return max(lows), max(highs)


def _variance(replicates: Replicates, values: Float, m: int) -> float:
    """Squared standard error of one subgroup."""
    clusters = int(replicates.clusters[m])
    error = intervals.bootstrap_error(values, clusters)
    if replicates.share and clusters > 1:
        # Where all agree replicates do not vary, and the share is known no better than exactly.
        error = max(
            error, intervals.clopper_pearson(0, clusters)[1] / intervals.t_quantile((1 + intervals.LEVEL) / 2, math.inf)
        )
    return error**2


class GroupPermutations:
    """The labels of G subgroups, as they are and permuted over people.

    ``group``: (N,) 0..G-1, or -1 for units that take no part; ``cluster``: (N,) people. The same arguments give the
    same permutations.
    """

    def __init__(
        self, group: NDArray[np.int64], cluster: NDArray[np.int64], seed: int = 0, permutations: int = PERMUTATIONS
    ) -> None:
        rng = np.random.default_rng(derive_seed(seed, "permutations"))
        self.groups = int(group.max(initial=-1)) + 1
        self._units = np.flatnonzero(group >= 0)
        pairs = cluster[self._units].astype(np.int64) * max(self.groups, 1) + group[self._units]
        _, first, cell = np.unique(pairs, return_index=True, return_inverse=True)
        label = group[self._units][first]
        bundle = _bundles(label, rng)
        self._cell = bundle[cell]
        labels = np.zeros(int(bundle.max(initial=-1)) + 1, np.int64)
        labels[bundle] = label
        draws = np.stack([labels, *(rng.permutation(labels) for _ in range(permutations))])
        self._member = (draws[:, None, :] == np.arange(self.groups)[None, :, None]).astype(np.float32)
        """(P+1, G, cells); row 0 = the labels as they are."""

    def test(self, answers: Sequence[Sequence[UnitValues]], lowest_is_worst: Sequence[bool]) -> list[GapTest]:
        """One test for each answer: one attack (or instrument), or the several of which the worst counts."""
        columns: dict[tuple[int, int], tuple[Float, Bools | None]] = {}
        for item in (item for attacks in answers for item in attacks):
            for values in (item.values, *item.alternatives):
                columns[id(values), id(item.eligible)] = values, item.eligible
        means = self._means(columns)
        tests: list[GapTest] = []
        for attacks, lowest in zip(answers, lowest_is_worst, strict=True):
            gaps = []
            for end in range(max(len(item.alternatives) for item in attacks) + 1):
                of_attacks = [means[id(item.at_end(end)), id(item.eligible)] for item in attacks]
                worst = (np.fmin if lowest else np.fmax).reduce(np.stack(of_attacks))
                gaps.append(np.fmax.reduce(worst, axis=1) - np.fmin.reduce(worst, axis=1))
            # Sums are of float32: what differs by less is equal.
            p = max(float((each >= each[0] * (1 - 1e-5)).mean()) for each in gaps)
            tests.append(GapTest(float(np.nanmean(gaps[0][1:])), p))
        return tests

    def _means(self, columns: Mapping[tuple[int, int], tuple[Float, Bools | None]]) -> dict[tuple[int, int], Float]:
        """(P+1, G) means of each column, many at once; NaN where a subgroup has no scored unit."""
        means: dict[tuple[int, int], Float] = {}
        keys, cells = list(columns), self._member.shape[2]
        member = self._member.reshape(-1, cells)
        for start in range(0, len(keys), _COLUMNS):
            part = keys[start : start + _COLUMNS]
            sums, counts, centres = [], [], []
            for key in part:
                values, eligible = columns[key]
                mine = values[self._units]
                use = np.isfinite(mine) if eligible is None else np.isfinite(mine) & eligible[self._units]
                # About their middle, so that float32 keeps the digits in which subgroups differ.
                centres.append(float(mine[use].mean()) if use.any() else 0.0)
                sums.append(np.bincount(self._cell[use], weights=mine[use] - centres[-1], minlength=cells))
                counts.append(np.bincount(self._cell[use], minlength=cells))
            total, number = (
                (member @ np.stack(each, axis=1).astype(np.float32)).astype(np.float64) for each in (sums, counts)
            )
            mean = np.divide(total, number, out=np.full(total.shape, np.nan), where=number > 0) + centres
            shaped = mean.reshape(*self._member.shape[:2], len(part))
            means |= {key: shaped[:, :, k] for k, key in enumerate(part)}
        return means


def _bundles(label: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """(cells,) the bundle of each cell: cells of one subgroup at random, at most about `MAX_CELLS` bundles."""
    if len(label) <= MAX_CELLS:
        return np.arange(len(label), dtype=np.int64)
    size = math.ceil(len(label) / MAX_CELLS)
    bundle = np.empty(len(label), np.int64)
    start = 0
    for group in np.unique(label):
        mine = rng.permutation(np.flatnonzero(label == group))
        bundle[mine] = start + np.arange(len(mine)) // size
        start += math.ceil(len(mine) / size)
    return bundle
