"""FID and KID: closed forms, weights, missing outputs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from unmask.bench.core.stats.intervals import estimates
from unmask.bench.core.stats.resampling import ClusterResamples, replicate_statistic
from unmask.bench.core.types import Float, Floats32
from unmask.bench.core.values import SetStatistic
from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.quality.distribution import (
    Distribution,
    frechet_distance,
    frechet_distances,
    kernel_distance,
    kernel_distances,
)


def sets(n: int, dim: int, seed: int = 0, shift: float = 0.3) -> tuple[Floats32, Floats32]:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(n, dim)), 1.2 * rng.normal(size=(n, dim)) + shift
    return a.astype(np.float32), b.astype(np.float32)


def test_shift_alone_is_the_squared_distance_of_the_means() -> None:
    a, _ = sets(50, 8)
    assert frechet_distance(a, a + np.float32(0.5), np.ones(50)) == pytest.approx(8 * 0.25, rel=1e-4)


def test_scaling_alone_is_the_trace_of_the_squared_root_difference() -> None:
    a, _ = sets(400, 6)
    a -= a.mean(axis=0)
    expected = float(np.trace(np.cov(a.T))) * (2 - 1) ** 2
    assert frechet_distance(a, 2 * a, np.ones(400)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("n", [20, 300])
@pytest.mark.parametrize("dim", [5, 64])
def test_identical_sets_are_at_zero(n: int, dim: int) -> None:
    a, _ = sets(n, dim)
    assert frechet_distance(a, a, np.ones(n)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("n", "dim"), [(12, 30), (60, 10)])
def test_integer_weights_are_repetitions_for_fid(n: int, dim: int) -> None:
    a, b = sets(n, dim)
    times = np.random.default_rng(1).integers(0, 3, n)
    repeated = frechet_distance(np.repeat(a, times, axis=0), np.repeat(b, times, axis=0), np.ones(times.sum()))
    assert frechet_distance(a, b, times.astype(np.float64)) == pytest.approx(repeated, rel=1e-6)


def test_left_out_rows_are_as_if_absent_for_kid() -> None:
    a, b = sets(40, 10)
    weights = np.repeat([1.0, 0.0], 20)
    assert kernel_distance(a, b, weights) == pytest.approx(kernel_distance(a[:20], b[:20], np.ones(20)), abs=1e-6)


def test_kid_does_not_depend_on_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = sets(40, 10)
    whole = kernel_distance(a, b, np.ones(40))
    monkeypatch.setattr("unmask.metrics.quality.distribution.BLOCK", 7)
    assert kernel_distance(a, b, np.ones(40)) == pytest.approx(whole, abs=1e-6)


@pytest.mark.parametrize("correlation", [0.0, 0.9, 0.99])
def test_kid_of_outputs_distributed_like_their_originals_is_zero_on_average(correlation: float) -> None:
    """Whatever an output keeps of its own original: pairs must not make a method look better than perfect."""
    kids = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        a, new = rng.normal(size=(2, 40, 6))
        b = correlation * a + math.sqrt(1 - correlation**2) * new
        kids.append(kernel_distance(a.astype(np.float32), b.astype(np.float32), np.ones(40)))
    assert abs(np.mean(kids)) < 3 * np.std(kids) / math.sqrt(200)


def test_kid_of_outputs_that_equal_their_originals_is_zero() -> None:
    a, _ = sets(60, 10)
    assert kernel_distance(a, a.copy(), np.ones(60)) == 0
    assert kernel_distances(a, a.copy(), np.ones((2, 60))).tolist() == [0, 0]


def test_kid_is_the_mean_over_pairs_of_different_images() -> None:
    a, b = (rows.astype(np.float64) for rows in sets(9, 4))

    def k(x: Float, y: Float) -> float:
        return float((x @ y / 4 + 1) ** 3)

    terms = [
        k(a[i], a[j]) + k(b[i], b[j]) - k(a[i], b[j]) - k(a[j], b[i]) for i in range(9) for j in range(9) if i != j
    ]
    single = kernel_distance(a.astype(np.float32), b.astype(np.float32), np.ones(9))
    assert single == pytest.approx(np.mean(terms), rel=1e-4)


@pytest.mark.parametrize(("n", "dim"), [(30, 64), (60, 64), (80, 10)])
def test_fids_of_many_draws_are_those_of_one_at_a_time(n: int, dim: int) -> None:
    a, b = sets(n, dim)
    weights = np.random.default_rng(3).integers(0, 3, (6, n)).astype(np.float64)
    weights[0], weights[1] = 1.0, 0.0
    weights[2] = np.arange(n) >= n // 20
    one_by_one = [frechet_distance(a, b, row) for row in weights]
    assert frechet_distances(a, b, weights) == pytest.approx(one_by_one, rel=1e-6, nan_ok=True)
    nobody = np.zeros((2, len(a)))
    np.testing.assert_array_equal(frechet_distances(a, b, nobody), [np.nan, np.nan])
    assert math.isnan(one_by_one[1])


def test_kids_of_many_draws_are_those_of_one_at_a_time() -> None:
    a, b = sets(30, 8)
    weights = np.random.default_rng(3).integers(0, 3, (7, 30)).astype(np.float64)
    weights[4] = 0.0
    weights[4, 2] = 1.0
    one_by_one = [kernel_distance(a, b, row) for row in weights]
    assert kernel_distances(a, b, weights) == pytest.approx(one_by_one, rel=1e-4, nan_ok=True)
    assert math.isnan(one_by_one[4])


def test_fewer_than_two_rows_are_undefined() -> None:
    a, b = sets(3, 4)
    one = np.array([1.0, 0.0, 0.0])
    assert math.isnan(frechet_distance(a, b, one))
    assert math.isnan(kernel_distance(a, b, one))


def test_metric_yields_both_for_every_region_by_jackknife() -> None:
    found = [v for v in Distribution().ask(make_evidence(5, 2)) if isinstance(v, SetStatistic)]
    assert {(v.metric, v.region, v.unit) for v in found} == {
        (metric, region, "face" if region == "face" else "image")
        for metric in ("fid", "kid")
        for region in ("face", "image", "background")
    }
    assert {v.resampling for v in found} == {"jackknife"}


def test_failed_outputs_are_unscored_and_more_change_is_farther() -> None:
    outcomes = ["anonymized"] * 55 + ["error"] * 5
    estimate = {}
    for noise in (0.5, 2.0):
        evidence = make_evidence(20, 3, noise=noise, outcomes=outcomes)
        design = ClusterResamples(evidence.images.cluster, 100)
        fid = next(v for v in Distribution().ask(evidence) if isinstance(v, SetStatistic) and v.region == "image")
        (estimate[noise],) = estimates(replicate_statistic(fid, design), (0.0, None))
    assert (estimate[2.0].n, estimate[2.0].unscored) == (55, 5)
    assert estimate[0.5].high < estimate[2.0].low
