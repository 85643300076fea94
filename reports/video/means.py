"""Means over clips with their 95 % intervals, for numbers of the tables of clips that are no estimates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unmask.bench.core.stats.intervals import estimates
from unmask.bench.core.stats.resampling import ClusterResamples, replicate_means
from unmask.bench.core.values import UnitValues


@dataclass(frozen=True, slots=True)
class Mean:
    """``None`` = not measured; no interval for fewer than three clips."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """Clips that have the number."""
    missing: int
    """Clips that have not."""


def mean_of(values: Sequence[float | None], replicates: int, seed: int, least: float | None = None) -> Mean:
    """The mean of one number a clip, with the run's own bootstrap over clips; ``least`` bounds the interval below."""
    array = np.array([math.nan if v is None else v for v in values], np.float64)
    resamples = ClusterResamples(np.arange(len(array), dtype=np.int64), replicates, seed)
    (found,) = estimates(replicate_means(UnitValues("", "", array, unit="clip"), resamples), (least, None))
    return Mean(_known(found.value), _known(found.low), _known(found.high), found.n, found.unscored)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
