"""Every kind of image file, good and bad, becomes RGB pixels or one short reason."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageFile

from unmask.bench.core.errors import ImageError
from unmask.bench.core.images import decode_image, encode_png
from unmask.bench.core.types import Image


def photo(height: int = 48, width: int = 64) -> Image:
    """Smooth colours that survive JPEG well."""
    y, x = np.mgrid[0:height, 0:width]
    channels = [x * 255 / (width - 1), y * 255 / (height - 1), (x + y) * 255 / (width + height - 2)]
    return np.stack(channels, axis=2).astype(np.uint8)


def saved(image: Pillow.Image, form: str, **options: object) -> bytes:
    sink = io.BytesIO()
    image.save(sink, form, **options)
    return sink.getvalue()


def png(array: Image) -> bytes:
    return saved(Pillow.fromarray(array), "PNG")


def refused(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        decode_image(data, "x.jpg")
    reason = caught.value.reason
    assert 0 < len(reason) < 100
    assert "\n" not in reason
    return reason


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "PPM", "WEBP"])
def test_lossless_formats_come_back_exactly(form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    got = decode_image(saved(Pillow.fromarray(photo()), form, **options), "x")
    np.testing.assert_array_equal(got, photo())
    assert got.dtype == np.uint8
    assert got.flags.writeable


def test_jpeg_is_close() -> None:
    got = decode_image(saved(Pillow.fromarray(photo()), "JPEG", quality=95), "x")
    assert np.abs(got.astype(int) - photo()).mean() < 2


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "RGB"])
def test_modes_agree_with_pillow(mode: str) -> None:
    source = Pillow.fromarray(photo()).convert(mode)
    form = "TIFF" if mode == "CMYK" else "PNG"
    np.testing.assert_array_equal(decode_image(saved(source, form), "x"), np.asarray(source.convert("RGB")))


def test_cmyk_jpeg_is_not_inverted() -> None:
    red = Pillow.new("CMYK", (32, 32), (0, 255, 255, 0))
    got = decode_image(saved(red, "JPEG", quality=95), "x")
    assert got[..., 0].min() > 240
    assert got[..., 1:].max() < 15


def test_transparency_is_laid_on_white() -> None:
    rgba = np.zeros((20, 20, 4), np.uint8)
    rgba[..., 0] = 200
    rgba[:10, :, 3] = 255
    rgba[10:, :, 3] = 51
    got = decode_image(saved(Pillow.fromarray(rgba), "PNG"), "x")
    assert got[0, 0].tolist() == [200, 0, 0]
    # 51/255 = 0.2 of the colour, 0.8 of white.
    np.testing.assert_allclose(got[15, 0], [244, 204, 204], atol=1)


def test_grey_with_alpha_and_transparent_palette_colour() -> None:
    la = np.zeros((20, 20, 2), np.uint8)
    assert decode_image(saved(Pillow.fromarray(la, "LA"), "PNG"), "x").min() == 255
    palette = Pillow.new("P", (20, 20), 0)
    palette.putpalette([0, 0, 0, 255, 0, 0])
    assert decode_image(saved(palette, "PNG", transparency=0), "x").min() == 255
    assert decode_image(saved(palette, "PNG"), "x").max() == 0


@pytest.mark.parametrize("form", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_not_clipped(form: str) -> None:
    values = np.linspace(0, 65535, 32 * 32).round().astype(np.uint16).reshape(32, 32)
    got = decode_image(saved(Pillow.fromarray(values), form), "x")
    want = np.rint(values / 257.0).astype(np.uint8)
    np.testing.assert_array_equal(got, np.repeat(want[..., None], 3, axis=2))


def test_sixteen_bit_colour_png_keeps_its_range() -> None:
    values = np.linspace(0, 65535, 24 * 24).astype(">u2").reshape(24, 24)
    rows = b"".join(b"\0" + np.repeat(row[:, None], 3, axis=1).astype(">u2").tobytes() for row in values)
    got = decode_image(handmade_png(24, 24, depth=16, rows=rows), "x")
    np.testing.assert_allclose(got[..., 0], values / 257.0, atol=1)


def test_pgm_with_another_maximum_is_scaled() -> None:
    got = decode_image(b"P5 16 16 100\n" + bytes([0, 50, 100, 25] * 64), "x")
    assert sorted(np.unique(got)) == [0, 64, 128, 255] or np.abs(np.unique(got) - [0, 63.75, 127.5, 255]).max() <= 1


@pytest.mark.parametrize(
    ("orientation", "undo"),
    [
        (1, lambda a: a),
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.transpose(1, 0, 2)),
        (6, lambda a: np.rot90(a, -1)),
        (7, lambda a: a[::-1, ::-1].transpose(1, 0, 2)),
        (8, lambda a: np.rot90(a, 1)),
    ],
)
def test_exif_orientation_is_applied(orientation: int, undo: Callable[[Image], Image]) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    got = decode_image(saved(Pillow.fromarray(photo()), "PNG", exif=exif), "x")
    np.testing.assert_array_equal(got, undo(photo()))


def test_damaged_exif_leaves_the_pixels_alone() -> None:
    good = saved(Pillow.fromarray(photo()), "JPEG", quality=95)
    damaged = good[:2] + b"\xff\xe1" + struct.pack(">H", 20) + b"Exif\0\0II*\0\xff\xff\xff\xff\x12\x01\x03\0" + good[2:]
    np.testing.assert_array_equal(decode_image(damaged, "x"), decode_image(good, "x"))


def test_the_first_frame_of_an_animation_counts() -> None:
    frames = [Pillow.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    for form in ("GIF", "PNG", "WEBP", "TIFF"):
        options = {"lossless": True} if form == "WEBP" else {}
        got = decode_image(saved(frames[0], form, save_all=True, append_images=frames[1:], **options), "x")
        assert got[16, 16].tolist() == [255, 0, 0], form


def test_empty_and_foreign_files() -> None:
    assert refused(b"") == "empty file"
    for data in (
        b"\0" * 100,
        b"<html><script>alert(1)</script>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n",
        b"%PDF-1.7\n",
        b"PK\3\4",
    ):
        assert refused(data) == "not an image, or of an unknown format"


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "TIFF", "PPM", "WEBP", "GIF"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_truncated_files_are_refused(form: str, kept: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (96, 96, 3), np.uint8)
    data = saved(Pillow.fromarray(noise), form)
    refused(data[: int(len(data) * kept)])


def test_truncation_is_refused_even_if_a_library_asked_pillow_to_accept_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    data = saved(Pillow.fromarray(photo(96, 96)), "JPEG")
    assert "truncated" in refused(data[: len(data) // 2])
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_a_flipped_byte_in_a_png_is_noticed() -> None:
    data = bytearray(png(photo()))
    data[len(data) // 2] ^= 0xFF
    refused(bytes(data))


def test_a_bomb_is_refused_by_its_header() -> None:
    for width, height in ((10_001, 10_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)):
        assert "too large" in refused(handmade_png(width, height, rows=b""))
    assert "too large" in refused(b"P5 20000 20000 255\n")


def test_one_hundred_megapixels_are_not_refused_for_their_size() -> None:
    # Header only: it must get past the size check and fail on its missing pixels, without a warning.
    assert "too large" not in refused(handmade_png(10_000, 10_000, rows=b""))


@pytest.mark.parametrize("size", [(15, 64), (64, 15), (1, 1)])
def test_too_small(size: tuple[int, int]) -> None:
    assert f"too small: {size[0]} x {size[1]}" in refused(png(np.zeros((size[1], size[0], 3), np.uint8)))
    assert decode_image(png(np.zeros((16, 16, 3), np.uint8)), "x").shape == (16, 16, 3)


def test_zero_size() -> None:
    refused(b"P5 0 0 255\n")
    refused(handmade_png(0, 64, rows=b""))


def test_pixel_formats_without_a_range() -> None:
    for values in (np.zeros((20, 20), np.float32), np.zeros((20, 20), np.int32)):
        assert "unsupported pixel format" in refused(saved(Pillow.fromarray(values), "TIFF"))


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200), st.sampled_from(["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"]), st.data())
def test_nothing_but_image_errors_on_mutilated_files(junk: bytes, form: str, data: st.DataObject) -> None:
    good = saved(Pillow.fromarray(photo(20, 20)), form)
    at = data.draw(st.integers(0, len(good)))
    for mutilated in (junk, good[:at] + junk, good[:at] + junk + good[at + len(junk) :]):
        try:
            got = decode_image(mutilated, "x")
        except ImageError:
            continue
        assert got.dtype == np.uint8
        assert got.ndim == 3
        assert got.shape[2] == 3


def test_encoded_images_come_back_exactly_and_are_stable() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (33, 47, 3), np.uint8)
    data = encode_png(noise)
    np.testing.assert_array_equal(decode_image(data, "x"), noise)
    assert encode_png(noise[:, ::-1][:, ::-1]) == data


@pytest.mark.parametrize(
    "bad", [np.zeros((16, 16), np.uint8), np.zeros((16, 16, 3), np.float32), np.zeros((0, 16, 3), np.uint8)]
)
def test_encoding_something_else_is_a_bug(bad: Image) -> None:
    with pytest.raises(ValueError, match="uint8"):
        encode_png(bad)


def handmade_png(width: int, height: int, *, rows: bytes, depth: int = 8) -> bytes:
    """A PNG with an arbitrary header, which Pillow itself would not write."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts
