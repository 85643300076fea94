"""Methods beside each other: which pairs there are, by how much they differ, and which ranks that leaves open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from unmask.bench.core.cards import Direction, Family, MetricCard
from unmask.bench.core.stats.resampling import ClusterResamples
from unmask.bench.core.types import Float
from unmask.bench.core.values import UnitValues
from unmask.bench.run.figures.ranking import compare_methods, no_heads, rank_rows
from unmask.bench.run.figures.rows import Answer, answer, worst_answers
from unmask.bench.store.results import ComparisonRow

N = 40
DESIGN = ClusterResamples(np.arange(N), 200)
EVERYBODY = np.ones((1, N), np.bool_)
NAN = float("nan")


def card(name: str = "m", direction: Direction = "higher", family: Family = "privacy") -> MetricCard:
    return MetricCard(name, "1", family, direction, "share", (None, None), name, "?", "", "")


def answered(values: Float | Sequence[float], of: MetricCard, instrument: str = "sface") -> Answer:
    return answer(UnitValues(of.name, instrument, np.asarray(values, np.float64)), DESIGN, EVERYBODY, of)


def spread(mean: float, seed: int = 0) -> Float:
    """Values that vary between faces, with a given mean."""
    values = np.random.default_rng(seed).normal(0, 0.1, N)
    return np.asarray(values - values.mean() + mean)


def compared(answers: Mapping[str, Sequence[Answer]], of: MetricCard, control: str = "none") -> list[ComparisonRow]:
    return compare_methods("d", answers, {"face": DESIGN}, {of.name: of}, control)


def ranks(answers: Mapping[str, Sequence[Answer]], of: MetricCard, control: str = "none") -> dict[str, tuple[int, int]]:
    rows = rank_rows("d", answers, compared(answers, of, control), {of.name: of}, control)
    assert all((row.dataset, row.metric, row.region) == ("d", of.name, "face") for row in rows)
    return {row.method: (row.best, row.worst) for row in rows}


def test_a_difference_is_the_first_minus_the_second() -> None:
    of = card()
    answers = {"a": [answered(spread(0.75), of)], "b": [answered(spread(0.25, 1), of)]}
    (row,) = compared(answers, of)
    assert (row.dataset, row.metric, row.instrument, row.a, row.b) == ("d", "m", "sface", "a", "b")
    assert row.difference == pytest.approx(0.5)
    assert row.low is not None
    assert row.high is not None
    assert row.low < 0.5 < row.high
    assert row.p is not None
    assert row.p < 0.01
    assert not row.identical


def test_every_pair_but_those_with_the_control() -> None:
    of = card()
    answers = {label: [answered(spread(0.5, k), of)] for k, label in enumerate(("none", "a", "b", "c"))}
    assert [(row.a, row.b) for row in compared(answers, of)] == [("a", "b"), ("a", "c"), ("b", "c")]
    assert set(ranks(answers, of)) == {"a", "b", "c"}
    # Under another label the same answers are a contestant's.
    assert len(compared(answers, of, control="other")) == 6


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("higher", {"low": (3, 3), "middle": (2, 2), "high": (1, 1)}),
        ("lower", {"low": (1, 1), "middle": (2, 2), "high": (3, 3)}),
        ("none", {}),
    ],
)
def test_clear_differences_leave_one_rank_each(direction: Direction, expected: Mapping[str, tuple[int, int]]) -> None:
    of = card(direction=direction)
    means = {"low": 0.0, "middle": 1.0, "high": 2.0}
    answers = {label: [answered(spread(mean, k), of)] for k, (label, mean) in enumerate(means.items())}
    assert ranks(answers, of) == expected


def test_what_is_not_told_apart_shares_its_ranks() -> None:
    of = card()
    answers = {
        "a": [answered(spread(0.50, 1), of)],
        "b": [answered(spread(0.5001, 2), of)],
        "last": [answered(spread(-3.0, 3), of)],
    }
    assert ranks(answers, of) == {"a": (1, 2), "b": (1, 2), "last": (3, 3)}


def test_p_values_are_adjusted_within_a_metric_that_is_no_headline() -> None:
    of = card()
    answers = {label: [answered(spread(0.04 * k, k), of)] for k, label in enumerate("abc")}
    rows = compared(answers, of)
    plain = [row.p for row in rows if row.p is not None]
    order = sorted(range(3), key=lambda k: plain[k])
    by_hand = [0.0] * 3
    largest = 0.0
    for place, k in enumerate(order):
        largest = max(largest, min(1.0, (3 - place) * plain[k]))
        by_hand[k] = largest
    assert [row.p_adjusted for row in rows] == pytest.approx(by_hand)
    assert no_heads([("m", "sface", "face")], [("m", "sface", "face")]) == []


def test_one_method_alone_is_compared_with_nobody_and_first() -> None:
    of = card()
    answers = {"none": [answered(spread(0), of)], "a": [answered(spread(1), of)]}
    assert compared(answers, of) == []
    assert ranks(answers, of) == {"a": (1, 1)}


def test_a_method_that_was_not_measured_has_no_rank_and_takes_none() -> None:
    of = card()
    answers = {
        "a": [answered(spread(1.0, 1), of)],
        "unmeasured": [answered(np.full(N, NAN), of)],
        "b": [answered(spread(0.0, 2), of)],
    }
    assert [(row.a, row.b) for row in compared(answers, of)] == [("a", "b")]
    assert ranks(answers, of) == {"a": (1, 1), "b": (2, 2)}


def test_methods_are_compared_on_the_faces_scored_for_both() -> None:
    of = card()
    whole, part = spread(0.0, 1), spread(0.0, 1) + 1.0
    # Where b could not be scored, a has values that would hide the difference.
    whole[:10], part[:10] = 50.0, NAN
    (row,) = compared({"a": [answered(whole, of)], "b": [answered(part, of)]}, of)
    assert row.difference == pytest.approx(-1.0)


def test_faces_that_only_one_was_scored_on_make_no_pair() -> None:
    of = card()
    first, second = spread(0.0), spread(0.0)
    first[20:], second[:20] = NAN, NAN
    answers = {"a": [answered(first, of)], "b": [answered(second, of)]}
    assert compared(answers, of) == []
    assert ranks(answers, of) == {"a": (1, 2), "b": (1, 2)}


def test_regions_and_instruments_are_columns_of_their_own() -> None:
    of = card()
    answers = {
        "a": [answered(spread(0.0, 1), of), answered(spread(9.0, 2), of, "facenet")],
        "b": [answered(spread(1.0, 3), of), answered(spread(7.0, 4), of, "facenet")],
    }
    rows = {row.instrument: row.difference for row in compared(answers, of)}
    assert rows == {"sface": pytest.approx(-1.0), "facenet": pytest.approx(2.0)}


def test_the_worst_is_compared_by_attacks_that_were_tried_on_both() -> None:
    of = card()
    cards, recognisers = {"m": of}, {"sface", "facenet"}
    both = [answered(spread(0.5, 1), of), answered(spread(0.1, 2), of, "facenet")]
    one = [answered(spread(0.4, 3), of)]
    answers = {"a": worst_answers(both, cards, recognisers), "b": worst_answers(one, cards, recognisers)}
    (row,) = compared(answers, of)
    # By facenet b was not attacked: 0.1 against 0.4 would be another attack, not another method.
    assert (row.instrument, row.difference) == ("worst", pytest.approx(0.1))


def test_where_no_attack_was_tried_on_both_nothing_is_compared() -> None:
    of = card()
    cards, recognisers = {"m": of}, {"sface", "facenet"}
    answers = {
        label: worst_answers([answered(spread(0.5, k), of, name)], cards, recognisers)
        for k, (label, name) in enumerate((("a", "sface"), ("b", "facenet")))
    }
    assert compared(answers, of) == []


def test_an_answer_that_one_method_lacks_costs_the_others_nothing() -> None:
    first, second = card("m"), card("n")
    answers = {
        "a": [answered(spread(0.0, 1), first), answered(spread(1.0, 2), second)],
        "b": [answered(spread(1.0, 3), first)],
    }
    rows = compare_methods("d", answers, {"face": DESIGN}, {"m": first, "n": second}, "none")
    assert [(row.metric, row.a, row.b) for row in rows] == [("m", "a", "b")]
    placed = rank_rows("d", answers, rows, {"m": first, "n": second}, "none")
    assert {(row.metric, row.method): (row.best, row.worst) for row in placed} == {
        ("m", "a"): (2, 2),
        ("m", "b"): (1, 1),
        ("n", "a"): (1, 1),
    }
