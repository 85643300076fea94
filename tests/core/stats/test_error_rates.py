"""Error rates and thresholds: by hand, by brute force, and as properties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from sklearn.metrics import roc_auc_score

from unmask.bench.core.stats.error_rates import ErrorRates, PairDistances, step_threshold

# Few distinct values, so that ties are common.
distances = st.lists(st.sampled_from([round(0.1 * k, 1) for k in range(21)]), min_size=1, max_size=60)


def rates(genuine: ArrayLike, impostor: ArrayLike, weights: ArrayLike | None = None) -> ErrorRates:
    """``weights``: of the impostor pairs; default 1 each."""
    near, far = np.asarray(genuine, np.float64), np.asarray(impostor, np.float64)
    made = PairDistances(near, far).rates(
        np.ones(len(near)), np.ones(len(far)) if weights is None else np.asarray(weights, np.float64)
    )
    assert made is not None
    return made


def threshold(impostor: ArrayLike, fmr: float, weights: ArrayLike | None = None) -> float:
    far = np.asarray(impostor, np.float64)
    order = np.argsort(far, kind="stable")
    weight = np.ones(len(far)) if weights is None else np.asarray(weights, np.float64)
    return step_threshold(far[order], np.cumsum(weight[order]), fmr * float(weight.sum()))


def test_by_hand() -> None:
    genuine, impostor = [0.1, 0.2, 0.3, 0.6], [0.25, 0.5, 0.7, 0.9]
    # At .3: FMR 1/4, FNMR 1/4.
    assert rates(genuine, impostor).equal_error_rate() == pytest.approx(0.25)
    assert threshold(impostor, 0.25) == 0.25
    assert threshold(impostor, 0.5) == 0.5
    # Up to (not including) the second impostor at .5, everything at or below .3 is accepted.
    assert rates(genuine, impostor).true_accept_rate(0.25) == pytest.approx(0.75)


@given(distances, distances)
def test_area_under_the_curve_counts_pairs(genuine: list[float], impostor: list[float]) -> None:
    nearer = [(a < b) + (a == b) / 2 for a in genuine for b in impostor]
    assert rates(genuine, impostor).area_under_curve() == pytest.approx(np.mean(nearer))


def test_area_under_the_curve_with_weights() -> None:
    rng = np.random.default_rng(0)
    near, far = np.round(rng.normal(1, 0.3, 40), 1), np.round(rng.normal(1.3, 0.3, 60), 1)
    often = rng.integers(0, 3, 100).astype(float)
    weighted = PairDistances(near, far).rates(often[:40], often[40:])
    assert weighted is not None
    expected = roc_auc_score([1] * 40 + [0] * 60, -np.concatenate([near, far]), sample_weight=often)
    assert weighted.area_under_curve() == pytest.approx(expected)


def test_pairs_in_perfect_order_are_exactly_one() -> None:
    """A bit more would have no interval of a share."""
    rng = np.random.default_rng(0)
    for n in range(3, 40):
        near, far = rng.uniform(0, 1, n), rng.uniform(1.1, 2, n + 3)
        weighted = PairDistances(near, far).rates(rng.uniform(0, 1, n), rng.uniform(0, 1, n + 3))
        assert weighted is not None
        assert weighted.area_under_curve() == 1


def test_all_at_one_distance_is_chance() -> None:
    same = rates(np.full(50, 2.0), np.full(50, 2.0))
    assert same.area_under_curve() == 0.5
    assert same.equal_error_rate() == pytest.approx(0.5)
    assert same.true_accept_rate(0.1) == 0.0


def test_perfect_separation() -> None:
    apart = rates(np.zeros(5), np.ones(100))
    assert apart.equal_error_rate() == 0.0
    assert apart.true_accept_rate(0.01) == 1.0


def test_too_few_impostors_are_not_measurable() -> None:
    assert math.isnan(rates(np.zeros(5), np.linspace(1, 2, 999)).true_accept_rate(1e-3))
    assert rates(np.zeros(5), np.linspace(1, 2, 1000)).true_accept_rate(1e-3) == 1.0
    assert PairDistances(np.zeros(0), np.ones(3)).rates(np.zeros(0), np.ones(3)) is None
    assert PairDistances(np.zeros(2), np.ones(3)).rates(np.ones(2), np.zeros(3)) is None


def test_distances_must_be_finite() -> None:
    with pytest.raises(ValueError, match="finite"):
        PairDistances(np.array([np.nan]), np.array([1.0]))


@given(distances, st.sampled_from([0.05, 0.1, 0.25, 0.5]))
def test_threshold_never_exceeds_the_fmr_and_is_the_largest_that_does_not(impostor: list[float], fmr: float) -> None:
    array = np.array(impostor)
    limit = threshold(array, fmr)
    assert np.mean(array <= limit) <= fmr + 1e-9
    above = array[array > limit]
    assert len(above) == 0 or np.mean(array <= above.min()) > fmr


@given(distances, st.lists(st.integers(0, 3), min_size=60, max_size=60))
def test_integer_weights_are_repetitions(impostor: list[float], weights: list[int]) -> None:
    array, times = np.array(impostor), np.array(weights[: len(impostor)])
    repeated = np.repeat(array, times)
    if not len(repeated):
        return
    assert threshold(array, 0.2, times) == threshold(repeated, 0.2)
    genuine = np.linspace(0, 1, 7)
    weighted, plain = rates(genuine, array, times), rates(genuine, repeated)
    assert weighted.equal_error_rate() == pytest.approx(plain.equal_error_rate())
    assert weighted.true_accept_rate(0.2) == pytest.approx(plain.true_accept_rate(0.2), nan_ok=True)


@given(distances, distances)
def test_eer_lies_between_the_rates_and_is_symmetric_in_the_roles(genuine: list[float], impostor: list[float]) -> None:
    g, i = np.array(genuine), np.array(impostor)
    value = rates(g, i).equal_error_rate()
    assert 0 <= value <= 1
    # Mirroring distances and swapping the roles swaps FMR and FNMR.
    assert rates(2 - i, 2 - g).equal_error_rate() == pytest.approx(value)
