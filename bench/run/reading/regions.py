"""The regions that quality is measured over: each face, the whole image, all but the faces (thesis 4.5.5) and, where a
plan says so, each face with its surroundings; and what is left of a photo without its faces, for attackers who look
past them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.types import Bools, Box, Float, Floats32, Image, Region, RegionPair
from unmask.bench.store.planned import PlannedDataset

REGIONS: Final[tuple[Region, ...]] = ("face", "image", "background")
"""Of every data set."""
WIDE: Final[Region] = "wide"
"""Only of data sets whose plan says so (`bench.store.schemas.PlannedDataset.wide`)."""
FACE_SIDE: Final = 128
"""Pixels; the thesis and DeepPrivacy judge 128 x 128 face images."""
LARGEST_SQUARE: Final = 10_000
"""Pixels; a larger square is cut of the reduced image."""
FACE_FACTOR: Final = 1.3
"""Side of a face region over the longer side of the judge's box."""
WIDE_FACTOR: Final = 2.0
"""The same of a wide crop: a face spans half of it, as in the crops that the thesis tested on (Flickr Diverse Faces,
3.2.1)."""
BLANK_MARGIN: Final = 0.1
"""Share of the judge's box that is added on each side, as `blackout`, `blur` and `pixelate` do."""
HAIR_LINE: Final = 1.2
CHIN: Final = 0.7
CHEEK: Final = 1.3
"""How far a face reaches: above the eyes and below the mouth in distances between these two, and to either side of the
middle in distances between the eyes. By the canons of equal thirds and of five eye widths (Farkas et al., Plastic and
Reconstructive Surgery 75(3), 1985) they are 1.15, .62 and 1.25."""
BLANK: Final = 127
PATCH_SIDE: Final = 112
"""Pixels; what recognisers take."""
SMALLEST_PATCH: Final = 32
"""Pixels of the photo; what is smaller shows nothing."""


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
    return _at_side(crop, FACE_SIDE)


def wide_crop(image: Image, box: Box) -> Image:
    """The square about ``box`` of `WIDE_FACTOR` times its longer side, 128 x 128, moved and shrunk to lie within the
    image (H, W, 3): black around it would be the same in original and output, and flatter every method."""
    height, width = image.shape[:2]
    square = box.square(WIDE_FACTOR)
    side = max(min(round(square.w), height, width), 1)
    (x, y) = box.center
    left, top = (min(max(round(middle - side / 2), 0), size - side) for middle, size in ((x, width), (y, height)))
    return _at_side(image[top : top + side, left : left + side], FACE_SIDE)


def _at_side(square: Image, side: int) -> Image:
    """A square image at ``side`` x ``side`` pixels."""
    shrink = len(square) >= side
    resized = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA if shrink else cv2.INTER_LINEAR)
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


def regions_of(dataset: PlannedDataset) -> tuple[Region, ...]:
    """The regions that are measured of a data set."""
    return (*REGIONS, WIDE) if dataset.wide else REGIONS


def masked(image: Image, mask: Bools) -> Image:
    """The image, black outside the mask."""
    return np.where(mask[..., None], image, np.uint8(0))


def region_images(image: Image, boxes: Sequence[Box], region: Region) -> list[Image]:
    """What one image contributes to a region: one crop a face, or one image."""
    if region == "face":
        return [face_crop(image, box) for box in boxes]
    if region == WIDE:
        return [wide_crop(image, box) for box in boxes]
    return [image] if region == "image" else [masked(image, background_mask(image.shape, boxes))]


def region_pairs(original: Image, anonymized: Image, boxes: Sequence[Box], region: Region) -> list[RegionPair]:
    """The same for an original and its output; boxes are those of the original, so both show the same place."""
    mask = background_mask(original.shape, boxes) if region == "background" else None
    return [
        RegionPair(a, b, mask)
        for a, b in zip(region_images(original, boxes, region), region_images(anonymized, boxes, region), strict=True)
    ]


def face_mask(shape: tuple[int, ...], box: Box, landmarks: Floats32) -> Bools:
    """(H, W), True where a face is: the judge's ``box`` grown by `BLANK_MARGIN`, and the turned rectangle about its
    ``landmarks`` (5, 2) from chin to hair line. Hair above it, ears beyond it, neck and clothes are outside. NaN
    landmarks: the box alone."""
    mask = np.zeros(shape[:2], np.uint8)
    left, top, right, bottom = box.scaled(1 + 2 * BLANK_MARGIN).clipped(*shape[:2])
    mask[top:bottom, left:right] = 1
    if np.isfinite(landmarks).all():
        corners = np.clip(_face_corners(landmarks.astype(np.float64)), -LARGEST_SQUARE, 8 * LARGEST_SQUARE)
        cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), 1)
    return mask.astype(np.bool_)


def _face_corners(landmarks: Float) -> Float:
    """(4, 2) corners of the turned rectangle about a face."""
    eyes, mouth = landmarks[:2].mean(axis=0), landmarks[3:].mean(axis=0)
    across, down = landmarks[1] - landmarks[0], mouth - eyes
    side = CHEEK * across
    return np.stack(
        [
            eyes - HAIR_LINE * down - side,
            eyes - HAIR_LINE * down + side,
            mouth + CHIN * down + side,
            mouth + CHIN * down - side,
        ]
    )


def blank_face(image: Image, box: Box, landmarks: Floats32) -> Image:
    """The image (H, W, 3) with one face filled with grey (`BLANK`), see `face_mask`; the rest is untouched. What a
    recogniser still reads at the place of the face is who people are by what lies outside their faces, which no face
    anonymizer can mend."""
    return np.where(face_mask(image.shape, box, landmarks)[..., None], np.uint8(BLANK), image)


def face_free_patch(image: Image, boxes: Sequence[Box], side: int = PATCH_SIDE) -> Image | None:
    """The largest square of an image without any face region (`background_mask`), the first in reading order, at
    ``side`` x ``side`` pixels; ``None`` where none of `SMALLEST_PATCH` pixels is left."""
    taken = (~background_mask(image.shape, boxes)).astype(np.uint8)
    sums = np.asarray(cv2.integral(taken), np.int64)
    low, high = 0, min(image.shape[:2])
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if (_within(sums, middle) == 0).any() else (low, middle - 1)
    if low < SMALLEST_PATCH:
        return None
    top, left = np.argwhere(_within(sums, low) == 0)[0].tolist()
    return _at_side(image[top : top + low, left : left + low], side)


def _within(sums: NDArray[np.int64], side: int) -> NDArray[np.int64]:
    """(H - side + 1, W - side + 1) the sum over the square at each place, from an integral image (H + 1, W + 1)."""
    inside: NDArray[np.int64] = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    return inside
