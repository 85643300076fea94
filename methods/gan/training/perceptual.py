"""LPIPS with AlexNet as the compact networks are trained with it, its weights from an instrument or out of a pack."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

from unmask.bench.core.errors import CheckpointError, UnavailableError

PERCEPTUAL_INSTRUMENT: Final = "lpips-alex"
"""The registered instrument whose weights these are."""


class Features(nn.Module):
    """LPIPS with AlexNet (Zhang et al., CVPR 2018): the perceptual loss, and the layers that `FeatureCritic` judges.

    The arithmetic of the `lpips` package's network, without the package; its weights are copied in by `copied`.
    """

    channels = (64, 192, 384, 256, 256)

    def __init__(self) -> None:
        super().__init__()
        before = (3, *self.channels)
        shapes = ((11, 4, 2), (5, 1, 2), (3, 1, 1), (3, 1, 1), (3, 1, 1))  # kernel, stride, padding
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before[k], self.channels[k], *shape) for k, shape in enumerate(shapes)
        )
        self.heads = nn.ModuleList(nn.Conv2d(count, 1, 1, bias=False) for count in self.channels)
        self.shift = nn.Buffer(torch.tensor((-0.030, -0.088, -0.188))[None, :, None, None])
        self.scale = nn.Buffer(torch.tensor((0.458, 0.448, 0.450))[None, :, None, None])
        self.requires_grad_(False)

    @classmethod
    def copied(cls, lpips_network: Any) -> Features:
        """With the weights of an ``lpips.LPIPS(net="alex")``."""
        features = cls()
        theirs = [module for module in lpips_network.net.modules() if isinstance(module, nn.Conv2d)]
        for ours, convolution in zip(features.convolutions, theirs, strict=True):
            ours.load_state_dict(convolution.state_dict())
        for ours, head in zip(features.heads, lpips_network.lins, strict=True):
            ours.load_state_dict(head.model[-1].state_dict())
        return features

    def forward(self, image: torch.Tensor) -> list[torch.Tensor]:
        """(N, 3, H, W) in [-1, 1] -> five layers, looked at in half size: 64 px is what LPIPS was tuned on."""
        x = (functional.avg_pool2d(image, 2) - self.shift) / self.scale
        layers: list[torch.Tensor] = []
        for k, convolution in enumerate(self.convolutions):
            x = functional.relu(convolution(functional.max_pool2d(x, 3, 2) if k in (1, 2) else x))
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


def perceptual_features(files: Mapping[str, Mapping[str, Path]], pack: Path | None = None) -> Features:
    """With the weights that lie in a ``pack``, else with the instrument's; ``files`` as
    `bench.core.training.TrainingInputs` has them. Raises CheckpointError where a pack's do not fit."""
    if pack is not None:
        features = Features()
        try:
            features.load_state_dict(load_file(pack))
        except (RuntimeError, SafetensorError, OSError) as error:
            raise CheckpointError(f"{pack} does not hold the weights of LPIPS; pack the set again") from error
        return features
    if PERCEPTUAL_INSTRUMENT not in files:
        raise UnavailableError(
            f"training a compact network needs the weights of {PERCEPTUAL_INSTRUMENT}: use `unmask train`, or a pack "
            "made by `unmask data pack`"
        )
    # A machine that trains on a pack has no pydantic, which the registry needs.
    from unmask.bench.core.registry import instrument_class

    instrument: Any = instrument_class(PERCEPTUAL_INSTRUMENT).open(files[PERCEPTUAL_INSTRUMENT], "cpu")
    return Features.copied(instrument.network)
