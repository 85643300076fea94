"""Two sides -> the verdict on each metric and subgroup, and the faces that changed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.headlines import WORST, Key
from unmask.bench.core.stats.resampling import ClusterResamples
from unmask.bench.core.types import Bools, Outcome
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.bench.gate.differences import Answered, Item, Question, answers
from unmask.bench.gate.policy import Policy
from unmask.bench.gate.sides import RATE, Side
from unmask.bench.gate.verdicts import Loss, Ruling, collapsed, rule
from unmask.bench.store.comparable import identity_difference
from unmask.bench.store.gating import FaceList, GateRow, Verdict
from unmask.bench.store.view import ALL

Against = Literal["baseline", "anchor"]
LISTED: Final = 50
"""Faces of a list that are named."""
MIN_GROUP: Final = 5
"""Faces from which a subgroup is judged."""
MATCHED: Final = f"{RATE}1e-3"
"""The rate by which a face counts as matched."""


@dataclass(frozen=True)
class Pair:
    """A data set on both sides, paired by face."""

    baseline: Side
    candidate: Side
    order: NDArray[np.int64]
    """(N,) place in the candidate of each face of the baseline."""
    difference: str
    """Why the two are not about the same faces; '' = they are."""

    @property
    def moved(self) -> bool:
        """Whether the candidate's faces stand in another order."""
        return not np.array_equal(self.order, np.arange(len(self.order)))

    @property
    def groups(self) -> dict[str, Bools]:
        """Subgroup -> (N,) members; the candidate's where the baseline's run was purged of what they are cut by."""
        if self.baseline.groups:
            return dict(self.baseline.groups)
        return {name: members[self.order] for name, members in self.candidate.groups.items()}

    def card(self, key: Key) -> MetricCard:
        """The candidate's, where it has the metric."""
        return self.candidate.cards.get(key[0]) or self.baseline.cards[key[0]]


@dataclass(frozen=True)
class _Judged:
    """One metric, or one subgroup of it, before it is ruled on."""

    key: Key
    group: str
    answer: Answered | None = None
    verdict: Verdict | None = None
    """Where no arithmetic is needed."""
    reason: str = ""


def paired(baseline: Side, candidate: Side, difference: str = "") -> Pair:
    """``difference``: what is known already to differ in the data."""
    if baseline.variant != candidate.variant:
        difference = difference or f"other form of the outputs: {baseline.variant} against {candidate.variant}"
    difference = difference or identity_difference(baseline.identity, candidate.identity)
    places = {str(face): k for k, face in enumerate(candidate.face)}
    if not difference and (set(places) != set(baseline.face.tolist()) or len(places) != len(candidate.face)):
        there = len(set(places) & set(baseline.face.tolist()))
        count = f"{len(baseline.face):,} against {len(candidate.face):,}, {there:,} of them the same"
        difference = f"other faces: {count}"
    order = [] if difference else [places[str(face)] for face in baseline.face]
    return Pair(baseline, candidate, np.array(order, np.int64), difference)


class Judge:
    """Rules on all data sets together, so that better and worse are corrected over all that was looked at."""

    def __init__(self, policy: Policy, *, replicates: int, seed: int) -> None:
        self._policy, self._replicates, self._seed = policy, replicates, seed

    def rows(self, pairs: Sequence[Pair], against: Against = "baseline") -> list[GateRow]:
        """A row a metric, and one a subgroup of it, of each data set."""
        judged = [(pair, each) for pair in pairs for each in self._judged(pair)]
        losses = [each.answer.loss for _, each in judged if each.answer is not None]
        margins = [self._margin(pair, each) for pair, each in judged if each.answer is not None]
        rulings = iter(zip(rule(losses, margins), margins, strict=True))
        rows: list[GateRow] = []
        for pair, each in judged:
            ruling, margin = (None, math.nan) if each.answer is None else next(rulings)
            rows.append(self._row(pair, each, ruling, margin, against))
        return _with_collapses(rows)

    def _judged(self, pair: Pair) -> list[_Judged]:
        keys = list(dict.fromkeys([*pair.baseline.measures, *pair.candidate.measures]))
        if pair.difference:
            return [_Judged(key, ALL, verdict="not comparable", reason=pair.difference) for key in keys]
        baseline = pair.baseline
        people = np.unique(baseline.person, return_inverse=True)[1].astype(np.int64)
        resamples = ClusterResamples(people, self._replicates, self._seed)
        groups = {name: members for name, members in pair.groups.items() if members.sum() >= MIN_GROUP}
        masks = np.stack([np.ones(len(people), np.bool_), *groups.values()])
        judged = []
        for key in keys:
            judged += self._of_metric(pair, key, resamples, masks, [ALL, *groups])
        return judged

    def _of_metric(
        self, pair: Pair, key: Key, resamples: ClusterResamples, masks: Bools, groups: Sequence[str]
    ) -> list[_Judged]:
        reason = _not_comparable(pair, key)
        if reason:
            return [_Judged(key, ALL, verdict="not comparable", reason=reason)]
        question, missing = self._question(pair, key)
        if question is None:
            return [_Judged(key, ALL, verdict="not measured", reason=missing)]
        same = bool(pair.baseline.outputs) and pair.baseline.outputs == pair.candidate.outputs
        if same and pair.card(key).family != "cost":
            return [_Judged(key, ALL, verdict="identical", reason="the outputs are byte for byte the same")]
        several = answers(question, resamples, masks)
        judged = []
        for group, each in zip(groups, several, strict=False):
            verdict, why = _unmeasured(each)
            if group != ALL and verdict is not None:
                continue
            judged.append(_Judged(key, group, None if verdict else each, verdict, why))
        return judged

    def _question(self, pair: Pair, key: Key) -> tuple[Question | None, str]:
        """``None``, with the reason, where one side has nothing to compare."""
        if key not in pair.baseline.measures:
            kept = pair.baseline.statistics is None
            return None, f"the baseline {'holds no such rows' if kept else 'was not measured by it'}"
        card = pair.card(key)
        one, two = pair.baseline.items(key), pair.candidate.items(key)
        if pair.moved and any(isinstance(item, SetStatistic) for item in one.values()):
            return None, "the faces of the two runs stand in another order"
        if not one or not two:
            kept = pair.baseline.statistics is None or pair.candidate.statistics is None
            if kept:
                return None, "stored rows cannot give it; compare two runs that were not purged"
            return None, "it has no value of single faces, and its readings give none of the set"
        names = [name for name in one if name in two]
        rate = card.unit in ("share", "share difference")
        baseline = [_with_share(one[name], rate) for name in names]
        candidate = [_in_order(_with_share(two[name], rate), pair) for name in names]
        return Question(card, key[1], key[2], baseline, candidate), ""

    def _margin(self, pair: Pair, judged: _Judged) -> float:
        assert judged.answer is not None
        return self._policy.margin(pair.card(judged.key), judged.answer.baseline)

    def _row(self, pair: Pair, judged: _Judged, ruling: Ruling | None, margin: float, against: Against) -> GateRow:
        card, answer = pair.card(judged.key), judged.answer
        loss = Loss(math.nan, math.nan, math.nan, math.nan, 0, 0) if answer is None else answer.loss
        verdict: Verdict = ruling.word if ruling is not None else judged.verdict or "not measured"
        return GateRow(
            against=against,
            dataset=pair.candidate.dataset,
            metric=judged.key[0],
            instrument=judged.key[1],
            region=judged.key[2] or None,  # type: ignore[arg-type]
            title=card.title,
            family=card.family,
            unit=card.unit,
            group=judged.group,
            verdict=verdict,
            reason=judged.reason,
            blocks=card.family in self._policy.blocking,
            baseline=_finite(math.nan if answer is None else answer.baseline),
            candidate=_finite(math.nan if answer is None else answer.candidate),
            margin=_finite(margin),
            p_adjusted=_finite(math.nan if ruling is None else ruling.p_adjusted),
            faces_needed=None if ruling is None else ruling.faces_needed,
            loss=_finite(loss.value),
            low=_finite(loss.low),
            high=_finite(loss.high),
            p=_finite(loss.p),
            faces=loss.faces,
            people=loss.people,
            lost=loss.lost,
        )


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _not_comparable(pair: Pair, key: Key) -> str:
    one, two = pair.baseline.measures.get(key), pair.candidate.measures.get(key)
    if one is None:
        return ""  # nothing to be compared with
    return "measured for the baseline, but not for the candidate" if two is None else identity_difference(one, two)


def _unmeasured(answer: Answered) -> tuple[Verdict | None, str]:
    if answer.baseline_measured and not answer.candidate_measured:
        return "newly failed", "the candidate has no value for any face; the baseline had"
    if not answer.loss.faces or math.isnan(answer.loss.value):
        return "not measured", "no face was measured for both"
    return None, ""


def _with_share(item: Item, share: bool) -> Item:
    return replace(item, share=share) if isinstance(item, UnitValues) else item


def _in_order(item: Item, pair: Pair) -> Item:
    """In the baseline's order of faces."""
    if isinstance(item, SetStatistic):
        return item
    ends = tuple(each[pair.order] for each in item.alternatives)
    return replace(item, values=item.values[pair.order], alternatives=ends)


def _with_collapses(rows: Sequence[GateRow]) -> list[GateRow]:
    everybody = {(row.dataset, row.metric, row.instrument, row.region): row for row in rows if row.group == ALL}
    marked = []
    for row in rows:
        whole = everybody[row.dataset, row.metric, row.instrument, row.region]
        falls = row.group != ALL and collapsed(row.verdict, whole.verdict)
        marked.append(row.model_copy(update={"collapsed": True}) if falls else row)
    return marked


def changes(pair: Pair, against: Against = "baseline") -> list[FaceList]:
    """Faces that are newly missed, matched or failed, or no longer."""
    if pair.difference:
        return []
    before, after = pair.baseline.outcome, pair.candidate.outcome[pair.order]
    matched = [_matched(side) for side in (pair.baseline, pair.candidate)]
    names = pair.candidate.shown[pair.order]
    lists = {
        "newly missed": (before != Outcome.MISSED.value) & (after == Outcome.MISSED.value),
        "newly failed": (before != Outcome.ERROR.value) & (after == Outcome.ERROR.value),
        "no longer missed": (before == Outcome.MISSED.value) & (after != Outcome.MISSED.value),
    }
    if matched[0] is not None and matched[1] is not None:
        was, now = matched[0], matched[1][pair.order]
        lists |= {"newly matched": now & ~was, "no longer matched": was & ~now}
    return [
        FaceList(
            against=against,
            dataset=pair.candidate.dataset,
            what=what,  # type: ignore[arg-type]
            count=int(members.sum()),
            of=len(members),
            faces=sorted(names[members].tolist())[:LISTED],
        )
        for what, members in lists.items()
    ]


def _matched(side: Side) -> Bools | None:
    """(N,) whether any attack matches a face at FMR 1e-3; ``None`` = not measured."""
    rates = [item.values for item in side.items((MATCHED, WORST, "face")).values() if isinstance(item, UnitValues)]
    return np.asarray(np.any([rate == 0 for rate in rates], axis=0)) if rates else None
