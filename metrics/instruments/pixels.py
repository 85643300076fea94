"""Pixel and structural comparisons of an original with its anonymized version; no weights.

Columns are ``metric|variant``. ``thesis-compat`` is given only where the thesis's code (DeepPrivacy's evaluation, and
for MS-SSIM+L1 its training loss) differs from the ``standard`` definition:

==============  ==================================================  ==============================================
metric          standard                                            thesis-compat
==============  ==================================================  ==============================================
``l2``          mean squared error (the L2 loss)                    root of it per image, then averaged
``ssim``        K1 .01, K2 .03 (Wang et al. 2004)                   K1 .01^2, K2 .03^2: squared once more
``ms_ssim_l1``  alpha .025, compensation 200 (the published code)   alpha .84, compensation .2 (thesis 4.6)
==============  ==================================================  ==============================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final, Self, cast

import cv2
import numpy as np

from unmask.bench.core.cards import InstrumentCard
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import Bools, Float, Floats32, Image, RegionPair
from unmask.metrics.instruments.support import ssim

PSNR_CAP_DB: Final = 100.0
"""Identical images have an infinite PSNR, which no mean survives: it is reported as this, as is anything above."""
EQUAL_SIDE: Final = 192
"""Pixels of an equal pair that are looked at; large enough for every window."""
LONGEST_SIDE: Final = 256
"""Structural metrics first shrink what is larger (area averaging), as LPIPS does: windows of 11 px in a 1920 px photo
see only grain, and regions of one data set become comparable in scale. L1, L2, smooth L1, PSNR keep the native size."""
LOSS_STANDARD: Final[Mapping[str, float]] = {"alpha": 0.025, "compensation": 200.0}
LOSS_THESIS: Final[Mapping[str, float]] = {"alpha": 0.84, "compensation": 0.2}
COLUMNS: Final = (
    "l1|standard",
    "l2|standard",
    "l2|thesis-compat",
    "smooth_l1|standard",
    "psnr|standard",
    "ssim|standard",
    "ssim|thesis-compat",
    "ms_ssim|standard",
    "ms_ssim_l1|standard",
    "ms_ssim_l1|thesis-compat",
)


def compare_pixels(pair: RegionPair) -> dict[str, float]:
    """All `COLUMNS` for one pair; NaN where its mask is empty or it is too small for a window (SSIM below 11 px a
    side, MS-SSIM at 32 px or less). Raises ValueError if the two images or the mask differ in size."""
    absolute, error = differences(pair)
    values = {
        "l1|standard": absolute,
        "l2|standard": error,
        "l2|thesis-compat": float(np.sqrt(error)),
        # No difference of images in [0, 1] exceeds the usual beta of 1.
        "smooth_l1|standard": error / 2,
        "psnr|standard": math.nan if math.isnan(error) else -10 * math.log10(max(error, 10 ** (-PSNR_CAP_DB / 10))),
    }
    x, y, mask = as_float(shrunk(pair.original)), as_float(shrunk(pair.anonymized)), shrunk_mask(pair.mask)
    if min(x.shape[:2]) >= ssim.WINDOW:
        moments = ssim.local_moments(x, y, ssim.gaussian_window(ssim.WINDOW, ssim.SIGMA))
        values["ssim|standard"] = ssim.ssim(moments, mask)
        values["ssim|thesis-compat"] = ssim.ssim(moments, mask, k1=ssim.K1**2, k2=ssim.K2**2)
        shared = moments if ssim.fitting_window(*x.shape[:2]) == ssim.WINDOW else None
        values["ms_ssim|standard"] = ssim.ms_ssim(x, y, mask, finest=shared)
    parts = ssim.ms_ssim_l1_parts(x, y, mask)
    values["ms_ssim_l1|standard"] = parts.loss(**LOSS_STANDARD)
    values["ms_ssim_l1|thesis-compat"] = parts.loss(**LOSS_THESIS)
    return {column: values.get(column, math.nan) for column in COLUMNS}


def differences(pair: RegionPair) -> tuple[float, float]:
    """Mean absolute and mean squared difference of values in 0..1, over the mask's pixels; NaN where it is empty.

    Levels are counted first, so that a large photo never becomes a float of every pixel. Raises ValueError as
    `compare_pixels`.
    """
    x, y, mask = pair.original, pair.anonymized, pair.mask
    if x.ndim != 3 or x.shape[2] != 3 or x.shape != y.shape:
        raise ValueError(f"two (H, W, 3) images of one shape are needed, got {x.shape} and {y.shape}")
    if mask is not None and mask.shape != x.shape[:2]:
        raise ValueError(f"the mask must be {x.shape[:2]}, got {mask.shape}")
    apart = cv2.absdiff(x, y)
    counts = np.bincount((apart if mask is None else apart[mask]).ravel(), minlength=256)
    total, levels = int(counts.sum()), np.arange(256)
    if not total:
        return math.nan, math.nan
    return int(counts @ levels) / (255 * total), int(counts @ levels**2) / (255**2 * total)


def as_float(image: Image | Floats32) -> Float:
    """0..255 -> float64 0..1."""
    return image.astype(np.float64) / 255.0


def shrunk(image: Image, longest: int = LONGEST_SIDE) -> Image | Floats32:
    """The image with its longer side at most ``longest``, by area averaging, in 0..255 and not rounded; the image
    itself if it is no larger."""
    height, width = image.shape[:2]
    if max(height, width) <= longest:
        return image
    scale = longest / max(height, width)
    size = max(round(width * scale), 1), max(round(height * scale), 1)
    return cast(Floats32, cv2.resize(image.astype(np.float32), size, interpolation=cv2.INTER_AREA))


def shrunk_mask(mask: Bools | None, longest: int = LONGEST_SIDE) -> Bools | None:
    """The mask at the size of the shrunk image; a pixel counts if at least half of what went into it did."""
    if mask is None or max(mask.shape) <= longest:
        return mask
    return shrunk(mask.astype(np.uint8), longest) >= 0.5


def equal_corner(pair: RegionPair) -> RegionPair:
    """The pair itself, or a corner of it where both images are equal (the control, untouched backgrounds): every figure
    of equal images is perfect whatever they show, and a large photo costs a third of a second."""
    if pair.mask is not None and not pair.mask.any():
        return pair
    if not np.array_equal(pair.original, pair.anonymized):
        return pair
    return RegionPair(pair.original[:EQUAL_SIDE, :EQUAL_SIDE], pair.anonymized[:EQUAL_SIDE, :EQUAL_SIDE])


class Pixels:
    """L1, L2, smooth L1, PSNR, SSIM, MS-SSIM and MS-SSIM+L1 of a region; role ``pair``."""

    card: ClassVar[InstrumentCard] = InstrumentCard(
        name="pixels",
        version="4",
        role="pair",
        description="Pixel differences and structural similarity of a region before and after, on images in [0, 1].",
        licence="MIT",
        source="Wang et al. 2004 (SSIM); Wang et al. 2003 (MS-SSIM); Zhao et al. 2017 (MS-SSIM + L1); thesis 4.3",
        params={
            "longest_side_px": LONGEST_SIDE,
            "psnr_cap_db": PSNR_CAP_DB,
            "ssim_window_px": ssim.WINDOW,
            "ssim_sigma_px": ssim.SIGMA,
            "ssim_k1": ssim.K1,
            "ssim_k2": ssim.K2,
            "ssim_k1_thesis": ssim.K1**2,
            "ssim_k2_thesis": ssim.K2**2,
            "ms_ssim_window_px": "11 above 160 px a side, 7 above 96 (face crops), 3 above 32",
            "ms_ssim_l1_alpha": LOSS_STANDARD["alpha"],
            "ms_ssim_l1_compensation": LOSS_STANDARD["compensation"],
            "ms_ssim_l1_alpha_thesis": LOSS_THESIS["alpha"],
            "ms_ssim_l1_compensation_thesis": LOSS_THESIS["compensation"],
        },
        limits="They measure change, not realism: a perfect swap to another face scores worse than a slight blur. "
        "With a mask, windows at its edge also see the black outside it, which is equal in both images.",
    )

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        return cls()

    def compare(self, pairs: Sequence[RegionPair]) -> Columns:
        """One float32 column for each of `COLUMNS`, (N,) in the order of the pairs."""
        rows = [compare_pixels(equal_corner(pair)) for pair in pairs]
        return {column: np.array([row[column] for row in rows], np.float32) for column in COLUMNS}
