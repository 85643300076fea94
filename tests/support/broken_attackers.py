"""Attackers that are broken: of what they do nobody may conclude that a method protects people."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core import registry
from unmask.bench.core.cards import AttackerCard
from unmask.bench.core.protocols import Background, Columns
from unmask.bench.core.types import Float
from unmask.metrics.attackers.linear import PairMap, Ridge


class ShuffledLabels(Ridge):
    """Learns the linear map from each output to somebody else's photo."""

    card = AttackerCard("shuffled-labels", "1", "shuffled labels", "pairs that do not belong together", "ridge", "-")

    def fit(self, background: Background, *, seed: int) -> Columns:
        order = np.random.default_rng(seed).permutation(len(background.identity))
        released = {name: rows[order] for name, rows in background.released.items()}
        return super().fit(replace(background, released=released), seed=seed)


class ZeroWeights(PairMap):
    """Reads every released face as the same one."""

    card = AttackerCard("zero-weights", "1", "weights at zero", "pairs of other people", "a map of zeros", "-")

    def linear_map(self, released: Float, original: Float, identity: NDArray[Any]) -> Float:
        return np.zeros((released.shape[1], original.shape[1]))


BROKEN: Final = {"shuffled-labels": ShuffledLabels, "zero-weights": ZeroWeights}


@contextmanager
def installed() -> Iterator[None]:
    """Adds them by entry points, as another distribution does, for this process and the workers that it starts."""
    with TemporaryDirectory() as site:
        info = Path(site) / "broken_attackers-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-attackers\nVersion: 1\n")
        lines = [f"{name} = {cls.__module__}:{cls.__name__}" for name, cls in BROKEN.items()]
        (info / "entry_points.txt").write_text("\n".join(["[unmask.attackers]", *lines, ""]))
        sys.path.insert(0, site)
        registry.targets.cache_clear()
        try:
            yield
        finally:
            sys.path.remove(site)
            registry.targets.cache_clear()
