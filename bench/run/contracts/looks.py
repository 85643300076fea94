"""What a method's output shows beside being an image: its range, its channels, which faces it changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from unmask.bench.core.types import Box, Image

LEAST_WARMTH: Final = 10.0
"""Mean absolute difference of red and blue below which swapped channels cannot be told."""
_FEWEST_PIXELS: Final = 50
_NEGATED: Final = -0.5
"""Slope of the output's red minus blue on the input's from which on they count as swapped."""
_BETTER: Final = 0.7
"""The output must be so much nearer to the input with swapped channels than to the input."""


def is_swapped(image: Image, output: Image) -> bool:
    """Whether what changed in (H, W, 3) ``output`` is ``image`` with red and blue swapped, whatever else was done."""
    where = (image != output).any(axis=2)
    before, after = image[where].astype(np.float64), output[where].astype(np.float64)
    warmth, shown = before[:, 0] - before[:, 2], after[:, 0] - after[:, 2]
    if len(before) < _FEWEST_PIXELS or np.abs(warmth).mean() < LEAST_WARMTH:
        return False
    slope = float(warmth @ shown / (warmth @ warmth))
    return slope < _NEGATED and np.abs(after - before[:, ::-1]).mean() < _BETTER * np.abs(after - before).mean()


def wrong_range(output: Image) -> str:
    """What scale values were left at when they were made uint8; '' where they use 0..255. All drawn photos have pure
    white, whose values are the 1 of 0..1 and of -1..1, and many more than three levels."""
    levels = set(np.unique(output).tolist())
    if 1 not in levels or not levels <= {0, 1, 255}:
        return ""
    return "-1..1" if 255 in levels else "0..1"


def unchanged_faces(image: Image, output: Image, faces: Sequence[Box]) -> int:
    """How many of ``faces`` show the same pixels before and after."""
    height, width = image.shape[:2]
    places = [face.clipped(height, width) for face in faces]
    return sum(
        np.array_equal(image[top:bottom, left:right], output[top:bottom, left:right])
        for left, top, right, bottom in places
    )
