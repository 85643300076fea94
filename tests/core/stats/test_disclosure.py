"""ZEBRA: against numerical integration over priors with another PAV, by hand, and at both ends."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from unmask.bench.core.stats.disclosure import (
    MOST_BITS,
    disclosure_of_scores,
    evidence_tag,
    expected_disclosure,
    worst_disclosure,
)
from unmask.bench.core.stats.histograms import ScoreHistograms, pooled_edges, score_histograms
from unmask.bench.core.types import Float


def by_integration(genuine: Float, impostor: Float) -> float:
    """The area between entropy and empirical cross-entropy over the prior, the LLRs by scikit-learn's PAV."""
    both = np.concatenate([genuine, impostor])
    labels = np.repeat([1.0, 0.0], [len(genuine), len(impostor)])
    posterior = IsotonicRegression().fit(both, labels).predict(both)
    with np.errstate(divide="ignore"):
        ratio = posterior / (1 - posterior) * len(impostor) / len(genuine)
    prior = (np.arange(20_000) + 0.5) / 20_000
    entropy = -prior * np.log2(prior) - (1 - prior) * np.log2(1 - prior)
    odds = prior / (1 - prior)
    crossed = np.zeros(len(prior))
    for value, count in zip(*np.unique(ratio[: len(genuine)], return_counts=True), strict=True):
        crossed += prior * count / len(genuine) * np.log2(1 + 1 / (value * odds))
    for value, count in zip(*np.unique(ratio[len(genuine) :], return_counts=True), strict=True):
        crossed += (1 - prior) * count / len(impostor) * np.log2(1 + value * odds)
    return float(np.mean(entropy - crossed))


@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0, 2.5])
@pytest.mark.parametrize("decimals", [0, 8])
def test_equals_the_integral_over_all_priors(shift: float, decimals: int) -> None:
    rng = np.random.default_rng(2)
    genuine, impostor = rng.normal(shift, 1, 80).round(decimals), rng.normal(0, 1, 500).round(decimals)
    expected, _ = disclosure_of_scores(genuine, impostor)
    with np.errstate(divide="ignore"):
        assert expected == pytest.approx(by_integration(genuine, impostor), abs=2e-4)


@pytest.mark.parametrize(
    ("seed", "shift", "own", "others", "bits", "decades"),
    [
        (0, 0.0, 50, 500, 0.025915, 0.431364),
        (1, 1.0, 385, 20000, 0.115271, 2.016600),
        (2, 3.0, 100, 9900, 0.568813, 3.393576),
        (4, 0.5, 200, 2000, 0.049323, 1.124940),
    ],
)
def test_equals_what_the_authors_code_gives(
    seed: int, shift: float, own: int, others: int, bits: float, decades: float
) -> None:
    # The toolkit of the paper's first author (version 2020-06-11) on the same scores; it adds up to 1e-6 to its LLRs.
    rng = np.random.default_rng(seed)
    expected, worst = disclosure_of_scores(rng.normal(shift, 1, own), rng.normal(0, 1, others))
    assert expected == pytest.approx(bits, abs=1e-6)
    assert worst.decades == pytest.approx(decades, abs=2e-6)


def test_both_ends() -> None:
    apart, worst = disclosure_of_scores(np.linspace(2, 3, 50), np.linspace(0, 1, 5000))
    assert apart == pytest.approx(MOST_BITS) == pytest.approx(0.7213, abs=1e-4)
    # Laplace's rule: the top block has 51 genuine and one impostor comparison, at prior odds of 50 to 5000.
    assert (worst.decades, worst.limit) == pytest.approx((math.log10(51 * 100),) * 2)
    assert worst.tag == worst.limit_tag == "C"
    nothing, none = disclosure_of_scores(np.zeros(50), np.zeros(5000))
    assert nothing == 0
    # The pair added below is pooled with all, the one above stands higher: 51 to 5001.
    assert none.decades == pytest.approx(math.log10(51 / 5001 * 100))
    assert none.limit == pytest.approx(worst.limit)
    backwards, _ = disclosure_of_scores(np.linspace(0, 1, 50), np.linspace(2, 3, 5000))
    assert backwards == 0


def test_by_hand() -> None:
    # Ascending: i i g i g g. PAV pools g i. With one of each kind at either end: (g i i i g i g)... at the bottom.
    genuine, impostor = np.array([3.0, 5.0, 6.0]), np.array([1.0, 2.0, 4.0])
    expected, worst = disclosure_of_scores(genuine, impostor)
    # Two of three of each kind are told for certain (1/4 nat each), the pooled ones say nothing (0).
    assert expected == pytest.approx((2 / 3 * 0.25 + 2 / 3 * 0.25) / math.log(2))
    # Sequence 1 0 | 0 0 1 0 1 1 | 1 0: blocks (1 0 0 0) = 1/4, (1 0) = 1/2, (1 1 1 0) = 3/4; prior odds are 1.
    assert worst.decades == pytest.approx(math.log10(3))
    assert worst.tag == "A"
    assert worst.limit == pytest.approx(math.log10(4))


@pytest.mark.parametrize(
    ("decades", "tag"), [(0, "0"), (1e-9, "A"), (1, "A"), (1.01, "B"), (4, "C"), (5, "D"), (5.5, "E"), (6.1, "F")]
)
def test_tags(decades: float, tag: str) -> None:
    assert evidence_tag(decades) == tag


def test_histograms_with_weights() -> None:
    rng = np.random.default_rng(5)
    person = np.arange(120)
    genuine, impostor = rng.normal(1, 1, 120), rng.normal(0, 1, 4800)
    edges = pooled_edges(genuine, impostor)
    counts = score_histograms(genuine, person, impostor, np.repeat(person, 40), 120, edges)
    expected, worst = disclosure_of_scores(genuine, impostor)
    assert expected_disclosure(counts) == pytest.approx(expected, abs=0.01)
    assert worst_disclosure(counts).limit == pytest.approx(worst.limit)
    weights = np.stack([np.ones(120), (person < 60) * 2.0, np.zeros(120)])
    many = expected_disclosure(counts, weights)
    half = ScoreHistograms(counts.genuine[:60], counts.impostor[:60], edges)
    assert many[:2] == pytest.approx([float(expected_disclosure(counts)), float(expected_disclosure(half))])
    assert np.isnan(many[2])
    nobody = ScoreHistograms(counts.genuine * 0, counts.impostor, edges)
    assert math.isnan(worst_disclosure(nobody).decades)
    assert worst_disclosure(nobody).tag == ""


def test_noise_discloses_something_and_the_floor_shows_it() -> None:
    rng = np.random.default_rng(8)
    person = np.arange(100)
    counts = score_histograms(
        rng.normal(0, 1, 100), person, rng.normal(0, 1, 4000), np.repeat(person, 40), 100, np.linspace(-6, 6, 201)
    )
    floor = [float(expected_disclosure(counts.shuffled(seed))) for seed in range(20)]
    assert 0.005 < np.mean(floor) < 0.05
    assert float(expected_disclosure(counts)) < max(floor) + 0.02
