"""Age groups and genders, as metrics, subgroups, balanced sets and networks' attributes all sort people by them."""

from __future__ import annotations

import numpy as np
import pytest

from unmask.bench.core.demographics import (
    AGE_GROUPS,
    NO_GROUP,
    age_group,
    as_female,
    gender_names,
    group_name,
    parse_group,
)
from unmask.methods.gan.runtime.attributes import attribute_vector

AGES = [
    (-2.0, "0-19"),
    (0.0, "0-19"),
    (19.99, "0-19"),
    (20.0, "20-29"),
    (39.999, "30-39"),
    (40.0, "40+"),
    (120.9, "40+"),
    (121.0, None),
]


@pytest.mark.parametrize(("age", "name"), AGES)
def test_ages_count_in_completed_years_for_groups_and_for_attributes(age: float, name: str | None) -> None:
    number = float(age_group(age, AGE_GROUPS))
    names = [group_name(group) for group in AGE_GROUPS]
    assert (None if number == NO_GROUP else names[int(number)]) == name
    assert attribute_vector(names, age, 0.0).tolist() == [each == name for each in names]


def test_many_ages_at_once_and_unknown_ones() -> None:
    ages = np.array([age for age, _ in AGES] + [np.nan])
    expected = [*(float(age_group(age, AGE_GROUPS)) for age in ages[:-1]), np.nan]
    np.testing.assert_array_equal(age_group(ages, AGE_GROUPS), expected)


def test_names_are_read_back() -> None:
    assert [parse_group(group_name(group)) for group in AGE_GROUPS] == list(AGE_GROUPS)
    assert [parse_group(text) for text in ("40", "40-", "-9", "young", "4a+", "40+\n")] == [None] * 6


def test_half_is_female_and_nothing_is_neither() -> None:
    p = np.array([0.0, np.nextafter(0.5, 0), 0.5, 1.0, np.nan])
    np.testing.assert_array_equal(as_female(p), [0, 0, 1, 1, np.nan])
    assert gender_names(p).tolist() == ["male", "male", "female", "female", ""]
    assert [attribute_vector(("female", "male"), 30, value).tolist() for value in p[1:3]] == [[0, 1], [1, 0]]
