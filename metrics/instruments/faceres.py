"""Age and gender by "faceres" (Savchenko's MobileNetV1), a TensorFlow.js graph. The third estimator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np

from unmask.bench.core.cards import InstrumentCard, PackageFile
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import FaceView, Floats32, Image
from unmask.metrics.instruments.crops import square, usable
from unmask.metrics.instruments.tfjs_graph import TfjsGraph

SIDE: Final = 224
FACTOR: Final = 1.3
"""Side of the square that is cut, in longer sides of the judge's box."""
BGR_MEANS: Final = (103.939, 116.779, 123.68)
"""Subtracted from BGR values 0..255, as for networks that began as Caffe models."""
AGE, GENDER = "age_pred/Softmax", "gender_pred/Sigmoid"
"""Outputs: 100 classes of a year each, and the probability of male."""
BATCH: Final = 4
"""Few: larger batches do not fit into a processor's cache and take longer for each face."""


class FaceRes:
    """{"age": years 0..100, "p_female": 0..1}; role ``attributes``."""

    card: ClassVar[InstrumentCard] = InstrumentCard(
        name="faceres",
        version="1",
        role="attributes",
        description="MobileNetV1 of Savchenko's HSE face models for age (100 classes) and gender, weights in 16 bits.",
        licence="MIT",
        source="Savchenko: Efficient facial representations for age, gender and identity recognition, PeerJ CS 2019; "
        "weights: npm @vladmandic/human 3.3.6",
        files=(
            PackageFile(
                "weights",
                "npm",
                "@vladmandic/human",
                "3.3.6",
                "models/faceres.bin",
                "2c7d2d62b76c97528b736527aa09d310ea71743c9e3e79fb6c62d4b2d73af79b",
                6_978_814,
            ),
            PackageFile(
                "graph",
                "npm",
                "@vladmandic/human",
                "3.3.6",
                "models/faceres.json",
                "5b83d49c0385d2e68a05122441b94226313677cae9fcc40b9587ad50079eb4df",
                71_432,
            ),
        ),
        params={"crop_factor": FACTOR, "side_px": SIDE, "age": "mean of the two likeliest years, as its author"},
        limits="Gender as two classes is how faces are labelled in the training sets, not how people are.",
    )

    def __init__(self, graph: TfjsGraph) -> None:
        self._graph = graph

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """Raises CheckpointError if the files are not the network they should be."""
        return cls(TfjsGraph.open(files["graph"], files["weights"], (AGE, GENDER), device, cls.card.name))

    def read(self, faces: Sequence[FaceView]) -> Columns:
        """{"age": (N,), "p_female": (N,)} float32; NaN where the box has no area inside the image."""
        age, p_female = np.full((2, len(faces)), np.nan, np.float32)
        rows, crops = usable([square(face, SIDE, FACTOR) for face in faces])
        for start in range(0, len(rows), BATCH):
            outputs = self._graph.run(as_input(crops[start : start + BATCH]))
            age[rows[start : start + BATCH]] = expected_age(outputs[AGE])
            p_female[rows[start : start + BATCH]] = 1.0 - outputs[GENDER][:, 0]
        return {"age": age, "p_female": p_female}


def as_input(crops: Sequence[Image]) -> Floats32:
    """N crops of 224 px, uint8 RGB -> (N, 224, 224, 3) float32 BGR less the means."""
    return np.stack(crops)[..., ::-1].astype(np.float32) - np.array(BGR_MEANS, np.float32)


def expected_age(probabilities: Floats32) -> Floats32:
    """(N, 100) class probabilities -> (N,) years: the two likeliest classes' middles, weighted (Savchenko 2019)."""
    top = np.argsort(probabilities, axis=1)[:, -2:]
    weights = np.take_along_axis(probabilities, top, axis=1)
    return np.asarray((weights * (top + 0.5)).sum(axis=1) / weights.sum(axis=1), np.float32)
