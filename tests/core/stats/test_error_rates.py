"""Error rates and thresholds: by hand, by brute force, and as properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmask.bench.core.stats.error_rates import PairDistances, eer, tar_at_fmr, threshold_at_fmr

# Few distinct values, so that ties are common.
distances = st.lists(st.sampled_from([round(0.1 * k, 1) for k in range(21)]), min_size=1, max_size=60)


def test_by_hand() -> None:
    genuine, impostor = np.array([0.1, 0.2, 0.3, 0.6]), np.array([0.25, 0.5, 0.7, 0.9])
    # At .3: FMR 1/4, FNMR 1/4.
    assert eer(genuine, impostor) == pytest.approx(0.25)
    assert threshold_at_fmr(impostor, 0.25) == 0.25
    assert threshold_at_fmr(impostor, 0.5) == 0.5
    # Up to (not including) the second impostor at .5, everything at or below .3 is accepted.
    assert tar_at_fmr(genuine, impostor, 0.25) == pytest.approx(0.75)


def test_all_at_one_distance_is_chance() -> None:
    same = np.full(50, 2.0)
    assert eer(same, same) == pytest.approx(0.5)
    assert tar_at_fmr(same, same, 0.1) == 0.0


def test_perfect_separation() -> None:
    assert eer(np.zeros(5), np.ones(100)) == 0.0
    assert tar_at_fmr(np.zeros(5), np.ones(100), 0.01) == 1.0


def test_too_few_impostors_are_not_measurable() -> None:
    assert math.isnan(threshold_at_fmr(np.linspace(0, 1, 999), 1e-3))
    assert threshold_at_fmr(np.linspace(0, 1, 1000), 1e-3) == 0.0
    assert math.isnan(tar_at_fmr(np.zeros(5), np.ones(99), 0.01))
    assert math.isnan(eer(np.zeros(0), np.ones(3)))


def test_distances_must_be_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        PairDistances(np.array([np.nan]), np.array([1.0]))


@given(distances, st.sampled_from([0.05, 0.1, 0.25, 0.5]))
def test_threshold_never_exceeds_the_fmr_and_is_the_largest_that_does_not(impostor: list[float], fmr: float) -> None:
    array = np.array(impostor)
    threshold = threshold_at_fmr(array, fmr)
    if len(array) * fmr < 1 - 1e-9:
        assert math.isnan(threshold)
        return
    assert np.mean(array <= threshold) <= fmr + 1e-9
    above = array[array > threshold]
    assert len(above) == 0 or np.mean(array <= above.min()) > fmr


@given(distances, st.lists(st.integers(0, 3), min_size=60, max_size=60))
def test_integer_weights_are_repetitions(impostor: list[float], weights: list[int]) -> None:
    array, times = np.array(impostor), np.array(weights[: len(impostor)])
    repeated = np.repeat(array, times)
    weighted = threshold_at_fmr(array, 0.2, times.astype(np.float64))
    assert weighted == pytest.approx(threshold_at_fmr(repeated, 0.2), abs=0, nan_ok=True)
    genuine = np.linspace(0, 1, 7)
    if len(repeated):
        ones = np.ones(7)
        assert eer(genuine, array, ones, times.astype(np.float64)) == pytest.approx(eer(genuine, repeated))
        assert tar_at_fmr(genuine, array, 0.2, ones, times.astype(np.float64)) == pytest.approx(
            tar_at_fmr(genuine, repeated, 0.2), nan_ok=True
        )


@given(distances, distances)
def test_eer_lies_between_the_rates_and_is_symmetric_in_the_roles(genuine: list[float], impostor: list[float]) -> None:
    g, i = np.array(genuine), np.array(impostor)
    value = eer(g, i)
    assert 0 <= value <= 1
    # Mirroring distances and swapping the roles swaps FMR and FNMR.
    assert eer(2 - i, 2 - g) == pytest.approx(value)
