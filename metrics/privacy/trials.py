"""What an attacker who knows the method reaches by each recogniser, and by all of them fused.

How released faces are searched: `searching`. What fuses recognisers, and the thresholds at which pairs are accepted,
come from comparisons of background people with whom no fit has met: each fold by person is read by the fit without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.errors import UnavailableError
from unmask.bench.core.evidence import ALL_PEOPLE, Audit, Columns, Evidence, LearnedAttack, found_or_placed
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.stats.error_rates import step_threshold
from unmask.bench.core.stats.fusion import FUSED, Fusion
from unmask.bench.core.stats.identification import best_of
from unmask.bench.core.stats.trust import label_permutations
from unmask.bench.core.types import Bools, Float, Floats32
from unmask.metrics.privacy.attack import Ints, unit_rows
from unmask.metrics.privacy.searching import (
    PERMUTATIONS,
    Trial,
    compared_by,
    first_place,
    fused_comparisons,
    fused_scores,
    gallery_of,
    searched,
)

FMRS: Final = {"1e-2": 1e-2, "1e-3": 1e-3, "1e-4": 1e-4}
LEAST_PAIRS: Final = {"1e-2": 1_000, "1e-3": 10_000, "1e-4": 300_000}
"""Impostor pairs of background people below which a threshold is not measured."""
SHUFFLED: Final = "shuffled/0"
"""The fit to released faces that were given to other people."""


@dataclass(frozen=True, slots=True)
class Unseen:
    """T comparisons of background people's released faces with an attacker's gallery of the people of the same fold, by
    a fit that has seen neither; a face is not compared with its own photo."""

    distance: Mapping[str, Floats32]
    """Recogniser -> (T,), NaN = not comparable."""
    own: Bools
    """(T,) both are of one person."""
    shuffled: Bools
    """(T,) the same where the people of a fold have changed places."""
    fold: Ints
    """(T,)"""


@dataclass(frozen=True, slots=True)
class Groundwork:
    """What an attacker takes from `Unseen` comparisons."""

    thresholds: Mapping[str, Mapping[str, float]]
    """Channel -> FMR -> the lowest score at which no larger share of comparisons takes a background person's released
    face for somebody else; NaN with fewer than `LEAST_PAIRS`."""
    fusion: Fusion | None
    """How recognisers are fused; ``None`` = they are not."""
    shuffled: Fusion | None
    """The same, learned of people who have changed places."""
    problem: str
    """Why several recognisers are not fused; '' = they are, or there is only one."""


def usable(evidence: Evidence, learned: LearnedAttack) -> list[str]:
    """The recognisers by which an attacker can attack."""
    again = learned.card.gallery == "released"
    audit = evidence.audit
    return [
        name
        for name in learned.recognisers
        if audit is not None and not learned.problem(name) and (not again or name in audit.again)
    ]


def of_everybody(fit: str) -> bool:
    """Whether it is of all background people, under one seed or another."""
    return fit == ALL_PEOPLE or fit.startswith("again/")


def trials_of(evidence: Evidence, learned: LearnedAttack, groundwork: Groundwork) -> dict[str, dict[str, Trial]]:
    """Channel -> fit -> the attack by what was learned in it.

    Fits on all people have histograms and thresholds; the others, which only check those, have searches alone.
    """
    names = usable(evidence, learned)
    fits = dict.fromkeys(fit for name in names for fit in learned.fits(name) if not fit.startswith("fold/"))
    gallery = gallery_of(evidence)
    trials: dict[str, dict[str, Trial]] = {}
    for fit in fits:
        by_name = {name: compared_by(evidence, learned, name, fit) for name in names if fit in learned.fits(name)}
        channels = {name: each for name, each in by_name.items() if each is not None}
        fusion = groundwork.shuffled if fit == SHUFFLED else groundwork.fusion
        fused = None if fusion is None else fused_comparisons(channels, fusion)
        for channel, compared in [*channels.items(), *([(FUSED, fused)] if fused is not None else [])]:
            thresholds = groundwork.thresholds[channel] if of_everybody(fit) else None
            trials.setdefault(channel, {})[fit] = searched(compared, gallery, thresholds)
    return trials


def groundwork_of(evidence: Evidence, learned: LearnedAttack) -> Groundwork:
    """What an attacker takes from background people's comparisons, for all channels."""
    names = usable(evidence, learned)
    unseen = _unseen(evidence.audit, learned, names)
    thresholds = {
        name: {label: 1 - value for label, value in _accepted_distances(values[~unseen.own]).items()}
        for name, values in unseen.distance.items()
    }
    if len(names) < 2:
        return Groundwork(thresholds, None, None, "")
    scores = {name: 1 - values for name, values in unseen.distance.items()}
    try:
        fusion, shuffled = (_fusion(scores, own) for own in (unseen.own, unseen.shuffled))
    except UnavailableError as error:
        return Groundwork(thresholds, None, None, str(error))
    # The fusion whose scores a threshold is of must not have met the people of it either.
    pieces = [np.zeros(0, np.float32)]
    for fold in np.unique(unseen.fold):
        inside = unseen.fold == fold
        try:
            without = _fusion({name: values[~inside] for name, values in scores.items()}, unseen.own[~inside])
        except UnavailableError:
            continue
        impostors = inside & ~unseen.own
        pieces.append(-fused_scores(without, {name: values[impostors] for name, values in scores.items()}))
    fused = {label: -value for label, value in _accepted_distances(np.concatenate(pieces)).items()}
    return Groundwork({**thresholds, FUSED: fused}, fusion, shuffled, "")


def _fusion(scores: Mapping[str, Floats32], own: Bools) -> Fusion:
    """Of (T,) comparisons."""
    return Fusion.fit({name: values[None] for name, values in scores.items()}, own[None])


def _unseen(audit: Audit | None, learned: LearnedAttack, names: list[str]) -> Unseen:
    """Where there are no background people T = 0."""
    nothing = np.zeros(0, np.float32)
    distance: dict[str, list[Floats32]] = {name: [nothing] for name in names}
    own, shuffled, folds = [np.zeros(0, np.bool_)], [np.zeros(0, np.bool_)], [np.zeros(0, np.int64)]
    read = [] if audit is None else [name for name in names if (name, learned.view) in audit.background]
    for fold in np.unique(audit.fold).tolist() if audit is not None and read else ():
        assert audit is not None
        rows = np.flatnonzero(audit.fold == fold)
        apart = ~np.eye(len(rows), dtype=np.bool_)
        for name in names:
            fit = f"fold/{fold}" if learned.learns(name) else ALL_PEOPLE
            block = np.full(apart.shape, np.nan, np.float32)
            if name in read and not learned.problem(name, fit):
                block = background_distances(audit, learned, name, fit, rows)[0]
            distance[name].append(block[apart])
        identity = audit.background[read[0], learned.view].identity[rows]
        people, person = np.unique(identity, return_inverse=True)
        (order,) = label_permutations(len(people), 1, derive_seed(fold, "places"))
        own.append((person[:, None] == person[None, :])[apart])
        shuffled.append((order[person][:, None] == person[None, :])[apart])
        folds.append(np.full(int(apart.sum()), fold, np.int64))
    columns = {name: np.concatenate(pieces) for name, pieces in distance.items()}
    return Unseen(columns, np.concatenate(own), np.concatenate(shuffled), np.concatenate(folds))


def _accepted_distances(distances: Floats32) -> dict[str, float]:
    """FMR -> the largest distance that no larger share of (T,) impostors' reaches."""
    ordered = np.sort(distances[np.isfinite(distances)].astype(np.float64))
    everything = np.arange(1, len(ordered) + 1, dtype=np.float64)
    return {
        label: step_threshold(ordered, everything, fmr * len(ordered))
        if len(ordered) >= LEAST_PAIRS[label]
        else float("nan")
        for label, fmr in FMRS.items()
    }


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
    evidence: Evidence, learned: LearnedAttack, fit: str, fusion: Fusion | None, *, permuted: bool = False
) -> tuple[dict[str, Float], Ints]:
    """By channel (M,) 1 where the attacker names a background face's person by another photo of theirs, 0 where not,
    NaN where there is none: on the very people that it learned from. And (M,) a number for each one's person.

    ``permuted``: somebody else, drawn by chance, is searched for in everybody's place; the mean of `PERMUTATIONS`.
    """
    audit = evidence.audit
    names = [name for name in usable(evidence, learned) if learned.learns(name) and not learned.problem(name, fit)]
    names = [name for name in names if audit is not None and (name, learned.view) in audit.background]
    if audit is None or not names:
        return {}, np.zeros(0, np.int64)
    identity = audit.background[names[0], learned.view].identity
    people, person = np.unique(identity, return_inverse=True)
    orders = label_permutations(len(people), PERMUTATIONS)
    distances: dict[str, Floats32] = {}
    for name in names:
        distances[name], _ = background_distances(audit, learned, name, fit, np.arange(len(identity)))
        np.fill_diagonal(distances[name], np.nan)
    if fusion is not None:
        distances[FUSED] = -fused_scores(fusion, {name: 1 - values for name, values in distances.items()})
    named = {}
    for channel, values in distances.items():
        best = best_of(-values.astype(np.float64), person, len(people), axis=1)
        first = [first_place(best, order[person]) for order in orders] if permuted else [first_place(best, person)]
        named[channel] = np.mean(first, axis=0)
    return named, person.astype(np.int64)
