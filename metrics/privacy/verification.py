"""Verification attack: is this output the person of that original? EER and TAR at stated false match rates."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from functools import partial
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.core.cards import MetricCard
from bench.core.evidence import Evidence
from bench.core.exposure import FARTHEST
from bench.core.stats.error_rates import PairDistances, equal_error_rate, measurable, true_accept_rate
from bench.core.types import Bools, Float
from bench.core.values import Histogram, SetStatistic, UnitValues
from metrics.privacy.attack import Attack, attacks, genuine_photo_pairs, impostor_pairs, pair_distances

TAR_FMRS = {"1e-2": 1e-2, "1e-3": 1e-3}
EDGES = tuple(round(0.05 * k, 2) for k in range(41))

_PAIRS = (
    "Genuine pairs: a face's own original and its output. Impostor pairs: originals of other people and that output "
    "(up to 100,000 pairs in all but at least 20 a face, drawn with the run's seed, the same for all methods; faces "
    "without an identity label count as different people if they are different faces). Missed faces and errors "
    "count as the original (distance 0), destroyed faces as the largest distance, 2. "
)
_INTERVAL = "Interval: bootstrap over identities; a pair weighs the product of its people's draws. "


class VerificationAttack:
    """The pairs of one recogniser against one method; rates under any weights of the N faces."""

    def __init__(self, attack: Attack, i: NDArray[np.int64], j: NDArray[np.int64]) -> None:
        self.own = attack.own_distance
        self.scored: Bools = attack.scored
        self._faces = np.flatnonzero(self.scored)
        usable = self.scored[i] & np.isfinite(attack.original[j]).all(axis=1)
        self._i, self._j = i[usable], j[usable]
        distance = pair_distances(attack.original, attack.released, self._j, self._i)
        self.impostor: Float = np.where(attack.destroyed[self._i], FARTHEST, distance)
        self._pairs = PairDistances(self.own[self._faces], self.impostor)
        # EER and all TARs are asked under the same weights, one after the other: the rates are made once.
        self._known: dict[bytes, dict[str, float]] = {}

    def rate(self, name: str, weights: Float) -> float:
        """``eer`` or ``tar@FMR`` under (N,) weights of the faces; NaN where not measurable."""
        key = hashlib.blake2b(np.ascontiguousarray(weights).tobytes(), digest_size=16).digest()
        if key not in self._known:
            self._known[key] = self._rates(weights)
        return self._known[key][name]

    def _rates(self, weights: Float) -> dict[str, float]:
        impostor_weights = weights[self._i] * weights[self._j]
        rates = self._pairs.rates(weights[self._faces], impostor_weights)
        if rates is None:
            return dict.fromkeys(["eer", *(f"tar@{label}" for label in TAR_FMRS)], math.nan)
        total = float(impostor_weights.sum())
        return {
            "eer": equal_error_rate(rates),
            **{
                f"tar@{label}": true_accept_rate(rates, fmr) if measurable(total, fmr) else math.nan
                for label, fmr in TAR_FMRS.items()
            },
        }


def _tar_card(label: str) -> MetricCard:
    return MetricCard(
        name=f"tar@{label}",
        version="1",
        family="privacy",
        direction="lower",
        unit="share",
        bounds=(0.0, 1.0),
        title=f"Verified at FMR {label}",
        question=f"How many outputs are verified as their own original at a false match rate of {label}?",
        how=(
            f"{_PAIRS}The threshold is the largest impostor distance of this very set (original against output) at "
            f"which at most {label} of the impostor pairs are accepted; TAR is the share of genuine pairs at or below "
            f"it. An attacker who tunes to the method's outputs, unlike deid_rate@{label} whose threshold comes from "
            f"unprotected photos of other people. Not measured with fewer than {round(1 / TAR_FMRS[label])} impostor "
            f"pairs. {_INTERVAL}Chance = FMR."
        ),
        source="ISO/IEC 19795-1 (FMR, FNMR); TAR = 1 - FNMR",
        limits="Same photo on both sides, so background, pose and light help the attacker: read rank1_cross_photo too.",
    )


class Verification:
    """`eer`, `tar@1e-2`, `tar@1e-3` for every recogniser, and the distances behind them."""

    needs: ClassVar[tuple[str, ...]] = ("role:recogniser",)
    cards: ClassVar[tuple[MetricCard, ...]] = (
        MetricCard(
            name="eer",
            version="1",
            family="privacy",
            direction="higher",
            unit="share",
            bounds=(0.0, 1.0),
            title="Equal error rate",
            question="How often does a verifier err that rejects true matches as often as it accepts false ones?",
            how=(
                f"{_PAIRS}EER = where FMR equals FNMR, on the straight line between neighbouring thresholds. "
                f"{_INTERVAL}Chance = 0.5. Within a subgroup both people of a pair belong to it."
            ),
            source="ISO/IEC 19795-1",
            limits=(
                "One operating point far from those in use: a low share of easy victims hardly shows. Above 0.5 = own "
                "originals lie farther than strangers (a method that avoids the source on purpose), itself a trace."
            ),
        ),
        *(_tar_card(label) for label in TAR_FMRS),
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | SetStatistic | Histogram]:
        i, j = impostor_pairs(evidence.truth.identity, evidence.settings.seed, evidence.dataset)
        photos = genuine_photo_pairs(evidence)
        for attack in attacks(evidence):
            verifier = VerificationAttack(attack, i, j)
            chances = {"eer": 0.5, **{f"tar@{label}": fmr for label, fmr in TAR_FMRS.items()}}
            for card in self.cards:
                yield SetStatistic(
                    card.name,
                    attack.recogniser,
                    partial(verifier.rate, card.name),
                    verifier.scored,
                    chance=chances[card.name],
                    share=True,
                )
            yield distance_histogram(attack, verifier, photos)


def distance_histogram(
    attack: Attack, verifier: VerificationAttack, photos: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> Histogram:
    """Counts of cosine distances in bins of 0.05: output to own original, output to other people's originals, and, for
    scale, between original photos of one person where there are any."""
    first, second = photos
    series = {
        "own original": verifier.own,
        "other people's originals": verifier.impostor,
        "same person, two originals": pair_distances(attack.original, attack.original, first, second),
    }
    counts = {
        name: tuple(int(c) for c in np.histogram(values[np.isfinite(values)], bins=EDGES)[0])
        for name, values in series.items()
    }
    return Histogram("eer", attack.recogniser, EDGES, {name: c for name, c in counts.items() if any(c)})
