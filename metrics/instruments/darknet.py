"""YOLOv3 and its small sibling in torch, out of Darknet's own two files: ``.cfg`` (layers) and ``.weights`` (numbers).

The weights are plain float32 values in the order of the layers, behind a header of 16 or 20 bytes; nothing in them can
be run. The file must hold exactly as many as the layers take.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, cast

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torchvision.ops import nms

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Float, Floats32, Image
from unmask.metrics.instruments.darknet_cfg import (
    Convolution,
    Layer,
    MaxPool,
    Route,
    Shortcut,
    Upsample,
    Yolo,
    read_cfg,
)

MAX_WEIGHTS: Final = 100_000_000
"""Numbers in a file; YOLOv3 has 62,001,757."""
MAX_ACTIVATIONS: Final = 400_000_000
"""Numbers that all layers together give for one image; YOLOv3 at 608 pixels: about 1.2e8."""
_EPSILON: Final = 1e-6
"""Added to the standard deviation in batch normalisation, as Darknet does."""
_SLOPE: Final = 0.1


def load_darknet(
    cfg: Path, weights: Path, size: int, mend: Callable[[Sequence[Layer]], Sequence[Layer]] | None = None
) -> Darknet:
    """The network of the two files for square inputs of ``size`` pixels.

    ``mend``: puts right what a published ``.cfg`` is known to say wrongly of its weights.
    Raises `CheckpointError` where the files are not what they should be or do not belong together, and
    `OSError` where they cannot be read.
    """
    layers: Sequence[Layer] = read_cfg(cfg)
    layers = layers if mend is None else mend(layers)
    _check_shapes(layers, size, cfg.name)
    return Darknet(layers, _read_weights(weights, layers))


class Darknet(nn.Module):
    """(B, 3, S, S) RGB in 0..1 -> (B, N, 5 + classes): for each of N anchors its box and what it holds.

    The columns: centre x, centre y, width, height (shares of the input's side), objectness and each class's
    probability given an object (0..1). Scales follow each other in the order of the ``[yolo]`` sections.
    """

    def __init__(self, layers: Sequence[Layer], convolutions: Sequence[nn.Conv2d]) -> None:
        super().__init__()
        self.layers = tuple(layers)
        self.convolutions = nn.ModuleList(convolutions)
        used = {number for layer in layers for number in _referred(layer)}
        # The last layer that still looks back at each layer's output: after it the memory is given back.
        self._last_use = {
            number: max(i for i, layer in enumerate(layers) if number in _referred(layer)) for number in used
        }
        self.eval().requires_grad_(False)

    @property
    def classes(self) -> tuple[int, ...]:
        """Number of classes at each scale."""
        return tuple(layer.classes for layer in self.layers if isinstance(layer, Yolo))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        size = pixels.shape[-1]
        kept: dict[int, torch.Tensor] = {}
        found: list[torch.Tensor] = []
        convolutions = iter(self.convolutions)
        x = pixels
        for number, layer in enumerate(self.layers):
            match layer:
                case Convolution():
                    x = next(convolutions)(x)
                    x = functional.leaky_relu(x, _SLOPE, inplace=True) if layer.leaky else x
                case MaxPool():
                    x = _max_pool(x, layer)
                case Upsample():
                    x = functional.interpolate(x, scale_factor=layer.stride, mode="nearest")
                case Route():
                    x = torch.cat([kept[earlier] for earlier in layer.layers], 1)
                case Shortcut():
                    x = x + kept[layer.layer]
                case Yolo():
                    found.append(_boxes(x, layer, size))
            if number in self._last_use:
                kept[number] = x
            kept = {earlier: value for earlier, value in kept.items() if self._last_use[earlier] > number}
        return torch.cat(found, 1)


class PersonFinder:
    """The network of `load_darknet` on a device, from images to the boxes of one class."""

    def __init__(self, network: Darknet, person: int, device: torch.device) -> None:
        """``person``: the number of the class."""
        self._device, self._person = device, person
        # On CPUs convolutions run faster with the channels innermost.
        self._network = cast(Any, network.to(device)).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def find(self, images: Sequence[Image], score: float, iou: float, most: int) -> list[tuple[Float, Float]]:
        """For each of the (S, S, 3) RGB images: (N, 4) left, top, right, bottom (0..1) and (N,) scores, best first."""
        # The channels stay innermost in memory: no copy.
        planes = torch.from_numpy(np.stack(images)).to(self._device).permute(0, 3, 1, 2).float() / 255.0
        answers = self._network(planes)[..., [0, 1, 2, 3, 4, 5 + self._person]]
        return [_best(answer, score, iou, most) for answer in answers]


def _best(answer: torch.Tensor, score: float, iou: float, most: int) -> tuple[Float, Float]:
    """``answer`` (N, 6): centre, extent, objectness, probability of a person."""
    scores = answer[:, 4] * answer[:, 5]
    likely = scores > score
    answer, scores = answer[likely], scores[likely]
    corners = torch.cat([answer[:, :2] - answer[:, 2:4] / 2, answer[:, :2] + answer[:, 2:4] / 2], 1)
    kept = nms(corners, scores, iou)[:most]
    edges = corners[kept].clamp(0, 1).cpu().numpy().astype(np.float64)
    return edges, scores[kept].cpu().numpy().astype(np.float64)


def _boxes(x: torch.Tensor, layer: Yolo, size: int) -> torch.Tensor:
    """(B, A * (5 + C), H, W) -> (B, H * W * A, 5 + C), see `Darknet`; ``size``: the input's side in pixels."""
    batch, _, height, width = x.shape
    cells = x.view(batch, len(layer.anchors), 5 + layer.classes, height, width).permute(0, 3, 4, 1, 2)
    grid_y, grid_x = torch.meshgrid(
        torch.arange(height, device=x.device), torch.arange(width, device=x.device), indexing="ij"
    )
    corner = torch.stack([grid_x, grid_y], -1)[None, :, :, None, :]
    center = (cells[..., :2].sigmoid() + corner) / torch.tensor([width, height], device=x.device)
    extent = cells[..., 2:4].exp() * torch.tensor(layer.anchors, dtype=x.dtype, device=x.device) / size
    return torch.cat([center, extent, cells[..., 4:].sigmoid()], -1).flatten(1, 3)


def _max_pool(x: torch.Tensor, layer: MaxPool) -> torch.Tensor:
    """Darknet borders the input by kernel - 1 in all, the smaller half of it left and above."""
    border = layer.kernel - 1
    before, after = border // 2, border - border // 2
    padded = functional.pad(x, (before, after, before, after), value=float("-inf"))
    return functional.max_pool2d(padded, layer.kernel, layer.stride)


def _referred(layer: Layer) -> tuple[int, ...]:
    """The earlier layers whose outputs a layer looks back at."""
    if isinstance(layer, Route):
        return layer.layers
    return (layer.layer,) if isinstance(layer, Shortcut) else ()


def _check_shapes(layers: Sequence[Layer], size: int, name: str) -> None:
    """Raises `CheckpointError` where the layers do not fit together at this size, or take too much memory."""
    sides: list[int] = []
    side, channels, total = size, 3, 0
    widths: list[int] = []
    for number, layer in enumerate(layers):
        match layer:
            case Convolution():
                side, channels = (side + 2 * layer.padding - layer.kernel) // layer.stride + 1, layer.filters
            case MaxPool():
                side = (side - 1) // layer.stride + 1
            case Upsample():
                side *= layer.stride
            case Route():
                channels = sum(widths[earlier] for earlier in layer.layers)
                if len({sides[earlier] for earlier in layer.layers}) > 1:
                    raise CheckpointError(f"{name}: layer {number} joins outputs of different sizes")
                side = sides[layer.layers[0]]
            case Shortcut():
                if sides[layer.layer] != side:
                    raise CheckpointError(f"{name}: layer {number} adds outputs of different sizes")
            case Yolo():
                pass
        total += channels * side * side
        if side < 1 or total > MAX_ACTIVATIONS:
            raise CheckpointError(
                f"{name}: at {size} pixels layer {number} gives nothing or takes too much memory; try another size"
            )
        sides.append(side)
        widths.append(channels)


def _read_weights(path: Path, layers: Sequence[Layer]) -> list[nn.Conv2d]:
    """The convolutions in their order, each with the batch normalisation after it multiplied into it."""
    convolutions = [layer for layer in layers if isinstance(layer, Convolution)]
    needed = sum(_count(layer) for layer in convolutions)
    if needed > MAX_WEIGHTS:
        raise CheckpointError(f"the .cfg beside {path.name} asks for {needed:,} weights, more than {MAX_WEIGHTS:,}")
    size = path.stat().st_size
    with path.open("rb") as stream:
        header = stream.read(12)
        if len(header) < 12:
            raise CheckpointError(f"{path.name} is no Darknet .weights: it has {size} bytes")
        major, minor, _ = struct.unpack("<3i", header)
        if not (0 <= major < 1000 and 0 <= minor < 1000):
            raise CheckpointError(f"{path.name} is no Darknet .weights: it says to be of version {major}.{minor}")
        # The number of images seen in training follows: 8 bytes from version 0.2 on, 4 before.
        start = 20 if major * 10 + minor >= 2 else 16
        if size != start + 4 * needed:
            raise CheckpointError(
                f"{path.name} holds {max(size - start, 0) / 4:,.10g} weights, but the layers of its .cfg take "
                f"{needed:,}; the two files do not belong together, or one is incomplete"
            )
        stream.seek(start)
        values = np.fromfile(stream, "<f4", needed).astype(np.float32, copy=False)
    made = []
    for layer in convolutions:
        made.append(_convolution(layer, values[: _count(layer)], path.name))
        values = values[_count(layer) :]
    return made


def _count(layer: Convolution) -> int:
    """Weights of a convolution in the file."""
    return layer.filters * ((4 if layer.batch_normalize else 1) + layer.inputs * layer.kernel**2)


def _convolution(layer: Convolution, values: Floats32, name: str) -> nn.Conv2d:
    """``values``: biases; scales, means and variances where normalised; then (out, in, height, width) weights."""
    n = layer.filters
    bias = values[:n].astype(np.float64)
    weight = values[_count(layer) - n * layer.inputs * layer.kernel**2 :].astype(np.float64)
    weight = weight.reshape(n, layer.inputs, layer.kernel, layer.kernel)
    if layer.batch_normalize:
        scale, mean, variance = (values[n * k : n * (k + 1)].astype(np.float64) for k in (1, 2, 3))
        if (variance < 0).any():
            raise CheckpointError(f"{name} holds a variance below 0; it is damaged, or of another .cfg")
        factor = scale / (np.sqrt(variance) + _EPSILON)
        weight, bias = weight * factor[:, None, None, None], bias - mean * factor
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise CheckpointError(f"{name} holds values that are not finite; it is damaged, or of another .cfg")
    # On "meta" nothing is drawn at random, so that torch's own generator stays where it was.
    with torch.device("meta"):
        module = nn.Conv2d(layer.inputs, n, layer.kernel, layer.stride, layer.padding)
    module.weight = nn.Parameter(torch.from_numpy(weight.astype(np.float32)), requires_grad=False)
    module.bias = nn.Parameter(torch.from_numpy(bias.astype(np.float32)), requires_grad=False)
    return module
