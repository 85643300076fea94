"""What a metric must be (`Metric`), what it yields (`UnitValues`, `SetStatistic`), what is made of it (`Estimate`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.stats.histograms import ScoreHistograms
from unmask.bench.core.stats.identification import Searches
from unmask.bench.core.types import Bools, Float, Region, Unit

CLIPS: Final = "clips"
"""Among a metric's ``needs``: only clips can answer it, since it asks about time, tracks or people."""
AUDIT: Final = "audit"
"""The same: only an audit can answer it, since it asks about attackers who know the method."""


class Metric(Protocol):
    """A question asked of stored readings. Pure arithmetic, no networks.

    One whose class has ``default = False`` is asked only where it is named, or in an audit.
    """

    cards: ClassVar[tuple[MetricCard, ...]]
    """One card for each metric name it yields."""
    needs: ClassVar[tuple[str, ...]]
    """Instrument names, ``role:recogniser`` for every selected instrument of a role, `CLIPS` or `AUDIT`."""

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | SetStatistic | Histogram | Finding | AttackTrial]:
        """Values for one method on one data set."""


@dataclass(frozen=True, slots=True)
class UnitValues:
    """A metric that has a value for each face (or image); its estimate is their mean."""

    metric: str
    instrument: str
    """The instrument or variant that measured, e.g. ``sface``, ``standard``, ``thesis-compat``."""
    values: Float
    """(N,) in the evidence's order; NaN = could not be scored, and counted as such. Shares are 0.0 / 1.0."""
    region: Region = "face"
    unit: Unit = "face"
    eligible: Bools | None = None
    """(N,) units the question is about; ``None`` = all. Ineligible units are neither scored nor unscored."""
    share: bool = False
    """True where values are 0/1 (or averages or differences of such), so that an all-0 or all-1 sample still gets an
    honest interval."""
    chance: float | None = None
    """What a guess without evidence would score, where it follows from the question (rank-k: k over the gallery)."""
    chance_values: Float | None = None
    """(N,) what each unit would score if it had nothing to do with its original, where that is measured, e.g. 1 minus
    the share of strangers' originals that an output matches; NaN = not measured. Their mean is the chance, with an
    interval of its own, for everybody and for each subgroup."""
    alternatives: tuple[Float, ...] = ()
    """(N,) each: the values at the ends of a threshold's own interval. They widen the estimate's interval."""

    def at_end(self, end: int) -> Float:
        """(N,) the values at an end of the threshold's interval, 0 = its point; at an end that there is not, those."""
        return (self.values, *self.alternatives)[end if end <= len(self.alternatives) else 0]


@dataclass(frozen=True, slots=True)
class SetStatistic:
    """A metric of the whole set (FID, EER): recomputed under unit weights to get its interval."""

    metric: str
    instrument: str
    compute: Callable[[Float], float]
    """(N,) weights >= 0 (0 = unit left out, 2 = drawn twice) -> value, NaN where undefined."""
    scored: Bools
    """(N,) units that have what the statistic needs."""
    region: Region = "face"
    unit: Unit = "face"
    eligible: Bools | None = None
    resampling: Literal["bootstrap", "jackknife"] = "bootstrap"
    """``jackknife`` for statistics that duplicates would bias, such as FID."""
    chance: float | None = None
    share: bool = False
    """True for rates in 0..1 (EER, TAR), so that 0 or 1 in every replicate still gets an honest interval."""
    magnitude: bool = False
    """True where ``compute`` gives a signed number of which the metric is the magnitude: the interval of a magnitude
    can only be honest if it is made from the signed number."""
    centre: float = 0.0
    """With ``magnitude``: what the magnitude is taken about. An AUC of 0.2 tells as much as one of 0.8 to somebody who
    turns the rule round, so about 0.5 both are 0.8."""
    compute_all: Callable[[Float], Float] | None = None
    """(R, N) weights -> (R,) what ``compute`` gives for each row, where that is faster than one by one."""
    subgroups: bool = True
    """False where the number depends on how many units there are, so that subgroups cannot be compared by it."""
    spread: float = 1.0
    """How many times as far from the number as people drawn anew show do replicates lie: above 1 where the units were
    also learned from, which resampling them does not show."""
    tested_from: int = 0
    """Units scored for both methods below which a difference is shown but neither tested nor ranked."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its uncertainty."""

    value: float
    """NaN = could not be measured."""
    low: float
    high: float
    """The 95 % interval."""
    n: int
    """Units scored."""
    unscored: int
    """Units that the question is about but that could not be scored."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a reader must know before trusting a method's numbers, counted: e.g. outputs that match somebody else."""

    kind: str
    """A stable name, e.g. ``matches-others``, ``alike-yet-private``, ``chance-off``."""
    count: int
    of: int
    """``count`` of how many."""
    text: str
    """One plain sentence with both figures, e.g. ``28 of 30 outputs match another person of the set``."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """Distributions drawn side by side in a report, e.g. genuine and impostor distances."""

    metric: str
    instrument: str
    edges: tuple[float, ...]
    """K+1 bin edges."""
    series: dict[str, tuple[int, ...]]
    """Series name -> K counts."""


@dataclass(frozen=True, slots=True)
class AttackScores:
    """What the comparisons of N probes by one attack came to: enough for every question about it."""

    person: NDArray[np.int64]
    """(N,) number of each probe's person, 0..P-1."""
    people: int
    """In the gallery, P."""
    searches: Searches
    histograms: ScoreHistograms
    """(P, B) comparisons of photos, by the person of the probe."""
    strangers: NDArray[np.int64]
    """(P, B) counts over the same edges of one comparison for each probe and other person, their entry that is most
    alike; without probes of which nothing is left."""


@dataclass(frozen=True, slots=True)
class AttackTrial:
    """What one attacker reached by one channel. N faces of the data set, M of background people."""

    attacker: str
    channel: str
    """The recogniser whose readings it compares, or ``fused``: all of them (`bench.core.stats.fusion`)."""
    explains: bool = False
    """Whether it looks past the face, and is not ranked (`AttackerCard.explains`)."""
    problem: str = ""
    """Why it could not be tried; '' = it was. Then nothing of what follows is there."""
    successes: Mapping[str, tuple[UnitValues, ...]] = field(default_factory=dict)
    """Metric -> what each training under another seed reached, the best training (`best`) being what the attack is
    shown by; one where chance takes no part. Always there: ``attack_rank1``, 1 where the person searched for comes
    first, else 0; NaN = not searched."""
    permuted: Float = field(default_factory=lambda: np.zeros((0, 0)))
    """(S, N) the same where labels are permuted: what it learned from, and who is searched for."""
    shares: Mapping[float, Float] = field(default_factory=dict)
    """Share of the background people that it learned from -> (N,) the same."""
    psnr_released: float = math.nan
    psnr: float = math.nan
    """Of one who restores, dB against the original: the release, and what is restored of it."""
    learns: bool = False
    """Whether it learns anything from background people."""
    drawn: bool = False
    """Whether chance takes part in that."""
    own: Float = field(default_factory=lambda: np.zeros(0))
    """(M,) the same on the background people that it learned from."""
    own_floor: Float = field(default_factory=lambda: np.zeros(0))
    """(M,) the same where it learned from permuted labels."""
    own_person: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    """(M,)"""
    scores: AttackScores | None = None
    """Of the best training."""
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """FMR -> score, of background people; NaN = not measured."""

    @property
    def metric(self) -> str:
        """The first of its numbers."""
        return "attack_rank1"

    @property
    def instrument(self) -> str:
        """The instrument of its numbers."""
        return f"{self.attacker}/{self.channel}"

    @property
    def trainings(self) -> tuple[Float, ...]:
        """(N,) of each training, who comes first."""
        return tuple(each.values for each in self.successes.get(self.metric, ()))

    @property
    def best(self) -> int:
        """Number of the training that names most of the people who are tested. That choice flatters it a little; the
        strongest attack is chosen on other people than it is measured on."""
        means = [float(np.nanmean(each)) if np.isfinite(each).any() else -1.0 for each in self.trainings]
        return int(np.argmax(means))
