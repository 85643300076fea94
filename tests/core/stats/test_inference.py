"""Classifiers on background people, and how their scores are judged: against scikit-learn, and by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from unmask.bench.core.stats.inference import (
    Auc,
    Faces,
    MacroAuc,
    Spearman,
    dealt_blindly,
    fit_classes,
    fit_number,
    readable,
    score_classes,
    score_number,
)

CLASSES = 3


def faces(people: int, first: int, strength: float, seed: int, classes: int = 2, dim: int = 12) -> Faces:
    """Two photos each; originals tell the class plainly, releases ``strength`` as much."""
    rng = np.random.default_rng(seed)
    person = np.repeat(np.arange(first, first + people), 2)
    label = np.repeat(rng.integers(0, classes, people), 2)
    centres = np.random.default_rng(99).normal(size=(classes, dim))
    noise = rng.normal(size=(2, len(person), dim))
    return Faces(2 * centres[label] + noise[0], strength * centres[label] + noise[1], label.astype(np.int64), person)


def test_scores_are_judged_as_by_scikit_learn_under_weights() -> None:
    rng = np.random.default_rng(0)
    label, person = rng.integers(0, CLASSES, 80), np.arange(80)
    scores = np.round(rng.normal(size=(80, CLASSES)) + np.eye(CLASSES)[label], 1)
    weights = rng.integers(0, 3, 80).astype(float)
    expected = [roc_auc_score(label == k, scores[:, k], sample_weight=weights) for k in range(CLASSES)]
    assert Auc(scores[:, 0], label == 0, person)(weights) == pytest.approx(expected[0])
    assert MacroAuc(scores, label, person)(weights) == pytest.approx(np.mean(expected))
    unknown = np.where(np.arange(80) < 40, label, -1)
    halved = MacroAuc(scores, unknown, person)(weights)
    assert halved == pytest.approx(MacroAuc(scores[:40], label[:40], person[:40])(weights[:40]))


def test_rank_correlation_as_by_scipy_with_people_drawn_anew() -> None:
    rng = np.random.default_rng(0)
    one = np.round(rng.normal(size=60), 1)
    other = np.round(one + rng.normal(size=60), 1)
    often = rng.integers(0, 4, 60)
    expected = spearmanr(np.repeat(one, often), np.repeat(other, often)).statistic
    assert Spearman(one, other)(often.astype(float)) == pytest.approx(expected)
    assert np.isnan(Spearman(one, np.ones(60))(np.ones(60)))


@pytest.mark.parametrize("classes", [2, CLASSES])
def test_what_is_kept_is_read_and_what_is_not_is_chance(classes: int) -> None:
    kept, lost = (
        readable(faces(60, 0, strength, 1, classes), faces(60, 100, strength, 2, classes), seed=0)
        for strength in (1.0, 0.0)
    )
    assert kept.value > 0.9
    assert kept.own > 0.9
    assert kept.ceiling > 0.99
    assert lost.ceiling > 0.99
    for chance in (lost.value, lost.own, lost.floor):
        assert chance == pytest.approx(0.5, abs=0.17)
    assert kept.people == 60


def test_the_floor_is_chance_on_average() -> None:
    """Where the release tells everything but the labels were dealt blindly."""
    floors = []
    for seed in range(8):
        background, tested = faces(30, 0, 1.0, seed), faces(30, 100, 1.0, seed + 50)
        blind = dealt_blindly(background.label, background.person, seed)
        scores = score_classes(fit_classes(background.released, blind, background.person, seed=seed), tested.released)
        floors.append(MacroAuc(scores, tested.label, tested.person)(np.ones(60)))
    assert np.mean(floors) == pytest.approx(0.5, abs=0.2)
    assert min(floors) < 0.5 < max(floors)


def test_nobody_is_tested_who_was_learned_from() -> None:
    with pytest.raises(ValueError, match="tested"):
        readable(faces(20, 0, 1.0, 0), faces(20, 19, 1.0, 1), seed=0)


def test_faces_that_cannot_be_read_have_no_score() -> None:
    background, tested = faces(40, 0, 1.0, 0, CLASSES), faces(10, 100, 1.0, 1, CLASSES)
    background.released[:3] = np.nan
    state = fit_classes(background.released, background.label, background.person, seed=0)
    tested.released[4] = np.nan
    scores = score_classes(state, tested.released)
    assert np.isnan(scores[4]).all()
    np.testing.assert_allclose(np.delete(scores, 4, axis=0).sum(axis=1), 1)
    assert (np.delete(scores, 4, axis=0).argmax(axis=1) == np.delete(tested.label, 4)).mean() > 0.8


def test_probabilities_of_two_classes_are_those_of_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    data = faces(40, 0, 1.0, 0)
    state = fit_classes(data.released, data.label, data.person, seed=0)
    scaled = (data.released - data.released.mean(axis=0)) / data.released.std(axis=0)
    model = LogisticRegression(C=float(state["strength"]), max_iter=300).fit(scaled, data.label)
    np.testing.assert_allclose(score_classes(state, data.released), model.predict_proba(scaled), atol=1e-6)


def test_too_few_people_are_refused() -> None:
    data = faces(40, 0, 1.0, 0)
    few = np.where(np.arange(80) < 8, 0, 1)
    with pytest.raises(ValueError, match=r"\[4, 36\]"):
        fit_classes(data.released, few, data.person, seed=0)
    with pytest.raises(ValueError, match="5 people"):
        fit_number(data.released[:8], np.arange(8.0), data.person[:8], seed=0)


def test_a_number_is_read() -> None:
    rng = np.random.default_rng(0)
    person, slope = np.repeat(np.arange(80), 2), rng.normal(size=10)
    features = rng.normal(size=(160, 10))
    value = features @ slope + 0.3 * rng.normal(size=160)
    value[:2] = np.nan
    state = fit_number(features[:100], value[:100], person[:100], seed=0)
    assert spearmanr(score_number(state, features[100:]), value[100:]).statistic > 0.95


def test_labels_are_dealt_to_whole_people() -> None:
    person, label = np.repeat(np.arange(30), 3), np.repeat(np.arange(30), 3)
    dealt = dealt_blindly(label, person, 0)
    assert (dealt.reshape(30, 3) == dealt.reshape(30, 3)[:, :1]).all()
    assert sorted(dealt.tolist()) == sorted(label.tolist())
    assert (dealt != label).mean() > 0.8
