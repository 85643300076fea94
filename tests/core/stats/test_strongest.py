"""The strongest of K attacks: unbiased for whom it chooses, and covered by its interval, by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from unmask.bench.core.stats.intervals import estimates, interval
from unmask.bench.core.stats.resampling import ClusterResamples
from unmask.bench.core.stats.strongest import strongest
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import UnitValues

PEOPLE = 120


def attacks(shares: list[float], seed: int, correlation: float = 0.3) -> list[UnitValues]:
    """Each names its share of people; who is easily named by one is by the others, too."""
    rng = np.random.default_rng(seed)
    ease = np.sqrt(correlation) * rng.normal(size=PEOPLE)
    ease = ease + np.sqrt(1 - correlation) * rng.normal(size=(len(shares), PEOPLE))
    named = stats.norm.cdf(ease) < np.array(shares)[:, None]
    return [UnitValues("rank1", f"attack{k}", row.astype(np.float64), share=True) for k, row in enumerate(named)]


def trained(shares: list[float], seed: int, trainings: int = 3) -> list[UnitValues]:
    """Each attack trained several times: trainings name mostly the same people, and equally many."""
    rng = np.random.default_rng(seed)
    person, attack = rng.normal(size=PEOPLE), rng.normal(size=(len(shares), 1, PEOPLE))
    ease = np.sqrt(0.3) * person + np.sqrt(0.5) * attack
    ease = ease + np.sqrt(0.2) * rng.normal(size=(len(shares), trainings, PEOPLE))
    named = stats.norm.cdf(ease) < np.array(shares)[:, None, None]
    rows = named.reshape(-1, PEOPLE).astype(np.float64)
    return [UnitValues("rank1", f"attack{k}", row, share=True) for k, row in enumerate(rows)]


@pytest.mark.parametrize("shares", [[0.4] * 3, [0.4, 0.4, 0.55]])
def test_of_several_trainings_the_best_is_neither_flattered_nor_missed(shares: list[float]) -> None:
    simulations, covered, points, picked = 200, 0, [], []
    for seed in range(simulations):
        several = trained(shares, seed)
        result = strongest(several, ClusterResamples(np.arange(PEOPLE), 500, seed), splits=2, seed=seed)
        low, high = interval(result)
        covered += low <= max(shares) <= high
        points.append(result.point[0])
        # What the strongest of all would be if each training that looks best on all people stood for its attack.
        picked.append(max(float(each.values.mean()) for each in several))
    error = np.std(points) / np.sqrt(simulations)
    assert covered / simulations >= 0.93
    assert max(shares) - 0.02 < np.mean(points) < max(shares) + 2 * error
    assert np.mean(picked) > max(shares) + 5 * error


@pytest.mark.parametrize("shares", [[0.4] * 8, [0.4] * 7 + [0.6], [0.02] * 8])
def test_the_interval_covers_the_truly_strongest(shares: list[float]) -> None:
    simulations, covered, points, naive = 200, 0, [], []
    for seed in range(simulations):
        several = attacks(shares, seed)
        design = ClusterResamples(np.arange(PEOPLE), replicates=500, seed=seed)
        result = strongest(several, design, splits=2, seed=seed)
        low, high = interval(result)
        covered += low <= max(shares) <= high
        points.append(result.point[0])
        naive.append(max(float(each.values.mean()) for each in several))
        assert low <= result.point[0] <= high
    error = np.std(points) / np.sqrt(simulations)
    assert 0.92 <= covered / simulations <= (0.99 if max(shares) > 0.1 else 1)
    # Choosing does not flatter the attacker; the naive maximum does.
    assert np.mean(points) < max(shares) + 2 * error
    if shares[0] == shares[-1]:
        assert np.mean(points) == pytest.approx(max(shares), abs=3 * error)
        assert np.mean(naive) > max(shares) + 10 * error
    else:
        assert np.mean(points) > max(shares) - 0.02


def test_by_hand_with_one_attack_it_is_the_mean_of_the_halves() -> None:
    only = UnitValues("rank1", "a", np.array([1.0, 0, 1, 1, 0, 0, 1, 1]), share=True)
    result = strongest([only], ClusterResamples(np.arange(8), 50), splits=3)
    assert result.point[0] == pytest.approx(5 / 8)
    assert result.n[0] == 8


def test_subgroups_clusters_eligible_and_unscored_units() -> None:
    rng = np.random.default_rng(0)
    person = np.repeat(np.arange(30), 2)
    good, bad = np.ones(60), np.zeros(60)
    good[:4] = np.nan
    eligible: Bools = np.arange(60) < 50
    masks = np.stack([np.ones(60, bool), person < 15, np.zeros(60, bool)])
    values = [UnitValues("rank1", "a", bad, eligible=eligible), UnitValues("rank1", "b", good, eligible=eligible)]
    result = strongest(values, ClusterResamples(person, 40, seed=1), masks)
    assert result.point[:2].tolist() == [1, 1]
    assert np.isnan(result.point[2])
    assert result.n[:2].tolist() == [46, 26]
    low = strongest(values, ClusterResamples(person, 40, seed=1), masks, lowest=True)
    assert low.point[:2].tolist() == [0, 0]
    noise: Float = rng.normal(size=60)
    cluster = ClusterResamples(person, 300, seed=2)
    estimate = estimates(strongest([UnitValues("x", "a", noise)], cluster))[0]
    assert estimate.low < estimate.value < estimate.high
    with pytest.raises(ValueError, match="no attacks"):
        strongest([], cluster)


def test_replicates_choose_anew() -> None:
    several = attacks([0.4] * 8, seed=3)
    design = ClusterResamples(np.arange(PEOPLE), replicates=200, seed=3)
    result = strongest(several, design)
    assert result.values.shape == (200, 1)
    assert result.values.std() > 0
    assert len(result.attacks) == 8
