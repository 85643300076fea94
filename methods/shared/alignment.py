"""Faces brought into one frame by their five landmarks, and back."""

from __future__ import annotations

from typing import Final

import numpy as np

from unmask.bench.core.types import Box, Detection, Float, Floats32

SIDE: Final = 64
TEMPLATE: Final[Float] = np.array([[22.5, 26.0], [41.5, 26.0], [32.0, 36.9], [24.1, 47.9], [39.9, 47.9]])
"""Where the landmarks lie in a frame of `SIDE` x `SIDE` px: the whole face is in it, from the hairline to the chin.
The proportions are those of the frame that recognisers are trained on (Deng et al., CVPR 2019)."""
CENTRE: Final = (32.0, 32.0)
RADII: Final = (23.0, 28.0)
"""The ellipse that holds the face in that frame, in px."""
USUAL_PLACES: Final = np.array([[0.31, 0.39], [0.69, 0.39], [0.5, 0.57], [0.35, 0.76], [0.65, 0.76]], np.float32)
"""Landmarks of a frontal face as shares of MTCNN's box, for boxes that come without."""


def to_frame(landmarks: Floats32) -> Float | None:
    """(2, 3): the rotation, scale and shift that brings ``landmarks`` (5, 2) nearest to `TEMPLATE`; ``None`` where they
    are not finite or all but coincide.

    Least squares with points as complex numbers (Umeyama, PAMI 13(4), 1991, in the plane and without mirroring).
    """
    if not np.isfinite(landmarks).all():
        return None
    here, there = (np.asarray(points, np.float64) @ np.array([1, 1j]) for points in (landmarks, TEMPLATE))
    from_centre = here - here.mean()
    spread = float((np.abs(from_centre) ** 2).sum())
    if spread < 1.0:
        return None
    turn = complex((np.conj(from_centre) * (there - there.mean())).sum() / spread)
    if abs(turn) < 1e-4:
        return None  # landmarks strewn far beyond any photo
    shift = complex(there.mean() - turn * here.mean())
    return np.array([[turn.real, -turn.imag, shift.real], [turn.imag, turn.real, shift.imag]])


def usual_places(landmarks: Floats32) -> Floats32:
    """(5, 2): `TEMPLATE` put where ``landmarks`` (5, 2) lie: their position, size and turn, but not their proportions.

    The distances between eyes, nose and mouth are a person's own, and recognisers find people by them. Landmarks that
    have no frame (`to_frame`) come back as they are.
    """
    frame = to_frame(landmarks)
    if frame is None:
        return landmarks
    return np.asarray((TEMPLATE - frame[:, 2]) @ np.linalg.inv(frame[:, :2]).T, np.float32)


def ellipse(points: Float, feather: float) -> Floats32:
    """(..., 2) positions in the frame -> (...): 1 inside the face's ellipse, falling to 0 over ``feather`` of its
    radius outside it."""
    x, y = (points[..., 0] - CENTRE[0]) / RADII[0], (points[..., 1] - CENTRE[1]) / RADII[1]
    return np.clip(1 - (np.sqrt(x**2 + y**2) - 1) / feather, 0, 1).astype(np.float32)


def landmarks_in(box: Box) -> Floats32:
    """(5, 2) pixels: where a frontal face in ``box`` has its landmarks."""
    corner, size = np.array([box.x, box.y], np.float32), np.array([box.w, box.h], np.float32)
    return np.asarray(corner + USUAL_PLACES * size, np.float32)


def landmarks_of(face: Detection) -> Floats32:
    """(5, 2) pixels: the face's landmarks, or `landmarks_in` its box, for boxes of the judge come without."""
    return face.landmarks if np.isfinite(face.landmarks).all() else landmarks_in(face.box)
