"""One way to run each kind of generator, published or compact: crops in, crops out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Floats32, Image
from unmask.methods.gan.checkpoints.loading import load_generator
from unmask.methods.gan.networks.attgan import AttGanGenerator
from unmask.methods.gan.networks.compact import CompactNetwork, Editor, Inpainter
from unmask.methods.gan.networks.dcgan import DcganGenerator
from unmask.methods.gan.networks.deepprivacy import MsgGenerator, V1Generator
from unmask.methods.gan.networks.stargan import StarGanGenerator
from unmask.methods.gan.networks.stochastic import StochasticEditor
from unmask.methods.gan.runtime.crop import SIDE, Crop
from unmask.methods.shared.alignment import usual_places

BATCH = 16
"""Faces at once; a crowd must not take all memory."""
Forward = Callable[[slice, torch.Tensor, torch.Tensor], torch.Tensor]
"""(which of the crops, image, keep) -> what a network makes of them, see `as_tensor` and `keep_of`."""


class InpaintEngine:
    """Any generator that invents a face for an erased box."""

    def __init__(self, path: Path, device: str, method: str) -> None:
        """Raises `CheckpointError` if the file holds another kind of network."""
        self._net: Any = load_generator(path, device, (Inpainter, MsgGenerator, V1Generator), method).module

    def __call__(self, crops: Sequence[Crop], truncation: float, rng: np.random.Generator) -> list[Crop]:
        """The crops with invented faces. Noise is drawn from ``rng`` and scaled by ``truncation``; 0 draws none."""

        def forward(part: slice, image: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
            points = torch.from_numpy(np.stack([self._points(crop) for crop in crops[part]])).to(image.device)
            latent = None
            if truncation:
                shape = (len(image), *self._net.latent_shape)
                noise = rng.standard_normal(shape).astype(np.float32) * np.float32(truncation)
                latent = torch.from_numpy(noise).to(image.device)
            invented: torch.Tensor = self._net(image, keep, points, latent)
            return invented

        return _repainted(crops, self._net, forward)

    def _points(self, crop: Crop) -> Floats32:
        if isinstance(self._net, Inpainter):
            return usual_places(crop.landmarks)
        config = self._net.config
        return published_pose(crop, config.landmarks if isinstance(self._net, V1Generator) else config.pose_size // 2)


class DcganEngine:
    """A generator that makes a picture of a face, surroundings and all, out of noise alone."""

    def __init__(self, path: Path, device: str, method: str) -> None:
        """Raises `CheckpointError` if the file holds another kind of network."""
        self._net: Any = load_generator(path, device, (DcganGenerator,), method).module

    def __call__(self, crops: Sequence[Crop], truncation: float, rng: np.random.Generator) -> list[Crop]:
        """The crops with another picture each, as `InpaintEngine`: nothing of the crops' own is left in it."""

        def forward(part: slice, image: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
            noise = rng.standard_normal((len(image), *self._net.latent_shape)).astype(np.float32)
            pictures = self._net(torch.from_numpy(noise * np.float32(truncation)).to(image.device))
            return functional.interpolate(pictures, (SIDE, SIDE), mode="bilinear", align_corners=False)

        return _repainted(crops, self._net, forward)


class AttributeEngine:
    """Any generator that shows attributes: the compact editor, AttGAN, StarGAN, the stochastic AttGAN."""

    def __init__(
        self, path: Path, device: str, method: str, attributes: tuple[str, ...], *, stochastic: bool = False
    ) -> None:
        """``attributes``: what the numbers of a published network mean; a compact one names its own. ``stochastic``:
        whether it must be an AttGAN with a stochastic encoder, or none. Raises `CheckpointError` if the file holds
        another kind of network or one with another number of attributes."""
        kinds = (StochasticEditor,) if stochastic else (Editor, AttGanGenerator, StarGanGenerator)
        loaded = load_generator(path, device, kinds, method)
        self._net: Any = loaded.module
        config, ours = loaded.identified.config, isinstance(self._net, CompactNetwork)
        self.attributes: tuple[str, ...] = config.attributes if ours else attributes
        if not ours:
            count = config.n_attrs if isinstance(self._net, AttGanGenerator) else config.c_dim
            if count != len(attributes):
                raise CheckpointError(
                    f"{path.name} has {count} attributes, {method} names {len(attributes)}; give attributes=a;b;..."
                )

    def __call__(
        self, crops: Sequence[Crop], attributes: NDArray[np.float32], rng: np.random.Generator, noise: float = 0.0
    ) -> list[Crop]:
        """The crops repainted to ``attributes`` (N, A) in 0..1; only erased pixels are changed. ``noise``: its strength
        for a stochastic encoder, drawn from ``rng``."""

        def forward(part: slice, image: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
            labels = torch.from_numpy(attributes[part]).to(image.device)
            if isinstance(self._net, StochasticEditor):
                repainted = self._net(image, keep, *self._coded(crops[part], labels, rng, noise))
            elif isinstance(self._net, Editor):
                repainted = self._net(image, keep, labels - 0.5)
            else:
                # AttGAN was trained with (2a - 1) * 0.5.
                repainted = self._net(image, labels - 0.5 if isinstance(self._net, AttGanGenerator) else labels)
            pasted: torch.Tensor = image * keep + repainted * (1 - keep)
            return pasted

        return _repainted(crops, self._net, forward)

    def _coded(
        self, crops: Sequence[Crop], labels: torch.Tensor, rng: np.random.Generator, noise: float
    ) -> tuple[torch.Tensor, ...]:
        """Landmarks, attributes, noise and its strength, as a stochastic editor takes them."""
        points = np.stack([usual_places(crop.landmarks) for crop in crops])
        drawn = rng.standard_normal((len(crops), *self._net.code_shape)).astype(np.float32)
        strength = np.full(len(crops), noise, np.float32)
        placed = [torch.from_numpy(array).to(labels.device) for array in (points, drawn, strength)]
        return placed[0], labels - 0.5, placed[1], placed[2]


@torch.inference_mode()
def _repainted(crops: Sequence[Crop], net: nn.Module, forward: Forward) -> list[Crop]:
    """``forward`` of the crops, `BATCH` at a time, on the device of ``net``."""
    device = next(net.parameters()).device
    done: list[Crop] = []
    for start in range(0, len(crops), BATCH):
        part = slice(start, start + BATCH)
        image, keep = as_tensor([crop.image for crop in crops[part]]), keep_of(crops[part])
        images = as_images(forward(part, image.to(device), keep.to(device)))
        done += [replace(crop, image=pixels) for crop, pixels in zip(crops[part], images, strict=True)]
    return done


def as_tensor(images: Sequence[Image]) -> torch.Tensor:
    """N uint8 images of 128 x 128 -> (N, 3, 128, 128) in [-1, 1]."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def as_images(images: torch.Tensor) -> list[Image]:
    """(N, 3, 128, 128) -> N uint8 images (128, 128, 3): the way back, clipped and rounded."""
    pixels = ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return [np.ascontiguousarray(image) for image in pixels]


def keep_of(crops: Sequence[Crop]) -> torch.Tensor:
    """(N, 1, 128, 128): 0 inside each crop's erased box."""
    return torch.from_numpy(np.stack([~crop.erased for crop in crops])[:, None]).float()


def published_pose(crop: Crop, count: int) -> Floats32:
    """(2 * count,) x, y pairs in 0..1 for DeepPrivacy's generators: five landmarks (eyes, nose, mouth corners) as
    RetinaFace gives them, or seven key points (nose, eyes, ears, shoulders), of which we know three.

    Ears are put at the box's sides at the height of the eyes, shoulders below its corners: where they lie in a frontal
    portrait. The published pipeline has a key point detector and leaves faces without key points as they are.
    """
    points = crop.landmarks / SIDE
    if count == 5:
        return points.reshape(-1).astype(np.float32)
    left_eye, right_eye, nose = points[0], points[1], points[2]
    left, _, right, low = (edge / SIDE for edge in crop.erased_box)
    width = right - left
    ears = [(left, left_eye[1]), (right, right_eye[1])]
    shoulders = [(left - 0.3 * width, low + 0.25 * width), (right + 0.3 * width, low + 0.25 * width)]
    pairs = [nose, left_eye, right_eye, *ears, *shoulders]
    return np.clip(np.array(pairs, np.float32), 0, 1).reshape(-1)
