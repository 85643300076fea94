"""One metric's answer for one method, as rows: estimates, the worst attack, gaps between subgroups; and, for people who
want more than our numbers, the values of each face."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import ANY_LOOK, Evidence
from unmask.bench.core.headlines import WORST
from unmask.bench.core.stats.gaps import GapTest, GroupPermutations, gap_between
from unmask.bench.core.stats.intervals import chance_estimates, estimates
from unmask.bench.core.stats.paired import Scored
from unmask.bench.core.stats.resampling import (
    ClusterResamples,
    Replicates,
    replicate_means,
    replicate_statistic,
    worst_attack,
    worst_replicates,
)
from unmask.bench.core.types import Bools, Region, Unit
from unmask.bench.core.values import Estimate, SetStatistic, UnitValues
from unmask.bench.store.names import Pseudonyms
from unmask.bench.store.results import EstimateRow, GapRow
from unmask.bench.store.storage import Storage
from unmask.bench.store.tables import write_table

MIN_GROUP = 5
"""Units scored below which a subgroup takes no part in a gap: its value is noise."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one method scored on one metric, by one instrument (or the worst of several attacks), over one region."""

    metric: str
    instrument: str
    region: Region
    unit: Unit
    attacks: tuple[Scored, ...]
    """What was asked; several only for ``worst``."""
    replicates: Replicates
    estimates: list[Estimate]
    """One for everybody, then one a subgroup (none where the statistic has no subgroups)."""
    chances: tuple[Estimate, ...]
    """One for each of ``estimates``; NaN = chance has no meaning or was not measured."""
    lowest_is_worst: bool
    notes: tuple[str, ...] = ()
    """For ``worst``: the attack behind each estimate."""

    @property
    def key(self) -> tuple[str, str, str]:
        return self.metric, self.instrument, self.region


def answer(item: UnitValues | SetStatistic, resamples: ClusterResamples, masks: Bools, card: MetricCard) -> Answer:
    """Point values and intervals for everybody (row 0 of ``masks``) and each subgroup."""
    if isinstance(item, UnitValues):
        replicates = replicate_means(item, resamples, masks)
    else:
        masks = masks if item.subgroups else masks[:1]
        replicates = replicate_statistic(item, resamples, masks)
    if isinstance(item, UnitValues) and item.chance_values is not None:
        chances = tuple(chance_estimates(item, resamples, masks, card.bounds))
    else:
        chances = (Estimate(math.nan if item.chance is None else item.chance, math.nan, math.nan, 0, 0),) * len(masks)
    return Answer(
        item.metric,
        item.instrument,
        item.region,
        item.unit,
        (Scored(item, replicates),),
        replicates,
        estimates(replicates, card.bounds),
        chances,
        card.direction != "lower",
    )


def worst_answers(
    answers: Iterable[Answer], cards: Mapping[str, MetricCard], recognisers: Collection[str]
) -> list[Answer]:
    """For each metric of privacy the attack that is worst for the people shown: an attacker picks the best tool.
    Attacks are recognisers, plain and in any look (`ANY_LOOK`). Metrics without a better and a worse (distances on
    scales of their own) have no worst attack.

    Ties go to the first. The choice is made for everybody and for each subgroup on its own, and in each replicate.
    """
    by_metric: dict[str, list[Answer]] = {}
    for each in answers:
        card = cards[each.metric]
        attack = each.instrument.removesuffix(ANY_LOOK) in recognisers
        if card.family in ("privacy", "exposure") and card.direction != "none" and attack:
            by_metric.setdefault(each.metric, []).append(each)
    worst = []
    for metric, several in by_metric.items():
        attacks, lowest = [each.replicates for each in several], cards[metric].direction == "higher"
        replicates, picked = worst_replicates(attacks, lowest), worst_attack(attacks, lowest)
        worst.append(
            replace(
                several[0],
                instrument=WORST,
                attacks=tuple(scored for each in several for scored in each.attacks),
                replicates=replicates,
                estimates=estimates(replicates, cards[metric].bounds),
                chances=tuple(several[k].chances[group] for group, k in enumerate(picked)),
                notes=tuple(several[k].instrument for k in picked),
            )
        )
    return worst


def estimate_rows(dataset: str, method: str, given: Answer, groups: Sequence[str]) -> list[EstimateRow]:
    """A row for everybody and for each subgroup in which the question was asked of anybody."""
    rows = []
    for k, (estimate, chance) in enumerate(zip(given.estimates, given.chances, strict=True)):
        if k > 0 and estimate.n + estimate.unscored == 0:
            continue
        rows.append(
            EstimateRow(
                dataset=dataset,
                method=method,
                metric=given.metric,
                instrument=given.instrument,
                region=given.region,
                group=groups[k],
                value=finite(estimate.value),
                low=finite(estimate.low),
                high=finite(estimate.high),
                n=estimate.n,
                unscored=estimate.unscored,
                chance=finite(chance.value),
                chance_low=finite(chance.low),
                chance_high=finite(chance.high),
                note=given.notes[k] if given.notes else "",
            )
        )
    return rows


class GapRows:
    """The gaps of all methods on one data set; subgroup labels are permuted once for all of them."""

    def __init__(
        self,
        dataset: str,
        resamples: Mapping[str, ClusterResamples],
        masks: Mapping[str, Bools],
        groups: Mapping[str, Sequence[str]],
        seed: int,
    ) -> None:
        """``masks``: unit -> (M, N); ``groups``: unit -> M names such as ``gender=female``, the first is everybody."""
        self._dataset, self._resamples, self._masks, self._groups, self._seed = dataset, resamples, masks, groups, seed
        self._permutations: dict[tuple[str, tuple[int, ...]], GroupPermutations] = {}

    def rows(self, method: str, answers: Sequence[Answer], cards: Mapping[str, MetricCard]) -> list[GapRow]:
        """The worst and the best subgroup of each attribute. Worst = against the metric's direction (lowest where it
        has none). Gaps of means are tested, those of time and of statistics of the set are not."""
        questions: dict[tuple[str, tuple[int, ...]], list[Answer]] = {}
        for each in answers:
            for members in self._members(each):
                questions.setdefault((each.unit, members), []).append(each)
        tests: dict[tuple[int, tuple[int, ...]], GapTest] = {}
        for (unit, members), several in questions.items():
            tested = [each for each in several if cards[each.metric].family != "cost" and _means(each)]
            if not tested:
                continue
            if (unit, members) not in self._permutations:
                masks = self._masks[unit][list(members)]
                group = np.where(masks.any(axis=0), masks.argmax(axis=0), -1).astype(np.int64)
                permuted = GroupPermutations(group, self._resamples[unit].cluster, self._seed)
                self._permutations[unit, members] = permuted
            outcomes = self._permutations[unit, members].test(
                [_means(each) for each in tested], [each.lowest_is_worst for each in tested]
            )
            tests |= {(id(each), members): test for each, test in zip(tested, outcomes, strict=True)}
        return [
            self._row(method, each, members, tests.get((id(each), members)), cards[each.metric])
            for each in answers
            for members in self._members(each)
        ]

    def _members(self, given: Answer) -> list[tuple[int, ...]]:
        """The subgroups of each attribute that can be compared."""
        groups = self._groups[given.unit][: len(given.estimates)]
        attributes = dict.fromkeys(group.partition("=")[0] for group in groups[1:])
        members = [
            tuple(
                k
                for k, group in enumerate(groups)
                if group.startswith(f"{by}=")
                and given.replicates.n[k] >= MIN_GROUP
                and math.isfinite(given.replicates.point[k])
            )
            for by in attributes
        ]
        return [each for each in members if len(each) > 1]

    def _row(
        self, method: str, given: Answer, members: tuple[int, ...], test: GapTest | None, card: MetricCard
    ) -> GapRow:
        low, high = card.bounds
        largest = math.inf if low is None or high is None else high - low
        gap = gap_between(given.replicates, members, given.lowest_is_worst, largest)
        groups = self._groups[given.unit]
        return GapRow(
            dataset=self._dataset,
            method=method,
            metric=given.metric,
            instrument=given.instrument,
            region=given.region,
            by=groups[members[0]].partition("=")[0],
            worst_group=groups[gap.worst],
            best_group=groups[gap.best],
            gap=gap.value,
            low=finite(gap.low),
            high=finite(gap.high),
            expected=None if test is None else finite(test.expected),
            p=None if test is None else test.p,
        )


def _means(given: Answer) -> list[UnitValues]:
    """The attacks behind an answer if it is made of means, else nothing."""
    return [each.item for each in given.attacks if isinstance(each.item, UnitValues)]


def finite(value: float) -> float | None:
    """JSON has no NaN: not measured is null."""
    return float(value) if math.isfinite(value) else None


def write_face_table(
    place: Storage, evidence: Evidence, reasons: NDArray[np.str_], values: Sequence[UnitValues], names: Pseudonyms
) -> None:
    """One row a face: face, sample, identity, age, gender, race, outcome, reason, and a column for each per-face
    metric, named ``metric|instrument|region``; NaN = could not be scored or not asked of this face. Photos and people
    stand by their pseudonyms."""

    def each(name: Callable[[str], str], texts: NDArray[np.str_]) -> NDArray[np.str_]:
        return np.array([name(str(text)) for text in texts], np.str_)

    columns: dict[str, NDArray[Any]] = {
        "face": each(names.face, evidence.faces.id),
        "sample": each(names.sample, evidence.faces.sample),
        "identity": each(names.person, evidence.truth.identity),
        "age": evidence.truth.age,
        "gender": evidence.truth.gender,
        "race": evidence.truth.race,
        "outcome": evidence.outcome,
        "reason": each(names.hidden, reasons),
    }
    for item in values:
        if item.unit == "face":
            eligible = np.ones(len(item.values), np.bool_) if item.eligible is None else item.eligible
            columns[f"{item.metric}|{item.instrument}|{item.region}"] = np.where(eligible, item.values, np.nan)
    write_table(place, columns, "")
