"""The privacy audit: whom attackers name who know the method. What of it may be believed, and how far it is from
guessing, is judged where intervals are made (`bench.run.figures.audited`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Final

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import ALL_PEOPLE, Evidence, LearnedAttack
from unmask.bench.core.stats.disclosure import expected_disclosure
from unmask.bench.core.stats.fusion import FUSED
from unmask.bench.core.stats.histograms import people_weights
from unmask.bench.core.stats.identification import open_set
from unmask.bench.core.stats.linkability import binned_linkability, cross_linkability
from unmask.bench.core.types import Float
from unmask.bench.core.values import AUDIT, AttackTrial, SetStatistic, UnitValues
from unmask.metrics.privacy.attack import Ints
from unmask.metrics.privacy.audit_cards import CARDS, FPIR, PERSON, RANKS
from unmask.metrics.privacy.searching import Gallery, Trial, gallery_of
from unmask.metrics.privacy.trials import (
    FMRS,
    SHUFFLED,
    groundwork_of,
    named_in_background,
    of_everybody,
    trials_of,
)

_NOT_COMPARED: Final = {
    "originals": "what it looks at was not read",
    "released": "there are no outputs of the gallery's photos under another seed to compare with",
}


class AuditedAttacks:
    """Every attacker who knows the method, by every recogniser and by all of them fused: searches, error rates,
    linkability, disclosure."""

    needs: ClassVar[tuple[str, ...]] = (AUDIT, "role:recogniser")
    default: ClassVar[bool] = False
    cards: ClassVar[tuple[MetricCard, ...]] = CARDS

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | SetStatistic | AttackTrial]:
        """Nothing without an audit; else a trial for each attacker and channel, and its numbers."""
        audit = evidence.audit
        for learned in audit.attacks if audit is not None else ():
            yield from _asked(evidence, learned)


@dataclass(frozen=True, slots=True)
class _Own:
    """How an attacker does on the people that it learned from: by channel (M,), and (M,) who they are."""

    named: Mapping[str, Float]
    floor: Mapping[str, Float]
    person: Ints


def _asked(evidence: Evidence, learned: LearnedAttack) -> Iterator[UnitValues | SetStatistic | AttackTrial]:
    groundwork = groundwork_of(evidence, learned)
    trials = trials_of(evidence, learned, groundwork)
    named, person = named_in_background(evidence, learned, ALL_PEOPLE, groundwork.fusion)
    floor, _ = named_in_background(evidence, learned, SHUFFLED, groundwork.shuffled, permuted=True)
    fuses = groundwork.fusion is not None or groundwork.problem
    for channel in [*learned.recognisers, *([FUSED] if fuses else [])]:
        trained = [trial for fit, trial in trials.get(channel, {}).items() if of_everybody(fit)]
        if not trained:
            problem = groundwork.problem if channel == FUSED else learned.problem(channel)
            problem = problem or _NOT_COMPARED[learned.card.gallery]
            yield AttackTrial(learned.label, channel, learned.card.explains, problem)
            continue
        trial = _trial(evidence, learned, channel, trials[channel], _Own(named, floor, person))
        yield replace(trial, thresholds=groundwork.thresholds[channel])
        yield from _numbers(evidence, trained[trial.best], trial)


def _trial(
    evidence: Evidence, learned: LearnedAttack, channel: str, trials: Mapping[str, Trial], own: _Own
) -> AttackTrial:
    trained = [trial for fit, trial in trials.items() if of_everybody(fit)]
    names = learned.recognisers if channel == FUSED else [channel]
    shares = [fit for fit in dict.fromkeys(fit for name in names for fit in learned.fits(name)) if "share/" in fit]
    missing = np.full(len(evidence.faces), np.nan)
    of_own = own.named.get(channel, np.zeros(0))
    trial = AttackTrial(
        learned.label,
        channel,
        learned.card.explains,
        successes=_successes(evidence, f"{learned.label}/{channel}", trained),
        permuted=trials.get(SHUFFLED, trained[0]).permuted,
        shares={
            float(fit.removeprefix("share/")): _within(trials[fit], 1) if fit in trials else missing for fit in shares
        },
        psnr_released=_restored(evidence, learned.label, "psnr_released"),
        psnr=_restored(evidence, learned.label, "psnr"),
        learns=any(map(learned.learns, names)),
        drawn=learned.card.by_chance,
        own=of_own,
        own_floor=own.floor.get(channel, np.full(len(of_own), np.nan)),
        own_person=own.person[: len(of_own)],
    )
    return replace(trial, scores=trained[trial.best].scores)


def _restored(evidence: Evidence, attacker: str, column: str) -> float:
    columns = evidence.audit.restored.get(attacker, {}) if evidence.audit is not None else {}
    values = columns.get(column, np.zeros(0))
    there = values[np.isfinite(values)].astype(np.float64)
    return float(there.mean()) if len(there) else math.nan


def _successes(evidence: Evidence, name: str, trained: Sequence[Trial]) -> dict[str, tuple[UnitValues, ...]]:
    """Metric -> each training's."""
    eligible = gallery_of(evidence).eligible
    successes = {}
    for k in RANKS:
        chance = min(k / trained[0].people, 1.0) if trained[0].people else None
        successes[f"attack_rank{k}"] = tuple(
            UnitValues(f"attack_rank{k}", name, _within(trial, k), eligible=eligible, share=True, chance=chance)
            for trial in trained
        )
    # Of each person, at the first face that is asked about.
    person, people = gallery_of(evidence).person, trained[0].people
    faces = np.flatnonzero(eligible)
    first = faces[np.unique(person[faces], return_index=True)[1]]
    once = np.zeros(len(eligible), np.bool_)
    once[first] = True
    chance = 1 / people if people else None
    successes[PERSON] = tuple(
        UnitValues(
            PERSON,
            name,
            np.where(once, _among(trial.person_rank, 1)[person], np.nan),
            eligible=once,
            share=True,
            chance=chance,
        )
        for trial in trained
    )
    return successes


def _mean(values: Float, weights: Float) -> Float:
    """(R, N) weights of those that there are -> (R,)."""
    total = weights.sum(axis=-1)
    return np.asarray(np.divide(weights @ values, total, out=np.full(total.shape, np.nan), where=total > 0))


def _by_person(compute: Callable[[Float], Float], gallery: Gallery, weights: Float) -> Float:
    """(R, N) weights of faces -> (R,) what is computed under those of their people."""
    return compute(people_weights(weights, gallery.person, gallery.people))


def _one(every: Callable[[Float], Float], weights: Float) -> float:
    return float(every(weights))


def _within(trial: Trial, k: int) -> Float:
    """(N,) 1 where the right person is among the first ``k``, 0 where not; NaN = not searched."""
    return _among(trial.searches.rank, k)


def _among(rank: Float, k: int) -> Float:
    return np.where(np.isnan(rank), np.nan, rank <= k)


def _numbers(evidence: Evidence, trial: Trial, attack: AttackTrial) -> Iterator[UnitValues | SetStatistic]:
    """Of the best training."""
    assert trial.scores is not None
    histograms, name = trial.scores.histograms, attack.instrument
    eligible = gallery_of(evidence).eligible
    yield from (several[attack.best] for several in attack.successes.values())
    for label, fmr in FMRS.items():
        values = trial.accepted[label]
        there = np.asarray(np.isfinite(values), np.bool_)
        every = partial(_mean, np.where(there, values, 0.0))
        yield SetStatistic(
            f"attack_tar@{label}",
            name,
            partial(_one, every),
            there,
            eligible=eligible,
            chance=fmr,
            share=True,
            compute_all=every,
        )
    scored = np.asarray(~np.isnan(trial.searches.rank), np.bool_)
    statistics: dict[str, Callable[[Float], Float]] = {
        "attack_eer": lambda people: histograms.equal_error_rate(people).value,
        "attack_fnir": lambda weights: open_set(trial.searches, FPIR, weights=weights).fnir,
        "linkability": partial(binned_linkability, histograms),
        "linkability_crossed": partial(cross_linkability, histograms, seed=evidence.settings.seed),
        "disclosure_expected": partial(expected_disclosure, histograms),
    }
    for metric, compute in statistics.items():
        by_person = metric != "attack_fnir"
        compute_all = partial(_by_person, compute, gallery_of(evidence)) if by_person else compute
        yield SetStatistic(
            metric,
            name,
            partial(_one, compute_all),
            scored,
            eligible=eligible,
            resampling="jackknife" if metric == "linkability_crossed" else "bootstrap",
            chance={"attack_eer": 0.5, "attack_fnir": 1 - FPIR / trial.people if trial.people else None}.get(metric),
            share=metric in ("attack_eer", "attack_fnir"),
            compute_all=compute_all,
            subgroups=False,
        )
