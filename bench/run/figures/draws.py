"""Methods that choose by chance, run several times with other seeds: ``dp-att:seeds=5``.

Each draw is run and scored like a method of its own; results carry the average of every face over the draws (and of
every statistic, for whole sets).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np

from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import AttackTrial, Finding, Histogram, SetStatistic, UnitValues
from unmask.bench.store.planned import LOSSLESS, PlannedDataset, PlannedMethod, Release
from unmask.bench.store.schemas import Plan

MetricOutput = UnitValues | SetStatistic | Histogram | Finding | AttackTrial


def by_draws(methods: Sequence[PlannedMethod]) -> Iterator[tuple[str, list[PlannedMethod]]]:
    """Each label of the results with its draws."""
    for label, drawn in groupby(methods, key=lambda method: method.draw_of or method.label):
        yield label, list(drawn)


def releases_by_draws(plan: Plan, dataset: PlannedDataset) -> Iterator[tuple[str, list[tuple[Release, PlannedMethod]]]]:
    """The same for the releases of a data set: each label of the results with the releases whose average it is."""
    releases = {(release.method, release.variant): release for release in plan.releases_of(dataset)}
    variants = dict.fromkeys(variant for _, variant in releases)
    for variant in variants:
        for label, drawn in by_draws(plan.methods):
            same = [(releases[m.label, variant], m) for m in drawn if (m.label, variant) in releases]
            if same:
                yield label if variant == LOSSLESS else f"{label}@{variant}", same


def averaged(draws: Sequence[Sequence[MetricOutput]]) -> list[MetricOutput]:
    """One answer for each of the first draw's, averaged over the draws; histograms and findings are the first's. A
    face's value is the mean over the draws in which it was asked about and could be scored."""
    if len(draws) == 1:
        return list(draws[0])
    others = [{_key(item): item for item in drawn} for drawn in draws[1:]]
    averages: list[MetricOutput] = []
    for item in draws[0]:
        same = [item, *(drawn[_key(item)] for drawn in others if _key(item) in drawn)]
        if isinstance(item, UnitValues):
            averages.append(_units([each for each in same if isinstance(each, UnitValues)]))
        elif isinstance(item, SetStatistic):
            averages.append(_statistic([each for each in same if isinstance(each, SetStatistic)]))
        else:
            averages.append(item)
    return averages


def _key(item: MetricOutput) -> tuple[str, ...]:
    if isinstance(item, Finding):
        return "finding", item.kind
    if isinstance(item, AttackTrial):
        return "attack", item.attacker, item.channel
    if isinstance(item, Histogram):
        return "histogram", item.metric, item.instrument
    return item.metric, item.instrument, item.region, item.unit


def _units(same: Sequence[UnitValues]) -> UnitValues:
    first = same[0]
    values = _mean([_eligible(each, each.values) for each in same])
    chances = [each.chance_values for each in same if each.chance_values is not None]
    ends = min(len(each.alternatives) for each in same)
    eligible = None
    if any(each.eligible is not None for each in same):
        everybody = np.ones(len(first.values), np.bool_)
        eligible = np.any([everybody if each.eligible is None else each.eligible for each in same], axis=0)
    guesses = [each.chance for each in same if each.chance is not None]
    return replace(
        first,
        values=values,
        eligible=eligible,
        chance=float(np.mean(guesses)) if guesses else None,
        chance_values=_mean(chances) if chances else None,
        alternatives=tuple(_mean([_eligible(each, each.alternatives[k]) for each in same]) for k in range(ends)),
    )


def _statistic(same: Sequence[SetStatistic]) -> SetStatistic:
    def compute(weights: Float) -> float:
        return float(np.mean([each.compute(weights) for each in same]))

    def compute_all(weights: Float) -> Float:
        several = [each.compute_all for each in same if each.compute_all is not None]
        return np.asarray(np.mean([each(weights) for each in several], axis=0), np.float64)

    scored: Bools = np.all([each.scored for each in same], axis=0)
    together = all(each.compute_all is not None for each in same)
    return replace(same[0], compute=compute, scored=scored, compute_all=compute_all if together else None)


def _eligible(item: UnitValues, values: Float) -> Float:
    return values if item.eligible is None else np.where(item.eligible, values, np.nan)


def _mean(columns: Sequence[Float]) -> Float:
    """(N,) mean of the finite ones; NaN where there is none."""
    rows = np.stack(columns)
    finite = np.isfinite(rows)
    many = finite.sum(axis=0)
    total = np.where(finite, rows, 0.0).sum(axis=0)
    mean: Float = np.divide(total, many, out=np.full(total.shape, np.nan), where=many > 0)
    return mean
