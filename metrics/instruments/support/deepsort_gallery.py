"""The looks that DeepSORT remembers of each track: the package's own gallery, kept ready to be compared with.

The package stacks and normalises every look of every track anew in each frame, so that a person who stays for a minute
takes most of the time. Here each look is normalised once and put behind the others; distances are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.types import Float, Floats32

_FIRST = 64
"""Looks that a track has room for at first."""


class Gallery:
    """Stands in for the package's ``NearestNeighborDistanceMetric`` with its cosine distance."""

    def __init__(self, threshold: float, budget: int) -> None:
        """``threshold``: larger distances link nothing. ``budget``: latest looks remembered of a track; 0 = all."""
        self.matching_threshold = threshold
        self._budget = budget
        self._tracks: dict[str, _Looks] = {}

    def partial_fit(self, features: NDArray[Any], targets: NDArray[Any], active_targets: Sequence[str]) -> None:
        """Remembers ``features`` (K, D) of the tracks ``targets`` (K,) and forgets all but the active ones."""
        for feature, target in zip(features, targets, strict=True):
            self._tracks.setdefault(str(target), _Looks(len(feature), self._budget)).add(feature)
        self._tracks = {target: self._tracks[target] for target in active_targets}

    def distance(self, features: NDArray[Any], targets: Sequence[str]) -> Float:
        """(T, M) smallest cosine distance of each of M features to any look of each of T tracks."""
        unit = _normalised(features)
        return np.array([(1.0 - self._tracks[str(t)].rows @ unit.T).min(axis=0) for t in targets], np.float64)


class _Looks:
    """The looks of one track."""

    def __init__(self, dimension: int, budget: int) -> None:
        self._budget = budget
        # Twice the budget, so that rows are moved up only once in so many frames.
        self._kept = np.empty((2 * budget if budget else _FIRST, dimension), np.float32)
        self._count = 0

    @property
    def rows(self) -> Floats32:
        """(N, D) normalised, in the order they came."""
        return self._kept[max(self._count - self._budget, 0) if self._budget else 0 : self._count]

    def add(self, feature: NDArray[Any]) -> None:
        if self._count == len(self._kept):
            rows = self.rows
            room = len(self._kept) if self._budget else 2 * self._count
            grown = np.empty((room, rows.shape[1]), np.float32)
            grown[: len(rows)] = rows
            self._kept, self._count = grown, len(rows)
        self._kept[self._count] = _normalised(feature[None])[0]
        self._count += 1


def _normalised(rows: NDArray[Any]) -> Floats32:
    single = np.asarray(rows, np.float32)
    return np.asarray(single / np.linalg.norm(single, axis=1, keepdims=True), np.float32)
