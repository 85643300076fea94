"""Verification attack: is this output the person of that original? EER and TAR at stated false match rates."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final, Literal

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.stats.error_rates import PairDistances
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import Histogram, SetStatistic
from unmask.metrics.privacy.attack import CANDIDATES, Attack, Ints, attacks
from unmask.metrics.privacy.face_pairs import genuine_photo_pairs, impostor_pairs, pair_distances
from unmask.metrics.privacy.strangers import strangers

TAR_FMRS = {"1e-2": 1e-2, "1e-3": 1e-3}
UNLABELLED_FMR = 1e-2
"""The smallest false match rate measured where nobody is labelled: an unlabelled repeat of a person is an impostor
pair at distance 0, and a few of those decide every smaller rate."""
EDGES = tuple(round(0.05 * k, 2) for k in range(41))
Protocol = Literal["", "_cross_photo"]
PROTOCOLS: Final[tuple[Protocol, ...]] = ("", "_cross_photo")

_RATE: Final = partial(MetricCard, family="privacy", unit="share", bounds=(0.0, 1.0))
_GENUINE: Final = {
    "": "Genuine pairs: a face's own original and its output. ",
    "_cross_photo": "Asked only of people with two or more labelled photos. Genuine pairs: a face's output and the "
    "originals of the same person in other photos; every output weighs the same, however many those are. ",
}
_IMPOSTOR = (
    "Impostor pairs: originals of other people and that output (up to 100,000 pairs in all but at least 20 a face, "
    "drawn with the run's seed, the same for all methods). Copies of one photo, and unlabelled originals that look "
    f"like one person, are left out. An output's distance is that of the nearest of its candidates: {CANDIDATES} "
    "Errors count as the original, destroyed faces of which nothing can be read as the largest distance, 2. "
)
_INTERVAL = "Interval: bootstrap over identities; a pair weighs the product of its people's draws. "
_SAME_PHOTO = (
    "Same photo on both sides, so background, pose and light help the attacker: read the cross-photo rates too."
)
_CROSS_PHOTO = "Of people with two or more photos only; unlabelled photos take no part."


@dataclass(frozen=True, slots=True)
class Pairs:
    """Which outputs (``i``) are compared with which originals (``j``)."""

    i: Ints
    j: Ints
    share: Float
    """(P,) how much of its output's weight each genuine pair carries."""
    impostor_i: Ints
    impostor_j: Ints
    eligible: Bools
    """(N,) faces that the question is about."""


def pairs_of(evidence: Evidence, protocol: Protocol) -> Pairs:
    """The same for every method and recogniser."""
    n, seed = len(evidence.faces), evidence.settings.seed
    different = strangers(evidence).different
    everyone = np.arange(n, dtype=np.int64)
    if not protocol:
        impostor = impostor_pairs(different, seed, evidence.dataset)
        return Pairs(everyone, everyone, np.ones(n), *impostor, np.ones(n, dtype=np.bool_))
    first, second = genuine_photo_pairs(evidence)
    i, j = np.concatenate([first, second]), np.concatenate([second, first])
    partners = np.bincount(i, minlength=n)
    faces = np.flatnonzero(partners)
    a, b = impostor_pairs(different[np.ix_(faces, faces)], seed, evidence.dataset)
    return Pairs(i, j, 1 / partners[i], faces[a], faces[b], partners > 0)


class VerificationAttack:
    """Comparisons of N faces by one attack, over `Pairs`; rates under any weights of the faces."""

    def __init__(self, distances: Callable[[Ints, Ints], Float], pairs: Pairs) -> None:
        """``distances``: (i, j), (P,) each -> (P,); NaN = cannot be compared."""
        genuine, impostor = distances(pairs.i, pairs.j), distances(pairs.impostor_i, pairs.impostor_j)
        use, against = np.isfinite(genuine), np.argsort(impostor)[: int(np.isfinite(impostor).sum())]
        self._i, self._j, self._share = pairs.i[use], pairs.j[use], pairs.share[use]
        self._impostor_i, self._impostor_j = pairs.impostor_i[against], pairs.impostor_j[against]
        self.genuine, self.impostor = genuine[use], impostor[against]
        self.scored: Bools = np.bincount(self._i, minlength=len(pairs.eligible)) > 0
        self._pairs = PairDistances(self.genuine, self.impostor)
        # All rates are computed under the same weights, one after the other: the rates are made once.
        self._rates_of: dict[bytes, dict[str, float]] = {}

    def rate(self, name: str, weights: Float) -> float:
        """``auc``, ``eer`` or ``tar@FMR`` under (N,) weights of the faces; NaN where not measurable."""
        key = hashlib.blake2b(np.ascontiguousarray(weights).tobytes(), digest_size=16).digest()
        if key not in self._rates_of:
            self._rates_of[key] = self._rates(weights)
        return self._rates_of[key][name]

    def _rates(self, weights: Float) -> dict[str, float]:
        impostor_weights = weights[self._impostor_i] * weights[self._impostor_j]
        # Both photos of a genuine pair are of one person, who was drawn once.
        genuine_weights = np.minimum(weights[self._i], weights[self._j]) * self._share
        rates = self._pairs.rates(genuine_weights, impostor_weights)
        if rates is None:
            return dict.fromkeys(["auc", "eer", *(f"tar@{label}" for label in TAR_FMRS)], math.nan)
        eer = rates.equal_error_rate()
        return {
            "auc": rates.area_under_curve(),
            "eer": min(eer, 1 - eer),
            **{f"tar@{label}": rates.true_accept_rate(fmr) for label, fmr in TAR_FMRS.items()},
        }


def _tar_card(label: str, protocol: Protocol) -> MetricCard:
    other = "another photo of the same person" if protocol else "their own original"
    unlabelled = "" if protocol or TAR_FMRS[label] >= UNLABELLED_FMR else "Not measured where nobody is labelled. "
    return _RATE(
        name=f"tar{protocol}@{label}",
        version="1" if protocol else "2",
        direction="lower",
        title=f"Verified{', another photo' if protocol else ''} (FMR {label})",
        question=f"How many outputs are verified as {other} at a false match rate of {label}?",
        how=f"{_GENUINE[protocol]}{_IMPOSTOR}The threshold is the largest impostor distance of this very set (original "
        f"against output) at which at most {label} of the impostor pairs are accepted; TAR is the share of genuine "
        f"pairs at or below it. An attacker who tunes to the method's outputs, unlike deid_rate@{label} whose "
        f"threshold comes from unprotected photos of other people. Not measured with fewer than "
        f"{round(1 / TAR_FMRS[label])} impostor pairs. {unlabelled}{_INTERVAL}Chance = FMR.",
        source="ISO/IEC 19795-1 (FMR, FNMR); TAR = 1 - FNMR",
        limits=_CROSS_PHOTO if protocol else _SAME_PHOTO,
    )


def _eer_card(protocol: Protocol) -> MetricCard:
    return _RATE(
        name=f"eer{protocol}",
        version="1" if protocol else "2",
        direction="higher",
        title=f"Equal error rate{', another photo' if protocol else ''}",
        question="How often does a verifier err that rejects true matches as often as it accepts false ones?",
        how=f"{_GENUINE[protocol]}{_IMPOSTOR}EER = where FMR equals FNMR, on the straight line between neighbouring "
        "thresholds. Above 0.5 own originals lie farther than strangers; an attacker then turns the rule round, so "
        f"that 1 - EER is printed: no method is better than 0.5. {_INTERVAL}Chance = 0.5. Within a subgroup both "
        "people of a pair belong to it.",
        source="ISO/IEC 19795-1",
        limits="One operating point far from those in use: a low share of easy victims hardly shows. "
        f"{_CROSS_PHOTO if protocol else _SAME_PHOTO}",
        headline=22,
        stands_in_for="" if protocol else "eer_cross_photo",
    )


class Verification:
    """`eer`, `tar@1e-2`, `tar@1e-3` for every attack, the same against other photos, and the distances behind them."""

    needs: ClassVar[tuple[str, ...]] = ("role:recogniser",)
    cards: ClassVar[tuple[MetricCard, ...]] = tuple(
        card
        for protocol in PROTOCOLS
        for card in (_eer_card(protocol), *(_tar_card(label, protocol) for label in TAR_FMRS))
    )

    def ask(self, evidence: Evidence) -> Iterator[SetStatistic | Histogram]:
        """Six statistics and a histogram for every attack."""
        photos = genuine_photo_pairs(evidence)
        pairs = {protocol: pairs_of(evidence, protocol) for protocol in PROTOCOLS}
        labelled = bool((evidence.truth.identity != "").any())
        for attack in attacks(evidence):
            for protocol in PROTOCOLS:
                verifier = VerificationAttack(attack.distances, pairs[protocol])
                for name, chance in {"eer": 0.5, **{f"tar@{label}": fmr for label, fmr in TAR_FMRS.items()}}.items():
                    answerable = labelled or chance >= UNLABELLED_FMR
                    yield SetStatistic(
                        name.replace("eer", f"eer{protocol}").replace("tar", f"tar{protocol}"),
                        attack.recogniser,
                        partial(verifier.rate, name),
                        verifier.scored,
                        eligible=pairs[protocol].eligible & answerable,
                        chance=chance,
                        share=True,
                    )
                if not protocol:
                    yield distance_histogram(attack, verifier, photos)


def distance_histogram(attack: Attack, verifier: VerificationAttack, photos: tuple[Ints, Ints]) -> Histogram:
    """Counts of cosine distances in bins of 0.05: output to own original, output to other people's originals, and, for
    scale, between original photos of one person where there are any."""
    first, second = photos
    series = {
        "own original": verifier.genuine,
        "other people's originals": verifier.impostor,
        "same person, two originals": pair_distances(attack.original, attack.original, first, second),
    }
    counts = {
        name: tuple(int(c) for c in np.histogram(values[np.isfinite(values)], bins=EDGES)[0])
        for name, values in series.items()
    }
    return Histogram("eer", attack.recogniser, EDGES, {name: c for name, c in counts.items() if any(c)})
