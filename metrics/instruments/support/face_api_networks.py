"""face-api's small networks in torch, with the weights of their TensorFlow.js files.

"TinyXception" is that of age and gender; densely connected blocks are those of expressions and landmarks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Floats32
from unmask.metrics.instruments.support.onnx_session import fast_network
from unmask.metrics.instruments.support.tfjs_weights import read_json, read_weights

N = TypeVar("N", bound=nn.Module)


class Separable(nn.Module):
    """A 3 x 3 depthwise convolution, then a 1 x 1 one with a bias. At stride 2 an even side is halved."""

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.halve = stride == 2
        padding = 0 if self.halve else 1
        self.depthwise = nn.Conv2d(channels, channels, 3, stride, padding, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, out, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        # As TensorFlow pads even sides: by one pixel, right and below.
        y: torch.Tensor = self.pointwise(self.depthwise(functional.pad(x, (0, 1, 0, 1)) if self.halve else x))
        return y


class Reduction(nn.Module):
    """Two separable convolutions and a pooling that halves the side, beside a strided 1 x 1 shortcut."""

    def __init__(self, channels: int, out: int, *, activate_first: bool = True) -> None:
        super().__init__()
        self.separable_conv0 = Separable(channels, out)
        self.separable_conv1 = Separable(out, out)
        self.expansion_conv = nn.Conv2d(channels, out, 1, stride=2)
        self.activate_first = activate_first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.separable_conv0(x.relu() if self.activate_first else x)
        y = self.separable_conv1(y.relu())
        # As TensorFlow pads even sides: by one pixel, right and below.
        y = functional.max_pool2d(y, 3, 2, ceil_mode=True)
        shortcut: torch.Tensor = self.expansion_conv(x)
        return y + shortcut


class Main(nn.Module):
    """Three separable convolutions added to their input."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.separable_conv0 = Separable(channels, channels)
        self.separable_conv1 = Separable(channels, channels)
        self.separable_conv2 = Separable(channels, channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for convolution in (self.separable_conv0, self.separable_conv1, self.separable_conv2):
            y = convolution(y.relu())
        return x + y


class TinyXception(nn.Module):
    """(N, 3, 112, 112) normalised RGB -> (N, 3): age in years, then the probabilities of the two genders."""

    def __init__(self) -> None:
        super().__init__()
        # Named as in the file.
        self.entry_flow = nn.ModuleDict(
            {
                "conv_in": nn.Conv2d(3, 32, 3, stride=2),
                "reduction_block_0": Reduction(32, 64, activate_first=False),
                "reduction_block_1": Reduction(64, 128),
            }
        )
        self.middle_flow = nn.ModuleDict({f"main_block_{k}": Main(128) for k in range(2)})
        self.exit_flow = nn.ModuleDict({"reduction_block": Reduction(128, 256), "separable_conv": Separable(256, 512)})
        self.fc = nn.ModuleDict({"age": nn.Linear(512, 1), "gender": nn.Linear(512, 2)})

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.entry_flow["conv_in"](functional.pad(x, (0, 1, 0, 1))).relu()
        x = self.entry_flow["reduction_block_1"](self.entry_flow["reduction_block_0"](x))
        x = self.middle_flow["main_block_1"](self.middle_flow["main_block_0"](x))
        x = self.exit_flow["separable_conv"](self.exit_flow["reduction_block"](x)).relu()
        # 7 x 7 at this point; the published code pools with a window of 7, which is all of it.
        x = x.mean(dim=(2, 3))
        return torch.cat([self.fc["age"](x), self.fc["gender"](x).softmax(dim=1)], 1)


class Dense(nn.Module):
    """A block that halves the side; each convolution adds its output to the sum of all before it."""

    def __init__(self, channels: int, out: int, *, first: bool = False) -> None:
        super().__init__()
        self.first = first
        self.conv0 = nn.Conv2d(channels, out, 3, stride=2) if first else Separable(channels, out, stride=2)
        self.conv1, self.conv2, self.conv3 = (Separable(out, out) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total: torch.Tensor = self.conv0(functional.pad(x, (0, 1, 0, 1)) if self.first else x).relu()
        total = total + self.conv1(total)
        total = total + self.conv2(total.relu())
        total = total + self.conv3(total.relu())
        return total.relu()


class DenseNetwork(nn.Module):
    """(N, 3, 112, 112) normalised RGB -> (N, ``values``): "FaceFeatureExtractor" with a linear layer."""

    def __init__(self, values: int) -> None:
        super().__init__()
        self.dense0, self.dense1 = Dense(3, 32, first=True), Dense(32, 64)
        self.dense2, self.dense3 = Dense(64, 128), Dense(128, 256)
        self.fc = nn.Linear(256, values)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.dense3(self.dense2(self.dense1(self.dense0(x))))
        # 7 x 7 at this point; the published code pools with a window of 7, which is all of it.
        y: torch.Tensor = self.fc(x.mean(dim=(2, 3)))
        return y


def open_network(
    files: Mapping[str, Path], network: nn.Module, device: str, name: str, side: int
) -> Callable[..., Floats32]:
    """What computes ``network`` with the weights of ``files`` on images of ``side`` pixels (`fast_network`).

    Raises CheckpointError for a file of another network, UnavailableError for a missing GPU.
    """
    weights = read_weights(read_json(files["manifest"]), files["weights"])
    return fast_network(build_network(weights, network), device, name, sides=(side, side))


def build_network(weights: Mapping[str, Floats32], network: N) -> N:
    """The network with the file's weights, all of which must be used. Raises CheckpointError where they do not fit."""
    unused = set(weights)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            key, order = _file_name(name, parameter.ndim)
            array = weights.get(key)
            if array is None or array.ndim != len(order) or array.transpose(order).shape != tuple(parameter.shape):
                raise CheckpointError(f"face-api's {key} is missing or does not fit {tuple(parameter.shape)}")
            parameter.copy_(torch.from_numpy(np.ascontiguousarray(array.transpose(order))))
            unused.discard(key)
    if unused:
        raise CheckpointError(f"face-api's file has weights that the network has no place for: {sorted(unused)[:3]}")
    return network.eval().requires_grad_(False)


def _file_name(name: str, ndim: int) -> tuple[str, tuple[int, ...]]:
    """The file's name of a parameter, and the order of axes that turns it into torch's."""
    path, _, kind = name.replace(".", "/").rpartition("/")
    layer, part = path.removesuffix("/depthwise").removesuffix("/pointwise"), path.rpartition("/")[2]
    if kind == "bias":
        return f"{layer}/bias", (0,)
    if ndim == 2:
        return f"{layer}/weights", (1, 0)
    if part == "depthwise":
        return f"{layer}/depthwise_filter", (2, 3, 0, 1)
    return f"{layer}/{'pointwise_filter' if part == 'pointwise' else 'filters'}", (3, 2, 0, 1)
