"""How a repainted crop goes back into its photo."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from unmask.bench.core.types import Box, Image
from unmask.methods.faces import covered
from unmask.methods.gan.compact.crop import SIDE, Crop

WAYS: Final = ("box", "feather")
FEATHER: Final = 0.12
"""Width of the soft edge, as a share of the box's shorter side."""


def paste_back(photo: Image, crop: Crop, repainted: Image, face: Box, way: str) -> None:
    """Writes the part of ``repainted`` (128, 128, 3) that shows ``face`` into ``photo`` (H, W, 3), in place.

    ``box``: the detector's whole rectangle, as DeepPrivacy and the thesis do. ``feather``: an ellipse in it with a soft
    edge, so that no rectangle shows; the rectangle's corners, which hold hair and background, stay the photo's own.
    """
    rows, columns = covered(face, *photo.shape[:2])
    height, width = rows.stop - rows.start, columns.stop - columns.start
    if height <= 0 or width <= 0:
        return
    scale = SIDE / crop.square.w
    # Pixel centres, as in `methods.gan.compact.crop.resampled`: the way there and back must not shift the face.
    x0 = (columns.start + 0.5 - crop.square.x) * scale - 0.5
    y0 = (rows.start + 0.5 - crop.square.y) * scale - 0.5
    matrix = np.array([[scale, 0, x0], [0, scale, y0]], np.float64)
    way_back = cv2.INTER_CUBIC if scale < 1 else cv2.INTER_AREA
    patch = cv2.warpAffine(
        repainted, matrix, (width, height), flags=way_back | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE
    )
    if way == "box":
        photo[rows, columns] = patch
        return
    share = soft_ellipse(face, rows, columns)[..., None]
    old = photo[rows, columns].astype(np.float32)
    photo[rows, columns] = np.rint(old + share * (patch.astype(np.float32) - old)).astype(np.uint8)


def soft_ellipse(face: Box, rows: slice, columns: slice) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """(height, width) in 0..1: 1 inside the ellipse inscribed in ``face``, down to 0 within `FEATHER` outside it."""
    cx, cy = face.center
    y = (np.arange(rows.start, rows.stop) + 0.5 - cy) / (face.h / 2)
    x = (np.arange(columns.start, columns.stop) + 0.5 - cx) / (face.w / 2)
    radius = np.sqrt(y[:, None] ** 2 + x[None, :] ** 2)
    return np.clip(1 - (radius - 1) / (2 * FEATHER), 0, 1).astype(np.float32)
