"""The methods without a network: black rectangles, blur and mosaic over the faces, and the control, which does nothing.

Strengths are in units of the face's own width, so that they mean the same at any size.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import MethodCard
from unmask.bench.core.types import Bools, Box, Image, Sample
from unmask.methods.shared.faces import BoxMethod, Within, covered, squared_radius

TAIL: Final = 4
"""Standard deviations at which the Gaussian is cut off; less than 0.01 % of its weight lies beyond."""
WEAKEST: Final = 0.5
"""Pixels: a face of a few pixels is not handed back unchanged because a fraction of its width rounds to no blur."""
SMALLEST_BLOCK: Final = 2.0
"""Pixels: blocks of one pixel would hand a tiny face back unchanged."""
Margin = Annotated[float, Within(0, 2)]
"""The share of the box's width and height that is added on each side."""
_CARD: Final = partial(MethodCard, version="2", licence="MIT")


class Unchanged:
    """The control ``none``: every image as it came, as a copy. Whatever a recogniser can do, it does here."""

    card = MethodCard(
        name="none",
        version="1",
        description="Returns the input unchanged. The control that every method is compared with.",
        licence="MIT",
        source="unmask",
        limits="Protects nobody: every face counts as missed.",
    )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """Nothing to load."""

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Sequence[Image]:
        """Copies of the inputs."""
        return [sample.image.copy() for sample in batch]


@dataclass(kw_only=True, eq=False, repr=False)
class Blackout(BoxMethod):
    """Fills each face's box black: the most private of the classical methods, and the least useful.

    Parameters: ``margin`` 0..2; ``detector`` ``mtcnn`` or ``harness``.
    """

    facts = _CARD(
        name="blackout",
        description="Fills the box of each face black.",
        source="unmask; a classical baseline, e.g. Newton et al. 2005, doi:10.1109/TKDE.2005.32",
        limits="Destroys the face: nothing that needs a face can be done with the output.",
    )
    margin: Margin = 0.1

    def edit(self, image: Image, face: Box) -> None:
        """Black from edge to edge of the grown box."""
        image[covered(face.scaled(1 + 2 * self.margin), *image.shape[:2])] = 0


@dataclass(kw_only=True, eq=False, repr=False)
class Blur(BoxMethod):
    """Blurs each face's box.

    Parameters: ``sigma`` above 0 and at most 2, the Gaussian's standard deviation as a fraction of the box's width
    (at least 0.5 px); ``margin`` 0..2; ``shape`` ``rectangle`` (the grown box) or ``ellipse`` (inscribed in it);
    ``detector`` ``mtcnn`` or ``harness``.
    """

    facts = _CARD(
        name="blur",
        description="Gaussian blur of each face, its sigma a fraction of the face's width. The result is what "
        "blurring the whole photo and pasting the face region back would give.",
        source="unmask; a classical baseline, e.g. McPherson et al. 2016, arXiv:1609.00408",
        limits="Blur can be partly undone by restoration networks.",
    )
    sigma: Annotated[float, Within(0, 2, above=True)] = 0.1
    margin: Margin = 0.1
    shape: Literal["rectangle", "ellipse"] = "rectangle"

    def edit(self, image: Image, face: Box) -> None:
        """Blurs with the real surroundings of the region: mirrored only at the photo's own edge."""
        region = face.scaled(1 + 2 * self.margin)
        rows, columns = covered(region, *image.shape[:2])
        if rows.start == rows.stop or columns.start == columns.stop:
            return
        sigma = max(self.sigma * face.w, WEAKEST)
        reach = math.ceil(TAIL * sigma)
        top, left = max(rows.start - reach, 0), max(columns.start - reach, 0)
        around = image[top : rows.stop + reach, left : columns.stop + reach]
        blurred = gaussian(around, sigma)[rows.start - top :, columns.start - left :]
        blurred = blurred[: rows.stop - rows.start, : columns.stop - columns.start]
        if self.shape == "ellipse":
            inside = ellipse(region, rows, columns)
            image[rows, columns][inside] = blurred[inside]
        else:
            image[rows, columns] = blurred


@dataclass(kw_only=True, eq=False, repr=False)
class Pixelate(BoxMethod):
    """Replaces each block by its mean colour.

    Parameters: ``blocks`` 1..256, blocks across the width of the face's box (a block is at least 2 px wide);
    ``margin`` 0..2, rounded up to whole blocks; ``detector`` ``mtcnn`` or ``harness``.
    """

    facts = _CARD(
        name="pixelate",
        description="Mosaic of square blocks over each face, each the mean colour of the pixels under it.",
        source="unmask; a classical baseline, e.g. McPherson et al. 2016, arXiv:1609.00408",
        limits="Mosaics of known people can be recognised by a network trained on mosaics.",
    )
    blocks: Annotated[int, Within(1, 256)] = 8
    margin: Margin = 0.1

    def edit(self, image: Image, face: Box) -> None:
        """Blocks are counted from the box's left top corner and reach outwards over the margin."""
        height, width = image.shape[:2]
        side = max(face.w / self.blocks, SMALLEST_BLOCK)
        rows = edges(face.y, face.h, side, self.margin * face.h, height)
        columns = edges(face.x, face.w, side, self.margin * face.w, width)
        if len(rows) < 2 or len(columns) < 2:
            return
        part = image[rows[0] : rows[-1], columns[0] : columns[-1]]
        part[:] = mosaic(part, rows - rows[0], columns - columns[0])


def gaussian(image: Image, sigma: float) -> Image:
    """``image`` blurred by a Gaussian of ``sigma`` pixels cut off at 4 sigma, mirrored at its edges; uint8, rounded."""
    side = 2 * math.ceil(TAIL * sigma) + 1
    # In float: OpenCV's 8-bit path is five times slower for wide kernels (measured at sigma 22 and 100).
    blurred = cv2.GaussianBlur(image.astype(np.float32), (side, side), sigma, borderType=cv2.BORDER_REFLECT_101)
    return np.rint(blurred).astype(np.uint8)


def ellipse(box: Box, rows: slice, columns: slice) -> Bools:
    """(height, width) bool: which pixels of ``rows`` x ``columns`` have their centre in the ellipse inscribed in
    ``box``. A box of less than two pixels has no such pixel; then all count, so that the face is not left out."""
    inside: Bools = squared_radius(box, rows, columns) <= 1
    return inside if inside.any() else np.ones_like(inside)


def edges(start: float, length: float, side: float, margin: float, limit: int) -> NDArray[np.int64]:
    """Pixel edges of the blocks along one axis, ascending, within 0..limit; fewer than two = outside the image.

    The grid starts at ``start``, covers ``length`` and, on both sides, ``margin``, by whole blocks of ``side``.
    """
    before = math.ceil(margin / side)
    count = math.ceil((length + margin) / side)
    grid = np.round(start + side * np.arange(-before, count + 1))
    return np.unique(np.clip(grid, 0, limit).astype(np.int64))


def mosaic(image: Image, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> Image:
    """Each block between consecutive edges filled with its mean colour, rounded; edges run from 0 to the size."""
    sums = np.add.reduceat(np.add.reduceat(image.astype(np.int64), rows[:-1], axis=0), columns[:-1], axis=1)
    heights, widths = np.diff(rows), np.diff(columns)
    means = sums / (heights[:, None] * widths[None, :])[..., None]
    blocks: Image = np.floor(means + 0.5).astype(np.uint8).repeat(heights, axis=0).repeat(widths, axis=1)
    return blocks
