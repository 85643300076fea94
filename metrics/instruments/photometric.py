"""How a face's place looks as a picture, whoever is in it: colours, sharpness, noise, light, and what surrounds it.

A fixed procedure without weights. Photos of one session share these, and a method that keeps them links its outputs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final, Self

import cv2
import numpy as np

from unmask.bench.core.cards import InstrumentCard
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import Box, FaceView, Float, Image

SURROUNDINGS: Final = 1.6
"""Sides of the box around which counts as surroundings, over those of the face's box."""
LARGEST: Final = 512
"""Pixels a side; a larger cut is reduced by area averaging before its colours are counted."""
SHARP_SIDE: Final = 64
BLOCK: Final = 8
"""Pixels: the side of JPEG's blocks."""
LOWEST: Final = 1e-3
"""Added before a logarithm is taken: flat areas have neither noise nor edges."""
CHANNELS: Final = ("red", "green", "blue")
STATISTICS: Final = (
    *(f"{name}_{channel}" for name in ("mean", "deviation", "low", "high") for channel in CHANNELS),
    "red_to_green",
    "blue_to_green",
    "saturation",
    "sharpness",
    "noise",
    "blocks",
    "light_from_left",
    "light_from_above",
)
"""What the columns of ``statistics`` are, all of the face's box; low and high are the 10th and 90th percentile."""
SURROUNDING: Final = tuple(f"{name}_{channel}" for name in ("mean", "deviation") for channel in CHANNELS)
"""What the columns of ``around`` are, of what lies round the box."""
_IMMERKAER: Final[Float] = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float64)


def photometric(image: Image, box: Box) -> Float:
    """(26,) `STATISTICS` and `SURROUNDING` of a face's ``box`` in an (H, W, 3) uint8 RGB image: levels 0..255,
    logarithms of the rest but for saturation 0..1 and the two differences of light (levels). NaN where nothing of the
    box lies in the image."""
    sides = (box.x, box.y, box.w, box.h)
    if not all(map(math.isfinite, sides)):
        return np.full(len(STATISTICS) + len(SURROUNDING), np.nan)
    left, top, right, bottom = box.clipped(*image.shape[:2])
    if right <= left or bottom <= top:
        return np.full(len(STATISTICS) + len(SURROUNDING), np.nan)
    face = image[top:bottom, left:right]
    small = _reduced(face)
    pixels = small.reshape(-1, 3).astype(np.float64)
    mean = pixels.mean(axis=0)
    low, high = np.quantile(pixels, [0.1, 0.9], axis=0)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float64)
    middle_y, middle_x = (max(side // 2, 1) for side in grey.shape)
    ratios = np.log((mean[[0, 2]] + 1) / (mean[1] + 1))
    rest = (
        float(cv2.cvtColor(small, cv2.COLOR_RGB2HSV)[..., 1].mean()) / 255,
        _sharpness(small),
        _noise(face),
        _blocks(image, left, top, right, bottom),
        float(grey[:, :middle_x].mean() - grey[:, -middle_x:].mean()),
        float(grey[:middle_y].mean() - grey[-middle_y:].mean()),
    )
    return np.concatenate([mean, pixels.std(axis=0), low, high, ratios, rest, *_around(image, box)])


def _reduced(image: Image) -> Image:
    height, width = image.shape[:2]
    scale = LARGEST / max(height, width)
    if scale >= 1:
        return image
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _around(image: Image, box: Box) -> tuple[Float, Float]:
    """Mean and standard deviation a channel, (3,) each, of what lies round the box; of the box's own edge where it
    fills the image."""
    left, top, right, bottom = box.scaled(SURROUNDINGS).clipped(*image.shape[:2])
    outside = np.ones((bottom - top, right - left), np.bool_)
    inner = box.clipped(*image.shape[:2])
    outside[inner[1] - top : inner[3] - top, inner[0] - left : inner[2] - left] = False
    if not outside.any():
        outside[[0, -1], :] = outside[:, [0, -1]] = True
    pixels = image[top:bottom, left:right][outside].astype(np.float64)
    return pixels.mean(axis=0), pixels.std(axis=0)


def _sharpness(face: Image) -> float:
    """Logarithm of the standard deviation of the Laplacian of the face at `SHARP_SIDE` pixels (Pech-Pacheco et al.,
    ICPR 2000)."""
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)
    square = cv2.resize(grey, (SHARP_SIDE, SHARP_SIDE), interpolation=cv2.INTER_AREA).astype(np.float64)
    return math.log(float(cv2.Laplacian(square, cv2.CV_64F).std()) + LOWEST)


def _noise(face: Image) -> float:
    """Logarithm of the noise's standard deviation, in levels (Immerkær, CVIU 64(2), 1996), at the photo's own size."""
    if min(face.shape[:2]) < 3:
        return math.log(LOWEST)
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float64)
    edges = np.abs(cv2.filter2D(grey, cv2.CV_64F, _IMMERKAER)[1:-1, 1:-1])
    return math.log(math.sqrt(math.pi / 2) * float(edges.mean()) / 6 + LOWEST)


def _blocks(image: Image, left: int, top: int, right: int, bottom: int) -> float:
    """Logarithm of how much stronger steps between neighbouring pixels are at the borders of JPEG's blocks, counted
    from the photo's corner, than within them; about 0 without blocks (after Wang, Bovik and Evans, ICIP 2000)."""
    grey = cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_RGB2GRAY).astype(np.float64)
    at_border, within = [0.0], [0.0]
    for axis, start in ((1, left), (0, top)):
        steps = np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis)
        border = (np.arange(len(steps)) + start + 1) % BLOCK == 0
        at_border += steps[border].tolist()
        within += steps[~border].tolist()
    ends = (sum(steps) / max(len(steps) - 1, 1) for steps in (at_border, within))
    return math.log((next(ends) + LOWEST) / (next(ends) + LOWEST))


class Photometric:
    """{"statistics": (N, 20), "around": (N, 6)}; role ``photometry``."""

    card: ClassVar[InstrumentCard] = InstrumentCard(
        name="photometric",
        version="1",
        role="photometry",
        description="26 numbers of a face's place as a picture: colours inside and round the box, sharpness, noise, "
        "blocks of JPEG, direction of light.",
        licence="MIT",
        source="unmask; noise: Immerkær, CVIU 64(2), 1996; sharpness: Pech-Pacheco et al., ICPR 2000; blocks: after "
        "Wang, Bovik and Evans, ICIP 2000",
        params={
            "surroundings": SURROUNDINGS,
            "largest_px": LARGEST,
            "sharp_side_px": SHARP_SIDE,
            "block_px": BLOCK,
            "percentiles": "10, 90",
            "statistics": ", ".join(STATISTICS),
            "around": ", ".join(SURROUNDING),
        },
        limits="They say how a photo was taken and edited, not who is in it. On releases they are read at the "
        "original's box, whether a face is found there or not.",
    )

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        return cls()

    def read(self, faces: Sequence[FaceView]) -> Columns:
        """{"statistics": (N, 20), "around": (N, 6)} float32, see `STATISTICS` and `SURROUNDING`; NaN rows where the box
        has no area inside the image."""
        rows = np.array([photometric(face.image, face.box) for face in faces], np.float32)
        rows = rows.reshape(-1, len(STATISTICS) + len(SURROUNDING))
        return {"statistics": rows[:, : len(STATISTICS)], "around": rows[:, len(STATISTICS) :]}
