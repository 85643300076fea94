"""BlazeFace: the second detector, asked before a face counts as destroyed; a TensorFlow.js graph run in onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final, Self

import cv2
import numpy as np

from unmask.bench.core.cards import InstrumentCard, package_files
from unmask.bench.core.types import Box, Detection, Float, Image
from unmask.metrics.instruments.support.tfjs_graph import TfjsGraph
from unmask.metrics.instruments.yunet import distinct

SIDE: Final = 256
SCORE: Final = 0.6
"""Faces the network is less sure of are not counted."""
NMS_IOU: Final = 0.3
LAYERS: Final = (
    (16, 2, "Identity", "Identity_2"),
    (8, 6, "Identity_1", "Identity_3"),
)
"""Cells a side, anchors a cell, and the outputs with their scores and their boxes."""


class BlazeFace:
    """Role ``detector``. Its landmarks are eyes and nose; the corners of the mouth are NaN (it knows its middle)."""

    card: ClassVar[InstrumentCard] = InstrumentCard(
        name="blazeface",
        version="1",
        role="detector",
        description="BlazeFace (256-pixel, back camera): asked about places where the judge's detector finds no face.",
        licence="Apache-2.0 (network: Google MediaPipe); MIT (package)",
        source="Bazarevsky et al.: BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs, CVPR workshop "
        "2019; weights: npm @vladmandic/human 3.3.6",
        files=package_files(
            *("npm", "@vladmandic/human", "3.3.6", "models/blazeface"),
            weights=(".bin", 538_928, "dc9a97fdc50bc43216554bdd69aa3e7b9361a519ee7bdd996a2f69a98a6f9b72"),
            graph=(".json", 79_038, "cd7bbfc078270572beb39f9e5ae67aadbd50b5e67cff37e6d4f6b3ea39312e5f"),
        ),
        params={"side_px": SIDE, "score": SCORE, "nms_iou": NMS_IOU},
        limits=(
            "Sees an image at 256 pixels: faces below about a tenth of its longer side are not found, so it is asked "
            "about crops. No method that ships with unmask uses it; a method made to hide from it too does hide. "
            "Always runs on the CPU."
        ),
    )

    def __init__(self, graph: TfjsGraph) -> None:
        self._graph = graph

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """``device`` is ignored: a look takes 4 ms on a CPU. Raises `CheckpointError` for files of another network."""
        outputs = [name for *_, scores, boxes in LAYERS for name in (scores, boxes)]
        return cls(TfjsGraph.open(files["graph"], files["weights"], outputs, "cpu", cls.card.name))

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """All faces of each image, best first, in the image's own pixels."""
        return [self._faces(image) for image in images]

    def _faces(self, image: Image) -> list[Detection]:
        height, width = image.shape[:2]
        scale = SIDE / max(height, width)
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        seen = np.zeros((SIDE, SIDE, 3), np.float32)
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        seen[: size[1], : size[0]] = cv2.resize(image, size, interpolation=interpolation)
        outputs = self._graph.run(seen[None] / np.float32(127.5) - np.float32(1))
        back = np.array([width / size[0], height / size[1]])
        found: list[Detection] = []
        for cells, anchors, scores, boxes in LAYERS:
            rows = outputs[boxes][0].astype(np.float64)
            # The logistic function, which overflows nowhere so.
            score = 0.5 + 0.5 * np.tanh(outputs[scores][0, :, 0] / 2)
            centres = _centres(cells, anchors)
            found += [_detection(rows[k], centres[k], float(score[k]), back) for k in np.flatnonzero(score >= SCORE)]
        return distinct(found, NMS_IOU)


def _centres(cells: int, anchors: int) -> Float:
    """(cells * cells * anchors, 2) pixels of the input, row by row."""
    axis = (np.arange(cells) + 0.5) * (SIDE / cells)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), anchors, axis=0)


def _detection(row: Float, centre: Float, score: float, back: Float) -> Detection:
    """``row``: the box's centre and size, then right eye, left eye, nose, mouth and ears, all about the anchor."""
    x, y = (centre + row[0:2] - row[2:4] / 2) * back
    w, h = row[2:4] * back
    points = np.full((5, 2), np.nan, np.float32)
    points[:3] = (centre + row[4:10].reshape(3, 2)) * back
    return Detection(Box(float(x), float(y), float(w), float(h)), points, score)
