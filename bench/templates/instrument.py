"""An instrument for unmask: compares faces by their pixels. Written by ``unmask new instrument``.

Try it:   unmask check --kind instrument example_file.py:Example
Run it:   it needs a distribution of its own with these lines in pyproject.toml, and then --instrument example:

    [project.entry-points."unmask.instruments"]
    example = "mypackage.example_file:Example"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

import cv2
import numpy as np

from unmask import FaceView, InstrumentCard

SIDE = 16


class Example:
    card: ClassVar[InstrumentCard] = InstrumentCard(
        name="example",
        version="1",  # raise it whenever readings could change
        role="recogniser",  # CHANGE: or "attributes", "skin", "pair"...; each has columns of its own
        description="Grey pixels of the face's box, 16 x 16.",  # CHANGE
        licence="MIT",
        source="a template of unmask",
        files=(),  # CHANGE: pinned files; `python -m unmask.bench.fetch.pins pin ...` prints them
        limits="Tells photos apart, not people.",  # CHANGE: on whom it was not tried
        default=False,  # whether runs use it without being asked
    )

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        # CHANGE: load the network; import torch and the like here, not above.
        return cls()

    def read(self, faces: Sequence[FaceView]) -> dict[str, np.ndarray]:
        rows = [self._embedding(face) for face in faces]
        return {"embedding": np.array(rows, np.float32).reshape(len(faces), SIDE * SIDE)}

    def _embedding(self, face: FaceView) -> np.ndarray:
        # CHANGE: this is the reading; a row of NaN where it cannot say.
        height, width = face.image.shape[:2]
        left, top, right, bottom = face.box.clipped(height, width)
        if right - left < 2 or bottom - top < 2:
            return np.full(SIDE * SIDE, np.nan)
        grey = cv2.cvtColor(np.ascontiguousarray(face.image[top:bottom, left:right]), cv2.COLOR_RGB2GRAY)
        small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float64).ravel()
        centred = small - small.mean()
        length = float(np.linalg.norm(centred))
        return centred / length if length > 0 else np.full(SIDE * SIDE, np.nan)
