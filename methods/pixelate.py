"""Mosaic over the faces, its blocks in units of the face's own width."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import MethodCard
from unmask.bench.core.types import Box, Image
from unmask.methods.faces import BoxMethod
from unmask.methods.params import number, whole

SMALLEST_BLOCK = 2.0
"""Pixels: blocks of one pixel would hand a tiny face back unchanged."""


class Pixelate(BoxMethod):
    """Replaces each block by its mean colour.

    Parameters: ``blocks`` 1..256, blocks across the width of the face's box (a block is at least 2 px wide);
    ``margin`` 0..2, the share of the box added on each side, rounded up to whole blocks; ``detector`` ``mtcnn`` or
    ``harness``.
    """

    def __init__(self, *, blocks: int = 8, margin: float = 0.1, detector: str = "mtcnn") -> None:
        super().__init__("pixelate", detector)
        self._blocks = whole("pixelate", "blocks", blocks, 1, 256)
        self._margin = number("pixelate", "margin", margin, 0, 2)

    @property
    def card(self) -> MethodCard:
        return MethodCard(
            name="pixelate",
            version="2",
            description="Mosaic of square blocks over each face, each the mean colour of the pixels under it.",
            licence="MIT",
            source="unmask; a classical baseline, e.g. McPherson et al. 2016, arXiv:1609.00408",
            params={"blocks": self._blocks, "margin": self._margin, "detector": self._detector},
            detector=self._detector,
            weights=self.detector_weights(),
            imports=self.detector_imports(),
            limits="Mosaics of known people can be recognised by a network trained on mosaics. "
            + self.detector_limits(),
        )

    def edit(self, image: Image, face: Box) -> None:
        """Blocks are counted from the box's left top corner and reach outwards over the margin."""
        height, width = image.shape[:2]
        side = max(face.w / self._blocks, SMALLEST_BLOCK)
        rows = edges(face.y, face.h, side, self._margin * face.h, height)
        columns = edges(face.x, face.w, side, self._margin * face.w, width)
        if len(rows) < 2 or len(columns) < 2:
            return
        part = image[rows[0] : rows[-1], columns[0] : columns[-1]]
        part[:] = mosaic(part, rows - rows[0], columns - columns[0])


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
    filled: Image = np.floor(means + 0.5).astype(np.uint8).repeat(heights, axis=0).repeat(widths, axis=1)
    return filled
