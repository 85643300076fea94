"""Identification attack: the outputs searched one by one in a gallery of all originals."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from bench.core.cards import MetricCard
from bench.core.evidence import Evidence
from bench.core.stats.identification import best_match_rank, chance_within
from bench.core.types import Bools, Float, Outcome
from bench.core.values import Histogram, SetStatistic, UnitValues
from metrics.privacy.attack import Attack, attacks

Protocol = Literal["same_photo", "cross_photo"]
RANKS = (1, 5)
BLOCK = 512


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
    """Ranks of the right person for every face.

    ``same_photo``: the gallery is every original, right is one's own. ``cross_photo``: entries from one's own photo are
    removed, right is any other photo of the same labelled identity.
    """
    n = len(evidence.faces)
    readable = np.asarray(np.isfinite(attack.original).all(axis=1), dtype=np.bool_)
    gallery_rows = np.where(readable[:, None], attack.original, 0).astype(np.float64)
    probe_rows = np.where(np.isfinite(attack.released), attack.released, 0).astype(np.float64)
    identity, sample = evidence.truth.identity, evidence.faces.sample
    rank, gallery_size, right_size = np.full(n, np.nan), np.zeros(n), np.zeros(n)
    eligible: Bools = np.ones(n, dtype=np.bool_)
    for start in range(0, n, BLOCK):
        rows = np.arange(start, min(start + BLOCK, n))
        # Embeddings are float32: beyond six decimals equal photos would differ by chance.
        distance = np.round(1 - probe_rows[rows] @ gallery_rows.T, 6)
        if protocol == "same_photo":
            searched = np.broadcast_to(readable, distance.shape)
            right = rows[:, None] == np.arange(n)
        else:
            apart = np.not_equal.outer(sample[rows], sample)
            right = apart & np.equal.outer(identity[rows], identity) & (identity[rows] != "")[:, None]
            searched = apart & readable
            eligible[rows] = right.any(axis=1)
        rank[rows] = best_match_rank(distance, right, searched)
        gallery_size[rows], right_size[rows] = searched.sum(axis=1), (searched & right).sum(axis=1)
    scored = attack.scored & (right_size > 0)
    rank[attack.destroyed] = np.inf
    rank[evidence.outcome == Outcome.ERROR.value] = 0.0
    rank[~scored] = np.nan
    return Search(rank, eligible, gallery_size, right_size)


def found_within(rank: Float, k: int) -> Float:
    """(N,) 1.0 where the right person is among the ``k`` nearest, 0.0 where not, NaN where unscored."""
    return np.where(np.isnan(rank), np.nan, (rank <= k).astype(np.float64))


def _card(k: int, protocol: Protocol) -> MetricCard:
    same = protocol == "same_photo"
    gallery = (
        "The gallery is every original of the set; a hit is one's own original among the"
        if same
        else "The gallery is every original but those from one's own photo; asked only of people with two or more "
        "labelled photos; a hit is any photo of the same person among the"
    )
    return MetricCard(
        name=f"rank{k}_{protocol}",
        version="1",
        family="privacy",
        direction="lower",
        unit="share",
        bounds=(0.0, 1.0),
        title=f"Rank-{k}, {'same photo' if same else 'another photo'}",
        question=(
            f"How often is an output's own original among the {k} nearest of all originals?"
            if same
            else f"How often is another photo of the same person among the {k} nearest of all other originals?"
        ),
        how=(
            f"{gallery} {k} nearest by cosine distance, rounded to 6 decimals, ties in the attacker's favour. "
            "Destroyed faces are never found (0), errors always (1), missed faces are searched as the originals they "
            "are. Interval: bootstrap over identities of the faces searched, the gallery fixed. "
            f"Chance = {k} entries drawn blindly."
        ),
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
    )


class Identification:
    """`rank1|5_same_photo|cross_photo` for every recogniser."""

    needs: ClassVar[tuple[str, ...]] = ("role:recogniser",)
    cards: ClassVar[tuple[MetricCard, ...]] = (
        *(_card(k, "same_photo") for k in RANKS),
        *(_card(k, "cross_photo") for k in RANKS),
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | SetStatistic | Histogram]:
        protocols: tuple[Protocol, ...] = ("same_photo", "cross_photo")
        for attack in attacks(evidence):
            for protocol in protocols:
                found = search(evidence, attack, protocol)
                scored = found.eligible & (found.right > 0)
                for k in RANKS:
                    chance = chance_within(k, found.gallery[scored], found.right[scored])
                    yield UnitValues(
                        f"rank{k}_{protocol}",
                        attack.recogniser,
                        found_within(found.rank, k),
                        eligible=found.eligible,
                        share=True,
                        chance=float(chance.mean()) if len(chance) else None,
                    )
