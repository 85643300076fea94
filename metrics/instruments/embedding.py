"""What all recognisers share: cut, run in batches, normalise, and leave a NaN row for a face that cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.types import FaceView, Floats32, Image
from unmask.metrics.instruments.crops import located, usable


def embed(
    faces: Sequence[FaceView],
    cut: Callable[[FaceView], Image | None],
    network: Callable[[NDArray[np.uint8]], Floats32],
    *,
    dimension: int,
    batch: int,
) -> Floats32:
    """(N, dimension) float32 embeddings of length 1; NaN rows for faces that are not located or cannot be cut.

    ``cut`` makes an (S, S, 3) crop of a face; ``network`` turns (B, S, S, 3) uint8 RGB, B <= ``batch``, into
    (B, dimension). A row does not depend on the other faces of its batch beyond rounding.
    """
    rows, crops = usable([cut(face) if located(face) else None for face in faces])
    result = np.full((len(faces), dimension), np.nan, np.float32)
    for start in range(0, len(crops), batch):
        raw = network(np.stack(crops[start : start + batch]))
        result[rows[start : start + batch]] = normalised(raw)
    return result


def normalised(vectors: Floats32) -> Floats32:
    """(N, D) rows scaled to length 1; a row of zeros or of values that are not finite becomes NaN."""
    wide = vectors.astype(np.float64)
    length = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
    good = np.isfinite(length) & (length > 0)
    return np.where(good, wide / np.where(good, length, 1.0), np.nan).astype(np.float32)
