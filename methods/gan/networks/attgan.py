"""AttGAN (He et al. 2019, arXiv:1711.10678) with the layers and key names of elvisyjlin/AttGAN-PyTorch.

The generator is an encoder and a decoder of strided 4 x 4 convolutions; the attributes to show join the encoding as
constant maps, and again after the first ``inject_layers`` decoder layers. Labels are -0.5 and +0.5 in training; at test
the one that is edited may go to -1 or +1.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Literal, Self

import torch
from torch import nn

from unmask.methods.gan.networks import Shapes

Norm = Literal["batch", "instance", "none"]
MOST_CHANNELS = 1024
MOST_LAYERS = 8
LEAK = 0.01


@dataclass(frozen=True, slots=True)
class AttGanConfig:
    """All that decides the generator's tensors. The thesis has batch norm in DP-ATT, instance norm in DP-ATT-S."""

    n_attrs: int = 13
    shortcut_layers: int = 1
    """Decoder layers that are joined by the encoder's features of the same size."""
    inject_layers: int = 0
    """Decoder layers after which the attributes join again; the published command line says 1."""
    enc_norm: Norm = "batch"
    dec_norm: Norm = "batch"
    enc_dim: int = 64
    """Channels of the first encoder layer; every further one has twice as many, at most 1024."""
    dec_dim: int = 64
    layers: int = 5
    """Of the encoder and of the decoder; 5 halve 128 px to 4 px."""

    def encoder_channels(self) -> list[int]:
        return [min(self.enc_dim * 2**i, MOST_CHANNELS) for i in range(self.layers)]

    def decoder_channels(self) -> list[int]:
        """Outputs of the decoder's layers; the last gives RGB."""
        return [min(self.dec_dim * 2 ** (self.layers - 1 - i), MOST_CHANNELS) for i in range(self.layers - 1)] + [3]

    def decoder_inputs(self) -> list[int]:
        """Channels that enter the decoder's layers: the previous output, the shortcut, the attributes."""
        inputs = [self.encoder_channels()[-1] + self.n_attrs]
        for i, channels in enumerate(self.decoder_channels()[:-1]):
            shortcut = channels // 2 if i < self.shortcut_layers else 0
            inputs.append(channels + shortcut + (self.n_attrs if i < self.inject_layers else 0))
        return inputs

    @classmethod
    def from_shapes(cls, shapes: Shapes) -> Self | None:
        """The settings by a state dict's shapes, or None if it is no AttGAN generator."""
        sides = {key: shape for key, shape in shapes.items() if len(shape) == 4}
        names = [f"{part}_layers.{{}}.layers.0.weight" for part in ("enc", "dec")]
        if any(name.format(0) not in shapes for name in names):
            return None
        layers = sum(names[0].format(i) in shapes for i in range(MOST_LAYERS))
        outputs, _, *_ = sides.get(names[0].format(0), (0, 0))
        inputs = [sides.get(names[1].format(i), (0,))[0] for i in range(layers)]
        plain = cls(enc_dim=outputs, layers=layers)
        n_attrs = inputs[0] - plain.encoder_channels()[-1]
        _, before_rgb, *_ = sides.get(names[1].format(layers - 2), (0, 0))
        if layers < 2 or not 0 < outputs <= MOST_CHANNELS or n_attrs < 1 or before_rgb < 2:
            return cls()  # the names are AttGAN's; the comparison of shapes will say what is wrong
        plain = replace(plain, n_attrs=n_attrs, dec_dim=before_rgb // 2)
        plain = replace(plain, enc_norm=_norm_of(shapes, "enc"), dec_norm=_norm_of(shapes, "dec"))
        guesses = [replace(plain, shortcut_layers=i, inject_layers=j) for i, j in product(range(layers), repeat=2)]
        # Few shortcuts first, so that where two settings give the same tensors the simpler one is named.
        return next((guess for guess in guesses if guess.decoder_inputs() == inputs), guesses[layers])


def _norm_of(shapes: Shapes, part: str) -> Norm:
    if f"{part}_layers.0.layers.1.running_mean" in shapes:
        return "batch"
    return "instance" if f"{part}_layers.0.layers.1.weight" in shapes else "none"


class Layer(nn.Module):
    """A convolution or linear layer (``layers.0``), its normalisation (``layers.1``) and its activation."""

    def __init__(self, linear: nn.Module, norm: nn.Module | None, activation: nn.Module | None) -> None:
        super().__init__()
        self.layers = nn.Sequential(*[part for part in (linear, norm, activation) if part is not None])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.layers(x)
        return y


def _normalisation(norm: Norm, channels: int) -> nn.Module | None:
    if norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.InstanceNorm2d(channels, affine=True) if norm == "instance" else None


def _down(before: int, after: int, norm: Norm) -> Layer:
    conv = nn.Conv2d(before, after, 4, 2, 1, bias=norm == "none")
    return Layer(conv, _normalisation(norm, after), nn.LeakyReLU(LEAK))


def _up(before: int, after: int, norm: Norm, activation: nn.Module) -> Layer:
    conv = nn.ConvTranspose2d(before, after, 4, 2, 1, bias=norm == "none")
    return Layer(conv, _normalisation(norm, after), activation)


class AttGanGenerator(nn.Module):
    """(N, 3, S, S) in [-1, 1] and (N, n_attrs) labels to (N, 3, S, S) in [-1, 1]; S a multiple of 2^layers."""

    def __init__(self, config: AttGanConfig) -> None:
        super().__init__()
        if config.layers < 2 or not 0 <= max(config.shortcut_layers, config.inject_layers) < config.layers:
            raise ValueError(f"shortcut_layers and inject_layers must be below layers: {config}")
        self.config = config
        channels = [3, *config.encoder_channels()]
        self.enc_layers = nn.ModuleList([_down(before, after, config.enc_norm) for before, after in pairwise(channels)])
        sides = list(zip(config.decoder_inputs(), config.decoder_channels(), strict=True))
        self.dec_layers = nn.ModuleList(
            [
                *[_up(before, after, config.dec_norm, nn.ReLU()) for before, after in sides[:-1]],
                _up(*sides[-1], "none", nn.Tanh()),
            ]
        )

    def forward(self, image: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        """(N, 3, S, S): the image with ``attributes`` (N, n_attrs)."""
        return self.decode(self.encode(image), attributes)

    def encode(self, image: torch.Tensor) -> list[torch.Tensor]:
        """The features after every encoder layer, largest first."""
        features = []
        for layer in self.enc_layers:
            image = layer(image)
            features.append(image)
        return features

    def decode(self, features: list[torch.Tensor], attributes: torch.Tensor) -> torch.Tensor:
        """An image from an encoding and (N, n_attrs) labels."""
        x = _joined(features[-1], attributes)
        for i, layer in enumerate(self.dec_layers):
            x = layer(x)
            if i < self.config.shortcut_layers:
                x = torch.cat([x, features[-2 - i]], 1)
            if i < self.config.inject_layers:
                x = _joined(x, attributes)
        return x


def _joined(x: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
    maps = attributes.to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[2:])
    return torch.cat([x, maps], 1)


class AttGanDiscriminator(nn.Module):
    """(N, 3, S, S) in [-1, 1] to (N, 1) realness (WGAN, no range) and (N, n_attrs) attribute logits."""

    def __init__(self, n_attrs: int, image_size: int, dim: int, fc_dim: int, layers: int) -> None:
        super().__init__()
        if image_size % 2**layers:
            raise ValueError(f"image_size must be a multiple of {2**layers}")
        channels = [3, *[min(dim * 2**i, MOST_CHANNELS) for i in range(layers)]]
        self.conv = nn.Sequential(*[_down(a, b, "instance") for a, b in pairwise(channels)])
        features = channels[-1] * (image_size // 2**layers) ** 2
        self.fc_adv = _head(features, fc_dim, 1)
        self.fc_cls = _head(features, fc_dim, n_attrs)

    def forward(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        x = self.conv(image).flatten(1)
        return self.fc_adv(x), self.fc_cls(x)


def _head(features: int, hidden: int, outputs: int) -> nn.Sequential:
    # ReLU is what the published training sets, though the class itself defaults to a leaky one.
    first = Layer(nn.Linear(features, hidden), None, nn.ReLU())
    return nn.Sequential(first, Layer(nn.Linear(hidden, outputs), None, None))
