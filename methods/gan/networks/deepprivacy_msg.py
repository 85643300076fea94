"""DeepPrivacy's multi-scale generator: the published default ``fdf128_rcnn512``, and ``fdf128_retinanet128``.

A U-Net from 128 px down to 4 px and back; landmarks and noise join at 4 px; every size of the decoder gives an RGB
image, and the output is the mean of the six, each scaled up by repeating pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, TypeVar

import torch
from torch import nn
from torch.nn import functional

from unmask.methods.gan.networks import Shapes
from unmask.methods.gan.networks.deepprivacy_blocks import (
    LATENT,
    LEAK,
    Block,
    EqualConv,
    EqualLinear,
    PixelNorm,
    Skip,
    doubled,
    latent_or_zeros,
    paste,
)

T = TypeVar("T")
SIDES = (4, 8, 16, 32, 64, 128)
"""Pixels, from the bottom of the U-Net to the image."""
GAIN = 1.0
POSE_HIDDEN = 128
POSE_MAPS = 16
"""Maps of 4 x 4 that the landmarks become."""


@dataclass(frozen=True, slots=True)
class MsgConfig:
    """All that decides the generator's tensors."""

    width: int = 512
    """Channels up to 32 px; half as many at 64 px, a quarter at 128 px."""
    pose_size: int = 14
    """Numbers that describe the landmarks: 7 points of the keypoint R-CNN, or 5 (10) of RetinaNet."""
    residual: bool = False
    """Blocks with a bypass, as the configs of ``fdf128_retinanet256`` and ``512`` ask for."""

    def channels(self, side: int) -> int:
        return self.width * 32 // max(side, 32)

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> Self | None:
        """The settings that a state dict's shapes tell (after `renamed`), or None if it is no such generator."""
        bottom, pose = (
            shapes.get(key)
            for key in ("encoder.basic_block4.layers.0.weight", "decoder.pose_fcnn.pose_preprocessor.1.weight")
        )
        if not any(key.startswith("rgb_convolutions.") for key in shapes):
            return None
        if bottom is None or pose is None or len(bottom) != 4 or len(pose) != 2 or bottom[0] < 4:
            return cls()  # its names are the generator's; the comparison of shapes will say what is wrong
        return cls(bottom[0], pose[1], "encoder.basic_block4.residual_conv.weight" in shapes)


def renamed(tensors: Mapping[str, T]) -> dict[str, T]:
    """Present keys for an older checkpoint, whose blocks count from the bottom and which has an unused ``to_rgb``."""
    if (
        not any(key.startswith("rgb_convolutions.") for key in tensors)
        or "decoder.basic_block0.layers.0.weight" not in tensors
    ):
        return dict(tensors)
    return {_new_name(key): tensor for key, tensor in tensors.items() if not key.startswith("decoder.to_rgb.")}


def _new_name(key: str) -> str:
    if key.startswith("encoder.from_rgb."):
        return key.removeprefix("encoder.").replace(".conv.layers", "")
    part, _, rest = key.partition(".")
    block, _, tail = rest.partition(".")
    for kind in ("basic_block", "skip_connection"):
        number = block.removeprefix(kind)
        if part in ("encoder", "decoder") and number != block and number in ("0", "1", "2", "3", "4", "5"):
            return f"{part}.{kind}{SIDES[int(number)]}.{tail}"
    return key


class Pose(nn.Module):
    """(N, pose_size) landmarks in [0, 1] to (N, 16, 4, 4) maps."""

    def __init__(self, pose_size: int) -> None:
        super().__init__()
        # The published network rescales the landmarks in a layer of its own, hence the numbering from 1.
        self.pose_preprocessor = nn.Sequential(
            nn.Identity(),
            EqualLinear(pose_size, POSE_HIDDEN),
            nn.LeakyReLU(LEAK),
            EqualLinear(POSE_HIDDEN, POSE_MAPS * SIDES[0] ** 2),
            nn.LeakyReLU(LEAK),
        )

    def forward(self, landmarks: torch.Tensor) -> torch.Tensor:
        maps: torch.Tensor = self.pose_preprocessor(landmarks * 2 - 1)
        return maps.reshape(-1, POSE_MAPS, SIDES[0], SIDES[0])


class MsgGenerator(nn.Module):
    """Invents a face of 128 x 128 px for an erased box; what the box held never reaches a layer."""

    latent_shape = LATENT

    def __init__(self, config: MsgConfig) -> None:
        super().__init__()
        self.config = config
        at = config.channels
        self.from_rgb = nn.Sequential(EqualConv(5, at(SIDES[-1]), 1, GAIN), nn.LeakyReLU(LEAK), PixelNorm())
        self.encoder = nn.ModuleDict()
        self.decoder = nn.ModuleDict({"pose_fcnn": Pose(config.pose_size)})
        self.rgb_convolutions = nn.ModuleDict()
        for side in SIDES:
            here, below = at(side), at(max(side // 2, SIDES[0]))
            enters = below + LATENT[0] + POSE_MAPS if side == SIDES[0] else below
            self.encoder[f"basic_block{side}"] = Block((here, here, below), GAIN, residual=config.residual)
            self.decoder[f"basic_block{side}"] = Block((enters, enters, here), GAIN, residual=config.residual)
            if side != SIDES[0]:
                self.decoder[f"skip_connection{side}"] = Skip(2 * below, below, GAIN)
            self.rgb_convolutions[str(side)] = EqualConv(here, 3, 1, GAIN)

    def forward(
        self, image: torch.Tensor, keep: torch.Tensor, landmarks: torch.Tensor, latent: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(N, 3, 128, 128), equal to ``image`` where ``keep`` (N, 1, 128, 128) is 1, invented where it is 0.

        ``image`` in [-1, 1]; ``landmarks`` (N, pose_size) x, y pairs in [0, 1] of the crop: nose, eyes, ears,
        shoulders; ``latent`` (N, 32, 4, 4), None = zeros. What is invented has no hard bounds: clip it.
        """
        visible = image * keep
        x: torch.Tensor = self.from_rgb(torch.cat([visible, keep, 1 - keep], 1))
        features = {}
        for side in reversed(SIDES):
            x = features[side] = self.encoder[f"basic_block{side}"](x)
            if side != SIDES[0]:
                x = functional.avg_pool2d(x, 2)
        x = torch.cat([x, latent_or_zeros(latent, x), self.decoder["pose_fcnn"](landmarks.to(x))], 1)
        rgb = visible.new_zeros(())
        for side in SIDES:
            if side != SIDES[0]:
                x = self.decoder[f"skip_connection{side}"](doubled(x), features[side])
                rgb = doubled(rgb)
            x = self.decoder[f"basic_block{side}"](x)
            rgb = rgb + self.rgb_convolutions[str(side)](x)
        return paste(visible, keep, rgb / len(SIDES))
