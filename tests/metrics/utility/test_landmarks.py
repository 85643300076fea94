"""Landmarks moved, in eye distances."""

from __future__ import annotations

import numpy as np
import pytest

from unmask.bench.core.types import Outcome
from unmask.bench.run.contracts.made_up import make_evidence
from unmask.metrics.utility.landmarks import LandmarkError, landmark_error


def test_a_shift_by_hand() -> None:
    before = np.random.default_rng(0).uniform(0, 100, (3, 5, 2)).astype(np.float32)
    after = before + np.array([3, 4], np.float32)
    assert landmark_error(before, after, np.array([50.0, 10.0, 5.0])) == pytest.approx([0.1, 0.5, 1.0], rel=1e-5)


def test_against_a_loop() -> None:
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(2, 4, 5, 2))
    expected = [sum(np.hypot(*(a[k] - b[k])) for k in range(5)) / 5 / 2.5 for a, b in zip(after, before, strict=True)]
    assert landmark_error(before, after, np.full(4, 2.5)) == pytest.approx(expected)


def test_eyes_on_one_spot_cannot_be_scored() -> None:
    points = np.zeros((1, 5, 2), np.float32)
    assert np.isnan(landmark_error(points, points, np.zeros(1))).all()


def test_faces_not_found_again_are_unscored() -> None:
    outcomes = [Outcome.DESTROYED, Outcome.ERROR, Outcome.MISSED, Outcome.ANONYMIZED]
    (values,) = LandmarkError().ask(make_evidence(n_people=4, photos_each=1, outcomes=outcomes))
    assert np.isnan(values.values).tolist() == [True, True, False, False]
    assert values.values[2] == 0
    assert values.values[3] > 0
