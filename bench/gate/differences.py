"""Baseline and candidate on the same faces -> losses, for everybody and for each subgroup.

Differences, their intervals and p are those of `bench.core.stats.compare`: bootstrap over people, both judged at the
same end of a threshold's interval, the worst of several attacks picked for each of the two; where no face differs the
interval is exact (Clopper and Pearson over people), never [0, 0].
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.stats.compare import compare
from unmask.bench.core.stats.paired import Scored, scored_units
from unmask.bench.core.stats.resampling import (
    ClusterResamples,
    Replicates,
    replicate_means,
    replicate_statistic,
    worst_attack,
)
from unmask.bench.core.types import Bools
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.bench.gate.verdicts import Loss

Item = UnitValues | SetStatistic


@dataclass(frozen=True)
class Question:
    """One metric as both sides answer it, by the same K attacks (or instruments), of which the worst counts."""

    card: MetricCard
    instrument: str
    region: str
    """'' = none."""
    baseline: Sequence[Item]
    candidate: Sequence[Item]
    """(K,) each, in one order, about the same N faces (or photos)."""


@dataclass(frozen=True, slots=True)
class Answered:
    """A `Question` about one set of faces."""

    baseline: float
    candidate: float
    """On the faces measured for both; NaN = not measured."""
    loss: Loss
    baseline_measured: int
    candidate_measured: int
    """Faces by the attack that measures most."""


def answers(question: Question, resamples: ClusterResamples, masks: Bools) -> list[Answered]:
    """One for each row of ``masks`` (M, N); statistics of the set that have no subgroups only for the first."""
    first = question.baseline[0]
    if isinstance(first, SetStatistic) and not first.subgroups:
        masks = masks[:1]
    pairs = [_common(a, b) for a, b in zip(question.baseline, question.candidate, strict=True)]
    sides = [[_replicates(pair[side], resamples, masks) for pair in pairs] for side in (0, 1)]
    lowest = question.card.direction == "higher"
    return [_answer(question, pairs, sides, resamples, mask, m, lowest) for m, mask in enumerate(masks)]


def _answer(
    question: Question,
    pairs: Sequence[tuple[Item, Item]],
    sides: Sequence[Sequence[Replicates]],
    resamples: ClusterResamples,
    mask: Bools,
    m: int,
    lowest: bool,
) -> Answered:
    scored = [
        [Scored(_within(pair[side], mask), _of_set(sides[side][k], m)) for k, pair in enumerate(pairs)]
        for side in (0, 1)
    ]
    values = [_worst([each.replicates for each in several], lowest) for several in scored]
    units = np.any([scored_units(each.item) for each in scored[0]], axis=0)
    measured = [_measured(items, mask) for items in (question.baseline, question.candidate)]
    people = resamples.clusters_of(units)
    lost = _lost(question, mask)
    compared = compare(scored, resamples, lowest)
    if not compared:
        loss = Loss(math.nan, math.nan, math.nan, math.nan, int(units.sum()), people, lost)
    else:
        (one,) = compared
        ends = (one.low, one.high) if lowest else (-one.high, -one.low)
        value = (one.difference if lowest else -one.difference) + 0.0  # no -0
        loss = Loss(value, *ends, one.p, int(units.sum()), people, lost, _discordant(scored, mask))
    return Answered(values[0], values[1], _with_lost(loss, question), *measured)


def _common(a: Item, b: Item) -> tuple[Item, Item]:
    """Both on the faces measured for both only."""
    both = scored_units(a) & scored_units(b)
    return _on(a, both), _on(b, both)


def _on(item: Item, units: Bools) -> Item:
    if isinstance(item, SetStatistic):
        return replace(item, scored=units, eligible=None)
    values, *ends = (np.where(units, each, np.nan) for each in (item.values, *item.alternatives))
    return replace(item, values=values, alternatives=tuple(ends), eligible=None)


def _within(item: Item, mask: Bools) -> Item:
    return replace(item, eligible=mask)


def _replicates(item: Item, resamples: ClusterResamples, masks: Bools) -> Replicates:
    if isinstance(item, UnitValues):
        return replicate_means(item, resamples, masks)
    return replicate_statistic(item, resamples, masks)


def _of_set(replicates: Replicates, m: int) -> Replicates:
    """The ``m``-th set alone."""
    only = slice(m, m + 1)
    return replace(
        replicates,
        point=replicates.point[only],
        values=replicates.values[:, only],
        active=replicates.active[:, only],
        n=replicates.n[only],
        unscored=replicates.unscored[only],
        clusters=replicates.clusters[only],
        alternatives=tuple(_of_set(each, m) for each in replicates.alternatives),
    )


def _worst(attacks: Sequence[Replicates], lowest: bool) -> float:
    picked = attacks[int(worst_attack(attacks, lowest)[0])]
    return float(picked.folded(picked.point)[0])


def _measured(items: Sequence[Item], mask: Bools) -> int:
    return max(int((scored_units(item) & mask).sum()) for item in items)


def _lost(question: Question, mask: Bools) -> int:
    pairs = zip(question.baseline, question.candidate, strict=True)
    return max(int((scored_units(a) & ~scored_units(b) & mask).sum()) for a, b in pairs)


def _with_lost(loss: Loss, question: Question) -> Loss:
    """A face that only the candidate could not be measured on may be the worst of all. Where the metric is a rate that
    asks about every face, the interval reaches as far as if it were."""
    first = question.baseline[0]
    asked_of_all = question.card.family in ("privacy", "outcome") and isinstance(first, UnitValues) and first.share
    if not asked_of_all or not loss.lost or math.isnan(loss.high):
        return loss
    faces = loss.faces + loss.lost
    return replace(loss, high=min((loss.high * loss.faces + loss.lost) / faces, 1.0))


def _discordant(scored: Sequence[Sequence[Scored]], mask: Bools) -> bool:
    items = [(a.item, b.item) for a, b in zip(*scored, strict=True)]
    if not all(isinstance(a, UnitValues) and a.share for a, _ in items):
        return True
    return any(
        not np.array_equal(a.values[mask], b.values[mask], equal_nan=True)
        for a, b in items
        if isinstance(a, UnitValues) and isinstance(b, UnitValues)
    )
