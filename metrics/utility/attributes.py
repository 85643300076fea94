"""What gender and age metrics share: whose readings there are, right and wrong of estimated and of all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Float


class Judged(NamedTuple):
    """(N,) 1.0 right, 0.0 wrong, NaN not to be judged."""

    of_estimated: Float
    """NaN where the target is unknown or the output was not estimated."""
    of_all: Float
    """NaN only where the target is unknown; an output that could not be estimated, for whatever reason, is wrong."""


def instruments_with(evidence: Evidence, reading: str) -> list[str]:
    """The instruments that have ``reading``, such as ``age``, of the originals and of the outputs."""
    return [
        name
        for name, columns in evidence.original.items()
        if reading in columns and reading in evidence.anonymized.get(name, {})
    ]


def judge(target: Float, answer: Float) -> Judged:
    """Compares (N,) answers about the outputs with targets, each a class number or NaN = unknown (thesis 4.3)."""
    known, estimated = ~np.isnan(target), ~np.isnan(answer)
    right = (target == answer).astype(np.float64)
    return Judged(np.where(known & estimated, right, np.nan), np.where(known, right, np.nan))


def majority(target: Float) -> float | None:
    """Share of the commonest known target: what always guessing it would score. ``None`` = no target is known."""
    known = target[~np.isnan(target)]
    if not known.size:
        return None
    return float(np.unique(known, return_counts=True)[1].max() / known.size)
