"""Tiles or pixels that a method moves to fixed other places, found by assignment over background pairs."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import Bools, Floats32, Image
from unmask.metrics.attackers.restoring.inverses import Regions

FEWEST: Final = 8
"""Regions of one layout that a permutation is found from."""
MOST_ASSIGNED: Final = 1024
"""Tiles up to which the best assignment is sought; of more, two belong together that are most alike either way."""
MOST_COMPARED: Final = 4096
"""Tiles above which only equal ones are matched."""
MOST_PIXELS: Final = 300_000
"""Pixels of a region above which no permutation is sought in it."""
PROBED: Final = 256
"""Places that are looked at first, to tell whether there is a permutation at all."""
ALIKE: Final = 0.9
"""Correlation over pairs that a tile put back must have with what lay there, at the median of those that moved."""


@dataclass(frozen=True)
class Tiled:
    """Tiles put back. Their edges count from the region's left top corner; what is left over at the other sides stays.

    The same tile of all pairs is one long vector, and two tiles belong together where these correlate, or anticorrelate
    (inverted colours). So the permutation must be the same for all regions of one layout.
    """

    side: int | None = None
    """Pixels of a square tile; or"""
    across: int | None = None
    """as many tiles across as down, whose size follows the region's."""

    @property
    def name(self) -> str:
        return f"tiles-{self.side}px" if self.side else f"tiles-{self.across}x{self.across}"

    def fit(self, originals: Regions, released: Regions) -> Columns | None:
        layouts: dict[tuple[int, int], list[int]] = defaultdict(list)
        for k, region in enumerate(originals):
            rows, columns, height, width = self._layout(region)
            if min(height, width) > 0 and rows * columns > 1 and region.shape[0] * region.shape[1] <= MOST_PIXELS:
                layouts[rows, columns].append(k)
        state = {}
        for (rows, columns), members in layouts.items():
            if len(members) >= FEWEST:
                pictures = [[regions[k] for k in members] for regions in (released, originals)]
                if rows * columns <= MOST_COMPARED:
                    order = _matched(*map(self._vectors, pictures))
                else:
                    order = _equal(*map(self._bytes, pictures))
                if order is not None:
                    state[f"{rows}x{columns}"] = order
        return state or None

    def apply(self, state: Columns, region: Image) -> Image:
        rows, columns, height, width = self._layout(region)
        output = region.copy()
        order = state.get(f"{rows}x{columns}")
        if order is not None:
            inner = np.s_[: rows * height, : columns * width]
            back = self._tiles(region)[np.asarray(order)]
            output[inner] = back.reshape(rows, columns, height, width, 3).swapaxes(1, 2).reshape(output[inner].shape)
        return output

    def _layout(self, region: Image) -> tuple[int, int, int, int]:
        """Rows, columns, and the height and width of a tile."""
        height, width = region.shape[:2]
        if self.side:
            return height // self.side, width // self.side, self.side, self.side
        assert self.across
        return self.across, self.across, height // self.across, width // self.across

    def _tiles(self, region: Image) -> Image:
        """(tiles, height, width, 3), row by row."""
        rows, columns, height, width = self._layout(region)
        tiles = region[: rows * height, : columns * width].reshape(rows, height, columns, width, 3).swapaxes(1, 2)
        return np.ascontiguousarray(tiles).reshape(rows * columns, height, width, 3)

    def _bytes(self, regions: Sequence[Image]) -> Image:
        """(tiles, D) all levels of all regions."""
        return np.concatenate([self._tiles(r).reshape(len(self._tiles(r)), -1) for r in regions], axis=1)

    def _vectors(self, regions: Sequence[Image]) -> Floats32:
        """(tiles, D) of all regions, each tile as up to 2 x 2 means, centred and of length one; 0 where constant."""
        parts = []
        for region in regions:
            rows, columns, height, width = self._layout(region)
            fine = (min(height, 2), min(width, 2))
            size = (columns * fine[1], rows * fine[0])
            inner = region[: rows * height, : columns * width]
            means = cv2.resize(np.ascontiguousarray(inner), size, interpolation=cv2.INTER_AREA)
            tiles = means.reshape(rows, fine[0], columns, fine[1], 3).swapaxes(1, 2)
            parts.append(tiles.reshape(rows * columns, -1).astype(np.float32))
        vectors = np.concatenate(parts, axis=1)
        vectors -= vectors.mean(axis=1, keepdims=True)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        return cast(Floats32, vectors / np.where(length > 0, length, 1))


def _matched(released: Floats32, originals: Floats32) -> NDArray[np.int64] | None:
    """(tiles,) which tile of the release lies at each place of the original; ``None`` where none moved, or those that
    did are not alike."""
    places = np.arange(len(originals))
    probed = np.random.default_rng(0).permutation(places)[:PROBED]
    alike = np.abs(originals[probed] @ released.T)
    if not _fits(alike.max(axis=1), originals[probed], alike.argmax(axis=1) != probed):
        return None
    alike = np.abs(originals @ released.T)
    if len(places) <= MOST_ASSIGNED:
        order = linear_sum_assignment(-alike)[1].astype(np.int64)
    else:
        nearest = alike.argmax(axis=1)
        mutual = alike.argmax(axis=0)[nearest] == places
        order = _completed(np.where(mutual, nearest, -1))
    return order if _fits(alike[places, order], originals, order != places) else None


def _fits(alike: Floats32, originals: Floats32, moved: Bools) -> bool:
    moved = moved & (np.linalg.norm(originals, axis=1) > 0)
    return bool(moved.any()) and float(np.median(alike[moved])) >= ALIKE


def _equal(released: Image, originals: Image) -> NDArray[np.int64] | None:
    """The same for tiles whose levels, or their inverses, are the same ones in all pairs."""
    for shown in (released, 255 - released):
        tiles: dict[bytes, deque[int]] = defaultdict(deque)
        for k, levels in enumerate(shown):
            tiles[levels.tobytes()].append(k)
        lookups = (tiles.get(levels.tobytes()) for levels in originals)
        order = np.array([where.popleft() if where else -1 for where in lookups])
        if (order >= 0).mean() >= ALIKE and (order != np.arange(len(order))).any():
            return _completed(order)
    return None


def _completed(order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Places without a tile (-1) get those left over, in order."""
    order = order.copy()
    order[order < 0] = np.setdiff1d(np.arange(len(order)), order)
    return order
