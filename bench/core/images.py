"""Encoded images to pixel arrays and back. Anything that is not a usable image becomes an `ImageError` with a reason.

Pixels are taken as sRGB: embedded colour profiles are ignored, because no detector or recogniser applies them either.
Of an animation (GIF, APNG, animated WebP) and of a many-page TIFF the first frame counts.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

import numpy as np
from PIL import Image as Pillow
from PIL import ImageFile, ImageOps, UnidentifiedImageError
from PIL.Image import DecompressionBombError, DecompressionBombWarning

from bench.core.errors import ImageError
from bench.core.types import Image

MAX_PIXELS: Final = 100_000_000
MIN_SIDE: Final = 16
"""Pixels; below it no detector of ours can find a face."""
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000")
"""Pillow's own decoders only: it would start other programs for some formats (EPS), and no photo needs the rest."""

_SIXTEEN_BIT: Final = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_ALPHA: Final = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
_DIRECT: Final = frozenset({"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV"})
"""Modes that Pillow converts to RGB correctly by itself."""
_WHITE: Final = (255, 255, 255, 255)


def decode_image(data: bytes, name: str, *, transparent: Literal["on white", "refused"] = "on white") -> Image:
    """The pixels of an encoded image: (H, W, 3) uint8 RGB, upright (its EXIF orientation is applied).

    Grey becomes three equal channels; transparency is laid on white, or refused where asked; CMYK is converted; 16-bit
    values are scaled to 8 bits. ``name`` is the sample's id, for a person in a debugger; reasons never quote it.
    Raises `ImageError`, and nothing else: empty file, not an image, truncated or damaged, over 100 megapixels
    (judged by the header, before anything is decoded), under 16 pixels, or a pixel format with no defined range.
    """
    if not data:
        raise ImageError("empty file")
    try:
        with _strictly(), Pillow.open(io.BytesIO(data), formats=FORMATS) as opened:
            _check_size(opened.size)
            try:
                opened.load()
            except Exception as error:  # whatever a decoder trips over, the bytes are to blame
                raise ImageError("truncated or damaged image") from error
            return _to_rgb(_upright(opened), opened.format, transparent == "refused")
    except ImageError:
        raise
    except DecompressionBombError as error:
        raise ImageError(f"too large: over {MAX_PIXELS // 1_000_000} megapixels") from error
    except MemoryError as error:
        raise ImageError("not enough memory to decode it") from error
    except UnidentifiedImageError as error:
        raise ImageError("not an image, or of an unknown format") from error
    except OSError as error:
        raise ImageError("truncated or damaged image") from error
    except Exception as error:  # headers that pass for an image until they are read: struct, value, key errors
        raise ImageError(f"not a readable image ({type(error).__name__})") from error


def encode_png(image: Image) -> bytes:
    """A lossless PNG of an (H, W, 3) uint8 RGB image; the same bytes for the same pixels. Raises ``ValueError``."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"an image must be a non-empty (H, W, 3) uint8 array, not {image.shape} {image.dtype}")
    sink = io.BytesIO()
    # Level 1: on photos a tenth larger than level 6, and four times as fast.
    Pillow.fromarray(np.ascontiguousarray(image)).save(sink, "PNG", compress_level=1)
    return sink.getvalue()


@contextmanager
def _strictly() -> Iterator[None]:
    """Truncated files are errors even if some other library has asked Pillow to accept them."""
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            # We judge sizes ourselves; Pillow's own warning starts below our limit.
            warnings.simplefilter("ignore", DecompressionBombWarning)
            # Damaged metadata is reported by warnings; only the pixels matter here.
            warnings.simplefilter("ignore", UserWarning)
            yield
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise ImageError("image without pixels")
    if width * height > MAX_PIXELS:
        raise ImageError(f"too large: {width} x {height} pixels, over {MAX_PIXELS // 1_000_000} megapixels")
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"too small: {width} x {height} pixels, at least {MIN_SIDE} x {MIN_SIDE} are needed")


def _upright(image: Pillow.Image) -> Pillow.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF says nothing about the orientation; the pixels are fine as they lie
        return image


def _to_rgb(image: Pillow.Image, form: str | None, refuse_transparent: bool) -> Image:
    mode = image.mode
    if mode in _SIXTEEN_BIT or (mode == "I" and form in ("PNG", "PPM")):
        # Pillow's own conversion would clip at 255. Both formats give 0..65535 here; 65535 / 257 = 255 exactly.
        values = np.asarray(image).astype(np.float64).clip(0, 65535)
        grey = np.rint(values / 257.0).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if mode in _ALPHA or "transparency" in image.info:
        layer = image.convert("RGBA")
        if refuse_transparent and bool((np.asarray(layer)[:, :, 3] < 255).any()):
            raise ImageError("it has transparent pixels, whose colours are still in the file; flatten it")
        return _array(Pillow.alpha_composite(Pillow.new("RGBA", layer.size, _WHITE), layer).convert("RGB"))
    if mode in _DIRECT:
        return _array(image.convert("RGB"))
    raise ImageError(f"unsupported pixel format {mode}")


def _array(image: Pillow.Image) -> Image:
    return np.array(image, dtype=np.uint8)
