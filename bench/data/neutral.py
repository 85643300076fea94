"""Photos for programs that are not ours: the picture that a method of ours gets, and nothing else in the file."""

from __future__ import annotations

from typing import Final

import numpy as np

from unmask.bench.core.errors import ImageError
from unmask.bench.core.images import decode_image, encode_png
from unmask.bench.core.types import Image

_START, _END, _SCAN = 0xD8, 0xD9, 0xDA
_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_KEPT: Final = _FRAMES | {0xC4, 0xCC, 0xDB, 0xDD, _SCAN}
_APPLICATION: Final = (b"\xff\xe0\x00\x10JFIF\x00", b"\xff\xee\x00\x0eAdobe")
"""How such segments begin that say how colours are coded, and have no room for more. All others describe: Exif, XMP,
colour profiles, thumbnails, comments."""
_CHANNELS: Final = (b"\x01", b"\x03")
"""Grey and colour; programs disagree on what CMYK looks like."""


def neutral_photo(data: bytes, name: str) -> tuple[bytes, str]:
    """A file that shows just what `decode_image` makes of a photo, with its ending (``.jpg`` or ``.png``): upright, in
    sRGB, without metadata, further frames or anything else behind or beside the picture. The same bytes for the same
    photo.

    A JPEG whose picture stays the same without all that keeps its coded data byte for byte; everything else becomes a
    lossless PNG. Raises `ImageError` for what cannot be decoded.
    """
    image = decode_image(data, name)
    bare = _bare_jpeg(data)
    if bare and _shows(bare, image):
        return bare, ".jpg"
    return encode_png(image), ".png"


def _shows(data: bytes, image: Image) -> bool:
    try:
        return np.array_equal(decode_image(data, "", hidden="refused"), image)
    except ImageError:
        return False


def _bare_jpeg(data: bytes) -> bytes:
    """The first picture of a JPEG file without segments that describe it; b'' = it is none, is damaged, or has other
    channels."""
    if data[:2] != bytes((0xFF, _START)):
        return b""
    parts, at = [data[:2]], 2
    while at + 2 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        if marker == _END:
            return b"".join([*parts, data[at : at + 2]])
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _FRAMES and data[at + 9 : at + 10] not in _CHANNELS:
            return b""
        stop = _end_of_scan(data, end) if marker == _SCAN else end
        if marker in _KEPT or data.startswith(_APPLICATION, at):
            parts.append(data[at:stop])
        at = stop
    return b""


def _end_of_scan(data: bytes, at: int) -> int:
    """Where coded data end: at the first marker that neither stands for a byte nor restarts the decoder."""
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        if data[at + 1] != 0 and not 0xD0 <= data[at + 1] <= 0xD7 and data[at + 1] != 0xFF:
            return at
        at += 1 if data[at + 1] == 0xFF else 2
    return len(data)
