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
"""The output must be so much nearer to the input with swapped channels than to the input, and to its negative."""
_WARM: Final = 0.05
"""Red minus blue of a face's mean colour, as a share of all three, from which on it is skin."""
_RATIOS: Final = (0.4, 2.0)
"""How many times as far from grey the mean colour of a swapped face may be."""
_MIDDLE: Final = 0.12
"""By how much green's place between the other two may differ: negatives and faces of one colour differ by more."""


def is_swapped(image: Image, output: Image, faces: Sequence[Box]) -> bool:
    """Whether red and blue of ``image`` (H, W, 3) are swapped in ``output``: in the pixels that changed, or in the mean
    colour of a face that was redrawn, which neither light nor another expression swaps."""
    return _is_pixelwise(image, output) or any(_is_swapped_face(image, output, face) for face in faces)


def _is_pixelwise(image: Image, output: Image) -> bool:
    where = (image != output).any(axis=2)
    before, after = image[where].astype(np.float64), output[where].astype(np.float64)
    warmth, warmth_after = before[:, 0] - before[:, 2], after[:, 0] - after[:, 2]
    if len(before) < _FEWEST_PIXELS or np.abs(warmth).mean() < LEAST_WARMTH:
        return False
    others = min(np.abs(after - before).mean(), np.abs(after - (255 - before)).mean())
    slope = float(warmth @ warmth_after / (warmth @ warmth))
    return slope < _NEGATED and bool(np.abs(after - before[:, ::-1]).mean() < _BETTER * others)


def _is_swapped_face(image: Image, output: Image, face: Box) -> bool:
    left, top, right, bottom = face.clipped(*image.shape[:2])
    before, after = (x[top:bottom, left:right].mean(axis=(0, 1), dtype=np.float64) for x in (image, output))
    warmth, warmth_after = ((red - blue) / max(red + green + blue, 1) for red, green, blue in (before, after))
    if warmth < _WARM or not _RATIOS[0] * warmth <= -warmth_after <= _RATIOS[1] * warmth:
        return False
    middle = (before[1] - before[2]) / (before[0] - before[2])
    return bool(abs((after[1] - after[0]) / (after[2] - after[0]) - middle) < _MIDDLE)


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
