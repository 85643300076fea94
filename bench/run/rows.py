"""One metric's answer for one method, as rows: estimates, the worst recogniser, gaps between subgroups."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.core.cards import MetricCard
from bench.core.stats.intervals import difference_interval, estimates
from bench.core.stats.resampling import ClusterResamples, Replicates, replicate_means, replicate_statistic
from bench.core.types import Bools, Region, Unit
from bench.core.values import Estimate, SetStatistic, UnitValues
from bench.store.schemas import EstimateRow, GapRow

WORST = "worst"
MIN_GROUP = 5
"""Units scored below which a subgroup takes no part in a gap: its value is noise."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one method scored on one metric, by one instrument, over one region."""

    metric: str
    instrument: str
    region: Region
    unit: Unit
    asked: UnitValues | SetStatistic
    replicates: Replicates
    estimates: list[Estimate]
    """One for everybody, then one a subgroup."""
    chance: float | None
    notes: tuple[str, ...] = ()
    """For ``worst``: the instrument behind each estimate."""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.metric, self.instrument, self.region


def answer(item: UnitValues | SetStatistic, resamples: ClusterResamples, masks: Bools, card: MetricCard) -> Answer:
    """Point values and intervals for everybody (row 0 of ``masks``) and each subgroup."""
    if isinstance(item, UnitValues):
        replicates = replicate_means(item, resamples, masks)
    else:
        replicates = replicate_statistic(item, resamples, masks)
    found = estimates(replicates, card.bounds)
    return Answer(item.metric, item.instrument, item.region, item.unit, item, replicates, found, item.chance)


def worst_answers(answers: Iterable[Answer], cards: Mapping[str, MetricCard], recognisers: set[str]) -> list[Answer]:
    """For each metric of privacy the recogniser that is worst for the people shown: an attacker picks the best tool.
    Metrics without a better and a worse (distances on scales of their own) have no worst recogniser.

    Ties go to the first. The choice is made for everybody and for each subgroup on its own.
    """
    by_metric: dict[str, list[Answer]] = {}
    for each in answers:
        card = cards[each.metric]
        if card.family in ("privacy", "exposure") and card.direction != "none" and each.instrument in recognisers:
            by_metric.setdefault(each.metric, []).append(each)
    made = []
    for metric, several in by_metric.items():
        sign = 1.0 if cards[metric].direction == "higher" else -1.0
        picked = [_worst(several, group, sign) for group in range(len(several[0].estimates))]
        head = picked[0]
        made.append(
            replace(
                head,
                instrument=WORST,
                estimates=[each.estimates[group] for group, each in enumerate(picked)],
                notes=tuple(each.instrument for each in picked),
            )
        )
    return made


def _worst(several: Sequence[Answer], group: int, sign: float) -> Answer:
    values = [sign * each.estimates[group].value for each in several]
    if all(math.isnan(value) for value in values):
        return several[0]
    return several[int(np.nanargmin(values))]


def estimate_rows(dataset: str, method: str, given: Answer, groups: Sequence[str]) -> list[EstimateRow]:
    """A row for everybody and for each subgroup in which the question was asked of anybody."""
    rows = []
    for k, (group, estimate) in enumerate(zip(groups, given.estimates, strict=True)):
        if k > 0 and estimate.n + estimate.unscored == 0:
            continue
        rows.append(
            EstimateRow(
                dataset=dataset,
                method=method,
                metric=given.metric,
                instrument=given.instrument,
                region=given.region,
                group=group,
                value=finite(estimate.value),
                low=finite(estimate.low),
                high=finite(estimate.high),
                n=estimate.n,
                unscored=estimate.unscored,
                chance=None if given.chance is None else finite(given.chance),
                note=given.notes[k] if given.notes else "",
            )
        )
    return rows


def gap_rows(dataset: str, method: str, given: Answer, groups: Sequence[str], card: MetricCard) -> list[GapRow]:
    """The worst and the best subgroup of each attribute. Worst = against the metric's direction (lowest where it has
    none). For ``worst`` the gap is that of the recogniser which is worst for everybody."""
    rows = []
    sign = -1.0 if card.direction == "lower" else 1.0
    for by in dict.fromkeys(group.partition("=")[0] for group in groups[1:]):
        members = [
            k
            for k, group in enumerate(groups)
            if group.startswith(f"{by}=")
            and given.replicates.n[k] >= MIN_GROUP
            and math.isfinite(given.replicates.point[k])
        ]
        if len(members) < 2:
            continue
        worst = min(members, key=lambda k: sign * given.replicates.point[k])
        best = max(members, key=lambda k: sign * given.replicates.point[k])
        gap, low, high = difference_interval(given.replicates, best, worst)
        if gap < 0:
            gap, low, high = -gap, -high, -low
        rows.append(
            GapRow(
                dataset=dataset,
                method=method,
                metric=given.metric,
                instrument=given.instrument,
                region=given.region,
                by=by,
                worst_group=groups[worst],
                best_group=groups[best],
                gap=gap,
                low=finite(low),
                high=finite(high),
            )
        )
    return rows


def finite(value: float) -> float | None:
    """JSON has no NaN: not measured is null."""
    return float(value) if math.isfinite(value) else None
