"""The expression of a face by two networks: face-api's, and the mini-Xception of Arriaga et al."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar, Final, Self

import numpy as np

from unmask.bench.core.cards import InstrumentCard, package_files
from unmask.bench.core.types import FaceView, Floats32, Image
from unmask.metrics.instruments.attributes import FACE_API_MEANS, FACE_API_SIDE, planes
from unmask.metrics.instruments.support.crops import CropReader, square
from unmask.metrics.instruments.support.tfjs_graph import TfjsGraph

EXPRESSIONS: Final = ("neutral", "happy", "sad", "angry", "fearful", "disgusted", "surprised")
"""The classes, in the order of the columns of every estimator."""
_FACE_API_FACTOR: Final = 1.0
_GREY_SIDE: Final = 64
_GREY_FACTOR: Final = 1.1
_GREY: Final = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue, as the package has them."""
_GREY_ORDER: Final = (6, 3, 4, 0, 2, 1, 5)
"""Where each of `EXPRESSIONS` stands among the network's classes: angry, disgust, fear, happy, sad, surprise,
neutral."""
_PROBABILITIES: Final = "Identity"
_CARD: Final = partial(InstrumentCard, version="1", role="expression")
_LIMITS: Final = (
    "An expression is what labellers saw, not what somebody feels, and seven classes are few. Accuracy of the other "
    "six is not measured, for want of labels: before against after. The two estimators agree on 0.74 of 200 photos of "
    "CelebA, and on 0.59 of the demo's 69 faces."
)


class _Estimator(CropReader):
    """The body of both; role ``expression``: (N, 7) float32 probabilities of `EXPRESSIONS`."""

    widths: ClassVar[Mapping[str, int]] = {"expression": len(EXPRESSIONS)}
    side: ClassVar[int]
    factor: ClassVar[float]

    def cut(self, face: FaceView) -> Image | None:
        return square(face, self.side, self.factor)


class FaceApiExpression(_Estimator):
    """face-api's densely connected blocks, in torch."""

    card: ClassVar[InstrumentCard] = _CARD(
        name="face-api-expression",
        description="face-api's FaceExpressionNet (densely connected separable convolutions), weights stored in 8 "
        "bits; classes: " + ", ".join(EXPRESSIONS) + ".",
        licence="MIT",
        source="justadudewhohacks/face-api.js; weights: npm @vladmandic/face-api 1.7.15",
        files=package_files(
            *("npm", "@vladmandic/face-api", "1.7.15", "model/face_expression_model"),
            weights=(".bin", 329_468, "9a9840f2cf1f4c7eab95f197512569345c00d2426754d4608b92af30e0300f3d"),
            manifest=(
                "-weights_manifest.json",
                6_980,
                "5b349c17c7836da506e03422cd6461c74085d8bb2713ad4114647dc5d28174c8",
            ),
        ),
        params={"crop_factor": _FACE_API_FACTOR, "side_px": FACE_API_SIDE},
        limits="Trained on public sets and on photos from the web, says its author, not which; glasses may mislead it. "
        "Happy against CelebA's label Smiling: AUC 0.98 on 200 photos, and happy is the top class where it smiles, and "
        f"only there, on 0.89. {_LIMITS}",
    )
    side, factor = FACE_API_SIDE, _FACE_API_FACTOR
    imports: ClassVar[tuple[str, ...]] = ("torch",)

    def __init__(self, network: Callable[..., Floats32]) -> None:
        self._network = network

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """Raises `CheckpointError` for a file of another network, `UnavailableError` for a missing GPU."""
        from unmask.metrics.instruments.support.face_api_networks import DenseNetwork, open_network

        return cls(open_network(files, DenseNetwork(len(EXPRESSIONS)), device, cls.card.name, FACE_API_SIDE))

    def estimate(self, crops: Sequence[Image]) -> tuple[Floats32]:
        scores = self._network(planes(crops, FACE_API_MEANS, 255.0))
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return (odds / odds.sum(axis=1, keepdims=True),)


class MiniXception(_Estimator):
    """Arriaga's mini-Xception on grey faces of 64 pixels, a TensorFlow.js graph."""

    card: ClassVar[InstrumentCard] = _CARD(
        name="mini-xception",
        description="mini-Xception on grey faces (the model emotion of human), weights in 32 bits; classes: "
        + ", ".join(EXPRESSIONS)
        + ".",
        licence="MIT",
        source="Arriaga, Valdenegro-Toro, Ploeger: Real-time convolutional neural networks for emotion and gender "
        "classification, ESANN 2019; weights: npm @vladmandic/human 3.3.6",
        files=package_files(
            *("npm", "@vladmandic/human", "3.3.6", "models/emotion"),
            weights=(".bin", 820_516, "927ac8224f356ab1e68c2bcfbfa07b0c8567047d1bcf817388ba6e38214c4987"),
            graph=(".json", 17_980, "56f7e557eb0c863a8b9ab04ac7ccba756e93bf2c27dce135ef0e8712b80b7ad2"),
        ),
        params={"crop_factor": _GREY_FACTOR, "side_px": _GREY_SIDE},
        limits="Trained on FER-2013 (photos found by web search), where its author states an accuracy of 0.66. Happy "
        "against CelebA's label Smiling: AUC 0.95 on 200 photos, and happy is the top class where it smiles, and only "
        f"there, on 0.85. {_LIMITS}",
    )
    side, factor = _GREY_SIDE, _GREY_FACTOR

    def __init__(self, graph: TfjsGraph) -> None:
        self._graph = graph

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """Raises `CheckpointError` for a file of another network, `UnavailableError` for a missing GPU."""
        return cls(TfjsGraph.open(files["graph"], files["weights"], (_PROBABILITIES,), device, cls.card.name))

    def estimate(self, crops: Sequence[Image]) -> tuple[Floats32]:
        grey = np.stack(crops).astype(np.float32) @ np.array(_GREY, np.float32) / np.float32(255)
        return (self._graph.run((grey[..., None] - 0.5) * 2)[_PROBABILITIES][:, _GREY_ORDER],)
