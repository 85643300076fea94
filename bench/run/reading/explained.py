"""Whether a method left a face as it was, up to what cameras, converters and compression do to whole pictures.

A face is *explained* where one smooth tone curve per channel, and noise as strong as JPEG quality 50, make the output's
face of the original's. Brightness, contrast, gamma, white balance, colour profiles, luma ranges and compression do so;
covers, blurs, pixelation and other people's faces do not. An explained face is *missed* where its pixels are the
original's, or where a recogniser still matches it: a disturbance that hides a face from all of them is no miss.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, cast

import cv2
import numpy as np
import scipy
from numpy.typing import NDArray
from PIL import Image as Pillow

from unmask.bench.core.evidence import ANY_LOOK, KNOWN_PLACE, LOOKS, OperatingPoint, Readings, look_column, point_at
from unmask.bench.core.exposure import FMR, distances
from unmask.bench.core.types import Bools, Box, Float, Floats32, Image

EXPLAINED: Final = 1.5
"""The residual, in units of what JPEG quality 50 leaves, up to which a face counts as explained. That quality itself
reaches 1.0, quality 30 about 1.3; a Gaussian blur of .03 of the face's side 2 to 7, a bar over the eyes more than 3."""
QUALITY: Final = 50
AXIS: Final = 0.4
"""Half axes of the ellipse that is compared, over the box's sides: eyes, nose and mouth, but not the box's corners."""
TRIMMED: Final = 0.05
"""Share of the ellipse's pixels, those that fit worst, that do not count: a neighbour's black box may reach into it."""
SIDE: Final = 96
"""Larger faces are reduced to this many pixels first."""
PIECES: Final = 12
"""Linear pieces of a tone curve."""
COARSE: Final = 0.06
"""Sigma, over the crop's side, of the blur behind which the residual is compared a second time: there compression
leaves nearly nothing, and a repainted face nearly everything."""
FINE_NOISE: Final = (0.29, 1.0)
COARSE_NOISE: Final = (0.1, 0.7)
"""Grey levels that are added (in squares) to the output's residual, for rounding, and to the reference's."""
_LARGEST_GAIN: Final = 1.5
_FIT_PIXELS: Final = 2048


@dataclass(frozen=True, slots=True)
class Explanation:
    """How far an output's face is from what a tone curve and compression make of the original's."""

    residual: float
    """In units of what JPEG quality 50 leaves of the original; 0 = equal, NaN = nothing of the face is in the image."""
    equal: bool
    """Whether the pixels of the face's box are the original's, byte for byte."""

    @property
    def explained(self) -> bool:
        return self.equal or self.residual <= EXPLAINED


def explanation(original: Image, anonymized: Image, box: Box) -> Explanation:
    """Of the face in ``box``; both images (H, W, 3), the box may reach outside them."""
    left, top, right, bottom = box.clipped(*original.shape[:2])
    a, b = original[top:bottom, left:right], anonymized[top:bottom, left:right]
    if not a.size:
        return Explanation(float("nan"), np.array_equal(original, anonymized))
    if np.array_equal(a, b):
        return Explanation(0.0, True)
    y, x = np.mgrid[top:bottom, left:right]
    cx, cy = box.center
    mask = ((x + 0.5 - cx) / (AXIS * box.w)) ** 2 + ((y + 0.5 - cy) / (AXIS * box.h)) ** 2 <= 1
    if not mask.any():  # only the box's rim is in the image
        mask[:] = True
    return Explanation(_residual(*_reduced(a, b, mask)), False)


def _reduced(a: Image, b: Image, mask: Bools) -> tuple[Image, Image, Bools]:
    scale = SIDE / max(mask.shape)
    if scale >= 1:
        return np.ascontiguousarray(a), b, mask
    size = (max(round(mask.shape[1] * scale), 1), max(round(mask.shape[0] * scale), 1))
    small = (np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8) for image in (a, b))
    inside = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0
    return (*cast(tuple[Image, Image], tuple(small)), inside if inside.any() else np.ones_like(inside))


def _residual(original: Image, anonymized: Image, mask: Bools) -> float:
    """The larger of the fine and the coarse residual, each over that of JPEG."""
    buffer = io.BytesIO()
    Pillow.fromarray(original).save(buffer, "JPEG", quality=QUALITY)
    compressed = np.asarray(Pillow.open(buffer))
    # (M, 3) each: the pixels of the ellipse.
    a, b, c = (image[mask].astype(np.float64) for image in (original, anonymized, compressed))
    bases = [_basis(a, channel) for channel in range(3)]
    fitted = _fitted(bases, b, np.ones(len(a), np.bool_))
    fitted = _fitted(bases, b, _best(b - fitted))
    rest, noise = b - fitted, c - a
    kept = _best(rest)
    # What the curve makes of the original's contrast, it makes of the noise: a black box explains nothing.
    contrast = np.sqrt(a[kept].var(axis=0).mean())
    gain = min(np.sqrt(fitted[kept].var(axis=0).mean()) / max(contrast, 1e-6), _LARGEST_GAIN)
    sizes = zip(_sizes(rest, kept, mask), _sizes(noise, _best(noise), mask), (FINE_NOISE, COARSE_NOISE), strict=True)
    return max(
        float(np.hypot(left, added) / max(gain * np.hypot(reference, floor), 1e-9))
        for left, reference, (added, floor) in sizes
    )


def _basis(pixels: Float, channel: int) -> Float:
    """(M, 3 + PIECES): a constant, the ramps of a piecewise linear curve, and the two other channels' differences
    (colour profiles mix channels)."""
    x = pixels[:, channel] / 255
    low, high = np.quantile(x, [0.005, 0.995])
    knots = np.linspace(low, max(high, low + 1 / 255), PIECES + 1)
    starts = np.array([-np.inf, *knots[1:-1]])
    ends = np.array([*knots[1:-1], np.inf])
    ramps = np.clip(x[:, None], starts, ends) - knots[:-1]
    others = [pixels[:, other] / 255 - x for other in range(3) if other != channel]
    return np.column_stack([np.ones(len(x)), ramps, *others])


def _fitted(bases: Sequence[Float], target: Float, kept: Bools) -> Float:
    """(M, 3) the best curves' values; ramps only rise, the constant and the channels' mixture are free."""
    step = max(len(target) // _FIT_PIXELS, 1)
    channels = []
    for channel, basis in enumerate(bases):
        columns, values = basis[kept][::step], target[kept, channel][::step] / 255
        free = [0, -2, -1]
        design = np.concatenate([columns, -columns[:, free]], axis=1)
        normal = design.T @ design / len(design)
        normal[np.diag_indices(len(normal))] += 1e-10 * np.trace(normal)
        lower = np.linalg.cholesky(normal)
        weights, _ = scipy.optimize.nnls(lower.T, np.linalg.solve(lower, design.T @ values / len(design)), maxiter=1000)
        solution = weights[: basis.shape[-1]].copy()
        solution[free] -= weights[basis.shape[-1] :]
        channels.append(255 * (basis @ solution))
    return np.stack(channels, axis=-1)


def _best(difference: Float) -> Bools:
    """(M,) False for the pixels that fit worst."""
    error = (difference**2).mean(axis=1)
    kept: Bools = error <= np.quantile(error, 1 - TRIMMED)
    return kept


def _sizes(difference: Float, kept: Bools, mask: Bools) -> tuple[float, float]:
    """Root mean square of the kept pixels, and of the ellipse after a blur of them."""
    held = np.zeros((*mask.shape, 3), np.float32)
    held[mask] = difference * kept[:, None]
    coarse = cv2.GaussianBlur(held, (0, 0), COARSE * max(mask.shape))
    return float(np.sqrt((difference[kept] ** 2).mean())), float(np.sqrt((coarse[mask].astype(np.float64) ** 2).mean()))


def missed(
    explained: Bools,
    equal: Bools,
    original: Readings,
    anonymized: Readings,
    points: Mapping[str, Sequence[OperatingPoint]],
) -> Bools:
    """(N,) which faces a method left as they were: explained, and equal or matched by some recogniser at FMR 1e-3.

    Any reading of the output counts, each against the threshold of its attack. An explained face that no recogniser
    could be asked about (none in the run, none with a threshold, no reading) is missed: what was not measured is no
    protection.
    """
    matched = np.zeros(len(explained), np.bool_)
    readable = np.zeros(len(explained), np.bool_)
    for own, reading, threshold in _attacks(original, anonymized, points):
        distance = distances(own, reading)
        matched |= distance <= threshold
        readable |= np.isfinite(distance)
    return explained & (equal | matched | ~readable)


def _attacks(
    original: Readings, anonymized: Readings, points: Mapping[str, Sequence[OperatingPoint]]
) -> Iterator[tuple[Floats32, NDArray[Any], float]]:
    """(originals, readings of the outputs, threshold) of every way to recognise a face; none without a threshold."""
    for name, columns in original.items():
        if "embedding" not in columns:
            continue
        plain, any_look = (point_at(points.get(key, ()), FMR).threshold for key in (name, f"{name}{ANY_LOOK}"))
        seen = anonymized[name]
        ways = [(column, plain) for column in ("embedding", KNOWN_PLACE)]
        ways += [(column, any_look) for column in (KNOWN_PLACE, *map(look_column, LOOKS))]
        for column, threshold in ways:
            if column in seen and np.isfinite(threshold):
                yield columns["embedding"], seen[column], threshold
