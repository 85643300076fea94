"""DeepPrivacy's published generators (Hukkelas et al. 2019; hukkelas/DeepPrivacy): multi-scale, and the paper's own.

Both are U-Nets from 128 px down to 4 px and back; noise joins at 4 px. `MsgGenerator`, the published default
``fdf128_rcnn512`` and ``fdf128_retinanet128``, gets the landmarks at 4 px too; its output is the mean of an RGB image
from every size. `V1Generator`, ``deep_privacy_V1`` (paper, section 3), gets them at every size of its decoder.
Weights are stored as unit normals and scaled at run time (equalised learning rate, Karras et al. 2018, section 4.1).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self, TypeVar

import torch
from torch import nn
from torch.nn import functional

from unmask.methods.gan.networks import PixelNorm, Shapes

T = TypeVar("T")
LEAK = 0.2
LATENT = (32, 4, 4)
"""Shape of the noise that joins the encoding."""
SIDES = (4, 8, 16, 32, 64, 128)
"""Pixels, from the bottom of the U-Net to the image."""
MSG_GAIN, V1_GAIN = 1.0, math.sqrt(2)
POSE_HIDDEN, POSE_MAPS = 128, 16
"""Of `Pose`: hidden units, and maps of 4 x 4."""


class EqualConv(nn.Conv2d):
    """A convolution of 1 x 1 or 3 x 3 that keeps the size; its weight is scaled by gain / sqrt(fan in)."""

    def __init__(self, before: int, after: int, kernel: int, gain: float) -> None:
        super().__init__(before, after, kernel, padding=kernel // 2)
        self.scale = gain / math.sqrt(before * kernel * kernel)
        nn.init.normal_(self.weight)
        assert self.bias is not None
        nn.init.zeros_(self.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.conv2d(x, self.weight * self.scale, self.bias, padding=self.padding)


class EqualLinear(nn.Linear):
    """A linear layer scaled by 1 / sqrt(inputs). The published one holds another, unused one, and so do files."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(before, after)
        self.scale = 1 / math.sqrt(before)
        nn.init.normal_(self.weight)
        nn.init.zeros_(self.bias)
        self.linear = nn.Linear(before, after)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return functional.linear(x, self.weight * self.scale, self.bias)


def activated(channels: Sequence[int], kernel: int, gain: float) -> nn.Sequential:
    """Convolutions, each with a leaky ReLU and PixelNorm: ``0``, ``3``, ..."""
    parts: list[nn.Module] = []
    for before, after in pairwise(channels):
        parts += [EqualConv(before, after, kernel, gain), nn.LeakyReLU(LEAK), PixelNorm()]
    return nn.Sequential(*parts)


class ConvLayers(nn.Module):
    """`activated` under the name ``layers``."""

    def __init__(self, channels: Sequence[int], kernel: int, gain: float) -> None:
        super().__init__()
        self.layers = activated(channels, kernel, gain)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layers(x)
        return y


class Block(ConvLayers):
    """Two 3 x 3 convolutions; a residual one adds a 1 x 1 convolution of its input and divides by sqrt(2)."""

    def __init__(self, channels: tuple[int, int, int], gain: float, *, residual: bool = False) -> None:
        super().__init__(channels, 3, gain)
        self.residual_conv = EqualConv(channels[0], channels[2], 1, gain) if residual else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = super().forward(x)
        return y if self.residual_conv is None else (y + self.residual_conv(x)) / math.sqrt(2)


class Joined(nn.Module):
    """Several maps side by side through ``conv``."""

    def __init__(self, conv: nn.Module) -> None:
        super().__init__()
        self.conv = conv

    def forward(self, *maps: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.conv(torch.cat(maps, 1))
        return y


def doubled(x: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) -> (N, C, 2H, 2W): every pixel as 2 x 2."""
    return functional.interpolate(x, scale_factor=2, mode="nearest")


class Generator(nn.Module):
    """Invents a face of 128 x 128 px for an erased box; what the box held never reaches a layer."""

    latent_shape = LATENT

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.ModuleDict(), nn.ModuleDict()

    def forward(
        self, image: torch.Tensor, keep: torch.Tensor, landmarks: torch.Tensor, latent: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(N, 3, 128, 128), equal to ``image`` where ``keep`` (N, 1, 128, 128) is 1, invented where it is 0.

        ``image`` in [-1, 1]; ``landmarks`` (N, 2K) x, y pairs in [0, 1] of the crop: nose, eyes, ears, shoulders;
        ``latent`` (N, 32, 4, 4), None = zeros. What is invented has no hard bounds: clip it.
        """
        visible = image * keep
        noise = image.new_zeros((len(image), *LATENT)) if latent is None else latent.to(image)
        return visible + (1 - keep) * self.invented(visible, keep, landmarks.to(image), noise)

    def invented(
        self, visible: torch.Tensor, keep: torch.Tensor, landmarks: torch.Tensor, noise: torch.Tensor
    ) -> torch.Tensor:
        """(N, 3, 128, 128): the whole invented picture; ``visible`` is black where ``keep`` is 0."""
        raise NotImplementedError

    def encoded(self, x: torch.Tensor, names: Sequence[str]) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """(what the encoder leaves at 4 px, its features at every size from the bottom up, as ``names``)."""
        features: list[torch.Tensor] = []
        for name in reversed(names):
            x = self.encoder[f"basic_block{name}"](functional.avg_pool2d(x, 2) if features else x)
            features.insert(0, x)
        return x, features


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
        bottom = shapes.get("encoder.basic_block4.layers.0.weight")
        pose = shapes.get("decoder.pose_fcnn.pose_preprocessor.1.weight")
        if not any(key.startswith("rgb_convolutions.") for key in shapes):
            return None
        if bottom is None or pose is None or len(bottom) != 4 or len(pose) != 2 or bottom[0] < 4:
            return cls()  # its names are the generator's; the comparison of shapes will say what is wrong
        return cls(bottom[0], pose[1], "encoder.basic_block4.residual_conv.weight" in shapes)


def renamed(tensors: Mapping[str, T]) -> dict[str, T]:
    """Present keys for an older checkpoint, whose blocks count from the bottom and which has an unused ``to_rgb``."""
    multi_scale = any(key.startswith("rgb_convolutions.") for key in tensors)
    if not multi_scale or "decoder.basic_block0.layers.0.weight" not in tensors:
        return dict(tensors)

    def present(key: str) -> str:
        key = re.sub(r"^encoder\.(from_rgb\.)conv\.layers\.", r"\1", key)
        old = r"^((?:en|de)coder\.(?:basic_block|skip_connection))([0-5])(?=\.)"
        return re.sub(old, lambda match: f"{match[1]}{SIDES[int(match[2])]}", key)

    return {present(key): tensor for key, tensor in tensors.items() if not key.startswith("decoder.to_rgb.")}


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


class MsgGenerator(Generator):
    """The multi-scale one; ``landmarks`` (N, pose_size)."""

    def __init__(self, config: MsgConfig) -> None:
        super().__init__()
        self.config = config
        at = config.channels
        self.from_rgb = activated((5, at(SIDES[-1])), 1, MSG_GAIN)
        self.decoder["pose_fcnn"] = Pose(config.pose_size)
        self.rgb_convolutions = nn.ModuleDict()
        for side in SIDES:
            here, below = at(side), at(max(side // 2, SIDES[0]))
            enters = below + LATENT[0] + POSE_MAPS if side == SIDES[0] else below
            self.encoder[f"basic_block{side}"] = Block((here, here, below), MSG_GAIN, residual=config.residual)
            self.decoder[f"basic_block{side}"] = Block((enters, enters, here), MSG_GAIN, residual=config.residual)
            if side != SIDES[0]:
                self.decoder[f"skip_connection{side}"] = Joined(ConvLayers((2 * below, below), 1, MSG_GAIN))
            self.rgb_convolutions[str(side)] = EqualConv(here, 3, 1, MSG_GAIN)

    def invented(
        self, visible: torch.Tensor, keep: torch.Tensor, landmarks: torch.Tensor, noise: torch.Tensor
    ) -> torch.Tensor:
        x, features = self.encoded(self.from_rgb(torch.cat([visible, keep, 1 - keep], 1)), list(map(str, SIDES)))
        x = torch.cat([x, noise, self.decoder["pose_fcnn"](landmarks)], 1)
        rgb = visible.new_zeros(())
        for side, feature in zip(SIDES, features, strict=True):
            if side != SIDES[0]:
                x = self.decoder[f"skip_connection{side}"](doubled(x), feature)
                rgb = doubled(rgb)
            x = self.decoder[f"basic_block{side}"](x)
            rgb = rgb + self.rgb_convolutions[str(side)](x)
        return rgb / len(SIDES)


@dataclass(frozen=True, slots=True)
class V1Config:
    """All that decides the generator's tensors."""

    landmarks: int = 7
    """Points: nose, eyes, ears, shoulders."""
    width: int = 512
    """Channels up to 32 px; half as many at 64 px, a quarter at 128 px."""

    def channels(self, level: int) -> int:
        return self.width >> max(level - 3, 0)

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> Self | None:
        """The settings that a state dict's shapes tell, or None if it is no such generator."""
        joined = shapes.get("decoder.conv1x1.conv.0.weight")
        if joined is None or "encoder.from_rgb.conv.0.weight" not in shapes:
            return None
        points = joined[1] - joined[0] - LATENT[0] if len(joined) == 4 else 0
        return cls(points, joined[0]) if points > 0 and joined[0] >= 4 else cls()


def one_hot(landmarks: torch.Tensor, side: int) -> torch.Tensor:
    """(N, K, side, side) maps with a 1 at each of (N, 2K) x, y pairs in [0, 1); a point outside gives an empty map."""
    points = landmarks.reshape(len(landmarks), -1, 2)
    inside = ((points >= 0) & (points < 1)).all(2)
    x, y = (torch.where(inside[..., None], points, 0) * side).long().unbind(2)
    maps = landmarks.new_zeros((*points.shape[:2], side * side))
    maps.scatter_(2, (y * side + x)[..., None], inside[..., None].to(maps))
    return maps.reshape(*points.shape[:2], side, side)


class V1Generator(Generator):
    """The paper's. The published code leaves the pasting to its pipeline; the pixels of the box are the same."""

    def __init__(self, config: V1Config) -> None:
        super().__init__()
        self.config = config
        points, widest, narrowest = config.landmarks, config.channels(0), config.channels(len(SIDES) - 1)
        self.encoder["from_rgb"] = Joined(activated((3, narrowest), 1, V1_GAIN))
        self.decoder["conv1x1"] = Joined(activated((widest + points + LATENT[0], widest), 1, V1_GAIN))
        for level in range(len(SIDES)):
            here, below = config.channels(level), config.channels(max(level - 1, 0))
            self.encoder[f"basic_block{level}"] = Block((here, below, below), V1_GAIN)
            self.decoder[f"basic_block{level}"] = Block((below, here, here), V1_GAIN)
            if level:
                self.decoder[f"skip_connection{level}"] = Joined(ConvLayers((2 * below + points, below), 1, V1_GAIN))
        self.to_rgb = EqualConv(narrowest, 3, 1, V1_GAIN)

    def invented(
        self, visible: torch.Tensor, keep: torch.Tensor, landmarks: torch.Tensor, noise: torch.Tensor
    ) -> torch.Tensor:
        x, features = self.encoded(self.encoder["from_rgb"](visible), list(map(str, range(len(SIDES)))))
        x = self.decoder["conv1x1"](x, one_hot(landmarks, SIDES[0]), noise)
        for level, (side, feature) in enumerate(zip(SIDES, features, strict=True)):
            if level:
                x = self.decoder[f"skip_connection{level}"](doubled(x), feature, one_hot(landmarks, side))
            x = self.decoder[f"basic_block{level}"](x)
        rgb: torch.Tensor = self.to_rgb(x)
        return rgb
