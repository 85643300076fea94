"""The comparison of a run's numbers tells every kind of difference."""

from __future__ import annotations

from typing import Any

import pytest

from tests.golden.tables import KINDS, Tables, differences, digest, golden, kept


def row(metric: str, **fields: Any) -> dict[str, Any]:
    key = {"dataset": "d", "method": "m", "metric": metric, "instrument": "i", "region": "face", "group": "all"}
    return {**key, "value": 1.0, "low": None, **fields}


def compared(before: Tables, after: Tables, tolerance: float | None = 1e-6) -> list[str]:
    return [line.split(": ", 1)[1] for line in differences(before, after, tolerance=tolerance)]


def test_equal_tables_and_rounding_differ_in_nothing() -> None:
    assert compared({"estimates": [row("a")]}, {"estimates": [row("a")]}) == []
    assert compared({"estimates": [row("a")]}, {"estimates": [row("a", value=1 + 1e-7)]}) == []
    assert compared({"estimates": [row("a")]}, {"estimates": [row("a", value=1 + 1e-7)]}, 0.0) != []


@pytest.mark.parametrize(
    ("after", "line"),
    [
        ([], "missing"),
        ([row("a"), row("b")], "new"),
        ([row("a", value=1.1)], "value was 1.0, is 1.1"),
        ([row("a", low=0.5)], "low was None, is 0.5"),
        ([row("a", value=None)], "value was 1.0, is None"),
        ([row("a", more=1)], "more was None, is 1"),
    ],
)
def test_every_kind_of_difference_is_told(after: list[dict[str, Any]], line: str) -> None:
    assert compared({"estimates": [row("a")]}, {"estimates": after}) == [line]
    assert digest({"estimates": [row("a")]}) != digest({"estimates": after})


def test_without_a_tolerance_only_rows_count() -> None:
    assert compared({"estimates": [row("a")]}, {"estimates": [row("a", value=9.0)]}, None) == []
    assert compared({"estimates": [row("a")]}, {"estimates": [row("b")]}, None) == ["missing", "new"]


def test_subgroups_are_left_to_the_hash() -> None:
    assert kept({"estimates": [row("a"), row("a", group="age=40+")], "comparisons": [{}]}) == {"estimates": [row("a")]}


@pytest.mark.parametrize("kind", KINDS)
def test_the_golden_files_are_equal_to_themselves(kind: str) -> None:
    document = golden(kind)
    assert sum(map(len, document["tables"].values())) > 100
    assert compared(document["tables"], golden(kind)["tables"], 0.0) == []
