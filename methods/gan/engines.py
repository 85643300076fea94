"""One way to run each kind of generator, published or compact: crops in, crops out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Floats32, Image
from unmask.methods.alignment import usual_places
from unmask.methods.gan.checkpoints import Loaded, load_generator
from unmask.methods.gan.compact.crop import SIDE, Crop
from unmask.methods.gan.compact.editor import Editor
from unmask.methods.gan.compact.inpainter import Inpainter
from unmask.methods.gan.networks.attgan import AttGanGenerator
from unmask.methods.gan.networks.deepprivacy_msg import MsgGenerator
from unmask.methods.gan.networks.deepprivacy_v1 import V1Generator
from unmask.methods.gan.networks.stargan import StarGanGenerator

BATCH = 16
"""Faces at once; a crowd must not take all memory."""


class InpaintEngine:
    """Any generator that invents a face for an erased box."""

    def __init__(self, path: Path, device: str, method: str) -> None:
        """Raises CheckpointError if the file holds another kind of network."""
        loaded = load_generator(path, device)
        _require(loaded, (Inpainter, MsgGenerator, V1Generator), method, path)
        self._net: Any = loaded.module
        self._device = torch.device(device)

    @torch.inference_mode()
    def __call__(self, crops: Sequence[Crop], truncation: float, rng: np.random.Generator) -> list[Crop]:
        """The crops with invented faces. Noise is drawn from ``rng`` and scaled by ``truncation``; 0 draws none."""
        done: list[Crop] = []
        for start in range(0, len(crops), BATCH):
            part = crops[start : start + BATCH]
            image, keep = as_tensor([c.image for c in part]), keep_of(part)
            points = torch.from_numpy(np.stack([self._points(crop) for crop in part]))
            latent = self._latent(len(part), truncation, rng)
            made = self._net(*(t.to(self._device) for t in (image, keep, points)), latent)
            done += [replace(c, image=i) for c, i in zip(part, as_images(made), strict=True)]
        return done

    def _points(self, crop: Crop) -> Floats32:
        if isinstance(self._net, Inpainter):
            return usual_places(crop.landmarks)
        config = self._net.config
        count = config.landmarks if isinstance(self._net, V1Generator) else config.pose_size // 2
        return published_pose(crop, count)

    def _latent(self, count: int, truncation: float, rng: np.random.Generator) -> torch.Tensor | None:
        if truncation == 0:
            return None
        # The published generators' noise is (32, 4, 4).
        compact = isinstance(self._net, Inpainter)
        shape = (count, self._net.config.latent, 8, 8) if compact else (count, 32, 4, 4)
        noise = rng.standard_normal(shape).astype(np.float32)
        return torch.from_numpy(noise * np.float32(truncation)).to(self._device)


class AttributeEngine:
    """Any generator that repaints a face to attributes: the compact editor, AttGAN, StarGAN."""

    def __init__(self, path: Path, device: str, method: str, attributes: tuple[str, ...]) -> None:
        """``attributes``: what the numbers of a published network mean; a compact one knows its own. Raises
        CheckpointError if the file holds another kind of network or one with another number of attributes."""
        loaded = load_generator(path, device)
        _require(loaded, (Editor, AttGanGenerator, StarGanGenerator), method, path)
        self._net: Any = loaded.module
        self._device = torch.device(device)
        config = loaded.identified.config
        if isinstance(self._net, Editor):
            self.attributes: tuple[str, ...] = config.attributes
        else:
            count = config.n_attrs if isinstance(self._net, AttGanGenerator) else config.c_dim
            if count != len(attributes):
                raise CheckpointError(
                    f"{path.name} has {count} attributes, {method} was told {len(attributes)}; give attributes=a;b;..."
                )
            self.attributes = attributes

    @torch.inference_mode()
    def __call__(self, crops: Sequence[Crop], wanted: NDArray[np.float32]) -> list[Crop]:
        """The crops with attributes ``wanted`` (N, A) in 0..1; only erased pixels are changed."""
        done: list[Crop] = []
        for start in range(0, len(crops), BATCH):
            part = crops[start : start + BATCH]
            image, keep = as_tensor([c.image for c in part]).to(self._device), keep_of(part).to(self._device)
            labels = torch.from_numpy(wanted[start : start + BATCH]).to(self._device)
            if isinstance(self._net, Editor):
                made = self._net(image, keep, labels - 0.5)
            elif isinstance(self._net, AttGanGenerator):
                # (2a - 1) * 0.5, as it was trained.
                made = self._net(image, labels - 0.5)
            else:
                made = self._net(image, labels)
            made = image * keep + made * (1 - keep)
            done += [replace(c, image=i) for c, i in zip(part, as_images(made), strict=True)]
        return done


def as_tensor(images: Sequence[Image]) -> torch.Tensor:
    """N uint8 images of 128 x 128 -> (N, 3, 128, 128) in [-1, 1]."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1.0


def as_images(made: torch.Tensor) -> list[Image]:
    """The way back, clipped and rounded."""
    pixels = ((made.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    return [np.ascontiguousarray(image) for image in pixels]


def keep_of(crops: Sequence[Crop]) -> torch.Tensor:
    """(N, 1, 128, 128): 0 inside each crop's erased box."""
    return torch.from_numpy(np.stack([~crop.erased for crop in crops])[:, None]).float()


def published_pose(crop: Crop, count: int) -> Floats32:
    """(2 * count,) x, y pairs in 0..1 for DeepPrivacy's generators: five landmarks (eyes, nose, mouth corners) as
    RetinaFace gives them, or seven key points (nose, eyes, ears, shoulders), of which we know three.

    Ears are put at the box's sides at the height of the eyes, shoulders below its corners: where they lie in a frontal
    portrait. The published pipeline asks a key point detector and leaves faces without key points as they are.
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


def _require(loaded: Loaded, kinds: tuple[type, ...], method: str, path: Path) -> None:
    if not isinstance(loaded.module, kinds):
        raise CheckpointError(f"{method} cannot use {path.name}: it holds a {loaded.identified.architecture.title}")
