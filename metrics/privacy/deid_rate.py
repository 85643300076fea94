"""De-identification rate: how many faces a recogniser no longer matches to their own original."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from bench.core.cards import MetricCard
from bench.core.evidence import Evidence, point_at
from bench.core.types import Float, Outcome
from bench.core.values import Histogram, SetStatistic, UnitValues
from metrics.privacy.attack import attacks
from metrics.privacy.outcome import face_found

FMRS = {"1e-2": 1e-2, "1e-3": 1e-3, "1e-4": 1e-4}
DETECTED_FMR = "1e-3"


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
        version="1",
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
            "A face counts 1 if its cosine distance to its own original is above the recogniser's threshold at a false "
            f"match rate of {label}, calibrated on other people; else 0. Destroyed faces count 1, missed faces and "
            f"errors 0 whatever their distance.{beside} The interval is the hull of the intervals over identities at "
            "the threshold and at both ends of the threshold's own 95 % interval. Chance = 1 - FMR."
        ),
        source="Thesis 4.1 (rate), with a calibrated threshold in place of its fixed 0.3",
        limits=(
            "Leaves destroyed faces and errors out: a method that destroys the hard faces looks better here. Read the "
            "rate over all faces first."
            if detected
            else "Destroyed faces count as private: read it beside outcome_destroyed. An attacker who lowers the bar "
            "(a larger FMR), or searches a gallery (rank-k), may still succeed. Calibrated on another set of photos: "
            "the false match rate on this one may differ."
        ),
    )


class DeidRate:
    """`deid_rate@FMR` for every recogniser, and `deid_rate_detected@1e-3` beside it."""

    needs: ClassVar[tuple[str, ...]] = ("role:recogniser",)
    cards: ClassVar[tuple[MetricCard, ...]] = (*(_card(label, False) for label in FMRS), _card(DETECTED_FMR, True))

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | SetStatistic | Histogram]:
        kept = np.isin(evidence.outcome, [Outcome.ANONYMIZED.value, Outcome.MISSED.value])
        found = face_found(evidence.landmarks) & kept
        for attack in attacks(evidence):
            distance = attack.own_distance
            for label, fmr in FMRS.items():
                point = point_at(evidence.operating_points.get(attack.recogniser, ()), fmr)
                values = UnitValues(
                    f"deid_rate@{label}",
                    attack.recogniser,
                    not_matched(distance, point.threshold),
                    share=True,
                    chance=1 - fmr,
                    alternatives=tuple(
                        not_matched(distance, end) for end in (point.low, point.high) if math.isfinite(end)
                    ),
                )
                yield values
                if label == DETECTED_FMR:
                    yield UnitValues(
                        f"deid_rate_detected@{label}",
                        attack.recogniser,
                        values.values,
                        eligible=found,
                        share=True,
                        chance=values.chance,
                        alternatives=values.alternatives,
                    )
