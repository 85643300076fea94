"""Gaussian blur over the faces, its strength in units of the face's own width, so it means the same at any size."""

from __future__ import annotations

import math

import cv2
import numpy as np

from unmask.bench.core.cards import MethodCard
from unmask.bench.core.types import Bools, Box, Image
from unmask.methods.faces import BoxMethod, covered, grown
from unmask.methods.params import choice, number

SHAPES = ("rectangle", "ellipse")
TAIL = 4
"""Standard deviations at which the Gaussian is cut off; less than 0.01 % of its weight lies beyond."""
WEAKEST = 0.5
"""Pixels: a face of a few pixels is not handed back unchanged because a fraction of its width rounds to no blur."""


class Blur(BoxMethod):
    """Blurs each face's box.

    Parameters: ``sigma`` above 0 and at most 2, the Gaussian's standard deviation as a fraction of the box's width
    (at least 0.5 px); ``margin`` 0..2, the share of the box added on each side; ``shape`` ``rectangle`` (the grown
    box) or ``ellipse`` (inscribed in it); ``detector`` ``mtcnn`` or ``harness``.
    """

    def __init__(
        self, *, sigma: float = 0.1, margin: float = 0.1, shape: str = "rectangle", detector: str = "mtcnn"
    ) -> None:
        super().__init__("blur", detector)
        self._sigma = number("blur", "sigma", sigma, 0, 2, above=True)
        self._margin = number("blur", "margin", margin, 0, 2)
        self._shape = choice("blur", "shape", shape, SHAPES)

    @property
    def card(self) -> MethodCard:
        return MethodCard(
            name="blur",
            version="2",
            description="Gaussian blur of each face, its sigma a fraction of the face's width. The result is what "
            "blurring the whole photo and pasting the face region back would give.",
            licence="MIT",
            source="unmask; a classical baseline, e.g. McPherson et al. 2016, arXiv:1609.00408",
            params={
                "sigma": self._sigma,
                "margin": self._margin,
                "shape": self._shape,
                "detector": self._detector,
            },
            detector=self._detector,
            weights=self.detector_weights(),
            imports=self.detector_imports(),
            limits="Blur can be partly undone by restoration networks. " + self.detector_limits(),
        )

    def edit(self, image: Image, face: Box) -> None:
        """Blurs with the real surroundings of the region: mirrored only at the photo's own edge."""
        height, width = image.shape[:2]
        region = grown(face, self._margin)
        rows, columns = covered(region, height, width)
        if rows.start == rows.stop or columns.start == columns.stop:
            return
        sigma = max(self._sigma * face.w, WEAKEST)
        reach = math.ceil(TAIL * sigma)
        top, left = max(rows.start - reach, 0), max(columns.start - reach, 0)
        around = image[top : rows.stop + reach, left : columns.stop + reach]
        blurred = gaussian(around, sigma)[rows.start - top :, columns.start - left :]
        blurred = blurred[: rows.stop - rows.start, : columns.stop - columns.start]
        if self._shape == "ellipse":
            inside = ellipse(region, rows, columns)
            image[rows, columns][inside] = blurred[inside]
        else:
            image[rows, columns] = blurred


def gaussian(image: Image, sigma: float) -> Image:
    """``image`` blurred by a Gaussian of ``sigma`` pixels cut off at 4 sigma, mirrored at its edges; uint8, rounded."""
    side = 2 * math.ceil(TAIL * sigma) + 1
    # In float: OpenCV's 8-bit path is five times slower for wide kernels (measured at sigma 22 and 100).
    blurred = cv2.GaussianBlur(image.astype(np.float32), (side, side), sigma, borderType=cv2.BORDER_REFLECT_101)
    return np.rint(blurred).astype(np.uint8)


def ellipse(box: Box, rows: slice, columns: slice) -> Bools:
    """Which pixels of ``rows`` x ``columns`` have their centre in the ellipse inscribed in ``box``.

    A box of less than two pixels has no such pixel; then all count, so that the face is not left out.
    """
    cx, cy = box.center
    y = (np.arange(rows.start, rows.stop) + 0.5 - cy) / (box.h / 2)
    x = (np.arange(columns.start, columns.stop) + 0.5 - cx) / (box.w / 2)
    inside: Bools = y[:, None] ** 2 + x[None, :] ** 2 <= 1
    return inside if inside.any() else np.ones_like(inside)
