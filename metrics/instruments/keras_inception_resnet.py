"""Inception-ResNet-v1 (the FaceNet backbone) as a torch network, filled from a Keras ``.h5`` file.

Szegedy et al., "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning", AAAI 2017,
figures 14 to 20, with the changes of the FaceNet training code that the file comes from: five, ten and five blocks, and
a last block without activation. Every batch normalisation is folded into the layer before it while loading, which
changes embeddings by rounding only.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import cast

import h5py
import numpy as np
import torch
from torch import Tensor, nn

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Float

_BN_EPSILON = 1e-3
"""Keras' value, as in the file's own description of the network."""


class ConvRelu(nn.Module):
    """A convolution (its batch normalisation folded in) and a ReLU. ``name`` is the layer's name in the file."""

    def __init__(
        self, name: str, n_in: int, n_out: int, kernel: int | tuple[int, int], *, stride: int = 1, same: bool = True
    ) -> None:
        super().__init__()
        self.name = name
        high, wide = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (high // 2, wide // 2) if same else (0, 0)
        self.conv = nn.Conv2d(n_in, n_out, (high, wide), stride=stride, padding=padding)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu_(self.conv(x))


class Residual(nn.Module):
    """``x + scale * up(concat(branches(x)))``: the three residual blocks differ in their branches only."""

    def __init__(
        self, name: str, channels: int, branches: list[nn.Sequential], *, scale: float, relu: bool = True
    ) -> None:
        super().__init__()
        self.name, self.scale, self.relu = name, scale, relu
        self.branches = nn.ModuleList(branches)
        widths = [cast(ConvRelu, branch[-1]).conv.out_channels for branch in branches]
        self.up = nn.Conv2d(sum(widths), channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.up(torch.cat([branch(x) for branch in self.branches], dim=1))
        # The scale is folded into ``up`` by `load_keras`.
        y += x
        return torch.relu_(y) if self.relu else y


class Reduction(nn.Module):
    """Convolution branches and a max pooling, side by side, each halving the resolution."""

    def __init__(self, branches: list[nn.Sequential]) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches] + [nn.functional.max_pool2d(x, 3, 2)], dim=1)


class InceptionResNetV1(nn.Module):
    """(N, 3, 160, 160) float32, each image standardised -> (N, 128) float32, not normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(
            ConvRelu("Conv2d_1a_3x3", 3, 32, 3, stride=2, same=False),
            ConvRelu("Conv2d_2a_3x3", 32, 32, 3, same=False),
            ConvRelu("Conv2d_2b_3x3", 32, 64, 3),
            nn.MaxPool2d(3, 2),
            ConvRelu("Conv2d_3b_1x1", 64, 80, 1),
            ConvRelu("Conv2d_4a_3x3", 80, 192, 3, same=False),
            ConvRelu("Conv2d_4b_3x3", 192, 256, 3, stride=2, same=False),
        )
        self.blocks = nn.Sequential(
            *(_block35(f"Block35_{k}") for k in range(1, 6)),
            _reduction_a("Mixed_6a"),
            *(_block17(f"Block17_{k}") for k in range(1, 11)),
            _reduction_b("Mixed_7a"),
            *(_block8(f"Block8_{k}", scale=0.2) for k in range(1, 6)),
            _block8("Block8_6", scale=1.0, relu=False),
        )
        self.bottleneck = nn.Linear(1792, 128)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.bottleneck(self.blocks(self.stem(x)).mean(dim=(2, 3))))


def _block35(name: str) -> Residual:
    b0 = nn.Sequential(ConvRelu(f"{name}_Branch_0_Conv2d_1x1", 256, 32, 1))
    b1 = nn.Sequential(
        ConvRelu(f"{name}_Branch_1_Conv2d_0a_1x1", 256, 32, 1), ConvRelu(f"{name}_Branch_1_Conv2d_0b_3x3", 32, 32, 3)
    )
    b2 = nn.Sequential(
        ConvRelu(f"{name}_Branch_2_Conv2d_0a_1x1", 256, 32, 1),
        ConvRelu(f"{name}_Branch_2_Conv2d_0b_3x3", 32, 32, 3),
        ConvRelu(f"{name}_Branch_2_Conv2d_0c_3x3", 32, 32, 3),
    )
    return Residual(name, 256, [b0, b1, b2], scale=0.17)


def _block17(name: str) -> Residual:
    b0 = nn.Sequential(ConvRelu(f"{name}_Branch_0_Conv2d_1x1", 896, 128, 1))
    b1 = nn.Sequential(
        ConvRelu(f"{name}_Branch_1_Conv2d_0a_1x1", 896, 128, 1),
        ConvRelu(f"{name}_Branch_1_Conv2d_0b_1x7", 128, 128, (1, 7)),
        ConvRelu(f"{name}_Branch_1_Conv2d_0c_7x1", 128, 128, (7, 1)),
    )
    return Residual(name, 896, [b0, b1], scale=0.1)


def _block8(name: str, *, scale: float, relu: bool = True) -> Residual:
    b0 = nn.Sequential(ConvRelu(f"{name}_Branch_0_Conv2d_1x1", 1792, 192, 1))
    b1 = nn.Sequential(
        ConvRelu(f"{name}_Branch_1_Conv2d_0a_1x1", 1792, 192, 1),
        ConvRelu(f"{name}_Branch_1_Conv2d_0b_1x3", 192, 192, (1, 3)),
        ConvRelu(f"{name}_Branch_1_Conv2d_0c_3x1", 192, 192, (3, 1)),
    )
    return Residual(name, 1792, [b0, b1], scale=scale, relu=relu)


def _reduction_a(name: str) -> Reduction:
    b0 = nn.Sequential(ConvRelu(f"{name}_Branch_0_Conv2d_1a_3x3", 256, 384, 3, stride=2, same=False))
    b1 = nn.Sequential(
        ConvRelu(f"{name}_Branch_1_Conv2d_0a_1x1", 256, 192, 1),
        ConvRelu(f"{name}_Branch_1_Conv2d_0b_3x3", 192, 192, 3),
        ConvRelu(f"{name}_Branch_1_Conv2d_1a_3x3", 192, 256, 3, stride=2, same=False),
    )
    return Reduction([b0, b1])


def _reduction_b(name: str) -> Reduction:
    b0 = nn.Sequential(
        ConvRelu(f"{name}_Branch_0_Conv2d_0a_1x1", 896, 256, 1),
        ConvRelu(f"{name}_Branch_0_Conv2d_1a_3x3", 256, 384, 3, stride=2, same=False),
    )
    b1 = nn.Sequential(
        ConvRelu(f"{name}_Branch_1_Conv2d_0a_1x1", 896, 256, 1),
        ConvRelu(f"{name}_Branch_1_Conv2d_1a_3x3", 256, 256, 3, stride=2, same=False),
    )
    b2 = nn.Sequential(
        ConvRelu(f"{name}_Branch_2_Conv2d_0a_1x1", 896, 256, 1),
        ConvRelu(f"{name}_Branch_2_Conv2d_0b_3x3", 256, 256, 3),
        ConvRelu(f"{name}_Branch_2_Conv2d_1a_3x3", 256, 256, 3, stride=2, same=False),
    )
    return Reduction([b0, b1, b2])


def load_keras(path: Path) -> InceptionResNetV1:
    """The network with the weights of a Keras ``.h5`` file, ready to run (eval mode, no gradients).

    Only arrays of numbers are read: nothing in the file can run code. Raises `CheckpointError` if a layer is missing,
    has another shape or values that are not finite, or if the file has weights that the network has no place for.
    """
    network = InceptionResNetV1()
    try:
        with h5py.File(path, "r") as file:
            _Filler(file["model_weights"]).fill(network)
    except (OSError, KeyError) as error:
        raise CheckpointError(f"{path.name} is not the FaceNet file that the card pins: {error}") from error
    return network.eval().requires_grad_(False)


class _Filler:
    """Copies layers out of the file and remembers which, so that none is left over."""

    def __init__(self, weights: h5py.Group) -> None:
        self._weights = weights
        self._left = {name for name, group in weights.items() if len(group)}

    def fill(self, network: InceptionResNetV1) -> None:
        for module in network.modules():
            if isinstance(module, ConvRelu):
                kernel, bias = self._normalised(module.name, f"{module.name}_BatchNorm")
                self._set(module.name, module.conv, np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), bias)
            elif isinstance(module, Residual):
                name = f"{module.name}_Conv2d_1x1"
                kernel, bias = self._array(name, "kernel"), self._array(name, "bias")
                self._set(name, module.up, module.scale * kernel.transpose(3, 2, 0, 1), module.scale * bias)
        kernel, bias = self._normalised("Bottleneck", "Bottleneck_BatchNorm")
        self._set("Bottleneck", network.bottleneck, kernel.T, bias)
        if self._left:
            raise CheckpointError(f"the FaceNet file has layers that the network does not: {sorted(self._left)[:3]}")

    def _array(self, layer: str, name: str) -> Float:
        self._left.discard(layer)
        return np.asarray(self._weights[layer][layer][f"{name}:0"], np.float64)

    def _normalised(self, layer: str, norm: str) -> tuple[Float, ...]:
        """Kernel (..., in, out) and bias of a bias-free layer with the batch normalisation after it folded in."""
        scale = 1.0 / np.sqrt(self._array(norm, "moving_variance") + _BN_EPSILON)
        return self._array(layer, "kernel") * scale, self._array(norm, "beta") - self._array(
            norm, "moving_mean"
        ) * scale

    def _set(self, name: str, layer: nn.Conv2d | nn.Linear, kernel: Float, bias: Float) -> None:
        assert layer.bias is not None
        if kernel.shape != tuple(layer.weight.shape) or bias.shape != tuple(layer.bias.shape):
            raise CheckpointError(
                f"layer {name} of the FaceNet file has shape {kernel.shape}, not {tuple(layer.weight.shape)}"
            )
        if not (math.isfinite(float(kernel.sum())) and math.isfinite(float(bias.sum()))):
            raise CheckpointError(f"layer {name} of the FaceNet file holds values that are not finite")
        layer.weight.data = torch.from_numpy(kernel.astype(np.float32))
        layer.bias.data = torch.from_numpy(bias.astype(np.float32))
