"""Training faces in memory: crops with masks, landmarks and labels, and batches of them in a reproducible order."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from unmask.bench.core.errors import ConfigError

MIRRORED = [1, 0, 2, 4, 3]
"""Landmarks after mirroring: what was the left eye is now the right one."""
JITTER = 3
"""Pixels by which each edge of an erased box is moved at most: a detector's box is never exact."""
GROWTH = 4
"""Pixels by which all edges are moved outward at most: a soft edge (`methods.gan.runtime.crop.GROWN`) erases more."""
DARK = 12
"""Mean grey (0..255) up to which a row or column at a crop's edge is taken to lie outside the photo."""
STREAKS = 12
"""Pixels beyond a photo's edge that repeat that edge; farther out they are blurred."""
BLUR = 8
"""Pixels to each side over which they are blurred: fewer than `STREAKS`, so that no blur reaches into the photo."""


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


def shuffled(labels: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """(B, A) labels of the same batch in another order: somebody else's for most."""
    return labels[on(labels.device, rng.permutation(len(labels)))]


def batch_of(
    faces: Faces, rows: NDArray[np.int64], rng: np.random.Generator | None, surroundings: float = 0.0
) -> Batch:
    """The faces of ``rows``; with ``rng``, half of them mirrored and their masks moved and grown a little, and a share
    of ``surroundings`` of them continued beyond the edge of their photo."""
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
        if surroundings:
            filled = on(device, rng.random(len(rows)) < surroundings)
            image = torch.where(filled[:, None, None, None], continued(image), image)
    return Batch(image.contiguous(memory_format=torch.channels_last), keep, landmarks, chosen.labels, chosen.skin)


def continued(image: torch.Tensor) -> torch.Tensor:
    """(N, 3, S, S) in [-1, 1]: the black that lies beyond a photo's edge filled with the pixels of that edge, which are
    blurred farther out.

    Most training photos end beside the face, so that a network would learn that nothing surrounds a face. Nothing is
    mirrored or taken from further inside the photo: that would show the erased face.
    """
    side = image.shape[-1]
    grey = image.mean(1)
    bright = 2 * DARK / 255 - 1
    places, distances = [], []
    for across in (2, 1):
        lit = (grey.mean(3 - across) > bright).int()  # of columns, then of rows
        first = lit.argmax(1)
        last = side - 1 - lit.flip(1).argmax(1)
        at = torch.arange(side, device=image.device).expand(len(image), side)
        place = torch.minimum(torch.maximum(at, first[:, None]), last[:, None])
        places.append(place)
        distances.append((at - place).abs())
    columns, rows = places
    image = image.gather(2, rows[:, None, :, None].expand_as(image))
    image = image.gather(3, columns[:, None, None, :].expand_as(image))
    distance = torch.maximum(distances[1][:, None, :, None], distances[0][:, None, None, :])
    padded = functional.pad(image, (BLUR,) * 4, mode="replicate")
    blurred = functional.avg_pool2d(padded, 2 * BLUR + 1, 1)
    return torch.where(distance > STREAKS, blurred, image)


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


def training_batches(
    faces: Faces, size: int, seed: int, start: int, mirror: bool, surroundings: float = 0.0
) -> Iterator[Batch]:
    """The batches of `in_order`; with ``mirror``, as `batch_of` changes them."""
    for number, rows in in_order(len(faces), size, seed, start):
        yield batch_of(faces, rows, np.random.default_rng((seed, number, 1)) if mirror else None, surroundings)
