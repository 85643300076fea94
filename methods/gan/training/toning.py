"""Skin tones for the editor's training: what the photo would look like with another one (thesis 3.2.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from unmask.bench.core.registry import instrument_class
from unmask.bench.core.types import Box, FaceView
from unmask.methods.gan.skin import recolour
from unmask.methods.gan.training.faces import Faces

ESTIMATOR: Final = "skin-kmeans"
CHUNK: Final = 256


def with_skin(faces: Faces) -> Faces:
    """The faces whose skin colour can be estimated, with it; the others are left out, as in the thesis."""
    instrument = instrument_class(ESTIMATOR).open({}, "cpu")
    read = [_read(instrument, faces, start) for start in range(0, len(faces), CHUNK)]
    skin = np.concatenate(read) if read else np.zeros((0, 3), np.float32)
    known = np.isfinite(skin).all(axis=1)
    return replace(
        faces,
        images=faces.images[known],
        boxes=faces.boxes[known],
        landmarks=faces.landmarks[known],
        labels=faces.labels[known],
        skin=skin[known],
    )


def _read(instrument: object, faces: Faces, start: int) -> NDArray[np.float32]:
    views = []
    for row in range(start, min(start + CHUNK, len(faces))):
        left, top, right, bottom = (float(v) for v in faces.boxes[row])
        views.append(FaceView(faces.images[row], Box(left, top, right - left, bottom - top), faces.landmarks[row]))
    columns = instrument.read(views)  # type: ignore[attr-defined]
    return np.stack([np.asarray(columns[channel], np.float32) for channel in "rgb"], 1)


def toned(
    image: torch.Tensor, skin: NDArray[np.float32], tones: NDArray[np.float32], keep: torch.Tensor
) -> torch.Tensor:
    """(B, 3, H, W) in [-1, 1] with skin of ``skin`` (B, 3) brought to ``tones`` (B, 3; both RGB, 0..255) where ``keep``
    is 0; a row of NaN in ``tones`` leaves its image as it is."""
    pixels = ((image.detach().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    made = []
    for photo, colour, tone in zip(pixels, skin, tones, strict=True):
        if np.isfinite(tone).all():
            wanted = (int(tone[0]), int(tone[1]), int(tone[2]))
            photo = recolour(photo, (float(colour[0]), float(colour[1]), float(colour[2])), wanted)
        made.append(photo)
    new = torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2).to(image.device).float() / 127.5 - 1.0
    return torch.where(keep > 0.5, image, new)


def drawn_tones(tones: tuple[tuple[int, int, int], ...], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(count, 3): half of them one of ``tones``, half a mixture of two, so that tones in between are learned too."""
    given = np.array(tones, np.float32)
    first, second = given[rng.integers(len(given), size=count)], given[rng.integers(len(given), size=count)]
    share = np.where(rng.random(count) < 0.5, 0.0, rng.random(count)).astype(np.float32)[:, None]
    return np.asarray(np.rint(first + share * (second - first)), np.float32)
