"""Linkability: as published against the trapezoidal rule, and by simulation which estimate is biased, which is not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from unmask.bench.core.stats.histograms import ScoreHistograms, pooled_edges, score_histograms
from unmask.bench.core.stats.intervals import jackknife_interval
from unmask.bench.core.stats.linkability import binned_linkability, cross_linkability, linkability, local_linkability
from unmask.bench.core.stats.resampling import ClusterResamples
from unmask.bench.core.types import Float


def as_published(mated: Float, non_mated: Float, omega: float = 1.0) -> float:
    """Gomez-Barrero et al. 2018, written from the equations, densities and trapezoids by numpy."""
    edges = np.linspace(
        min(mated.min(), non_mated.min()), max(mated.max(), non_mated.max()), min(len(mated) // 10, 100) + 1
    )
    own, other = (np.histogram(each, edges, density=True)[0] for each in (mated, non_mated))
    with np.errstate(divide="ignore", invalid="ignore"):
        local = np.where(other == 0, 1.0, 2 * omega * own / other / (1 + omega * own / other) - 1)
    local[(other > 0) & (omega * own <= other)] = 0
    return float(np.trapezoid(own * local, (edges[1:] + edges[:-1]) / 2))


def scores(shift: float, people: int, seed: int, others: int = 40) -> tuple[Float, Float]:
    rng = np.random.default_rng(seed)
    return rng.normal(shift, 1, people), rng.normal(0, 1, (people, others))


def histograms(mated: Float, non_mated: Float, bins: int = 200) -> ScoreHistograms:
    people, others = non_mated.shape
    owner = np.arange(people)
    edges = pooled_edges(mated, non_mated.ravel(), bins=bins)
    return score_histograms(mated, owner, non_mated.ravel(), np.repeat(owner, others), people, edges)


def truth(shift: float) -> float:
    x = np.linspace(-12, 20, 100_001)
    own, other = stats.norm.pdf(x, shift), stats.norm.pdf(x)
    return float(np.trapezoid(own * np.maximum(own - other, 0) / (own + other + 1e-300), x))


@pytest.mark.parametrize("omega", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("shift", [0.0, 1.0, 3.0])
def test_equals_the_published_arithmetic(shift: float, omega: float) -> None:
    mated, non_mated = scores(shift, 400, seed=1)
    result = linkability(mated, non_mated.ravel(), omega)
    assert result.value == pytest.approx(as_published(mated, non_mated.ravel(), omega))
    assert len(result.local) == 40
    # The same bins, made of finer ones: the same number.
    assert binned_linkability(histograms(mated, non_mated, 40), omega=omega) == pytest.approx(result.value)
    assert binned_linkability(histograms(mated, non_mated, 400), omega=omega) == pytest.approx(result.value)
    assert binned_linkability(histograms(mated, non_mated), omega=omega) == pytest.approx(result.value, abs=0.02)


@pytest.mark.parametrize(
    ("seed", "shift", "mated", "others", "value"),
    [(0, 0.0, 50, 500, 0.0322462), (1, 1.0, 385, 20000, 0.2783515), (2, 3.0, 100, 9900, 0.8067440)],
)
def test_equals_what_the_authors_code_gives(seed: int, shift: float, mated: int, others: int, value: float) -> None:
    # Arithmetic of evaluateUnlinkability.py (dasec/unlinkability-metric, 2019) on the same scores.
    rng = np.random.default_rng(seed)
    assert linkability(rng.normal(shift, 1, mated), rng.normal(0, 1, others)).value == pytest.approx(value, abs=1e-7)


def test_local_measure_by_hand() -> None:
    assert local_linkability(np.array([0.5, 1, 3, np.inf])) == pytest.approx([0, 0, 0.5, 1])
    assert local_linkability(np.array([3.0]), omega=0.1) == pytest.approx([0])
    assert local_linkability(np.array([1.0]), omega=3) == pytest.approx([0.5])


@pytest.mark.parametrize("people", [60, 200])
def test_only_the_published_estimate_sees_links_in_noise(people: int) -> None:
    published, crossed, covered = [], [], 0
    for seed in range(60):
        mated, non_mated = scores(0.0, people, seed)
        published.append(linkability(mated, non_mated.ravel()).value)
        value, (low, high) = with_interval(histograms(mated, non_mated), seed)
        crossed.append(value)
        covered += low <= 0 <= high
    assert np.mean(published) > 0.04
    assert -0.03 < np.mean(crossed) < 0.01
    assert covered >= 55


def with_interval(counts: ScoreHistograms, seed: int) -> tuple[float, tuple[float, float]]:
    kept = ClusterResamples(np.arange(counts.people), seed=seed).jackknife
    value = float(cross_linkability(counts, splits=3, seed=seed))
    groups = cross_linkability(counts, kept, splits=3, seed=seed)
    return value, jackknife_interval(value, groups, np.ones(len(kept), bool))


@pytest.mark.parametrize(("shift", "people"), [(0.5, 200), (1.0, 60), (1.0, 200), (2.0, 200), (4.0, 200)])
def test_the_cross_fitted_estimate_is_never_biased_upwards(shift: float, people: int) -> None:
    values, covered = [], 0
    for seed in range(40):
        value, (low, high) = with_interval(histograms(*scores(shift, people, seed)), seed)
        values.append(value)
        covered += low <= truth(shift) <= high
    error = np.std(values) / np.sqrt(len(values))
    assert covered >= 34
    assert np.mean(values) < truth(shift) + 2 * error
    assert np.mean(values) > truth(shift) - 0.04


def test_separated_scores_are_linkable() -> None:
    mated, non_mated = scores(12.0, 400, seed=0)
    assert linkability(mated, non_mated.ravel()).value > 0.97
    assert cross_linkability(histograms(mated, non_mated)) > 0.98


def test_the_tangent_equals_the_measure_where_the_ratio_is_right() -> None:
    # Everybody has the same histogram, so the densities of both halves are equal.
    genuine, impostor = np.tile([10, 20, 70], (40, 1)), np.tile([600, 300, 100], (40, 1))
    same = ScoreHistograms(genuine, impostor, np.arange(4.0))
    # Ratios 1/6, 2/3 and 7: .7 (7 - 1) / (7 + 1).
    assert cross_linkability(same) == pytest.approx(0.525, abs=2e-3)
    # The trapezoidal rule halves the last bin.
    assert binned_linkability(same) == pytest.approx(0.525 / 2)
    # With omega 3: ratios 1/2, 2 and 21: .2 / 3 + .7 x 20 / 22.
    assert cross_linkability(same, omega=3) == pytest.approx(0.2 / 3 + 0.7 * 20 / 22, abs=2e-3)


def test_few_comparisons_are_not_measured() -> None:
    mated, non_mated = scores(1.0, 19, seed=0)
    assert np.isnan(linkability(mated, non_mated.ravel()).value)
    assert np.isnan(binned_linkability(histograms(mated, non_mated)))
    mated, non_mated = scores(1.0, 39, seed=0)
    assert np.isfinite(linkability(mated, non_mated.ravel()).value)
    assert np.isnan(cross_linkability(histograms(mated, non_mated)))
    assert np.isnan(cross_linkability(histograms(mated, non_mated), np.ones((3, 39)))).all()
    assert np.isnan(linkability(mated, np.zeros(0)).value)
    many = histograms(*scores(1.0, 80, seed=0))
    weights = np.stack([np.ones(80), np.zeros(80), np.arange(80) < 19]).astype(np.float64)
    for estimate in (cross_linkability, binned_linkability):
        assert np.isfinite(estimate(many, weights)).tolist() == [True, False, False]
    assert linkability(np.zeros(30), np.zeros(90)).value == 0
    with pytest.raises(ValueError, match="positive"):
        linkability(mated, non_mated.ravel(), omega=0)
    with pytest.raises(ValueError, match="finite"):
        linkability(np.array([np.nan]), mated)
