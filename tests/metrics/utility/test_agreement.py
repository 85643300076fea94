"""Every two estimators, compared on the output."""

from __future__ import annotations

import dataclasses

import numpy as np

from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.utility.attributes import EstimatorAgreement

NAN = float("nan")


def test_pairs_of_estimators() -> None:
    made = make_evidence(n_people=3, photos_each=1)
    readings = {
        "b": {"p_female": np.array([0.9, 0.1, NAN]), "age": np.array([19.9, 30, 30])},
        "a": {"p_female": np.array([0.6, 0.9, 0.9]), "age": np.array([5, 40, 31])},
        "c": {"age": np.array([5, NAN, 31])},
    }
    evidence = dataclasses.replace(made, original=readings, anonymized=readings)
    found = {(v.metric, v.instrument): v.values for v in EstimatorAgreement().ask(evidence)}
    assert set(found) == {
        ("gender_agreement", "a+b"),
        ("age_group_agreement", "a+b"),
        ("age_group_agreement", "a+c"),
        ("age_group_agreement", "b+c"),
    }
    np.testing.assert_array_equal(found["gender_agreement", "a+b"], [1, 0, NAN])
    np.testing.assert_array_equal(found["age_group_agreement", "a+b"], [1, 0, 1])
    np.testing.assert_array_equal(found["age_group_agreement", "a+c"], [1, NAN, 1])


def test_one_estimator_has_nobody_to_agree_with() -> None:
    made = make_evidence(n_people=3, photos_each=1)
    one = {"face-api": made.anonymized["face-api"]}
    assert list(EstimatorAgreement().ask(dataclasses.replace(made, original=one, anonymized=one))) == []
