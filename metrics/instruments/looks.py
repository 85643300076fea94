"""The looks of a face: what an attacker tries with its crop before asking a recogniser again.

A picture can be turned, mirrored, inverted or finely disturbed so that a recogniser no longer knows the face while
people do; each is undone in a moment. Looks are made of the crop that the recogniser is given anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.evidence import LOOKS, look_column
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import FaceView, Floats32, Image
from unmask.metrics.instruments.embedding import embed

BLUR: Final = 1.8 / 112
"""Sigma of the Gaussian over the crop's side: takes fine disturbances away and leaves a face that is recognised."""


def read_looks(
    faces: Sequence[FaceView],
    cut: Callable[[FaceView], Image | None],
    network: Callable[[NDArray[np.uint8]], Floats32],
    *,
    dimension: int,
    batch: int,
) -> Columns:
    """A column (N, dimension) for each of `LOOKS`, as `embed` makes of the plain crops."""

    def seen(look: str, face: FaceView) -> Image | None:
        crop = cut(face)
        return None if crop is None else _MADE[look](crop)

    return {
        look_column(look): embed(faces, partial(seen, look), network, dimension=dimension, batch=batch)
        for look in LOOKS
    }


def _turned(crop: Image, quarters: int) -> Image:
    return np.rot90(crop, quarters)


def _blurred(crop: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), BLUR * len(crop)), np.uint8)


def _halved(crop: Image) -> Image:
    side = len(crop)
    small = cv2.resize(crop, (side // 2, side // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


_MADE: Final[Mapping[str, Callable[[Image], Image]]] = {
    "turned-90": partial(_turned, quarters=1),
    "turned-180": partial(_turned, quarters=2),
    "turned-270": partial(_turned, quarters=3),
    "mirrored": lambda crop: crop[:, ::-1],
    "inverted": lambda crop: 255 - crop,
    "blurred": _blurred,
    "halved": _halved,
}
