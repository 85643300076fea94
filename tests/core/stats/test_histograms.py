"""Error rates from histograms of scores: by hand, and against the exact rates from the scores themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmask.bench.core.stats.error_rates import ErrorRates, PairDistances
from unmask.bench.core.stats.histograms import (
    COSINE_EDGES,
    ScoreHistograms,
    people_weights,
    pooled_edges,
    score_histograms,
)
from unmask.bench.core.types import Float


def exact(genuine: Float, impostor: Float) -> ErrorRates:
    rates = PairDistances(-genuine, -impostor).rates(np.ones(len(genuine)), np.ones(len(impostor)))
    assert rates is not None
    return rates


def one_person(genuine: Float, impostor: Float, edges: Float) -> ScoreHistograms:
    return score_histograms(
        genuine, np.zeros(len(genuine), np.int64), impostor, np.zeros(len(impostor), np.int64), 1, edges
    )


def cosines(mean: float, people: int = 385, seed: int = 0) -> tuple[Float, Float]:
    """About what a recogniser gives: strangers at .1 +- .1, one genuine comparison and 384 others a person."""
    rng = np.random.default_rng(seed)
    return rng.normal(mean, 0.15, people).clip(-1, 1), rng.normal(0.1, 0.1, people * (people - 1)).clip(-1, 1)


def test_by_hand() -> None:
    counts = ScoreHistograms(np.array([[0, 1, 0, 3]]), np.array([[4, 3, 1, 2]]), np.array([0.0, 1.0, 2.0, 3.0, 4.0]))
    curve = counts.det()
    assert curve.threshold.tolist() == [0, 1, 2, 3, 4]
    assert curve.fmr == pytest.approx([1, 0.6, 0.3, 0.2, 0])
    assert curve.fnmr == pytest.approx([0, 0, 0.25, 0.25, 1])
    # FMR .25 is passed halfway between 2 and 3; TAR is .75 at both.
    assert counts.true_accept_rate(0.25) == pytest.approx((0.75, 0.75, 0.75))
    # FMR .1 is passed halfway between 3 (TAR .75) and 4 (TAR 0).
    assert counts.true_accept_rate(0.1) == pytest.approx((0.375, 0, 0.75))
    assert counts.true_accept_rate_at(1.5) == pytest.approx((0.875, 0.75, 1))
    assert counts.true_accept_rate_at(2.0) == pytest.approx((0.75, 0.75, 0.75))
    assert counts.true_accept_rate_at(-1) == pytest.approx((1, 1, 1))
    # The last bin may hold the value of its own upper edge.
    assert counts.true_accept_rate_at(4.0) == pytest.approx((0, 0, 0.75))
    assert counts.true_accept_rate_at(4.1) == pytest.approx((0, 0, 0))
    # Between 2 and 3 FNMR stands at .25 and FMR falls from .3 to .2.
    assert counts.equal_error_rate() == pytest.approx((0.25, 0.25, 0.25))


@pytest.mark.parametrize("mean", [0.12, 0.3, 0.45, 0.8])
@pytest.mark.parametrize("edges", ["cosine", "pooled"])
def test_bins_say_what_the_scores_say(mean: float, edges: str) -> None:
    genuine, impostor = cosines(mean)
    bins = COSINE_EDGES if edges == "cosine" else pooled_edges(genuine, impostor)
    counts, rates = one_person(genuine, impostor, bins), exact(genuine, impostor)
    for fmr in (1e-1, 1e-2, 1e-3, 1e-4):
        tar, truth = counts.true_accept_rate(fmr), rates.true_accept_rate(fmr)
        assert tar.low - 1e-9 <= truth <= tar.high + 1e-9
        # What 200 bins cost at any of these rates is below one percent of the genuine comparisons (four of 385).
        assert tar.value == pytest.approx(truth, abs=0.01)
    eer = counts.equal_error_rate()
    assert eer.value == pytest.approx(rates.equal_error_rate(), abs=0.004)
    assert eer.low <= eer.value <= eer.high
    threshold = 0.4003
    at = counts.true_accept_rate_at(threshold)
    assert at.low <= np.mean(genuine >= threshold) <= at.high
    assert at.value == pytest.approx(np.mean(genuine >= threshold), abs=0.01)


@given(st.integers(0, 10_000))
def test_the_exact_rate_lies_within_the_bins(seed: int) -> None:
    rng = np.random.default_rng(seed)
    genuine, impostor = rng.integers(0, 12, 9) / 3, rng.integers(0, 12, 40) / 3
    counts = one_person(genuine, impostor, np.linspace(0, 4, 6))
    for fmr in (0.025, 0.1, 0.3, 0.9):
        tar = counts.true_accept_rate(fmr)
        assert tar.low - 1e-9 <= exact(genuine, impostor).true_accept_rate(fmr) <= tar.high + 1e-9
        assert tar.low <= tar.value <= tar.high


def test_weights_count_people() -> None:
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(6), 30)
    genuine, impostor = rng.normal(0.4, 0.2, 180).clip(-1, 1), rng.normal(0.1, 0.2, 180).clip(-1, 1)
    counts = score_histograms(genuine, person, impostor, person, 6, COSINE_EDGES)
    weights = np.array([[1, 1, 1, 1, 1, 1], [2, 0, 1, 0, 3, 0], [0, 0, 0, 0, 0, 0]], np.float64)
    again = np.repeat(np.arange(6), weights[1].astype(int))
    repeated = one_person(
        np.concatenate([genuine[person == p] for p in again]),
        np.concatenate([impostor[person == p] for p in again]),
        COSINE_EDGES,
    )
    for ask in ("true_accept_rate", "equal_error_rate", "true_accept_rate_at"):
        arguments = {"true_accept_rate": (0.1,), "true_accept_rate_at": (0.3,)}.get(ask, ())
        many = getattr(counts, ask)(*arguments, weights=weights)
        assert many.value[0] == pytest.approx(getattr(counts, ask)(*arguments).value)
        assert many.value[1] == pytest.approx(getattr(repeated, ask)(*arguments).value)
        assert np.isnan(many.value[2])


def test_faces_weigh_for_their_people() -> None:
    person = np.array([0, 0, 2, 2, 2])
    assert people_weights(np.array([0.0, 2, 1, 1, 0]), person, 3).tolist() == [2, 0, 1]
    assert people_weights(np.array([[0.0, 2, 1, 1, 0], [0, 0, 3, 3, 3]]), person, 3).tolist() == [[2, 0, 1], [0, 0, 3]]


def test_what_cannot_be_measured_is_not() -> None:
    few = one_person(np.array([0.5]), np.linspace(-0.5, 0.5, 999), COSINE_EDGES)
    assert np.isnan(few.true_accept_rate(1e-3).value)
    assert np.isfinite(few.true_accept_rate(1e-2).value)
    assert np.isnan(few.true_accept_rate_at(np.nan).value)
    alone = one_person(np.zeros(0), np.linspace(-0.5, 0.5, 999), COSINE_EDGES)
    assert np.isnan(alone.equal_error_rate().value)
    assert np.isnan(alone.true_accept_rate(1e-1).value)
    assert np.isnan(alone.true_accept_rate_at(0.2).value)


def test_nothing_left_to_compare_is_least_alike() -> None:
    counts = one_person(np.array([-np.inf, np.nan, 0.5, 1.000001]), np.array([0.0]), COSINE_EDGES)
    assert counts.genuine.sum() == 3
    assert counts.genuine[0, 0] == counts.genuine[0, 150] == counts.genuine[0, -1] == 1
    with pytest.raises(ValueError, match="1 of 2 scores lie outside"):
        one_person(np.array([1.5, 0.0]), np.array([0.0]), COSINE_EDGES)


def test_equal_scores_are_chance() -> None:
    same = one_person(np.full(50, -np.inf), np.full(5000, -np.inf), COSINE_EDGES)
    assert same.equal_error_rate().value == pytest.approx(0.5)
    assert same.true_accept_rate(0.01).value == pytest.approx(0.01)
    assert pooled_edges(np.array([2.0, np.nan]))[[0, -1]].tolist() == [1.5, 2.5]


def test_shuffled_labels_keep_every_comparison() -> None:
    person = np.arange(200)
    genuine, impostor = np.random.default_rng(0).normal(0.6, 0.1, 200), np.random.default_rng(1).normal(0, 0.1, 9800)
    counts = score_histograms(genuine, person, impostor, np.repeat(person, 49), 200, COSINE_EDGES)
    floor = counts.shuffled(seed=4)
    assert (floor.genuine + floor.impostor == counts.genuine + counts.impostor).all()
    assert (floor.genuine.sum(axis=1) == 1).all()
    assert counts.equal_error_rate().value < 0.02
    assert floor.equal_error_rate().value == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize(
    ("genuine", "impostor", "edges", "message"),
    [
        (np.zeros((1, 2), int), np.zeros((1, 2), int), np.array([0.0, 2.0, 1.0]), "ascend"),
        (np.zeros((1, 3), int), np.zeros((1, 2), int), np.array([0.0, 1.0, 2.0]), "counts must be"),
        (np.full((1, 2), -1), np.zeros((1, 2), int), np.array([0.0, 1.0, 2.0]), "negative"),
    ],
)
def test_wrong_histograms_are_refused(genuine: Float, impostor: Float, edges: Float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ScoreHistograms(genuine, impostor, edges)  # type: ignore[arg-type]
