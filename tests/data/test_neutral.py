"""Photos for other people's programs: the same picture, and nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import ExifTags, ImageCms
from PIL import Image as Pillow

from unmask.bench.core.errors import ImageError
from unmask.bench.core.images import decode_image, encode_png
from unmask.bench.data.neutral import neutral_photo

RNG = np.random.default_rng(3)
PIXELS = np.kron(RNG.integers(0, 255, (6, 8, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
PHOTO = Pillow.fromarray(PIXELS)
SECRET = b"Ada Lovelace"


def jpeg(image: Pillow.Image = PHOTO, **more: object) -> bytes:
    sink = io.BytesIO()
    image.save(sink, "JPEG", quality=90, **more)
    return sink.getvalue()


def exif(orientation: int = 1, thumbnail: bool = False) -> bytes:
    tags = Pillow.Exif()
    tags[ExifTags.Base.Orientation] = orientation
    tags[ExifTags.Base.Artist] = SECRET.decode()
    if thumbnail:
        tags.get_ifd(ExifTags.IFD.IFD1)[ExifTags.Base.JpegIFOffset] = 0
    return tags.tobytes()


def with_comment() -> bytes:
    data = jpeg(comment=SECRET)
    assert SECRET in data
    return data


def other_colours() -> bytes:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB"))
    return jpeg(icc_profile=profile.tobytes() + SECRET)


@pytest.mark.parametrize(
    "made",
    [
        lambda: jpeg(exif=exif()),
        lambda: jpeg(exif=exif(thumbnail=True)),
        with_comment,
        other_colours,
        lambda: jpeg(progressive=True, exif=exif()),
        lambda: jpeg(restart_marker_blocks=2, exif=exif()),
        lambda: jpeg(PHOTO.convert("L"), exif=exif()),
        lambda: jpeg() + SECRET + jpeg(Pillow.new("RGB", (64, 48))),
    ],
)
def test_a_jpeg_keeps_its_coded_picture_and_loses_all_else(made: Callable[[], bytes]) -> None:
    data = made()
    bare, ending = neutral_photo(data, "a.jpg")
    assert ending == ".jpg"
    assert SECRET not in bare
    assert b"Exif" not in bare
    assert len(bare) < len(data)
    np.testing.assert_array_equal(decode_image(bare, "x.jpg", hidden="refused"), decode_image(data, "a.jpg"))
    scan = data.index(b"\xff\xda")
    assert bare[bare.index(b"\xff\xda") :] in data[scan:], "no picture is coded a second time"


def test_a_jpeg_without_anything_else_stays_byte_for_byte() -> None:
    assert neutral_photo(jpeg(), "a.jpg") == (jpeg(), ".jpg")


@pytest.mark.parametrize("orientation", range(2, 9))
def test_turned_photos_are_written_upright_for_programs_that_pass_over_exif(orientation: int) -> None:
    data = jpeg(exif=exif(orientation))
    upright = decode_image(data, "a.jpg")
    written, ending = neutral_photo(data, "a.jpg")
    assert ending == ".png"
    assert SECRET not in written
    as_it_lies = np.asarray(Pillow.open(io.BytesIO(written)))
    np.testing.assert_array_equal(as_it_lies, upright)


@pytest.mark.parametrize("mode", ["RGBA", "I;16", "P", "CMYK"])
def test_what_programs_read_in_several_ways_is_written_as_plain_pixels(mode: str) -> None:
    sink = io.BytesIO()
    if mode == "I;16":
        Pillow.fromarray(np.arange(64 * 48, dtype=np.uint16).reshape(48, 64) * 20).save(sink, "PNG")
    else:
        image = PHOTO.convert(mode)
        if mode == "RGBA":
            image.putalpha(100)
        image.save(sink, "TIFF" if mode == "CMYK" else "PNG")
    written, ending = neutral_photo(sink.getvalue(), "a.png")
    assert (written, ending) == (encode_png(decode_image(sink.getvalue(), "a.png")), ".png")
    np.testing.assert_array_equal(
        np.asarray(Pillow.open(io.BytesIO(written)).convert("RGB")), decode_image(written, "")
    )


def test_a_jpeg_in_cmyk_is_written_in_colours_that_all_read_alike() -> None:
    data = jpeg(PHOTO.convert("CMYK"))
    written, ending = neutral_photo(data, "a.jpg")
    assert ending == ".png"
    np.testing.assert_array_equal(decode_image(written, ""), decode_image(data, ""))


@pytest.mark.parametrize("damage", [b"", b"no picture", jpeg()[:300]])
def test_what_cannot_be_read_is_said(damage: bytes) -> None:
    with pytest.raises(ImageError):
        neutral_photo(damage, "a.jpg")
