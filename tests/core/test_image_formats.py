"""Colour profiles, HEIC and AVIF, raw files and pictures of extreme shapes: what phones and cameras write."""

from __future__ import annotations

import base64
import struct
import zlib
from typing import Any

import numpy as np
import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow
from PIL import ImageCms

from tests.core.test_images import handmade_png, photo, png, refused, saved
from unmask.bench.core import images
from unmask.bench.core.errors import ImageError
from unmask.bench.core.images import DAMAGED_PROFILE, FOREIGN_PROFILE, MAX_ASPECT, MAX_SIDE, decode_image, profile_note
from unmask.bench.core.types import Image

AVIF = saved(Pillow.fromarray(photo()), "AVIF")
D50 = (0.9642, 1.0, 0.8249)
ADOBE_LIKE = ((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457))
P3_LIKE = ((0.51512, 0.24120, -0.00105), (0.29198, 0.69225, 0.04189), (0.15710, 0.06657, 0.78407))
SRGB = np.array(((0.43607, 0.22249, 0.01392), (0.38515, 0.71687, 0.09708), (0.14307, 0.06061, 0.71410))).T
"""Columns: red, green, blue in XYZ, adapted to D50."""

TURNED_HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAchtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAADRpbG9jAA"
    "AAAERAAAIAAQAAAAAB7AABAAAAAAAAAFUAAgAAAAACQQABAAAAAAAAACQAAAA4aWluZgAAAAAAAgAAABVpbmZlAgAAAAABAABodmMxAAAAABVp"
    "bmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAABB2lwcnAAAADmaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGE"
    "ABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkA"
    "AAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAAEAAAAABAAAAMAAAAAEAAAAAAAAAAv////AAAAACAAAAEH"
    "BpeGkAAAAAAwgICAAAAAlpcm90AwAAABlpcG1hAAAAAAAAAAEAAQaBAgMFhIYAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAAIFtZGF0AAAA"
    "USgBr1jm/9gzMsVUgYoKD/gSBm7nXHt/iyGNGvm7N/zhP0E1zBjlm/ftdkjeM/nFZ6jl8y/wHkST65CBbnGoKBdGPk0VVbz72JO193rjpDvsgQ"
    "AAAAZFeGlmAABNTQAqAAAACAABARIAAwAAAAEABgAAAAAAAA=="
)
"""`photo` as pillow-heif wrote it with orientation 6: both the container and the Exif data say so."""


def number(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def profile(kind: bytes, tags: dict[bytes, bytes], pcs: bytes = b"XYZ ", use: bytes = b"mntr") -> bytes:
    """An ICC profile of version 2."""
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78),
        b"cprt": b"text" + bytes(4) + b"none\0",
        b"wtpt": b"XYZ " + bytes(4) + b"".join(map(number, D50)),
        **tags,
    }
    table, body, at = b"", b"", 132 + 12 * len(tags)
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data
    head = struct.pack(">I4sI4s4s4s", at + len(body), bytes(4), 0x02200000, use, kind, pcs) + bytes(12) + b"acsp"
    head += bytes(28) + b"".join(map(number, D50))
    return head + bytes(128 - len(head)) + struct.pack(">I", len(tags)) + table + body


def gamma(value: float) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">IH", 1, round(value * 256))


def rgb_profile(columns: tuple[tuple[float, ...], ...], exponent: float) -> bytes:
    tags = {}
    for name, column in zip(b"rgb", columns, strict=True):
        tags[bytes([name]) + b"XYZ"] = b"XYZ " + bytes(4) + b"".join(map(number, column))
        tags[bytes([name]) + b"TRC"] = gamma(exponent)
    return profile(b"RGB ", tags)


def cmyk_profile() -> bytes:
    """Full black is L* 0, full cyan L* 55, a* -37, b* -50; every other ink changes nothing."""
    corners = []
    for inks in np.ndindex(2, 2, 2, 2):
        lab = (0, 128, 128) if inks[3] else (round(55 * 2.55), 128 - 37, 128 - 50) if inks[0] else (255, 128, 128)
        corners.append(bytes(lab))
    ramp = bytes(range(256))
    unit = b"".join(map(number, (1, 0, 0, 0, 1, 0, 0, 0, 1)))
    lut = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + unit + ramp * 4 + b"".join(corners) + ramp * 3
    return profile(b"CMYK", {b"A2B0": lut}, pcs=b"Lab ", use=b"prtr")


def as_srgb(values: Image, columns: tuple[tuple[float, ...], ...], exponent: float) -> Image:
    """What the values of such a profile are in sRGB, from the definitions."""
    xyz = (values / 255.0) ** exponent @ np.array(columns)
    linear = np.clip(xyz @ np.linalg.inv(SRGB).T, 0, 1)
    coded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(255 * coded).astype(np.uint8)


def muted() -> Image:
    """Colours that every profile here can show in sRGB too."""
    return (photo() // 3 + 80).astype(np.uint8)


@pytest.mark.parametrize(("columns", "exponent"), [(ADOBE_LIKE, 563 / 256), (P3_LIKE, 2.2), (P3_LIKE, 1.8)])
@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP"])
def test_a_profile_is_applied_and_its_srgb_copy_is_the_same_picture(
    columns: tuple[tuple[float, ...], ...], exponent: float, form: str
) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    stored = saved(Pillow.fromarray(muted()), form, icc_profile=rgb_profile(columns, exponent), **options)
    got = decode_image(stored, "x").astype(int)
    copy = as_srgb(muted(), columns, exponent)
    assert np.abs(copy.astype(int) - muted()).max() > 8, "the profile must matter"
    assert np.abs(got - decode_image(png(copy), "x")).max() <= 2


def test_a_jpeg_with_a_profile() -> None:
    stored = saved(Pillow.fromarray(muted()), "JPEG", quality=98, icc_profile=rgb_profile(ADOBE_LIKE, 563 / 256))
    want = as_srgb(muted(), ADOBE_LIKE, 563 / 256).astype(int)
    assert np.abs(decode_image(stored, "x") - want).mean() < 2


def test_an_srgb_profile_changes_no_bit() -> None:
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    got = decode_image(saved(Pillow.fromarray(photo()), "PNG", icc_profile=own), "x")
    np.testing.assert_array_equal(got, photo())


def test_profiles_that_do_not_fit_or_are_damaged_change_nothing() -> None:
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    good = rgb_profile(ADOBE_LIKE, 563 / 256)
    grey = profile(b"GRAY", {b"kTRC": gamma(1.0)})
    for bad in (lab, grey, good[:100], good[:200] + b"\xff" * (len(good) - 200), b"junk"):
        got = decode_image(saved(Pillow.fromarray(photo()), "PNG", icc_profile=bad), "x")
        np.testing.assert_array_equal(got, photo())
    levels = photo()[..., 0]
    got = decode_image(saved(Pillow.fromarray(levels), "PNG", icc_profile=good), "x")
    np.testing.assert_array_equal(got, np.repeat(levels[..., None], 3, axis=2))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_profile_that_cannot_be_applied_is_noted(form: str) -> None:
    good, grey = rgb_profile(ADOBE_LIKE, 563 / 256), profile(b"GRAY", {b"kTRC": gamma(1.0)})
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    picture = Pillow.fromarray(photo())
    notes = {good: "", own: "", b"not a profile": DAMAGED_PROFILE, good[:200]: DAMAGED_PROFILE, grey: FOREIGN_PROFILE}
    for icc, note in notes.items():
        assert profile_note(saved(picture, form, icc_profile=icc)) == note
    assert profile_note(saved(picture, form)) == ""
    assert profile_note(b"no picture") == ""


def test_a_profile_that_cannot_be_unpacked_is_noted() -> None:
    stored = saved(Pillow.fromarray(photo()), "PNG", icc_profile=rgb_profile(ADOBE_LIKE, 563 / 256))
    start = stored.index(b"iCCP")
    length = int.from_bytes(stored[start - 4 : start], "big")
    body = b"ICC Profile\0\0" + b"x" * (length - 13)
    chunk = b"iCCP" + body + zlib.crc32(b"iCCP" + body).to_bytes(4, "big")
    broken = stored[:start] + chunk + stored[start + 8 + length :]
    np.testing.assert_array_equal(decode_image(broken, "x"), photo())
    assert profile_note(broken) == DAMAGED_PROFILE


def test_grey_profiles_at_eight_and_sixteen_bits() -> None:
    linear = profile(b"GRAY", {b"kTRC": gamma(1.0)})
    for level in (np.full((20, 20), 128, np.uint8), np.full((20, 20), 128 * 257, np.uint16)):
        got = decode_image(saved(Pillow.fromarray(level), "PNG", icc_profile=linear), "x")
        # 128 of linear light is 188 in sRGB.
        assert np.abs(got.astype(int) - 188).max() <= 1
    la = np.dstack([np.full((20, 20), 128, np.uint8), np.full((20, 20), 255, np.uint8)])
    got = decode_image(saved(Pillow.fromarray(la, "LA"), "PNG", icc_profile=linear), "x")
    assert np.abs(got.astype(int) - 188).max() <= 1


def test_a_transparent_picture_with_a_profile_is_laid_on_white_after_conversion() -> None:
    rgba = np.dstack([muted(), np.full((48, 64), 255, np.uint8)])
    rgba[:24, :, 3] = 0
    got = decode_image(saved(Pillow.fromarray(rgba), "PNG", icc_profile=rgb_profile(ADOBE_LIKE, 563 / 256)), "x")
    assert got[:24].min() == 255
    assert np.abs(got[24:].astype(int) - as_srgb(muted(), ADOBE_LIKE, 563 / 256)[24:]).max() <= 2


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_the_profile_of_cmyk_says_what_its_inks_look_like(form: str) -> None:
    for inks, want in (((255, 0, 0, 0), (0, 148, 218)), ((0, 0, 0, 0), (255, 255, 255)), ((0, 0, 0, 255), (0, 0, 0))):
        plain = Pillow.new("CMYK", (32, 32), inks)
        got = decode_image(saved(plain, form, icc_profile=cmyk_profile()), "x")[16, 16]
        assert np.abs(got.astype(int) - want).max() <= 4, (inks, got)


def test_png_gamma_is_not_applied() -> None:
    body = b"gAMA" + struct.pack(">I", 100_000)
    chunk = struct.pack(">I", 4) + body + struct.pack(">I", zlib.crc32(body))
    data = png(photo())
    np.testing.assert_array_equal(decode_image(data[:33] + chunk + data[33:], "x"), photo())


@pytest.mark.parametrize("name", ["a.heic", "a.jpg"])
def test_a_turned_heic_is_turned_once_whatever_it_is_called(name: str) -> None:
    got = decode_image(TURNED_HEIC, name)
    assert got.shape == (64, 48, 3)
    assert np.abs(got.astype(int) - np.rot90(photo(), -1)).mean() < 5


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_avif_is_turned_once(orientation: int) -> None:
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    upright = decode_image(saved(Pillow.fromarray(photo()), "PNG", exif=exif.tobytes()), "x")
    stored = saved(Pillow.fromarray(photo()), "AVIF", quality=90, exif=exif.tobytes())
    got = decode_image(stored, "x")
    assert got.shape == upright.shape
    assert np.abs(got.astype(int) - upright).mean() < 5


def test_an_avif_with_a_profile() -> None:
    stored = saved(Pillow.fromarray(muted()), "AVIF", quality=95, icc_profile=rgb_profile(P3_LIKE, 2.2))
    assert np.abs(decode_image(stored, "x") - as_srgb(muted(), P3_LIKE, 2.2).astype(int)).mean() < 3


def test_heic_and_avif_that_cannot_be_read() -> None:
    assert "convert it to JPEG" in refused(TURNED_HEIC[:24] + bytes(200))
    refused(TURNED_HEIC[:-100])
    size = b"ispe" + bytes(4) + struct.pack(">II", 64, 64)
    huge = TURNED_HEIC.replace(size, b"ispe" + bytes(4) + struct.pack(">II", 30_000, 30_000))
    assert huge != TURNED_HEIC
    refused(huge)
    refused(saved(Pillow.fromarray(photo()), "AVIF")[:-50])


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(["HEIC", "AVIF", "profile"]), st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 255))))
def test_nothing_but_image_errors_on_mutilated_phone_photos(kind: str, changes: list[tuple[int, int]]) -> None:
    whole = {"HEIC": TURNED_HEIC, "AVIF": AVIF, "profile": rgb_profile(P3_LIKE, 2.2)}[kind]
    mutilated = bytearray(whole)
    for at, value in changes:
        mutilated[at % len(whole)] = value
    data = bytes(mutilated)
    try:
        got = decode_image(
            saved(Pillow.fromarray(photo()), "PNG", icc_profile=data) if kind == "profile" else data, "x"
        )
    except ImageError:
        assert kind != "profile", "a damaged profile is no reason to refuse a photo"
        return
    assert got.dtype == np.uint8
    assert got.ndim == 3


def test_a_missing_decoder_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "_heif_is_readable", lambda: False)
    assert "pillow-heif is missing" in refused(TURNED_HEIC)


def test_jpeg_xl_and_raw_files_are_never_taken_for_their_previews() -> None:
    assert "JPEG XL" in refused(b"\xff\x0a" + bytes(50))
    assert "JPEG XL" in refused(b"\x00\x00\x00\x0cJXL \x0d\x0a\x87\x0a" + bytes(50))
    preview = saved(Pillow.fromarray(photo()), "TIFF")
    for name in ("a.NEF", "a.dng", "b/c.cr2"):
        with pytest.raises(ImageError, match="raw file"):
            decode_image(preview, name)
    assert "raw file" in refused(b"II*\x00\x10\x00\x00\x00CR\x02\x00" + bytes(50))
    for tags in ({254: 1}, {50706: b"\x01\x04\x00\x00"}):
        assert "only a preview" in refused(saved(Pillow.fromarray(photo()), "TIFF", tiffinfo=tags))
    assert decode_image(saved(Pillow.fromarray(photo()), "TIFF", tiffinfo={254: 0}), "x").shape == (48, 64, 3)


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        ((65_535, 16), "too long: 65535 x 16 pixels"),
        ((1_000_000, 16), "too long"),
        ((16, MAX_SIDE + 1), "too long"),
        ((1_000, 16), "too narrow: 1000 x 16 pixels"),
        ((16, 801), "too narrow"),
    ],
)
def test_strips_are_refused_by_their_header(size: tuple[int, int], reason: str) -> None:
    said = refused(handmade_png(*size, rows=b""))
    assert reason in said
    assert "cut it into pieces" in said


def test_panoramas_are_not_refused() -> None:
    assert decode_image(png(np.zeros((20, 20 * MAX_ASPECT, 3), np.uint8)), "x").shape == (20, 1000, 3)
    for size in ((20_000, 1_000), (16_384, 4_096), (MAX_SIDE, 1_000)):
        assert "damaged" in refused(handmade_png(*size, rows=b""))


def file_of(form: str, **options: Any) -> bytes:
    pillow_heif.register_heif_opener()
    return saved(Pillow.fromarray(photo()), form, **options)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF", "MPO", "HEIF", "AVIF"])
def test_further_frames_and_pages_are_refused_where_they_could_show_the_original(form: str) -> None:
    other = [Pillow.fromarray(255 - photo())]
    several = file_of(form, save_all=True, append_images=other)
    assert decode_image(several, "x").shape == decode_image(file_of(form), "x", hidden="refused").shape
    with pytest.raises(ImageError, match="further frames or pages"):
        decode_image(several, "x", hidden="refused")


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF"])
def test_a_cameras_thumbnail_is_refused_where_it_could_show_the_original(form: str) -> None:
    """Tools that keep the Exif data keep it."""
    small = saved(Pillow.fromarray(photo()).resize((16, 16)), "JPEG")
    tags = ((0x0103, 3, 6), (0x0201, 4, 56), (0x0202, 4, len(small)))
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    # An empty first directory, as a camera's of the photo itself, and one of the thumbnail.
    exif = b"Exif\0\0II*\0" + struct.pack("<IHIH", 8, 0, 14, len(tags)) + entries + bytes(4) + small
    kept, plain = file_of(form, exif=exif), file_of(form, exif=exif[:14] + struct.pack("<HI", 0, 0))
    assert decode_image(kept, "x").shape == decode_image(plain, "x", hidden="refused").shape
    with pytest.raises(ImageError, match="holds a thumbnail"):
        decode_image(kept, "x", hidden="refused")
