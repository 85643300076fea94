"""Landmarks brought to the usual proportions."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.methods.shared.alignment import TEMPLATE, usual_places

FACE = np.array([[40.0, 52.0], [80.0, 46.0], [66.0, 70.0], [47.0, 88.0], [78.0, 92.0]], np.float32)


def shape(points: NDArray[Any]) -> NDArray[Any]:
    """All distances between the points, the first as the unit."""
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)[np.triu_indices(5, 1)]
    return np.asarray(distances / distances[0])


def test_everybody_gets_the_same_proportions() -> None:
    wider = FACE * np.array([1.3, 0.9], np.float32)
    assert not np.allclose(shape(FACE), shape(TEMPLATE), rtol=0.02)
    for face in (FACE, wider):
        np.testing.assert_allclose(shape(usual_places(face)), shape(TEMPLATE), rtol=1e-4)


def test_place_size_and_turn_stay() -> None:
    turn = 1.7 * np.exp(0.4j)
    at = (TEMPLATE @ [1, 1j]) * turn + (31 - 12j)
    usual = np.stack([at.real, at.imag], 1).astype(np.float32)
    np.testing.assert_allclose(usual_places(usual), usual, atol=1e-3)
    moved = usual_places(FACE + np.array([5, -9], np.float32))
    np.testing.assert_allclose(moved, usual_places(FACE) + np.array([5, -9], np.float32), atol=1e-3)


def test_landmarks_without_a_frame_stay() -> None:
    for odd in (np.full((5, 2), np.nan, np.float32), np.full((5, 2), 7, np.float32)):
        np.testing.assert_array_equal(usual_places(odd), odd)
