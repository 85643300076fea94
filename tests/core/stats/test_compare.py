"""Paired comparisons, Holm's correction and rank ranges."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from bench.core.stats.compare import (
    Comparison,
    RankRange,
    compare_means,
    compare_replicates,
    holm,
    p_value,
    rank_ranges,
    significantly_better,
)
from bench.core.stats.resampling import ClusterResamples, replicate_statistic
from bench.core.types import Float
from bench.core.values import SetStatistic, UnitValues


def of(array: Float, share: bool = False) -> UnitValues:
    return UnitValues("m", "i", np.asarray(array, dtype=np.float64), share=share)


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

    def replicates(array: Float) -> object:
        return replicate_statistic(
            SetStatistic(
                "m",
                "i",
                lambda w: float(w @ array / w.sum()),
                np.ones(80, dtype=bool),
                resampling=resampling,  # type: ignore[arg-type]
            ),
            design,
        )

    methods = [replicates(face + 1 + rng.normal(0, 0.5, 80)), replicates(face), replicates(face)]
    shifted, also, same = compare_replicates(methods)  # type: ignore[arg-type]
    assert shifted.p_adjusted < 0.001
    assert shifted.low < 1 < shifted.high
    assert also.p_adjusted < 0.001
    assert same.p == 1.0


def test_p_value_edges() -> None:
    assert p_value(0.0, 0.0, 10) == 1.0
    assert p_value(0.5, 0.0, 5) == 2.0**-4
    assert p_value(1.0, math.nan, 10) == 1.0


def comparison(a: int, b: int, difference: float, p: float) -> Comparison:
    return Comparison(a, b, difference, difference, difference, p, p)


def test_rank_ranges_show_ties_as_overlaps() -> None:
    # 0 beats 2; 1 is told from neither; 3 was not measured.
    better = significantly_better(4, [comparison(0, 2, 0.4, 0.01), comparison(0, 1, 0.2, 0.3)], "higher")
    values = [0.9, 0.7, 0.5, math.nan]
    assert rank_ranges(values, better, "higher") == [RankRange(1, 2), RankRange(1, 3), RankRange(2, 3), None]


def test_direction_turns_ranks_around_and_none_gives_none() -> None:
    pairs = [comparison(0, 1, 0.4, 0.01)]
    lower = significantly_better(2, pairs, "lower")
    assert rank_ranges([0.9, 0.5], lower, "lower") == [RankRange(2, 2), RankRange(1, 1)]
    assert rank_ranges([0.9, 0.5], significantly_better(2, pairs, "none"), "none") == [None, None]
