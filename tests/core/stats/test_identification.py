"""Ranks against brute force, ties, blind chance and sub-galleries against drawing, open-set rates by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from unmask.bench.core.stats.identification import (
    Searches,
    best_match_rank,
    best_of,
    chance_within,
    cmc,
    open_set,
    search,
    sub_gallery_rates,
)


@given(st.integers(0, 10_000))
def test_ranks_equal_a_sort(seed: int) -> None:
    rng = np.random.default_rng(seed)
    distances = rng.integers(0, 6, (7, 9)).astype(np.float64)
    distances[rng.random((7, 9)) < 0.1] = np.nan
    match, gallery = rng.random((7, 9)) < 0.25, rng.random((7, 9)) < 0.8
    for q, rank in enumerate(best_match_rank(distances, match, gallery)):
        # A right entry sorts before wrong ones at the same distance: the attacker's favour.
        entries = sorted(
            (distances[q, g], not match[q, g]) for g in range(9) if gallery[q, g] and np.isfinite(distances[q, g])
        )
        places = [place for place, (_, wrong) in enumerate(entries, 1) if not wrong]
        assert rank == places[0] if places else np.isnan(rank)


def test_a_tie_is_the_attackers() -> None:
    assert best_match_rank(np.zeros((1, 5)), np.arange(5)[None, :] == 4)[0] == 1


def test_empty_gallery() -> None:
    assert np.isnan(best_match_rank(np.zeros((2, 0)), np.zeros((2, 0), dtype=bool))).all()


@pytest.mark.parametrize(("k", "gallery", "right"), [(1, 50, 1), (5, 50, 3), (5, 6, 2), (5, 3, 1), (1, 10, 0)])
def test_chance_is_hypergeometric(k: int, gallery: int, right: int) -> None:
    expected = 1 - stats.hypergeom.pmf(0, gallery, right, min(k, gallery))
    assert chance_within(k, np.array([gallery]), np.array([right]))[0] == pytest.approx(expected)


def test_cmc_counts_the_never_matched_and_leaves_out_the_unsearched() -> None:
    rank = np.array([1, 1, 3, np.inf, np.nan])
    assert cmc(rank, 4) == pytest.approx([0.5, 0.5, 0.75, 0.75])
    weights = np.array([[1, 0, 2, 1, 9], [0, 0, 0, 0, 1]], np.float64)
    assert cmc(rank, 3, weights)[0] == pytest.approx([0.25, 0.25, 0.75])
    assert np.isnan(cmc(rank, 3, weights)[1]).all()


def test_several_probes_and_entries_count_by_their_best() -> None:
    scores = np.array([[0.1, 0.9, np.nan], [0.3, 0.2, np.nan], [np.nan, np.nan, np.nan]])
    by_person = best_of(scores, np.array([0, 0, 1]), 2, axis=1)
    assert by_person[0].tolist() == [0.9, pytest.approx(np.nan, nan_ok=True)]
    probes = best_of(scores, np.array([0, 0, 1]), 2, axis=0)
    assert probes[0, :2].tolist() == [0.3, 0.9]
    assert np.isnan(probes[1]).all()


def test_search_by_hand() -> None:
    scores = np.array(
        [
            [0.9, 0.1, 0.2],  # right, first
            [0.5, 0.5, 0.2],  # a tie is the attacker's
            [0.5, 0.1, 0.3],  # one stranger ahead
            [-np.inf, -np.inf, -np.inf],  # destroyed
            [np.nan, np.nan, np.nan],  # unreadable
            [0.5, np.nan, 0.3],  # the right person's entry cannot be read
            [0.5, 0.4, 0.3],  # not in the gallery
        ]
    )
    result = search(scores, np.array([0, 1, 2, 0, 0, 1, -1]))
    assert result.rank[:4].tolist() == [1, 1, 2, np.inf]
    assert np.isnan(result.rank[4:]).all()
    assert result.genuine[:4].tolist() == [0.9, 0.5, 0.3, -np.inf]
    assert result.stranger[[0, 1, 2, 3, 5, 6]].tolist() == [0.2, 0.5, 0.5, -np.inf, 0.5, 0.5]
    assert np.isnan(result.stranger[4])


@pytest.mark.parametrize("k", [1, 3])
def test_sub_galleries_equal_drawing_them(k: int) -> None:
    rng = np.random.default_rng(0)
    rank = rng.integers(1, 13, 40).astype(np.float64)
    rank[:4] = [1, 12, np.inf, np.nan]
    sizes = np.array([1, 2, 5, 11, 12])
    rates = sub_gallery_rates(rank, 12, sizes, k)
    drawn = []
    for size in sizes:
        hits = [
            float(np.mean([(rng.permutation(11)[: size - 1] < r - 1).sum() < k for _ in range(400)]))
            if np.isfinite(r)
            else 0.0
            for r in rank
            if not np.isnan(r)
        ]
        drawn.append(np.mean(hits))
    assert rates == pytest.approx(drawn, abs=0.012)
    assert rates[0] == pytest.approx(38 / 39)
    assert rates[-1] == pytest.approx(cmc(rank, k)[-1])
    expected = stats.hypergeom.cdf(k - 1, 11, rank[5] - 1, 4)
    assert sub_gallery_rates(rank[5:6], 12, np.array([5]), k)[0] == pytest.approx(expected)
    weights = np.zeros((2, 40))
    weights[0, 1] = 1
    assert sub_gallery_rates(rank, 12, sizes, k, weights)[0, -1] == 0
    with pytest.raises(ValueError, match="1 to 12 people"):
        sub_gallery_rates(rank, 12, np.array([13]))
    with pytest.raises(ValueError, match="rank people"):
        sub_gallery_rates(rank, 11, np.array([5]))


def test_open_set_by_hand() -> None:
    # Ten probes; strangers at 0, .1 ... .9.
    stranger = np.arange(10) / 10
    genuine = np.array([0.85, 0.95, 0.5, 0.95, 0.1, 0.95, 0.95, np.nan, 0.95, 0.95])
    rank = np.array([1, 1, 1, 1, 2, 1, 1, np.inf, 1, 1])
    point = open_set(Searches(rank, genuine, stranger), 0.1)
    # One alarm of ten allowed: any threshold above .8 does. Missed: .5, the second of its list, and the destroyed one.
    assert 0.8 < point.threshold < 0.8 + 1e-9
    assert (point.fpir, point.fnir, point.searches) == (pytest.approx(0.1), pytest.approx(0.3), 10)
    # Handed in: at .9 the first probe is missed as well.
    stricter = open_set(Searches(rank, genuine, stranger), 0.1, threshold=0.9)
    assert (stricter.fpir, stricter.fnir) == (pytest.approx(0.1), pytest.approx(0.4))
    # Two candidates: .1 is still below the threshold.
    assert open_set(Searches(rank, genuine, stranger), 0.1, candidates=2).fnir == pytest.approx(0.3)
    assert open_set(Searches(rank, genuine, stranger), 0.999, candidates=2).fnir == pytest.approx(0.1)


def test_open_set_is_not_measured_with_few_searches() -> None:
    few = Searches(np.ones(99), np.ones(99), np.zeros(99))
    assert np.isnan(open_set(few, 1e-2).fnir)
    assert np.isnan(open_set(few, 1e-2, threshold=0.5).fnir)
    assert open_set(few, 1e-1).fnir == 0
    assert np.isnan(open_set(few, 1e-1, threshold=np.nan).fnir)
    unsearched = Searches(np.full(20, np.nan), np.full(20, np.nan), np.zeros(20))
    assert np.isnan(open_set(unsearched, 1e-1).fnir)
    with pytest.raises(ValueError, match="needs the score"):
        Searches(np.ones(1), np.full(1, np.nan), np.zeros(1))


def test_destroyed_faces_are_misses_and_raise_no_alarm() -> None:
    rng = np.random.default_rng(1)
    rank, genuine, stranger = np.ones(200), rng.normal(3, 1, 200), rng.normal(0, 1, 200)
    rank[:100], genuine[:100], stranger[:100] = np.inf, np.nan, np.nan
    half = open_set(Searches(rank, genuine, stranger), 0.1)
    rest = open_set(Searches(rank[100:], genuine[100:], stranger[100:]), 0.2)
    assert half.threshold == rest.threshold
    assert half.fnir == pytest.approx((1 + rest.fnir) / 2)
    gone = open_set(Searches(rank[:100], genuine[:100], stranger[:100]), 0.1)
    assert (gone.fnir, gone.fpir) == (1, 0)


@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.25, 0.5]))
def test_open_set_under_weights_equals_repeated_searches(seed: int, fpir: float) -> None:
    rng = np.random.default_rng(seed)
    rank, genuine, stranger = rng.integers(1, 4, 30) * 1.0, rng.integers(0, 9, 30) / 4, rng.integers(0, 9, 30) / 4
    weights = rng.multinomial(30, np.full(30, 1 / 30), 3).astype(np.float64)
    many = open_set(Searches(rank, genuine, stranger), fpir, weights=weights)
    for row in range(3):
        again = np.repeat(np.arange(30), weights[row].astype(int))
        one = open_set(Searches(rank[again], genuine[again], stranger[again]), fpir)
        assert many.fnir[row] == one.fnir
        assert many.threshold[row] == one.threshold
        assert one.fpir <= fpir + 1e-9
        # No lower threshold holds the rate: the next stranger down would be one too many.
        below = stranger[again][stranger[again] < one.threshold]
        if len(below):
            assert np.mean(stranger[again] >= below.max()) > fpir
