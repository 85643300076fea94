"""Another skin colour for a face in a photo (thesis 3.2.2, 4.5), by the curve of the code that the thesis used.

In torch, so that trainings do it on whatever device their faces are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
import torch
from torch.nn import functional

from unmask.bench.core.training import Rgb
from unmask.bench.core.types import Image
from unmask.methods.shared.alignment import ellipse, to_frame

if TYPE_CHECKING:
    from unmask.methods.gan.runtime.crop import Crop

COLOURED: Final = (0.15, 0.45)
"""Shares of the skin's own saturation at which a pixel begins to be skin and is skin: eyes and teeth are not."""
OTHER_HUE: Final = (0.04, 0.09)
"""Distance across the line from grey to the skin's colour, in chromaticity, at which a pixel stops being skin."""
DARKEST: Final = (0.12, 0.35)
"""Share of the skin's brightness from which a pixel counts: black hair is not skin, shadows are."""
SOFT: Final = 1.0
"""Pixels; the mask is blurred by so much, so that no edge shows."""
REACH: Final = 4
"""Pixels to each side of that Gaussian."""
SOFT_FACE: Final = 0.15
"""Share of a face's radius over which a change of its tone fades out."""
MIDDLE: Final = ((0.25, 0.75), (0.35, 0.75))
"""Shares of the box, across and down, that are skin in nearly every face: cheeks and nose, without brows and beard."""


def recolour(image: Image, skin: tuple[float, float, float], tone: Rgb, *, whole: bool = False) -> Image:
    """``image`` (H, W, 3) with skin of the colour ``skin`` (RGB, estimated, 0..255) brought to ``tone``; uint8.

    ``whole``: every pixel goes through the curve, as in the published code, so hair and background change too. Else
    only what is likely skin does: the thesis saw the colour on the background and wished it away (4.5.4, 4.5.5).
    """
    import cv2  # not at hand on a GPU machine, where `toned` does this

    pixels = torch.from_numpy(image.astype(np.float64)).permute(2, 0, 1)[None]
    colour, aim = (torch.tensor(rgb, dtype=torch.float64)[None, :, None, None] for rgb in (skin, tone))
    new = curve(pixels, colour, aim)
    if not whole:
        share = torch.from_numpy(cv2.GaussianBlur(likely_skin(pixels, colour)[0, 0].numpy(), (0, 0), SOFT))
        new = pixels + share * (new - pixels)
    return np.ascontiguousarray(new[0].permute(1, 2, 0).clamp(0, 255).round().to(torch.uint8).numpy())


def toned(image: torch.Tensor, skin: torch.Tensor, tones: torch.Tensor, keep: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) in [-1, 1] with skin of ``skin`` (B, 3) brought to ``tones`` (B, 3; both RGB, 0..255) where ``keep``
    is 0; a row of NaN in ``tones`` leaves its image as it is. In float32 whatever autocast says."""
    with torch.autocast(image.device.type, enabled=False):
        pixels = ((image.detach().float().clamp(-1, 1) + 1) * 127.5).round()
        colour, tone = skin.float()[..., None, None], tones.float()[..., None, None]
        new = pixels + softened(likely_skin(pixels, colour)) * (curve(pixels, colour, tone) - pixels)
        return torch.where((keep > 0.5) | ~tone.isfinite(), image, new.clamp(0, 255).round() / 127.5 - 1)


def curve(pixels: torch.Tensor, skin: torch.Tensor, tone: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) in 0..255 through two straight lines a channel: 0 stays 0, ``skin`` becomes ``tone`` (both
    (B, 3, 1, 1)), 255 stays 255."""
    anchor = skin.clamp(1, 254)
    below = pixels * (tone / anchor)
    above = 255 - (255 - pixels) * ((255 - tone) / (255 - anchor))
    return torch.where(pixels < anchor, below, above)


def likely_skin(pixels: torch.Tensor, skin: torch.Tensor) -> torch.Tensor:
    """(B, 1, H, W) in 0..1, of (B, 3, H, W) images and (B, 3, 1, 1) colours in 0..255.

    Chromaticity (a colour's shares of R, G and B) is the same in light and in shadow.
    """
    # A few grey levels added: the chromaticity of black is noise.
    away = (pixels + 4) / (pixels + 4).sum(1, keepdim=True) - 1 / 3
    towards = (skin + 4) / (skin + 4).sum(1, keepdim=True) - 1 / 3
    along = (away * towards).sum(1, keepdim=True) / towards.square().sum(1, keepdim=True).clamp(min=1e-9)
    across = torch.linalg.vector_norm(away - along * towards, dim=1, keepdim=True)
    brightness = pixels.sum(1, keepdim=True) / skin.sum(1, keepdim=True).clamp(min=1)
    return _rise(along, *COLOURED) * (1 - _rise(across, *OTHER_HUE)) * _rise(brightness, *DARKEST)


def softened(share: torch.Tensor) -> torch.Tensor:
    """(B, 1, H, W) under the Gaussian of `SOFT`, mirrored at its edges."""
    offsets = torch.arange(-REACH, REACH + 1, device=share.device, dtype=share.dtype)
    weights = torch.exp(-offsets.square() / (2 * SOFT**2))
    weights = weights / weights.sum()
    padded = functional.pad(share, (REACH,) * 4, mode="reflect")
    return functional.conv2d(functional.conv2d(padded, weights[None, None, None]), weights[None, None, :, None])


def _rise(values: torch.Tensor, low: float, high: float) -> torch.Tensor:
    """0 up to ``low``, 1 from ``high``, smooth between."""
    t = ((values - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def with_tone(crop: Crop, tone: Rgb) -> Crop:
    """``crop`` with the skin inside its erased box at ``tone``, by the median of the box's middle: the last step of
    DP-ATT-S with a network of ours, which comes near its tone, but stays nearer to its input the surer it is."""
    if not crop.erased.any():
        return crop
    new = recolour(crop.image, middle_colour(crop), tone)
    return replace(crop, image=np.where(crop.erased[..., None], new, crop.image))


def middle_colour(crop: Crop) -> tuple[float, float, float]:
    """The median colour of the middle of a crop's erased box, RGB."""
    left, top, right, bottom = crop.erased_box
    width, height = right - left, bottom - top
    (x0, x1), (y0, y1) = MIDDLE
    middle = crop.image[
        top + int(y0 * height) : top + int(np.ceil(y1 * height)),
        left + int(x0 * width) : left + int(np.ceil(x1 * width)),
    ]
    red, green, blue = (float(value) for value in np.median(middle.reshape(-1, 3), axis=0))
    return red, green, blue


def on_skin(before: Crop, after: Crop) -> Crop:
    """``after`` on the face, which is an ellipse about its landmarks, and where ``before`` shows skin; elsewhere
    ``before``: hair and what is beside a face keep their colours. Without usable landmarks ``after`` as it is."""
    frame = to_frame(before.landmarks)
    if frame is None or not before.erased.any():
        return after
    rows, columns = np.indices(before.erased.shape)
    face = ellipse(np.stack([columns, rows], axis=-1) @ frame[:, :2].T + frame[:, 2], SOFT_FACE)
    pixels = torch.from_numpy(before.image.astype(np.float64)).permute(2, 0, 1)[None]
    colour = torch.tensor(middle_colour(before), dtype=torch.float64)[None, :, None, None]
    share = torch.maximum(torch.from_numpy(face.astype(np.float64))[None, None], likely_skin(pixels, colour))
    mixed = before.image + softened(share)[0, 0].numpy()[..., None] * (after.image.astype(np.float64) - before.image)
    return replace(after, image=np.rint(mixed).astype(np.uint8))
