"""The strongest of several attacks, without flattering the attacker who chooses it.

The best of K measured successes is too high where several are about equally good: it is the luckiest. So the attack is
chosen on half of the people and measured on the other half, both ways and over several random halvings, and averaged:
unbiased for the success of the attack that is chosen. Where the choice errs, that is below the truly strongest one's.

The interval is for the truly strongest attack and includes the choice: its upper end is the largest of the attacks' own
upper ends, its lower end the largest of their lower ends with the error divided among them (`intervals`, worst of K).
Bootstrap percentiles of the chosen success would not do: with K equally good attacks they cover in all of 300
simulations, with one slightly better in 85 % only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from unmask.bench.core.stats.resampling import (
    ClusterResamples,
    Replicates,
    halves,
    replicate_means,
    worst_replicates,
)
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import UnitValues

SPLITS = 10


def strongest(
    attacks: Sequence[UnitValues],
    resamples: ClusterResamples,
    masks: Bools | None = None,
    lowest: bool = False,
    splits: int = SPLITS,
    seed: int = 0,
    measured: Sequence[Replicates] | None = None,
) -> Replicates:
    """The strongest of K attacks on the same N units, for every row of ``masks`` (M, N) (default: all).

    Several trainings of one attack are attacks of their own. ``lowest``: small values are a strong attack's
    (de-identification rates); default large ones (identification). ``measured``: the attacks' own means
    (`resampling.replicate_means`), where they are there already. ``point`` (M,) and ``values`` (R, M) are cross-fitted,
    the choice made anew in each replicate; ``attacks`` are the K themselves, of which `intervals.estimates` makes the
    interval, and ``n`` counts the units of the best of them. Halves are of the people whom any attack scored; NaN where
    a half has nobody. A floor permutes labels first: hand this function to `trust.permuted_floor`. Raises `ValueError`
    for no attack.
    """
    if not attacks:
        raise ValueError("the strongest of no attacks is not defined")
    each = measured or [replicate_means(attack, resamples, masks) for attack in attacks]
    worst = worst_replicates(each, lowest)
    rows = np.ones((1, len(resamples)), dtype=np.bool_) if masks is None else masks
    point, values = worst.point.copy(), worst.values.copy()
    for m, mask in enumerate(rows):
        sums, counts = _by_bag(attacks, mask, resamples)
        # Of few people who are scored among many, a half of all might have none.
        there = counts.any(axis=0)
        sums, counts, draws = sums[:, there], counts[:, there], resamples.bootstrap[:, there]
        sides = halves(len(sums[0]), splits, seed)
        point[m] = _crossed(sums, counts, np.ones((1, len(sums[0]))), sides, lowest)[0]
        values[:, m] = _crossed(sums, counts, draws, sides, lowest)
    return replace(worst, point=point, values=values, alternatives=())


def _by_bag(attacks: Sequence[UnitValues], mask: Bools, resamples: ClusterResamples) -> tuple[Float, Float]:
    """(K, bags) sums and counts of what each attack scored."""
    sums = np.zeros((len(attacks), resamples.bags))
    counts = np.zeros((len(attacks), resamples.bags))
    for k, attack in enumerate(attacks):
        use = mask & np.isfinite(attack.values)
        use = use if attack.eligible is None else use & attack.eligible
        sums[k] = np.bincount(resamples.bag[use], weights=attack.values[use], minlength=resamples.bags)
        counts[k] = np.bincount(resamples.bag[use], minlength=resamples.bags)
    return sums, counts


def _crossed(sums: Float, counts: Float, draws: Float, sides: Bools, lowest: bool) -> Float:
    """(R,) the mean over halvings and both ways, under (R, bags) multiplicities."""
    row = np.arange(len(draws))
    total = np.zeros(len(draws))
    for first in sides:
        means = [_means(sums[:, side], counts[:, side], draws[:, side]) for side in (first, ~first)]
        for chosen_on, measured_on in (means, means[::-1]):
            ranked = np.where(np.isnan(chosen_on), np.inf if lowest else -np.inf, chosen_on)
            chosen = ranked.argmin(axis=1) if lowest else ranked.argmax(axis=1)
            total += np.where(np.isnan(chosen_on).all(axis=1), np.nan, measured_on[row, chosen])
    return total / (2 * len(sides))


def _means(sums: Float, counts: Float, draws: Float) -> Float:
    """(R, K)"""
    weight = draws @ counts.T
    return np.asarray(np.divide(draws @ sums.T, weight, out=np.full(weight.shape, np.nan), where=weight > 0))
