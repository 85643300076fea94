"""YOLOv3 and its small sibling in torch, out of Darknet's own two files: ``.cfg`` (layers) and ``.weights`` (numbers).

The weights are plain float32 values in the order of the layers, behind a header of 16 or 20 bytes; nothing in them can
be run. The file must hold exactly as many as the layers take.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Floats32
from unmask.metrics.instruments.support.darknet_cfg import (
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
    cfg: Path, weights: Path, size: int, correct: Callable[[Sequence[Layer]], Sequence[Layer]] | None = None
) -> Darknet:
    """The network of the two files for square inputs of ``size`` pixels.

    ``correct``: corrects a published ``.cfg`` that does not describe its weights.
    Raises `CheckpointError` where the files are not what they should be or do not belong together, and
    `OSError` where they cannot be read.
    """
    layers: Sequence[Layer] = read_cfg(cfg)
    network = Darknet(layers if correct is None else correct(layers))
    _check_shapes(network, size, cfg.name)
    _fill(network, weights)
    return network


class Darknet(nn.Module):
    """(B, 3, S, S) RGB in 0..1 -> (B, N, 5 + classes): for each of N anchors its box and what it holds.

    The columns: centre x, centre y, width, height (shares of the input's side), objectness and each class's
    probability given an object (0..1). Scales follow each other in the order of the ``[yolo]`` sections.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        super().__init__()
        self.layers = tuple(layers)
        # On "meta" nothing is drawn at random, so that torch's own generator stays where it was.
        with torch.device("meta"):
            self.convolutions = nn.ModuleList(
                nn.Conv2d(inputs, s.filters, s.size, s.stride, s.size // 2 if s.pad else s.padding)
                for s, inputs, _ in layers
                if isinstance(s, Convolution)
            )
        self.eval().requires_grad_(False)

    @property
    def classes(self) -> tuple[int, ...]:
        """Number of classes at each scale."""
        return tuple(layer.settings.classes for layer in self.layers if isinstance(layer.settings, Yolo))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        outputs = zip(self.layers, self.outputs(pixels), strict=True)
        return torch.cat([output for layer, output in outputs if isinstance(layer.settings, Yolo)], 1)

    def outputs(self, pixels: torch.Tensor) -> Iterator[torch.Tensor]:
        """What each layer gives, in order; of ``[yolo]`` the boxes."""
        used = {source for layer in self.layers for source in layer.sources}
        kept: dict[int, torch.Tensor] = {}
        convolutions = iter(self.convolutions)
        x = pixels
        for number, (settings, _, sources) in enumerate(self.layers):
            match settings:
                case Convolution():
                    x = next(convolutions)(x)
                    x = functional.leaky_relu(x, _SLOPE, inplace=True) if settings.activation == "leaky" else x
                case MaxPool():
                    x = _max_pool(x, settings)
                case Upsample():
                    x = functional.interpolate(x, scale_factor=settings.stride, mode="nearest")
                case Route():
                    x = torch.cat([kept[source] for source in sources], 1)
                case Shortcut():
                    if x.shape != kept[sources[0]].shape:
                        raise RuntimeError("a shortcut adds outputs of different sizes")
                    x = x + kept[sources[0]]
                case Yolo():
                    pass
            if number in used:
                kept[number] = x
            yield _boxes(x, settings, pixels.shape[-1]) if isinstance(settings, Yolo) else x


def _boxes(x: torch.Tensor, settings: Yolo, size: int) -> torch.Tensor:
    """(B, A * (5 + C), H, W) -> (B, H * W * A, 5 + C), see `Darknet`; ``size``: the input's side in pixels."""
    batch, _, height, width = x.shape
    anchors = torch.tensor(settings.sizes, dtype=x.dtype, device=x.device)
    cells = x.view(batch, len(settings.mask), 5 + settings.classes, height, width).permute(0, 3, 4, 1, 2)
    grid_y, grid_x = torch.meshgrid(
        torch.arange(height, device=x.device), torch.arange(width, device=x.device), indexing="ij"
    )
    corner = torch.stack([grid_x, grid_y], -1)[None, :, :, None, :]
    center = (cells[..., :2].sigmoid() + corner) / torch.tensor([width, height], device=x.device)
    return torch.cat([center, cells[..., 2:4].exp() * anchors / size, cells[..., 4:].sigmoid()], -1).flatten(1, 3)


def _max_pool(x: torch.Tensor, settings: MaxPool) -> torch.Tensor:
    """Darknet borders the input by kernel - 1 in all, the smaller half of it left and above."""
    kernel = settings.size or settings.stride
    before, after = (kernel - 1) // 2, kernel // 2
    padded = functional.pad(x, (before, after, before, after), value=float("-inf"))
    return functional.max_pool2d(padded, kernel, settings.stride)


def _check_shapes(network: Darknet, size: int, name: str) -> None:
    """Raises `CheckpointError` where the layers do not fit together at this size, or take too much memory.

    On "meta" torch computes shapes alone and reserves nothing.
    """
    total = 0
    try:
        for output in network.outputs(torch.empty(1, 3, size, size, device="meta")):
            total += output.numel()
            if total > MAX_ACTIVATIONS:
                raise RuntimeError(f"they take more than {4 * MAX_ACTIVATIONS:,} bytes")
    except RuntimeError as error:
        reason = (str(error).splitlines() or [""])[0][:150]
        raise CheckpointError(
            f"{name}: its layers do not fit together at {size} pixels ({reason}); try another size"
        ) from error


def _fill(network: Darknet, path: Path) -> None:
    """Reads the convolutions in their order, each with the batch normalisation after it multiplied into it."""
    settings = [layer.settings for layer in network.layers if isinstance(layer.settings, Convolution)]
    convolutions = [module for module in network.convolutions if isinstance(module, nn.Conv2d)]
    counts = [
        module.weight.numel() + one.filters * (4 if one.batch_normalize else 1)
        for one, module in zip(settings, convolutions, strict=True)
    ]
    needed = sum(counts)
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
        values = np.fromfile(stream, "<f4", needed)
    for convolution, part in zip(convolutions, np.split(values, np.cumsum(counts)[:-1]), strict=True):
        _fill_convolution(convolution, part, path.name)


def _fill_convolution(convolution: nn.Conv2d, values: Floats32, name: str) -> None:
    """``values``: biases; scales, means and variances where normalised; then (out, in, height, width) weights."""
    shape = tuple(convolution.weight.shape)
    weight = values[-convolution.weight.numel() :].astype(np.float64).reshape(shape)
    bias, *normalisation = values[: -convolution.weight.numel()].astype(np.float64).reshape(-1, shape[0])
    if normalisation:
        scale, mean, variance = normalisation
        if (variance < 0).any():
            raise CheckpointError(f"{name} holds a variance below 0; it is damaged, or of another .cfg")
        factor = scale / (np.sqrt(variance) + _EPSILON)
        weight, bias = weight * factor[:, None, None, None], bias - mean * factor
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        raise CheckpointError(f"{name} holds values that are not finite; it is damaged, or of another .cfg")
    convolution.weight = nn.Parameter(torch.from_numpy(weight.astype(np.float32)), requires_grad=False)
    convolution.bias = nn.Parameter(torch.from_numpy(bias.astype(np.float32)), requires_grad=False)
