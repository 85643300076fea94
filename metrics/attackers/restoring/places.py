"""Where a method changes a photo: the whole of it, or a rectangle about the face that follows the face's box."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.types import Box, FacePair, Float, Image
from unmask.metrics.attackers.restoring.pairs import ALMOST_ALL, FACE_FACTOR, JPEG, released_of, window

WHOLE: Final = np.full((4, 2), np.nan)
"""The place that is the whole photo. Every place is (4, 2) float64: left, top, right, bottom edge; how far from the
box's centre, outwards, and in which unit: `OWN`, `LONGER` or `PIXELS`."""
OWN, LONGER, PIXELS = 0.0, 1.0, 2.0
"""The box's width (for left and right) or height (top and bottom), its longer side, and pixels."""
SQUARE: Final = np.array([[FACE_FACTOR / 2, LONGER]] * 4)
"""The square that is judged."""
FEW: Final = 0.1
"""Share of the fullest line's changed pixels up to which a line does not count, where JPEG is reckoned with."""
STEP: Final = 0.0025
LEVELS: Final = (0, JPEG)
"""Levels above which a pixel counts as changed: any change, and more than what JPEG does."""


def places_of(pairs: Sequence[FacePair]) -> list[Float]:
    """The rectangles that hold what changed; where none does, the whole photo and the square that is judged.

    Where there is a rectangle nothing outside it is looked at: what surrounds a face tells something of its colours,
    which no method for faces can help, and which would pass for a restored face.
    """
    windows = np.array([window(pair.original, pair.box) for pair in pairs])
    boxes = [pair.box for pair in pairs]
    parts: list[Float] = []
    almost_all: list[Float] = []
    for levels in LEVELS:
        bounds = np.array([_bounds(pair, levels) for pair in pairs])
        usable = (bounds[:, 2:] - bounds[:, :2] > 1).all(axis=1) & (bounds != windows).any(axis=1)
        if usable.sum() >= len(pairs) / 2:
            place = np.array([_edge(k, boxes, bounds[:, k], windows[:, k], usable) for k in range(4)])
            lengths, all_of_it = (each[usable, 2:] - each[usable, :2] for each in (bounds, windows))
            share = np.median((lengths / all_of_it).prod(axis=1))
            # Tiles that do not cover the right and the bottom leave these as they were: by symmetry from the others.
            both = [place, place[[0, 1, 0, 1]]]
            (parts if share < ALMOST_ALL else almost_all).extend(both[: 1 + (both[0] != both[1]).any()])
        if parts:
            break
    return parts or [WHOLE, SQUARE, *almost_all]


def rectangle(place: Float, box: Box, image: Image) -> tuple[int, int, int, int]:
    """Left, top, right, bottom in whole pixels inside ``image``, the last two exclusive; maybe empty."""
    height, width = image.shape[:2]
    if np.isnan(place).any():
        return 0, 0, width, height
    left, top, right, bottom = (
        box.center[k % 2] + (-1 if k < 2 else 1) * place[k, 0] * _unit(box, k, place[k, 1]) for k in range(4)
    )
    return Box(left, top, right - left, bottom - top).clipped(height, width)


def cut(place: Float, image: Image, box: Box) -> Image:
    """The part of ``image`` that lies in the place, (h, w, 3), a view; maybe empty."""
    left, top, right, bottom = rectangle(place, box, image)
    return image[top:bottom, left:right]


def put_back(place: Float, image: Image, box: Box, edit: Callable[[Image], Image]) -> Image:
    """A copy of ``image`` with the place edited; ``edit`` keeps sizes."""
    output = image.copy()
    left, top, right, bottom = rectangle(place, box, image)
    if right > left and bottom > top:
        output[top:bottom, left:right] = edit(image[top:bottom, left:right])
    return output


def _unit(box: Box, edge: int, unit: float) -> float:
    return (box.h if edge % 2 else box.w) if unit == OWN else max(box.w, box.h) if unit == LONGER else 1.0


def _bounds(pair: FacePair, levels: float) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what changed by more than ``levels`` in the face's window; a few pixels that JPEG
    changed do not count."""
    left, top, right, bottom = window(pair.original, pair.box)
    before, after = (image[top:bottom, left:right] for image in (pair.original, released_of(pair)))
    different = (np.abs(before.astype(np.int16) - after) > levels).any(axis=2)
    counts = different.sum(axis=0), different.sum(axis=1)
    columns, rows = (np.flatnonzero(count > (FEW * count.max() if levels else 0)) for count in counts)
    if not len(columns):
        return left, top, left, top
    return left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1


def _edge(
    edge: int, boxes: Sequence[Box], at: NDArray[np.int64], borders: NDArray[np.int64], usable: NDArray[np.bool_]
) -> tuple[float, float]:
    """How far out the edge lies and in which unit: what explains most of the edges that are not the window's own to the
    pixel; of equally good numbers the roundest, which is what somebody will have written down. Pixels that happen to
    be equal only move an edge inwards, so where nothing explains half of the edges it is their outer tenth."""
    seen = usable & (at != borders)
    usable = seen if seen.any() else usable
    sign = -1 if edge < 2 else 1
    centre = np.array([box.center[edge % 2] for box in boxes])[usable]
    at = at[usable]
    best = (-1.0, 0.0, OWN)
    for unit in (OWN, LONGER, PIXELS):
        lengths = np.array([_unit(box, edge, unit) for box in boxes])[usable]
        outwards = sign * (at - centre) / lengths
        lowest, highest = outwards.min(), outwards.max()
        step = STEP if unit != PIXELS else 0.25
        tried = np.arange(np.floor(lowest / step), np.ceil(highest / step) + 1) * step
        explained = np.mean(np.round(centre + sign * tried[:, None] * lengths) == at, axis=1)
        if explained.max() > best[0] + 1e-9:
            best = (float(explained.max()), _roundest(tried[explained == explained.max()]), unit)
    if best[0] >= 0.5:
        return best[1:]
    lengths = np.array([_unit(box, edge, OWN) for box in boxes])[usable]
    return float(np.quantile(sign * (at - centre) / lengths, 0.9)), OWN


def _roundest(values: Float) -> float:
    """A multiple of 0.05, else of 0.01, where there is one, as near the middle as can be."""
    middle = np.median(values)
    coarse = [np.abs(values / step - np.round(values / step)) > 1e-6 for step in (0.05, 0.01)]
    return float(values[np.lexsort((np.abs(values - middle), coarse[1], coarse[0]))[0]])
