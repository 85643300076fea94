"""Clusters of faces, and how well they are the people: against scikit-learn, by hand, and by simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix

from unmask.bench.core.stats.linking import (
    Ints,
    RandIndex,
    joined,
    pseudonymous,
    pure,
    pure_by_chance,
)
from unmask.bench.core.types import Float
from unmask.bench.core.values import Estimate


def faces(people: int, photos: int, apart: float, seed: int = 0) -> Float:
    """(N, N) cosine distances of noisy copies of people."""
    rng = np.random.default_rng(seed)
    rows = np.repeat(rng.normal(size=(people, 32)), photos, axis=0) + apart * rng.normal(size=(people * photos, 32))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    distance = np.clip(1 - rows @ rows.T, 0, 2)
    np.fill_diagonal(distance, 0)
    return distance


def adjusted_rand(person: Ints, cluster: Ints) -> float:
    return RandIndex(person, cluster)(np.ones(len(person)))


@pytest.mark.parametrize("apart", [0.3, 0.8, 1.5])
def test_the_same_as_scikit_learn(apart: float) -> None:
    people, photos = 20, 4
    tree = joined(faces(people, photos, apart))
    ours, person = tree.cut(people), np.repeat(np.arange(people), photos)
    theirs = AgglomerativeClustering(people, metric="precomputed", linkage="average").fit_predict(tree.distance)
    assert adjusted_rand_score(ours, theirs) == 1
    assert adjusted_rand(person, ours) == pytest.approx(adjusted_rand_score(person, ours))
    table = contingency_matrix(person, ours)
    assert pure(person, ours).mean() == pytest.approx(table.max(axis=0).sum() / table.sum())


def test_by_hand() -> None:
    """Two clusters of three; one face of each person in the other's: 2 of 15 pairs are together in both."""
    person, cluster = np.array([0, 0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 1, 0])
    assert pure(person, cluster).mean() == pytest.approx(4 / 6)
    expected = 6 * 6 / 15
    assert adjusted_rand(person, cluster) == pytest.approx((2 - expected) / (6 - expected))
    assert adjusted_rand(person, person) == 1
    assert adjusted_rand(person, np.zeros(6, np.int64)) == 0
    assert math.isnan(adjusted_rand(person[:1], cluster[:1]))
    assert math.isnan(adjusted_rand(person[:0], cluster[:0]))
    assert not len(pure(person[:0], cluster[:0]))


def test_people_drawn_anew() -> None:
    """Leaving people out equals never having had them; drawn twice, a person is two people who are not compared."""
    rng = np.random.default_rng(0)
    person, cluster = np.repeat(np.arange(8), 4), rng.integers(0, 6, 32)
    index = RandIndex(person, cluster)
    half = person < 4
    assert index(half.astype(float)) == pytest.approx(adjusted_rand_score(person[half], cluster[half]))
    some = rng.random(32) < 0.6
    assert index(some.astype(float)) == pytest.approx(adjusted_rand_score(person[some], cluster[some]))
    often = rng.integers(0, 3, 8)
    counts = np.zeros(4)
    for i in range(32):
        for j in range(i):
            same = person[i] == person[j]
            weight = often[person[i]] * (1 if same else often[person[j]])
            counts[2 * (not same) + (cluster[i] != cluster[j])] += weight
    a, b, c, d = counts
    expected = 2 * (a * d - b * c) / ((a + b) * (b + d) + (a + c) * (c + d))
    assert index(often[person].astype(float)) == pytest.approx(expected)


def test_the_number_of_well_separated_people_is_guessed() -> None:
    chosen = joined(faces(6, 8, 0.2)).chosen()
    assert len(np.unique(chosen)) == 6
    assert adjusted_rand(np.repeat(np.arange(6), 8), chosen) == 1


def test_faces_at_one_place_are_not_split_by_their_order() -> None:
    """Where a method maps everybody to one face, the order of files would otherwise tell who is who."""
    tree = joined(np.zeros((30, 30)))
    assert len(np.unique(tree.cut(10))) == 1
    assert len(np.unique(tree.chosen())) == 1
    noise = np.random.default_rng(0).normal(0, 1e-8, (30, 30))
    assert len(np.unique(joined(np.abs(noise + noise.T)).cut(10))) == 1


def test_few_faces() -> None:
    assert joined(np.zeros((0, 0))).chosen().shape == (0,)
    assert joined(np.zeros((1, 1))).cut(1).tolist() == [0]
    assert joined(np.array([[0.0, 1.0], [1.0, 0.0]])).cut(2).tolist() in ([0, 1], [1, 0])
    with pytest.raises(ValueError, match="finite"):
        joined(np.full((2, 2), np.nan))


def test_chance_is_what_unrelated_clusters_reach() -> None:
    """With many small clusters purity is far from 0 whoever is in them; the adjusted Rand index is not."""
    rng = np.random.default_rng(3)
    person = np.repeat(np.arange(30), 3)
    indices, purities = [], []
    for seed in range(40):
        cluster = joined(faces(90, 1, 0.0, seed)).cut(30)
        indices.append(adjusted_rand(person, cluster))
        purities.append(pure(person, cluster).mean() - pure_by_chance(person, cluster, rng).mean())
    assert abs(np.mean(indices)) < 0.01
    assert abs(np.mean(purities)) < 0.01
    assert pure_by_chance(person, cluster, rng).mean() > 0.3


@pytest.mark.parametrize(
    ("person", "photo", "kind", "words"),
    [
        ((0.9, 0.8), (0.52, 0.5), "pseudonymous", "only if they share a draw"),
        ((0.9, 0.8), (0.7, 0.6), "linkable", "even with a draw of their own"),
        ((0.55, 0.5), (0.52, 0.5), "unlinkable", "could not be linked"),
        ((math.nan, math.nan), (0.9, 0.8), "not measured", "was not measured"),
        ((0.9, 0.8), (0.9, math.nan), "not measured", "was not measured"),
    ],
)
def test_the_verdict_of_two_regimes(
    person: tuple[float, float], photo: tuple[float, float], kind: str, words: str
) -> None:
    one, other = (Estimate(value, low, 1.0, 60, 0) for value, low in (person, photo))
    verdict = pseudonymous(one, other)
    assert verdict.kind == kind
    assert words in verdict.text
    assert verdict.text.endswith(").")
