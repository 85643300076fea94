"""What an attacker who knows the method reaches: every released face compared with the gallery that the attacker has.

A released face is searched among all people of the data set, each at the entry that is most alike; entries from its
own photo are left out ("another photo"). Faces of unlabelled people are people of their own; copies of one photo under
two names, and unlabelled originals that look like one person, are neither right nor wrong entries (`strangers`). A
score is 1 minus the attack's distance (`attack`): a cosine, -1..1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.evidence import ALL_PEOPLE, Audit, Columns, Evidence, LearnedAttack, found_or_placed
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.stats.error_rates import step_threshold
from unmask.bench.core.stats.histograms import COSINE_EDGES, ScoreHistograms, score_histograms
from unmask.bench.core.stats.identification import Searches, best_of, search
from unmask.bench.core.stats.trust import label_permutations
from unmask.bench.core.types import Bools, Float, Floats32
from unmask.metrics.privacy.attack import Attack, Ints, informed_attack, unit_rows
from unmask.metrics.privacy.strangers import strangers

FMRS: Final = {"1e-2": 1e-2, "1e-3": 1e-3, "1e-4": 1e-4}
LEAST_PAIRS: Final = {"1e-2": 1_000, "1e-3": 10_000, "1e-4": 300_000}
"""Impostor pairs of background people below which a threshold is not measured."""
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
class Trial:
    """One attack's searches of N probes."""

    searches: Searches
    people: int
    """In the gallery."""
    permuted: Float
    """(`PERMUTATIONS`, N) 1 where the probe names a person who is drawn in place of its own."""
    histograms: ScoreHistograms | None
    """Comparisons of photos, by the person of the probe."""
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


def trial_of(evidence: Evidence, learned: LearnedAttack, recogniser: str, fit: str = ALL_PEOPLE) -> Trial | None:
    """The attack by what was learned in ``fit``; ``None`` where nothing was. Worked out once.

    Fits on all people have histograms and thresholds; the others, which only check those, have searches alone.
    """
    key = f"trial {learned.label}/{recogniser} {fit}"
    if key not in evidence.derived:
        gallery = gallery_of(evidence)
        held = informed_attack(evidence, learned, recogniser, fit, gallery.person)
        thresholds = thresholds_of(evidence, learned, recogniser) if of_everybody(fit) and held is not None else None
        evidence.derived[key] = None if held is None else _searched(*held, gallery, thresholds)
    trial: Trial | None = evidence.derived[key]
    return trial


def of_everybody(fit: str) -> bool:
    """Whether it is of all background people, under one seed or another."""
    return fit == ALL_PEOPLE or fit.startswith("again/")


def _searched(attack: Attack, own: Float | None, gallery: Gallery, thresholds: Mapping[str, float] | None) -> Trial:
    """All probes searched. Faces that a method failed on are released as they were, and so given away.

    ``own``: (N,) distances to the own person's entry, where that is one template without the probe's photo.
    """
    blocks = [1 - block for _, block in attack.blocks()]
    scores = np.concatenate(blocks) if blocks else np.zeros((0, 0), np.float32)
    scores = np.where(gallery.searched & attack.readable, scores, np.float32(np.nan))
    if own is not None:
        scores = np.where(gallery.right, (1 - own)[:, None], scores).astype(np.float32)
    scores[attack.gone] = np.where(gallery.searched[attack.gone], np.float32(-np.inf), np.float32(np.nan))
    scores[~gallery.eligible] = np.nan
    best = best_of(scores.astype(np.float64), gallery.person, gallery.people, axis=1)
    own_person = np.where(gallery.eligible, gallery.person, -1)
    result = search(best, own_person)
    rank = result.rank + _pushed_back(best, own_person, result.genuine)
    away = attack.error & gallery.eligible
    rank = np.where(away, 0.0, rank)
    rank[~(attack.scored & gallery.eligible)] = np.nan
    searches = Searches(rank, np.where(away, 1.0, result.genuine), result.stranger)
    permuted = _permuted(best, gallery, rank)
    if thresholds is None:
        return Trial(searches, gallery.people, permuted, None, {})
    accepted = {label: _accepted(scores, gallery, away, threshold) for label, threshold in thresholds.items()}
    return Trial(searches, gallery.people, permuted, _histograms(scores, gallery), accepted)


def _pushed_back(best: Float, person: Ints, genuine: Float) -> Ints:
    """(N,) how many of the people who are exactly as alike as the right one come before it, drawn by chance: where all
    are equal, as in a released gallery of one face for everybody, an attacker can only guess."""
    equal = (best == genuine[:, None]) & np.isfinite(genuine)[:, None]
    equal[np.arange(len(best)), np.maximum(person, 0)] = False
    rng = np.random.default_rng(derive_seed(0, "ties"))
    return np.asarray(rng.integers(0, equal.sum(axis=1), endpoint=True), np.int64)


def _permuted(best: Float, gallery: Gallery, rank: Float) -> Float:
    """People change places: whoever is searched for is somebody who could be named, drawn at random."""
    people = np.unique(gallery.person[gallery.eligible])
    rows = []
    for order in label_permutations(len(people), PERMUTATIONS):
        other = np.full(gallery.people, -1, np.int64)
        other[people] = people[order]
        person = np.where(gallery.eligible, other[gallery.person], -1)
        rows.append(np.where(np.isnan(rank), np.nan, _first(best, person)))
    return np.array(rows)


def _accepted(scores: Floats32, gallery: Gallery, away: Bools, threshold: float) -> Float:
    right = gallery.right & ~np.isnan(scores)
    many = right.sum(axis=1)
    share = np.divide((right & (scores >= threshold)).sum(axis=1), many, out=np.full(len(many), np.nan), where=many > 0)
    return np.full(len(many), np.nan) if np.isnan(threshold) else np.where(away, 1.0, share)


def _histograms(scores: Floats32, gallery: Gallery) -> ScoreHistograms:
    probe = np.broadcast_to(gallery.person[:, None], scores.shape)
    compared = ~np.isnan(scores)
    kinds = (gallery.right & compared, ~gallery.right & compared)
    (genuine, own), (impostor, others) = ((scores[kind].astype(np.float64), probe[kind]) for kind in kinds)
    return score_histograms(genuine, own, impostor, others, gallery.people, COSINE_EDGES)


def thresholds_of(evidence: Evidence, learned: LearnedAttack, recogniser: str) -> dict[str, float]:
    """FMR -> the lowest score at which no larger share of comparisons takes a background person's released face for
    somebody else; NaN with fewer than `LEAST_PAIRS`. Each fold is read by the fit that has not seen its people. Worked
    out once."""
    key = f"thresholds {learned.label}/{recogniser}"
    if key not in evidence.derived:
        evidence.derived[key] = _thresholds(evidence.audit, learned, recogniser)
    thresholds: dict[str, float] = evidence.derived[key]
    return thresholds


def _thresholds(audit: Audit | None, learned: LearnedAttack, recogniser: str) -> dict[str, float]:
    pieces = [np.zeros(0)]
    if audit is not None and (recogniser, learned.view) in audit.background:
        for fold in np.unique(audit.fold).tolist():
            fit = f"fold/{fold}" if learned.learns(recogniser) else ALL_PEOPLE
            if not learned.problem(recogniser, fit):
                pieces.append(_impostors(audit, learned, recogniser, fit, np.flatnonzero(audit.fold == fold)))
    distances = np.sort(np.concatenate(pieces))
    everything = np.arange(1, len(distances) + 1, dtype=np.float64)
    return {
        label: 1 - step_threshold(distances, everything, fmr * len(distances))
        if len(distances) >= LEAST_PAIRS[label]
        else float("nan")
        for label, fmr in FMRS.items()
    }


def _impostors(audit: Audit, learned: LearnedAttack, recogniser: str, fit: str, rows: NDArray[Any]) -> Float:
    """Distances of released faces to the gallery entries of others, among the background faces ``rows``."""
    distance, identity = background_distances(audit, learned, recogniser, fit, rows)
    others = identity[:, None] != identity[None, :]
    values: Float = distance[others & np.isfinite(distance)].astype(np.float64)
    return values


def background_distances(
    audit: Audit, learned: LearnedAttack, recogniser: str, fit: str, rows: NDArray[Any]
) -> tuple[Floats32, NDArray[np.str_]]:
    """(K, K) distances of what was released of background faces ``rows`` to the attacker's gallery of them, NaN = not
    comparable, and who they are. A released gallery is of the very same releases: one's own entry, which would be the
    probe itself, is left to the caller."""
    background = audit.background[recogniser, learned.view]
    released = {name: values[rows] for name, values in background.released.items()}
    entries: Columns = {"embedding": background.original["embedding"][rows]}
    again = learned.card.gallery == "released"
    if again:
        entries = {"embedding": found_or_placed(released)}
    gallery = unit_rows(learned.read(recogniser, entries, released=again, fit=fit)["embedding"])
    candidates = [unit_rows(c) for c in learned.read(recogniser, released, released=True, fit=fit).values()]
    distance = np.fmin.reduce([1 - c @ gallery.T for c in candidates])
    return np.asarray(distance, np.float32), background.identity[rows]


def named_in_background(
    evidence: Evidence, learned: LearnedAttack, recogniser: str, fit: str, *, permuted: bool = False
) -> tuple[Float, Ints]:
    """(M,) 1 where the attacker names a background face's person by another photo of theirs, 0 where not, NaN where
    there is none: on the very people that it learned from. And (M,) a number for each one's person.

    ``permuted``: somebody else, drawn by chance, is searched for in everybody's place; the mean of `PERMUTATIONS`.
    """
    audit = evidence.audit
    if audit is None or (recogniser, learned.view) not in audit.background or learned.problem(recogniser, fit):
        return np.zeros(0), np.zeros(0, np.int64)
    identity = audit.background[recogniser, learned.view].identity
    distance, _ = background_distances(audit, learned, recogniser, fit, np.arange(len(identity)))
    np.fill_diagonal(distance, np.nan)
    names, person = np.unique(identity, return_inverse=True)
    best = best_of(1 - distance.astype(np.float64), person, len(names), axis=1)
    if not permuted:
        return _first(best, person), person.astype(np.int64)
    orders = label_permutations(len(names), PERMUTATIONS)
    return np.mean([_first(best, order[person]) for order in orders], axis=0), person.astype(np.int64)


def _first(best: Float, person: Ints) -> Float:
    """(N,) 1 where ``person`` comes first in a search, 0 where not, NaN where they cannot be found."""
    result = search(best, person)
    first = result.rank + _pushed_back(best, person, result.genuine) == 1
    return np.where(np.isnan(result.rank), np.nan, first)
