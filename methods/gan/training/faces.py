"""Training faces in memory: crops with masks, landmarks and labels, and batches of them in a reproducible order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.bench.core.errors import ConfigError

MIRRORED = [1, 0, 2, 4, 3]
"""Landmarks after mirroring: what was the left eye is now the right one."""
JITTER = 3
"""Pixels by which each edge of an erased box is moved at most: a detector's box is never exact."""
GROWTH = 4
"""Pixels by which all edges are moved outward at most: a soft edge (`methods.gan.runtime.crop.GROWN`) erases more."""


@dataclass(frozen=True)
class Faces:
    """N faces as `methods.gan.runtime.crop.cut` makes them, all tensors on one device."""

    images: torch.Tensor
    """(N, S, S, 3) uint8, RGB."""
    boxes: torch.Tensor
    """(N, 4) int16: left, top, right, bottom of what is erased, in pixels of the crop; right and bottom exclusive."""
    landmarks: torch.Tensor
    """(N, 5, 2) float32, in pixels of the crop."""
    labels: torch.Tensor
    """(N, A) float32 attributes, 0 or 1; (N, 0) where none are needed."""
    skin: torch.Tensor | None = None
    """(N, 3) float32 estimated colour of the skin, RGB 0..255; NaN where there is none to estimate; None = not read."""

    def __len__(self) -> int:
        return len(self.images)

    def to(self, device: torch.device) -> Faces:
        return self._map(lambda tensor: tensor.to(device))

    def of(self, rows: torch.Tensor) -> Faces:
        """The faces of ``rows``: (M,) indices or (N,) booleans."""
        return self._map(lambda tensor: tensor[rows])

    def _map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Faces:
        skin = None if self.skin is None else change(self.skin)
        return Faces(change(self.images), change(self.boxes), change(self.landmarks), change(self.labels), skin)


@dataclass(frozen=True)
class Batch:
    """B faces as the networks get them."""

    image: torch.Tensor
    """(B, 3, S, S) in [-1, 1], channels last in memory."""
    keep: torch.Tensor
    """(B, 1, S, S): 0 inside the erased box, 1 outside."""
    landmarks: torch.Tensor
    """(B, 5, 2) in pixels of the crop."""
    labels: torch.Tensor
    """(B, A), 0 or 1."""
    skin: torch.Tensor | None = None
    """(B, 3), RGB 0..255."""

    def __len__(self) -> int:
        return len(self.image)


def on(device: torch.device, array: NDArray[Any]) -> torch.Tensor:
    """The array as a tensor on ``device``, without waiting for what a GPU is doing."""
    return torch.from_numpy(array).to(device, non_blocking=True)


def batch_of(faces: Faces, rows: NDArray[np.int64], rng: np.random.Generator | None) -> Batch:
    """The faces of ``rows``; with ``rng``, half of them mirrored and their masks moved and grown a little."""
    device, side = faces.images.device, faces.images.shape[1]
    chosen = faces.of(on(device, rows))
    image = chosen.images.permute(0, 3, 1, 2).float() / 127.5 - 1.0
    boxes, landmarks = chosen.boxes.long(), chosen.landmarks
    if rng is not None:
        moves = rng.integers(-JITTER, JITTER + 1, (len(rows), 4))
        outward = rng.integers(0, GROWTH + 1, (len(rows), 1)) * np.array([-1, -1, 1, 1])
        boxes = (boxes + on(device, moves + outward)).clamp(min=0)
    left, top, right, bottom = boxes[..., None].unbind(1)
    at = torch.arange(side, device=device)
    inside = ((at >= top) & (at < bottom))[:, :, None] & ((at >= left) & (at < right))[:, None]
    keep = (~inside).float()[:, None]
    if rng is not None:
        flip = on(device, rng.random(len(rows)) < 0.5)
        image = torch.where(flip[:, None, None, None], image.flip(3), image)
        keep = torch.where(flip[:, None, None, None], keep.flip(3), keep)
        mirrored = landmarks[:, MIRRORED]  # a copy
        mirrored[..., 0] = side - mirrored[..., 0]
        landmarks = torch.where(flip[:, None, None], mirrored, landmarks)
    return Batch(image.contiguous(memory_format=torch.channels_last), keep, landmarks, chosen.labels, chosen.skin)


def first_faces(faces: Faces) -> Batch:
    """The batch that sample grids show, at most 16 faces."""
    return batch_of(faces, np.arange(min(16, len(faces))), None)


def in_order(count: int, size: int, seed: int, start: int) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """(number, rows) of batch ``start`` and all that follow, without end, the same ones whenever it starts there.
    Raises `ConfigError` where ``count`` faces make no batch of ``size``."""
    per_epoch = count // size
    if not per_epoch:
        raise ConfigError(f"{count} training faces are fewer than one batch of {size}; lower batch, or add --data")
    for number in itertools.count(start):
        epoch, within = divmod(number, per_epoch)
        if number == start or within == 0:
            order = np.random.default_rng((seed, epoch)).permutation(count)
        yield number, order[within * size : (within + 1) * size]


def training_batches(faces: Faces, size: int, seed: int, start: int, mirror: bool) -> Iterator[Batch]:
    """The batches of `in_order`; half of the faces mirrored with ``mirror``."""
    for number, rows in in_order(len(faces), size, seed, start):
        yield batch_of(faces, rows, np.random.default_rng((seed, number, 1)) if mirror else None)
