"""De-identification: how far released faces are from their own originals, and how many a recogniser does not match."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import ClassVar, Final

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence, point_at
from unmask.bench.core.exposure import FARTHEST, exposed
from unmask.bench.core.types import Float, Outcome
from unmask.bench.core.values import UnitValues
from unmask.metrics.privacy.attack import CANDIDATES, attacks
from unmask.metrics.privacy.outcome import face_found
from unmask.metrics.privacy.strangers import match_shares, strangers

FMRS: Final = {"1e-2": 1e-2, "1e-3": 1e-3, "1e-4": 1e-4}
DETECTED_FMR: Final = "1e-3"
HEADLINE_FMR: Final = "1e-3"
THESIS_THRESHOLD: Final = 0.3
_PRIVACY: Final = partial(MetricCard, version="2", family="privacy", bounds=(0.0, 1.0))
_RATE: Final = partial(_PRIVACY, direction="higher", unit="share")


def not_matched(own_distance: Float, threshold: float) -> Float:
    """(N,) 1.0 where the distance to one's own original is above ``threshold``, 0.0 where not, NaN where unscored.

    A threshold of NaN (not calibrated) leaves everything unscored.
    """
    return 1 - exposed(own_distance, threshold)


def _card(label: str, detected: bool) -> MetricCard:
    beside = " Only faces that are found in the output (anonymized or missed) are asked about." if detected else ""
    return _RATE(
        name=f"deid_rate_detected@{label}" if detected else f"deid_rate@{label}",
        title=f"De-identified, of the detected (FMR {label})" if detected else f"De-identified (FMR {label})",
        question=f"{'Of the faces still found, how many' if detected else 'How many of all faces'} are no longer "
        "matched to their own original?",
        how="A face counts 1 if the cosine distance of each of its candidates to its own original is above the "
        f"recogniser's threshold at a false match rate of {label}, calibrated on other people; else 0. Candidates: "
        f"{CANDIDATES} Errors count 0; destroyed faces of which nothing can be read count 1.{beside} The interval "
        "is the hull of the intervals over identities at the threshold and at both ends of the threshold's own "
        "95 % interval. Chance = 1 minus the share of other people's originals that the same candidates match, "
        "measured on this data set (copies, and likely repeats of unlabelled people, left out).",
        source="Thesis 4.1 (rate), with a calibrated threshold in place of its fixed 0.3",
        limits=(
            "Leaves destroyed faces and errors out: a method that destroys the hard faces looks better here. Read the "
            "rate over all faces first."
            if detected
            else "Read it against its chance, not against 1, and excess_match@1e-3 beside it: where other people of "
            "the same age group and gender are often matched, a perfect method does not reach 1. An attacker who "
            "lowers the bar (a larger FMR), or searches a gallery (rank-k), may still succeed."
        ),
        headline=20 if label == HEADLINE_FMR and not detected else None,
    )


class DeidRate:
    """`deid_rate@FMR` for every recogniser, and `deid_rate_detected@1e-3` beside it."""

    needs: ClassVar[tuple[str, ...]] = ("role:recogniser",)
    cards: ClassVar[tuple[MetricCard, ...]] = (*(_card(label, False) for label in FMRS), _card(DETECTED_FMR, True))

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """One value a face, attack and false match rate."""
        kept = np.isin(evidence.outcome, [Outcome.ANONYMIZED.value, Outcome.MISSED.value])
        detected = face_found(evidence.landmarks) & kept
        for attack in attacks(evidence):
            distance = attack.own_distance
            points = [point_at(evidence.operating_points.get(attack.recogniser, ()), fmr) for fmr in FMRS.values()]
            shares = match_shares(attack, strangers(evidence), [point.threshold for point in points])
            for (label, fmr), point, share in zip(FMRS.items(), points, shares, strict=True):
                values = UnitValues(
                    f"deid_rate@{label}",
                    attack.recogniser,
                    not_matched(distance, point.threshold),
                    share=True,
                    chance=1 - fmr,
                    chance_values=1 - share,
                    alternatives=tuple(
                        not_matched(distance, end) for end in (point.low, point.high) if math.isfinite(end)
                    ),
                )
                yield values
                if label == DETECTED_FMR:
                    yield replace(values, metric=f"deid_rate_detected@{label}", eligible=detected)


class DeidRateThesis:
    """`deid_rate_thesis_cosine` and `deid_rate_thesis_l2` for every recogniser: the thesis's fixed 0.3, in both
    readings of what distance that is."""

    needs: ClassVar[tuple[str, ...]] = ("role:recogniser",)
    cards: ClassVar[tuple[MetricCard, ...]] = tuple(
        _RATE(
            name=name,
            title=f"De-identified, thesis ({reading} > 0.3)",
            question=f"How many faces are de-identified by the thesis's rule, read as {reading}?",
            how=f"A face counts 1 if the {reading} between the unit embeddings of each of its candidates and of its "
            f"original is above 0.3 ({equal}). Candidates: {CANDIDATES} Errors count 0; destroyed faces of which "
            "nothing can be read count 1. Chance = the share of other people's originals that are above it, from "
            "the same candidates.",
            source="Thesis 4.1 (97.40 % on 41,094 images, LResNet100E-IR). The thesis does not say which distance its "
            f"0.3 is; {likely}",
            limits="Not calibrated: only near-duplicates count as the same person, so weak methods look private. For "
            "comparison with the thesis only; read deid_rate@1e-3 beside it. Other recognisers than the thesis's.",
        )
        for name, reading, equal, likely in (
            (
                "deid_rate_thesis_cosine",
                "cosine distance",
                "cosine similarity below 0.70",
                "this is the literal reading.",
            ),
            (
                "deid_rate_thesis_l2",
                "squared L2 distance",
                "cosine similarity below 0.85",
                "its recogniser's own code (insightface) measures squared L2 of unit vectors, so this is the likelier "
                "reading.",
            ),
        )
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """One value a face, attack and reading."""
        for attack in attacks(evidence):
            # Squared L2 of unit vectors, 0..4, is twice the cosine distance: |a - b|^2 = 2 (1 - a.b).
            shares = match_shares(attack, strangers(evidence), [THESIS_THRESHOLD, THESIS_THRESHOLD / 2])
            for card, times, share in zip(self.cards, (1, 2), shares, strict=True):
                yield UnitValues(
                    card.name,
                    attack.recogniser,
                    not_matched(times * attack.own_distance, THESIS_THRESHOLD),
                    share=True,
                    chance_values=1 - share,
                )


class OwnDistance:
    """`own_distance` for every recogniser: what the matching rates are decided by, before any threshold."""

    needs: ClassVar[tuple[str, ...]] = ("role:recogniser",)
    cards: ClassVar[tuple[MetricCard, ...]] = (
        _PRIVACY(
            name="own_distance",
            direction="none",
            unit="cosine distance",
            bounds=(0.0, FARTHEST),
            title="Distance to its own original",
            question="How far apart does a recogniser see a released face and its own original?",
            how="Cosine distance (1 - cosine similarity) of the original's embedding and the nearest of the released "
            f"candidates: {CANDIDATES} Mean over the faces of which something is left to compare; errors count 0.",
            source="Thesis 4.1 (the distance behind its rate)",
            limits="Each recogniser has a scale of its own: compare it with that recogniser's threshold, never with "
            "another's distance. A mean hides the few faces that are near; the rates do not.",
        ),
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """One value a face and attack."""
        for attack in attacks(evidence):
            yield UnitValues("own_distance", attack.recogniser, attack.own_distance, eligible=~attack.gone)
