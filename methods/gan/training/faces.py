"""Training faces in memory: crops with masks, landmarks and labels, and batches of them in a reproducible order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

MIRRORED = [1, 0, 2, 4, 3]
"""Landmarks after mirroring: what was the left eye is now the right one."""


@dataclass(frozen=True)
class Faces:
    """N faces as `methods.gan.compact.crop.cut` makes them."""

    images: NDArray[np.uint8]
    """(N, 128, 128, 3)"""
    boxes: NDArray[np.int16]
    """(N, 4) left, top, right, bottom of what is erased, in pixels of the crop."""
    landmarks: NDArray[np.float32]
    """(N, 5, 2) in pixels of the crop."""
    labels: NDArray[np.float32]
    """(N, A) attributes, 0 or 1; (N, 0) where none are needed."""
    skin: NDArray[np.float32] | None = None
    """(N, 3) estimated colour of the skin, RGB 0..255; None where nobody needs it."""

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Batch:
    """Tensors of B faces."""

    image: torch.Tensor
    """(B, 3, 128, 128) in [-1, 1]."""
    keep: torch.Tensor
    """(B, 1, 128, 128): 0 inside the erased box, 1 outside."""
    landmarks: torch.Tensor
    labels: torch.Tensor
    skin: NDArray[np.float32] | None = None


def batch_of(faces: Faces, rows: NDArray[np.int64], rng: np.random.Generator | None) -> Batch:
    """The faces of ``rows``; with ``rng``, half of them mirrored and their masks grown or shrunk a little."""
    image = torch.from_numpy(faces.images[rows]).permute(0, 3, 1, 2).float() / 127.5 - 1.0
    keep = torch.ones(len(rows), 1, *image.shape[2:])
    landmarks = torch.from_numpy(faces.landmarks[rows].astype(np.float32))
    for k, row in enumerate(rows):
        left, top, right, bottom = (int(v) for v in faces.boxes[row])
        if rng is not None:
            # A detector's box is never exact: the network must cope with a few pixels more or less.
            left, top, right, bottom = (
                max(v + int(d), 0) for v, d in zip((left, top, right, bottom), rng.integers(-3, 4, 4), strict=True)
            )
        keep[k, :, top:bottom, left:right] = 0.0
    if rng is not None:
        flip = torch.from_numpy(rng.random(len(rows)) < 0.5)
        image[flip] = image[flip].flip(3)
        keep[flip] = keep[flip].flip(3)
        mirrored = landmarks[:, MIRRORED].clone()
        mirrored[..., 0] = image.shape[3] - mirrored[..., 0]
        landmarks = torch.where(flip[:, None, None], mirrored, landmarks)
    labels = torch.from_numpy(faces.labels[rows])
    skin = None if faces.skin is None else faces.skin[rows]
    return Batch(image.contiguous(memory_format=torch.channels_last), keep, landmarks, labels, skin)
