"""Pictures reduced to what tells whether two show the same: grey, without what varies slowly, outside the faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np

from unmask.bench.core.types import Bools, Box, Floats32, Image

FINE: Final = 96
"""Pixels of the longer side at which pictures are compared."""
BLUR: Final = 1 / 16
"""Gaussian sigma, as part of the longer side, above which things vary slowly."""
MARGIN: Final = 1.4
"""Faces are left out with this factor about their centres."""
ENOUGH: Final = 0.1
"""Part of a picture that must lie outside the faces to be compared alone."""
STRUCTURE: Final = 2.0
"""Grey levels (standard deviation without what varies slowly) below which a picture says nothing."""


@dataclass(frozen=True, slots=True)
class View:
    """A picture reduced to ``FINE`` pixels."""

    grey: Floats32
    """(h, w) grey levels."""
    mask: Bools
    """(h, w) outside all faces; all True where the picture has to be compared as a whole."""
    whole: bool = False
    """Whether the mask is all True: a picture without faces, or one whose faces cannot be left out."""
    warmth: Floats32 = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """(h, w) red minus blue; (0, 0) for a changed picture."""


def view_of(image: Image, boxes: Sequence[Box] = (), size: tuple[int, int] | None = None) -> View:
    """``image`` (H, W, 3) reduced, without the places of its faces. ``size``: (h, w) to reduce to, else by ``FINE``."""
    height, width = image.shape[:2]
    h, w = size or reduced_size(height, width, FINE)
    small = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA).astype(np.float32)
    grey = small.mean(axis=2)
    outside = background(boxes, (height, width), (h, w))
    mask = compared(detail_of(grey), outside)
    return View(grey, mask, bool(mask.all()), small[..., 0] - small[..., 2])


def background(boxes: Sequence[Box], size: tuple[int, ...], reduced: tuple[int, ...], margin: float = MARGIN) -> Bools:
    """(h, w) True outside ``boxes``, each grown by ``margin``, of a picture of ``size`` (H, W), reduced to ``reduced``
    (h, w)."""
    outside = np.ones(reduced, np.bool_)
    y, x = reduced[0] / size[0], reduced[1] / size[1]
    for box in boxes:
        grown = box if margin == 1 else box.scaled(margin)
        left, top, right, bottom = Box(grown.x * x, grown.y * y, grown.w * x, grown.h * y).clipped(*reduced)
        outside[top:bottom, left:right] = False
    return outside


def compared(detail: Floats32, outside: Bools) -> Bools:
    """What of a picture can be compared: what lies outside its faces or, where that is too little or plain, all."""
    plain = outside.mean() < ENOUGH or detail[outside].std() < STRUCTURE
    return np.ones_like(outside) if plain else outside


def fit(view: View, seen: View, level: float = 0.0) -> float:
    """How well a picture explains an output of its reduced size: Pearson's correlation, -1..1; 0 = one is constant."""
    x, y = detail_of(view.grey, level)[view.mask], detail_of(seen.grey, level)[view.mask]
    return pearson(x, y)


def detail_of(grey: Floats32, level: float = 0.0) -> Floats32:
    """(h, w) grey levels without what varies slowly, and without what is finer than ``level``."""
    fine = cv2.GaussianBlur(grey, (0, 0), level) if level else grey
    detail: Floats32 = fine - cv2.GaussianBlur(grey, (0, 0), max(grey.shape) * BLUR)
    return detail


def pearson(x: Floats32, y: Floats32) -> float:
    """The correlation of two (N,) rows, -1..1; 0 where one is constant."""
    if len(x) < 2:
        return 0.0
    x, y = x - x.mean(), y - y.mean()
    norm = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / norm if norm > 1e-3 else 0.0


def reduced_size(height: int, width: int, longest: int) -> tuple[int, int]:
    """(h, w) of a picture whose longer side is at most ``longest``, and no side below 8."""
    factor = min(longest / max(height, width), 1.0)
    return max(round(height * factor), 8), max(round(width * factor), 8)


def resized(array: Floats32, shape: tuple[int, int]) -> Floats32:
    """``array`` (H, W) reduced to ``shape`` (h, w) by averages over areas."""
    reduced: Any = cv2.resize(array, shape[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(reduced, np.float32)
