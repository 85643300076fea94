"""Where a face's 128 x 128 crop lies in its photo, what of it is erased, and how the result goes back.

The crop is a square about the detector's box, larger by `AROUND`, so that the networks see hair and background but,
once the box is erased, nothing of the face (thesis 3.1; DeepPrivacy too shows its generator the surroundings only).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, cast

import cv2
import numpy as np

from unmask.bench.core.types import Bools, Box, Floats32, Image
from unmask.methods.shared.faces import covered

SIDE: Final = 128
AROUND: Final = 1.4
"""Side of the crop over the longer side of the face's box; the face then spans 91 of the 128 px."""
GROWN: Final = 1.08
"""How much larger than the detector's box the one is that is erased for a soft edge: the edge then lies around the box.
Inside of it, it would show a rim of the face, by which people are recognised (bench/design/learned-methods.md)."""
ROUND: Final = 3.0
"""Exponent of the superellipse |x|^p + |y|^p = 1 in the grown box: 2 is an ellipse, more is nearer to the rectangle."""


@dataclass(frozen=True, slots=True)
class Crop:
    """A face as the networks see it."""

    square: Box
    """In pixels of the photo; may reach outside it."""
    image: Image
    """(128, 128, 3); black outside the photo."""
    erased: Bools
    """(128, 128), True inside the detector's box."""
    landmarks: Floats32
    """(5, 2), in pixels of the crop."""

    @property
    def erased_box(self) -> tuple[int, int, int, int]:
        """Left, top, right and bottom, exclusive, of what is erased; something must be."""
        rows, columns = np.flatnonzero(self.erased.any(axis=1)), np.flatnonzero(self.erased.any(axis=0))
        return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def cut(image: Image, box: Box, landmarks: Floats32) -> Crop:
    """The crop about ``box``; ``landmarks`` (5, 2) in pixels of ``image`` (H, W, 3)."""
    square = box.square(AROUND)
    scale = SIDE / square.w
    patch = resampled(image, square)
    at = (np.asarray(landmarks, np.float32) - np.array([square.x, square.y], np.float32)) * np.float32(scale)
    inner = Box((box.x - square.x) * scale, (box.y - square.y) * scale, box.w * scale, box.h * scale)
    erased = np.zeros((SIDE, SIDE), np.bool_)
    erased[covered(inner, SIDE, SIDE)] = True
    return Crop(square, patch, erased, at)


def resampled(image: Image, square: Box) -> Image:
    """(128, 128, 3): the square out of the photo, area-averaged where it shrinks, black outside the photo."""
    left, top = int(np.floor(square.x)), int(np.floor(square.y))
    right, bottom = int(np.ceil(square.x + square.w)), int(np.ceil(square.y + square.h))
    height, width = image.shape[:2]
    patch = np.zeros((bottom - top, right - left, 3), np.uint8)
    l, t, r, b = max(left, 0), max(top, 0), min(right, width), min(bottom, height)  # noqa: E741
    if r > l and b > t:
        patch[t - top : b - top, l - left : r - left] = image[t:b, l:r]
    shrinks = square.w > SIDE
    if shrinks:
        # Area averaging first to the size nearest above, so that warping has nothing left to alias.
        patch_scale = SIDE / square.w
        size = max(round(patch.shape[1] * patch_scale), 1), max(round(patch.shape[0] * patch_scale), 1)
        small = cv2.resize(patch, size, interpolation=cv2.INTER_AREA)
        fx, fy = size[0] / patch.shape[1], size[1] / patch.shape[0]
    else:
        small, fx, fy = patch, 1.0, 1.0
    step = square.w / SIDE
    # Pixel centres: output pixel i shows the photo at square.x + (i + .5) * step.
    x0, y0 = (square.x - left + step / 2) * fx - 0.5, (square.y - top + step / 2) * fy - 0.5
    matrix = np.array([[step * fx, 0, x0], [0, step * fy, y0]], np.float64)
    warped = cv2.warpAffine(
        small, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT
    )
    return cast(Image, warped)


def erased_place(face: Box, way: str) -> Box:
    """What of a photo is erased and repainted where the detector's box is ``face``; ``way``: as in `paste_back`."""
    return face.scaled(GROWN) if way == "feather" else face


def paste_back(photo: Image, crop: Crop, place: Box, way: str) -> None:
    """Writes the part of the crop's image that shows ``place`` (`erased_place`) into ``photo`` (H, W, 3), in place.

    ``box``: the whole rectangle, as DeepPrivacy and the thesis do. ``feather``: a superellipse in it that fades to
    nothing from the detector's box outwards, so that no rectangle shows; the corners, which hold hair and background,
    stay the photo's own.
    """
    rows, columns = covered(place, *photo.shape[:2])
    height, width = rows.stop - rows.start, columns.stop - columns.start
    if height <= 0 or width <= 0:
        return
    scale = SIDE / crop.square.w
    # Pixel centres, as in `resampled`: the way there and back must not shift the face.
    x0 = (columns.start + 0.5 - crop.square.x) * scale - 0.5
    y0 = (rows.start + 0.5 - crop.square.y) * scale - 0.5
    matrix = np.array([[scale, 0, x0], [0, scale, y0]], np.float64)
    flags = (cv2.INTER_CUBIC if scale < 1 else cv2.INTER_AREA) | cv2.WARP_INVERSE_MAP
    patch = cv2.warpAffine(crop.image, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    if way == "box":
        photo[rows, columns] = patch
        return
    share = feathered(place, rows, columns)[..., None]
    old = photo[rows, columns].astype(np.float32)
    photo[rows, columns] = np.rint(old + share * (patch.astype(np.float32) - old)).astype(np.uint8)


def feathered(place: Box, rows: slice, columns: slice) -> Floats32:
    """(height, width) in 0..1 at the centres of pixels: 1 up to 1 / `GROWN` of the superellipse in ``place``, 0 from
    its edge on, smooth between."""
    cx, cy = place.center
    y = np.abs(np.arange(rows.start, rows.stop) + 0.5 - cy) / (place.h / 2)
    x = np.abs(np.arange(columns.start, columns.stop) + 0.5 - cx) / (place.w / 2)
    radius = (y[:, None] ** ROUND + x[None, :] ** ROUND) ** (1 / ROUND)
    t = np.clip((1 - radius) / (1 - 1 / GROWN), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
