"""Paired comparisons, Holm's correction and rank ranges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from unmask.bench.core.stats.compare import Comparison, RankRange, compare, holm, rank_ranges
from unmask.bench.core.stats.intervals import clopper_pearson
from unmask.bench.core.stats.paired import Scored, p_value
from unmask.bench.core.stats.resampling import ClusterResamples, replicate_means, replicate_statistic
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import SetStatistic, UnitValues


def of(array: Float, share: bool = False, alternatives: tuple[Float, ...] = ()) -> UnitValues:
    return UnitValues("m", "i", np.asarray(array, dtype=np.float64), share=share, alternatives=alternatives)


def compare_means(values: list[UnitValues], resamples: ClusterResamples) -> list[Comparison]:
    return compare([[Scored(item, replicate_means(item, resamples))] for item in values], resamples)


def compare_statistics(statistics: list[SetStatistic], resamples: ClusterResamples) -> list[Comparison]:
    return compare([[Scored(item, replicate_statistic(item, resamples))] for item in statistics], resamples)


def test_holm_by_hand() -> None:
    # Sorted .005 .01 .03 .04: 4*.005, 3*.01, 2*.03, then not below its predecessor.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_a_small_shift_on_the_same_faces_is_found_although_faces_vary_much() -> None:
    rng = np.random.default_rng(0)
    face = rng.normal(0, 10, 100)
    (found,) = compare_means([of(face + 0.5 + rng.normal(0, 1, 100)), of(face)], ClusterResamples(np.arange(100), 2000))
    assert found.p < 0.001
    assert found.low < 0.5 < found.high


def test_p_value_is_close_to_the_paired_t_test() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0, 1, 40), rng.normal(0.3, 1, 40)
    (found,) = compare_means([of(a), of(b)], ClusterResamples(np.arange(40), 20_000))
    assert found.p == pytest.approx(stats.ttest_rel(a, b).pvalue, abs=0.01)


def test_false_alarms_are_rare_on_clustered_ties() -> None:
    rng = np.random.default_rng(2)
    cluster = np.repeat(np.arange(25), 4)
    alarms = 0
    for trial in range(200):
        shift = rng.normal(0, 1, 25)[cluster]  # a whole person differs, with mean 0 over people
        (found,) = compare_means([of(shift), of(np.zeros(100))], ClusterResamples(cluster, 200, trial))
        alarms += found.p < 0.05
    assert alarms / 200 < 0.1


def test_identical_methods_tie() -> None:
    (found,) = compare_means([of(np.ones(20), True)] * 2, ClusterResamples(np.arange(20), 100))
    assert (found.difference, found.p, found.p_adjusted) == (0.0, 1.0, 1.0)
    assert found.low < 0 < found.high


def test_unanimous_opposites_get_the_sign_tests_p() -> None:
    (found,) = compare_means([of(np.ones(30), True), of(np.zeros(30), True)], ClusterResamples(np.arange(10).repeat(3)))
    assert found.p == 2.0**-9
    assert found.low < 1.0
    assert found.high == 1.0


def test_one_person_proves_nothing() -> None:
    (found,) = compare_means([of(np.ones(5)), of(np.zeros(5))], ClusterResamples(np.zeros(5, dtype=np.int64)))
    assert found.p == 1.0
    assert math.isnan(found.low)


def test_only_faces_scored_for_both_are_compared() -> None:
    """Leaving the hard faces unscored must not look like being better."""
    honest = np.concatenate([np.ones(30), np.full(30, 9.0)])
    evasive = honest.copy()
    evasive[30:] = np.nan
    (found,) = compare_means([of(honest), of(evasive)], ClusterResamples(np.arange(60), 200))
    assert (found.difference, found.p) == (0.0, 1.0)


def test_pairs_without_a_common_face_are_left_out() -> None:
    a, b = np.array([1.0, np.nan, 1.0]), np.array([np.nan, 1.0, np.nan])
    pairs = compare_means([of(a), of(b), of(np.ones(3))], ClusterResamples(np.arange(3), 50))
    assert [(each.a, each.b) for each in pairs] == [(0, 2), (1, 2)]


@pytest.mark.parametrize("resampling", ["bootstrap", "jackknife"])
def test_set_statistics_are_compared_by_paired_replicates(resampling: str) -> None:
    rng = np.random.default_rng(3)
    face = rng.normal(0, 5, 80)
    design = ClusterResamples(np.arange(80), 200)

    def statistic(array: Float) -> SetStatistic:
        return mean_statistic(array, np.ones(80, np.bool_), resampling)

    shifted, also, same = compare_statistics(
        [statistic(face + 1 + rng.normal(0, 0.5, 80)), statistic(face), statistic(face)], design
    )
    assert shifted.p_adjusted < 0.001
    assert shifted.low < 1 < shifted.high
    assert also.p_adjusted < 0.001
    assert same.p == 1.0


def mean_statistic(array: Float, scored: Bools, resampling: str, tested_from: int = 0) -> SetStatistic:
    return SetStatistic(
        "m",
        "i",
        lambda w: float(w[w > 0] @ array[w > 0] / w.sum()),
        scored,
        resampling=resampling,  # type: ignore[arg-type]
        tested_from=tested_from,
    )


@pytest.mark.parametrize("resampling", ["bootstrap", "jackknife"])
def test_set_statistics_are_compared_on_the_units_scored_for_both(resampling: str) -> None:
    """A method that fails on the hard faces must not look better, nor worse for being measured on fewer."""
    hard = np.arange(80) >= 60
    face = np.where(hard, 9.0, 1.0)
    failing = np.where(hard, np.nan, face)
    design = ClusterResamples(np.arange(80), 200)
    (found,) = compare_statistics(
        [mean_statistic(face, np.ones(80, np.bool_), resampling), mean_statistic(failing, ~hard, resampling)], design
    )
    assert (found.difference, found.p) == (0.0, 1.0)


def test_statistics_of_too_few_units_are_not_tested() -> None:
    rng = np.random.default_rng(4)
    items = [mean_statistic(rng.normal(k, 0.1, 40), np.ones(40, np.bool_), "jackknife", 50) for k in range(2)]
    (found,) = compare_statistics(items, ClusterResamples(np.arange(40), 100))
    assert found.difference < -0.8
    assert math.isnan(found.p)
    assert math.isnan(found.p_adjusted)


def test_untested_pairs_cost_the_others_no_power() -> None:
    rng = np.random.default_rng(5)
    face = rng.normal(0, 1, 30)
    items = [[Scored(item, replicate_means(item, ClusterResamples(np.arange(30), 500)))] for item in map(of, (
        face, face + rng.normal(0.4, 1, 30), face + 3
    ))]  # fmt: skip
    first, second, third = compare(items, ClusterResamples(np.arange(30), 500), untested={(0, 1), (1, 2)})
    assert math.isnan(first.p)
    assert math.isnan(third.p_adjusted)
    assert second.p_adjusted == second.p < 0.05


def test_thresholds_are_as_uncertain_for_two_methods_as_for_one() -> None:
    """The truth at either end of the threshold's interval lies within the interval of the difference."""
    rng = np.random.default_rng(6)
    near, far = rng.normal(0.5, 0.1, 400), rng.normal(0.62, 0.02, 400)

    def at(distance: Float, threshold: float) -> Float:
        return (distance > threshold).astype(np.float64)

    items = [of(at(d, 0.6), True, (at(d, 0.55), at(d, 0.65))) for d in (near, far)]
    design = ClusterResamples(np.arange(400), 500)
    (found,) = compare_means(items, design)
    (point,) = compare_means([of(item.values, True) for item in items], design)
    ends = [compare_means([of(item.alternatives[k], True) for item in items], design)[0] for k in (0, 1)]
    assert found.difference == point.difference
    assert found.low == min(each.low for each in (point, *ends))
    assert found.high == max(each.high for each in (point, *ends))
    assert found.p == max(each.p for each in (point, *ends))
    assert all(found.low <= each.difference <= found.high for each in ends)
    assert not point.low <= ends[1].difference <= point.high


@pytest.mark.parametrize(("clusters", "floor"), [(3, 0.9), (5, 0.9), (10, 0.88)])
def test_differences_of_few_people_are_covered(clusters: int, floor: float) -> None:
    rng = np.random.default_rng(7)
    covered = 0
    for trial in range(300):
        (found,) = compare_means(
            [of(rng.normal(1, 1, clusters)), of(rng.normal(0, 1, clusters))],
            ClusterResamples(np.arange(clusters), 300, trial),
        )
        covered += found.low <= 1 <= found.high
    assert floor <= covered / 300 <= 0.99


def test_two_people_give_a_difference_without_an_interval() -> None:
    (found,) = compare_means([of(np.array([1.0, 2.0])), of(np.array([0.0, 3.0]))], ClusterResamples(np.arange(2), 100))
    assert found.difference == 0
    assert math.isnan(found.low)


@pytest.mark.parametrize(("people", "photos"), [(40, 1), (40, 3), (200, 1)])
@pytest.mark.parametrize("apart", [0.0, 0.01, 0.05])
def test_differences_of_shares_that_hardly_differ_are_covered(people: int, photos: int, apart: float) -> None:
    """Discordant faces are so rare that many samples hold none: replicates alone would say [0, 0]."""
    rng = np.random.default_rng(8)
    cluster, covered, trials = np.repeat(np.arange(people), photos), 0, 200
    for trial in range(trials):
        kind = rng.random(people)[cluster] + 1e-9 * rng.random(len(cluster))  # A person's photos agree.
        plus, minus = kind < 0.01 + apart, kind > 0.99
        (found,) = compare_means(
            [of(np.where(minus, 0.0, 1.0), True), of(np.where(plus, 0.0, 1.0), True)],
            ClusterResamples(cluster, 200, trial),
        )
        assert found.low < found.high
        covered += found.low <= apart <= found.high
    assert covered / trials >= 0.93


def test_no_discordant_face_leaves_an_exact_bound() -> None:
    (found,) = compare_means([of(np.ones(50), True)] * 2, ClusterResamples(np.arange(50), 100))
    bound = clopper_pearson(0, 50)[1]
    assert found.high == pytest.approx(math.hypot(bound, 0))
    assert found.low == -found.high


def test_a_few_discordant_faces_are_tested_exactly() -> None:
    first = np.ones(1000)
    second = first.copy()
    second[:5] = 0
    (found,) = compare_means([of(first, True), of(second, True)], ClusterResamples(np.arange(1000), 500))
    assert found.p == pytest.approx(stats.binomtest(5, 5).pvalue)


def worst_pair(values: list[list[Float]], design: ClusterResamples, lowest: bool = True) -> Comparison:
    methods = [[Scored(of(v, True), replicate_means(of(v, True), design)) for v in attacks] for attacks in values]
    return compare(methods, design, lowest)[0]


def test_the_worst_attack_is_picked_for_each_method() -> None:
    rng = np.random.default_rng(9)

    def share(rate: float) -> Float:
        return (np.arange(200) < rate * 200).astype(np.float64)[rng.permutation(200)]

    found = worst_pair([[share(0.9), share(0.5)], [share(0.6), share(0.8)]], ClusterResamples(np.arange(200), 500))
    assert found.difference == pytest.approx(0.5 - 0.6)
    assert found.low < -0.1 < found.high
    highest = worst_pair([[share(0.9), share(0.5)], [share(0.6), share(0.8)]], ClusterResamples(np.arange(200)), False)
    assert highest.difference == pytest.approx(0.9 - 0.8)


@pytest.mark.parametrize("rate", [0.7, 0.95])
def test_equal_methods_under_equal_attacks_are_rarely_told_apart(rate: float) -> None:
    rng = np.random.default_rng(10)
    alarms, outside, trials = 0, 0, 200
    for trial in range(trials):
        values = [[(rng.random(100) < rate).astype(np.float64) for _ in range(4)] for _ in range(2)]
        found = worst_pair(values, ClusterResamples(np.arange(100), 300, trial))
        alarms += found.p < 0.05
        outside += not found.low <= 0 <= found.high
    assert alarms / trials <= 0.08
    assert outside / trials <= 0.08


def test_p_value_edges() -> None:
    assert p_value(0.0, 0.0, 10) == 1.0
    assert p_value(0.5, 0.0, 5) == 2.0**-4
    assert p_value(1.0, math.nan, 10) == 1.0


def comparison(a: int, b: int, difference: float, p: float) -> Comparison:
    return Comparison(a, b, difference, difference, difference, p, p)


def test_rank_ranges_show_ties_as_overlaps() -> None:
    # 0 beats 2; 1 is told from neither; 3 was not measured.
    pairs = [comparison(0, 2, 0.4, 0.01), comparison(0, 1, 0.2, 0.3), comparison(1, 3, 0.4, 0.01)]
    values = [0.9, 0.7, 0.5, math.nan]
    assert rank_ranges(values, pairs, "higher") == [RankRange(1, 2), RankRange(1, 3), RankRange(2, 3), None]


def test_direction_turns_ranks_around_and_none_gives_none() -> None:
    pairs = [comparison(0, 1, 0.4, 0.01)]
    assert rank_ranges([0.9, 0.5], pairs, "lower") == [RankRange(2, 2), RankRange(1, 1)]
    assert rank_ranges([0.9, 0.5], pairs, "none") == [None, None]
