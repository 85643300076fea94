"""Skin tones for the editor's training: what the photo would look like with another one (thesis 3.2.2).

The arithmetic of `methods.gan.runtime.skin.recolour` on batches, on whatever device they are.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

COLOURED, OTHER_HUE, DARKEST, SOFT = (0.15, 0.45), (0.04, 0.09), (0.12, 0.35), 1.0
"""As in `methods.gan.runtime.skin`, which needs OpenCV and therefore is not imported here; a test compares them."""
REACH = 4
"""Pixels to each side of the Gaussian of `SOFT`."""


def toned(image: torch.Tensor, skin: torch.Tensor, tones: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) in [-1, 1] with skin of ``skin`` (B, 3) brought to ``tones`` (B, 3; both RGB, 0..255) where ``keep``
    is 0; a row of NaN in ``tones`` leaves its image as it is. In float32 whatever autocast says."""
    with torch.autocast(image.device.type, enabled=False):
        pixels = ((image.detach().float().clamp(-1, 1) + 1) * 127.5).round()
        colour, tone = skin.float()[..., None, None], tones.float()[..., None, None]
        anchor = colour.clamp(1, 254)
        below = pixels * (tone / anchor)
        above = 255 - (255 - pixels) * ((255 - tone) / (255 - anchor))
        curve = torch.where(pixels < anchor, below, above)
        new = (pixels + likely_skin(pixels, colour) * (curve - pixels)).clamp(0, 255).round() / 127.5 - 1
        return torch.where((keep > 0.5) | ~tone.isfinite(), image, new)


def likely_skin(pixels: torch.Tensor, skin: torch.Tensor) -> torch.Tensor:
    """(B, 1, H, W) in 0..1, of (B, 3, H, W) images and (B, 3, 1, 1) colours in 0..255."""
    away = (pixels + 4) / (pixels + 4).sum(1, keepdim=True) - 1 / 3
    towards = (skin + 4) / (skin + 4).sum(1, keepdim=True) - 1 / 3
    along = (away * towards).sum(1, keepdim=True) / towards.square().sum(1, keepdim=True).clamp(min=1e-9)
    across = torch.linalg.vector_norm(away - along * towards, dim=1, keepdim=True)
    brightness = pixels.sum(1, keepdim=True) / skin.sum(1, keepdim=True).clamp(min=1)
    share = _rise(along, *COLOURED) * (1 - _rise(across, *OTHER_HUE)) * _rise(brightness, *DARKEST)
    offsets = torch.arange(-REACH, REACH + 1, device=pixels.device)
    weights = torch.exp(-offsets.square() / (2 * SOFT**2))
    weights = weights / weights.sum()
    padded = functional.pad(share, (REACH,) * 4, mode="reflect")
    return functional.conv2d(functional.conv2d(padded, weights[None, None, None]), weights[None, None, :, None])


def drawn_tones(tones: tuple[tuple[int, int, int], ...], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """(count, 3): half of them one of ``tones``, half a mixture of two, so that tones in between are learned too."""
    taught = np.array(tones, np.float32)
    first, second = (taught[rng.integers(len(taught), size=count)] for _ in range(2))
    share = np.where(rng.random(count) < 0.5, 0.0, rng.random(count)).astype(np.float32)[:, None]
    return np.asarray(np.rint(first + share * (second - first)), np.float32)


def _rise(values: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """0 up to ``low``, 1 from ``high``, smooth between."""
    t = ((values - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)
