"""Small copies of all inputs of a data set, for finding the one that an output really shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.types import Bools, Floats32, Image
from unmask.bench.run.views import compared, detail_of

SIDE: Final = 32
"""Pixels of a signature's side."""
LIKE: Final = 0.6
"""Correlation of signatures from which on two pictures are worth comparing themselves."""
COMPARED: Final = 3
"""Inputs, the likeliest first, that are worth it."""


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
            mask, known = self.masks[rows].astype(np.float32), self.details[rows].astype(np.float32)
            n = np.maximum(mask.sum(axis=1), 1)
            spread = np.sqrt(np.maximum(mask @ detail**2 - (mask @ detail) ** 2 / n, 1e-6))
            scores[rows] = known @ detail / spread
        best = np.argsort(-scores, kind="stable")[:COMPARED]
        return [self.samples[k] for k in best if scores[k] >= LIKE]


def _detail(grey: NDArray[Any]) -> Floats32:
    return detail_of(grey.reshape(SIDE, SIDE).astype(np.float32)).reshape(-1)
