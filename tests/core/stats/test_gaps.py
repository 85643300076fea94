"""Gaps between subgroups: rarely significant where nothing differs, found where it does."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.bench.core.stats.gaps import GroupPermutations, gap_between
from unmask.bench.core.stats.resampling import ClusterResamples, replicate_means, replicate_statistic
from unmask.bench.core.types import Float
from unmask.bench.core.values import SetStatistic, UnitValues


def groups_of(people: int, groups: int, rng: np.random.Generator, equal: bool) -> NDArray[np.int64]:
    shares = np.full(groups, 1 / groups) if equal else np.array([2.0**-k for k in range(groups)])
    return np.repeat(np.arange(groups), np.maximum(np.round(shares / shares.sum() * people), 6).astype(int))


def of(values: Float, share: bool = False) -> UnitValues:
    return UnitValues("m", "i", np.asarray(values, np.float64), share=share)


@pytest.mark.parametrize("groups", [2, 3, 4, 7])
@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("share", [True, False])
def test_alike_subgroups_are_rarely_told_apart(groups: int, equal: bool, share: bool) -> None:
    """The largest of many differences is not significant for being the largest."""
    rng = np.random.default_rng(groups)
    alarms, beyond, observed, expected, trials = 0, 0, [], [], 150
    for trial in range(trials):
        group = np.repeat(groups_of(80, groups, rng, equal), 2)
        cluster = np.arange(len(group)) // 2
        person = rng.normal(size=cluster.max() + 1)[cluster]
        noise = person + rng.normal(size=len(group))
        item = of((noise > 0.8).astype(np.float64) if share else noise, share)
        (test,) = GroupPermutations(group, cluster, trial, 99).test([[item]], [True])
        design = ClusterResamples(cluster, 200, trial)
        gap = gap_between(
            replicate_means(item, design, np.stack([group == g for g in range(groups)])), range(groups), True
        )
        alarms += test.p < 0.05
        beyond += gap.low > 0
        observed.append(gap.value)
        expected.append(test.expected)
    assert alarms / trials <= 0.09
    assert beyond / trials <= 0.09
    assert np.mean(observed) == pytest.approx(np.mean(expected), rel=0.1)


def test_a_true_gap_is_found_and_covered() -> None:
    rng = np.random.default_rng(1)
    found, covered = 0, 0
    for trial in range(60):
        group = np.repeat([0, 1, 2], [60, 40, 20])
        item = of(rng.normal(np.array([0.0, 0.1, 1.0])[group], 1))
        (test,) = GroupPermutations(group, np.arange(120), trial, 99).test([[item]], [True])
        replicates = replicate_means(
            item, ClusterResamples(np.arange(120), 200, trial), np.stack([group == g for g in range(3)])
        )
        gap = gap_between(replicates, range(3), True)
        found += test.p < 0.05
        covered += gap.low <= 1.0 <= gap.high
    assert found >= 50
    assert covered >= 57


def test_direction_names_the_worst() -> None:
    group = np.repeat([0, 1], 20)
    item = of(np.where(group == 0, 1.0, 0.0), True)
    replicates = replicate_means(item, ClusterResamples(np.arange(40), 100), np.stack([group == 0, group == 1]))
    high, low = gap_between(replicates, (0, 1), True), gap_between(replicates, (0, 1), False)
    assert (high.worst, high.best, high.value) == (1, 0, 1.0)
    assert (low.worst, low.best) == (0, 1)
    assert high.low < 1.0  # No replicate varies, and yet 20 people are not everybody.


def test_photos_of_one_person_are_not_permuted_singly() -> None:
    """Six people, whole persons differ: photo by photo the gap would look impossible by chance."""
    rng = np.random.default_rng(2)
    group, cluster = np.repeat([0, 1], 60), np.repeat(np.arange(6), 20)
    small = []
    for trial in range(100):
        item = of(rng.normal(size=6)[cluster] + 0.01 * rng.normal(size=120))
        (test,) = GroupPermutations(group, cluster, trial, 99).test([[item]], [True])
        small.append(test.p < 0.05)
    assert np.mean(small) <= 0.1


def test_units_outside_and_not_scored_take_no_part() -> None:
    rng = np.random.default_rng(3)
    group = np.repeat([0, 1, -1], 30)
    values = rng.normal(size=90)
    values[:10] = np.nan
    eligible = np.arange(90) != 31
    changed = values.copy()
    changed[60:] += 100
    changed[31] = 1e6
    tests = [
        GroupPermutations(group, np.arange(90)).test([[UnitValues("m", "i", v, eligible=eligible)]], [True])[0]
        for v in (values, changed)
    ]
    assert tests[0] == tests[1]


def test_the_worst_of_several_attacks_is_picked_within_each_subgroup() -> None:
    rng = np.random.default_rng(4)
    group = np.repeat([0, 1], 40)
    first, second = rng.normal(size=(2, 80))
    second[40:] -= 3
    permutations = GroupPermutations(group, np.arange(80))
    alone, worst = permutations.test([[of(first)], [of(first), of(second)]], [True, True])
    assert alone.p > 0.05
    assert worst.p < 0.01


def test_p_is_the_largest_over_a_thresholds_interval() -> None:
    rng = np.random.default_rng(5)
    group = np.repeat([0, 1], 50)
    values, other = rng.normal(group, 1), rng.normal(size=100)
    permutations = GroupPermutations(group, np.arange(100))
    plain, end, both = permutations.test(
        [[of(values)], [of(other)], [UnitValues("m", "i", values, alternatives=(other,))]], [True] * 3
    )
    assert plain.p < 0.05 < end.p
    assert (both.p, both.expected) == (end.p, plain.expected)


def test_many_people_are_bundled() -> None:
    group = np.repeat([0, 1, 2], [3000, 1500, 500])
    rng = np.random.default_rng(6)
    item = of(rng.normal(size=5000) + 0.5 * (group == 2))
    (test,) = GroupPermutations(group, np.arange(5000), 0, 99).test([[item]], [True])
    assert test.p == 0.01


def test_constant_values_have_no_gap() -> None:
    (test,) = GroupPermutations(np.repeat([0, 1], 20), np.arange(40)).test([[of(np.full(40, 0.1))]], [True])
    assert (test.expected, test.p) == (0.0, 1.0)


def test_gaps_of_set_statistics_have_an_interval() -> None:
    rng = np.random.default_rng(7)
    group = np.repeat([0, 1, 2], 40)
    values = rng.normal(size=120) + 2.0 * (group == 2)
    item = SetStatistic("m", "i", lambda w: float(w @ values / w.sum()), np.ones(120, np.bool_), resampling="jackknife")
    masks = np.stack([group == g for g in range(3)])
    gap = gap_between(replicate_statistic(item, ClusterResamples(np.arange(120), 100), masks), range(3), True)
    assert 0 < gap.low < 2 < gap.high < 4
