"""What the compact networks' trainings share: settings, what critics see, the critics, the course of the rate."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from unmask.bench.core.errors import ConfigError
from unmask.methods.gan.networks.compact import SLOPE, CompactNetwork, Detail, save_compact
from unmask.methods.gan.training.faces import Faces, first_faces, on
from unmask.methods.gan.training.hardware import Hardware, Stepper, update_average
from unmask.methods.gan.training.loop import Course
from unmask.methods.gan.training.losses import hinge, weighted
from unmask.methods.gan.training.perceptual import Features, View
from unmask.methods.gan.training.settings import Count, Positive, Seed, Share, Weight, Width
from unmask.methods.shared.settings import Within

Network = TypeVar("Network", bound=CompactNetwork)
ADVERSARIAL = ("adv_pixels", "adv_layers", "critic_pixels", "critic_layers")
"""The losses of `Critics`."""
SHIFT: Final = 12
"""Pixels by which a face is shifted at most before it is judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactConfig:
    """Settings that the compact networks have in common."""

    steps: Count
    batch: Count = 16
    rate: Positive = 2e-4
    """Adam's, for the generator; falls by a cosine to a twentieth over the last half."""
    critic_rate: Positive = 3e-4
    betas: tuple[Share, Share] = (0.5, 0.99)
    l1: Weight = 3.0
    lpips: Weight = 6.0
    views: Annotated[tuple[View, ...], Within(1, 4)] = ("alex-half",)
    """What LPIPS and the critic of its layers look at."""
    pixel_critic: Weight = 0.5
    feature_critic: Weight = 0.5
    critic_width: Width = 24
    """Channels of the pixel critic's first layer."""
    augment: Annotated[float, Within(0, 1)] = 0.0
    """Share of faces that are shifted and recoloured, photo and generated face alike, before they are judged."""
    surroundings: Annotated[float, Within(0, 1)] = 0.0
    """Share of faces that are continued beyond the edge of their photo, where there is only black otherwise."""
    critics_from: Annotated[int, Within(0)]
    """Steps of the generator without its critics, in which it learns from the photo alone."""
    average: Share = 0.998
    """Decay of the running average of the weights, which is what is shipped."""
    seed: Seed = 0
    save_every: Count
    """Steps between two saved states, each with a row of losses."""
    width: Width = 40
    fine: Width = 24
    blocks: Count = 2
    detail: Detail = 0


class Change(NamedTuple):
    """How faces are shifted and recoloured, drawn for each."""

    shift: torch.Tensor
    """(N, 2) across and down, in widths of half an image: whole pixels, so that nothing is softened."""
    light: torch.Tensor
    """(N, 1, 1, 1), added."""
    contrast: torch.Tensor
    """(N, 1, 1, 1), about the face's mean."""
    colour: torch.Tensor
    """(N, 1, 1, 1), about each pixel's grey."""


def drawn_change(count: int, share: float, side: int, rng: np.random.Generator, device: torch.device) -> Change:
    """For ``count`` faces of ``side`` px; all but ``share`` of them stay as they are."""
    chosen = (rng.random((count, 1)) < share).astype(np.float32)
    pixels = rng.integers(-SHIFT, SHIFT + 1, (count, 2))
    light, contrast, colour = (rng.uniform(-0.3, 0.3, (3, count, 1)) * chosen).astype(np.float32)[..., None, None]
    shift = (chosen * pixels * (2 / side)).astype(np.float32)
    return Change(on(device, shift), on(device, light), on(device, 1 + contrast), on(device, 1 + colour))


def changed(image: torch.Tensor, change: Change) -> torch.Tensor:
    """(N, C, S, S) float32, of which the first three channels are RGB in [-1, 1] and are recoloured; black, or zero, is
    shifted in. Differentiable (Zhao et al., Differentiable Augmentation, NeurIPS 2020)."""
    rgb, rest = image[:, :3].float(), image[:, 3:]
    rgb = rgb + change.light
    mean = rgb.mean((1, 2, 3), keepdim=True)
    rgb = (rgb - mean) * change.contrast + mean
    grey = rgb.mean(1, keepdim=True)
    rgb = (rgb - grey) * change.colour + grey
    side = image.shape[-1]
    at = (torch.arange(side, device=image.device) * 2 + 1) / side - 1
    across = (at[None, None] - change.shift[:, :1, None]).expand(-1, side, -1)
    down = (at[None, :, None] - change.shift[:, 1:, None]).expand(-1, -1, side)
    grid = torch.stack([across, down], 3)
    return functional.grid_sample(torch.cat([rgb, rest], 1), grid, mode="nearest", align_corners=False)


class Sight(NamedTuple):
    """What the critics see of a batch."""

    image: torch.Tensor
    """(N, 4, S, S): the faces and where they were kept, shifted and recoloured."""
    layers: list[torch.Tensor]
    """Of `Features`."""

    def detach(self) -> Sight:
        return Sight(self.image.detach(), [layer.detach() for layer in self.layers])


def sight(image: torch.Tensor, keep: torch.Tensor, change: Change, features: Features) -> Sight:
    """``image`` (N, 3, S, S) and ``keep`` (N, 1, S, S) as the critics see them."""
    seen = changed(torch.cat([image, keep], 1), change)
    return Sight(seen, features(seen[:, :3]))


class PixelCritic(nn.Module):
    """(N, C, 128, 128) -> (N, 1, 8, 8) logits, one for each region, and (N, F, 8, 8) features for further heads."""

    def __init__(self, channels: int, width: int = 24) -> None:
        super().__init__()
        sizes = [channels, width, 2 * width, 4 * width, 6 * width]
        self.trunk = nn.Sequential(
            *[
                layer
                for before, after in pairwise(sizes)
                for layer in (spectral_norm(nn.Conv2d(before, after, 4, 2, 1)), nn.LeakyReLU(SLOPE))
            ]
        )
        self.head = spectral_norm(nn.Conv2d(sizes[-1], 1, 3, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.trunk(x))
        return logits


class FeatureCritic(nn.Module):
    """One small head per layer of a frozen network; (N, C_k, H_k, W_k) features -> list of (N, 1, h, w) logits."""

    def __init__(self, channels: Sequence[int], width: int = 64) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(
                spectral_norm(nn.Conv2d(c, width, 1)),
                nn.LeakyReLU(SLOPE),
                spectral_norm(nn.Conv2d(width, width, 3, 2, 1)),
                nn.LeakyReLU(SLOPE),
                spectral_norm(nn.Conv2d(width, 1, 3, 1, 1)),
            )
            for c in channels
        )

    def forward(self, features: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return [head(x) for head, x in zip(self.heads, features, strict=True)]


class Critics(nn.Module):
    """The compact networks' critics: one of pixels, one of the layers of `Features`.

    A critic on the features of a network trained on ImageNet learns in a fraction of the steps that one on pixels needs
    (Sauer et al., Projected GANs, NeurIPS 2021); the pixel critic looks after what such features do not see: grain,
    colour, the seam. It sees the mask too: a face may be right and its seam not.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        """``channels``: of the layers of `Features`; ``width``: of the pixel critic."""
        super().__init__()
        self.pixels = PixelCritic(4, width)
        self.layers = FeatureCritic(channels)

    def adversarial(self, fake: Sight) -> dict[str, torch.Tensor]:
        """The generator's losses: how far both critics are from taking ``fake`` for real."""
        return {
            "adv_pixels": -self.pixels(fake.image).float().mean(),
            "adv_layers": -torch.stack([x.float().mean() for x in self.layers(fake.layers)]).mean(),
        }

    def losses(self, real: Sight, fake: Sight) -> dict[str, torch.Tensor]:
        """The critics' own losses; the fake is detached."""
        fake = fake.detach()
        pairs = zip(self.layers(real.layers), self.layers(fake.layers), strict=True)
        return {
            "critic_pixels": hinge(self.pixels(real.image), self.pixels(fake.image)),
            "critic_layers": torch.stack([hinge(a, b) for a, b in pairs]).mean(),
        }


class CompactTrainer(Generic[Network]):
    """A compact generator and its critics; see `methods.gan.training.loop.Trainer`."""

    columns: tuple[str, ...]
    name: ClassVar[str] = "generator"
    """Of the network in saved states."""

    def __init__(
        self,
        config: CompactConfig,
        network: Callable[[], Network],
        weights: Mapping[str, float],
        held_out: Faces,
        features: Features,
        hardware: Hardware,
        learner: nn.Module | None = None,
    ) -> None:
        """``network`` makes the generator; ``weights``: of its losses; ``learner`` learns with the critics."""
        self.features, self.hardware, self.sample_batch = features, hardware, first_faces(held_out)
        self.course = Course(
            config.steps, config.batch, config.save_every, config.seed, surroundings=config.surroundings
        )
        torch.manual_seed(config.seed)
        self.network: Network = hardware.placed(network())
        self.average: Network = copy.deepcopy(self.network).requires_grad_(False)
        self.critics = hardware.placed(Critics(features.channels, config.critic_width))
        learners = {"critics": self.critics, **({"learner": learner} if learner is not None else {})}
        self._network_step = Stepper(self.learning(), config.rate, config.betas, hardware)
        learning = [weight for each in learners.values() for weight in each.parameters()]
        self._critic_step = Stepper(learning, config.critic_rate, config.betas, hardware)
        self.parts: dict[str, Any] = {self.name: self.network, "average": self.average, **learners}
        self.parts |= {f"{self.name}_step": self._network_step, "critic_step": self._critic_step}
        self._average_decay, self._weights, self._augment = config.average, weights, config.augment

    def learning(self) -> Any:
        """The generator's weights, as `Stepper` takes them."""
        return self.network.parameters()

    def change(self, image: torch.Tensor, rng: np.random.Generator) -> Change:
        """How the faces of a batch are changed before they are judged."""
        return drawn_change(len(image), self._augment, image.shape[-1], rng, image.device)

    def update(
        self, step: int, losses: dict[str, torch.Tensor], critic_losses: Callable[[], dict[str, torch.Tensor]]
    ) -> dict[str, torch.Tensor]:
        """One update of the generator down ``losses``, then one of the critics on the same faces; all losses."""
        factor = falling_rate(step, self.course.steps)
        self._network_step.step(weighted(losses, self._weights), factor)
        update_average(self.average, self.network, min(self._average_decay, (step + 1) / (step + 10)))
        with self.hardware.autocast():
            critic = critic_losses()
        self._critic_step.step(weighted(critic, dict.fromkeys(critic, 1.0)), factor)
        return losses | critic

    def save(self, path: Path) -> None:
        """Writes the averaged generator in half precision."""
        save_compact(path, self.average)


def grows(start: Any, config: Any) -> bool:
    """Whether a network of ``config`` has detail and one of ``start``, otherwise alike, has none; False where they are
    alike. Raises `ConfigError` where they differ in anything else."""
    larger: bool = start.detail == 0 < config.detail
    if start != (replace(config, detail=0) if larger else config):
        raise ConfigError(f"start: {start} there, {config} in this config")
    return larger


def copy_weights(start: Mapping[str, torch.Tensor], network: CompactNetwork, larger: bool) -> None:
    """Copies the weights ``start`` into ``network``, which is of the same size, or ``larger`` (`grows`).

    It then begins as the smaller one up to 64 px: its residual blocks and its shortcut of the surroundings have no
    effect at first; its last doubling, which is built otherwise, is left as it is.
    """
    state = network.state_dict()
    for name, weight in state.items():
        if larger and (name.startswith("up128.") or name not in start):
            if ".second." in name and name.startswith("refine"):
                weight.zero_()
        elif larger and name == "up64.conv.0.weight":
            weight.zero_()
            weight[:, : start[name].shape[1]] = start[name]
        else:
            weight.copy_(start[name])


def falling_rate(step: int, steps: int) -> float:
    """Factor of the base rate: 1 for the first half, then down to a twentieth by a cosine."""
    half = steps / 2
    if step < half:
        return 1.0
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min((step - half) / half, 1.0)))
