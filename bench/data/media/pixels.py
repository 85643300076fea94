"""Decoded frames to upright RGB.

Colours follow the stream's own matrix and range (BT.601, limited, where it states none), 10 and more bits are scaled
to 8, grey becomes three equal channels, transparency is laid on white, and the display matrix is applied: turned and
mirrored as a player shows it. Pixels stay as stored where they are not square.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import cast

import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from unmask.bench.core.types import Image

Matrix = tuple[int, int, int, int]
"""The upper left of a display matrix, (a, b, c, d): a pixel (x, y) goes to (a x + c y, b x + d y)."""
IDENTITY: Matrix = (1, 0, 0, 1)


def upright(frame: VideoFrame) -> Image:
    """(H, W, 3) uint8 RGB, in memory of its own."""
    return np.ascontiguousarray(_turned(_rgb(frame), display_matrix(frame)))


def display_matrix(frame: VideoFrame) -> Matrix:
    """How a frame is turned to be shown."""
    # Not `frame.side_data`: what that gives is kept by the frame and holds the frame, so that some two hundred decoded
    # frames would lie about until the garbage collector comes, 600 MB of 1080p.
    side_data = cast(Callable[[VideoFrame], SideDataContainer], SideDataContainer)(frame)
    if Type.DISPLAYMATRIX not in side_data:
        return IDENTITY
    a, b, _, c, d = np.frombuffer(bytes(side_data[Type.DISPLAYMATRIX]), np.dtype("=i4"), 5).tolist()
    return (a, b, c, d) if a * d - b * c else IDENTITY


def clockwise(matrix: Matrix) -> int:
    """The turn of a display matrix in degrees, to the nearest of 0, 90, 180 and 270."""
    return round(math.degrees(math.atan2(matrix[1], matrix[0])) / 90) * 90 % 360


def _turned(image: Image, matrix: Matrix) -> NDArray[np.uint8]:
    a, b, c, d = matrix
    if abs(a) >= abs(b):
        across, down = a, d
    else:
        image = image.transpose(1, 0, 2)
        across, down = c, b
    return image[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


def _rgb(frame: VideoFrame) -> Image:
    transparent = frame.format.has_palette or any(part.is_alpha for part in frame.format.components)
    if not transparent:
        return np.asarray(frame.to_ndarray(format="rgb24", threads=1), np.uint8)
    pixels = np.asarray(frame.to_ndarray(format="rgba", threads=1), np.uint8)
    colours, alpha = pixels[:, :, :3], pixels[:, :, 3:]
    if bool((alpha == 255).all()):
        return colours
    share = alpha.astype(np.float32) / 255
    return np.asarray(np.rint(colours * share + 255 * (1 - share)), np.uint8)
