"""Encoded images to pixel arrays and back. Anything that is not a usable image becomes an `ImageError` with a reason.

Pixels become sRGB: an embedded ICC profile is applied (relative colorimetric, black point compensated, as browsers and
editors do), so that a photo and its copy in other colours are one image. Without a profile, with one that is sRGB up
to rounding, with a damaged one and with one of another kind of image (a profile for RGB in a grey file) the values are
taken as they lie. So are the values of a PNG with gAMA or cHRM chunks: most programs neither apply nor keep them, and
many files hold wrong ones. The colour codes of HEIC and AVIF files without a profile (BT.2020, PQ) and the Exif tag of
Adobe RGB are not applied either.
Of an animation (GIF, APNG, animated WebP) and of a many-page TIFF the first frame counts; of a HEIC file the primary
image.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from pathlib import PurePosixPath
from typing import Final, Literal

import numpy as np
from PIL import ExifTags, ImageCms, ImageFile, ImageOps, UnidentifiedImageError
from PIL import Image as Pillow
from PIL.Image import DecompressionBombError, DecompressionBombWarning

from unmask.bench.core.errors import ImageError
from unmask.bench.core.names import endings
from unmask.bench.core.types import Image

MAX_PIXELS: Final = 100_000_000
MIN_SIDE: Final = 16
"""Pixels; below it no detector of ours can find a face."""
MAX_SIDE: Final = 32_767
"""Pixels; OpenCV, which cuts and turns faces, addresses no more."""
MAX_ASPECT: Final = 50
"""Longer by shorter side. Detectors pad to a square: a narrower strip would become a thousand times its size. Panoramas
of cameras stay below 20."""
FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "JPEG2000")
"""Pillow's own decoders only: it would start other programs for some formats (EPS), and no photo needs the rest."""
_HEIF_FORMATS: Final = ("AVIF", "HEIF")
"""Pillow's own decoder, and libheif for HEIC."""
RAW_EXTENSIONS: Final = endings(
    "dng cr2 cr3 crw nef nrw arw srf sr2 raf orf rw2 pef srw x3f raw 3fr iiq kdc dcr mrw erf mef mos rwl"
)
"""Camera raw files. They hold small previews, which must not pass for the photo."""
IMAGE_EXTENSIONS: Final = RAW_EXTENSIONS | endings(
    "jpg jpeg jpe jfif mpo png apng webp gif bmp dib tif tiff pgm ppm pnm pbm jp2 j2k heic heif hif avif jxl"
)
"""A file with one of these counts as an image even if it cannot be read: it then becomes a counted row."""

DAMAGED_PROFILE: Final = "a damaged colour profile"
FOREIGN_PROFILE: Final = "a colour profile for another kind of image (such as RGB in a grey one)"

_SIXTEEN_BIT: Final = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_ALPHA: Final = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})
_DIRECT: Final = frozenset({"1", "L", "P", "RGB", "RGBX", "CMYK", "YCbCr", "HSV"})
"""Modes that Pillow converts to RGB correctly by itself."""
_WHITE: Final = (255, 255, 255, 255)
_KIND: Final = {**dict.fromkeys(("1", "L", "LA", "La", *_SIXTEEN_BIT), "GRAY"), "CMYK": "CMYK", "I": "GRAY"}
"""Mode -> the colour space that its profile must be of; all others: RGB."""
_CHANNELS: Final = {"GRAY": "L", "RGB": "RGB", "CMYK": "CMYK"}
_ROUNDING: Final = 2
"""Levels by which different makers' sRGB profiles differ from one another."""
_HEIF_BRANDS: Final = tuple(
    f"ftyp{brand}".encode()
    for brand in (*("heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "mif2", "msf1", "miaf"), "avif", "avis")
)
_JPEG_XL: Final = (b"\xff\x0a", b"\x00\x00\x00\x0cJXL ")
_RAW_HEADS: Final = (b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"MMOR", b"IIU\x00", b"FOVb", b"\x00MRM")
_NEW_SUBFILE_TYPE, _DNG_VERSION = 254, 50706
_THUMBNAIL_TAGS: Final = frozenset({ExifTags.Base.JpegIFOffset, ExifTags.Base.StripOffsets})
_PHOTOSHOP_THUMBNAILS: Final = frozenset({1033, 1036})


def decode_image(data: bytes, name: str, *, hidden: Literal["ignored", "refused"] = "ignored") -> Image:
    """The pixels of an encoded image: (H, W, 3) uint8 RGB, upright (its EXIF orientation is applied).

    Colours are converted to sRGB by the embedded profile (see the module's text); grey becomes three equal channels;
    transparency is laid on white; CMYK is converted; 16-bit values are scaled to 8 bits. ``hidden``: what to do with a
    file that holds more than the pixels returned: colours under transparent pixels, further frames or pages, a
    thumbnail. ``name`` is the sample's id; only its ending counts, which tells a camera's raw file from its preview.
    Reasons never quote it.
    Raises `ImageError`, and nothing else: empty file, not an image, a camera's raw file, truncated or damaged, over 100
    megapixels, a side over 32,767 pixels or 50 times the other (judged by the header, before anything is decoded),
    under 16 pixels, or a pixel format with no defined range.
    """
    if not data:
        raise ImageError("empty file")
    _refuse_unreadable(data, name)
    try:
        with _opened(data) as opened:
            _check_size(opened.size)
            _refuse_preview(opened)
            if hidden == "refused" and getattr(opened, "is_animated", False):
                raise ImageError("it holds further frames or pages, which nothing measures; write one image a file")
            try:
                opened.load()
            except Exception as error:  # whatever a decoder raises, the bytes are to blame
                raise ImageError("truncated or damaged image") from error
            _check_size(opened.size)  # a HEIC's can differ from its header's
            if hidden == "refused" and _has_thumbnail(opened):
                raise ImageError("it holds a thumbnail, which may show the face; remove it (exiftool -ThumbnailImage=)")
            return np.array(_to_rgb(_upright(opened), opened.format, hidden == "refused"), dtype=np.uint8)
    except ImageError:
        raise
    except DecompressionBombError as error:
        raise ImageError(f"too large: over {MAX_PIXELS // 1_000_000} megapixels") from error
    except MemoryError as error:
        raise ImageError("not enough memory to decode it") from error
    except UnidentifiedImageError as error:
        damaged = "a damaged HEIC or AVIF file, or of a kind that cannot be read here; convert it to JPEG"
        raise ImageError(damaged if _is_heif(data) else "not an image, or of an unknown format") from error
    except OSError as error:
        raise ImageError("truncated or damaged image") from error
    except Exception as error:  # headers that pass for an image until they are read: struct, value, key errors
        raise ImageError(f"not a readable image ({type(error).__name__})") from error


def profile_note(data: bytes) -> str:
    """What is wrong with the colour profile of an image that `decode_image` can decode; '' = nothing is."""
    try:
        with _opened(data) as opened:
            if "icc_profile" not in opened.info:
                return ""
            # Pillow gives none where it finds one that it cannot unpack.
            profile = opened.info["icc_profile"] or b"damaged"
            return _to_srgb(profile, _KIND.get(opened.mode, "RGB"))[1]
    except Exception:  # whatever is wrong with the image, decoding it has said
        return ""


def encode_png(image: Image) -> bytes:
    """A lossless PNG of an (H, W, 3) uint8 RGB image; the same bytes for the same pixels. Raises ``ValueError``."""
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"an image must be a non-empty (H, W, 3) uint8 array, not {image.shape} {image.dtype}")
    sink = io.BytesIO()
    # Level 1: on photos a tenth larger than level 6, and four times as fast.
    Pillow.fromarray(np.ascontiguousarray(image)).save(sink, "PNG", compress_level=1)
    return sink.getvalue()


@contextmanager
def _opened(data: bytes) -> Iterator[Pillow.Image]:
    """Truncated files are errors even if some other library has asked Pillow to accept them."""
    formats = _HEIF_FORMATS if _is_heif(data) else FORMATS
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with warnings.catch_warnings():
            # We judge sizes ourselves; Pillow's own warning starts below our limit.
            warnings.simplefilter("ignore", DecompressionBombWarning)
            # Damaged metadata is reported by warnings; only the pixels matter here.
            warnings.simplefilter("ignore", UserWarning)
            with Pillow.open(io.BytesIO(data), formats=formats) as image:
                yield image
    finally:
        ImageFile.LOAD_TRUNCATED_IMAGES = before


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width < 1 or height < 1:
        raise ImageError("image without pixels")
    if width * height > MAX_PIXELS:
        raise ImageError(f"too large: {width} x {height} pixels, over {MAX_PIXELS // 1_000_000} megapixels")
    if max(width, height) > MAX_SIDE:
        raise ImageError(f"too long: {width} x {height} pixels, a side over {MAX_SIDE:,}; cut it into pieces")
    if min(width, height) < MIN_SIDE:
        raise ImageError(f"too small: {width} x {height} pixels, at least {MIN_SIDE} x {MIN_SIDE} are needed")
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ImageError(f"too narrow: {width} x {height} pixels, over {MAX_ASPECT} to 1; cut it into pieces")


def _refuse_unreadable(data: bytes, name: str) -> None:
    """Kinds of image that nothing here decodes; prepares for the others."""
    if data.startswith(_JPEG_XL):
        raise ImageError("JPEG XL cannot be read here; convert it to JPEG")
    raw = data.startswith(_RAW_HEADS) or data[8:10] == b"CR" or data[4:12] == b"ftypcrx "
    if raw or PurePosixPath(name).suffix.lower() in RAW_EXTENSIONS:
        raise ImageError("a camera's raw file, which cannot be read here; convert it to JPEG")
    if _is_heif(data) and not _heif_is_readable():
        raise ImageError("HEIC cannot be read here: pillow-heif is missing; install unmask again, or convert it")


def _is_heif(data: bytes) -> bool:
    return data[4:12] in _HEIF_BRANDS


@cache
def _heif_is_readable() -> bool:
    """Registers the decoder at its first use: most runs need none, and it takes a while to load."""
    try:
        import pillow_heif
    except ImportError:
        return False
    # Neither thumbnails nor depth maps: less of an untrusted file is looked at.
    pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False, decode_threads=1)
    return True


def _refuse_preview(image: Pillow.Image) -> None:
    """A raw file called ``.tif``: its first image is a small preview."""
    tags = getattr(image, "tag_v2", {})
    if _DNG_VERSION in tags or int(tags.get(_NEW_SUBFILE_TYPE, 0)) & 1:
        raise ImageError("its first image is only a preview, as in a camera's raw file; convert it to JPEG")


def _has_thumbnail(image: Pillow.Image) -> bool:
    """Whether the Exif data or Photoshop's hold a small copy, which many tools leave as it was."""
    try:
        exif = image.getexif().get_ifd(ExifTags.IFD.IFD1)
    except Exception:  # damaged Exif data shows nobody anything
        exif = {}
    return bool(_THUMBNAIL_TAGS & exif.keys()) or bool(_PHOTOSHOP_THUMBNAILS & image.info.get("photoshop", {}).keys())


def _upright(image: Pillow.Image) -> Pillow.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged EXIF says nothing about the orientation; the pixels are fine as they lie
        return image


def _to_rgb(image: Pillow.Image, form: str | None, refuse_transparent: bool) -> Pillow.Image:
    mode = image.mode
    profile = image.info.get("icc_profile") or b""
    kind = _KIND.get(mode, "RGB")
    if mode in _SIXTEEN_BIT or (mode == "I" and form in ("PNG", "PPM")):
        # Pillow's own conversion would clip at 255. Both formats give 0..65535 here; 65535 / 257 = 255 exactly.
        values = np.asarray(image).astype(np.float64).clip(0, 65535)
        return _srgb(Pillow.fromarray(np.rint(values / 257.0).astype(np.uint8)), profile, kind)
    if mode in _ALPHA or "transparency" in image.info:
        layer = image.convert("RGBA")
        alpha = layer.getchannel("A")
        if refuse_transparent and bool((np.asarray(alpha) < 255).any()):
            raise ImageError("it has transparent pixels, whose colours are still in the file; flatten it")
        # The grey of a file with alpha is any of its three channels now.
        opaque = _srgb(layer.getchannel("R") if kind == "GRAY" else layer.convert("RGB"), profile, kind)
        opaque.putalpha(alpha)
        return Pillow.alpha_composite(Pillow.new("RGBA", layer.size, _WHITE), opaque).convert("RGB")
    if mode in _DIRECT:
        return _srgb(image, profile, kind)
    raise ImageError(f"unsupported pixel format {mode}")


def _srgb(image: Pillow.Image, profile: bytes, kind: str) -> Pillow.Image:
    """An image without alpha as RGB in sRGB."""
    transform = _to_srgb(profile, kind)[0] if profile else None
    if transform is None:
        return image.convert("RGB")
    return ImageCms.applyTransform(image.convert(_CHANNELS[kind]), transform) or image


@lru_cache(maxsize=8)
def _to_srgb(profile: bytes, kind: str) -> tuple[ImageCms.ImageCmsTransform | None, str]:
    """From an ICC profile, and what is wrong with it; ``None`` where it is damaged, of another kind of image, or sRGB
    already."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != kind:
            return None, FOREIGN_PROFILE
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            _CHANNELS[kind],
            "RGB",
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
        if kind == "CMYK":
            return transform, ""
        steps = np.arange(0, 256, 15 if kind == "RGB" else 1, dtype=np.uint8)
        lattice = np.stack(np.meshgrid(steps, steps, steps), axis=-1) if kind == "RGB" else steps[:, None]
        sample = Pillow.fromarray(lattice.reshape(len(steps), -1, 3) if kind == "RGB" else lattice)
        converted = np.asarray(ImageCms.applyTransform(sample, transform), np.int16)
        same = np.abs(converted - np.asarray(sample.convert("RGB"))).max() <= _ROUNDING
        return None if same else transform, ""
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, AttributeError):
        return None, DAMAGED_PROFILE
