"""Ranks against brute force, ties, and blind chance against the hypergeometric distribution."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from unmask.metrics.privacy.identification import best_match_rank, chance_within


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
