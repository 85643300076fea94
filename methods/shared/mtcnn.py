"""The face detector that our methods bring along: MTCNN, from the installed package facenet-pytorch.

It is not the judge's detector (YuNet), so a face that a method does not see is a face that the judge still can.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps

from unmask.bench.core.errors import UnavailableError
from unmask.bench.core.types import Box, Detection, Image

SMALLEST_FACE = 20
"""Pixels, in the image that the network sees; the network's first stage looks for nothing smaller."""
SMALLEST_SHARE = 1 / 32
"""Of the longer side: nor for faces below this, which in a photo of 1024 px would take three times as long."""
LONGEST_SIDE = 1024
"""Larger images are reduced to this before detection: a pyramid over 12 megapixels takes seconds."""
BORDER = 64
"""Black pixels put around the image (at most a quarter of its shorter side): the networks judge a face by what is
around it, and where it fills the photo they miss it or place its landmarks badly."""
THRESHOLDS = (0.6, 0.7, 0.7)
"""Of the three stages, as published (Zhang et al. 2016, and the package's default)."""


@cache
def weights() -> Mapping[str, str]:
    """sha256 of the three networks' files as installed: ``mtcnn-pnet``, ``mtcnn-rnet``, ``mtcnn-onet``.

    Finds the package without importing it (which would import torch). Raises `UnavailableError` where it is missing.
    """
    spec = importlib.util.find_spec("facenet_pytorch")
    if spec is None or spec.origin is None:
        raise UnavailableError("the MTCNN detector needs facenet-pytorch; pip install facenet-pytorch==2.5.3")
    folder = Path(spec.origin).parent / "data"
    files = {f"mtcnn-{net}": folder / f"{net}.pt" for net in ("pnet", "rnet", "onet")}
    return MappingProxyType({name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()})


class Mtcnn:
    """All faces of one image at a time, so that a batch cannot change a detection."""

    def __init__(self, device: str) -> None:
        """Loads the networks onto ``device`` (``cpu``, ``cuda``, ``cuda:1``...)."""
        try:
            import torch
            from facenet_pytorch import MTCNN
        except ImportError as error:
            raise UnavailableError(f"the MTCNN detector needs facenet-pytorch and torch: {error}") from error
        self._net: Any = MTCNN(
            keep_all=True, min_face_size=SMALLEST_FACE, thresholds=list(THRESHOLDS), device=torch.device(device)
        )

    def faces(self, image: Image) -> list[Detection]:
        """The faces in pixels of ``image`` (H, W, 3), with five landmarks and the network's confidence each; boxes may
        reach outside it. No particular order."""
        height, width = image.shape[:2]
        shrink = max(1.0, max(height, width) / LONGEST_SIDE)
        photo = Pillow.fromarray(image)
        if shrink > 1:
            size = (max(round(width / shrink), 1), max(round(height / shrink), 1))
            photo = photo.resize(size, Pillow.Resampling.BILINEAR, reducing_gap=3.0)
        if min(photo.size) < SMALLEST_FACE:
            return []  # no scale of its pyramid would be left, on which the package fails
        border = min(BORDER, min(photo.size) // 4)
        self._net.min_face_size = max(SMALLEST_FACE, round(max(photo.size) * SMALLEST_SHARE))
        boxes, scores, points = self._net.detect(ImageOps.expand(photo, border), landmarks=True)
        if boxes is None:
            return []
        scale = np.array([width / photo.width, height / photo.height])
        corners = (np.asarray(boxes, np.float64).reshape(-1, 2, 2) - border) * scale
        landmarks = (np.asarray(points, np.float64).reshape(-1, 5, 2) - border) * scale
        return [
            Detection(
                Box(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])),
                five.astype(np.float32),
                float(score),
            )
            for (low, high), five, score in zip(corners, landmarks, scores, strict=True)
        ]
