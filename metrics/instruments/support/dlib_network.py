"""dlib's face recognition network in torch, filled from dlib's own ``.dat`` file.

The dlib package computes it without a fast matrix library, in about 60 ms a face on one core; this one takes 3 ms.
The network is `dnn_face_recognition_ex.cpp` of dlib 19: ResNet-29 after He et al., CVPR 2016, with half the filters;
each batch normalisation is stored as a scale and an offset per channel and is folded into the convolution before it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Float, Floats32

_MEAN: Final = (122.782, 117.001, 104.298)
_LEVELS: Final = ((32, 3, False), (64, 4, True), (128, 3, True), (256, 3, True), (256, 1, True))
"""(filters, blocks, whether the first block halves the resolution), from the input upwards."""
_TENSOR_VERSION: Final = 2
_LARGEST: Final = 1 << 24


class Block(nn.Module):
    """Two convolutions and a shortcut, which averages where the block halves the resolution. Where the sums' two sides
    differ in height, width or channels, dlib takes what is missing as 0."""

    def __init__(self, n_in: int, n_out: int, *, halves: bool) -> None:
        super().__init__()
        self.halves = halves
        # dlib pads convolutions of stride 1 only.
        self.first = nn.Conv2d(n_in, n_out, 3, stride=2 if halves else 1, padding=0 if halves else 1)
        self.second = nn.Conv2d(n_out, n_out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(torch.relu_(self.first(x)))
        shortcut = functional.avg_pool2d(x, 2) if self.halves else x
        shape = [max(sides) for sides in zip(y.shape[1:], shortcut.shape[1:], strict=True)]
        return torch.relu_(_widened(y, shape) + _widened(shortcut, shape))


def _widened(x: Tensor, shape: list[int]) -> Tensor:
    channels, height, width = (full - side for full, side in zip(shape, x.shape[1:], strict=True))
    return functional.pad(x, (0, width, 0, height, 0, channels)) if channels or height or width else x


class ResNet29(nn.Module):
    """(N, 3, 150, 150) float32, RGB in 0..255 -> (N, 128) float32, not normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(_MEAN)[:, None, None])
        self.stem = nn.Conv2d(3, 32, 7, stride=2)
        blocks, n_in = [], 32
        for n_out, count, halves in _LEVELS:
            blocks += [Block(n_in if k == 0 else n_out, n_out, halves=halves and k == 0) for k in range(count)]
            n_in = n_out
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(256, 128, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu_(self.stem((x - cast(Tensor, self.mean)) / 256))
        x = self.blocks(functional.max_pool2d(x, 3, 2))
        return cast(Tensor, self.head(x.mean(dim=(2, 3))))


def load_dlib(path: Path) -> ResNet29:
    """The network with the weights of ``dlib_face_recognition_resnet_model_v1.dat``, in eval mode, without gradients.

    Only numbers are read. Raises `CheckpointError` if the file has other layers, sizes or values that are not finite.
    """
    network = ResNet29()
    tensors = _tensors(path)
    try:
        for layer in network.modules():
            if isinstance(layer, nn.Conv2d):
                _fill_convolution(layer, next(tensors), next(tensors))
        network.head.weight.data = torch.from_numpy(_shaped(next(tensors), 256, 128).T.astype(np.float32))
    except (StopIteration, ValueError) as error:
        raise CheckpointError(
            f"{path.name} is not dlib's face recognition network: {error or 'layers miss'}"
        ) from error
    if next(tensors, None) is not None:
        raise CheckpointError(f"{path.name} has more layers than dlib's face recognition network")
    return network.eval().requires_grad_(False)


def _fill_convolution(layer: nn.Conv2d, convolution: Floats32, affine: Floats32) -> None:
    out, size = layer.out_channels, math.prod(layer.weight.shape)
    weight, bias = np.split(_shaped(convolution, size + out), [size])
    scale, offset = _shaped(affine, 2, out)
    layer.weight.data = torch.from_numpy(
        (weight.reshape(layer.weight.shape) * scale[:, None, None, None]).astype(np.float32)
    )
    layer.bias = nn.Parameter(torch.from_numpy((bias * scale + offset).astype(np.float32)))


def _shaped(values: Floats32, *shape: int) -> Float:
    if not np.isfinite(values).all():
        raise ValueError("it holds values that are not finite")
    return values.astype(np.float64).reshape(shape)


def _tensors(path: Path) -> Iterator[Floats32]:
    """The file's convolutions, affine layers and matrix, in order from the input upwards.

    A layer's parameters follow its name, and its own sizes for the matrix: dlib's version of tensors, four sizes, and
    little-endian float32.
    """
    data = path.read_bytes()
    position = 0
    while (match := _LAYER.search(data, position)) is not None:
        name, position = match.group(), match.end()
        header = []
        for _ in range(_OWN_SIZES[name] + 5):
            value, position = _integer(data, position)
            header.append(value)
        version, *sizes = header[_OWN_SIZES[name] :]
        count = math.prod(sizes)
        if version != _TENSOR_VERSION or not 0 < count <= _LARGEST or position + 4 * count > len(data):
            raise ValueError(f"layer {name[1:].decode()} is cut off or of another version")
        yield np.frombuffer(data, "<f4", count, position)
        position += 4 * count


_OWN_SIZES: Final = {b"\x05con_4": 0, b"\x07affine_": 0, b"\x04fc_2": 2}
"""Layers' names, each with its length before it as dlib writes strings, and how many numbers stand before a tensor."""
_LAYER: Final = re.compile(b"|".join(map(re.escape, _OWN_SIZES)))


def _integer(data: bytes, position: int) -> tuple[int, int]:
    """dlib's integers: a byte with the number of bytes that follow, then these, the lowest first. (value, next)."""
    length = data[position] if position < len(data) else 0
    if not 1 <= length <= 8:
        raise ValueError("it is cut off")
    return int.from_bytes(data[position + 1 : position + 1 + length], "little"), position + 1 + length
