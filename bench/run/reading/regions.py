"""The regions that quality is measured over: each face, the whole image, and all but the faces (thesis 4.5.5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from unmask.bench.core.types import Bools, Box, Image, Region, RegionPair

REGIONS: Final[tuple[Region, ...]] = ("face", "image", "background")
FACE_SIDE: Final = 128
"""Pixels; the thesis and DeepPrivacy judge 128 x 128 face images."""
LARGEST_SQUARE: Final = 10_000
"""Pixels; a larger square is cut of the reduced image."""
FACE_FACTOR: Final = 1.3
"""Side of a face region over the longer side of the judge's box."""


def face_crop(image: Image, box: Box) -> Image:
    """The square about ``box``, 128 x 128; what lies outside the image is black."""
    square = box.square(FACE_FACTOR)
    if square.w > LARGEST_SQUARE:
        image, square = _reduced(image, square)
    left, top = round(square.x), round(square.y)
    side = max(round(square.w), 1)
    crop: Image = np.zeros((side, side, 3), np.uint8)
    l, t, r, b = Box(left, top, side, side).clipped(*image.shape[:2])  # noqa: E741
    if r > l and b > t:
        crop[t - top : b - top, l - left : r - left] = image[t:b, l:r]
    shrink = side >= FACE_SIDE
    resized = cv2.resize(crop, (FACE_SIDE, FACE_SIDE), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
    return np.asarray(resized, np.uint8)


def _reduced(image: Image, square: Box) -> tuple[Image, Box]:
    """The image and a square that reaches far beyond it, at a size that can be cut (a box in 65,535 x 16 pixels)."""
    scale = LARGEST_SQUARE / square.w
    size = (max(round(image.shape[1] * scale), 1), max(round(image.shape[0] * scale), 1))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    return small, Box(square.x * scale, square.y * scale, LARGEST_SQUARE, LARGEST_SQUARE)


def background_mask(shape: tuple[int, ...], boxes: Sequence[Box]) -> Bools:
    """(H, W), True outside every face region."""
    mask = np.ones(shape[:2], np.bool_)
    for box in boxes:
        left, top, right, bottom = box.square(FACE_FACTOR).clipped(*shape[:2])
        mask[top:bottom, left:right] = False
    return mask


def masked(image: Image, mask: Bools) -> Image:
    """The image, black outside the mask."""
    return np.where(mask[..., None], image, np.uint8(0))


def region_images(image: Image, boxes: Sequence[Box], region: Region) -> list[Image]:
    """What one image contributes to a region: one crop a face, or one image."""
    if region == "face":
        return [face_crop(image, box) for box in boxes]
    return [image] if region == "image" else [masked(image, background_mask(image.shape, boxes))]


def region_pairs(original: Image, anonymized: Image, boxes: Sequence[Box], region: Region) -> list[RegionPair]:
    """The same for an original and its output; boxes are those of the original, so both show the same place."""
    mask = background_mask(original.shape, boxes) if region == "background" else None
    return [
        RegionPair(a, b, mask)
        for a, b in zip(region_images(original, boxes, region), region_images(anonymized, boxes, region), strict=True)
    ]
