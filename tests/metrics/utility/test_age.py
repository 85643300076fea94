"""Age groups and ages kept, as defined in the thesis."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_absolute_error

from tests.metrics.utility.support import NAN, by_name, evidence_of, mean, unscored
from unmask.bench.core.demographics import age_group
from unmask.bench.core.settings import Settings
from unmask.metrics.utility.attributes import AgePreserved, outside_group_squared

GROUPS = ((0, 19), (20, 29), (30, 39), (40, 120))


def test_groups_against_pandas_cut() -> None:
    ages = np.array([0, 5.5, 19, 19.6, 20, 29.99, 30, 39.2, 40, 77, 120.4])
    expected = pd.cut(pd.Series(ages), bins=[0, 20, 30, 40, 121], right=False, labels=False)
    np.testing.assert_array_equal(age_group(ages, GROUPS), expected)


def test_ages_outside_every_group() -> None:
    np.testing.assert_array_equal(age_group(np.array([NAN, -3.0, 121.0, 25.0]), GROUPS), [NAN, 0, -1, 1])
    gapped = ((0, 19), (40, 120))
    evidence = evidence_of({"age": [30, 10, 10]}, {"age": [10, 30, 10]}, settings=Settings(age_groups=gapped))
    found = by_name(AgePreserved().ask(evidence))
    np.testing.assert_array_equal(found["age_group_correct"].values, [NAN, 0, 1])
    np.testing.assert_array_equal(found["age_mse"].values, [NAN, 121, 0])


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (25, 21, 0),
        (25, 39, 100),
        (25, 49, 400),
        (25, 10, 100),
        (10, 19.6, 0),
        (10, 20.5, 2.25),
        (50, 39.5, 0.25),
        (50, 90, 0),
    ],
)
def test_age_mse_by_hand(before: float, after: float, expected: float) -> None:
    """Ten years off are 100, twenty are 400: the thesis's own examples."""
    assert outside_group_squared(np.array([before]), np.array([after]), GROUPS)[0] == pytest.approx(expected)


@given(st.floats(0, 120), st.floats(0, 120))
def test_age_mse_against_the_definition(before: float, after: float) -> None:
    """The nearest whole year of the group, searched for."""
    (low, high) = next(g for g in GROUPS if g[0] <= int(before) <= g[1])
    inside = low <= int(after) <= high
    expected = 0 if inside else min(abs(after - year) for year in range(low, high + 1)) ** 2
    assert outside_group_squared(np.array([before]), np.array([after]), GROUPS)[0] == pytest.approx(expected)


def test_mean_errors_against_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    before, after, label = (rng.uniform(1, 90, 100).astype(np.float32).astype(float) for _ in range(3))
    label[:30] = NAN
    found = by_name(AgePreserved().ask(evidence_of({"age": before}, {"age": after}, ages=label)))
    assert mean(found["age_mae"]) == pytest.approx(mean_absolute_error(before, after), abs=1e-9)
    assert mean(found["age_mae_true"]) == pytest.approx(mean_absolute_error(label[30:], after[30:]), abs=1e-9)
    assert unscored(found["age_mae_true"]) == 0


def test_of_estimated_and_of_all() -> None:
    evidence = evidence_of({"age": [25, 25, 25, NAN]}, {"age": [22, 35, NAN, 25]}, ages=[35, NAN, 25, 25])
    found = by_name(AgePreserved().ask(evidence))
    np.testing.assert_array_equal(found["age_group_correct"].values, [1, 0, NAN, NAN])
    np.testing.assert_array_equal(found["age_group_estimated_correct"].values, [1, 0, 0, NAN])
    assert found["age_group_estimated_correct_true"].eligible.tolist() == [True, False, True, True]
    np.testing.assert_array_equal(found["age_group_estimated_correct_true"].values[[0, 2, 3]], [0, 0, 1])
    np.testing.assert_array_equal(found["age_mse"].values, [0, 36, NAN, NAN])


def test_groups_are_configurable() -> None:
    two = Settings(age_groups=((0, 49), (50, 120)))
    found = by_name(AgePreserved().ask(evidence_of({"age": [20, 45]}, {"age": [49.9, 50]}, settings=two)))
    assert found["age_group_correct"].values.tolist() == [1, 0]
    assert found["age_group_correct"].chance == 1
