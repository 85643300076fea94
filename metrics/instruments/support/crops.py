"""Crops of a face as the measuring networks want them: cut once per `FaceView`, then shared by all instruments.

A crop is ``None`` where it cannot be cut (no landmarks, no area, nothing of the face inside the image); the instrument
then answers NaN for that face. Crops are read-only, so that no instrument can change what the next one sees.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Final, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.types import FaceView, Float, Floats32, Image

T = TypeVar("T")
ARCFACE_TEMPLATE: Final = (
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
)
"""Where the five landmarks lie in a 112 x 112 face that recognisers trained as in ArcFace expect (Deng et al., CVPR
2019; coordinates as published with their code)."""

ARCFACE_SIDE: Final = 112
_SHRINK_BY_AREA: Final = 0.5
"""Below this scale bilinear sampling would skip pixels, so the image is first reduced by area averaging."""


def located(face: FaceView) -> bool:
    """Whether the face has a finite box with an area and five finite landmarks."""
    box = face.box
    finite = all(math.isfinite(v) for v in (box.x, box.y, box.w, box.h)) and bool(np.isfinite(face.landmarks).all())
    return finite and box.w > 0 and box.h > 0


def aligned(face: FaceView) -> Image | None:
    """The face turned, scaled and moved so that its landmarks fit `ARCFACE_TEMPLATE` best.

    Returns (112, 112, 3) uint8 RGB, black outside the image (as the recognisers saw it in training); ``None`` if the
    landmarks are missing or coincide.
    """
    return _cached(face, "aligned", lambda: _cut_aligned(face))


def square(face: FaceView, size: int, factor: float = 1.0) -> Image | None:
    """The square about the box's centre, ``factor`` times its longer side, scaled to (size, size, 3) uint8 RGB.

    Outside the image its border pixels are repeated: a black edge would look like hair or a hat to a network, and would
    darken a skin tone. Shrinks by area averaging from half the size down. ``None`` if the box has no area or lies
    outside the image.
    """
    return _cached(face, f"square-{size}-{factor:g}", lambda: _cut_square(face, size, factor))


def upright(face: FaceView, size: int, factor: float = 1.0) -> tuple[Image, Float] | None:
    """`square`, turned about its centre so that the line between the eyes is level, and the (2, 3) float64 map from
    the photo's pixel edges to the crop's.

    ``None`` also where the eyes are missing or coincide.
    """
    return _cached(face, f"upright-{size}-{factor:g}", lambda: _cut_upright(face, size, factor))


def similarity_transform(points: Floats32 | Float, template: Floats32 | Float) -> Float | None:
    """The rotation, scale and shift (no mirroring) that moves ``points`` to ``template`` with least squared error.

    Umeyama, PAMI 13(4), 1991, in its closed form for the plane: with points as complex numbers the best map is
    ``w = a z + b``. Unlike OpenCV's estimators it draws no random samples. Both (N, 2); returns (2, 3) float64, or
    ``None`` if the points coincide or are not finite.
    """
    if not (np.isfinite(points).all() and np.isfinite(template).all()):
        return None
    z, w = (np.asarray(p, np.float64) @ np.array([1, 1j]) for p in (points, template))
    z0, w0 = z.mean(), w.mean()
    spread = float((np.abs(z - z0) ** 2).sum())
    if spread < 1e-6:
        return None
    a = complex((np.conj(z - z0) * (w - w0)).sum() / spread)
    b = complex(w0 - a * z0)
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def usable(crops: Sequence[T | None]) -> tuple[NDArray[np.intp], list[T]]:
    """Row numbers of the crops that could be cut, and those crops."""
    rows = [row for row, crop in enumerate(crops) if crop is not None]
    return np.array(rows, np.intp), [crop for crop in crops if crop is not None]


class CropReader:
    """The body of an instrument that reads crops of faces, some at a time."""

    batch: ClassVar[int] = 8
    widths: ClassVar[Mapping[str, int]]
    """Reading -> how many values a face."""
    cut: Callable[..., Any]
    """A `FaceView` -> what `estimate` gets of it; ``None`` = it cannot be cut."""
    estimate: Callable[..., Sequence[NDArray[Any]]]
    """B of those -> the readings in the order of ``widths``, (B,) or (B, D) each."""

    def read(self, faces: Sequence[FaceView]) -> Mapping[str, NDArray[Any]]:
        """(N,) or (N, D) float32 each; NaN where the face cannot be cut."""
        shapes = {name: (len(faces), width) if width > 1 else (len(faces),) for name, width in self.widths.items()}
        columns = {name: np.full(shape, np.nan, np.float32) for name, shape in shapes.items()}
        rows, crops = usable([self.cut(face) for face in faces])
        for start in range(0, len(rows), self.batch):
            part = slice(start, start + self.batch)
            for column, values in zip(columns.values(), self.estimate(crops[part]), strict=True):
                column[rows[part]] = values
        return columns


def _cached(face: FaceView, name: str, cut: Callable[[], T | None]) -> T | None:
    if name not in face.crops:
        crop = cut()
        for array in crop if isinstance(crop, tuple) else (crop,):
            if isinstance(array, np.ndarray):
                array.flags.writeable = False
        face.crops[name] = crop
    return cast("T | None", face.crops[name])


def _cut_aligned(face: FaceView) -> Image | None:
    matrix = similarity_transform(face.landmarks, np.array(ARCFACE_TEMPLATE))
    # A scale of almost nothing means landmarks strewn far beyond any image: not a face.
    if matrix is None or np.hypot(matrix[0, 0], matrix[1, 0]) < 1e-4:
        return None
    return _warp(face.image, matrix, ARCFACE_SIDE, cv2.BORDER_CONSTANT)


def _cut_square(face: FaceView, size: int, factor: float) -> Image | None:
    box = face.box
    if not all(math.isfinite(v) for v in (box.x, box.y, box.w, box.h)) or box.w <= 0 or box.h <= 0:
        return None
    window = box.square(factor)
    scale = size / window.w
    # Half a pixel: the box is in the coordinates of pixel edges, warping in those of pixel centres.
    shift_x, shift_y = (scale * (0.5 - edge) - 0.5 for edge in (window.x, window.y))
    return _warp(face.image, np.array([[scale, 0.0, shift_x], [0.0, scale, shift_y]]), size, cv2.BORDER_REPLICATE)


def _cut_upright(face: FaceView, size: int, factor: float) -> tuple[Image, Float] | None:
    box, eyes = face.box, np.asarray(face.landmarks[:2], np.float64)
    across = eyes[1] - eyes[0]
    if not located(face) or np.hypot(*across) < 1e-6:
        return None
    turn = across / np.hypot(*across) * (size / (max(box.w, box.h) * factor))
    linear = np.array([[turn[0], turn[1]], [-turn[1], turn[0]]])
    edges = np.column_stack([linear, size / 2 - linear @ box.center])
    # Warping is in the coordinates of pixel centres.
    centres = np.column_stack([linear, edges[:, 2] + linear @ (0.5, 0.5) - 0.5])
    crop = _warp(face.image, centres, size, cv2.BORDER_REPLICATE)
    return None if crop is None else (crop, edges)


def _warp(image: Image, matrix: Float, size: int, border: int) -> Image | None:
    """``image`` seen through ``matrix`` (source to destination pixel centres), or ``None`` if nothing of it is seen.

    Only the part that is seen is touched, so a small face in a large photo costs no more than a small photo.
    """
    height, width = image.shape[:2]
    corners = np.array([[-0.5, -0.5], [size - 0.5, -0.5], [-0.5, size - 0.5], [size - 0.5, size - 0.5]])
    edges = np.linalg.solve(matrix[:, :2], (corners - matrix[:, 2]).T).T
    margin = 2
    left, top = (max(math.floor(v) - margin, 0) for v in edges.min(axis=0))
    right = min(math.ceil(float(edges[:, 0].max())) + 1 + margin, width)
    bottom = min(math.ceil(float(edges[:, 1].max())) + 1 + margin, height)
    outside = edges.max(axis=0).min() < 0 or edges[:, 0].min() > width - 1 or edges[:, 1].min() > height - 1
    if outside or right <= left or bottom <= top:
        return None
    part: Image = np.ascontiguousarray(image[top:bottom, left:right])
    linear = matrix[:, :2].copy()
    shift = matrix[:, 2] + linear @ np.array([left, top], np.float64)
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if scale < _SHRINK_BY_AREA:
        old = np.array([right - left, bottom - top], np.float64)
        new = np.maximum(np.rint(old * scale), 1.0)
        part = cast(Image, cv2.resize(part, (int(new[0]), int(new[1])), interpolation=cv2.INTER_AREA))
        # A pixel centre x of the part lies at (x + 0.5) * new / old - 0.5 after the reduction; undo that first.
        ratio = old / new
        shift = shift + linear @ (0.5 * ratio - 0.5)
        linear = linear * ratio
    whole = np.column_stack([linear, shift])
    return cast(Image, cv2.warpAffine(part, whole, (size, size), flags=cv2.INTER_LINEAR, borderMode=border))
