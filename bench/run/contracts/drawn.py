"""Faces drawn in code, so that a contract can be checked without a network and without anybody's photo.

MTCNN, YuNet and OpenCV's frontal cascade find every one of them (a test holds the first two to it).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np

from unmask.bench.core.types import Box, Floats32, Image, Sample

_SHADES: Final = (
    ((224, 172, 140), (60, 40, 25)),
    ((198, 140, 105), (30, 22, 18)),
    ((150, 100, 72), (20, 15, 12)),
    ((235, 190, 165), (170, 130, 70)),
    ((120, 80, 58), (15, 12, 10)),
)
"""Skin and hair, RGB."""
_SUBPIXELS: Final = 4
"""Binary digits behind the point of the coordinates that OpenCV draws at."""
_NOISE: Final = 3.0
"""Standard deviation, levels of 255."""
Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A drawn photo."""

    sample: Sample
    faces: tuple[Box, ...]


@dataclass(frozen=True, slots=True)
class _Pen:
    """Draws ellipses in units of a hundredth of a face's width, about the face's middle."""

    image: Image
    x: float
    y: float
    unit: float

    def ellipse(
        self, x: float, y: float, across: float, down: float, colour: Colour, arc: tuple[int, int] | None = None
    ) -> None:
        """Filled, or where an ``arc`` (degrees) says so a line."""
        fixed = self.unit * 2**_SUBPIXELS
        centre = round(self.x * 2**_SUBPIXELS + x * fixed), round(self.y * 2**_SUBPIXELS + y * fixed)
        start, end = arc or (0, 360)
        width = max(1, round(3 * self.unit)) if arc else -1
        axes = (round(across * fixed), round(down * fixed))
        shade = [min(float(value), 255.0) for value in colour]
        cv2.ellipse(self.image, centre, axes, 0, start, end, shade, width, cv2.LINE_AA, _SUBPIXELS)


def faces() -> list[Drawn]:
    """Three photos of one face each, two of them of one size."""
    return [_photo(f"face-{n}", n, (240, 200 + 24 * (n == 2)), [(100, 105, 80)]) for n in range(3)]


def many_faces(scale: int = 1) -> Drawn:
    """A photo of six faces; ``scale`` times as large."""
    places = [(scale * (70 + 140 * (n % 3)), scale * (75 + 145 * (n // 3)), scale * 62) for n in range(6)]
    return _photo(f"faces-{scale}", 9, (300 * scale, 420 * scale), places)


def no_face() -> Drawn:
    """A photo of a wall."""
    return _photo("wall", 20, (200, 260), [])


def odd_sizes() -> list[Drawn]:
    """One pixel, one row, one column, and odd sides."""
    return [
        Drawn(Sample(f"size-{w}x{h}", np.random.default_rng([h, w]).integers(0, 256, (h, w, 3), np.uint8), ()), ())
        for h, w in ((1, 1), (1, 37), (37, 1), (21, 33))
    ]


def landmarks(face: Box) -> Floats32:
    """(5, 2) the points of a drawn face, see `Detection.landmarks`."""
    width, (x, y) = face.w / 0.9, (face.x + face.w / 2, face.y + 0.6 * face.w / 0.9)
    points = ((-20, -11), (20, -11), (0, 18), (-16, 35), (16, 35))
    return np.array([(x + a * width / 100, y + b * width / 100) for a, b in points], np.float32)


def _photo(name: str, seed: int, size: tuple[int, int], places: Sequence[tuple[float, float, float]]) -> Drawn:
    """``size``: height and width; ``places``: the middle and the width of each face."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(60, 200, (5, 6, 3)).astype(np.uint8)
    image = np.asarray(cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC), np.uint8)
    for number, (x, y, width) in enumerate(places):
        coat = rng.integers(20, 200, 3).tolist()
        cv2.ellipse(
            image, (round(x), round(y + 1.55 * width)), (round(0.95 * width), round(0.75 * width)), 0, 0, 360, coat, -1
        )
        _draw_face(_Pen(image, x, y, width / 100), *_SHADES[(seed + number) % len(_SHADES)])
    noisy = cv2.GaussianBlur(image, (0, 0), 1.1) + rng.normal(0, _NOISE, image.shape)
    image = np.clip(noisy, 0, 255).astype(np.uint8)
    # Where values are scaled wrongly, pure black and white show it.
    image[:6, :12] = 0
    image[:6, 12:24] = 255
    boxes = tuple(Box(x - 0.45 * width, y - 0.6 * width, 0.9 * width, 1.25 * width) for x, y, width in places)
    return Drawn(Sample(name, image, boxes), boxes)


def _draw_face(pen: _Pen, skin: Colour, hair: Colour) -> None:
    def shade(*factors: float) -> Colour:
        red, green, blue = factors if len(factors) == 3 else factors * 3
        return skin[0] * red, skin[1] * green, skin[2] * blue

    pen.ellipse(0, -12, 56, 66, hair)
    pen.ellipse(0, 70, 24, 40, shade(0.85))
    pen.ellipse(0, 0, 47, 60, shade(0.93))
    pen.ellipse(2, -2, 42, 55, skin)
    for side in (-1, 1):
        pen.ellipse(side * 20, -12, 13, 8, shade(0.72))
        pen.ellipse(side * 20, -11, 10, 5.5, (240, 240, 238))
        pen.ellipse(side * 20, -11, 5.2, 5.2, (70, 45, 30))
        pen.ellipse(side * 20, -11, 2.5, 2.5, (10, 10, 10))
        pen.ellipse(side * 20, -13, 11, 4, (40, 25, 20), (190, 350))
        pen.ellipse(side * 20, -25, 14, 5, hair, (190, 350))
        pen.ellipse(side * 25, 14, 11, 8, shade(1, 0.9, 0.88))
    pen.ellipse(0, 6, 5, 16, shade(1.05))
    for x in (-4, 4):
        pen.ellipse(x, 19, 2.5, 1.8, shade(0.45))
    pen.ellipse(0, 35, 17, 6, (175, 75, 75))
    pen.ellipse(0, 34.5, 15, 1.6, (95, 35, 35))
    pen.ellipse(0, 45, 9, 2.5, shade(0.86))
