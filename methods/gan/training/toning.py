"""Skin tones for the editor's training: what the photo would look like with another one (thesis 3.2.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from bench.core.registry import instrument_class
from bench.core.types import Box, FaceView
from methods.gan.skin import recolour
from methods.gan.training.faces import Faces

ESTIMATOR: Final = "skin-kmeans"
CHUNK: Final = 256


def with_skin(faces: Faces) -> Faces:
    """The faces whose skin colour can be estimated, with it; the others are left out, as in the thesis."""
    if faces.skin is None:
        instrument = instrument_class(ESTIMATOR).open({}, "cpu")
        read = [_read(instrument, faces, start) for start in range(0, len(faces), CHUNK)]
        skin = torch.from_numpy(np.concatenate(read) if read else np.zeros((0, 3), np.float32))
        faces = replace(faces, skin=skin.to(faces.images.device))
    assert faces.skin is not None
    return faces.of(faces.skin.isfinite().all(1))


def _read(instrument: object, faces: Faces, start: int) -> NDArray[np.float32]:
    views = []
    for row in range(start, min(start + CHUNK, len(faces))):
        left, top, right, bottom = (float(v) for v in faces.boxes[row])
        box, landmarks = Box(left, top, right - left, bottom - top), faces.landmarks[row].cpu().numpy()
        views.append(FaceView(faces.images[row].cpu().numpy(), box, landmarks))
    columns = instrument.read(views)  # type: ignore[attr-defined]
    return np.stack([np.asarray(columns[channel], np.float32) for channel in "rgb"], 1)


def toned(image: torch.Tensor, skin: torch.Tensor, tones: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) in [-1, 1] with skin of ``skin`` (B, 3) brought to ``tones`` (B, 3; both RGB, 0..255) where ``keep``
    is 0; a row of NaN in ``tones`` leaves its image as it is."""
    pixels = ((image.detach().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    images = []
    for photo, colour, tone in zip(pixels, skin.tolist(), tones.tolist(), strict=True):
        if np.isfinite(tone).all():
            photo = recolour(photo, (colour[0], colour[1], colour[2]), (int(tone[0]), int(tone[1]), int(tone[2])))
        images.append(photo)
    new = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).to(image.device).float() / 127.5 - 1.0
    return torch.where(keep > 0.5, image, new)


def drawn_tones(tones: tuple[tuple[int, int, int], ...], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(count, 3): half of them one of ``tones``, half a mixture of two, so that tones in between are learned too."""
    taught = np.array(tones, np.float32)
    first, second = (taught[rng.integers(len(taught), size=count)] for _ in range(2))
    share = np.where(rng.random(count) < 0.5, 0.0, rng.random(count)).astype(np.float32)[:, None]
    return np.asarray(np.rint(first + share * (second - first)), np.float32)
