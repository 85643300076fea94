"""FaceNet's Inception-ResNet-v1 in torch: facenet-pytorch's network, filled from a Keras ``.h5`` file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import h5py
import numpy as np
import torch
from facenet_pytorch.models.inception_resnet_v1 import BasicConv2d, InceptionResnetV1
from torch import nn
from torch.nn import functional

from unmask.bench.core.errors import CheckpointError

_DIMENSION: Final = 128
_BODY: Final = (
    *("conv2d_1a", "conv2d_2a", "conv2d_2b", "maxpool_3a", "conv2d_3b", "conv2d_4a", "conv2d_4b"),
    *("repeat_1", "mixed_6a", "repeat_2", "mixed_7a", "repeat_3"),
)
_LAST: Final = ("block8", "avgpool_1a", "last_linear", "last_bn")
_BN_EPSILON: Final = 1e-3
"""Keras' value, as in the file's own description of the network."""
_GROUPS: Final = {"repeat_1": "Block35", "repeat_2": "Block17", "repeat_3": "Block8"}
"""facenet-pytorch's groups of blocks -> the file's; the file counts blocks from 1."""


def load_keras(path: Path) -> nn.Module:
    """(N, 3, 160, 160) float32, each image standardised -> (N, 128) float32 of length 1; eval mode, no gradients.

    Only arrays of numbers are read: nothing in the file can run code. Raises `CheckpointError` if a layer is missing,
    has another shape or values that are not finite, or if the file has weights that the network has no place for.
    """
    # On "meta" nothing is drawn at random, so that torch's own generator stays where it was.
    with torch.device("meta"):
        network = InceptionResnetV1()
        network.last_linear = nn.Linear(network.last_linear.in_features, _DIMENSION, bias=False)
        network.last_bn = nn.BatchNorm1d(_DIMENSION, eps=_BN_EPSILON)
    try:
        with h5py.File(path, "r") as file:
            state = _state(network, file["model_weights"])
        network.load_state_dict(state, strict=True, assign=True)
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise CheckpointError(f"{path.name} is not the FaceNet file that the card pins: {reason}") from error
    module: nn.Module = network.eval().requires_grad_(False)
    return module


def body_of(network: nn.Module) -> nn.Module:
    """All of it before the last block: (N, 3, 160, 160) -> (N, 1792, 3, 3)."""
    return nn.Sequential(*(network.get_submodule(name) for name in _BODY))


def last_part_of(network: nn.Module) -> nn.Module:
    """What comes after `body_of`: (N, 1792, 3, 3) -> (N, 128), not scaled."""
    block, pool, linear, norm = (network.get_submodule(name) for name in _LAST)
    return nn.Sequential(block, pool, nn.Flatten(), linear, norm)


class WithActivations(nn.Module):
    """``network`` and what its last part is given: (N, 3, 160, 160) -> (N, 128 + 16128), side by side."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.body, self.last_part = body_of(network), last_part_of(network)
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        activations = self.body(images)
        embeddings = functional.normalize(self.last_part(activations), dim=1)
        return torch.cat([embeddings, activations.flatten(1)], 1)


def _state(network: nn.Module, weights: h5py.Group) -> dict[str, torch.Tensor]:
    """The file's arrays under facenet-pytorch's names."""
    unused = {name for name, group in weights.items() if len(group)}

    def read(layer: str, name: str, axes: tuple[int, ...] = (0,)) -> torch.Tensor:
        unused.discard(layer)
        values = np.asarray(weights[layer][layer][f"{name}:0"], np.float32)
        if not np.isfinite(values).all():
            raise ValueError(f"layer {layer} holds values that are not finite")
        return torch.from_numpy(np.ascontiguousarray(values.transpose(axes)))

    def normalisation(place: str, layer: str) -> dict[str, torch.Tensor]:
        """The file's batch normalisations have no scale, which is 1."""
        beta = read(layer, "beta")
        mean, variance = read(layer, "moving_mean"), read(layer, "moving_variance")
        values = {"weight": torch.ones_like(beta), "bias": beta, "running_mean": mean, "running_var": variance}
        return {f"{place}.{name}": tensor for name, tensor in values.items()} | {
            f"{place}.num_batches_tracked": torch.tensor(0)
        }

    state = {"last_linear.weight": read("Bottleneck", "kernel", (1, 0))}
    state |= normalisation("last_bn", "Bottleneck_BatchNorm")
    convolutions = sorted(name for name in unused if "Conv2d" in name and not name.endswith("_BatchNorm"))
    for place, module in network.named_modules():
        if isinstance(module, BasicConv2d):
            layer = _layer(place, convolutions)
            state[f"{place}.conv.weight"] = read(layer, "kernel", (3, 2, 0, 1))
            state |= normalisation(f"{place}.bn", f"{layer}_BatchNorm")
        elif place.endswith(".conv2d"):
            layer = _layer(place, convolutions)
            state[f"{place}.weight"], state[f"{place}.bias"] = read(layer, "kernel", (3, 2, 0, 1)), read(layer, "bias")
    if unused:
        raise ValueError(f"it has layers that the network does not: {sorted(unused)[:3]}")
    return state


def _layer(place: str, convolutions: list[str]) -> str:
    """The file's name of a convolution: ``repeat_1.0.branch1.2`` -> ``Block35_1_Branch_1_Conv2d_0c_3x3``.

    Within a branch the file's names ascend in alphabetical order. Raises `KeyError` where there is none.
    """
    group, *parts = place.replace("block8", "repeat_3.5").split(".")
    if not parts:
        prefix, position = f"C{group[1:]}_", 0
    else:
        block = f"{_GROUPS[group]}_{int(parts.pop(0)) + 1}" if group in _GROUPS else group.capitalize()
        branch = re.sub(r"branch(\d)", r"_Branch_\1", parts[0]) if parts[0] != "conv2d" else ""
        prefix, position = f"{block}{branch}_Conv2d_", int(parts[1]) if len(parts) > 1 else 0
    named = [name for name in convolutions if name.startswith(prefix)]
    if position >= len(named):
        raise KeyError(f"it has no layer for {place}")
    return named[position]
