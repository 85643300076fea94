"""The last step of DP-ATT-S with a network of ours: what it left short of the tone is made up for, face by face.

The network is told a tone and comes near it, but the nearer to its input the surer it is; one curve a face, the same as
in the training data (`methods.gan.skin`), brings the middle of the face to the tone itself. It sees invented
pixels only, as the networks do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np

from unmask.methods.gan.compact.crop import Crop
from unmask.methods.gan.skin import recolour

MIDDLE: Final = ((0.25, 0.75), (0.35, 0.75))
"""Shares of the box, across and down, that are skin in nearly every face: cheeks and nose, without brows and beard."""


def with_tone(crop: Crop, tone: tuple[int, int, int]) -> Crop:
    """``crop`` with the skin inside its erased box at ``tone`` (RGB, 0..255), by the median of the box's middle."""
    if not crop.erased.any():
        return crop
    left, top, right, bottom = crop.erased_box
    width, height = right - left, bottom - top
    (x0, x1), (y0, y1) = MIDDLE
    middle = crop.image[
        top + int(y0 * height) : top + int(np.ceil(y1 * height)),
        left + int(x0 * width) : left + int(np.ceil(x1 * width)),
    ]
    red, green, blue = (float(value) for value in np.median(middle.reshape(-1, 3), axis=0))
    new = recolour(crop.image, (red, green, blue), tone)
    return replace(crop, image=np.where(crop.erased[..., None], new, crop.image))
