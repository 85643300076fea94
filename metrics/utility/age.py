"""Is the person's age still the same to an estimator?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import Direction, MetricCard
from unmask.bench.core.demographics import NO_GROUP, age_group
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import UnitValues
from unmask.metrics.utility.attributes import instruments_with, judge, majority

_GROUPS = "Age groups as configured (default 0-19, 20-29, 30-39, 40 and above), ages in completed years: 19.6 is 0-19. "
_ESTIMATED = "Share of right groups among the outputs on which the estimator found a face. "
_ALL = "Share of right groups among all faces: an output that is missing or has no face to estimate is wrong. "
_TO_ORIGINAL = "Target: the same estimator's answer on the original; faces it cannot estimate there are not scored."
_TO_TRUTH = "Target: the data set's own label; only labelled faces are asked about."
_MISSED = "Missed faces are outputs like any other, and count as kept: see outcome_missed. "
_KEPT = "Faces that were destroyed drop out of it: read it beside the share of all."
_EDGE = "At a group's bound a change of a day is a wrong group; the mean absolute error has no such edge."
_CAP = "The control shows the estimator's own errors: no method can be expected to do better."


def _card(
    name: str,
    title: str,
    question: str,
    how: str,
    limits: str,
    *,
    unit: str = "share",
    direction: Direction = "higher",
    source: str = "thesis 4.3, Evaluating Age; groups of 4.4",
) -> MetricCard:
    return MetricCard(
        name=name,
        version="1",
        family="utility",
        direction=direction,
        unit=unit,
        bounds=(0, 1 if unit == "share" else None),
        title=title,
        question=question,
        how=how,
        source=source,
        limits=_MISSED + limits,
        headline=41 if name == "age_group_estimated_correct" else None,
    )


class AgePreserved:
    """Age groups kept, and how far off the age is."""

    cards: ClassVar[tuple[MetricCard, ...]] = (
        _card(
            "age_group_correct",
            "Age group kept, of estimated",
            "Where a face is still found, is it estimated to be in the same age group as before?",
            _GROUPS + _ESTIMATED + _TO_ORIGINAL,
            f"{_KEPT} {_EDGE}",
        ),
        _card(
            "age_group_estimated_correct",
            "Age group kept, of all",
            "Of all faces, how many can still be estimated and are in the age group that they were in before?",
            _GROUPS + _ALL + _TO_ORIGINAL,
            _EDGE,
        ),
        _card(
            "age_group_correct_true",
            "Age group right, of estimated",
            "Where a face is still found, is it estimated to be in the age group on the label?",
            _GROUPS + _ESTIMATED + _TO_TRUTH,
            f"{_KEPT} {_CAP}",
        ),
        _card(
            "age_group_estimated_correct_true",
            "Age group right, of all",
            "Of all labelled faces, how many can still be estimated and are in the age group on the label?",
            _GROUPS + _ALL + _TO_TRUTH,
            _CAP,
        ),
        _card(
            "age_mse",
            "Age outside its group, squared",
            "How far outside its original age group is the age now, large errors weighing more?",
            _GROUPS + "Mean over the estimated outputs of: 0 if the new age is in the target group, else the squared "
            "distance in years from the new age to the nearest whole year of the group (10 years off are 100). "
            + _TO_ORIGINAL,
            f"{_KEPT} Changes within a group cost nothing, and wide groups forgive more.",
            unit="years squared",
            direction="lower",
        ),
        _card(
            "age_mae",
            "Age changed by",
            "By how many years does the estimated age change?",
            "Mean over the estimated outputs of the absolute difference in years. " + _TO_ORIGINAL,
            _KEPT,
            unit="years",
            direction="lower",
            source="mean absolute error",
        ),
        _card(
            "age_mae_true",
            "Age off by",
            "By how many years is the estimated age off the labelled one?",
            "Mean over the estimated outputs of the absolute difference in years. " + _TO_TRUTH,
            f"{_KEPT} {_CAP}",
            unit="years",
            direction="lower",
            source="mean absolute error",
        ),
    )
    needs: ClassVar[tuple[str, ...]] = ("role:attributes",)

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Values a face for each estimator. Data sets without a label get no ``_true`` values."""
        groups = evidence.settings.age_groups
        truth = np.asarray(evidence.truth.age, dtype=np.float64)
        labelled = ~np.isnan(truth)
        for name in instruments_with(evidence, "age"):
            before = np.asarray(evidence.original[name]["age"], dtype=np.float64)
            after = np.asarray(evidence.anonymized[name]["age"], dtype=np.float64)
            yield from _groups_kept("", name, before, after, groups, None)
            yield UnitValues("age_mse", name, outside_group_squared(before, after, groups))
            yield UnitValues("age_mae", name, np.abs(after - before))
            if labelled.any():
                yield from _groups_kept("_true", name, truth, after, groups, labelled)
                yield UnitValues("age_mae_true", name, np.abs(after - truth), eligible=labelled)


def outside_group_squared(target_age: NDArray[Any], age: NDArray[Any], groups: Sequence[tuple[int, int]]) -> Float:
    """(N,) squared years from ``age`` to the nearest whole year of the group of ``target_age``; 0 inside the group.

    Thesis 4.3, Evaluating Age, step 4. NaN where either age is, or where the target is in no group.
    """
    target, now = known_group(target_age, groups), age_group(age, groups)
    years = np.maximum(np.asarray(age, dtype=np.float64), 0)
    result = np.full(target.shape, np.nan)
    for index, (low, high) in enumerate(groups):
        here = (target == index) & ~np.isnan(years)
        distance = np.maximum(np.maximum(low - years, years - high), 0)
        result[here] = np.where(now == index, 0, distance**2)[here]
    return result


def known_group(age: NDArray[Any], groups: Sequence[tuple[int, int]]) -> Float:
    """Like `age_group`, for targets: an age in none of the groups is no target (NaN)."""
    number = age_group(age, groups)
    return np.where(number == NO_GROUP, np.nan, number)


def _groups_kept(
    suffix: str,
    name: str,
    target_age: Float,
    age: Float,
    groups: Sequence[tuple[int, int]],
    eligible: Bools | None,
) -> Iterator[UnitValues]:
    target = known_group(target_age, groups)
    judged = judge(target, age_group(age, groups))
    for metric, values in (("age_group_correct", judged.of_estimated), ("age_group_estimated_correct", judged.of_all)):
        yield UnitValues(metric + suffix, name, values, eligible=eligible, share=True, chance=majority(target))
