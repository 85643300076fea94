"""What an attack's success is worth: residual risk between floor and ceiling, and whether the attack may be believed.

*Floor*: what the same attack reaches where nothing can be known, by permuting labels through the identical pipeline.
*Ceiling*: the same attack on photos that nobody anonymized. Residual risk = (attack - floor) / (ceiling - floor): 0 =
as good as guessing, 1 = as if nothing had been done. It is given as it comes, below 0 and above 1 too.

An attack that fails may be a broken attack. `believe` collects what speaks against it; a doubted attack has no number.

All successes are `Replicates` of larger-is-stronger numbers (shares of people named, linked ...), paired: the same
design (`ClusterResamples`) and units for attack, floor and ceiling.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.stats import intervals
from unmask.bench.core.stats.resampling import Replicates
from unmask.bench.core.types import Float
from unmask.bench.core.values import Estimate

Ints = NDArray[np.int64]
PERMUTATIONS: Final = 20
LEAST_TRAININGS: Final = 3
WIDEST_SPREAD: Final = 0.25
"""Of the range between floor and ceiling: trainings that differ by more say little."""


class Doubt(StrEnum):
    """Why an attack is not believed, or only as a lower bound; the value is a stable name."""

    NOT_MEASURED = "not-measured"
    CEILING = "ceiling"
    LEARNED_NOTHING = "learned-nothing"
    WORSE_THAN_IGNORANT = "worse-than-ignorant"
    UNSTEADY = "unsteady"
    UNCHECKED = "unchecked"
    STILL_RISING = "still-rising"

    @property
    def sentence(self) -> str:
        """One plain sentence for the reader."""
        return _SENTENCES[self]


_SENTENCES: Final[dict[Doubt, str]] = {
    Doubt.NOT_MEASURED: "Its success, its floor or its ceiling could not be measured.",
    Doubt.CEILING: "That it names anybody beyond guessing is not shown, even where nobody is anonymized.",
    Doubt.LEARNED_NOTHING: "That it names the people that it was trained on beyond guessing is not shown.",
    Doubt.WORSE_THAN_IGNORANT: "It does worse than an attacker who knows nothing of the method.",
    Doubt.UNSTEADY: "Its trainings differ too much from each other.",
    Doubt.UNCHECKED: "It learns, but was not checked as an attack that learns has to be.",
    Doubt.STILL_RISING: "It still gains from more people to learn from, so that its success is a lower bound.",
}


@dataclass(frozen=True, slots=True)
class Belief:
    """Whether an attack may be believed, and why not."""

    doubts: tuple[Doubt, ...] = ()

    @property
    def trustworthy(self) -> bool:
        """Whether its number may be shown. A lower bound may."""
        return all(doubt is Doubt.STILL_RISING for doubt in self.doubts)

    @property
    def lower_bound(self) -> bool:
        """Whether its success would rise with more background people."""
        return Doubt.STILL_RISING in self.doubts

    @property
    def reasons(self) -> tuple[str, ...]:
        """A sentence for each doubt."""
        return tuple(doubt.sentence for doubt in self.doubts)


@dataclass(frozen=True, slots=True)
class Learning:
    """What an attack that learns is checked by."""

    own: Replicates
    """Success on its own training people."""
    own_floor: Replicates
    """What guessing reaches there."""
    half: Replicates
    """Success on the tested people when it learned from half of the background people; its success with a quarter is
    shown, but decides nothing."""
    trainings: Sequence[float] = ()
    """Success of each of its trainings, at least three; their best is the attack's."""
    random: bool = True
    """Whether chance takes part in its training; if not, one training says it all."""


def believe(
    attack: Replicates,
    floor: Replicates,
    ceiling: Replicates,
    ignorant: Replicates | None = None,
    learning: Learning | None = None,
    learns: bool = False,
) -> Belief:
    """All that speaks against an attack (the first set of each `Replicates`).

    ``ignorant``: the attacker that knows nothing of the method, ``None`` if this is it; ``learns``: whether its card
    says that it is trained, so that a missing ``learning`` is itself a doubt. Beyond chance means: the 95 % interval of
    the paired difference excludes 0, and the success's own interval lies above the floor.
    """
    doubts: list[Doubt] = []
    if any(np.isnan(each.point[0]) for each in (attack, floor, ceiling)):
        doubts.append(Doubt.NOT_MEASURED)
    elif not _beyond(ceiling, floor):
        doubts.append(Doubt.CEILING)
    if ignorant is not None and _difference(attack, ignorant)[1] < 0:
        doubts.append(Doubt.WORSE_THAN_IGNORANT)
    if learning is not None:
        doubts += _doubts_of_learning(attack, floor, ceiling, learning)
    elif learns:
        doubts.append(Doubt.UNCHECKED)
    return Belief(tuple(doubts))


def _doubts_of_learning(attack: Replicates, floor: Replicates, ceiling: Replicates, learning: Learning) -> list[Doubt]:
    doubts: list[Doubt] = []
    scores = np.asarray(learning.trainings, dtype=np.float64)
    measured = not any(np.isnan(each.point[0]) for each in (learning.own, learning.own_floor, learning.half))
    trained = len(scores) >= LEAST_TRAININGS and bool(np.isfinite(scores).all())
    if not measured or (learning.random and not trained):
        doubts.append(Doubt.UNCHECKED)
    if measured and not _beyond(learning.own, learning.own_floor):
        doubts.append(Doubt.LEARNED_NOTHING)
    spread = float(np.ptp(scores)) if len(scores) else 0.0
    if spread > WIDEST_SPREAD * max(float(ceiling.point[0] - floor.point[0]), 0.0):
        doubts.append(Doubt.UNSTEADY)
    if _difference(attack, learning.half)[0] > 0:
        doubts.append(Doubt.STILL_RISING)
    return doubts


def residual_risk(attack: Replicates, floor: Replicates, ceiling: Replicates) -> list[Estimate]:
    """(attack - floor) / (ceiling - floor) for each of the M sets, with its 95 % interval over people.

    NaN where the ceiling is not above the floor; replicates in which it is not are left out. Of the strongest of K
    attacks (``attack.attacks``) the interval is that of the worst of K (`intervals`). Where everybody agrees, a share's
    interval reaches at least as far as that of a unanimous share. Raises `ValueError` for unequal designs.
    """
    if not attack.values.shape == floor.values.shape == ceiling.values.shape:
        raise ValueError("attack, floor and ceiling need the same sets and replicates")
    span = ceiling.point - floor.point
    value = _ratio(attack.point - floor.point, span)
    out = []
    for m, point in enumerate(value):
        low, high = _residual_interval(attack, floor, ceiling, m)
        out.append(Estimate(float(point), low, high, int(attack.n[m]), int(attack.unscored[m])))
    return out


def permuted_floor(
    measure: Callable[[Ints], Replicates], people: int, permutations: int = PERMUTATIONS, seed: int = 0
) -> Replicates:
    """The mean of ``measure`` over permuted labels: what the attack reaches where nothing can be known.

    ``measure`` gets a permutation (P,) of the people, person p now being called permutation[p], and goes through the
    attack's whole pipeline: fitting, choosing and comparing. A person may keep the own label, as a guess may be right.
    """
    return mean_of([measure(order) for order in label_permutations(people, permutations, seed)])


def mean_of(measured: Sequence[Replicates]) -> Replicates:
    """The mean over permutations of the same design, at least one."""
    return replace(
        measured[0],
        point=np.mean([each.point for each in measured], axis=0),
        values=np.mean([each.values for each in measured], axis=0),
        # A mean over permutations is no share of people, and no worst of its attacks.
        share=False,
        attacks=(),
        alternatives=(),
    )


def label_permutations(people: int, permutations: int = PERMUTATIONS, seed: int = 0) -> Ints:
    """(permutations, people) of 0..people-1, each order equally likely. Raises `ValueError` for none."""
    if permutations < 1:
        raise ValueError("a floor needs at least one permutation")
    rng = np.random.default_rng(derive_seed(seed, "floor"))
    return np.stack([rng.permutation(people) for _ in range(permutations)]).astype(np.int64)


def _residual_interval(attack: Replicates, floor: Replicates, ceiling: Replicates, m: int) -> intervals.Interval:
    if not attack.attacks:
        return _one_interval(attack, floor, ceiling, m, intervals.LEVEL)
    measured = [each for each in attack.attacks if not np.isnan(each.point[m])]
    distinct = len({each.values[:, m].tobytes() for each in measured})
    own = [_one_interval(each, floor, ceiling, m, intervals.LEVEL) for each in measured]
    shared_level = 1 - (1 - intervals.LEVEL) / max(distinct, 1)
    shared = [_one_interval(each, floor, ceiling, m, shared_level) for each in measured]
    if not measured or np.isnan([own, shared]).any():
        return intervals.NO_INTERVAL
    point = _ratio(attack.point[m : m + 1] - floor.point[m], ceiling.point[m : m + 1] - floor.point[m])[0]
    return min(max(low for low, _ in shared), float(point)), max(*(high for _, high in own), float(point))


def _one_interval(
    attack: Replicates, floor: Replicates, ceiling: Replicates, m: int, level: float
) -> intervals.Interval:
    span = ceiling.point[m] - floor.point[m]
    clusters = int(attack.clusters[m])
    if np.isnan(attack.point[m]) or not span > 0:
        return intervals.NO_INTERVAL
    draws = _ratio(attack.values[:, m] - floor.values[:, m], ceiling.values[:, m] - floor.values[:, m])
    point = float((attack.point[m] - floor.point[m]) / span)
    low, high = intervals.mean_interval(point, draws, clusters, level)
    if np.isnan(low) or not attack.share:
        return low, high
    all_of, none_of = (intervals.clopper_pearson(k, clusters, level) for k in (clusters, 0))
    return (
        min(low, float((all_of[0] - floor.point[m]) / span)),
        max(high, float((none_of[1] - floor.point[m]) / span)),
    )


def _beyond(success: Replicates, floor: Replicates) -> bool:
    return _difference(success, floor)[0] > 0 and intervals.interval(success)[0] > floor.point[0]


def _difference(one: Replicates, other: Replicates) -> intervals.Interval:
    """The interval of a paired difference; NaN, which is neither above nor below 0, where it is not measured."""
    point = float(one.point[0] - other.point[0])
    if np.isnan(point):
        return intervals.NO_INTERVAL
    clusters = min(int(one.clusters[0]), int(other.clusters[0]))
    return intervals.mean_interval(point, one.values[:, 0] - other.values[:, 0], clusters)


def _ratio(sums: Float, spans: Float) -> Float:
    return np.asarray(np.divide(sums, spans, out=np.full(sums.shape, np.nan), where=spans > 0))
