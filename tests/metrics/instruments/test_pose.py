"""Expression, 68 points, pose and gaze: equal to TensorFlow.js, right where something is known, NaN where nothing is.

`tfjs_outputs.json` holds what TensorFlow.js 4.22 (CPU, in node) made of `waves` with the packages' own files: every
``step``-th value of each row. face-api's networks were written out in it as its source has them, without softmax.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.fetched import files_of
from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Box, FaceView, Floats32, Image
from unmask.metrics.instruments.expression import EXPRESSIONS, FaceApiExpression, MiniXception
from unmask.metrics.instruments.pose import FaceApiPoints, FaceMesh, gaze_angles, head_angles

Opener = Callable[[str], Any]
ESTIMATORS = ("face-api-expression", "mini-xception")
NAMES = (*ESTIMATORS, "face-api-68", "facemesh")
REFERENCE = json.loads((Path(__file__).parent / "tfjs_outputs.json").read_text())


def waves(side: int, channels: int) -> Floats32:
    """(2, side, side, channels) float32, 0..1: smooth, and the same on every machine."""
    y, x, k = np.meshgrid(np.arange(side) / side, np.arange(side) / side, np.arange(channels), indexing="ij")
    images = [0.5 + 0.25 * np.sin(7 * x + 3 * k + n) + 0.25 * np.cos(5 * y * (1 + n) - 2 * k) for n in range(2)]
    return np.stack(images).astype(np.float32)


def assert_as_tfjs(network: str, output: Floats32) -> None:
    expected = np.array(REFERENCE[network]["values"])
    ours = output.reshape(2, -1)[:, :: REFERENCE[network]["step"]]
    np.testing.assert_allclose(ours, expected, atol=2e-4 * np.abs(expected).max())


@pytest.mark.weights
def test_graphs_compute_what_tensorflow_js_does(open_instrument: Opener) -> None:
    grey = open_instrument("mini-xception")._graph.run((waves(64, 1) - 0.5) * 2)
    assert_as_tfjs("emotion", grey["Identity"])
    mesh = open_instrument("facemesh")
    assert_as_tfjs("facemesh", mesh._mesh.run(waves(192, 3))["Identity_2"])
    assert_as_tfjs("iris", mesh._iris.run(waves(64, 3))["Identity"])


@pytest.mark.weights
def test_face_api_computes_what_tensorflow_js_does(open_instrument: Opener) -> None:
    planes = np.ascontiguousarray((waves(112, 3) - np.float32(0.45)).transpose(0, 3, 1, 2))
    assert_as_tfjs("face_expression", open_instrument("face-api-expression")._network(planes))
    assert_as_tfjs("face_landmark_68", open_instrument("face-api-68")._network(planes))


@pytest.fixture
def face(open_instrument: Opener, astronaut: Image) -> FaceView:
    (detection,) = open_instrument("yunet").detect([astronaut])[0]
    return FaceView(astronaut, detection.box, detection.landmarks)


@pytest.mark.weights
def test_an_astronaut_smiles_upright_at_the_camera(open_instrument: Opener, face: FaceView) -> None:
    for name in ESTIMATORS:
        (probabilities,) = open_instrument(name).read([face])["expression"]
        assert probabilities.sum() == pytest.approx(1, abs=1e-5)
        assert EXPRESSIONS[int(probabilities.argmax())] == "happy"
    pose, points = (open_instrument(name).read([face]) for name in ("facemesh", "face-api-68"))
    assert all(abs(values[0]) < 25 for values in pose.values())
    assert abs(points["roll"][0] - pose["roll"][0]) < 5
    shape = points["landmarks68"].reshape(68, 2)
    eyes, corners = (shape[36:42].mean(0), shape[42:48].mean(0)), shape[[48, 54]]
    apart = np.linalg.norm(face.landmarks[1] - face.landmarks[0])
    assert np.linalg.norm(np.array(eyes) - face.landmarks[:2], axis=1).max() < 0.2 * apart
    assert np.linalg.norm(corners - face.landmarks[3:], axis=1).max() < 0.3 * apart


@pytest.mark.weights
@pytest.mark.parametrize("name", NAMES)
def test_no_face_to_read_is_nan(name: str, face: FaceView, open_instrument: Opener) -> None:
    views = [FaceView(face.image, box, face.landmarks) for box in (Box(0, 0, 0, 0), Box(float("nan"), 0, 10, 10))]
    if name not in ESTIMATORS:
        views += [FaceView(face.image, face.box, np.full((5, 2), np.nan, np.float32))]
    for column in open_instrument(name).read([*views, face]).values():
        assert column.dtype == np.float32
        assert np.isnan(column).reshape(len(views) + 1, -1).all(axis=1).tolist() == [*[True] * len(views), False]


def test_swapped_files_are_refused(tmp_path: Path) -> None:
    junk = tmp_path / "junk"
    junk.write_bytes(b"[]")
    for cls in (FaceApiExpression, MiniXception, FaceApiPoints, FaceMesh):
        with pytest.raises(CheckpointError):
            cls.open({file.key: junk for file in cls.card.files}, "cpu")


@pytest.mark.weights
def test_expressions_are_no_landmarks() -> None:
    with pytest.raises(CheckpointError, match="fc/weights"):
        FaceApiExpression.open(files_of(FaceApiPoints.card), "cpu")


def rotation(roll: float, yaw: float, pitch: float) -> NDArray[np.float64]:
    """Of x to the right, y down and z away: pitch (upwards) first, then yaw (to the right), then roll (clockwise)."""
    a, b, c = np.radians([roll, -yaw, -pitch])
    z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    x = np.array([[1, 0, 0], [0, np.cos(c), -np.sin(c)], [0, np.sin(c), np.cos(c)]])
    turn: NDArray[np.float64] = z @ y @ x
    return turn


@pytest.mark.parametrize("angles", [(0, 0, 0), (20, 0, 0), (0, 30, 0), (0, 0, -25), (-40, 35, 15), (170, -60, 50)])
def test_angles_of_a_head_that_was_turned(angles: tuple[float, float, float]) -> None:
    roll, yaw, pitch = angles
    mesh = np.zeros((468, 3))
    mesh[10], mesh[152], mesh[234], mesh[454] = (0, -90, 0), (0, 80, 0), (-70, 3, 9), (70, 3, 9)
    nose = rotation(*angles) @ (0, 0, -1)
    assert np.sign(nose[0]) == np.sign(yaw) or roll
    for crop_turn in (0, 25):
        edges = rotation(-crop_turn, 0, 0)[:2]
        seen = mesh @ (rotation(-crop_turn, 0, 0) @ rotation(*angles)).T
        np.testing.assert_allclose(head_angles(seen, edges), (yaw, pitch, roll), atol=1e-6)
    assert np.isnan(head_angles(np.zeros((468, 3)), np.eye(3)[:2])).all()


def test_gaze_of_eyes_drawn_by_hand() -> None:
    """The eyeball's radius is 0.4 of the opening: an iris 0.2 of it aside looks 30 degrees away."""
    eyes = np.zeros((2, 76, 3))
    eyes[:, 0, :2], eyes[:, 8, :2], eyes[:, 71, :2] = (10, 30), (50, 30), (30, 30)
    assert gaze_angles(eyes) == pytest.approx((0, 0))
    eyes[0, 71, :2], eyes[1, 71, :2] = (38, 30), (22, 30)
    assert gaze_angles(eyes) == pytest.approx((30, 0))
    eyes[:, 71, :2] = (30, 22)
    assert gaze_angles(eyes) == pytest.approx((0, 30))
    eyes[:, 71, :2] = (90, 30)
    assert gaze_angles(eyes) == pytest.approx((0, 0)), "beyond the eyeball, and each eye to its own side"
    eyes[1, 8] = eyes[1, 0]
    assert np.isnan(gaze_angles(eyes)).all()
