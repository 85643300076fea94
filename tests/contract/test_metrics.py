"""What every registered metric must keep."""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any, get_args

import numpy as np
import pytest

from tests.support.audits import audited, unit
from tests.support.video import Clip, Face, video_evidence
from unmask.bench.core.cards import Family, MetricCard, Role
from unmask.bench.core.clips import NOT_MEASURED
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.registry import TABLES, all_metrics
from unmask.bench.core.settings import Settings
from unmask.bench.core.types import Bools, Floats32, Outcome, Region
from unmask.bench.core.values import (
    AUDIT,
    CLIPS,
    AttackTrial,
    Finding,
    Histogram,
    Metric,
    SetStatistic,
    UnitValues,
)
from unmask.bench.core.video import Tracks
from unmask.bench.run.contracts.made_up import make_evidence

ROLES = get_args(Role)
PEOPLE = Tracks.sorted([0, 0, 1], [1, 2, 1], [(0, 0, 9, 9), (20, 0, 9, 9), (1, 0, 9, 9)])
MIXED = [Outcome.ANONYMIZED, Outcome.ANONYMIZED, Outcome.DESTROYED, Outcome.MISSED, Outcome.ERROR, Outcome.ANONYMIZED]


TARGET = Settings(skin_target=(111, 55, 55))
EVIDENCES: Mapping[str, Callable[[], Evidence]] = {
    # The ordinary case and the corners that a real run has.
    "ordinary": lambda: make_evidence(settings=TARGET),
    "every outcome": lambda: make_evidence(outcomes=MIXED * 6, unscored=(1, 8), settings=TARGET),
    "all destroyed": lambda: make_evidence(n_people=4, photos_each=2, outcomes=[Outcome.DESTROYED] * 8),
    "all failed": lambda: make_evidence(n_people=4, photos_each=2, outcomes=[Outcome.ERROR] * 8),
    "control": lambda: make_evidence(noise=0, outcomes=[Outcome.MISSED] * 36),
    "no labels": lambda: make_evidence(labelled=False),
    "one face": lambda: make_evidence(n_people=1, photos_each=1),
    "one person": lambda: make_evidence(n_people=1, photos_each=4),
    "looks and extra faces": lambda: make_evidence(
        40, 2, outcomes=MIXED[:5] * 16, known_place=2.0, looks={"mirrored": 0.5}, extra={0: 5, 7: 7}, dim=6
    ),
    "shuffled": lambda: shuffled(),
    "no instruments": lambda: dataclasses.replace(
        make_evidence(),
        original={},
        anonymized={},
        features=dict.fromkeys(get_args(Region), ({}, {})),
        pairs={region: {} for region in get_args(Region)},
    ),
    "audited": lambda: audited(hiding, ("ignorant", "parrot", "procrustes"), people=12, background=40)[0],
    "audited, method unknown": lambda: audited(hiding, ("ignorant", "parrot"), people=4, runnable=False)[0],
    "clips": lambda: video_evidence(WALKS, recoded=[{"sort": PEOPLE}] * 3),
    "clips that were not written": lambda: unwritten(),
    "one clip": lambda: video_evidence(WALKS[:1]),
    "clips without faces": lambda: video_evidence([Clip([])] * 2),
    "no clips": lambda: video_evidence([]),
}


@cache
def evidence_of(kind: str) -> Evidence:
    return EVIDENCES[kind]()


def hiding(rows: Floats32, seed: int) -> Floats32:
    return unit(np.roll(rows, 3, axis=1))


WALKS = (
    Clip([Face(k, t, 0.7 + 0.1 * t, MIXED[k % 6], known=0.8, flicker=(2, 3)) for k in range(9) for t in range(3)]),
    Clip([Face(k, 0, 0.3, known=0.2) for k in range(4)], people={"sort": PEOPLE}, people_output={"sort": PEOPLE}),
    Clip([], truth=PEOPLE, people={"sort": PEOPLE}),
)
"""Every face in every frame is a face."""


def unwritten() -> Evidence:
    ordinary = evidence_of("clips")
    return dataclasses.replace(
        ordinary,
        outcome=np.full_like(ordinary.outcome, NOT_MEASURED),
        landmarks=np.full_like(ordinary.landmarks, np.nan),
        anonymized={
            name: {column: np.full_like(rows, np.nan) for column, rows in columns.items()}
            for name, columns in ordinary.anonymized.items()
        },
    )


def shuffled() -> Evidence:
    """Every output shows the next person's photo."""
    evidence = make_evidence(40, 1)
    for name in ("mobilefacenet", "sface"):
        evidence.anonymized[name]["embedding"][:] = np.roll(evidence.original[name]["embedding"], 1, axis=0)
    return evidence


METRICS = dict(all_metrics())


def metrics_asked_of(kind: str) -> list[str]:
    """Metrics of photos are asked of clips too, those of clips of clips only."""
    return [name for name, metric in METRICS.items() if CLIPS not in metric.needs or "clip" in kind]


ASKED = [pytest.param(name, kind, id=f"{name}-{kind}") for kind in EVIDENCES for name in metrics_asked_of(kind)]


@pytest.fixture(params=METRICS)
def metric(request: pytest.FixtureRequest) -> Metric:
    return METRICS[request.param]


def test_names_are_unique_over_all_metrics() -> None:
    counts = Counter(card.name for _, metric in all_metrics() for card in metric.cards)
    assert not [name for name, count in counts.items() if count > 1]


def test_cards_are_complete(metric: Metric) -> None:
    assert metric.cards
    for card in metric.cards:
        for field in ("name", "version", "title", "question", "how", "source"):
            assert getattr(card, field), f"{card.name}: {field} is empty"
        assert card.question.endswith("?")
        assert card.family in get_args(Family)
        assert card.direction in ("higher", "lower", "none")
        low, high = card.bounds
        assert low is None or high is None or low < high
        assert card.unit != "share" or card.bounds == (0, 1)


def test_needs_are_known(metric: Metric) -> None:
    for need in metric.needs:
        role = need.removeprefix("role:")
        assert role in ROLES if role != need else need in (AUDIT, CLIPS, *TABLES["instrument"])


Answer = Finding | AttackTrial | Histogram | SetStatistic | UnitValues


@pytest.mark.parametrize(("name", "kind"), ASKED)
def test_an_answer_keeps_the_contract(name: str, kind: str) -> None:
    """One test for all of it: a metric is asked twice, and thousands of short tests take longer than what they do."""
    metric, evidence = METRICS[name], evidence_of(kind)
    before = copy.deepcopy(evidence)
    first, second = list(metric.ask(evidence)), list(metric.ask(evidence))
    cards = {card.name: card for card in metric.cards}
    assert_only_what_is_announced_and_each_once(cards, first)
    for item in first:
        if isinstance(item, Finding):
            assert_it_counts_and_says_so(item)
            continue
        assert_units_line_up_and_values_stay_within_bounds(cards, evidence, item)
        if isinstance(item, SetStatistic):
            assert_it_survives_any_weights(item)
    # Asking, and all of the above, changes nothing and gives the same again.
    assert_same(plain(before), plain(evidence))
    assert len(first) == len(second)
    for a, b in zip(first, second, strict=True):
        assert_same(values_of(a), values_of(b))


def assert_only_what_is_announced_and_each_once(cards: Mapping[str, MetricCard], answers: Sequence[Answer]) -> None:
    yielded = [item for item in answers if not isinstance(item, Finding)]
    assert {item.metric for item in yielded} <= cards.keys()
    keys = Counter((item.metric, item.instrument, getattr(item, "region", ""), type(item)) for item in yielded)
    assert not [key for key, count in keys.items() if count > 1]
    said = Counter(item.kind for item in answers if isinstance(item, Finding))
    assert not [kind for kind, count in said.items() if count > 1]


def assert_it_counts_and_says_so(item: Finding) -> None:
    assert 0 < item.count <= item.of
    assert f"{item.count:,} of {item.of:,}" in item.text


def assert_units_line_up_and_values_stay_within_bounds(
    cards: Mapping[str, MetricCard], evidence: Evidence, item: AttackTrial | Histogram | SetStatistic | UnitValues
) -> None:
    if isinstance(item, AttackTrial):
        assert item.problem or item.permuted.shape[1:] == item.trainings[0].shape == (len(evidence.faces),)
        assert len(item.own) == len(item.own_floor) == len(item.own_person)
        return
    if isinstance(item, Histogram):
        assert list(item.edges) == sorted(item.edges)
        assert all(len(counts) == len(item.edges) - 1 for counts in item.series.values())
        return
    n = evidence.count(item.unit)
    assert item.eligible is None or (item.eligible.shape == (n,) and item.eligible.dtype == np.bool_)
    assert item.chance is None or np.isfinite(item.chance)
    if isinstance(item, UnitValues) and item.chance_values is not None:
        assert item.chance_values.shape == (n,)
    if isinstance(item, SetStatistic):
        assert item.scored.shape == (n,)
        assert item.scored.dtype == np.bool_
        value = item.compute(used(item).astype(float))
        values = np.array([item.centre + abs(value - item.centre) if item.magnitude else value])
    else:
        assert item.values.shape == (n,)
        assert item.values.dtype == np.float64
        values = item.values[~np.isnan(item.values)]
        if item.share and cards[item.metric].unit == "share":
            assert set(values) <= {0.0, 1.0}
    low, high = cards[item.metric].bounds
    values = values[~np.isnan(values)]
    assert np.isfinite(values).all()
    assert low is None or (values >= low - 1e-9).all()
    assert high is None or (values <= high + 1e-9).all()


def assert_it_survives_any_weights(item: SetStatistic) -> None:
    """A number or NaN for any draw with replacement, any subgroup and the empty set."""
    rng = np.random.default_rng(0)
    n = len(item.scored)
    draws = [rng.multinomial(n, np.full(n, 1 / max(n, 1))).astype(float) for _ in range(3)] if n else []
    for draw in (*draws, np.zeros(n), *np.eye(n)[:1]):
        weights = draw * used(item)
        before = weights.copy()
        assert isinstance(item.compute(weights), float)
        np.testing.assert_array_equal(weights, before)


def plain(evidence: Evidence) -> dict[str, Any]:
    return {field.name: getattr(evidence, field.name) for field in dataclasses.fields(evidence) if field.init}


def used(item: SetStatistic) -> Bools:
    """The units that can have a weight: asked about, and scored."""
    return item.scored if item.eligible is None else item.scored & item.eligible


def values_of(item: Answer) -> Any:
    if isinstance(item, Finding | AttackTrial):
        return dataclasses.astuple(item)
    if isinstance(item, SetStatistic):
        return item.compute(used(item).astype(float))
    return item.values if isinstance(item, UnitValues) else item.series


def assert_same(a: Any, b: Any) -> None:
    """Equal through mappings, tuples, dataclasses and arrays; NaN equals NaN."""
    if isinstance(a, np.ndarray):
        np.testing.assert_array_equal(a, b)
    elif dataclasses.is_dataclass(a):
        for field in dataclasses.fields(a):
            if field.init:  # the others are worked out of these
                assert_same(getattr(a, field.name), getattr(b, field.name))
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, tuple | list):
        for left, right in zip(a, b, strict=True):
            assert_same(left, right)
    elif isinstance(a, float):
        np.testing.assert_equal(a, b)
    else:
        assert a == b
