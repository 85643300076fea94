"""Pictures reduced to what tells whether two show the same: grey, without what varies slowly, outside the faces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

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
SIDE: Final = 32
"""Pixels of a signature's side."""
LIKE: Final = 0.6
"""Correlation of signatures from which on two pictures are worth comparing themselves."""
COMPARED: Final = 3
"""Inputs, the likeliest first, that are worth it."""


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


def signature_of(image: Image | None) -> NDArray[np.uint8]:
    """(SIDE * SIDE,) grey levels of a picture squeezed to a square; zeros where there is none."""
    if image is None:
        return np.zeros(SIDE * SIDE, np.uint8)
    small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    grey: NDArray[np.uint8] = np.rint(small.astype(np.float32).mean(axis=2)).astype(np.uint8)
    return grey.reshape(-1)


@dataclass(frozen=True, slots=True)
class Signatures:
    """All readable inputs of a data set, for finding the one that an output really shows."""

    samples: Sequence[str]
    masks: NDArray[np.float16]
    """(N, SIDE * SIDE): 1 outside the faces, else 0; all 1 where a picture has to be compared as a whole."""
    details: NDArray[np.float16]
    """(N, SIDE * SIDE): what lies outside the faces without what varies slowly, of mean 0 and length 1."""

    @classmethod
    def of(cls, samples: Sequence[str], grey: NDArray[Any], masks: Sequence[Bools]) -> Signatures:
        """``grey``: (N, SIDE * SIDE), see `signature_of`; ``masks``: (SIDE, SIDE) each, True outside the faces."""
        details = np.zeros(grey.shape, np.float16)
        flat = np.zeros(grey.shape, np.float16)
        for k, (picture, mask) in enumerate(zip(grey, masks, strict=True)):
            detail = _detail(picture)
            inside = compared(detail.reshape(SIDE, SIDE), mask).reshape(-1)
            detail = detail * inside
            detail[inside] -= detail[inside].mean() if inside.any() else 0.0
            details[k], flat[k] = detail / max(float(np.linalg.norm(detail)), 1e-3), inside
        return cls(samples, flat, details)

    def like(self, output: Image) -> list[str]:
        """The inputs that an output may show, the likeliest first."""
        detail = _detail(signature_of(output))
        scores = np.zeros(len(self.samples), np.float32)
        for start in range(0, len(self.samples), 2048):
            rows = slice(start, start + 2048)
            mask, details = self.masks[rows].astype(np.float32), self.details[rows].astype(np.float32)
            n = np.maximum(mask.sum(axis=1), 1)
            spread = np.sqrt(np.maximum(mask @ detail**2 - (mask @ detail) ** 2 / n, 1e-6))
            scores[rows] = details @ detail / spread
        best = np.argsort(-scores, kind="stable")[:COMPARED]
        return [self.samples[k] for k in best if scores[k] >= LIKE]


def _detail(grey: NDArray[Any]) -> Floats32:
    return detail_of(grey.reshape(SIDE, SIDE).astype(np.float32)).reshape(-1)
