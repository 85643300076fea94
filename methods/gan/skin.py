"""Another skin colour for a face in a photo (thesis 3.2.2, 4.5), by the curve of the code that the thesis used."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from unmask.bench.core.training import Rgb
from unmask.bench.core.types import Float, Image

COLOURED: Final = (0.15, 0.45)
"""Shares of the skin's own saturation at which a pixel begins to be skin and is skin: eyes and teeth are not."""
OTHER_HUE: Final = (0.04, 0.09)
"""Distance across the line from grey to the skin's colour, in chromaticity, at which a pixel stops being skin."""
DARKEST: Final = (0.12, 0.35)
"""Share of the skin's brightness from which a pixel counts: black hair is not skin, shadows are."""
SOFT: Final = 1.0
"""Pixels; the mask is blurred by so much, so that no edge shows."""


def recolour(image: Image, skin: tuple[float, float, float], tone: Rgb, *, whole: bool = False) -> Image:
    """``image`` (H, W, 3) with skin of the colour ``skin`` (RGB, estimated, 0..255) brought to ``tone``.

    ``whole``: every pixel goes through the curve, as in the published code, so hair and background change too. Else
    only what is likely skin does: the thesis saw the colour on the background and wished it away (4.5.4, 4.5.5).
    """
    colour = np.asarray(skin, np.float64)
    new = curve(image, colour, np.asarray(tone, np.float64))
    if not whole:
        share = likely_skin(image, colour)[..., None]
        new = image + share * (new - image)
    return np.rint(np.clip(new, 0, 255)).astype(np.uint8)


def curve(image: Image, skin: Float, tone: Float) -> Float:
    """Per channel two straight lines: 0 stays 0, ``skin`` becomes ``tone``, 255 stays 255; float, same shape."""
    anchor = np.clip(skin, 1.0, 254.0)
    pixels = image.astype(np.float64)
    below = pixels * (tone / anchor)
    above = 255.0 - (255.0 - pixels) * ((255.0 - tone) / (255.0 - anchor))
    return np.asarray(np.where(pixels < anchor, below, above), np.float64)


def likely_skin(image: Image, skin: Float) -> Float:
    """(H, W) in 0..1. Chromaticity (a colour's shares of R, G and B) is the same in light and in shadow."""
    # A few grey levels added: the chromaticity of black is noise.
    pixels, colour = image.astype(np.float64) + 4.0, skin + 4.0
    away = pixels / pixels.sum(axis=-1, keepdims=True) - 1 / 3
    towards = colour / colour.sum() - 1 / 3
    along = away @ towards / max(float(towards @ towards), 1e-9)
    across = np.linalg.norm(away - along[..., None] * towards, axis=-1)
    brightness = image.sum(axis=-1) / max(float(skin.sum()), 1.0)
    share = _rise(along, *COLOURED) * (1 - _rise(across, *OTHER_HUE)) * _rise(brightness, *DARKEST)
    return np.asarray(cv2.GaussianBlur(share, (0, 0), SOFT), np.float64)


def _rise(values: Float, low: float, high: float) -> Float:
    """0 up to ``low``, 1 from ``high``, smooth between."""
    t = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3 - 2 * t), np.float64)
