"""Is the person's gender still the same to an estimator?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.demographics import as_female
from unmask.bench.core.evidence import Evidence, FaceTruth
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import UnitValues
from unmask.metrics.utility.attributes import instruments_with, judge, majority

_HOW = "An estimator's probability of female of 0.5 or more counts as female, below as male. "
_ESTIMATED = "Share of right answers among the outputs on which the estimator found a face. "
_ALL = "Share of right answers among all faces: an output that is missing or has no face to estimate is wrong. "
_TO_ORIGINAL = "Target: the same estimator's answer on the original; faces it cannot estimate there are not scored."
_TO_TRUTH = "Target: the data set's own label; only labelled faces are asked about."
_MISSED = "Missed faces are outputs like any other, and count as kept: see outcome_missed. "
_LIMITS = "Estimators know two genders, and are less often right on some groups: see the subgroups. "
_SELF = "An estimator that is wrong about the original counts as preserved when it is wrong about the output too."
_KEPT = "Faces that were destroyed drop out of it: read it beside the share of all."
_CAP = "The control shows the estimator's own errors: no method can be expected to do better."


def _card(name: str, title: str, question: str, how: str, limits: str) -> MetricCard:
    return MetricCard(
        name=name,
        version="1",
        family="utility",
        direction="higher",
        unit="share",
        bounds=(0, 1),
        title=title,
        question=question,
        how=_HOW + how,
        source="thesis 4.3, Evaluating Gender",
        limits=_MISSED + _LIMITS + limits,
        headline=40 if name == "gender_estimated_correct" else None,
    )


class GenderPreserved:
    """`gender_correct` and `gender_estimated_correct`, against the original and against the label."""

    cards: ClassVar[tuple[MetricCard, ...]] = (
        _card(
            "gender_correct",
            "Gender kept, of estimated",
            "Where a face is still found, is its gender estimated as before?",
            _ESTIMATED + _TO_ORIGINAL,
            f"{_KEPT} {_SELF}",
        ),
        _card(
            "gender_estimated_correct",
            "Gender kept, of all",
            "Of all faces, how many can still be estimated and have the gender that they had before?",
            _ALL + _TO_ORIGINAL,
            _SELF,
        ),
        _card(
            "gender_correct_true",
            "Gender right, of estimated",
            "Where a face is still found, is its gender estimated as labelled?",
            _ESTIMATED + _TO_TRUTH,
            f"{_KEPT} {_CAP}",
        ),
        _card(
            "gender_estimated_correct_true",
            "Gender right, of all",
            "Of all labelled faces, how many can still be estimated and have the gender on the label?",
            _ALL + _TO_TRUTH,
            _CAP,
        ),
    )
    needs: ClassVar[tuple[str, ...]] = ("role:attributes",)

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Values a face for each estimator. Data sets without a label get no ``_true`` values."""
        truth = labelled_female(evidence.truth)
        labelled = ~np.isnan(truth)
        for name in instruments_with(evidence, "p_female"):
            answer = as_female(evidence.anonymized[name]["p_female"])
            yield from _values("", name, as_female(evidence.original[name]["p_female"]), answer, None)
            if labelled.any():
                yield from _values("_true", name, truth, answer, labelled)


def labelled_female(truth: FaceTruth) -> Float:
    """(N,) 1.0 female, 0.0 male, NaN where the data set does not say."""
    return np.where(truth.gender == "", np.nan, truth.gender == "female")


def _values(suffix: str, name: str, target: Float, answer: Float, eligible: Bools | None) -> Iterator[UnitValues]:
    judged = judge(target, answer)
    for metric, values in (("gender_correct", judged.of_estimated), ("gender_estimated_correct", judged.of_all)):
        yield UnitValues(metric + suffix, name, values, eligible=eligible, share=True, chance=majority(target))
