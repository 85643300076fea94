"""Classifiers of attributes, and how their scores are judged: against scikit-learn, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from unmask.bench.core.stats.inference import (
    PEOPLE_A_CLASS,
    SPREAD,
    MacroAuc,
    Spearman,
    cross_fitted,
    dealt_blindly,
    folds_by_person,
)
from unmask.bench.core.stats.intervals import estimates
from unmask.bench.core.stats.resampling import ClusterResamples, replicate_statistic
from unmask.bench.core.types import Float
from unmask.bench.core.values import Estimate, SetStatistic

Ints = NDArray[np.int64]
CLASSES = 3


def people(
    many: int, strength: float, seed: int, classes: int = 2, dim: int = 12, rare: float | None = None
) -> tuple[Float, Ints, Ints]:
    """Two faces of everybody, alike; in one direction of ``dim`` a class tells as much as ``strength``. ``rare``: the
    share of the second of two classes."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, classes, many) if rare is None else (rng.random(many) < rare).astype(np.int64)
    own = rng.normal(size=(many, dim))
    own[:, 0] += strength * label
    person = np.repeat(np.arange(many), 2)
    return own[person] + 0.5 * rng.normal(size=(2 * many, dim)), label[person].astype(np.int64), person


def reached(features: Float, label: Ints, person: Ints, value: Float | None = None) -> Estimate:
    read = cross_fitted(features, label, person, seed=0, value=value)
    auc = MacroAuc(read.scores, read.label, person, read.fold)
    statistic = SetStatistic("m", "i", auc, auc.scored, compute_all=auc.of_all, share=True, spread=SPREAD)
    return estimates(replicate_statistic(statistic, ClusterResamples(person, 200, 0)))[0]


def test_scores_are_judged_as_by_scikit_learn_under_weights() -> None:
    rng = np.random.default_rng(0)
    label, person = rng.integers(0, CLASSES, 80), np.arange(80)
    scores = np.round(rng.normal(size=(80, CLASSES)) + np.eye(CLASSES)[label], 1)
    weights = rng.integers(0, 3, 80).astype(float)
    expected = [roc_auc_score(label == k, scores[:, k], sample_weight=weights) for k in range(CLASSES)]
    auc = MacroAuc(scores, label, person)
    assert auc(weights) == pytest.approx(np.mean(expected))
    assert auc.of_all(np.stack([weights, np.ones(80)])) == pytest.approx([auc(weights), auc(np.ones(80))])
    two = MacroAuc(scores[:, :2], np.where(label == 0, 0, 1), person)
    assert two(weights) == pytest.approx(expected[0])
    unknown = np.where(np.arange(80) < 40, label, -1)
    halved = MacroAuc(scores, unknown, person)(weights)
    assert halved == pytest.approx(MacroAuc(scores[:40], label[:40], person[:40])(weights[:40]))


def test_only_pairs_of_one_fold_are_compared() -> None:
    """Both folds are in perfect order, each on a scale of its own."""
    score = np.array([0.0, 1, 10, 11, 0.5])
    label, fold = np.array([1, 0, 1, 0, -1]), np.array([0, 0, 1, 1, 0])
    scores = np.stack([score, -score], axis=1)
    assert MacroAuc(scores, label, np.arange(5), fold)(np.ones(5)) == 1
    assert MacroAuc(scores, label, np.arange(5))(np.ones(5)) == 0.75


def test_a_class_of_one_person_is_left_out() -> None:
    scores, label = np.random.default_rng(0).normal(size=(9, 2)), np.array([0] * 3 + [1] * 6)
    assert np.isnan(MacroAuc(scores, label, np.repeat([0, 1, 2], 3))(np.ones(9)))
    assert np.isfinite(MacroAuc(scores, label, np.arange(9))(np.ones(9)))


def test_rank_correlation_as_by_scipy_with_people_drawn_anew() -> None:
    rng = np.random.default_rng(0)
    one = np.round(rng.normal(size=60), 1)
    other = np.round(one + rng.normal(size=60), 1)
    often = rng.integers(0, 4, 60)
    expected = spearmanr(np.repeat(one, often), np.repeat(other, often)).statistic
    assert Spearman(one, other)(often.astype(float)) == pytest.approx(expected)
    assert np.isnan(Spearman(one, np.ones(60))(np.ones(60)))


@pytest.mark.parametrize("classes", [2, CLASSES])
def test_what_lies_in_one_direction_is_read(classes: int) -> None:
    estimate = reached(*people(150, 3.0, 1, classes, dim=60))
    assert estimate.low > 0.6
    assert estimate.value > 0.75


@pytest.mark.parametrize("rare", [None, 0.25])
def test_where_nothing_can_be_read_the_interval_holds_one_half(rare: float | None) -> None:
    each = [reached(*people(100, 0.0, seed, rare=rare)) for seed in range(16)]
    assert sum(e.low <= 0.5 <= e.high for e in each) >= 14
    assert np.mean([e.value for e in each]) == pytest.approx(0.5, abs=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("rare", [None, 0.25])
@pytest.mark.parametrize("strength", [0.0, 1.2])
def test_intervals_cover(strength: float, rare: float | None) -> None:
    """What such a classifier reaches in the mean, with photos alike of one person, and however rare a class is."""
    each = [reached(*people(100, strength, seed, rare=rare)) for seed in range(150)]
    truth = np.mean([e.value for e in each]) if strength else 0.5
    assert truth == 0.5 or 0.6 < truth < 0.9
    assert np.mean([e.low <= truth <= e.high for e in each]) >= 0.92


def test_nobody_is_read_by_photos_of_oneself() -> None:
    """Everybody's faces are the same and labels are drawn: with one face in another fold they would be known."""
    rng = np.random.default_rng(0)
    label, person = np.repeat(rng.integers(0, 2, 60), 3), np.repeat(np.arange(60), 3)
    features = np.repeat(rng.normal(size=(60, 40)), 3, axis=0)
    assert reached(features, label, person).low < 0.5
    alone = cross_fitted(features, label, np.arange(180), seed=0)
    assert MacroAuc(alone.scores, label, person, alone.fold)(np.ones(180)) > 0.75
    fold = folds_by_person(person, label, 5, 0)
    assert all(len(np.unique(fold[person == k])) == 1 for k in range(60))
    counts = np.array([[len(np.unique(person[(fold == f) & (label == k)])) for f in range(5)] for k in (0, 1)])
    assert (np.ptp(counts, axis=1) <= 1).all()


def test_who_cannot_be_read_or_told_is_not_scored() -> None:
    features, label, person = people(60, 3.0, 0, CLASSES)
    features[4], label[:2] = np.nan, -1
    label[person < 50] = np.where(label[person < 50] == 2, 0, label[person < 50])
    label[person < 2] = -1
    read = cross_fitted(features, label, person, seed=0)
    assert len(np.unique(person[label == 2])) < PEOPLE_A_CLASS
    assert np.isnan(read.scores[[0, 4]]).all()
    assert (read.label[label == 2] == -1).all()
    auc = MacroAuc(read.scores, read.label, person, read.fold)
    assert auc.scored.sum() == (label[np.arange(120) != 4] >= 0).sum() - (label == 2).sum()
    few = cross_fitted(features[:30], label[:30], person[:30], seed=0)
    assert np.isnan(few.scores).all()


def test_faces_that_are_all_alike_tell_nothing() -> None:
    _, label, person = people(60, 0.0, 0)
    estimate = reached(np.full((120, 8), 0.3), label, person)
    assert (estimate.value, estimate.low, estimate.high) == (0.5, 0.5, 0.5)


def test_the_ends_of_a_number_are_read_by_the_number() -> None:
    rng = np.random.default_rng(0)
    person, slope = np.repeat(np.arange(80), 2), rng.normal(size=10)
    features = rng.normal(size=(160, 10))
    value = features @ slope + 0.3 * rng.normal(size=160)
    cuts = np.quantile(value, [1 / 3, 2 / 3])
    label = np.where(value < cuts[0], 0, np.where(value > cuts[1], 1, -1))
    assert reached(features, label, person, value).low > 0.9
    assert reached(rng.normal(size=(160, 10)), label, person, value).low < 0.5
    assert cross_fitted(features, label, person, seed=0, value=value).fold.min() == 0, "the middle is learned from"


def test_the_same_seed_gives_the_same_scores() -> None:
    data = people(60, 1.0, 0)
    one, other = cross_fitted(*data, seed=1), cross_fitted(*data, seed=1)
    np.testing.assert_array_equal(one.scores, other.scores)
    assert (cross_fitted(*data, seed=2).fold != one.fold).any()


def test_labels_are_dealt_to_whole_people() -> None:
    person, label = np.repeat(np.arange(30), 3), np.repeat(np.arange(30), 3)
    dealt = dealt_blindly(label, person, 0)
    assert (dealt.reshape(30, 3) == dealt.reshape(30, 3)[:, :1]).all()
    assert sorted(dealt.tolist()) == sorted(label.tolist())
    assert (dealt != label).mean() > 0.8
