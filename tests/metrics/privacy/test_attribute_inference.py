"""What estimators read of released faces: against scikit-learn and scipy, and who counts."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from unmask.bench.core.evidence import Evidence
from unmask.bench.core.stats.intervals import estimates
from unmask.bench.core.stats.resampling import ClusterResamples, replicate_statistic
from unmask.bench.core.values import Estimate, SetStatistic
from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.privacy.attribute_inference import AttributeInference, depth, thirds

GROUPS = ((0, 19), (20, 29), (30, 39), (40, 120))


def ask(evidence: Evidence, instrument: str = "face-api") -> dict[str, SetStatistic]:
    statistics = AttributeInference().ask(evidence)
    return {s.metric.removeprefix("inferred_"): s for s in statistics if s.instrument in (instrument, "skin-kmeans")}


def estimate(statistic: SetStatistic, evidence: Evidence) -> Estimate:
    return estimates(replicate_statistic(statistic, ClusterResamples(evidence.faces.cluster, 200, 0)))[0]


def test_the_same_as_scikit_learn_and_scipy() -> None:
    evidence = make_evidence(30, 2, noise=3.0)
    statistics = ask(evidence)
    female = evidence.truth.gender == "female"
    p_female, ita = evidence.anonymized["face-api"]["p_female"], evidence.anonymized["skin-kmeans"]["ita"]
    expected = roc_auc_score(female, p_female)
    assert 0.6 < expected < 0.99
    assert estimate(statistics["gender_auc_true"], evidence).value == pytest.approx(expected)
    before = evidence.original["skin-kmeans"]["ita"]
    rho = spearmanr(before, ita).statistic
    assert estimate(statistics["skin_rho"], evidence).value == pytest.approx(rho, abs=1e-6)
    ends = np.quantile(before, [1 / 3, 2 / 3])
    outer = (before <= ends[0]) | (before > ends[1])
    assert estimate(statistics["skin_auc"], evidence).value == pytest.approx(
        roc_auc_score(before[outer] > ends[1], ita[outer]), abs=1e-6
    )
    assert estimate(statistics["skin_auc"], evidence).n == outer.sum()
    scores = depth(evidence.anonymized["face-api"]["age"], GROUPS)
    label = np.searchsorted([20, 30, 40], evidence.truth.age, side="right")
    several = [k for k in range(4) if len(np.unique(evidence.faces.cluster[label == k])) > 1]
    macro = np.mean([roc_auc_score(label == k, scores[:, k]) for k in several])
    assert len(several) >= 3
    assert estimate(statistics["age_group_auc_true"], evidence).value == pytest.approx(macro)


def test_the_control_is_read_in_full_and_nothing_is_read_of_noise() -> None:
    control = make_evidence(20, 3, noise=0.0)
    for name, statistic in ask(control).items():
        if not name.endswith("_true"):
            assert estimate(statistic, control).value == pytest.approx(1), name
    noise = make_evidence(40, 2, noise=500.0)
    for name, statistic in ask(noise).items():
        result = estimate(statistic, noise)
        assert result.low == (0 if name == "skin_rho" else 0.5), name
        assert statistic.chance == result.low


def test_an_inverted_attribute_is_as_readable_as_a_kept_one() -> None:
    """A method that swaps genders or inverts tones tells as much as one that keeps them."""
    evidence = make_evidence(20, 2, noise=0.0)
    evidence.anonymized["face-api"]["p_female"][:] = 1 - evidence.original["face-api"]["p_female"]
    evidence.anonymized["skin-kmeans"]["ita"][:] = -evidence.original["skin-kmeans"]["ita"]
    statistics = ask(evidence)
    for name in ("gender_auc", "skin_auc", "skin_rho"):
        result = estimate(statistics[name], evidence)
        assert result.value == pytest.approx(1), name
        assert result.low > 0.5, name


def test_unread_faces_are_unscored_and_errors_released_the_original() -> None:
    evidence = make_evidence(12, 3, noise=500.0, outcomes=["error"] * 30 + ["destroyed"] * 6)
    statistics = ask(evidence)
    gender = estimate(statistics["gender_auc"], evidence)
    assert (gender.value, gender.n, gender.unscored) == (1, 30, 6)
    gone = make_evidence(12, 3, outcomes=["destroyed"] * 36)
    for statistic in ask(gone).values():
        assert np.isnan(estimate(statistic, gone).value)


def test_a_class_of_one_person_is_not_measured() -> None:
    evidence = make_evidence(8, 3)
    evidence.truth.gender[:] = np.where(evidence.faces.cluster == 0, "female", "male")
    assert np.isnan(estimate(ask(evidence)["gender_auc_true"], evidence).value)
    evidence.truth.gender[:] = np.where(evidence.faces.cluster < 2, "female", "male")
    assert np.isfinite(estimate(ask(evidence)["gender_auc_true"], evidence).value)


def test_sets_without_labels_are_asked_about_the_estimators_answers_alone() -> None:
    assert set(ask(make_evidence(10, 2, labelled=False))) == {"gender_auc", "age_group_auc", "skin_auc", "skin_rho"}


def test_depth_by_hand() -> None:
    result = depth(np.array([5.0, 19.5, 25.0, 90.0, np.nan]), GROUPS)
    np.testing.assert_allclose(
        result[:4], [[15, -15, -25, -35], [0.5, -0.5, -10.5, -20.5], [-5, 5, -5, -15], [-70, -60, -50, 50]]
    )
    assert np.isnan(result[4]).all()


def test_thirds() -> None:
    assert thirds(np.array([5.0, 1, np.nan, 9, 3, 7, 2])).tolist()[:2] == [1, 0]
    assert np.isnan(thirds(np.array([5.0, 1, np.nan]))).all()


def test_intervals_cover() -> None:
    intervals = []
    for seed in range(60):
        evidence = make_evidence(30, 2, noise=3.0, seed=seed)
        intervals.append(estimate(ask(evidence)["gender_auc_true"], evidence))
    truth = np.mean([each.value for each in intervals])
    assert 0.65 < truth < 0.95
    assert np.mean([each.low <= truth <= each.high for each in intervals]) >= 0.9
