"""Contestants that change pixels by at most 8 levels, so that networks are fooled and people see the same photo.

Projected gradient descent (Madry et al., Towards Deep Learning Models Resistant to Adversarial Attacks, ICLR 2018)
through the suite's own networks, as torch runs them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from torch.nn import functional

from tests.support.fooling import Contestant
from unmask.bench.core.types import Detection, Image, Sample
from unmask.metrics.instruments.recognisers import FACENET_FACTOR, FACENET_SIZE
from unmask.metrics.instruments.support.crops import ARCFACE_TEMPLATE, similarity_transform
from unmask.metrics.instruments.support.keras_inception_resnet import load_keras
from unmask.metrics.instruments.support.onnx_session import keep_inputs, read_model

LEVELS: Final = 8.0
STEP: Final = 2.0
STEPS: Final = 10
ANCHORS: Final = 40
"""Places that YuNet looks at whose confidence is pushed down in each step."""
Tensor = torch.Tensor
Loss = Callable[[Tensor, Sequence[Detection]], Tensor]
Embed = Callable[[Tensor, Detection], Tensor]
"""An image (1, 3, H, W) and a face in it -> its embedding (1, D) of length one."""


def perturbations(files: Mapping[str, Path], detect: Callable[[Image], Sequence[Detection]]) -> list[Contestant]:
    """``files``: instrument -> its weights, for sface, facenet and yunet; ``detect``: the judge's faces of an image."""
    against = _recognition(_sface(files["sface"]), _facenet(files["facenet"]))
    hidden = _detection(files["yunet"])
    return [
        Contestant(
            "cloak",
            "each pixel changed by at most 8 levels against sface and facenet",
            lambda batch: [_perturbed(sample, detect, against) for sample in batch],
        ),
        Contestant(
            "hidden-from-judge",
            "each pixel changed by at most 8 levels so that YuNet finds no face",
            lambda batch: [_perturbed(sample, detect, hidden) for sample in batch],
        ),
    ]


def cloak_of_one(
    facenet: Path,
    detect: Callable[[Image], Sequence[Detection]] | None = None,
    *,
    steps: int = STEPS,
    step: float = STEP,
) -> Contestant:
    """A perturbation that fools one recogniser and no other. ``facenet``: its weights; ``detect``: as above, without
    it the sample's own boxes count; ``steps`` of gradient descent, each by ``step`` levels."""
    against = _recognition(_facenet(facenet))
    return Contestant(
        "cloak-facenet",
        "each pixel changed by at most 8 levels against facenet alone",
        lambda batch: [_perturbed(sample, detect or _boxes(sample), against, steps, step) for sample in batch],
    )


def _boxes(sample: Sample) -> Callable[[Image], Sequence[Detection]]:
    """The faces at a sample's boxes: facenet needs no landmarks."""
    none = np.zeros((0, 2), np.float32)
    return lambda image: [Detection(box, none, 1.0) for box in sample.boxes or ()]


def _perturbed(
    sample: Sample,
    detect: Callable[[Image], Sequence[Detection]],
    make: Callable[..., Loss],
    steps: int = STEPS,
    step: float = STEP,
) -> Image:
    faces = detect(sample.image)
    if not faces:
        return sample.image.copy()
    original = torch.from_numpy(sample.image.astype(np.float32)).permute(2, 0, 1)[None]
    loss = make(original, faces)
    rng = torch.Generator().manual_seed(0)
    change = (torch.rand(original.shape, generator=rng) * 2 - 1) * step
    for _ in range(steps):
        change.requires_grad_(True)
        (gradient,) = torch.autograd.grad(loss((original + change).clamp(0, 255), faces), change)
        change = (change.detach() - step * gradient.sign()).clamp(-LEVELS, LEVELS)
    output = (original + change).clamp(0, 255).round()[0].permute(1, 2, 0)
    return output.numpy().astype(np.uint8)


def _recognition(*recognisers: Embed) -> Callable[..., Loss]:
    def make(original: Tensor, faces: Sequence[Detection]) -> Loss:
        with torch.no_grad():
            known = [[embed(original, face) for embed in recognisers] for face in faces]
        return lambda image, found: torch.stack(
            [
                (embed(image, face) * before).sum()
                for face, befores in zip(found, known, strict=True)
                for embed, before in zip(recognisers, befores, strict=True)
            ]
        ).sum()

    return make


def _sface(weights: Path) -> Embed:
    model = read_model(weights)
    keep_inputs(model, ["data"])
    network = OnnxNetwork(model)

    def embed(image: Tensor, face: Detection) -> Tensor:
        matrix = similarity_transform(face.landmarks, np.array(ARCFACE_TEMPLATE))
        assert matrix is not None
        return functional.normalize(network(_warped(image, matrix, 112))["fc1"])

    return embed


def _facenet(weights: Path) -> Embed:
    network = load_keras(weights).eval().requires_grad_(False)

    def embed(image: Tensor, face: Detection) -> Tensor:
        window = face.box.square(FACENET_FACTOR)
        scale = FACENET_SIZE / window.w
        square = np.array([[scale, 0, scale * (0.5 - window.x) - 0.5], [0, scale, scale * (0.5 - window.y) - 0.5]])
        cut = _warped(image, square, FACENET_SIZE)
        return functional.normalize(network((cut - cut.mean()) / cut.std()))

    return embed


def _detection(yunet: Path) -> Callable[..., Loss]:
    network = OnnxNetwork(read_model(yunet), logits=True)

    def confidence(image: Tensor) -> Tensor:
        """How sure the network is of its surest anchors: logits, whose slopes do not fade as probabilities' do."""
        height, width = image.shape[2:]
        bottom, right = -height % 32, -width % 32
        found = network(functional.pad(image, (0, right, 0, bottom)).flip(1))
        pairs = [(found[f"cls_{stride}"].reshape(-1), found[f"obj_{stride}"].reshape(-1)) for stride in (8, 16, 32)]
        is_face, is_object = (torch.cat(parts) for parts in zip(*pairs, strict=True))
        surest = (is_face.sigmoid() * is_object.sigmoid()).topk(ANCHORS).indices
        return (is_face[surest].clamp(min=-3) + is_object[surest].clamp(min=-3)).sum()

    def loss(image: Tensor, faces: Sequence[Detection]) -> Tensor:
        longest = max(image.shape[2:])
        larger = functional.interpolate(image, scale_factor=max(320 / longest, 1.0), mode="bilinear")
        border = round(longest / 3)
        return confidence(larger) + confidence(functional.pad(image, (border, border, border, border)))

    return lambda original, faces: loss


def _warped(image: Tensor, matrix: Any, size: int) -> Tensor:
    """``image`` (1, 3, H, W) seen through ``matrix`` (source to destination pixel centres), (1, 3, size, size)."""
    height, width = image.shape[2:]
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    y, x = np.mgrid[0:size, 0:size]
    at = np.stack([x, y, np.ones_like(x)], -1) @ back.T
    grid = np.stack([(2 * at[..., 0] + 1) / width - 1, (2 * at[..., 1] + 1) / height - 1], -1)
    sampled: Tensor = functional.grid_sample(
        image, torch.from_numpy(grid.astype(np.float32))[None], mode="bilinear", align_corners=False
    )
    return sampled


class OnnxNetwork:
    """Runs the few operators that sface and YuNet are made of in torch, so that there are gradients."""

    def __init__(self, model: Any, *, logits: bool = False) -> None:
        """``logits``: leave out the sigmoids that its outputs end in."""
        self._logits = logits
        self._graph = model.graph
        stored = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
        for node in self._graph.node:
            if node.op_type == "DequantizeLinear":
                inputs = {name: stored[name] for name in node.input}
                (stored[node.output[0]],) = ReferenceEvaluator(node).run(None, inputs)
        self._weights = {name: torch.from_numpy(np.array(values)) for name, values in stored.items()}

    def __call__(self, image: Tensor) -> dict[str, Tensor]:
        """Output name -> its values, of (1, 3, H, W) values as the network wants them."""
        names = [item.name for item in self._graph.input if item.name not in self._weights]
        values = {**self._weights, names[0]: image}
        for node in self._graph.node:
            if node.output[0] in self._weights:
                continue
            settings = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
            given: list[Any] = [values.get(name) for name in node.input]
            operator = _skipped if self._logits and node.op_type == "Sigmoid" else _OPERATORS[node.op_type]
            values[node.output[0]] = operator(settings, *given)
        return {item.name: values[item.name] for item in self._graph.output}


def _skipped(settings: dict[str, Any], x: Tensor) -> Tensor:
    return x


def _convolved(settings: dict[str, Any], x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    pads = settings.get("pads", [0, 0, 0, 0])
    x = functional.pad(x, (pads[1], pads[3], pads[0], pads[2]))
    strides = settings.get("strides", [1, 1])
    return functional.conv2d(x, weight, bias, stride=tuple(strides), groups=settings.get("group", 1))


def _normed(settings: dict[str, Any], x: Tensor, *weights: Tensor) -> Tensor:
    scale, bias, mean, variance = weights
    return functional.batch_norm(x, mean, variance, scale, bias, eps=settings.get("epsilon", 1e-5))


def _dense(settings: dict[str, Any], x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return x @ (weight.T if settings.get("transB") else weight) + bias


def _reshaped(settings: dict[str, Any], x: Tensor, shape: Tensor) -> Tensor:
    # Shapes of weights are taken as they are; those of results say how many values an anchor has.
    wanted = [int(n) for n in shape]
    return x.reshape(wanted) if int(np.prod(wanted)) == x.numel() else x.reshape(1, -1, wanted[-1])


_OPERATORS: Final[dict[str, Callable[..., Tensor]]] = {
    "Conv": _convolved,
    "BatchNormalization": _normed,
    "Gemm": _dense,
    "Reshape": _reshaped,
    "PRelu": lambda s, x, slope: torch.where(x > 0, x, x * slope),
    "Relu": lambda s, x: x.relu(),
    "Sigmoid": lambda s, x: x.sigmoid(),
    "Add": lambda s, x, y: x + y,
    "Sub": lambda s, x, y: x - y,
    "Mul": lambda s, x, y: x * y,
    "Constant": lambda s: torch.from_numpy(numpy_helper.to_array(s["value"]).copy()),
    "Dropout": lambda s, x, *_: x,
    "Flatten": lambda s, x: x.flatten(1),
    "Transpose": lambda s, x: x.permute(*s["perm"]),
    "MaxPool": lambda s, x: functional.max_pool2d(x, tuple(s["kernel_shape"]), tuple(s["strides"])),
    "Resize": lambda s, x, *_: functional.interpolate(x, scale_factor=2, mode="nearest"),
}
