"""FID against pytorch-fid, KID against torchmetrics, on the same features."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from unmask.bench.core.types import Floats32
from unmask.metrics.quality.distribution import frechet_distance, kernel_distance

FID_TOLERANCE = 1e-3  # relative; pytorch-fid takes a matrix square root, we take singular values
KID_TOLERANCE = 1e-4


def features(n: int, dim: int, seed: int = 0) -> tuple[Floats32, Floats32]:
    """Correlated, non-negative like pooled ReLU features, the second set a changed copy of the first."""
    rng = np.random.default_rng(seed)
    mix = rng.normal(size=(dim // 4, dim)) / np.sqrt(dim // 4)
    a = np.maximum(rng.normal(size=(n, dim // 4)) @ mix + 0.3 * rng.normal(size=(n, dim)), 0)
    b = np.maximum(a + 0.2 * rng.normal(size=(n, dim)) + 0.05, 0)
    return a.astype(np.float32), b.astype(np.float32)


def their_fid(a: Floats32, b: Floats32) -> float:
    from pytorch_fid.fid_score import calculate_frechet_distance  # seconds, which every worker would spend

    return float(calculate_frechet_distance(a.mean(0), np.cov(a, rowvar=False), b.mean(0), np.cov(b, rowvar=False)))


@pytest.mark.parametrize(("n", "dim"), [(60, 256), (256, 64), (300, 256)])
def test_fid_equals_pytorch_fid(n: int, dim: int) -> None:
    a, b = features(n, dim)
    assert frechet_distance(a, b, np.ones(n)) == pytest.approx(their_fid(a, b), rel=FID_TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("n", [60, 2500])
def test_fid_equals_pytorch_fid_at_full_width(n: int) -> None:
    a, b = features(n, 2048)
    assert frechet_distance(a, b, np.ones(n)) == pytest.approx(their_fid(a, b), rel=FID_TOLERANCE)


class _Given(torch.nn.Module):
    """Hands features through where torchmetrics would run its own network."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.num_features = dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


@pytest.mark.parametrize("n", [30, 200])
def test_kid_equals_torchmetrics_on_the_whole_set_but_for_the_pairs(n: int) -> None:
    from torchmetrics.image.kid import KernelInceptionDistance

    a, b = features(n, 128)
    theirs = KernelInceptionDistance(feature=_Given(128), subsets=1, subset_size=n)
    theirs.update(torch.from_numpy(a).double(), real=True)
    theirs.update(torch.from_numpy(b).double(), real=False)
    mean, _ = theirs.compute()
    # Theirs is of independent sets and compares an original with its own output too.
    cross = (a.astype(np.float64) @ b.T / 128 + 1) ** 3
    paired = float(mean) + 2 * cross.mean() - 2 * (cross.sum() - np.trace(cross)) / (n * (n - 1))
    assert kernel_distance(a, b, np.ones(n)) == pytest.approx(paired, abs=KID_TOLERANCE)
