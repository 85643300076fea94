"""The privacy audit: whom attackers name who know the method, how far that is from guessing, and what may be believed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import ClassVar, Final

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import ALL_PEOPLE, Evidence, LearnedAttack
from unmask.bench.core.headlines import WORST
from unmask.bench.core.protocols import AUDIT
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.stats.identification import cmc
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import AttackRecord, SetStatistic, UnitValues
from unmask.metrics.privacy.trials import FMRS, Gallery, Trial, gallery_of, rank1_of_background, trial_of

RANKS: Final = (1, 5, 10)
MOST_RANKS: Final = 50
"""Of the CMC."""
IGNORANT: Final = "ignorant"
SHUFFLED: Final = "shuffled/0"


@dataclass(frozen=True)
class Attempt:
    """One attacker by one recogniser, on the release and on the control."""

    evidence: Evidence
    learned: LearnedAttack
    recogniser: str

    @property
    def name(self) -> str:
        return f"{self.learned.label}/{self.recogniser}"

    @cached_property
    def fits(self) -> list[str]:
        """Those on all background people, under one seed or several."""
        return [fit for fit in self.learned.fits(self.recogniser) if fit == ALL_PEOPLE or fit.startswith("again/")]

    @cached_property
    def trained(self) -> list[Trial]:
        trials = (trial_of(self.evidence, self.learned, self.recogniser, fit) for fit in self.fits)
        return [trial for trial in trials if trial is not None]

    @cached_property
    def trial(self) -> Trial | None:
        """By the fit that names most: whoever attacks would take that one."""
        if not self.trained:
            return None
        best = max(range(len(self.trained)), key=lambda k: _mean(named(self.trained[k])))
        return trial_of(self.evidence, self.learned, self.recogniser, self.fits[best], whole=True)

    @cached_property
    def floor(self) -> Float:
        """(N,) share of searches that name the person looked for where nothing can be known."""
        shuffled = trial_of(self.evidence, self.learned, self.recogniser, SHUFFLED) or self.trained[0]
        return shuffled.floor

    @property
    def problem(self) -> str:
        """Why it could not be tried; ''."""
        if self.trained:
            return ""
        return self.learned.problem(self.recogniser) or "the method cannot be run by an attacker"

    def share(self, fit: str) -> float:
        trial = trial_of(self.evidence, self.learned, self.recogniser, fit)
        return math.nan if trial is None else _mean(named(trial))


def named(trial: Trial) -> Float:
    """(N,) 1 where the right person comes first, 0 where not; NaN = not searched."""
    return _within(trial, 1)


def _within(trial: Trial, k: int) -> Float:
    return np.where(np.isnan(trial.searches.rank), np.nan, trial.searches.rank <= k)


def _mean(values: Float) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else math.nan


def attempts(evidence: Evidence) -> list[Attempt]:
    """Every attacker by every recogniser. Worked out once."""
    if "attempts" not in evidence.derived:
        audit = evidence.audit
        evidence.derived["attempts"] = (
            [Attempt(evidence, learned, name) for learned in audit.attacks for name in evidence.recognisers]
            if audit is not None
            else []
        )
    shared: list[Attempt] = evidence.derived["attempts"]
    return shared


def counterpart(attempt: Attempt) -> Attempt:
    """The same attack on the control: on un-anonymized photos."""
    control = attempt.evidence.control or attempt.evidence
    return next(each for each in attempts(control) if each.name == attempt.name)


def doubts(attempt: Attempt) -> tuple[str, ...]:
    """Why what an attack reached may not be believed, a sentence each."""
    ceiling = counterpart(attempt)
    reasons = []
    if ceiling.trial is None:
        return ("it could not be tried on un-anonymized photos",)
    of_ceiling, of_ignorant = (_mean(named(trial)) for trial in (ceiling.trial, _ignorant(ceiling).trial) if trial)
    if not of_ceiling > _LEAST_CEILING * of_ignorant:
        reasons.append(
            f"on un-anonymized photos it names {of_ceiling:.0%} where the recogniser alone names {of_ignorant:.0%}"
        )
    learns = SHUFFLED in attempt.learned.fits(attempt.recogniser) and bool(attempt.learned_anything)
    if learns:
        own = rank1_of_background(attempt.evidence, attempt.learned, attempt.recogniser)
        nothing = rank1_of_background(attempt.evidence, attempt.learned, attempt.recogniser, SHUFFLED)
        if not own > nothing + _LEAST_LEARNED:
            reasons.append(
                f"it learned nothing: of the people that it learned from it names {own:.0%}, with shuffled labels "
                f"{nothing:.0%}"
            )
    return (*reasons, *_worse_than_ignorant(attempt))
