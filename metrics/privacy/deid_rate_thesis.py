"""The thesis's de-identification rate with its fixed 0.3, in both readings of what distance that is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Float
from unmask.bench.core.values import UnitValues
from unmask.metrics.privacy.attack import attacks
from unmask.metrics.privacy.deid_rate import CANDIDATES, not_matched
from unmask.metrics.privacy.strangers import match_shares, strangers

THESIS_THRESHOLD = 0.3


def squared_l2(cosine_distance: Float) -> Float:
    """Squared Euclidean distance of unit vectors, 0..4: |a - b|^2 = 2 (1 - a.b)."""
    return 2 * cosine_distance


def _card(name: str, reading: str, equal: str, likely: str) -> MetricCard:
    return MetricCard(
        name=name,
        version="2",
        family="privacy",
        direction="higher",
        unit="share",
        bounds=(0.0, 1.0),
        title=f"De-identified, thesis ({reading} > 0.3)",
        question=f"How many faces are de-identified by the thesis's rule, read as {reading}?",
        how=(
            f"A face counts 1 if the {reading} between the unit embeddings of each of its candidates and of its "
            f"original is above 0.3 ({equal}). Candidates: {CANDIDATES} Errors count 0; destroyed faces of which "
            "nothing can be read count 1. Chance = the share of other people's originals that are above it, from the "
            "same candidates."
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

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """One value a face, attack and reading."""
        for attack in attacks(evidence):
            own = attack.own_distance
            # 0.3 in squared L2 is half of that in cosine distance.
            shares = match_shares(attack, strangers(evidence), [THESIS_THRESHOLD, THESIS_THRESHOLD / 2])
            for card, distance, share in zip(self.cards, (own, squared_l2(own)), shares, strict=True):
                yield UnitValues(
                    card.name,
                    attack.recogniser,
                    not_matched(distance, THESIS_THRESHOLD),
                    share=True,
                    chance_values=1 - share,
                )
