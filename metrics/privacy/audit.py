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
from unmask.metrics.privacy.searching import Gallery, Trial, gallery_of
from unmask.metrics.privacy.trials import (
    FMRS,
    LEAST_PAIRS,
    SHUFFLED,
    groundwork_of,
    named_in_background,
    of_everybody,
    trials_of,
)

RANKS: Final = (1, 5, 10)
FPIR: Final = 0.1
_ATTACK: Final = (
    "An attacker who has the method (its card says what it learns, from background people who are not tested) "
    "searches each released face among all people of the data set, each at the entry that is most alike, its own photo "
    "left out; by each recogniser, and by all of them fused with weights from background people. "
)
_JUDGED: Final = (
    " Not printed where the attack may not be believed: it fails on un-anonymized photos, learned nothing, or does "
    "worse than the recogniser alone."
)
_CARD = partial(MetricCard, version="1", family="audit", direction="lower", unit="share", bounds=(0.0, 1.0))


def _rank_card(k: int) -> MetricCard:
    return _CARD(
        name=f"attack_rank{k}",
        title=f"Named {'first' if k == 1 else f'among {k}'}",
        question=f"How often is the right person among the {k} most alike, to an attacker who knows the method?",
        how=f"{_ATTACK}The share of searches whose right person is among the first {k}; ties are broken by chance. "
        f"Of an attacker into which chance enters that is the training which names most of the people tested, which "
        f"flatters it a little. ``worst``: the strongest attack that may be believed, each training one of its own, "
        f"chosen on one half of the people and measured on the other, ten halvings, both ways. Interval: bootstrap "
        f"over people.{_JUDGED}",
        source="ISO/IEC 19795-1 (closed-set identification); Srivastava et al. 2020 (attackers by what they know)",
        limits="Depends on the number of people searched: compare within one data set only. The attackers are those "
        "that were tried; a better one may exist.",
        headline=18 if k == 1 else None,
    )


def _tar_card(label: str) -> MetricCard:
    return _CARD(
        name=f"attack_tar@{label}",
        title=f"Verified by an informed attacker (FMR {label})",
        question=f"How many pairs of one person does an attacker who knows the method accept at FMR {label}?",
        how=f"{_ATTACK}The share of each face's pairs with other photos of the person whose score is at or above a "
        f"threshold, each face once. The threshold is of background people that the attacker was not fitted on (five "
        f"folds by person), at least {LEAST_PAIRS[label]:,} impostor pairs, else it is not measured.{_JUDGED}",
        source="ISO/IEC 19795-1 (TAR = 1 - FNMR)",
        limits="The threshold of a released gallery is of pairs under one seed.",
    )


_CARDS: Final = (
    *(_rank_card(k) for k in RANKS),
    _CARD(
        name="residual_risk",
        title="Residual risk",
        unit="ratio",
        bounds=(None, None),
        question="How far does the strongest attack come from guessing to naming everybody that can be named?",
        how="(attack - floor) / (ceiling - floor) of the share named first: the floor is the same attack with permuted "
        "labels, before the strongest is chosen; the ceiling is the strongest attack on un-anonymized photos. 0 = as "
        "good as guessing, 1 = as if nothing had been done; as it comes, below 0 and above 1 too.",
        source="unmask; in the spirit of Gomez-Barrero et al. 2018 and Nautsch et al. 2020",
        limits="Holds for the attackers that were tried and for galleries of this size.",
        headline=19,
    ),
    *(_tar_card(label) for label in FMRS),
    _CARD(
        name="attack_eer",
        direction="higher",
        title="Equal error rate of an informed attacker",
        question="How often does a verifier who knows the method err?",
        how=f"{_ATTACK}FMR = FNMR over the comparisons of photos, from histograms of 0.01 in score.{_JUDGED}",
        source="ISO/IEC 19795-1",
        limits="One operating point far from those in use.",
    ),
    _CARD(
        name="attack_fnir",
        direction="higher",
        title=f"Missed in an open search (FPIR {FPIR:g})",
        question="How often does an attacker miss somebody without knowing whether they are in the gallery at all?",
        how=f"{_ATTACK}FNIR at the lowest threshold at which at most {FPIR:.0%} of searches of somebody who is not "
        f"in the gallery return anybody.{_JUDGED}",
        source="ISO/IEC 19795-1 (open-set identification)",
        limits="The threshold is of these very searches.",
    ),
    _CARD(
        name="linkability",
        title="Linkability D_sys, as published",
        question="How sure can an attacker be that two faces belong to one person?",
        how=f"{_ATTACK}D_sys of mated and non-mated scores by histograms, prior ratio 1.{_JUDGED}",
        source="Gomez-Barrero, Galbally, Rathgeb, Busch: IEEE TIFS 13(6), 2018, eq. 7 to 10",
        limits="Biased upwards with few comparisons: read the cross-fitted estimate beside it.",
    ),
    _CARD(
        name="linkability_crossed",
        title="Linkability D_sys, cross-fitted",
        unit="ratio",
        bounds=(None, 1.0),
        question="The same without the luck of small samples?",
        how=f"{_ATTACK}Densities from one half of the people, the measure averaged over the other, ten halvings, both "
        f"ways. Interval: jackknife over people.{_JUDGED}",
        source="unmask, after Gomez-Barrero et al. 2018",
        limits="May be slightly below 0.",
    ),
    _CARD(
        name="disclosure_expected",
        title="Expected disclosure (ZEBRA)",
        unit="bits",
        bounds=(0.0, None),
        question="How much does a comparison tell an attacker on average?",
        how=f"{_ATTACK}Expected privacy disclosure from PAV-calibrated log-likelihood ratios, 0 to 0.72 bits; the "
        f"worst case and its tag stand on the page of the attackers.{_JUDGED}",
        source="Nautsch et al.: The Privacy ZEBRA, Interspeech 2020",
        limits="PAV on few comparisons flatters the attacker slightly.",
    ),
)


class AuditedAttacks:
    """Every attacker who knows the method, by every recogniser and by all of them fused: searches, error rates,
    linkability, disclosure."""

    needs: ClassVar[tuple[str, ...]] = (AUDIT, "role:recogniser")
    default: ClassVar[bool] = False
    cards: ClassVar[tuple[MetricCard, ...]] = _CARDS

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
            problem = problem or "the method cannot be run by an attacker"
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
    return np.where(np.isnan(trial.searches.rank), np.nan, trial.searches.rank <= k)


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
