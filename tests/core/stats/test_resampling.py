"""The shared resampling design: paired, clustered, and right about its variances."""

from __future__ import annotations

import math

import numpy as np
import pytest

from unmask.bench.core.stats.intervals import jackknife_error
from unmask.bench.core.stats.resampling import (
    JACKKNIFE_GROUPS,
    MAX_BAGS,
    ClusterResamples,
    replicate_means,
    replicate_statistic,
)
from unmask.bench.core.types import Float
from unmask.bench.core.values import SetStatistic, UnitValues


def values(array: Float, **more: object) -> UnitValues:
    return UnitValues("m", "i", np.asarray(array, dtype=np.float64), **more)  # type: ignore[arg-type]


def statistic(array: Float, resampling: str = "bootstrap") -> SetStatistic:
    def mean(weights: Float) -> float:
        return float(weights @ array / weights.sum())

    return SetStatistic("m", "i", mean, np.ones(len(array), dtype=bool), resampling=resampling)  # type: ignore[arg-type]


def test_same_arguments_give_the_same_draws_and_another_seed_others() -> None:
    cluster = np.arange(30)
    first, again, other = (ClusterResamples(cluster, 50, seed) for seed in (1, 1, 2))
    assert np.array_equal(first.bootstrap, again.bootstrap)
    assert not np.array_equal(first.bootstrap, other.bootstrap)


def test_every_draw_has_as_many_clusters_as_the_data() -> None:
    design = ClusterResamples(np.array([7, 7, 3, 9, 9, 9]), 100, 0)
    assert design.clusters == 3
    assert (design.bootstrap.sum(axis=1) == 3).all()


def test_faces_of_one_cluster_are_drawn_together() -> None:
    design = ClusterResamples(np.array([0, 0, 1, 2]), 20, 0)
    # A value that is 1 in one face and -1 in the other of cluster 0 only cancels if both are always drawn together.
    found = replicate_means(values(np.array([1.0, -1.0, 0.0, 0.0])), design)
    assert np.all(found.values == 0)


def test_means_equal_a_plain_loop_with_missing_and_ineligible_units() -> None:
    rng = np.random.default_rng(0)
    cluster = rng.integers(0, 12, 60)
    data = rng.normal(size=60)
    data[[3, 17]] = np.nan
    eligible = rng.random(60) < 0.8
    masks = np.stack([np.ones(60, dtype=bool), rng.random(60) < 0.4])
    design = ClusterResamples(cluster, 25, 3)
    found = replicate_means(values(data, eligible=eligible), design, masks)
    for m, mask in enumerate(masks):
        use = mask & eligible & np.isfinite(data)
        assert found.point[m] == pytest.approx(data[use].mean())
        assert found.n[m] == use.sum()
        assert found.unscored[m] == (mask & eligible & np.isnan(data)).sum()
        assert found.clusters[m] == len(set(cluster[use]))
        for r in range(25):
            weights = design.bootstrap[r][design.bag]
            assert found.values[r, m] == pytest.approx(np.average(data[use], weights=weights[use]))


def test_a_statistic_that_is_a_mean_gets_the_same_replicates_as_the_mean() -> None:
    rng = np.random.default_rng(1)
    data, design = rng.normal(size=40), ClusterResamples(np.repeat(np.arange(10), 4), 60, 0)
    means = replicate_means(values(data), design)
    assert np.allclose(replicate_statistic(statistic(data), design, replicates=60).values, means.values)


def test_nothing_scored_is_nan_and_counted() -> None:
    found = replicate_means(values(np.full(5, np.nan)), ClusterResamples(np.arange(5), 10, 0))
    assert math.isnan(found.point[0])
    assert (found.n[0], found.unscored[0]) == (0, 5)


def test_no_units_at_all() -> None:
    found = replicate_means(values(np.zeros(0)), ClusterResamples(np.zeros(0, dtype=np.int64), 10, 0))
    assert math.isnan(found.point[0])
    assert found.n[0] == 0


def test_jackknife_leaves_every_cluster_out_once_in_groups_of_even_size() -> None:
    kept = ClusterResamples(np.arange(47), 10, 0).jackknife
    assert kept.shape == (JACKKNIFE_GROUPS, 47)
    assert ((1 - kept).sum(axis=0) == 1).all()
    assert set((1 - kept).sum(axis=1)) == {2.0, 3.0}


def test_delete_one_jackknife_of_a_mean_is_the_textbook_standard_error() -> None:
    data = np.random.default_rng(2).normal(size=15)
    found = replicate_statistic(statistic(data, "jackknife"), ClusterResamples(np.arange(15), 10, 0))
    error, groups = jackknife_error(found.values[:, 0], found.active[:, 0])
    assert groups == 15
    assert error == pytest.approx(data.std(ddof=1) / math.sqrt(15))


def test_deletions_that_remove_nothing_of_a_subgroup_do_not_count() -> None:
    data = np.random.default_rng(3).normal(size=15)
    mask = np.zeros((1, 15), dtype=bool)
    mask[0, :4] = True
    found = replicate_statistic(statistic(data, "jackknife"), ClusterResamples(np.arange(15), 10, 0), mask)
    error, groups = jackknife_error(found.values[:, 0], found.active[:, 0])
    assert groups == 4
    assert error == pytest.approx(data[:4].std(ddof=1) / 2)


def test_many_clusters_are_bagged_and_keep_their_standard_error() -> None:
    n = 3 * MAX_BAGS
    data = np.random.default_rng(4).normal(size=n)
    design = ClusterResamples(np.arange(n), 400, 0)
    assert design.bootstrap.shape == (400, MAX_BAGS)
    assert replicate_means(values(data), design).values.std() == pytest.approx(1 / math.sqrt(n), rel=0.12)


def test_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="5 units"):
        replicate_means(values(np.zeros(4)), ClusterResamples(np.arange(5), 10, 0))
