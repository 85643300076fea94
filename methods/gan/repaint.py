"""What all learned methods share: crops out of the photo, one batch through the networks, crops back in."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Final

import numpy as np

from unmask.bench.core.types import Box, Detection, FaceView, Floats32, Image
from unmask.methods.faces import FaceMethod
from unmask.methods.gan.compact.crop import Crop, cut
from unmask.methods.gan.paste import WAYS, paste_back
from unmask.methods.params import choice

USUAL_PLACES: Final = np.array([[0.31, 0.39], [0.69, 0.39], [0.5, 0.57], [0.35, 0.76], [0.65, 0.76]], np.float32)
"""Landmarks of a frontal face as shares of MTCNN's box, for boxes that come without."""


class RepaintMethod(FaceMethod):
    """A method whose networks repaint 128 x 128 crops."""

    def __init__(self, name: str, detector: str, paste: str) -> None:
        super().__init__(name, detector)
        self._paste = choice(name, "paste", paste, WAYS)

    @abstractmethod
    def repaint(self, crops: Sequence[Crop], views: Sequence[FaceView], rng: np.random.Generator) -> Sequence[Crop]:
        """The crops with new faces. ``views``: the same faces in the untouched photo, for estimators only."""

    def edit_faces(self, image: Image, faces: Sequence[Detection], rng: np.random.Generator) -> None:
        """All crops are cut from the untouched photo, then pasted: no face sees another's repainting."""
        if not faces:
            return
        photo = image.copy()
        located = [face if np.isfinite(face.landmarks).all() else with_usual_landmarks(face) for face in faces]
        crops = [cut(photo, face.box, face.landmarks) for face in located]
        views = [FaceView(photo, face.box, face.landmarks) for face in located]
        for face, crop, done in zip(located, crops, self.repaint(crops, views, rng), strict=True):
            paste_back(image, crop, done.image, face.box, self._paste)


def with_usual_landmarks(face: Detection) -> Detection:
    """The face with landmarks where frontal faces have them."""
    return Detection(face.box, landmarks_in(face.box), face.score)


def landmarks_in(box: Box) -> Floats32:
    """(5, 2) pixels."""
    corner, size = np.array([box.x, box.y], np.float32), np.array([box.w, box.h], np.float32)
    return np.asarray(corner + USUAL_PLACES * size, np.float32)
