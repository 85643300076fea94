"""FID and KID: how far the outputs, as a set, lie from the originals in an Inception network's features."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import ClassVar, get_args

import numpy as np
from scipy import linalg

from bench.core.cards import MetricCard
from bench.core.evidence import Evidence
from bench.core.types import Float, Floats32, Region
from bench.core.values import Histogram, SetStatistic, UnitValues

INSTRUMENT = "inception"
UNBIASED_FROM = 2048
BLOCK = 1024


def frechet_distance(a: Floats32, b: Floats32, weights: Float) -> float:
    """FID between rows of ``a`` and ``b`` (N, D), each counted ``weights`` (N,) times; NaN below two rows.

    |mean_a - mean_b|^2 + tr C_a + tr C_b - 2 tr (C_a C_b)^(1/2), covariances divided by n-1. With C = F^T F the last
    trace is the sum of the singular values of F_a F_b^T, so no matrix root is taken, singular covariances (n < D) need
    no offset, and the matrix decomposed is only as large as the smaller of n and D.
    """
    drawn = weights > 0
    count = float(weights.sum())
    if count < 2:
        return math.nan
    w = weights[drawn]
    mean_a, factor_a = _moments(a[drawn], w, count)
    mean_b, factor_b = _moments(b[drawn], w, count)
    cross = factor_a @ factor_b.T
    # Singular values as roots of the eigenvalues of M M^T: several times faster than a singular value decomposition,
    # and the digits lost are those of singular values that add nothing.
    squared = linalg.eigvalsh(cross @ cross.T, check_finite=False, overwrite_a=True)
    root_trace = float(np.sqrt(np.clip(squared, 0.0, None)).sum())
    traces = float((factor_a**2).sum() + (factor_b**2).sum())
    return max(0.0, float(((mean_a - mean_b) ** 2).sum()) + traces - 2 * root_trace)


def kernel_distance(a: Floats32, b: Floats32, weights: Float) -> float:
    """KID: unbiased squared MMD with the kernel (x.y / D + 1)^3, over the whole set at once; NaN below two rows.

    A row drawn twice is not compared with itself. May be slightly negative where the sets agree.
    """
    drawn = weights > 0
    w = weights[drawn]
    distinct = float(w.sum() ** 2 - (w**2).sum())
    if distinct <= 0:
        return math.nan
    x, y = a[drawn], b[drawn]
    within = _kernel_sum(x, x, w, diagonal=False) + _kernel_sum(y, y, w, diagonal=False)
    return within / distinct - 2 * _kernel_sum(x, y, w, diagonal=True) / float(w.sum()) ** 2


def _moments(rows: Floats32, weights: Float, count: float) -> tuple[Float, Float]:
    """Mean (D,) and a factor F of the covariance F^T F, with at most D rows."""
    values = rows.astype(np.float64)
    mean: Float = weights @ values / count
    factor: Float = (values - mean) * np.sqrt(weights / (count - 1))[:, None]
    if len(factor) > factor.shape[1]:
        # The triangle of a QR decomposition has the same F^T F.
        factor = np.asarray(linalg.qr(factor, mode="r", check_finite=False)[0][: factor.shape[1]])
    return mean, factor


def _kernel_sum(x: Floats32, y: Floats32, weights: Float, *, diagonal: bool) -> float:
    """Weighted sum of the kernel over all pairs, a block of rows at a time.

    The kernel is made in float32 (its rounding errors average out) and summed in float64.
    """
    total = 0.0
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        kernel = x[rows] @ y.T
        kernel /= x.shape[1]
        kernel += 1
        kernel *= kernel * kernel
        if not diagonal:
            kernel[np.arange(len(kernel)), np.arange(start, start + len(kernel))] = 0.0
        total += float(weights[rows] @ kernel @ weights)
    return total


_FEATURES = (
    "Features: the 2,048 pool features of the FID Inception network, of originals and outputs that both exist (outputs "
    "of errors are unscored). Over the face crop, the whole image, and the background (face blacked out in both). "
)
_INTERVAL = "Interval: delete-a-group jackknife over identities (20 groups), since drawing images twice biases it."


class Distribution:
    """`fid` and `kid` for each region."""

    needs: ClassVar[tuple[str, ...]] = (INSTRUMENT,)
    cards: ClassVar[tuple[MetricCard, ...]] = (
        MetricCard(
            name="fid",
            version="1",
            family="quality",
            direction="lower",
            unit="",
            bounds=(0.0, None),
            title="FID",
            question="How unlike real photos do the outputs look, as a set?",
            how=f"{_FEATURES}Fréchet distance of two Gaussians with sample means and covariances (n-1). {_INTERVAL}",
            source="Heusel et al. 2017; thesis 4.3, equation 4.10",
            limits=(
                f"Biased at small n: below {UNBIASED_FROM:,} images it depends on the number of images and cannot be "
                "compared between data sets or with published figures; use KID. Originals and outputs are pairs, "
                "so small changes score far better here than in generation papers."
            ),
        ),
        MetricCard(
            name="kid",
            version="1",
            family="quality",
            direction="lower",
            unit="",
            bounds=(None, None),
            title="KID",
            question="How unlike real photos do the outputs look, as a set, without FID's small-sample bias?",
            how=f"{_FEATURES}Unbiased squared MMD with the kernel (x.y/D + 1)^3, whole set, no subsets. {_INTERVAL}",
            source="Bińkowski et al. 2018",
            limits="Unbiased for independent sets; ours are pairs, so a method that changes little can go below 0.",
        ),
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | SetStatistic | Histogram]:
        distances: dict[str, Callable[[Floats32, Floats32, Float], float]] = {
            "fid": frechet_distance,
            "kid": kernel_distance,
        }
        regions: tuple[Region, ...] = get_args(Region)
        for region in regions:
            before, after = evidence.features.get(region, ({}, {}))
            if INSTRUMENT not in before or INSTRUMENT not in after:
                continue
            original, output = before[INSTRUMENT]["features"], after[INSTRUMENT]["features"]
            scored = np.asarray(np.isfinite(original).all(axis=1) & np.isfinite(output).all(axis=1), dtype=np.bool_)
            for name, distance in distances.items():
                yield SetStatistic(
                    name,
                    INSTRUMENT,
                    partial(distance, original, output),
                    scored,
                    region=region,
                    unit="face" if region == "face" else "image",
                    resampling="jackknife",
                )
