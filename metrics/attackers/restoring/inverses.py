"""The inverses that anybody would try, each fitted on regions of originals and of releases, each without a network.

Regions are (h, w, 3) uint8, a pair's two of one size, sizes differing between pairs. An inverse is a constant: what it
learns is arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import Float, Floats32, Image

Regions = Sequence[Image]
Values = TypeVar("Values", Image, Floats32)
SAMPLES: Final = 400_000
"""Pixels at most that colours are fitted to."""
TAPS: Final = 31
RIDGE: Final = 1e-2
"""Squared levels that are added to the variances of the filter's inputs; rounding to levels has a twelfth of one."""
PATCH: Final = 8
"""Pixels that a block of a mosaic is drawn with."""
REACH: Final = 2
"""Blocks on each side that its pixels are guessed from."""


class Inverse(Protocol):
    """One way back."""

    @property
    def name(self) -> str: ...

    def fit(self, originals: Regions, released: Regions) -> Columns | None:
        """What it learns from pairs of regions; ``None`` = it does not apply to them."""

    def apply(self, state: Columns, region: Image) -> Image:
        """A region of the same size."""


@dataclass(frozen=True)
class Turned:
    """The region turned back by quarters, after mirroring it left to right. A turned oblong is stretched to fit."""

    quarters: int
    """Counter-clockwise, 0..3."""
    mirrored: bool = False

    @property
    def name(self) -> str:
        return f"turn-{90 * self.quarters}" + ("-mirrored" if self.mirrored else "")

    def fit(self, originals: Regions, released: Regions) -> Columns | None:
        return {}

    def apply(self, state: Columns, region: Image) -> Image:
        turned = np.rot90(region[:, ::-1] if self.mirrored else region, self.quarters)
        if turned.shape != region.shape:
            turned = _resized(np.ascontiguousarray(turned), region.shape, cv2.INTER_LINEAR)
        return np.ascontiguousarray(turned)


class Recoloured:
    """The affine map of colours with the least squared error: it undoes inverted, exchanged and mixed channels."""

    name = "colours"

    def fit(self, originals: Regions, released: Regions) -> Columns | None:
        after, before = _pixels(originals, released)
        inputs = np.column_stack([after, np.full(len(after), 255.0)])
        return {"matrix": np.linalg.lstsq(inputs, before, rcond=1e-9)[0]}

    def apply(self, state: Columns, region: Image) -> Image:
        matrix = np.asarray(state["matrix"], np.float64)
        return rounded(region.reshape(-1, 3) @ matrix[:3] + 255.0 * matrix[3]).reshape(region.shape)


class Toned:
    """One curve per channel, each level replaced by the mean of what the originals have there, whatever its shape."""

    name = "tones"

    def fit(self, originals: Regions, released: Regions) -> Columns | None:
        after, before = _pixels(originals, released)
        return {"curves": np.stack([_curve(after[:, c], before[:, c]) for c in range(3)])}

    def apply(self, state: Columns, region: Image) -> Image:
        curves = np.asarray(state["curves"])
        return np.stack([rounded(curves[c])[region[..., c]] for c in range(3)], axis=2)


@dataclass(frozen=True)
class Filtered:
    """Wiener's filter of `TAPS` x `TAPS` pixels, symmetric both ways: the linear shift-invariant inverse with the least
    squared error, from the normal equations (Wiener, Extrapolation, Interpolation, and Smoothing of Stationary Time
    Series, 1949), of what differs from the mean colour; one filter for all channels."""

    side: int | None = None
    """Pixels that the region's longer side is scaled to, for wide blurs and those that grow with the face; ``None`` =
    as it is."""

    @property
    def name(self) -> str:
        return "wiener" if self.side is None else f"wiener-{self.side}"

    def fit(self, originals: Regions, released: Regions) -> Columns | None:
        after, before = _pixels(originals, released)
        means = np.stack([before.mean(axis=0), after.mean(axis=0)])
        half = TAPS // 2 + 1
        squares, products, count = np.zeros((half * half, half * half)), np.zeros(half * half), 0
        rng = np.random.default_rng(0)
        each = max(SAMPLES // 10 // len(originals), 1)
        for original, release in zip(originals, released, strict=True):
            x, y = self._scaled(release) - np.float32(means[1]), self._scaled(original) - np.float32(means[0])
            at = np.unravel_index(rng.integers(0, y.size, min(each, y.size)), y.shape)
            patches = _folded(_sliding(x, TAPS // 2)[at])
            squares += patches.T @ patches
            products += patches.T @ y[at]
            count += len(patches)
        quarter = np.linalg.solve(squares + count * RIDGE * np.eye(len(squares)), products).reshape(half, half)
        kernel = np.pad(quarter, ((half - 1, 0), (half - 1, 0)), mode="reflect")
        return {"kernel": kernel.astype(np.float32), "means": means}

    def apply(self, state: Columns, region: Image) -> Image:
        means, kernel = np.asarray(state["means"], np.float32), np.asarray(state["kernel"])
        scaled = self._scaled(region)
        filtered = cv2.filter2D(scaled - means[1], -1, kernel, borderType=cv2.BORDER_REFLECT_101)
        return _moved_by(region, filtered + means[0] - scaled)

    def _scaled(self, region: Image) -> Floats32:
        if self.side is None:
            return region.astype(np.float32)
        scale = self.side / max(region.shape[:2])
        size = (max(round(region.shape[1] * scale), 1), max(round(region.shape[0] * scale), 1))
        return np.asarray(cv2.resize(region, size, interpolation=cv2.INTER_AREA), np.float32)


class Unblocked:
    """A mosaic drawn anew: the blocks' edges are read off the picture, and each block's pixels guessed by ridge
    regression from the colours of the 5 x 5 blocks about it, relative to its own; the same map for all channels."""

    name = "mosaic"

    def fit(self, originals: Regions, released: Regions) -> Columns | None:
        inputs, targets = [], []
        for original, release in zip(originals, released, strict=True):
            edges = block_edges(release)
            if edges is None:
                continue
            blocks = _block_means(release, edges)
            drawn = _drawn_by_blocks(original, edges) - blocks.repeat(PATCH, 0).repeat(PATCH, 1)
            inputs.append(_about(blocks))
            targets.append(_patches(drawn))
        if len(inputs) < len(originals) / 2:
            return None
        x, y = np.concatenate(inputs), np.concatenate(targets)
        return {"map": np.linalg.solve(x.T @ x + len(x) * np.eye(x.shape[1]), x.T @ y)}

    def apply(self, state: Columns, region: Image) -> Image:
        edges = block_edges(region)
        if edges is None:
            return region.copy()
        blocks = _block_means(region, edges)
        rows, columns = blocks.shape[:2]
        details = (_about(blocks) @ np.asarray(state["map"])).reshape(rows, columns, 3, PATCH, PATCH)
        drawn = details.transpose(0, 3, 1, 4, 2).reshape(rows * PATCH, columns * PATCH, 3)
        drawn = (drawn + blocks.repeat(PATCH, 0).repeat(PATCH, 1)).astype(np.float32)
        x, y = (_in_patches(edge, length) for edge, length in zip(edges[::-1], region.shape[1::-1], strict=True))
        maps = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
        return rounded(cv2.remap(drawn, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def rounded(values: NDArray[Any]) -> Image:
    """The nearest levels, uint8."""
    return cast(Image, np.clip(np.rint(values), 0, 255).astype(np.uint8))


def block_edges(region: Image) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Edges of a mosaic's rows and columns, from 0 to the region's size; ``None`` where it is no mosaic: at least three
    blocks each way, two pixels in the middle, and lines inside blocks that differ by no more than one level."""
    grey = region.astype(np.int16).mean(axis=2)
    sides = []
    for axis in (0, 1):
        steps = np.median(np.abs(np.diff(grey, axis=axis)), axis=1 - axis)
        edges = np.concatenate([[0], np.flatnonzero(steps > 1) + 1, [grey.shape[axis]]])
        if len(edges) < 4 or np.median(np.diff(edges)) < 2:
            return None
        sides.append(edges.astype(np.int64))
    return sides[0], sides[1]


def _block_means(region: Image, edges: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Float:
    rows, columns = edges
    sums = np.add.reduceat(np.add.reduceat(region.astype(np.float64), rows[:-1], axis=0), columns[:-1], axis=1)
    return cast(Float, sums / (np.diff(rows)[:, None] * np.diff(columns)[None, :])[..., None])


def _drawn_by_blocks(region: Image, edges: tuple[NDArray[np.int64], NDArray[np.int64]]) -> Floats32:
    """The region with every block stretched to `PATCH` pixels each way."""
    y, x = ((np.interp((np.arange((len(e) - 1) * PATCH) + 0.5) / PATCH, np.arange(len(e)), e) - 0.5) for e in edges)
    maps = np.meshgrid(x.astype(np.float32), y.astype(np.float32))
    drawn = cv2.remap(region.astype(np.float32), *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, np.float32)


def _in_patches(edges: NDArray[np.int64], length: int) -> Float:
    """Where each pixel lies in a picture whose blocks have `PATCH` pixels."""
    return np.asarray(np.interp(np.arange(length) + 0.5, edges, np.arange(len(edges)) * PATCH) - 0.5, np.float64)


def _about(blocks: Float) -> Float:
    """(blocks * 3, (2 REACH + 1)^2): the blocks about each, less its own colour, a channel a row."""
    views = _sliding(blocks, REACH)
    return cast(Float, (views - blocks[..., None, None]).reshape(-1, (2 * REACH + 1) ** 2))


def _patches(drawn: NDArray[Any]) -> Float:
    """(blocks * 3, PATCH^2), in the order of `_about`."""
    rows, columns = drawn.shape[0] // PATCH, drawn.shape[1] // PATCH
    return cast(Float, drawn.reshape(rows, PATCH, columns, PATCH, 3).transpose(0, 2, 4, 1, 3).reshape(-1, PATCH**2))


def _pixels(originals: Regions, released: Regions) -> tuple[Float, Float]:
    """(N, 3) colours of releases and of originals at the same pixels, evenly chosen."""
    every = max(sum(region.shape[0] * region.shape[1] for region in originals) // SAMPLES, 1)
    after, before = (
        np.concatenate([region.reshape(-1, 3)[::every] for region in regions]).astype(np.float64)
        for regions in (released, originals)
    )
    return after, before


def _curve(levels: Float, targets: Float) -> Float:
    """(256,) the mean target of each level, by interpolation where no pixel has it."""
    index = levels.astype(np.int64)
    counts = np.bincount(index, minlength=256)
    seen = np.flatnonzero(counts)
    means = np.bincount(index, weights=targets, minlength=256)[seen] / counts[seen]
    return cast(Float, np.interp(np.arange(256), seen, means))


def _sliding(values: NDArray[Any], reach: int) -> NDArray[Any]:
    """(h, w, 3, n, n) views of the n = 2 reach + 1 pixels each way about every pixel of (h, w, 3), mirrored outside."""
    padded = np.pad(values, ((reach, reach), (reach, reach), (0, 0)), mode="reflect")
    return np.lib.stride_tricks.sliding_window_view(padded, (2 * reach + 1, 2 * reach + 1), axis=(0, 1))


def _folded(patches: Floats32) -> Float:
    """(N, n, n) -> (N, ((n + 1) / 2)^2): the sums over the pixels that lie mirrored about the middle lines."""
    middle = patches.shape[1] // 2
    rows = patches[:, middle:].copy()
    rows[:, 1:] += patches[:, middle - 1 :: -1] if middle else 0
    folded = rows[:, :, middle:].copy()
    folded[:, :, 1:] += rows[:, :, middle - 1 :: -1] if middle else 0
    return folded.reshape(len(patches), -1).astype(np.float64)


def _resized(values: Values, shape: tuple[int, ...], how: int) -> Values:
    return np.asarray(cv2.resize(values, shape[1::-1], interpolation=how), values.dtype)


def _moved_by(region: Image, change: Floats32) -> Image:
    """The region with a change added that was made at another size."""
    if change.shape != region.shape:
        change = _resized(change, region.shape, cv2.INTER_CUBIC)
    return rounded(region + change)
