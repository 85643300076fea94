"""The compact networks that come with unmask, 128 x 128 px, and their files: safetensors with the architecture and its
settings in the metadata.

`Inpainter` is the compact DeepPrivacy: like the published generator (Hukkelas et al. 2019) a U-Net that never sees the
face: the pixels inside the mask are zeroed before the first layer, and only they are replaced at the end. Its encoder
works at 32 px and below, because surroundings need little detail; most arithmetic goes into the decoder, which must
invent some. With ``detail`` the surroundings have shortcuts at 64 and 128 px too, so that hair and light go on across
the edge.

`Editor` is the compact AttGAN, and the compact StarGAN: like the published AttGAN (He et al. 2019) an encoder-decoder
that gets the attributes after the encoder only. Two things differ, for quality per arithmetic: attributes scale and
shift the decoder's features instead of being tiled beside them, and the output is blended with the input by a mask that
the network draws itself.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, TypeVar

import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from unmask.bench.core.errors import CheckpointError, ConfigError
from unmask.methods.gan.networks import PixelNorm
from unmask.methods.shared.settings import Within, settings_from

SLOPE: Final = 0.2
"""Of the leaky ReLU, as in DeepPrivacy."""
LANDMARKS: Final = 5
PATCH: Final = 4
"""The first layer of `Inpainter` looks at patches of 4 x 4 pixels."""
# A file's metadata is untrusted: nothing larger is built.
Width = Annotated[int, Within(1, 512)]
Blocks = Annotated[int, Within(1, 16)]
Latent = Annotated[int, Within(1, 256)]
Detail = Annotated[int, Within(0, 8)]
Names = Annotated[tuple[str, ...], Within(1, 100)]
INPAINTER, EDITOR, STOCHASTIC = "compact-inpainter", "compact-editor", "compact-stochastic-editor"
"""The names of the architectures in a file's metadata."""


class CompactNetwork(nn.Module):
    """What `save_compact` writes and `config_from` finds again."""

    architecture: ClassVar[str]
    config: Any
    """The dataclass of its settings."""


class Conv(nn.Sequential):
    """Convolution of 3 x 3, leaky ReLU, PixelNorm. ``stride`` 2 halves the size."""

    def __init__(self, before: int, after: int, *, stride: int = 1) -> None:
        super().__init__(nn.Conv2d(before, after, 3, stride, 1), nn.LeakyReLU(SLOPE), PixelNorm())


class Residual(nn.Module):
    """x + two convolutions of it, the second dilated to see twice as far."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = Conv(channels, channels)
        self.second = nn.Conv2d(channels, channels, 3, 1, 2, dilation=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = x + self.second(self.first(x))
        return y


def residuals(channels: int, blocks: int) -> nn.Sequential:
    """So many residual blocks, one behind the other; none = what comes in."""
    return nn.Sequential(*[Residual(channels) for _ in range(blocks)])


class Up(nn.Module):
    """Doubles the size, joins what the encoder had at that size, and convolves."""

    def __init__(self, before: int, skip: int, after: int) -> None:
        super().__init__()
        self.conv = Conv(before + skip, after)

    def forward(self, x: torch.Tensor, skip: torch.Tensor | None = None) -> torch.Tensor:
        x = functional.interpolate(x, scale_factor=2, mode="nearest")
        y: torch.Tensor = self.conv(x if skip is None else torch.cat([x, skip], 1))
        return y


class Refined(nn.Module):
    """The last doubling, to 128 px, beside the ``skip`` channels of the input: to ``after`` channels of the image,
    without activation. Enlarged before it is convolved, it has none of the grid that `Enlarge` can leave."""

    def __init__(self, before: int, skip: int, after: int, blocks: int) -> None:
        super().__init__()
        self.up = Up(before, skip, before // 2)
        self.more = residuals(before // 2, blocks)
        self.paint = nn.Conv2d(before // 2, after, 3, 1, 1)

    def forward(self, x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.paint(self.more(self.up(x, skip)))
        return y


class Enlarge(nn.Sequential):
    """The last doubling, to 128 px: from ``before`` channels to ``after`` of the image, without activation."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(
            nn.Conv2d(before, 2 * before, 3, 1, 1),
            nn.PixelShuffle(2),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(before // 2, after, 3, 1, 1),
        )


def heatmaps(landmarks: torch.Tensor, side: int) -> torch.Tensor:
    """(N, K, side, side) Gaussians of one pixel's width at (N, K, 2) landmarks in pixels of a crop of 128 px."""
    step = 128 / side
    at = (torch.arange(side, dtype=landmarks.dtype, device=landmarks.device) + 0.5) * step
    dx = (at[None, None, None, :] - landmarks[..., 0, None, None]) / step
    dy = (at[None, None, :, None] - landmarks[..., 1, None, None]) / step
    return torch.exp(-(dx.square() + dy.square()) / 2)


@dataclass(frozen=True, slots=True)
class InpainterConfig:
    """All that is needed to build the network; stored with its weights."""

    width: Width = 40
    """Channels at 32 px; twice as many at 16 px, four times at 8 px."""
    fine: Width = 24
    """Channels at 64 px; half as many at 128 px. A channel costs sixteen times as much here as at 16 px."""
    blocks: Blocks = 2
    """Residual blocks at 8 px."""
    latent: Latent = 16
    """Channels of the noise at 8 px; zeros give the same face every time."""
    detail: Detail = 0
    """Residual blocks at 16, 32, 64 and 128 px each; 0 = none, and no shortcuts at 64 px and above."""


class Inpainter(CompactNetwork):
    """Invents a face for an erased box, from its surroundings and five landmarks."""

    architecture = INPAINTER

    def __init__(self, config: InpainterConfig) -> None:
        super().__init__()
        self.config = config
        self.latent_shape = (config.latent, 8, 8)
        w = config.width
        self.patches = nn.Conv2d(4, w, PATCH, PATCH)
        self.enter = Conv(w + LANDMARKS, w)
        self.down16 = Conv(w, 2 * w, stride=2)
        self.down8 = Conv(2 * w, 4 * w, stride=2)
        self.mix = Conv(4 * w + config.latent + LANDMARKS, 4 * w)
        self.deep = residuals(4 * w, config.blocks)
        self.up16 = Up(4 * w, 2 * w + LANDMARKS, 2 * w)
        self.up32 = Up(2 * w, w + LANDMARKS, w)
        self.more32 = Conv(w, w)
        f, detail = config.fine, config.detail
        self.up64 = Up(w, f if detail else 0, f)
        self.more64 = Conv(f, f)
        self.enter64 = nn.Sequential(nn.Conv2d(4, f, 4, 2, 1), nn.LeakyReLU(SLOPE)) if detail else None
        self.refine16, self.refine32, self.refine64 = (residuals(channels, detail) for channels in (2 * w, w, f))
        self.up128 = Refined(f, 4, 3, detail) if detail else Enlarge(f, 3)

    def forward(
        self, image: torch.Tensor, keep: torch.Tensor, landmarks: torch.Tensor, latent: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(N, 3, 128, 128) in [-1, 1], equal to ``image`` where ``keep`` (N, 1, 128, 128) is 1, invented where it is 0.

        ``landmarks`` (N, 5, 2) in pixels of the crop; ``latent`` (N, latent, 8, 8), zeros without one.
        """
        return self.invented(image, keep, landmarks, latent, lambda x: x)

    def invented(
        self,
        image: torch.Tensor,
        keep: torch.Tensor,
        landmarks: torch.Tensor,
        latent: torch.Tensor | None,
        between: Callable[[torch.Tensor], torch.Tensor],
    ) -> torch.Tensor:
        """See `forward`; ``between``: what is done to the decoder's features at 8, 16, 32 and 64 px."""
        visible = image * keep
        around = torch.cat([visible, keep], 1)
        points = {side: heatmaps(landmarks, side) for side in (8, 16, 32)}
        x32 = self.enter(torch.cat([self.patches(around), points[32]], 1))
        x16 = self.down16(x32)
        x8 = self.down8(x16)
        if latent is None:
            latent = x8.new_zeros(len(x8), *self.latent_shape)
        x = self.deep(between(self.mix(torch.cat([x8, latent, points[8]], 1))))
        x = self.refine16(between(self.up16(x, torch.cat([x16, points[16]], 1))))
        x = self.refine32(self.more32(between(self.up32(x, torch.cat([x32, points[32]], 1)))))
        x64 = None if self.enter64 is None else self.enter64(around)
        x = self.refine64(self.more64(between(self.up64(x, x64))))
        invented = torch.tanh(self.up128(x, around) if isinstance(self.up128, Refined) else self.up128(x))
        return visible + invented * (1 - keep)


@dataclass(frozen=True, slots=True)
class EditorConfig:
    """All that is needed to build the network; stored with its weights."""

    attributes: Names
    """In the order of the input vector."""
    width: Width = 40
    fine: Width = 24
    blocks: Blocks = 2
    detail: Detail = 0
    """As `InpainterConfig` has it."""


class Film(nn.Module):
    """Scales and shifts features by what the attributes say (Perez et al. 2018)."""

    def __init__(self, attributes: int, channels: int) -> None:
        super().__init__()
        self.tell = nn.Linear(attributes, 2 * channels)

    def forward(self, x: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        scale, shift = self.tell(attributes)[:, :, None, None].chunk(2, 1)
        y: torch.Tensor = x * (1 + scale) + shift
        return y


class Editor(CompactNetwork):
    """Repaints a face so that it shows the attributes."""

    architecture = EDITOR

    def __init__(self, config: EditorConfig) -> None:
        super().__init__()
        self.config = config
        w, f, n, detail = config.width, config.fine, len(config.attributes), config.detail
        self.enter = nn.Sequential(nn.Conv2d(4, f, 4, 2, 1), nn.LeakyReLU(SLOPE))
        self.down32 = Conv(f, w, stride=2)
        self.down16 = Conv(w, 2 * w, stride=2)
        self.down8 = Conv(2 * w, 4 * w, stride=2)
        self.film8 = Film(n, 4 * w)
        self.deep = residuals(4 * w, config.blocks)
        self.up16, self.film16 = Up(4 * w, 2 * w, 2 * w), Film(n, 2 * w)
        self.up32, self.film32 = Up(2 * w, w, w), Film(n, w)
        self.more32 = Conv(w, w)
        self.up64, self.film64 = Up(w, f, f), Film(n, f)
        self.refine16, self.refine32, self.refine64 = (residuals(channels, detail) for channels in (2 * w, w, f))
        self.up128 = Refined(f, 4, 4, detail) if detail else Enlarge(f, 4)

    def forward(self, image: torch.Tensor, keep: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        """(N, 3, 128, 128) in [-1, 1]: the face with ``attributes`` (N, A), each +0.5 for yes and -0.5 for no.

        Where ``keep`` (N, 1, 128, 128) is 1 the output equals ``image``.
        """
        whole = torch.cat([image, keep], 1)
        x64 = self.enter(whole)
        x32 = self.down32(x64)
        x16 = self.down16(x32)
        x = self.deep(self.film8(self.down8(x16), attributes))
        x = self.refine16(self.film16(self.up16(x, x16), attributes))
        x = self.refine32(self.more32(self.film32(self.up32(x, x32), attributes)))
        x = self.refine64(self.film64(self.up64(x, x64), attributes))
        painted = self.up128(x, whole) if isinstance(self.up128, Refined) else self.up128(x)
        share = torch.sigmoid(painted[:, 3:] + 1.0) * (1 - keep)
        edited: torch.Tensor = image + share * (torch.tanh(painted[:, :3]) - image)
        return edited


Config = TypeVar("Config")


def config_from(metadata: Mapping[str, str], name: str, kind: type[Config]) -> Config | None:
    """The settings in a file's metadata; None if it is another architecture's or they make no sense."""
    if metadata.get("architecture") != name:
        return None
    try:
        values = json.loads(metadata.get("config", ""))
        needed = {field.name for field in fields(kind)} - {"detail"}  # type: ignore[arg-type]
        # Files of the first version do not name it.
        complete = isinstance(values, dict) and needed == set(values) - {"detail"}
        return settings_from(kind, values, name) if complete else None
    except (ValueError, ConfigError):
        return None


def save_compact(path: Path, network: CompactNetwork) -> None:
    """Writes a network in half precision. Raises `CheckpointError` for a weight that has no finite number there."""
    save_half(path, network, {"architecture": network.architecture, "config": json.dumps(asdict(network.config))})


def save_half(path: Path, network: nn.Module, metadata: dict[str, str]) -> None:
    """Writes a network's weights in half precision, counters as they are. Raises `CheckpointError` for a weight that
    has no finite number there."""
    tensors = {
        key: (value.detach().to(torch.float16) if value.is_floating_point() else value.detach()).contiguous()
        for key, value in network.state_dict().items()
    }
    overflows = [key for key, value in tensors.items() if not value.isfinite().all()]
    if overflows:
        raise CheckpointError(f"{overflows[0]} has weights beyond half precision; train again with a lower rate")
    save_file(tensors, path, metadata)
