"""Counts of people as in the thesis's tables 4.1 and 4.2."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.support.video import Clip, video_evidence
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Float
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.bench.core.video import Tracks
from unmask.metrics.traceability.people import People

TABLE_4_2 = {
    "original": [17, 25, 18, 72, 14, 39, 7, 37, 11, 11, 32, 22, 153, 12, 175, 60, 149, 90, 31, 45],
    "output": [16, 22, 14, 74, 10, 33, 7, 45, 11, 9, 30, 23, 164, 12, 175, 61, 124, 84, 32, 37],
    "difference": [1, 3, 4, -2, 4, 6, 0, -8, 0, 2, 2, -1, -11, 0, 0, -1, 25, 6, -1, 8],
}
"""The rows that the thesis prints."""


def tracks(people: int) -> Tracks:
    """So many people, in two frames each, under numbers with gaps."""
    ids = np.repeat(np.arange(people) * 3 + 5, 2)
    return Tracks.sorted(np.tile([0, 1], people), ids, np.ones((len(ids), 4)))


def evidence(before: list[int], after: list[int | None]) -> Evidence:
    return video_evidence(
        [
            Clip((), people={"deepsort": tracks(b)}, people_output={} if a is None else {"deepsort": tracks(a)})
            for b, a in zip(before, after, strict=True)
        ]
    )


def asked(found: Evidence) -> dict[str, UnitValues | SetStatistic]:
    return {item.metric: item for item in People().ask(found)}


def computed(item: UnitValues | SetStatistic, weights: Float | None = None) -> float:
    assert isinstance(item, SetStatistic)
    return item.compute(item.scored * (np.ones(len(item.scored)) if weights is None else weights))


def test_the_rows_and_totals_of_table_4_2() -> None:
    found = asked(evidence(TABLE_4_2["original"], [*TABLE_4_2["output"]]))
    for name, key in (("people_original", "original"), ("people", "output"), ("people_difference", "difference")):
        item = found[name]
        assert isinstance(item, UnitValues)
        assert item.values.tolist() == TABLE_4_2[key]
        assert (item.instrument, item.unit, item.share) == ("deepsort", "clip", False)
    difference = np.array(TABLE_4_2["difference"])
    assert computed(found["people_difference_sum"]) == difference.sum()
    assert computed(found["people_difference_sd"]) == pytest.approx(difference.std(ddof=1))


def test_weights_are_clips_taken_several_times() -> None:
    found = asked(evidence([5, 9, 4, 7], [5, 6, 5, 1]))
    drawn = np.repeat([0, 3, -1, 6], [2, 0, 1, 3])
    weights = np.array([2.0, 0, 1, 3])
    assert computed(found["people_difference_sum"], weights) == drawn.sum()
    assert computed(found["people_difference_sd"], weights) == pytest.approx(drawn.std(ddof=1))
    assert math.isnan(computed(found["people_difference_sum"], np.zeros(4)))
    assert math.isnan(computed(found["people_difference_sd"], np.eye(4)[1]))


def test_a_clip_without_an_output_is_missing_not_empty() -> None:
    found = asked(evidence([5, 9], [5, None]))
    people, difference, total = found["people"], found["people_difference"], found["people_difference_sum"]
    assert isinstance(people, UnitValues)
    assert isinstance(difference, UnitValues)
    assert isinstance(total, SetStatistic)
    np.testing.assert_array_equal(people.values, [5, np.nan])
    np.testing.assert_array_equal(difference.values, [0, np.nan])
    assert total.scored.tolist() == [True, False]
    assert computed(total) == 0


def test_nobody_is_a_count() -> None:
    found = asked(evidence([0], [0]))["people"]
    assert isinstance(found, UnitValues)
    assert found.values.tolist() == [0]
    assert asked(video_evidence([])) == {}


def test_against_the_re_encoded_control() -> None:
    clips = [Clip((), people={"deepsort": tracks(9)}, people_output={"deepsort": tracks(n)}) for n in (4, 6, 3)]
    recoded = [{"deepsort": tracks(5)}, {"deepsort": tracks(6)}, {}]
    found = asked(video_evidence(clips, recoded=recoded))
    item = found["people_difference_recoded"]
    assert isinstance(item, UnitValues)
    np.testing.assert_array_equal(item.values, [1.0, 0.0, np.nan])
    # Without a re-encoded control nobody asks.
    assert "people_difference_recoded" not in asked(video_evidence(clips))
