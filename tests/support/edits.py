"""What happens to photos by mistake, and what methods do to them on purpose."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from unmask.bench.core.types import Box, Image

Edit = Callable[[Image, Sequence[Box]], Image]


def jpeg(image: Image, quality: int) -> Image:
    """The image after JPEG."""
    encoded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)


def black(image: Image, boxes: Sequence[Box]) -> Image:
    """Faces as black rectangles."""
    output = image.copy()
    for box in boxes:
        left, top, right, bottom = box.clipped(*image.shape[:2])
        output[top:bottom, left:right] = 0
    return output


def swapped_faces(image: Image, boxes: Sequence[Box], donor: Image) -> Image:
    """Each face replaced by ``donor``, stretched to its box."""
    output = image.copy()
    for box in boxes:
        left, top, right, bottom = box.clipped(*image.shape[:2])
        if right > left and bottom > top:
            output[top:bottom, left:right] = cv2.resize(donor, (right - left, bottom - top))
    return output


def resized(image: Image, width: int, height: int) -> Image:
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def blurred(image: Image, part: float) -> Image:
    """The whole image, blurred with a sigma of ``part`` of its width."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), image.shape[1] * part), np.uint8)


def pixelated(image: Image, blocks: int) -> Image:
    """The whole image in about ``blocks`` blocks across."""
    height, width = image.shape[:2]
    small = resized(image, blocks, max(blocks * height // width, 1))
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def padded(image: Image, scale: float, level: int = 0) -> Image:
    """The image at a scale below 1 in the middle of one of its size and of one grey ``level``."""
    height, width = image.shape[:2]
    small = resized(image, round(width * scale), round(height * scale))
    top, left = (height - small.shape[0]) // 2, (width - small.shape[1]) // 2
    output = np.full_like(image, level)
    output[top : top + small.shape[0], left : left + small.shape[1]] = small
    return output


def zoomed(image: Image, scale: float) -> Image:
    """The middle of the image, enlarged to its size."""
    height, width = image.shape[:2]
    h, w = round(height / scale), round(width / scale)
    top, left = (height - h) // 2, (width - w) // 2
    middle = image[top : top + h, left : left + w]
    return np.asarray(cv2.resize(middle, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def shifted(image: Image, right: float, down: float) -> Image:
    """The image moved by parts of its width and height; black where nothing came to lie."""
    height, width = image.shape[:2]
    warp = np.array([[1, 0, round(right * width)], [0, 1, round(down * height)]], np.float32)
    return np.asarray(cv2.warpAffine(image, warp, (width, height)), np.uint8)


def noisy(image: Image, sigma: float) -> Image:
    rng = np.random.default_rng(0)
    return np.clip(image + rng.normal(0, sigma, image.shape), 0, 255).astype(np.uint8)


def toned(image: Image, gamma: float) -> Image:
    return np.rint(255 * (image / 255.0) ** gamma).astype(np.uint8)
