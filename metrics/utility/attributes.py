"""Are gender and age still the same to an estimator, and do independent estimators agree?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import combinations
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.demographics import NO_GROUP, AgeGroup, age_group, as_female
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import UnitValues

_TO_ORIGINAL: Final = (
    "Target: the same estimator's answer on the original; faces it cannot estimate there are not scored."
)
_TO_TRUTH: Final = "Target: the data set's own label; only labelled faces are asked about."
_AGE_GROUPS: Final = (
    "Age groups as configured (default 0-19, 20-29, 30-39, 40 and above), ages in completed years: 19.6 is 0-19. "
)
_MISSED: Final = "Missed faces are outputs like any other, and count as kept: see outcome_missed. "
_KEPT: Final = "Faces that were destroyed drop out of it: read it beside the share of all. "
_CAP: Final = "The control shows the estimator's own errors: no method can be expected to do better."
_YEARS: Final = "Mean over the estimated outputs of the absolute difference in years. "
_SHARE: Final = partial(MetricCard, version="1", family="utility", direction="higher", unit="share", bounds=(0.0, 1.0))
_AGE_ERROR: Final = partial(MetricCard, version="1", family="utility", direction="lower", bounds=(0.0, None))
_AGE_MAE: Final = partial(_AGE_ERROR, unit="years", source="mean absolute error")


def _kept(
    name: str, title: str, right: str, questions: Sequence[str], rule: str, limits: tuple[str, str], **more: Any
) -> Iterator[MetricCard]:
    """Cards of the shares that keep a class: of the estimated outputs and of all, by the original and by the label.

    ``questions``: in that order. ``limits``: what holds for all four, and for the two by the original.
    """
    of_estimated = f"Share of right {right} among the outputs on which the estimator finds a face. "
    of_all = f"Share of right {right} among all faces: an output that is missing or has no face to estimate is wrong. "
    question = iter(questions)
    for suffix, verb, target, limit in (("", "kept", _TO_ORIGINAL, limits[1]), ("_true", "right", _TO_TRUTH, _CAP)):
        for part, share, among, drop in (("", of_estimated, "estimated", _KEPT), ("_estimated", of_all, "all", "")):
            full = f"{name}{part}_correct{suffix}"
            yield _SHARE(
                name=full,
                title=f"{title} {verb}, of {among}",
                question=next(question),
                how=f"{rule}{share}{target}",
                limits=f"{_MISSED}{limits[0]}{drop}{limit}",
                **{**more, "headline": more["headline"] if full == f"{name}_estimated_correct" else None},
            )


def instruments_with(evidence: Evidence, reading: str) -> list[str]:
    """The instruments that have ``reading``, such as ``age``, of the originals and of the outputs."""
    return [
        name
        for name, columns in evidence.original.items()
        if reading in columns and reading in evidence.anonymized.get(name, {})
    ]


def _right(
    name: str, suffix: str, instrument: str, target: Float, answer: Float, eligible: Bools | None = None
) -> Iterator[UnitValues]:
    """(N,) answers about the outputs against targets, each a class number or NaN = unknown (thesis 4.3): of the
    estimated outputs, and of all, where an output that could not be estimated, for whatever reason, is wrong.

    Chance is always guessing the commonest target.
    """
    targets = target[~np.isnan(target)]
    chance = float(np.unique(targets, return_counts=True)[1].max() / targets.size) if targets.size else None
    of_all = np.where(np.isnan(target), np.nan, target == answer)
    of_estimated = np.where(np.isnan(answer), np.nan, of_all)
    for part, values in (("", of_estimated), ("_estimated", of_all)):
        yield UnitValues(
            f"{name}{part}_correct{suffix}", instrument, values, eligible=eligible, share=True, chance=chance
        )


class GenderPreserved:
    """`gender_correct` and `gender_estimated_correct`, against the original and against the label."""

    cards: ClassVar[tuple[MetricCard, ...]] = tuple(
        _kept(
            "gender",
            "Gender",
            "answers",
            (
                "Where a face is still found, is its gender estimated as before?",
                "Of all faces, how many can still be estimated and have the gender that they had before?",
                "Where a face is still found, is its gender estimated as labelled?",
                "Of all labelled faces, how many can still be estimated and have the gender on the label?",
            ),
            "An estimator's probability of female of 0.5 or more counts as female, below as male. ",
            (
                "Estimators know two genders, and are less often right on some groups: see the subgroups. ",
                "An estimator that is wrong about the original counts as preserved when it is wrong about the output "
                "too.",
            ),
            source="thesis 4.3, Evaluating Gender",
            headline=40,
        )
    )
    needs: ClassVar[tuple[str, ...]] = ("role:attributes",)

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Values a face for each estimator. Data sets without a label get no ``_true`` values."""
        truth = np.where(evidence.truth.gender == "", np.nan, evidence.truth.gender == "female")
        labelled = ~np.isnan(truth)
        for name in instruments_with(evidence, "p_female"):
            before, after = (as_female(part[name]["p_female"]) for part in (evidence.original, evidence.anonymized))
            yield from _right("gender", "", name, before, after)
            if labelled.any():
                yield from _right("gender", "_true", name, truth, after, labelled)


class AgePreserved:
    """Age groups kept, and how far off the age is."""

    cards: ClassVar[tuple[MetricCard, ...]] = (
        *_kept(
            "age_group",
            "Age group",
            "groups",
            (
                "Where a face is still found, is it estimated to be in the same age group as before?",
                "Of all faces, how many can still be estimated and are in the age group that they were in before?",
                "Where a face is still found, is it estimated to be in the age group on the label?",
                "Of all labelled faces, how many can still be estimated and are in the age group on the label?",
            ),
            _AGE_GROUPS,
            ("", "At a group's bound a change of a day is a wrong group; the mean absolute error has no such edge."),
            source="thesis 4.3, Evaluating Age; groups of 4.4",
            headline=41,
        ),
        _AGE_ERROR(
            name="age_mse",
            title="Age outside its group, squared",
            question="How far outside its original age group is the age now, large errors weighing more?",
            how=f"{_AGE_GROUPS}Mean over the estimated outputs of: 0 if the new age is in the target group, else the "
            "squared distance in years from the new age to the nearest whole year of the group (10 years off are 100). "
            f"{_TO_ORIGINAL}",
            limits=f"{_MISSED}{_KEPT}Changes within a group cost nothing, and wide groups forgive more.",
            unit="years squared",
            source="thesis 4.3, Evaluating Age; groups of 4.4",
        ),
        _AGE_MAE(
            name="age_mae",
            title="Age changed by",
            question="By how many years does the estimated age change?",
            how=f"{_YEARS}{_TO_ORIGINAL}",
            limits=f"{_MISSED}{_KEPT}".strip(),
        ),
        _AGE_MAE(
            name="age_mae_true",
            title="Age off by",
            question="By how many years is the estimated age off the labelled one?",
            how=f"{_YEARS}{_TO_TRUTH}",
            limits=f"{_MISSED}{_KEPT}{_CAP}",
        ),
    )
    needs: ClassVar[tuple[str, ...]] = ("role:attributes",)

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Values a face for each estimator. Data sets without a label get no ``_true`` values."""
        groups = evidence.settings.age_groups
        truth = np.asarray(evidence.truth.age, dtype=np.float64)
        labelled = ~np.isnan(truth)
        for name in instruments_with(evidence, "age"):
            before, after = (part[name]["age"].astype(float) for part in (evidence.original, evidence.anonymized))
            group = age_group(after, groups)
            yield from _right("age_group", "", name, target_group(before, groups), group)
            yield UnitValues("age_mse", name, outside_group_squared(before, after, groups))
            yield UnitValues("age_mae", name, np.abs(after - before))
            if labelled.any():
                yield from _right("age_group", "_true", name, target_group(truth, groups), group, labelled)
                yield UnitValues("age_mae_true", name, np.abs(after - truth), eligible=labelled)


def outside_group_squared(target_age: NDArray[Any], age: NDArray[Any], groups: Sequence[AgeGroup]) -> Float:
    """(N,) squared years from ``age`` to the nearest whole year of the group of ``target_age``; 0 inside the group.

    Thesis 4.3, Evaluating Age, step 4. NaN where either age is, or where the target is in no group.
    """
    target, now = target_group(target_age, groups), age_group(age, groups)
    years = np.maximum(np.asarray(age, dtype=np.float64), 0)
    result = np.full(target.shape, np.nan)
    for index, (low, high) in enumerate(groups):
        here = (target == index) & ~np.isnan(years)
        distance = np.maximum(np.maximum(low - years, years - high), 0)
        result[here] = np.where(now == index, 0, distance**2)[here]
    return result


def target_group(age: NDArray[Any], groups: Sequence[AgeGroup]) -> Float:
    """(N,) like `age_group`, but an age in none of the groups is no target (NaN)."""
    number = age_group(age, groups)
    return np.where(number == NO_GROUP, np.nan, number)


class EstimatorAgreement:
    """`gender_agreement` and `age_group_agreement` for every two estimators: where they differ, neither says much."""

    cards: ClassVar[tuple[MetricCard, ...]] = tuple(
        _SHARE(
            name=f"{name}_agreement",
            title=f"Estimators agree on {what}",
            question=f"How often do two independent estimators see the same {what} in the anonymized face?",
            how="Of the outputs on which both estimators find a face, the share on which their answers are equal. "
            "Every two estimators of the run are compared; the pair is named as the instrument.",
            source="unmask",
            limits="Agreement is not truth: both can be wrong alike. Missed faces are outputs like any other. "
            "Compare with the control, where they disagree too.",
        )
        for name, what in (("gender", "gender"), ("age_group", "age group"))
    )
    needs: ClassVar[tuple[str, ...]] = ("role:attributes",)

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Values a face; the instrument is ``a+b``, in alphabetical order."""
        classes: dict[str, tuple[str, Callable[[ArrayLike], Float]]] = {
            "gender": ("p_female", as_female),
            "age_group": ("age", partial(age_group, groups=evidence.settings.age_groups)),
        }
        for name, (reading, class_of) in classes.items():
            for pair in combinations(sorted(instruments_with(evidence, reading)), 2):
                a, b = (class_of(evidence.anonymized[estimator][reading]) for estimator in pair)
                equal = np.where(np.isnan(a) | np.isnan(b), np.nan, a == b)
                yield UnitValues(f"{name}_agreement", "+".join(pair), equal, share=True)
