"""What is kept of expression, pose, gaze and shape: by hand, against loops, and by chance."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from tests.metrics.utility.support import NAN, by_name, evidence_of, mean, unscored
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Outcome
from unmask.bench.core.values import UnitValues
from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.utility.kept import (
    DRAWS,
    ExpressionKept,
    PoseKept,
    ShapeKept,
    by_chance,
    directions,
    likeliest,
    shape_error,
)

KEPT = (ExpressionKept(), PoseKept(), ShapeKept())
OUTCOMES = [Outcome.DESTROYED, Outcome.ERROR, Outcome.MISSED, *[Outcome.ANONYMIZED] * 21]


def one_hot(*classes: float) -> np.ndarray[Any, Any]:
    """(N, 7) sure of each class; NaN rows for NaN."""
    return np.array([[NAN] * 7 if np.isnan(k) else np.eye(7)[int(k)] * 0.6 + 0.05 for k in classes], np.float32)


def all_values(evidence: Evidence) -> list[UnitValues]:
    return [item for metric in KEPT for item in metric.ask(evidence)]


def test_expressions_by_hand() -> None:
    evidence = evidence_of({"expression": one_hot(0, 1, 1, 2, NAN, 1)}, {"expression": one_hot(0, 1, 2, NAN, 1, NAN)})
    items = by_name(ExpressionKept().ask(evidence))
    np.testing.assert_array_equal(items["expression_correct"].values, [1, 1, 0, NAN, NAN, NAN])
    np.testing.assert_array_equal(items["expression_estimated_correct"].values, [1, 1, 0, 0, NAN, 0])
    assert mean(items["expression_correct"]) == pytest.approx(2 / 3)
    assert mean(items["expression_estimated_correct"]) == pytest.approx(2 / 5)


def test_expression_by_chance_is_how_often_others_look_so() -> None:
    """Nine smile and three do not; each is another person."""
    rows = one_hot(*[1] * 9, *[0] * 3)
    items = by_name(ExpressionKept().ask(evidence_of({"expression": rows}, {"expression": rows})))
    for item in items.values():
        assert mean(item) == 1
        # Of eleven others eight smile with a smiling face, two are neutral with a neutral one.
        np.testing.assert_allclose(item.chance_values[:9], 8 / 11, atol=0.2)
        assert item.chance_values.mean() == pytest.approx((9 * 8 + 3 * 2) / (12 * 11), abs=0.03)


def test_chance_counts_a_missing_output_as_its_value_does() -> None:
    before, after = one_hot(*[1] * 10), one_hot(*[1] * 5, *[NAN] * 5)
    items = by_name(ExpressionKept().ask(evidence_of({"expression": before}, {"expression": after})))
    np.testing.assert_allclose(items["expression_correct"].chance_values, 1)
    assert items["expression_estimated_correct"].chance_values.mean() == pytest.approx(0.5, abs=0.02)


def test_estimators_agree_on_the_output() -> None:
    made = make_evidence(n_people=3, photos_each=1)
    readings = {"b": {"expression": one_hot(0, 1, NAN)}, "a": {"expression": one_hot(0, 2, 2)}}
    evidence = dataclasses.replace(made, original=readings, anonymized=readings)
    (item,) = (item for item in ExpressionKept().ask(evidence) if item.metric == "expression_agreement")
    assert item.instrument == "a+b"
    np.testing.assert_array_equal(item.values, [1, 0, NAN])


def test_angles_by_hand() -> None:
    before = {"yaw": [10, 0, 0], "pitch": [0, 5, 0], "roll": [179, 0, NAN]}
    after = {"yaw": [-10, 3, 0], "pitch": [0, NAN, 0], "roll": [-179, -90, 4]}
    items = by_name(PoseKept().ask(evidence_of(before, after)))
    np.testing.assert_allclose(items["head_yaw_change"].values, [20, 3, 0])
    np.testing.assert_allclose(items["head_pitch_change"].values, [0, NAN, 0])
    np.testing.assert_allclose(items["head_roll_change"].values, [2, 90, NAN], atol=1e-4)
    assert unscored(items["head_pitch_change"]) == 1


def test_gaze_is_the_angle_between_directions() -> None:
    before = {"gaze_x": [0, 30, 0, 45, 2], "gaze_y": [0, 0, 0, 0, 2]}
    after = {"gaze_x": [0, -30, 0, 0, NAN], "gaze_y": [0, 0, 25, 45, 2]}
    (item,) = PoseKept().ask(evidence_of(before, after))
    # 45 degrees aside and 45 upwards are 60 apart: both lie 45 from straight ahead, at right angles.
    np.testing.assert_allclose(item.values, [0, 60, 25, 60, NAN], atol=1e-3)


def test_directions_have_length_one_beyond_what_two_angles_allow() -> None:
    vectors = directions(np.array([0, 80]), np.array([10, 80]))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1)
    np.testing.assert_allclose(vectors[0], [0, np.sin(np.radians(10)), np.cos(np.radians(10))])
    assert vectors[1, 2] == 0


def test_shape_by_hand_and_against_a_loop() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.uniform(0, 100, (2, 4, 68, 2))
    before[:, 45] = before[:, 36] + (30, 40)
    expected = [sum(np.hypot(*(a[k] - b[k])) for k in range(68)) / 68 / 50 for a, b in zip(after, before, strict=True)]
    np.testing.assert_allclose(shape_error(before, after), expected)
    np.testing.assert_allclose(shape_error(before, before + np.array([5, 0])), 0.1)
    before[1, 45] = before[1, 36]
    assert np.isnan(shape_error(before, after)).tolist() == [False, True, False, False]


def test_chance_of_a_shape_ignores_where_a_face_lies_and_how_large() -> None:
    """Everybody has one shape, at places and in sizes of their own: by chance nothing moves."""
    rng = np.random.default_rng(0)
    shape = rng.normal(0, 1, (68, 2))
    points = shape * rng.uniform(10, 90, (9, 1, 1)) + rng.uniform(0, 900, (9, 1, 2))
    columns = {"landmarks68": points.reshape(9, 136)}
    (item,) = ShapeKept().ask(evidence_of(columns, columns))
    np.testing.assert_allclose(item.chance_values, 0, atol=1e-4)
    other = points.copy()
    other[0] = rng.normal(0, 1, (68, 2)) * 50
    (item,) = ShapeKept().ask(evidence_of({"landmarks68": other.reshape(9, 136)}, columns))
    assert item.chance_values[0] > 0.1


def test_chance_is_the_mean_over_other_people() -> None:
    """Against all pairs; faces of one person never stand in for each other."""
    people = np.array([0, 0, 0, 1, 2, 2, 3])
    values = np.arange(7.0) ** 2
    exact = [np.mean([abs(values[i] - values[j]) for j in range(7) if people[j] != people[i]]) for i in range(7)]
    drawn = by_chance(lambda faces, others: np.abs(values[faces] - values[others]), people)
    np.testing.assert_allclose(drawn, exact, atol=4 * np.ptp(values) / np.sqrt(DRAWS))
    apart = by_chance(lambda faces, others: (people[faces] == people[others]).astype(float), people)
    np.testing.assert_array_equal(apart, 0)
    assert np.isnan(by_chance(lambda faces, others: values[faces], np.zeros(7))).all()


def test_unlike_outputs_score_as_chance_does() -> None:
    """Readings that have nothing to do with the original, of 600 people."""
    rng = np.random.default_rng(0)

    def draw() -> dict[str, Any]:
        columns = {angle: rng.normal(0, 15, 600) for angle in ("yaw", "pitch", "roll", "gaze_x", "gaze_y")}
        return columns | {"expression": one_hot(*rng.choice([0, 1, 4], 600, p=[0.5, 0.4, 0.1]))}

    evidence = evidence_of(draw(), draw())
    for item in (*PoseKept().ask(evidence), *ExpressionKept().ask(evidence)):
        assert item.chance_values is not None
        error = float(np.std(item.values) / np.sqrt(600))
        assert abs(item.values.mean() - item.chance_values.mean()) < 4 * error, item.metric


def test_faces_not_found_again_are_counted_and_missed_ones_are_kept() -> None:
    for item in all_values(make_evidence(n_people=24, photos_each=1, outcomes=OUTCOMES)):
        lost = np.isnan(item.values).tolist()
        if item.metric == "expression_estimated_correct":
            assert item.values[:2].tolist() == [0, 0]
            assert not any(lost)
        else:
            assert lost == [True, True, *[False] * 22], item.metric
        assert item.eligible is None
        if item.metric != "expression_agreement":
            assert item.values[2] == (1 if item.share else 0)


def test_what_is_unchanged_is_kept_whole() -> None:
    for item in all_values(make_evidence(noise=0)):
        if item.metric == "expression_agreement":
            continue
        assert set(item.values) == {1.0 if item.share else 0.0}
        assert item.chance_values is not None
        worse = item.chance_values < 1 if item.share else item.chance_values > 0
        assert worse.all()


def test_likeliest() -> None:
    rows = np.array([[0.2, 0.8, 0], [NAN, 0.9, 0], [1, 0, 0]])
    np.testing.assert_array_equal(likeliest(rows), [1, NAN, 0])
    assert likeliest(np.zeros((0, 7))).shape == (0,)
