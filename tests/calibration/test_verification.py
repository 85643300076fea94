"""EER and TAR against scikit-learn's ROC curve."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.metrics import roc_curve

from unmask.bench.core.stats.error_rates import PairDistances
from unmask.bench.core.types import Float

TOLERANCE = 1e-9


def pairs(seed: int, digits: int) -> tuple[Float, Float]:
    rng = np.random.default_rng(seed)
    genuine, impostor = rng.normal(0.6, 0.25, 400), rng.normal(1.0, 0.15, 3000)
    return np.clip(genuine, 0, 2).round(digits), np.clip(impostor, 0, 2).round(digits)  # few digits = many ties


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("digits", [12, 2])
@pytest.mark.parametrize("seed", [0, 1])
def test_eer_and_tar_equal_scikit_learns_roc(seed: int, digits: int, weighted: bool) -> None:
    genuine, impostor = pairs(seed, digits)
    rng = np.random.default_rng(seed)
    gw = rng.integers(0, 4, len(genuine)).astype(np.float64) if weighted else np.ones(len(genuine))
    iw = rng.integers(0, 4, len(impostor)).astype(np.float64) if weighted else np.ones(len(impostor))
    labels = np.concatenate([np.ones(len(genuine)), np.zeros(len(impostor))])
    scores = -np.concatenate([genuine, impostor])
    fpr, tpr, _ = roc_curve(labels, scores, sample_weight=np.concatenate([gw, iw]), drop_intermediate=False)
    theirs = brentq(lambda x: 1 - x - float(interp1d(fpr, tpr)(x)), 0, 1, xtol=1e-14)
    rates = PairDistances(genuine, impostor).rates(gw, iw)
    assert rates is not None
    assert rates.equal_error_rate() == pytest.approx(theirs, abs=TOLERANCE)
    for fmr in (1e-1, 1e-2, 1e-3):
        assert rates.true_accept_rate(fmr) == pytest.approx(tpr[fpr <= fmr + 1e-12].max(), abs=TOLERANCE)
