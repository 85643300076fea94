"""De-identification rate: how many faces a recogniser no longer matches to their own original."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence, point_at
from unmask.bench.core.types import Float, Outcome
from unmask.bench.core.values import UnitValues
from unmask.metrics.privacy.attack import attacks
from unmask.metrics.privacy.outcome import face_found
from unmask.metrics.privacy.strangers import match_shares, strangers

FMRS = {"1e-2": 1e-2, "1e-3": 1e-3, "1e-4": 1e-4}
DETECTED_FMR = "1e-3"
HEADLINE_FMR = "1e-3"
CANDIDATES = (
    "the face found again at its place, the crop at the original's landmarks, and faces at places where the original "
    "has none; with any look, the crop at the original's landmarks as it is, turned, mirrored, inverted, blurred and "
    "halved."
)
"""Said of every attack."""


def not_matched(own_distance: Float, threshold: float) -> Float:
    """(N,) 1.0 where the distance to one's own original is above ``threshold``, 0.0 where not, NaN where unscored.

    A threshold of NaN (not calibrated) leaves everything unscored.
    """
    scored = np.isfinite(own_distance) & math.isfinite(threshold)
    return np.where(scored, (own_distance > threshold).astype(np.float64), np.nan)


def _card(label: str, detected: bool) -> MetricCard:
    beside = " Only faces that are found in the output (anonymized or missed) are asked about." if detected else ""
    return MetricCard(
        name=f"deid_rate_detected@{label}" if detected else f"deid_rate@{label}",
        version="2",
        family="privacy",
        direction="higher",
        unit="share",
        bounds=(0.0, 1.0),
        title=f"De-identified, of the detected (FMR {label})" if detected else f"De-identified (FMR {label})",
        question=(
            "Of the faces still found, how many are no longer matched to their own original?"
            if detected
            else "How many of all faces are no longer matched to their own original?"
        ),
        how=(
            "A face counts 1 if the cosine distance of each of its candidates to its own original is above the "
            f"recogniser's threshold at a false match rate of {label}, calibrated on other people; else 0. Candidates: "
            f"{CANDIDATES} Errors count 0; destroyed faces of which nothing can be read count 1.{beside} The interval "
            "is the hull of the intervals over identities at the threshold and at both ends of the threshold's own "
            "95 % interval. Chance = 1 minus the share of other people's originals that the same candidates match, "
            "measured on this data set (copies, and likely repeats of unlabelled people, left out)."
        ),
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
