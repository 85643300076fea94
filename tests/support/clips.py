"""Small clips of our own for tests: a face that drifts over a grey wall, and files that are no clips."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from skimage import data

from unmask.bench.core.types import Image
from unmask.bench.core.video import Frame, VideoInfo
from unmask.bench.data.media import VideoWriter

RATE = 10


def drifting_face(number: int, size: tuple[int, int] = (240, 320)) -> Image:
    """Frame ``number``: a face of 200 px that moves to and fro."""
    height, width = size
    image = np.full((height, width, 3), 128, np.uint8)
    left = round((width - 200) / 2 + 30 * np.sin(number / 8))
    image[20:220, left : left + 200] = data.astronaut()[0:200, 130:330]
    return image


def wall(number: int, size: tuple[int, int] = (120, 160)) -> Image:
    """Frame ``number`` of nothing: a gradient that shifts."""
    height, width = size
    row = ((np.arange(width) + 3 * number) % 256).astype(np.uint8)
    return np.repeat(np.repeat(row[None, :, None], height, 0), 3, 2)


def write_clip(
    path: Path,
    frames: int,
    paint: Callable[[int], Image] = drifting_face,
    quality: str = "900k",
    pts: Sequence[int] | None = None,
) -> Path:
    """An MP4 of ``frames`` painted frames at 10 per second, or at the times ``pts`` (milliseconds)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = paint(0).shape[:2]
    base = Fraction(1, 1000)
    times = pts or [number * 1000 // RATE for number in range(frames)]
    with VideoWriter(
        path, VideoInfo(width, height, 0, Fraction(RATE), base, "", "", None, False, frames), quality
    ) as to:
        for number in range(frames):
            image = paint(number)
            to.write(Frame(number, times[number], times[number] / 1000, image), image)
    return path


def cut_short(source: Path, path: Path, share: float = 0.6) -> Path:
    """A copy of which the end is missing."""
    whole = source.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    return path
