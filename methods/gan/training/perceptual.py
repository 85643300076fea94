"""LPIPS as the compact networks are trained with it, its weights from instruments or out of a pack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from unmask.bench.core.errors import CheckpointError, UnavailableError

View = Literal["alex-half", "alex-full", "vgg-half", "vgg-full"]
"""A backbone and the size that it looks at faces in: 64 or 128 px."""
INSTRUMENTS: Final[Mapping[str, str]] = {"alex": "lpips-alex", "vgg": "lpips-vgg"}
"""Backbone -> the registered instrument whose weights these are."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """What of a backbone LPIPS uses."""

    shapes: tuple[tuple[int, int, int, int], ...]
    """Channels, kernel, stride and padding of each convolution."""
    pooled: tuple[int, ...]
    """Convolutions before which the layers are pooled."""
    window: int
    """Of that pooling; its stride is 2."""
    taps: tuple[int, ...]
    """Convolutions whose layers are compared."""


ARCHITECTURES: Final[Mapping[str, Architecture]] = {
    "alex": Architecture(
        ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1)), (1, 2), 3, (0, 1, 2, 3, 4)
    ),
    # Of its five groups the last is left out: it takes a third of the weights and sees little of 128 px.
    "vgg": Architecture(
        tuple((channels, 3, 1, 1) for channels in (64, 64, 128, 128, 256, 256, 256, 512, 512, 512)),
        (2, 4, 7),
        2,
        (1, 3, 6, 9),
    ),
}


class Backbone(nn.Module):
    """LPIPS with one network (Zhang et al., CVPR 2018), as the `lpips` package calculates it, without the package."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.architecture = architecture = ARCHITECTURES[name]
        before = 3
        self.convolutions = nn.ModuleList()
        for channels, kernel, stride, padding in architecture.shapes:
            self.convolutions.append(nn.Conv2d(before, channels, kernel, stride, padding))
            before = channels
        self.channels = tuple(architecture.shapes[k][0] for k in architecture.taps)
        self.heads = nn.ModuleList(nn.Conv2d(count, 1, 1, bias=False) for count in self.channels)
        self.shift = nn.Buffer(torch.tensor((-0.030, -0.088, -0.188))[None, :, None, None])
        self.scale = nn.Buffer(torch.tensor((0.458, 0.448, 0.450))[None, :, None, None])
        self.requires_grad_(False)

    def copy(self, lpips_network: Any) -> None:
        """Takes the weights of an ``lpips.LPIPS`` with this network."""
        theirs = [module for module in lpips_network.net.modules() if isinstance(module, nn.Conv2d)]
        for ours, convolution in zip(self.convolutions, theirs[: len(self.convolutions)], strict=True):
            ours.load_state_dict(convolution.state_dict())
        for ours, head in zip(self.heads, lpips_network.lins[: len(self.heads)], strict=True):
            ours.load_state_dict(head.model[-1].state_dict())

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """(N, 3, H, W) in [-1, 1] -> the layers that are compared."""
        x = (image - self.shift) / self.scale
        layers: list[torch.Tensor] = []
        for k, convolution in enumerate(self.convolutions):
            if k in self.architecture.pooled:
                x = functional.max_pool2d(x, self.architecture.window, 2)
            x = functional.relu(convolution(x))
            if k in self.architecture.taps:
                layers.append(x)
        return layers

    def distance(self, a: Sequence[torch.Tensor], b: Sequence[torch.Tensor]) -> torch.Tensor:
        """LPIPS (N,) from the layers of two images; in float32 whatever autocast says, as small differences need."""
        with torch.autocast(a[0].device.type, enabled=False):
            total = torch.zeros(len(a[0]), device=a[0].device)
            for head, x, y in zip(self.heads, a, b, strict=True):
                difference = functional.normalize(x.float(), eps=1e-8) - functional.normalize(y.float(), eps=1e-8)
                total = total + head(difference.square()).mean((1, 2, 3))
            return total


class Features(nn.Module):
    """The perceptual loss, and the layers that `FeatureCritic` judges: faces in one or several views."""

    def __init__(self, views: Sequence[View] = ("alex-half",)) -> None:
        super().__init__()
        self.views = tuple(tuple(view.split("-")) for view in views)
        self.backbones = nn.ModuleDict({name: Backbone(name) for name, _ in self.views})

    @property
    def channels(self) -> tuple[int, ...]:
        """Of each layer, one view's behind the other's."""
        return tuple(count for name, _ in self.views for count in self.backbone(name).channels)

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """(N, 3, 128, 128) in [-1, 1] -> the layers of all views. Half size, 64 px, is what LPIPS was tuned on."""
        half = functional.avg_pool2d(image, 2) if any(size == "half" for _, size in self.views) else image
        return [layer for name, size in self.views for layer in self.backbone(name)(half if size == "half" else image)]

    def distance(self, a: Sequence[torch.Tensor], b: Sequence[torch.Tensor]) -> torch.Tensor:
        """LPIPS (N,), the mean of all views, from the layers of two images."""
        total, start = torch.zeros(len(a[0]), device=a[0].device), 0
        for name, _ in self.views:
            backbone = self.backbone(name)
            end = start + len(backbone.channels)
            total = total + backbone.distance(a[start:end], b[start:end]) / len(self.views)
            start = end
        return total

    def backbone(self, name: str) -> Backbone:
        """Of that name, which one of the views has."""
        backbone = self.backbones[name]
        assert isinstance(backbone, Backbone)
        return backbone


def needed_instruments(views: Sequence[str]) -> tuple[str, ...]:
    """The registered instruments whose weights these views take."""
    return tuple(dict.fromkeys(INSTRUMENTS[view.split("-")[0]] for view in views))


def perceptual_features(
    files: Mapping[str, Mapping[str, Path]], pack: Path | None = None, views: Sequence[View] = ("alex-half",)
) -> Features:
    """With the weights that lie in a ``pack``, else with the instruments'; ``files`` as
    `bench.core.training.TrainingInputs` has them. Raises CheckpointError where a pack's do not fit."""
    features = Features(views)
    if pack is not None:
        try:
            tensors = load_file(pack)
            for name, backbone in features.backbones.items():
                prefix = f"{name}."
                own = {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}
                backbone.load_state_dict(own)
        except (RuntimeError, SafetensorError, OSError) as error:
            raise CheckpointError(f"{pack} does not hold the weights of LPIPS; pack the set again") from error
        return features
    missing = [instrument for instrument in needed_instruments(views) if instrument not in files]
    if missing:
        raise UnavailableError(
            f"training a compact network needs the weights of {missing[0]}: use `unmask train`, or a pack "
            "made by `unmask data pack`"
        )
    # A machine that trains on a pack has no pydantic, which the registry needs.
    from unmask.bench.core.registry import instrument_class

    for name in features.backbones:
        instrument: Any = instrument_class(INSTRUMENTS[name]).open(files[INSTRUMENTS[name]], "cpu")
        features.backbone(name).copy(instrument.network)
    return features


def packed_weights(features: Features) -> dict[str, torch.Tensor]:
    """What a pack holds of ``features``: AlexNet as it is, VGG16, the larger by far, in half precision."""
    return {
        f"{name}.{key}": value.half() if name == "vgg" else value
        for name, backbone in features.backbones.items()
        for key, value in backbone.state_dict().items()
    }
