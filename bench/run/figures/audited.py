"""What attackers reach who know a method: held against floor and ceiling, believed or not; the strongest of them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.headlines import WORST
from unmask.bench.core.stats.disclosure import worst_disclosure
from unmask.bench.core.stats.galleries import gallery_curve, largest_gallery
from unmask.bench.core.stats.identification import cmc
from unmask.bench.core.stats.intervals import estimates
from unmask.bench.core.stats.paired import Scored
from unmask.bench.core.stats.resampling import STATISTIC_REPLICATES, ClusterResamples, Replicates, replicate_means
from unmask.bench.core.stats.strongest import strongest
from unmask.bench.core.stats.trust import Belief, Learning, believe, mean_of, residual_risk
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import AttackScores, AttackTrial, Estimate, Finding, UnitValues
from unmask.bench.run.figures.attacking import IGNORANT
from unmask.bench.run.figures.rows import Answer, finite
from unmask.bench.store.attack_rows import AttackRow, GalleryPoint, lacking

NAMED: Final = "attack_rank1"
RISK: Final = "residual_risk"
MOST_RANKS: Final = 50
"""Of the CMC."""
_POINTS: Final = slice(None, None, 2)
"""Of the DET curve every second point is kept: 0.02 in a cosine."""
GALLERY_SIZES: Final = 12
"""At so many, in equal steps of the logarithm, and at the people that there are."""
_HALF: Final = 0.5
_NOBODY: Final = Estimate(math.nan, math.nan, math.nan, 0, 0)


@dataclass(frozen=True, slots=True)
class _Judged:
    trial: AttackTrial
    attack: Replicates
    floor: Replicates
    belief: Belief


class Auditing:
    """The attackers on one data set. The control comes first: what an attack reaches on it is its ceiling."""

    def __init__(self, dataset: str, resamples: ClusterResamples, masks: Bools, seed: int) -> None:
        """``masks``: (G, N) subgroups, everybody first."""
        self._dataset, self._resamples, self._masks, self._seed = dataset, resamples, masks, seed
        self._ceilings: dict[str, Replicates] = {}
        self._top: Replicates | None = None

    def judged(
        self,
        method: str,
        answers: Sequence[Answer],
        trials: Sequence[AttackTrial],
        cards: Mapping[str, MetricCard],
        top: str = WORST,
    ) -> tuple[list[Answer], list[AttackRow]]:
        """The answers with those of doubted attacks blanked and those of the strongest attack added; and a row an
        attack. ``top``: the instrument name of the strongest attack, another one than `WORST` where attackers lack
        something that they have of other methods (`strongest_name`)."""
        tried = [trial for trial in trials if not trial.problem]
        attacks = {each.instrument: each.replicates for each in answers if each.metric == NAMED}
        if not self._ceilings:
            self._ceilings = attacks
        judged = [self._judge(trial, attacks) for trial in tried]
        ranked = [each for each in judged if each.belief.trustworthy and not each.trial.explains]
        believed = [each.trial for each in ranked]
        reasons = {
            each.trial.instrument: " ".join(each.belief.reasons) for each in judged if not each.belief.trustworthy
        }
        best = max(ranked, key=lambda each: float(each.attack.point[0]), default=None)
        rows = [self._row(method, each, top=each is best) for each in judged]
        rows += [
            AttackRow(
                dataset=self._dataset,
                method=method,
                attacker=trial.attacker,
                channel=trial.channel,
                explains=trial.explains,
                problem=_problem(trial, top),
            )
            for trial in trials
            if trial.problem
        ]
        kept = [_blanked(each, reasons[each.instrument]) if each.instrument in reasons else each for each in answers]
        return [*kept, *self._of_strongest(kept, believed, cards, top)], rows

    def _means(self, values: Float) -> Replicates:
        return replicate_means(_values(values), self._resamples, self._masks)

    def _judge(self, trial: AttackTrial, attacks: Mapping[str, Replicates]) -> _Judged:
        attack, floor = attacks[trial.instrument], self._means(np.mean(trial.permuted, axis=0))
        compared = trial.attacker != IGNORANT and not trial.explains
        ignorant = attacks.get(f"{IGNORANT}/{trial.channel}") if compared else None
        learning = None
        if trial.learns:
            people = ClusterResamples(trial.own_person, self._resamples.replicates, self._seed)
            own, own_floor = (replicate_means(_values(v), people) for v in (trial.own, trial.own_floor))
            scores = list(map(_mean, trial.trainings))
            learning = Learning(own, own_floor, self._means(trial.shares[_HALF]), scores, random=trial.drawn)
        ceiling = self._ceilings.get(trial.instrument, _unmeasured(attack))
        return _Judged(trial, attack, floor, believe(attack, floor, ceiling, ignorant, learning, trial.learns))

    def _row(self, method: str, judged: _Judged, *, top: bool) -> AttackRow:
        """``top``: whether it is the strongest attack that may be believed."""
        trial, believed = judged.trial, judged.belief.trustworthy
        ceiling = self._ceilings.get(trial.instrument, _unmeasured(judged.attack))
        (risk, *_) = residual_risk(judged.attack, judged.floor, ceiling)
        return AttackRow(
            dataset=self._dataset,
            method=method,
            attacker=trial.attacker,
            channel=trial.channel,
            explains=trial.explains,
            doubts=list(judged.belief.reasons) if not believed else [],
            lower_bound=judged.belief.lower_bound,
            named=finite(judged.attack.point[0]) if believed else None,
            floor=finite(judged.floor.point[0]),
            ceiling=finite(ceiling.point[0]),
            risk=finite(risk.value) if believed else None,
            trained=finite(_mean(trial.own)),
            shares={f"{share:g}": finite(_mean(values)) for share, values in trial.shares.items()},
            trainings=[_mean(values) for values in trial.trainings] if len(trial.trainings) > 1 else [],
            learned_people=len(np.unique(trial.own_person)) if trial.learns else 0,
            learned_photos=len(trial.own_person) if trial.learns else 0,
            psnr_released=finite(trial.psnr_released),
            psnr=finite(trial.psnr),
            searches=int(judged.attack.n[0]),
            thresholds={fmr: finite(value) for fmr, value in trial.thresholds.items()},
            **_of_scores(trial.scores, believed=believed),
            **(self._galleries(trial.scores) if top and trial.scores is not None else {}),
        )

    def _galleries(self, scores: AttackScores) -> dict[str, Any]:
        """As an `AttackRow` has them."""
        histograms = replace(scores.histograms, impostor=scores.strangers)
        most = max(largest_gallery(histograms), scores.people)
        sizes = np.unique([*np.round(np.geomspace(min(2, most), most, GALLERY_SIZES)), scores.people]).astype(np.int64)
        curve = gallery_curve(
            histograms,
            scores.searches.rank,
            scores.searches.genuine,
            scores.person,
            scores.people,
            sizes,
            replicates=min(self._resamples.replicates, STATISTIC_REPLICATES),
            seed=self._seed,
        )
        columns = (curve.sizes, curve.measured, curve.modelled, curve.low, curve.high)
        points = [
            GalleryPoint(
                size=int(size), measured=finite(one), modelled=finite(model), low=finite(low), high=finite(high)
            )
            for size, one, model, low, high in zip(*columns, strict=True)
            if np.isfinite([one, model]).any()
        ]
        return {"galleries": points, "gallery_misfit": finite(curve.misfit)}

    def _of_strongest(
        self, answers: Sequence[Answer], believed: Sequence[AttackTrial], cards: Mapping[str, MetricCard], top: str
    ) -> list[Answer]:
        tops = []
        for metric in (name for name in cards if name.startswith("attack_rank")):
            by_attack = {each.instrument: each for each in answers if each.metric == metric}
            trained = [scored for trial in believed for scored in self._trainings(trial, by_attack[trial.instrument])]
            if trained:
                replicates = strongest(
                    [each.item for each in trained if isinstance(each.item, UnitValues)],
                    self._resamples,
                    self._masks,
                    measured=[each.replicates for each in trained],
                )
                tops.append(
                    replace(
                        by_attack[believed[0].instrument],
                        instrument=top,
                        attacks=tuple(trained),
                        replicates=replicates,
                        estimates=estimates(replicates, cards[metric].bounds),
                    )
                )
        named = next((each for each in tops if each.metric == NAMED), None)
        return tops if named is None else [*tops, self._risk(named, believed)]

    def _trainings(self, trial: AttackTrial, best: Answer) -> list[Scored]:
        """Each a candidate of its own, so that the best is not picked by the people on whom it is measured; ``best``:
        the answer of the best one."""
        items = [
            replace(item, instrument=f"{item.instrument}#{k}") for k, item in enumerate(trial.successes[best.metric])
        ]
        measured = {trial.best: best.replicates}
        return [
            Scored(item, measured.get(k) or replicate_means(item, self._resamples, self._masks))
            for k, item in enumerate(items)
        ]

    def _risk(self, named: Answer, believed: Sequence[AttackTrial]) -> Answer:
        """Residual risk by the strongest attack, for everybody and each subgroup."""
        # Under each permutation of labels the strongest attack is chosen anew.
        floor = mean_of(
            [
                strongest(list(map(_values, permuted)), self._resamples, self._masks)
                for permuted in zip(*(trial.permuted for trial in believed), strict=True)
            ]
        )
        if self._top is None:
            self._top = named.replicates
        risks = residual_risk(named.replicates, floor, self._top)
        return replace(named, metric=RISK, estimates=risks, chances=(_NOBODY,) * len(risks))


def _of_scores(scores: AttackScores | None, *, believed: bool) -> dict[str, Any]:
    """Curves and ZEBRA's worst case, as an `AttackRow` has them."""
    if scores is None:
        return {}
    worst, curve = worst_disclosure(scores.histograms), scores.histograms.det()
    row = {"people": scores.people, "disclosed_limit": finite(worst.limit)}
    if not believed:
        return row
    return row | {
        "cmc": cmc(scores.searches.rank, min(MOST_RANKS, scores.people)).tolist(),
        "fmr": curve.fmr[_POINTS].tolist(),
        "fnmr": curve.fnmr[_POINTS].tolist(),
        "disclosed": finite(worst.decades),
        "disclosed_tag": worst.tag,
    }


def untried(rows: Sequence[AttackRow], top: str) -> Iterator[Finding]:
    """How many attackers could not be tried on a method, where that is because of the method. ``top``: as in
    `Auditing.judged`."""
    everybody = {row.attacker for row in rows}
    missing = everybody - {row.attacker for row in rows if not row.problem}
    if lacking(top) and missing:
        many, of = len(missing), len(everybody)
        text = f"{lacking(top)}; {many} of {of} attackers were not tried, so that its risk is ranked apart from others'"
        yield Finding("attacks-not-tried", many, of, text)


def _problem(trial: AttackTrial, top: str) -> str:
    """Why an attack was not tried: what attackers lack of the method, rather than that they learned from nobody. Of who
    looks past the face, and where only the enrolment is missing, the trial's own reason says it."""
    own = trial.explains or top.endswith("enrolment")
    return trial.problem if own else lacking(top) or trial.problem


def _blanked(answer: Answer, reason: str) -> Answer:
    """Without numbers: a doubted attack says nothing."""
    nothing = [replace(_NOBODY, unscored=each.n + each.unscored) for each in answer.estimates]
    return replace(answer, estimates=nothing, notes=(f"not trustworthy: {reason}",) * len(nothing))


def _values(values: Float) -> UnitValues:
    return UnitValues("", "", values, share=True)


def _unmeasured(like: Replicates) -> Replicates:
    return replace(like, point=np.full_like(like.point, np.nan), values=np.full_like(like.values, np.nan), attacks=())


def _mean(values: Float) -> float:
    there = values[np.isfinite(values)]
    return float(there.mean()) if len(there) else math.nan
