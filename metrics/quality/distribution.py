"""FID and KID: how far the outputs, as a set, lie from the originals in an Inception network's features."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import ClassVar, Final, get_args

import numpy as np
from scipy import linalg

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Float, Floats32, Region, Unit, unit_of
from unmask.bench.core.values import Histogram, SetStatistic, UnitValues

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
    traces = float((factor_a**2).sum() + (factor_b**2).sum())
    return max(0.0, float(((mean_a - mean_b) ** 2).sum()) + traces - 2 * _singular_sum(factor_a @ factor_b.T))


def frechet_distances(a: Floats32, b: Floats32, weights: Float) -> Float:
    """(R,) `frechet_distance` under each row of weights (R, N), NaN where it draws fewer than two rows, with the
    products of rows made once for all.

    Up to D rows: their (N, N) products about the middle, centred anew under each row's weights, are F_a F_b^T.
    """
    drawn = (weights > 0).any(axis=0)
    if not drawn.any():
        return np.full(len(weights), math.nan)
    if drawn.sum() > a.shape[1]:
        return np.array([frechet_distance(a, b, row) for row in weights])
    x, y = (rows[drawn].astype(np.float64) for rows in (a, b))
    middle_x, middle_y = x.mean(axis=0), y.mean(axis=0)
    x -= middle_x
    y -= middle_y
    products, square_x, square_y = x @ y.T, (x**2).sum(axis=1), (y**2).sum(axis=1)
    apart, squares = middle_x - middle_y, square_x + square_y
    return np.array([_from_products(row, x, y, apart, products, squares) for row in weights[:, drawn]])


def _from_products(w: Float, x: Float, y: Float, apart: Float, products: Float, squares: Float) -> float:
    """`frechet_distance` from rows about their middles, which are ``apart``, and what is made of them once."""
    count = float(w.sum())
    if count < 2:
        return math.nan
    mean_x, mean_y = w @ x / count, w @ y / count
    used = w > 0
    cross = products[np.ix_(used, used)]
    left, right = w[used] @ cross / count, cross @ w[used] / count
    cross = cross - left[None, :] - right[:, None] + float(w[used] @ right) / count
    root = np.sqrt(w[used] / (count - 1))
    cross *= root[:, None]
    cross *= root[None, :]
    spread = count * float(mean_x @ mean_x + mean_y @ mean_y)
    traces = (float(w @ squares) - spread) / (count - 1)
    return max(0.0, float(((apart + mean_x - mean_y) ** 2).sum()) + traces - 2 * _singular_sum(cross))


def _singular_sum(matrix: Float) -> float:
    """Sum of the singular values, as roots of the eigenvalues of M M^T: several times faster than a singular value
    decomposition, and the digits lost are those of singular values that add nothing."""
    squared = linalg.eigvalsh(matrix @ matrix.T, check_finite=False, overwrite_a=True)
    return float(np.sqrt(np.clip(squared, 0.0, None)).sum())


def kernel_distance(a: Floats32, b: Floats32, weights: Float) -> float:
    """KID of paired sets, each row counted ``weights`` (N,) times; NaN below two rows. See `kernel_distances`."""
    return float(kernel_distances(a, b, weights[None, :])[0])


def kernel_distances(a: Floats32, b: Floats32, weights: Float) -> Float:
    """(R,) KIDs of paired sets (N, D) under weights (R, N); NaN where fewer than two rows are drawn.

    The squared MMD as the U-statistic of pairs z = (x, y) (Gretton et al., JMLR 13, 2012, lemma 6 and equation 4):
    mean over i != j of k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i), with k(x, y) = (x.y / D + 1)^3. Neither
    a row drawn twice nor an original and its own output are compared, so sets that agree are at 0 in expectation and
    equal ones at exactly 0.
    """
    drawn = (weights > 0).any(axis=0)
    w = weights[:, drawn]
    x, y = a[drawn], b[drawn]
    # Columns of their own, so that all three products are made alike and cancel exactly where the sets are equal.
    x_columns, y_columns = np.ascontiguousarray(x.T), np.ascontiguousarray(y.T)
    total = np.zeros(len(w))
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        # In float32, whose rounding errors average out; sums are float64.
        h = _kernel(x[rows], x_columns) + _kernel(y[rows], y_columns)
        h -= 2 * _kernel(x[rows], y_columns)
        own = np.arange(len(h))
        h[own, start + own] = 0.0
        total += ((w[:, rows] @ h) * w).sum(axis=1)
    pairs = w.sum(axis=1) ** 2 - (w**2).sum(axis=1)
    result: Float = np.divide(total, pairs, out=np.full(len(w), np.nan), where=pairs > 0)
    return result


def _kernel(x: Floats32, columns: Floats32) -> Floats32:
    kernel = x @ columns
    kernel /= x.shape[1]
    kernel += 1
    kernel *= kernel * kernel
    return kernel


def _moments(rows: Floats32, weights: Float, count: float) -> tuple[Float, Float]:
    """Mean (D,) and a factor F of the covariance F^T F, with at most D rows."""
    values = rows.astype(np.float64)
    mean: Float = weights @ values / count
    factor: Float = (values - mean) * np.sqrt(weights / (count - 1))[:, None]
    if len(factor) > factor.shape[1]:
        # The triangle of a QR decomposition has the same F^T F.
        factor = np.asarray(linalg.qr(factor, mode="r", check_finite=False)[0][: factor.shape[1]])
    return mean, factor


_SET: Final = partial(MetricCard, version="2", family="quality", direction="lower", unit="")
_FEATURES: Final = (
    "Features: the 2,048 pool features of the FID Inception network, of originals and outputs that both exist (outputs "
    "of errors are unscored). Over the face crop, the whole image, and the background (face blacked out in both). "
)
_INTERVAL: Final = (
    "Interval: delete-a-group jackknife over identities (20 groups), since drawing images twice biases it."
)


class Distribution:
    """`fid` and `kid` for each region."""

    needs: ClassVar[tuple[str, ...]] = (INSTRUMENT,)
    cards: ClassVar[tuple[MetricCard, ...]] = (
        _SET(
            name="fid",
            bounds=(0.0, None),
            title="FID",
            question="How unlike real photos do the outputs look, as a set?",
            how=f"{_FEATURES}Fréchet distance of two Gaussians with sample means and covariances (n-1). {_INTERVAL}",
            source="Heusel et al. 2017; thesis 4.3, equation 4.10",
            limits=f"Biased at small n, and by an amount that depends on the method: below {UNBIASED_FROM:,} images it "
            "depends on the number of images, and methods are neither tested against each other nor ranked by it; "
            "use KID. For the same reason there is none of a subgroup. Originals and outputs are pairs, so small "
            "changes score far better here than in generation papers.",
        ),
        _SET(
            name="kid",
            bounds=(None, None),
            title="KID",
            question="How unlike real photos do the outputs look, as a set, without FID's small-sample bias?",
            how=f"{_FEATURES}Squared MMD with the kernel (x.y/D + 1)^3, whole set, no subsets, as the unbiased "
            "U-statistic of pairs: an original is compared with the outputs of other originals only, so outputs "
            f"that equal their originals score exactly 0. {_INTERVAL}",
            source="Bińkowski et al. 2018; Gretton et al., JMLR 13, 2012, equation 4",
            limits="Unbiased, hence slightly below 0 at times where outputs are distributed like the originals.",
            # Not FID: below 2,048 images it is biased by an amount that differs from method to method.
            headline=62,
        ),
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | SetStatistic | Histogram]:
        """Two statistics of each region whose features were read."""
        regions: tuple[Region, ...] = get_args(Region)
        for region in regions:
            before, after = evidence.features.get(region, ({}, {}))
            if INSTRUMENT not in before or INSTRUMENT not in after:
                continue
            original, output = before[INSTRUMENT]["features"], after[INSTRUMENT]["features"]
            scored = np.asarray(np.isfinite(original).all(axis=1) & np.isfinite(output).all(axis=1), dtype=np.bool_)
            unit: Unit = unit_of(region)
            statistic = partial(SetStatistic, scored=scored, region=region, unit=unit, resampling="jackknife")
            yield statistic(
                "fid",
                INSTRUMENT,
                partial(frechet_distance, original, output),
                compute_all=partial(frechet_distances, original, output),
                subgroups=False,
                tested_from=UNBIASED_FROM,
            )
            yield statistic(
                "kid",
                INSTRUMENT,
                partial(kernel_distance, original, output),
                compute_all=partial(kernel_distances, original, output),
            )
