"""Dominant skin colour of a face by clustering its pixels, as the thesis estimated it (4.3), and that colour's tone.

The thesis's code ran unseeded, so it was run three times over (4.3); this one draws its starting points from a fixed
seed and gives the same colour each time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final, Self

import cv2
import numpy as np

from unmask.bench.core.cards import InstrumentCard
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import Bools, FaceView, Float, Image
from unmask.metrics.instruments.support.crops import square

SIDE: Final = 48
"""The face is clustered at 48 x 48 = 2,304 pixels: enough for three mean colours."""
SEED: Final = 0
RESTARTS: Final = 3
MOST_ROUNDS: Final = 100
CLUSTERS: Final = 3
FALLBACK_CLUSTERS: Final = 4
SMALLEST_SHARE: Final = 0.05
"""Of the face: with fewer pixels in the skin range, the fallback does not guess."""
HUE_MAX, SATURATION_MIN, SATURATION_MAX, VALUE_MIN = 25, 58, 174, 50
"""OpenCV HSV (hue 0..179): skin has hue <= 25, 58 < saturation < 174, value >= 50."""

NOT_ESTIMATED: Final[Float] = np.full(3, np.nan)


def skin_colour(face: Image) -> Float:
    """(3,) the dominant skin colour of a face crop (H, W, 3) uint8: sRGB, 0..255.

    Three clusters; the one centroid in the skin range is the answer. Where none or several qualify, the pixels outside
    the range are blackened and four clusters made; the most frequent that is skin is the answer. Else not estimated.
    """
    pixels = face.reshape(-1, 3)
    centres, _ = clustered(pixels, CLUSTERS)
    skin = np.flatnonzero(is_skin(centres))
    if len(skin) == 1:
        return np.asarray(centres[skin[0]])
    mask = is_skin(pixels)
    if mask.mean() < SMALLEST_SHARE:
        return NOT_ESTIMATED
    centres, counts = clustered(np.where(mask[:, None], pixels, np.uint8(0)), FALLBACK_CLUSTERS)
    counts = np.where(is_skin(centres), counts, 0)
    return np.asarray(centres[counts.argmax()]) if counts.any() else NOT_ESTIMATED


def is_skin(colours: Float | Image) -> Bools:
    """(N, 3) RGB 0..255 -> (N,) whether each lies in the skin range of `HUE_MAX` and the following."""
    rounded = np.rint(colours).astype(np.uint8)[None]
    hue, saturation, value = cv2.cvtColor(rounded, cv2.COLOR_RGB2HSV)[0].T
    in_range = (hue <= HUE_MAX) & (saturation > SATURATION_MIN) & (saturation < SATURATION_MAX) & (value >= VALUE_MIN)
    return np.asarray(in_range, np.bool_)


def clustered(pixels: Image, clusters: int) -> tuple[Float, Float]:
    """k-means of (N, 3) colours, N >= ``clusters``: the K distinct centroids (K, 3) and how many pixels each has (K,).

    OpenCV's, from k-means++ starts (Arthur and Vassilvitskii 2007) until nothing moves, the tightest of `RESTARTS`.
    """
    cv2.setRNGSeed(SEED)
    until = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_MAX_ITER, MOST_ROUNDS, 0.0)
    colours = pixels.astype(np.float32)
    _, labels, centres = cv2.kmeans(colours, clusters, None, until, RESTARTS, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    # Of fewer colours than clusters some have two.
    distinct, place = np.unique(centres, axis=0, return_inverse=True)
    counts = np.bincount(place.ravel()[labels.ravel()], minlength=len(distinct))
    return distinct.astype(np.float64), counts.astype(np.float64)


def individual_typology_angle(r: float, g: float, b: float) -> float:
    """ITA in degrees of an sRGB colour 0..255: atan2(L* - 50, b*) * 180 / pi (Chardon, Cretois and Hourseau 1991).

    Above 55 very light, 41 light, 28 intermediate, 10 tan, -30 brown, below dark. NaN stays NaN.
    """
    lightness, _, yellow = lab(np.array([r, g, b], np.float64))
    return math.degrees(math.atan2(lightness - 50.0, yellow))


_TO_XYZ: Final[Float] = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
_WHITE_D65: Final[Float] = np.array([0.95047, 1.0, 1.08883])


def lab(rgb: Float) -> tuple[float, float, float]:
    """CIELAB (L*, a*, b*) of one sRGB colour (3,) 0..255 under D65, 2 degrees (IEC 61966-2-1, CIE 15)."""
    coded = rgb / 255.0
    linear = np.where(coded > 0.04045, ((np.maximum(coded, 0.0) + 0.055) / 1.055) ** 2.4, coded / 12.92)
    ratio = _TO_XYZ @ linear / _WHITE_D65
    f = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16.0 / 116.0)
    x, y, z = (float(value) for value in f)
    return 116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)


class SkinKMeans:
    """{"r", "g", "b": 0..255, "ita": degrees}; role ``skin``."""

    card: ClassVar[InstrumentCard] = InstrumentCard(
        name="skin-kmeans",
        version="2",
        role="skin",
        description="Dominant skin colour of a face by seeded k-means and a fixed range of HSV; ITA of that colour.",
        licence="MIT",
        source="thesis 4.3 (its skin-detection code; constants as published); ITA: Chardon, Cretois, Hourseau, "
        "Int. J. Cosmetic Science 13, 1991",
        params={
            "side_px": SIDE,
            "clusters": CLUSTERS,
            "fallback_clusters": FALLBACK_CLUSTERS,
            "restarts": RESTARTS,
            "seed": SEED,
            "hue_max": HUE_MAX,
            "saturation": f"above {SATURATION_MIN}, below {SATURATION_MAX}",
            "value_min": VALUE_MIN,
            "fallback_smallest_share": SMALLEST_SHARE,
        },
        limits="The colour in the photo, light included, not the skin's. The range of HSV leaves out very pale and "
        "very dark skin, which is estimated less often; brown hair or wood can pass for skin.",
    )

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        return cls()

    def read(self, faces: Sequence[FaceView]) -> Columns:
        """{"r", "g", "b", "ita"}: (N,) float32; NaN where not estimated or the box has no area inside the image."""
        rows = np.full((len(faces), 4), np.nan, np.float32)
        for row, face in enumerate(faces):
            crop = square(face, SIDE)
            colour = NOT_ESTIMATED if crop is None else skin_colour(crop)
            rows[row] = (*colour, individual_typology_angle(*colour))
        return dict(zip(("r", "g", "b", "ita"), rows.T.copy(), strict=True))
