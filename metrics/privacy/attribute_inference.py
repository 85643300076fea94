"""What a release tells of somebody's gender, age and skin tone: disclosure, where utility asks for the same to be kept.

What estimators say of the released face is the attacker's score; of an error the original was released. A face on which
an estimator finds nothing is unscored: an estimator that fails must not look like privacy.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.demographics import AgeGroup, as_female
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.stats.inference import MacroAuc, Spearman
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import SetStatistic
from unmask.metrics.utility.attributes import instruments_with, target_group

_CARD: Final = partial(MetricCard, version="1", family="privacy", direction="lower")
_AUC: Final = partial(_CARD, unit="AUC", bounds=(0.5, 1.0), source="Hanley and McNeil, Radiology 143, 1982")
_READ: Final = (
    "The score is read on the released face, where it is found again; of errors on the original, which was released. "
    "Faces on which nothing can be estimated are unscored. "
)
_FOLD: Final = (
    "Below 0.5 an attacker turns the rule round: 1 - AUC is printed, and an interval that holds 0.5 begins there; "
    "where nothing can be read the number is therefore a little above 0.5. "
    "Not measured where a class has fewer than two people. Interval: bootstrap over people. Chance = 0.5."
)
_OWN: Final = "Class: the same estimator's answer on the original, so that the control is at 1. "
_TRUE: Final = "Class: the data set's own label; only labelled faces are asked about. "
_KEPT: Final = (
    "Disclosure: here a readable attribute is bad, while the utility metrics of the same attribute count it as kept. "
    "Which is wanted depends on the use. "
)
_CEILING: Final = "The control is the ceiling: what the estimator reads off unprotected faces. "
_UNREAD: Final = (
    "Of the faces on which a face is found again only: read the number of unscored ones and detection_rate beside it. "
    "An attacker who learns what a method leaves of faces may read more: see learned_*."
)


def _cards(name: str, title: str, what: str, how: str) -> Iterator[MetricCard]:
    for suffix, target, limit in (("", _OWN, ""), ("_true", _TRUE, _CEILING)):
        yield _AUC(
            name=f"{name}{suffix}",
            title=f"{title} readable{', of the label' if suffix else ''}",
            question=f"How well can {what} {'on the label' if suffix else 'of the original'} be read from the release?",
            how=f"{how}{target}{_READ}{_FOLD}",
            limits=f"{_KEPT}{limit}{_UNREAD}",
        )


class AttributeInference:
    """`inferred_*`: gender, age group and skin tone from the estimators' own outputs. Asked for by name only."""

    default: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ("role:attributes", "role:skin")
    cards: ClassVar[tuple[MetricCard, ...]] = (
        *_cards(
            "inferred_gender_auc",
            "Gender",
            "the gender",
            "Area under the ROC curve of an estimator's probability of female, women against men. ",
        ),
        *_cards(
            "inferred_age_group_auc",
            "Age group",
            "the age group",
            "Mean over the age groups as configured of the area under the ROC curve of one group against the rest. The "
            "score for a group is how many years the estimated age lies inside its bounds (below 0: outside; the first "
            "and the last group are open). ",
        ),
        _AUC(
            name="inferred_skin_auc",
            title="Dark or light skin readable",
            question="How well can the darkest third of the originals be told from the lightest by the release?",
            how="Area under the ROC curve of the ITA of the released face, the lightest third of this data set by ITA "
            f"on the originals against the darkest; the middle third is not asked about. {_READ}{_FOLD}",
            limits=f"{_KEPT}Photos are not colour-calibrated: the light of a photo counts as skin, before and after. "
            f"{_UNREAD}",
        ),
        _CARD(
            name="inferred_skin_rho",
            unit="rho",
            bounds=(0.0, 1.0),
            title="Skin tone readable (rank correlation)",
            question="How far does the order of people by skin tone survive?",
            how="Magnitude of Spearman's rank correlation of ITA on the released face and on the original, over the "
            f"faces estimated on both; ties share their mean rank. {_READ}Interval: bootstrap over people, that of the "
            "signed correlation; one that holds 0 begins there. Chance = 0.",
            source="Spearman, Am. J. Psychology 15, 1904",
            limits=f"{_KEPT}Photos are not colour-calibrated: the light of a photo counts as skin, before and after. "
            f"{_UNREAD}",
        ),
    )

    def ask(self, evidence: Evidence) -> Iterator[SetStatistic]:
        """Statistics for every estimator. Data sets without a label get no ``_true`` ones."""
        truth, groups = evidence.truth, evidence.settings.age_groups
        labels = {"gender": np.where(truth.gender == "", np.nan, truth.gender == "female"), "age": truth.age}
        for name in instruments_with(evidence, "p_female"):
            before, after = _readings(evidence, name, "p_female")
            scores = np.stack([1 - after, after], axis=1)
            ask = partial(_statistic, evidence, "inferred_gender_auc", name, scores)
            yield from ask("", as_female(before))
            yield from ask("_true", labels["gender"])
        for name in instruments_with(evidence, "age"):
            before, after = _readings(evidence, name, "age")
            ask = partial(_statistic, evidence, "inferred_age_group_auc", name, depth(after, groups))
            yield from ask("", target_group(before, groups))
            yield from ask("_true", target_group(labels["age"], groups))
        for name in instruments_with(evidence, "ita"):
            before, after = _readings(evidence, name, "ita")
            third = thirds(before)
            yield from _statistic(
                evidence,
                "inferred_skin_auc",
                name,
                np.stack([-after, after], axis=1),
                "",
                np.where(third == 1, np.nan, third // 2),
                np.asarray(third != 1, np.bool_),
            )
            yield SetStatistic(
                "inferred_skin_rho",
                name,
                Spearman(before, after),
                np.asarray(np.isfinite(before) & np.isfinite(after), np.bool_),
                chance=0.0,
                magnitude=True,
            )


def _readings(evidence: Evidence, name: str, reading: str) -> tuple[Float, Float]:
    """(N,) each: of the originals, and of what was released."""
    before, after = evidence.original[name][reading], evidence.released(name, reading)
    return np.asarray(before, np.float64), np.asarray(after, np.float64)


def _statistic(
    evidence: Evidence,
    metric: str,
    name: str,
    scores: Float,
    suffix: str,
    target: Float,
    eligible: Bools | None = None,
) -> Iterator[SetStatistic]:
    """``scores``: (N, C); ``target``: (N,) class number, NaN = unknown."""
    labelled = np.isfinite(target)
    if suffix and not labelled.any():
        return
    auc = MacroAuc(scores, np.where(labelled, target, -1).astype(np.int64), evidence.faces.cluster)
    yield SetStatistic(
        f"{metric}{suffix}",
        name,
        auc,
        np.asarray(labelled & np.isfinite(scores).all(axis=1), np.bool_),
        eligible=np.asarray(labelled, np.bool_) if suffix else eligible,
        chance=0.5,
        share=True,
        magnitude=True,
        centre=0.5,
        compute_all=auc.of_all,
    )


def depth(age: NDArray[Any], groups: Sequence[AgeGroup]) -> Float:
    """(N, G) years by which an age lies inside each group, below 0 = outside; the first and last groups are open to
    their side. NaN stays NaN."""
    years = np.asarray(age, np.float64)[:, None]
    low = np.array([-np.inf, *(first for first, _ in groups[1:])])
    high = np.array([*(last + 1 for _, last in groups[:-1]), np.inf])
    if len(groups) == 1:
        return np.where(np.isnan(years), np.nan, 0.0)
    return np.asarray(np.minimum(years - low, high - years), np.float64)


def thirds(ita: Float) -> Float:
    """(N,) 0 darkest third of the data set, 1 middle, 2 lightest; NaN where not estimated, or with fewer than three
    that were."""
    estimated = np.isfinite(ita)
    if estimated.sum() < 3:
        return np.full(len(ita), np.nan)
    cuts = np.quantile(ita[estimated], [1 / 3, 2 / 3])
    return np.where(estimated, np.searchsorted(cuts, ita), np.nan)
