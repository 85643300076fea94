"""Age and gender by face-api's small Xception network ("TinyXception"), in torch. The second estimator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np

from unmask.bench.core.cards import InstrumentCard, PackageFile
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import FaceView, Floats32, Image
from unmask.metrics.instruments.crops import square, usable
from unmask.metrics.instruments.onnx_session import fast_network
from unmask.metrics.instruments.tfjs_weights import read_json, read_weights

SIDE: Final = 112
FACTOR: Final = 1.0
"""Side of the square that is cut, in longer sides of the judge's box. Wider squares make it guess too young: on 119
UTKFace photos the mean error of age is -0.2 years at 1.0, -7 at 1.2, -12 at 1.3."""
MEANS: Final = (122.782, 117.001, 104.298)
"""RGB means that the network subtracts; then it divides by 255."""
MALE, FEMALE = 0, 1
"""Gender classes; found to hold on labelled faces, see the tests."""
BATCH: Final = 4
"""Few: larger batches do not fit into a processor's cache and take longer for each face."""


class FaceApi:
    """{"age": years, "p_female": 0..1}; role ``attributes``."""

    card: ClassVar[InstrumentCard] = InstrumentCard(
        name="face-api",
        version="1",
        role="attributes",
        description="face-api's TinyXception for age (regression) and gender (two classes), weights stored in 8 bits.",
        licence="MIT",
        source="justadudewhohacks/face-api.js; weights: npm @vladmandic/face-api 1.7.15",
        files=(
            PackageFile(
                "weights",
                "npm",
                "@vladmandic/face-api",
                "1.7.15",
                "model/age_gender_model.bin",
                "49f92bbc0afef2342c4385e4a2b0acb6d7a727c6f0aa539499719a81acf9abaa",
                429_708,
            ),
            PackageFile(
                "manifest",
                "npm",
                "@vladmandic/face-api",
                "1.7.15",
                "model/age_gender_model-weights_manifest.json",
                "74b60bf3ebf981bf4e661e9cca3a185614e10b25d797118b62e2a68d3ff2569f",
                8_392,
            ),
        ),
        params={"crop_factor": FACTOR, "side_px": SIDE},
        limits="Small network. Trained on UTKFace among others, so its errors there are lower than elsewhere. Gender "
        "as two classes is how faces are labelled in the training sets, not how people are.",
    )

    imports: ClassVar[tuple[str, ...]] = ("torch",)

    def __init__(self, network: Callable[..., Floats32]) -> None:
        self._network = network

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """Raises CheckpointError if the files are not the network they should be."""
        from unmask.metrics.instruments.tiny_xception import build_network

        network = build_network(read_weights(read_json(files["manifest"]), files["weights"]))
        return cls(fast_network(network, device, cls.card.name, sides=(SIDE, SIDE)))

    def read(self, faces: Sequence[FaceView]) -> Columns:
        """{"age": (N,), "p_female": (N,)} float32; NaN where the box has no area inside the image."""
        age, p_female = np.full((2, len(faces)), np.nan, np.float32)
        rows, crops = usable([square(face, SIDE, FACTOR) for face in faces])
        for start in range(0, len(rows), BATCH):
            answers = self._network(as_input(crops[start : start + BATCH]))
            age[rows[start : start + BATCH]] = np.maximum(answers[:, 0], 0)
            p_female[rows[start : start + BATCH]] = answers[:, 1 + FEMALE]
        return {"age": age, "p_female": p_female}


def as_input(crops: Sequence[Image]) -> Floats32:
    """N crops of 112 px, uint8 RGB -> (N, 3, 112, 112) float32."""
    pixels = (np.stack(crops).astype(np.float32) - np.array(MEANS, np.float32)) / np.float32(255)
    return pixels.transpose(0, 3, 1, 2)
