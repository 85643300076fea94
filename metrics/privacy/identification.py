"""Identification attack: the outputs searched one by one in a gallery of all originals.

Ties are counted in the attacker's favour: gallery entries exactly as near as the right one do not push it back. For
privacy that is the pessimistic reading, and it makes a method that maps everybody to one face look no safer for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final, Literal

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import UnitValues
from unmask.metrics.privacy.attack import CANDIDATES, Attack, attacks
from unmask.metrics.privacy.strangers import strangers

Protocol = Literal["same_photo", "cross_photo"]
PROTOCOLS: Final[tuple[Protocol, ...]] = ("same_photo", "cross_photo")
RANKS = (1, 5)


@dataclass(frozen=True, slots=True)
class Search:
    """One recogniser's search for every face."""

    rank: Float
    """(N,) of the nearest right gallery entry; 0 = given away without a search, inf = never found, NaN = unscored."""
    eligible: Bools
    """(N,) faces that have a right entry to be found."""
    gallery: Float
    """(N,) entries searched."""
    right: Float
    """(N,) right entries among them."""


def search(evidence: Evidence, attack: Attack, protocol: Protocol) -> Search:
    """Ranks of the right person for every face; a right entry is any original of that person.

    ``same_photo``: the gallery is every original, one's own included. ``cross_photo``: entries from one's own photo are
    removed. Copies of one photo, and likely repeats of unlabelled people, are neither right nor wrong entries.
    """
    n = len(evidence.faces)
    different, identity, sample = strangers(evidence).different, evidence.truth.identity, evidence.faces.sample
    rank, gallery_size, right_size = np.full(n, np.nan), np.zeros(n), np.zeros(n)
    eligible: Bools = np.ones(n, dtype=np.bool_)
    for rows, distance in attack.blocks():
        right = (identity[rows, None] == identity[None, :]) & (identity[rows, None] != "")
        if protocol == "same_photo":
            right |= np.arange(rows.start, rows.stop)[:, None] == np.arange(n)
            searched = (right | different[rows]) & attack.readable
        else:
            apart = sample[rows, None] != sample[None, :]
            right &= apart
            searched = (right | different[rows]) & apart & attack.readable
            eligible[rows] = right.any(axis=1)
        rank[rows] = best_match_rank(distance.astype(np.float64), right, searched)
        gallery_size[rows], right_size[rows] = searched.sum(axis=1), (searched & right).sum(axis=1)
    scored = attack.scored & (right_size > 0)
    rank[attack.gone] = np.inf
    rank[attack.error] = 0.0
    rank[~scored] = np.nan
    return Search(rank, eligible, gallery_size, right_size)


def _card(k: int, protocol: Protocol) -> MetricCard:
    same = protocol == "same_photo"
    gallery = (
        "The gallery is every original of the set; a hit is an original of the same person (one's own, or another "
        "labelled photo of that person) among the"
        if same
        else "The gallery is every original but those from one's own photo; asked only of people with two or more "
        "labelled photos; a hit is any photo of the same person among the"
    )
    return MetricCard(
        name=f"rank{k}_{protocol}",
        version="2",
        family="privacy",
        direction="lower",
        unit="share",
        bounds=(0.0, 1.0),
        title=f"Rank-{k}, {'same photo' if same else 'another photo'}",
        question=(
            f"How often is an original of the right person among the {k} nearest of all originals?"
            if same
            else f"How often is another photo of the same person among the {k} nearest of all other originals?"
        ),
        how=f"{gallery} {k} nearest by cosine distance, rounded to 6 decimals, ties in the attacker's favour. The "
        f"distance is that of the nearest of the output's candidates: {CANDIDATES} Destroyed faces of which "
        "nothing can be read are never found (0), errors always (1). Copies of one photo under two names, and "
        "unlabelled originals that look like one person, are left out of the gallery. Interval: bootstrap over "
        f"identities of the faces searched, the gallery fixed. Chance = {k} entries drawn blindly.",
        source="Phillips et al., cumulative match characteristic; ISO/IEC 19795-1 (closed-set identification)",
        limits=(
            "Depends on the size of the gallery: compare within one data set only. "
            + (
                "Same photo on both sides: pose, light and background help the attacker."
                if same
                else "Unlabelled photos of the same person count as strangers. The control is below 1 where the "
                "recogniser errs on unprotected photos."
            )
        ),
        headline=21 if k == 1 else None,
        # Where nobody has two photos there is no cross-photo search; the weaker question stands in, named so.
        stands_in_for="rank1_cross_photo" if k == 1 and same else "",
    )


class Identification:
    """`rank1|5_same_photo|cross_photo` for every recogniser."""

    needs: ClassVar[tuple[str, ...]] = ("role:recogniser",)
    cards: ClassVar[tuple[MetricCard, ...]] = tuple(_card(k, protocol) for protocol in PROTOCOLS for k in RANKS)

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Four values a face and attack."""
        for attack in attacks(evidence):
            for protocol in PROTOCOLS:
                result = search(evidence, attack, protocol)
                scored = result.eligible & (result.right > 0)
                for k in RANKS:
                    chance = chance_within(k, result.gallery[scored], result.right[scored])
                    yield UnitValues(
                        f"rank{k}_{protocol}",
                        attack.recogniser,
                        np.where(np.isnan(result.rank), np.nan, result.rank <= k),
                        eligible=result.eligible,
                        share=True,
                        chance=float(chance.mean()) if len(chance) else None,
                    )


def best_match_rank(distances: Float, match: Bools, gallery: Bools | None = None) -> Float:
    """(Q,) 1 + the number of wrong gallery entries strictly nearer than the nearest right one.

    ``distances``: (Q, G), NaN = cannot be compared (ranked behind everything); ``match``: (Q, G) right entries;
    ``gallery``: (Q, G) entries to search, default all. NaN = no right entry among those that can be compared.
    """
    searched = np.isfinite(distances) if gallery is None else np.isfinite(distances) & gallery
    right = searched & match
    nearest = np.where(right, distances, np.inf).min(axis=1, initial=np.inf)
    nearer = searched & ~match & (np.where(searched, distances, np.inf) < nearest[:, None])
    return np.where(right.any(axis=1), 1.0 + nearer.sum(axis=1), np.nan)


def chance_within(k: int, gallery: Float, right: Float) -> Float:
    """Probability that ``k`` entries drawn blindly from ``gallery`` ones hold at least one of the ``right`` ones.

    All (Q,). Hypergeometric: 1 - prod_{t<k} (G - r - t) / (G - t); 1 where k entries cannot avoid the right ones.
    """
    size, hits = np.asarray(gallery, dtype=np.float64), np.asarray(right, dtype=np.float64)
    miss = np.ones(size.shape)
    for t in range(k):
        left = np.maximum(size - t, 1.0)
        miss *= np.clip(size - hits - t, 0.0, None) / left
    return 1 - miss
