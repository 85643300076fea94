"""Detectors of the package ultralytics (YOLOv8, YOLO11 and others) find people, for those who have it and a model.

Only models exported to ONNX are taken. A ``.pt`` is a pickle, which ultralytics unpickles in full: opening it runs
whatever its maker put in, and the package's "safe" mode cannot load a model to run it. An ``.onnx`` holds numbers and a
graph. What is dangerous about it in ultralytics is checked here first: old versions of the package evaluate some of the
file's metadata as Python, and it chooses a format by what a file's name contains (``x.pt.onnx`` would be unpickled).
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import re
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from unmask.bench.core.cards import OWN_WEIGHTS, InstrumentCard
from unmask.bench.core.errors import CheckpointError, SpecError, UnavailableError
from unmask.bench.core.files import remembered_sha256
from unmask.bench.core.types import Box, Image
from unmask.bench.core.video import PersonBox
from unmask.metrics.instruments.support.onnx_session import read_model, torch_device
from unmask.metrics.instruments.support.parameters import share

_PACKAGE: Final = "ultralytics"
PERSON: Final = "person"
MOST: Final = 100
"""People in one image at most."""
MAX_BYTES: Final = 1_000_000_000
_PLAIN_NAME: Final = re.compile(r"[^.]+\.onnx\Z")
_EVALUATED: Final = frozenset({"imgsz", "names", "kpt_shape", "kpt_names", "args", "end2end"})
"""Metadata that the package makes Python values of."""
_ENVIRONMENT: Final = {"YOLO_AUTOINSTALL": "false", "YOLO_OFFLINE": "true", "YOLO_VERBOSE": "false"}
"""Read by the package when it is imported: else it installs packages, reports usage and prints as it pleases."""


class Ultralytics:
    """A model of the user's own; the package is an optional extra.

    ``model``: path of a detector exported to ONNX (``yolo export model=yolo11n.pt format=onnx``). ``score``: boxes
    below are dropped. ``iou``: of two boxes that overlap by more than this the better one is kept.
    Raises `UnavailableError` where the file or the package is missing and `SpecError` for a file of another format.
    """

    def __init__(self, *, model: str, score: float = 0.5, iou: float = 0.5) -> None:
        self._score, self._iou = share(_PACKAGE, "score", score), share(_PACKAGE, "iou", iou)
        path = Path(str(model)).expanduser()
        if path.suffix != ".onnx":
            raise SpecError(
                f"ultralytics: model={model} is not taken, since such files can run code when opened; "
                "export it where you trust it (yolo export model=... format=onnx) and give the .onnx file"
            )
        if not _PLAIN_NAME.match(path.name):
            raise SpecError(f"ultralytics: rename {path.name} so that its only dot is that of .onnx")
        if not path.is_file():
            raise UnavailableError(f"ultralytics: model={model} is not a file; give the path of your .onnx file")
        if _PACKAGE not in sys.modules and importlib.util.find_spec(_PACKAGE) is None:
            raise UnavailableError(
                "the detector ultralytics needs its package (AGPL-3.0): pip install 'unmask[ultralytics]', "
                "or use yolov3-tiny"
            )
        self._path = path
        self._device, self._person = "cpu", 0
        self._input: list[int] | None = None
        self._model: Any = None
        # The package keeps the current image in the model.
        self._lock = threading.Lock()

    @property
    def card(self) -> InstrumentCard:
        return InstrumentCard(
            name="ultralytics",
            version="1",
            role="people",
            description="A detector of the package ultralytics, class person, with the package's own resizing (shape "
            f"kept) and non-maximum suppression; at most {MOST} people; clipped to the image.",
            licence="AGPL-3.0 (package ultralytics); the model as the user got it, mostly AGPL-3.0",
            source="Jocher et al.: Ultralytics YOLO, github.com/ultralytics/ultralytics",
            # Not the path: the same file is the same plan wherever it lies, and paths can name people.
            params={"score": self._score, "iou": self._iou, OWN_WEIGHTS: remembered_sha256(self._path)},
            limits="The file is the user's own: the plan records its sha256, not where it is from, nor the package's "
            "version. Not the thesis's detector.",
            default=False,
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """``files`` is empty. Raises `CheckpointError` for a file that is no such detector, or not a safe one."""
        torch_device(device, "ultralytics")
        self._person, self._input = _inspect(self._path)
        if _PACKAGE not in sys.modules:
            os.environ.update(_ENVIRONMENT)
        try:
            package = importlib.import_module(_PACKAGE)
        except ImportError as error:
            raise UnavailableError(f"the package ultralytics cannot be imported: {error}") from error
        self._model, self._device = package.YOLO(str(self._path), task="detect"), device

    def detect(self, images: Sequence[Image]) -> list[list[PersonBox]]:
        """The people of each RGB image (any sizes, mixed), best first; boxes in the image's own pixels, inside it."""
        if self._model is None:
            raise RuntimeError("load() must be called before detect()")
        return [self._one(image) for image in images]

    def _one(self, image: Image) -> list[PersonBox]:
        settings: dict[str, Any] = {} if self._input is None else {"imgsz": self._input}
        with self._lock:
            # Arrays are taken for BGR; one at a time, since most exports have a batch of one.
            (answer,) = self._model.predict(
                [np.ascontiguousarray(image[..., ::-1])],
                conf=self._score,
                iou=self._iou,
                classes=[self._person],
                max_det=MOST,
                device=self._device,
                verbose=False,
                **settings,
            )
        boxes = answer.boxes.cpu().numpy()
        height, width = image.shape[:2]
        people = []
        for edges, score, kind in zip(boxes.xyxy, boxes.conf, boxes.cls, strict=True):
            left, right = (float(np.clip(edges[i], 0, width)) for i in (0, 2))
            top, bottom = (float(np.clip(edges[i], 0, height)) for i in (1, 3))
            if int(kind) == self._person and right > left and bottom > top:
                people.append(PersonBox(Box(left, top, right - left, bottom - top), float(np.clip(score, 0, 1))))
        return sorted(people, key=lambda person: -person.score)


def _inspect(path: Path) -> tuple[int, list[int] | None]:
    """The number of the class person, and the input's height and width where the file says.

    Raises `CheckpointError` where the file is no network with such a class, or holds metadata that is no plain value.
    """
    if path.stat().st_size > MAX_BYTES:
        raise CheckpointError(f"{path.name} has more than {MAX_BYTES} bytes; that is no detector")
    stored = {entry.key: entry.value for entry in read_model(path).metadata_props}
    values: dict[str, Any] = {}
    for key in _EVALUATED & set(stored):
        try:
            values[key] = ast.literal_eval(stored[key])
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            raise CheckpointError(
                f"{path.name}: its metadata {key!r} is no plain value; do not use the file"
            ) from error
    names = values.get("names")
    people = [number for number, name in names.items() if name == PERSON] if isinstance(names, dict) else []
    if len(people) != 1 or not isinstance(people[0], int):
        raise CheckpointError(f"{path.name} has no class {PERSON!r}; give a detector exported by ultralytics")
    size = values.get("imgsz")
    plain = isinstance(size, list) and len(size) == 2 and all(isinstance(n, int) and 32 <= n <= 4096 for n in size)
    return people[0], size if plain else None
