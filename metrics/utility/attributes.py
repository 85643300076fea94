"""What gender and age metrics share: whose readings there are, age groups, right and wrong of estimated and of all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Float

NO_GROUP = -1.0
"""An age that was estimated but lies in none of the groups."""


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


def as_female(p_female: NDArray[Any]) -> Float:
    """(N,) probabilities -> 1.0 female (0.5 and above), 0.0 male, NaN where there is none."""
    p = np.asarray(p_female, dtype=np.float64)
    return np.where(np.isnan(p), np.nan, p >= 0.5)


def age_group(age: NDArray[Any], groups: Sequence[tuple[int, int]]) -> Float:
    """(N,) years -> number of the group, `NO_GROUP` or NaN.

    Ages count in completed years, as people state them: 19.6 belongs to 0-19. An estimate below zero counts as zero.
    """
    years = np.floor(np.maximum(np.asarray(age, dtype=np.float64), 0))
    number = np.where(np.isnan(years), np.nan, NO_GROUP)
    for index, (low, high) in enumerate(groups):
        number[(years >= low) & (years <= high)] = index
    return number


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
