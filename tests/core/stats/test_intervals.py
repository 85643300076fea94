"""Intervals cover what they claim to, and admit what was not measured."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from unmask.bench.core.stats.intervals import (
    chance_estimates,
    clopper_pearson,
    estimates,
    interval,
    percentile_interval,
)
from unmask.bench.core.stats.resampling import (
    ClusterResamples,
    Replicates,
    replicate_means,
    replicate_statistic,
    worst_attack,
    worst_replicates,
)
from unmask.bench.core.types import Float
from unmask.bench.core.values import SetStatistic, UnitValues


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


def magnitude(array: Float, clusters: int, seed: int) -> Replicates:
    item = SetStatistic("m", "i", lambda w: float(w @ array / w.sum()), np.ones(len(array), np.bool_), magnitude=True)
    return replicate_statistic(item, ClusterResamples(np.arange(len(array)) % clusters, 200, seed))


@pytest.mark.parametrize("n", [5, 50, 200])
@pytest.mark.parametrize("shift", [0.0, -0.5])
def test_coverage_of_a_magnitude(n: int, shift: float) -> None:
    """Without a shift the interval of |shift| must hold 0, though no replicate of it ever is 0."""
    rng = np.random.default_rng(n)
    covered, trials = 0, 200
    for trial in range(trials):
        found = magnitude(rng.normal(shift, 1, n), n, trial)
        (estimate,) = estimates(found, (0, None))
        assert estimate.value == abs(found.point[0])
        covered += estimate.low <= abs(shift) <= estimate.high
    assert 0.9 <= covered / trials <= 0.995


def test_a_magnitude_is_folded() -> None:
    below = estimates(magnitude(np.array([-5.0, -5.1, -4.9, -5.2, -4.8, -5.0]), 6, 0))[0]
    assert below.value == pytest.approx(5)
    assert 4.7 < below.low < 5 < below.high < 5.3
    around = estimates(magnitude(np.array([-5.0, 6.0, -4.0, 3.0, -2.0, 2.5]), 6, 0))[0]
    assert around.low == 0


@pytest.mark.parametrize("level", [0.2, 0.5, 0.8])
def test_a_magnitude_about_a_centre(level: float) -> None:
    """As far below the centre as above it is the same; the interval of what may be at the centre begins there."""
    rng = np.random.default_rng(0)
    array = rng.normal(level, 0.5, 60)
    item = SetStatistic(
        "m", "i", lambda w: float(w @ array / w.sum()), np.ones(60, np.bool_), magnitude=True, centre=0.5
    )
    replicates = replicate_statistic(item, ClusterResamples(np.arange(60), 200, 0))
    (estimate,) = estimates(replicates, (0.5, None))
    assert estimate.value == pytest.approx(0.5 + abs(array.mean() - 0.5))
    if level == 0.5:
        assert estimate.low == 0.5 < estimate.high < 0.75
    else:
        assert 0.6 < estimate.low < 0.8 < estimate.high < 1
    (worst,) = estimates(worst_replicates([replicates, replace(replicates, point=np.array([0.6]))], lowest=False))
    assert worst.value == max(estimate.value, 0.6)


# Percentiles alone cover .51, .75, .86 and .92 with 2 to 5 people.
@pytest.mark.parametrize(
    ("clusters", "kind", "floor"),
    [
        (3, "normal", 0.92),
        (5, "normal", 0.92),
        (10, "normal", 0.9),
        (50, "normal", 0.92),
        (3, "skewed", 0.82),
        (5, "skewed", 0.82),
        (10, "skewed", 0.82),
        (50, "skewed", 0.88),
    ],
)
def test_coverage_of_means_of_few_people(clusters: int, kind: str, floor: float) -> None:
    rng = np.random.default_rng(clusters)
    covered, trials = 0, 400
    for trial in range(trials):
        data = rng.normal(1, 1, clusters) if kind == "normal" else rng.exponential(1, clusters)
        found = replicate_means(UnitValues("m", "i", data), ClusterResamples(np.arange(clusters), 300, trial))
        low, high = interval(found)
        covered += low <= 1 <= high
    assert floor <= covered / trials <= 0.99


@pytest.mark.parametrize("people", [1, 2])
def test_means_of_fewer_than_three_people_have_no_interval(people: int) -> None:
    design = ClusterResamples(np.arange(6) % people, 100)
    (found,) = estimates(replicate_means(UnitValues("m", "i", np.arange(6.0)), design))
    assert found.value == 2.5
    assert math.isnan(found.low)
    mean = SetStatistic("m", "i", lambda w: float(w @ np.arange(6.0)), np.ones(6, np.bool_), resampling="jackknife")
    assert math.isnan(interval(replicate_statistic(mean, design))[0])


def test_few_people_get_the_t_interval() -> None:
    data = np.random.default_rng(11).normal(size=6)
    found = replicate_means(UnitValues("m", "i", data), ClusterResamples(np.arange(6), 20_000, 0))
    exact = stats.t.interval(0.95, 5, data.mean(), data.std(ddof=1) / math.sqrt(6))
    assert interval(found) == pytest.approx(exact, abs=0.03 * (exact[1] - exact[0]))


def attacks(rates: list[float], n: int, seed: int, alike: float = 0.0) -> Replicates:
    """The worst of several attacks on the same faces; ``alike`` = how far they agree on which faces are hard."""
    rng = np.random.default_rng(seed)
    ease = math.sqrt(alike) * rng.normal(size=n) + math.sqrt(1 - alike) * rng.normal(size=(len(rates), n))
    design = ClusterResamples(np.arange(n), 300, seed)
    passed = (ease < stats.norm.ppf(rates)[:, None]).astype(np.float64)
    return worst_replicates(
        [replicate_means(UnitValues("m", "i", row, share=True), design) for row in passed], lowest=True
    )


@pytest.mark.parametrize("n", [20, 200])
@pytest.mark.parametrize("alike", [0.0, 0.5])
@pytest.mark.parametrize("rates", [[0.9] * 4, [0.6] * 8, [0.95, 0.9, 0.8, 0.7], [0.72, 0.70, 0.71, 0.70], [0.99] * 3])
def test_coverage_of_the_worst_attack(rates: list[float], alike: float, n: int) -> None:
    """Picking the worst again in each replicate and taking percentiles would cover eight equal attacks .07 to .6."""
    covered, trials = 0, 100
    for trial in range(trials):
        low, high = interval(attacks(rates, n, trial, alike))
        covered += low <= min(rates) <= high
    assert covered / trials >= 0.92


def test_the_worst_attack_is_picked_per_set_and_replicate() -> None:
    design = ClusterResamples(np.arange(6), 100)
    masks = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1]], dtype=bool)
    data = [np.array([1.0, 1, 1, 0, 0, 1]), np.array([0.0, 1, 0, 1, 1, 1])]
    parts = [replicate_means(UnitValues("m", "i", row, share=True), design, masks) for row in data]
    low, high = worst_replicates(parts, lowest=True), worst_replicates(parts, lowest=False)
    assert low.point == pytest.approx([4 / 6, 1 / 3, 1 / 3])
    assert high.point == pytest.approx([4 / 6, 1.0, 1.0])
    assert worst_attack(parts, lowest=True).tolist() == [0, 1, 0]
    assert low.values[7, 0] == min(parts[0].values[7, 0], parts[1].values[7, 0])


@pytest.mark.parametrize(("rate", "strangers"), [(0.001, 50), (0.02, 20)])
def test_coverage_of_a_measured_chance(rate: float, strangers: int) -> None:
    """Most faces match no stranger at all: their mean has to stay as uncertain as it is."""
    covered, trials = 0, 200
    for trial in range(trials):
        rng = np.random.default_rng(trial)
        chance = 1 - rng.binomial(strangers, rate, 80) / strangers
        item = UnitValues("m", "i", np.ones(80), share=True, chance_values=chance)
        (found,) = chance_estimates(
            item, ClusterResamples(np.arange(80), 200, trial), np.ones((1, 80), np.bool_), (0.0, 1.0)
        )
        assert found.value == pytest.approx(chance.mean())
        covered += found.low <= 1 - rate <= found.high
    assert covered / trials >= 0.93


def test_a_chance_that_was_not_measured_has_no_value() -> None:
    item = UnitValues("m", "i", np.ones(9), share=True, chance_values=np.full(9, np.nan))
    (found,) = chance_estimates(item, ClusterResamples(np.arange(9), 100), np.ones((1, 9), np.bool_), (0.0, 1.0))
    assert math.isnan(found.value)
    assert math.isnan(found.low)


def test_attacks_that_agree_on_every_face_are_one() -> None:
    design = ClusterResamples(np.arange(11), 200)
    one = replicate_means(UnitValues("m", "i", np.zeros(11), share=True), design)
    assert interval(worst_replicates([one] * 9, lowest=True)) == interval(one)
