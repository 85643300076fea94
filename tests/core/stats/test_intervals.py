"""Intervals cover what they claim to, and admit what was not measured."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from bench.core.stats.intervals import (
    clopper_pearson,
    difference_interval,
    estimates,
    interval,
    percentile_interval,
)
from bench.core.stats.resampling import ClusterResamples, Replicates, replicate_means, replicate_statistic
from bench.core.types import Float
from bench.core.values import SetStatistic, UnitValues


def share(array: Float, clusters: int, replicates: int = 500, seed: int = 0) -> Replicates:
    design = ClusterResamples(np.arange(len(array)) % clusters, replicates, seed)
    return replicate_means(UnitValues("m", "i", np.asarray(array, dtype=np.float64), share=True), design)


@pytest.mark.parametrize(("people", "photos", "rate"), [(30, 4, 0.3), (60, 3, 0.1), (12, 5, 0.5)])
def test_coverage_on_clustered_binary_data(people: int, photos: int, rate: float) -> None:
    """Photos of one person mostly agree; the 95 % interval must cover the true rate about 95 % of the time."""
    rng = np.random.default_rng(people)
    covered = 0
    trials = 250
    cluster = np.repeat(np.arange(people), photos)
    for trial in range(trials):
        person = rng.beta(2 * rate, 2 * (1 - rate), people)  # intra-person correlation 1/3
        data = (rng.random(people * photos) < person[cluster]).astype(np.float64)
        design = ClusterResamples(cluster, 300, trial)
        low, high = interval(replicate_means(UnitValues("m", "i", data, share=True), design))
        covered += low <= rate <= high
    assert 0.90 <= covered / trials <= 0.98


def test_image_wise_resampling_would_not_cover() -> None:
    """The same data, resampled by photo: the mistake that clustering avoids."""
    rng = np.random.default_rng(30)
    cluster = np.repeat(np.arange(30), 8)
    covered = 0
    for trial in range(150):
        data = (rng.random(30) < 0.3).astype(np.float64)[cluster]
        design = ClusterResamples(np.arange(240), 200, trial)
        low, high = interval(replicate_means(UnitValues("m", "i", data), design))
        covered += low <= 0.3 <= high
    assert covered / 150 < 0.75


def test_a_unanimous_share_gets_clopper_pearsons_interval_over_clusters() -> None:
    none, every = estimates(share(np.zeros(40), 10))[0], estimates(share(np.ones(40), 10))[0]
    assert (none.low, none.high) == pytest.approx((0.0, 1 - 0.025 ** (1 / 10)))
    assert (every.low, every.high) == pytest.approx((0.025 ** (1 / 10), 1.0))


def test_one_dissenter_does_not_make_the_interval_narrower_than_none() -> None:
    data = np.zeros(200)
    data[0] = 1
    assert interval(share(data, 200))[1] >= interval(share(np.zeros(200), 200))[1]


@pytest.mark.parametrize(("successes", "trials"), [(0, 7), (7, 7), (3, 20)])
def test_clopper_pearson_equals_scipys_exact_interval(successes: int, trials: int) -> None:
    exact = stats.binomtest(successes, trials).proportion_ci(0.95, "exact")
    assert clopper_pearson(successes, trials) == pytest.approx((exact.low, exact.high))


def test_expanded_percentiles_of_a_normal_mean_come_close_to_the_t_interval() -> None:
    data = np.random.default_rng(5).normal(size=12)
    design = ClusterResamples(np.arange(12), 20_000, 0)
    low, high = interval(replicate_means(UnitValues("m", "i", data), design))
    exact = stats.t.interval(0.95, 11, data.mean(), data.std(ddof=1) / math.sqrt(12))
    assert (low, high) == pytest.approx(exact, abs=0.12 * (exact[1] - exact[0]))


def test_one_cluster_has_no_interval() -> None:
    found = estimates(share(np.array([0.0, 1.0, 1.0]), 1))[0]
    assert found.value == pytest.approx(2 / 3)
    assert math.isnan(found.low)
    assert math.isnan(found.high)


def test_undefined_replicates_are_dropped_until_they_are_the_majority() -> None:
    draws = np.linspace(0, 1, 100)
    some, most = draws.copy(), draws.copy()
    some[:49], most[:51] = np.nan, np.nan
    assert percentile_interval(some, 50)[0] > 0.48
    assert math.isnan(percentile_interval(most, 50)[0])


def test_jackknife_interval_of_a_mean_is_the_t_interval() -> None:
    data = np.random.default_rng(6).normal(size=15)
    mean = SetStatistic("m", "i", lambda w: float(w @ data / w.sum()), np.ones(15, dtype=bool), resampling="jackknife")
    low, high = interval(replicate_statistic(mean, ClusterResamples(np.arange(15), 10, 0)))
    assert (low, high) == pytest.approx(stats.t.interval(0.95, 14, data.mean(), data.std(ddof=1) / math.sqrt(15)))


def test_alternatives_widen_the_interval_to_their_hull_and_leave_the_value() -> None:
    rng = np.random.default_rng(7)
    distance, design = rng.random(300), ClusterResamples(np.arange(300), 400, 0)
    plain = UnitValues("m", "i", (distance > 0.5).astype(np.float64), share=True)
    ends = tuple((distance > t).astype(np.float64) for t in (0.4, 0.6))
    (without,) = estimates(replicate_means(plain, design))
    (found,) = estimates(replicate_means(replace(plain, alternatives=ends), design))
    (strict,), (lenient,) = (estimates(replicate_means(replace(plain, values=end), design)) for end in ends)
    assert found.value == without.value
    assert (found.low, found.high) == (lenient.low, strict.high)


def test_bounds_cut_interval_ends() -> None:
    found = replicate_means(
        UnitValues("m", "i", np.array([0.0, 0.0, 0.0, 9.0])), ClusterResamples(np.arange(4), 200, 0)
    )
    assert estimates(found, (0.5, 4.0))[0].low == 0.5
    assert estimates(found, (0.5, 4.0))[0].high == 4.0


def test_difference_of_two_unanimous_subgroups_stays_uncertain() -> None:
    data = np.repeat([0.0, 1.0], 20)
    masks = np.stack([data == 0, data == 1])
    design = ClusterResamples(np.arange(40), 200, 0)
    found = replicate_means(UnitValues("m", "i", data, share=True), design, masks)
    point, low, high = difference_interval(found, 1, 0)
    assert point == 1.0
    assert low == pytest.approx(1 - math.hypot(*[clopper_pearson(0, 20)[1]] * 2))
    assert high == 1.0


def test_difference_of_subgroup_means_covers_like_welch() -> None:
    rng = np.random.default_rng(8)
    data = np.concatenate([rng.normal(0, 1, 60), rng.normal(1, 2, 60)])
    masks = np.stack([np.arange(120) < 60, np.arange(120) >= 60])
    found = replicate_means(UnitValues("m", "i", data), ClusterResamples(np.arange(120), 4000, 0), masks)
    point, low, high = difference_interval(found, 1, 0)
    welch = stats.ttest_ind(data[60:], data[:60], equal_var=False).confidence_interval(0.95)
    assert point == pytest.approx(data[60:].mean() - data[:60].mean())
    assert (low, high) == pytest.approx((welch.low, welch.high), abs=0.1 * (welch.high - welch.low))
