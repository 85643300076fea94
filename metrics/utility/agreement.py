"""Do independent estimators still agree on the output? Where they do not, neither says much about the face."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import ClassVar

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.demographics import age_group, as_female
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Float
from unmask.bench.core.values import UnitValues
from unmask.metrics.utility.attributes import instruments_with


def _card(name: str, title: str, what: str) -> MetricCard:
    return MetricCard(
        name=name,
        version="1",
        family="utility",
        direction="higher",
        unit="share",
        bounds=(0, 1),
        title=title,
        question=f"How often do two independent estimators see the same {what} in the anonymized face?",
        how="Of the outputs on which both estimators found a face, the share on which their answers are equal. Every "
        "two estimators of the run are compared; the pair is named as the instrument.",
        source="unmask",
        limits="Agreement is not truth: both can be wrong alike. Missed faces are outputs like any other. "
        "Compare with the control, where they disagree too.",
    )


class EstimatorAgreement:
    """`gender_agreement` and `age_group_agreement` for every two estimators."""

    cards: ClassVar[tuple[MetricCard, ...]] = (
        _card("gender_agreement", "Estimators agree on gender", "gender"),
        _card("age_group_agreement", "Estimators agree on age group", "age group"),
    )
    needs: ClassVar[tuple[str, ...]] = ("role:attributes",)

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Values a face; the instrument is ``a+b``, in alphabetical order."""
        for a, b in combinations(sorted(instruments_with(evidence, "p_female")), 2):
            answers = (as_female(evidence.anonymized[name]["p_female"]) for name in (a, b))
            yield UnitValues("gender_agreement", f"{a}+{b}", agree(*answers), share=True)
        for a, b in combinations(sorted(instruments_with(evidence, "age")), 2):
            answers = (age_group(evidence.anonymized[name]["age"], evidence.settings.age_groups) for name in (a, b))
            yield UnitValues("age_group_agreement", f"{a}+{b}", agree(*answers), share=True)


def agree(a: Float, b: Float) -> Float:
    """(N,) 1.0 where two answers are equal, 0.0 where not, NaN where either is missing."""
    return np.where(np.isnan(a) | np.isnan(b), np.nan, a == b)
