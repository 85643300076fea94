"""The thesis's de-identification rate with its fixed 0.3, in both readings of what distance that is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from bench.core.cards import MetricCard
from bench.core.evidence import Evidence
from bench.core.types import Float
from bench.core.values import Histogram, SetStatistic, UnitValues
from metrics.privacy.attack import attacks, impostor_pairs, pair_distances
from metrics.privacy.deid_rate import not_matched

THESIS_THRESHOLD = 0.3


def squared_l2(cosine_distance: Float) -> Float:
    """Squared Euclidean distance of unit vectors, 0..4: |a - b|^2 = 2 (1 - a.b)."""
    return 2 * cosine_distance


def _card(name: str, reading: str, equal: str, likely: str) -> MetricCard:
    return MetricCard(
        name=name,
        version="1",
        family="privacy",
        direction="higher",
        unit="share",
        bounds=(0.0, 1.0),
        title=f"De-identified, thesis ({reading} > 0.3)",
        question=f"How many faces are de-identified by the thesis's rule, read as {reading}?",
        how=(
            f"A face counts 1 if the {reading} between the unit embeddings of output and original is above 0.3 "
            f"({equal}). Destroyed faces count 1, missed faces and errors 0. Chance = the share of pairs of different "
            "people's originals in this set that are above it."
        ),
        source=f"Thesis 4.1 (97.40 % on 41,094 images, LResNet100E-IR). {likely}",
        limits=(
            "Not calibrated: only near-duplicates count as the same person, so weak methods look private. For "
            "comparison with the thesis only; read deid_rate@1e-3 beside it. Other recognisers than the thesis's."
        ),
    )


class DeidRateThesis:
    """`deid_rate_thesis_cosine` and `deid_rate_thesis_l2` for every recogniser."""

    needs: ClassVar[tuple[str, ...]] = ("role:recogniser",)
    cards: ClassVar[tuple[MetricCard, ...]] = (
        _card(
            "deid_rate_thesis_cosine",
            "cosine distance",
            "cosine similarity below 0.70",
            "The thesis does not say which distance its 0.3 is; this is the literal reading.",
        ),
        _card(
            "deid_rate_thesis_l2",
            "squared L2 distance",
            "cosine similarity below 0.85",
            "The thesis does not say which distance its 0.3 is; its recogniser's own code (insightface) measures "
            "squared L2 of unit vectors, so this is the likelier reading.",
        ),
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | SetStatistic | Histogram]:
        i, j = impostor_pairs(evidence.truth.identity, evidence.settings.seed, evidence.dataset)
        for attack in attacks(evidence):
            others = pair_distances(attack.original, attack.original, i, j)
            others = others[np.isfinite(others)]
            own = attack.own_distance
            for card, mine, theirs in (
                (self.cards[0], own, others),
                (self.cards[1], squared_l2(own), squared_l2(others)),
            ):
                chance = float(np.mean(theirs > THESIS_THRESHOLD)) if len(theirs) else math.nan
                yield UnitValues(
                    card.name,
                    attack.recogniser,
                    not_matched(mine, THESIS_THRESHOLD),
                    share=True,
                    chance=None if math.isnan(chance) else chance,
                )
