"""The rate by gallery size: the model against drawing larger galleries, and where it has to stop."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from unmask.bench.core.stats.galleries import GalleryCurve, gallery_curve
from unmask.bench.core.stats.histograms import COSINE_EDGES, ScoreHistograms, score_histograms
from unmask.bench.core.stats.identification import Searches, search
from unmask.bench.core.types import Float

SIZES = np.array([1, 50, 200, 1000, 2000, 4000, 1_000_000])


def population(people: int, seed: int, mean: float = 0.45) -> tuple[Float, Float, Float]:
    """Own scores and the places and spreads of strangers' scores, which differ from probe to probe."""
    rng = np.random.default_rng(seed)
    return rng.normal(mean, 0.12, people), rng.normal(0.1, 0.03, people), rng.uniform(0.08, 0.12, people)


def measured(people: int, seed: int, mean: float = 0.45) -> tuple[ScoreHistograms, Searches]:
    own, place, spread = population(people, seed, mean)
    rng = np.random.default_rng(seed + 1000)
    scores = rng.normal(place[:, None], spread[:, None], (people, people)).clip(-1, 1)
    person = np.arange(people)
    scores[person, person] = own.clip(-1, 1)
    others = scores[~np.eye(people, dtype=bool)]
    counts = score_histograms(own.clip(-1, 1), person, others, np.repeat(person, people - 1), people, COSINE_EDGES)
    return counts, search(scores, person)


def curve(people: int, seed: int, mean: float = 0.45, replicates: int = 60) -> GalleryCurve:
    counts, searches = measured(people, seed, mean)
    person = np.arange(people)
    return gallery_curve(
        counts, searches.rank, searches.genuine, person, people, SIZES, replicates=replicates, seed=seed
    )


def truth(size: int, mean: float = 0.45) -> float:
    """Of a large population: the largest of G - 1 strangers' scores, drawn by inversion."""
    own, place, spread = population(20_000, 99, mean)
    rng = np.random.default_rng(7)
    largest = stats.norm.ppf(rng.uniform(size=len(own)) ** (1 / (size - 1)), place, spread)
    return float(np.mean(own >= largest))


def test_the_band_holds_what_larger_galleries_give() -> None:
    covered = {1000: 0, 2000: 0}
    for seed in range(20):
        result = curve(200, seed)
        assert result.misfit < 0.05
        for size in covered:
            at = int(np.flatnonzero(size == SIZES)[0])
            covered[size] += result.low[at] <= truth(size) <= result.high[at]
    assert min(covered.values()) >= 18


def test_thirty_times_the_people() -> None:
    sizes, covered = np.array([385, 12_000]), 0
    for seed in range(8):
        counts, searches = measured(385, seed)
        person = np.arange(385)
        result = gallery_curve(counts, searches.rank, searches.genuine, person, 385, sizes, replicates=40, seed=seed)
        covered += result.low[1] <= truth(12_000) <= result.high[1]
        assert result.high[1] - result.low[1] < 0.25
    assert covered >= 7


def test_measured_points_and_the_model_agree_where_both_are() -> None:
    result = curve(200, 3)
    assert result.measured[0] == result.modelled[0] == 1
    assert result.modelled[:3] == pytest.approx(result.measured[:3], abs=0.03)
    assert np.isnan(result.measured[3:]).all()
    assert (np.diff(result.modelled[:5]) <= 0).all()
    assert (result.low[:5] <= result.modelled[:5]).all()
    assert (result.modelled[:5] <= result.high[:5]).all()


def test_nothing_is_drawn_where_the_tail_ends() -> None:
    result = curve(200, 3)
    # 200 x 199 comparisons, ten of them beyond: about 3,980 strangers.
    assert 3000 < result.largest <= 3981
    assert np.isnan(result.modelled[5:]).all()
    assert np.isnan(result.low[5:]).all()
    few = curve(40, 3, replicates=10)
    assert few.largest == 0
    assert np.isnan(few.modelled).all()
    assert np.isfinite(few.measured[0])


def test_outliers_of_a_few_people_are_no_tail() -> None:
    counts, searches = measured(200, 5)
    impostor = counts.impostor.copy()
    impostor[:5, -40:-36] += 1
    odd = ScoreHistograms(counts.genuine, impostor, counts.edges)
    person = np.arange(200)
    plain = gallery_curve(counts, searches.rank, searches.genuine, person, 200, SIZES, replicates=2)
    result = gallery_curve(odd, searches.rank, searches.genuine, person, 200, SIZES, replicates=2)
    # Twenty comparisons beyond all others, but of five people: ten others have to come.
    assert result.largest < 0.6 * plain.largest


def test_a_model_that_does_not_fit_is_not_shown() -> None:
    counts, searches = measured(200, 5)
    # Own scores that say nothing of the ranks.
    wrong = gallery_curve(counts, searches.rank, searches.genuine * 0, np.arange(200), 200, SIZES, replicates=2)
    assert wrong.misfit > 0.05
    assert np.isnan(wrong.modelled).all()
    assert np.isfinite(wrong.measured[:3]).all()


def test_the_never_found_stay_so() -> None:
    counts, searches = measured(200, 6)
    rank, genuine = searches.rank.copy(), searches.genuine.copy()
    rank[:100], genuine[:100] = np.inf, np.nan
    rank[100:120], genuine[100:120] = np.nan, np.nan
    result = gallery_curve(counts, rank, genuine, np.arange(200), 200, SIZES, replicates=20)
    assert result.measured[0] == pytest.approx(80 / 180)
    assert result.modelled[0] == pytest.approx(80 / 180)
    assert result.modelled[:3] == pytest.approx(result.measured[:3], abs=0.03)
    with pytest.raises(ValueError, match="at least one person"):
        gallery_curve(counts, rank, genuine, np.arange(200), 200, np.array([0]))
