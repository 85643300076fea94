"""What all recognisers share: a crop, batches, embeddings of length 1, NaN for a face that cannot be read, and looks.

Looks are what an attacker tries with a face's crop before asking a recogniser again. A face can be turned, mirrored,
inverted or finely disturbed so that a recogniser no longer matches it while people do; each is undone in a moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import InstrumentCard
from unmask.bench.core.evidence import LOOKS, look_column
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import FaceView, Floats32, Image
from unmask.metrics.instruments.support.crops import aligned, located, usable

BLUR: Final = 1.8 / 112
"""Sigma of the Gaussian over the crop's side: takes fine disturbances away and leaves a face that is recognised."""
Embed = Callable[[NDArray[np.uint8]], Floats32]
"""(B, S, S, 3) uint8 RGB -> (B, D) float32; a row does not depend on the others beyond rounding."""


class Embedder:
    """The body of a recogniser. A subclass has a card, the two numbers, a way to open its network and, where it sees
    another crop than the aligned one, its own `cut`."""

    card: ClassVar[InstrumentCard]
    dimension: ClassVar[int]
    batch: ClassVar[int]
    """Faces at a time."""

    def __init__(self, network: Embed) -> None:
        self._network = network

    def cut(self, face: FaceView) -> Image | None:
        """The (S, S, 3) uint8 RGB crop that the network sees; ``None`` = it cannot be cut."""
        return aligned(face)

    def read(self, faces: Sequence[FaceView]) -> Columns:
        """{"embedding": (N, dimension) float32}, see `embed`."""
        return {"embedding": self.embed([self.cut(face) if located(face) else None for face in faces])}

    def embed(self, crops: Sequence[Image | None]) -> Floats32:
        """(N, dimension) float32 embeddings of length 1; NaN rows for faces that are not located or cannot be cut."""
        result = np.full((len(crops), self.dimension), np.nan, np.float32)
        self.fill(result, crops, lambda part: normalised(self._network(part)))
        return result

    def fill(self, rows: NDArray[Any], crops: Sequence[Image | None], read: Embed) -> None:
        """Puts what ``read`` makes of the N crops, a batch at a time, into their ``rows`` (N, D)."""
        there, cut = usable(crops)
        for start in range(0, len(cut), self.batch):
            part = slice(start, start + self.batch)
            rows[there[part]] = read(np.stack(cut[part]))


class LookEmbedder(Embedder):
    """A recogniser whose card has ``looks``."""

    def read_looks(self, faces: Sequence[FaceView]) -> Columns:
        """{`look_column`: (N, dimension) float32} for each of `LOOKS`, as `embed` makes of the plain crops."""
        crops = [self.cut(face) if located(face) else None for face in faces]
        return {
            look_column(look): self.embed([None if crop is None else _CHANGES[look](crop) for crop in crops])
            for look in LOOKS
        }


def normalised(vectors: Floats32) -> Floats32:
    """(N, D) rows scaled to length 1; a row of zeros or of values that are not finite becomes NaN."""
    wide = vectors.astype(np.float64)
    length = np.sqrt((wide * wide).sum(axis=1, keepdims=True))
    good = np.isfinite(length) & (length > 0)
    return np.where(good, wide / np.where(good, length, 1.0), np.nan).astype(np.float32)


def _blurred(crop: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), BLUR * len(crop)), np.uint8)


def _halved(crop: Image) -> Image:
    side = len(crop)
    small = cv2.resize(crop, (side // 2, side // 2), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(small, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)


_CHANGES: Final[Mapping[str, Callable[[Image], Image]]] = {
    "turned-90": np.rot90,
    "turned-180": partial(np.rot90, k=2),
    "turned-270": partial(np.rot90, k=3),
    "mirrored": lambda crop: crop[:, ::-1],
    "inverted": lambda crop: 255 - crop,
    "blurred": _blurred,
    "halved": _halved,
}
