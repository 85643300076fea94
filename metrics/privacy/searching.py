"""Searches of released faces among the people of a data set, from the scores of an attack's comparisons.

A released face is searched among all people of the data set, each at the entry that is most alike; entries from its
own photo are left out ("another photo"). Faces of unlabelled people are people of their own; copies of one photo under
two names, and unlabelled originals that look like one person, are neither right nor wrong entries (`strangers`). A
score is 1 minus the attack's distance (`attack`): a cosine, -1..1. That of several recognisers fused is a log-odds
(`bench.core.stats.fusion`), without limits: its histograms have edges of their own, over the scores that there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from unmask.bench.core.evidence import Evidence, LearnedAttack
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.stats.fusion import Fusion
from unmask.bench.core.stats.histograms import COSINE_EDGES, pooled_edges, score_histograms
from unmask.bench.core.stats.identification import Searches, best_of, search
from unmask.bench.core.stats.trust import label_permutations
from unmask.bench.core.types import Bools, Float, Floats32
from unmask.bench.core.values import AttackScores
from unmask.metrics.privacy.attack import Ints, informed_attack
from unmask.metrics.privacy.strangers import strangers

PERMUTATIONS: Final = 5
"""Of labels, for the floor."""


@dataclass(frozen=True, slots=True)
class Gallery:
    """Who may be searched for whom, the same for all attacks on one data set."""

    person: Ints
    """(N,) number of each face's person, 0..P-1; unlabelled faces are people of their own."""
    people: int
    right: Bools
    """(N, N) probe and entry are of one labelled person, in two photos."""
    searched: Bools
    """(N, N) entries that a probe is compared with, right ones included."""
    eligible: Bools
    """(N,) probes of which another photo shows the person."""


@dataclass(frozen=True, slots=True)
class Compared:
    """N probes compared with N entries by one channel."""

    scores: Floats32
    """(N, N) NaN = not searched, or one of the two cannot be read."""
    gone: Bools
    """(N,) nothing is left of the probe that could be compared."""
    error: Bools
    """(N,) released as it was."""
    scored: Bools
    """(N,) the original can be read, and so can what was released, unless nothing is left of it."""
    edges: Float
    """(B+1,) of histograms of the scores."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One attack's searches of N probes."""

    searches: Searches
    people: int
    """P, in the gallery."""
    permuted: Float
    """(`PERMUTATIONS`, N) 1 where the probe names a person who is drawn in place of its own."""
    person_rank: Float
    """(P,) of each person, whose probes are searched together, each gallery person at the best score over all of them;
    inf = never found, NaN = not searched."""
    scores: AttackScores | None
    accepted: Mapping[str, Float]
    """FMR -> (N,) share of each probe's right entries whose score is at or above the threshold of background people;
    NaN where there is none, or no threshold. A face that a method failed on counts as accepted."""


def gallery_of(evidence: Evidence) -> Gallery:
    """Worked out once."""
    if "gallery" not in evidence.derived:
        identity, sample = evidence.truth.identity, evidence.faces.sample
        names = np.where(identity == "", np.char.add("\x00", evidence.faces.id), identity)
        person = np.unique(names, return_inverse=True)[1].astype(np.int64)
        apart = sample[:, None] != sample[None, :]
        right = (person[:, None] == person[None, :]) & apart
        searched = (right | strangers(evidence).different) & apart
        evidence.derived["gallery"] = Gallery(
            person, int(person.max(initial=-1)) + 1, right, searched, right.any(axis=1)
        )
    gallery: Gallery = evidence.derived["gallery"]
    return gallery


def compared_by(evidence: Evidence, learned: LearnedAttack, recogniser: str, fit: str) -> Compared | None:
    """The comparisons of one recogniser; ``None`` where nothing was learned in ``fit``."""
    gallery = gallery_of(evidence)
    held = informed_attack(evidence, learned, recogniser, fit, gallery.person)
    if held is None:
        return None
    attack, own = held
    blocks = [1 - block for _, block in attack.blocks()]
    scores = np.concatenate(blocks) if blocks else np.zeros((0, 0), np.float32)
    scores = np.where(gallery.searched & attack.readable, scores, np.float32(np.nan))
    if own is not None:  # the own person's entry is one template without the probe's photo
        scores = np.where(gallery.right, (1 - own)[:, None], scores).astype(np.float32)
    scores[attack.gone] = np.nan
    return Compared(scores, attack.gone, attack.error, attack.scored, COSINE_EDGES)


def fused_comparisons(channels: Mapping[str, Compared], fusion: Fusion) -> Compared | None:
    """Those of several recognisers fused; ``None`` where none of those that are fused compared."""
    parts = {name: channels[name] for name in fusion.channels if name in channels}
    if not parts:
        return None
    scores = fused_scores(fusion, {name: part.scores for name, part in parts.items()})
    read = np.any([part.scored & ~part.gone for part in parts.values()], axis=0)
    gone = np.any([part.scored & part.gone for part in parts.values()], axis=0) & ~read
    there = scores[np.isfinite(scores)].astype(np.float64)
    edges = pooled_edges(there) if len(there) else COSINE_EDGES
    return Compared(scores, gone, next(iter(parts.values())).error, read | gone, edges)


def fused_scores(fusion: Fusion, scores: Mapping[str, Floats32]) -> Floats32:
    """(...) log-odds; NaN where no recogniser compared."""
    return fusion.fuse(scores).astype(np.float32)


def searched(compared: Compared, gallery: Gallery, thresholds: Mapping[str, float] | None) -> Trial:
    """All probes searched. Faces that a method failed on are released as they were, and so given away.

    Without ``thresholds`` it has neither histograms nor pairs that are accepted.
    """
    scores = compared.scores.copy()
    gone, eligible = compared.gone, gallery.eligible
    scores[gone] = np.where(gallery.searched[gone], np.float32(-np.inf), np.float32(np.nan))
    scores[~eligible] = np.nan
    best = best_of(scores.astype(np.float64), gallery.person, gallery.people, axis=1)
    own_person = np.where(eligible, gallery.person, -1)
    result = search(best, own_person)
    rank = result.rank + _pushed_back(best, own_person, result.genuine)
    away = compared.error & eligible
    rank = np.where(away, 1.0, rank)
    rank[~(compared.scored & eligible)] = np.nan
    most = float(compared.edges[-1])
    searches = Searches(rank, np.where(away, most, result.genuine), result.stranger)
    return Trial(
        searches,
        gallery.people,
        _permuted(best, gallery, rank, away),
        _person_rank(best, gallery, rank, away),
        None if thresholds is None else _scores(scores, best, searches, gallery, compared.edges),
        {label: _accepted(scores, gallery, away, threshold) for label, threshold in (thresholds or {}).items()},
    )


def first_place(best: Float, person: Ints) -> Float:
    """(N,) 1 where ``person`` comes first in a search of (N, P) scores, 0 where not, NaN where they cannot be found."""
    result = search(best, person)
    first = result.rank + _pushed_back(best, person, result.genuine) == 1
    return np.where(np.isnan(result.rank), np.nan, first)


def _pushed_back(best: Float, person: Ints, genuine: Float) -> Ints:
    """(N,) how many of the people who are exactly as alike as the right one come before it, drawn by chance: where all
    are equal, as in a released gallery of one face for everybody, an attacker can only guess."""
    equal = (best == genuine[:, None]) & np.isfinite(genuine)[:, None]
    equal[np.arange(len(best)), np.maximum(person, 0)] = False
    rng = np.random.default_rng(derive_seed(0, "ties"))
    return np.asarray(rng.integers(0, equal.sum(axis=1), endpoint=True), np.int64)


def _permuted(best: Float, gallery: Gallery, rank: Float, away: Bools) -> Float:
    """People change places: whoever is searched for is somebody who could be named, drawn at random. Faces ``away`` are
    given away as who they are, not as somebody else."""
    people = np.unique(gallery.person[gallery.eligible])
    rows = []
    for order in label_permutations(len(people), PERMUTATIONS):
        other = np.full(gallery.people, -1, np.int64)
        other[people] = people[order]
        person = np.where(gallery.eligible, other[gallery.person], -1)
        first = first_place(best, person)
        first[away & np.isnan(first)] = 0
        rows.append(np.where(np.isnan(rank), np.nan, first))
    return np.array(rows)


def _person_rank(best: Float, gallery: Gallery, rank: Float, away: Bools) -> Float:
    """One photo that was released as it was gives its person away."""
    probes = np.flatnonzero(~np.isnan(rank))
    together = best_of(best[probes], gallery.person[probes], gallery.people, axis=0)
    everybody = np.arange(gallery.people)
    result = search(together, everybody)
    of_person = result.rank + _pushed_back(together, everybody, result.genuine)
    of_person[gallery.person[away & ~np.isnan(rank)]] = 1.0
    return np.asarray(of_person, np.float64)


def _accepted(scores: Floats32, gallery: Gallery, away: Bools, threshold: float) -> Float:
    right = gallery.right & ~np.isnan(scores)
    many = right.sum(axis=1)
    share = np.divide((right & (scores >= threshold)).sum(axis=1), many, out=np.full(len(many), np.nan), where=many > 0)
    return np.full(len(many), np.nan) if np.isnan(threshold) else np.where(away, 1.0, share)


def _scores(scores: Floats32, best: Float, searches: Searches, gallery: Gallery, edges: Float) -> AttackScores:
    probe = np.broadcast_to(gallery.person[:, None], scores.shape)
    compared = ~np.isnan(scores)
    kinds = (gallery.right & compared, ~gallery.right & compared)
    (genuine, own), (impostor, others) = ((scores[kind].astype(np.float64), probe[kind]) for kind in kinds)
    histograms = score_histograms(genuine, own, impostor, others, gallery.people, edges)
    another = np.isfinite(best)
    another[np.arange(len(best)), gallery.person] = False
    probe = np.broadcast_to(gallery.person[:, None], best.shape)
    nobody = np.zeros(0), np.zeros(0, np.int64)
    nearest = score_histograms(*nobody, best[another], probe[another], gallery.people, edges).impostor
    return AttackScores(gallery.person, gallery.people, searches, histograms, nearest)
