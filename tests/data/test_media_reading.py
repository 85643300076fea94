"""Clips as they come: containers, pixel formats, times, turns, and files that are broken or no videos."""

from __future__ import annotations

import os
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.data.clips_made import cut, hide, make_clip, only_sound, pictures
from unmask.bench.core.errors import DataError, VideoError
from unmask.bench.core.types import Image
from unmask.bench.data.media import VideoReader
from unmask.bench.data.media.reader import Clock


def images(path: Path) -> list[Image]:
    return [frame.image for frame in VideoReader(path)]


def failure(path: Path) -> str:
    """Why a clip cannot be used, however late that turns out."""
    with pytest.raises(VideoError) as caught:
        for _ in VideoReader(path):
            pass
    assert isinstance(caught.value, DataError)
    assert caught.value.reason == str(caught.value)
    assert "\n" not in caught.value.reason
    return caught.value.reason


def unlike(a: Image, b: Image) -> float:
    assert a.shape == b.shape
    return float(np.abs(a.astype(int) - b).mean())


class TestFrames:
    def test_pixels_numbers_and_times(self, tmp_path: Path) -> None:
        made = pictures(12)
        reader = VideoReader(make_clip(tmp_path / "a.mp4", made))
        frames = list(reader)
        assert [frame.number for frame in frames] == list(range(12))
        assert [frame.seconds for frame in frames] == pytest.approx([k / 25 for k in range(12)])
        for frame, image in zip(frames, made, strict=True):
            assert frame.image.dtype == np.uint8
            assert np.array_equal(frame.image, image)
        assert (reader.damage, reader.mended) == ("", 0)

    def test_frames_own_their_memory_and_a_clip_can_be_read_again(self, tmp_path: Path) -> None:
        reader = VideoReader(make_clip(tmp_path / "a.mp4", pictures(3)))
        first = list(reader)
        for frame in first:
            frame.image[:] = 0
        assert [frame.image.max() for frame in reader] == [250, 250, 250]

    def test_times_are_those_of_the_frames(self, tmp_path: Path) -> None:
        reader = VideoReader(make_clip(tmp_path / "a.mp4", pictures(5), pts=[3, 4, 9, 10, 30]))
        assert reader.times().tolist() == [frame.seconds for frame in reader]
        assert reader.times(until=0.28).tolist() == pytest.approx([0, 0.04, 0.24, 0.28])

    def test_leaving_early_is_no_damage(self, tmp_path: Path) -> None:
        reader = VideoReader(make_clip(tmp_path / "a.mp4", pictures(9)))
        assert next(iter(reader)).number == 0
        assert reader.damage == ""

    @pytest.mark.parametrize(
        ("name", "form", "codec", "pixels", "most"),
        [
            ("a.mkv", "matroska", "libx264", "yuv420p", 4.0),
            ("a.avi", "avi", "mpeg4", "yuv420p", 6.0),
            ("a.mov", "mov", "libx264", "yuv444p", 2.5),
            ("a.webm", "webm", "libvpx-vp9", "yuv420p", 8.0),
            ("a.ts", "mpegts", "mpeg2video", "yuv420p", 6.0),
            ("a.flv", "flv", "flv1", "yuv420p", 6.0),
            ("tenbit.mkv", "matroska", "libx264", "yuv420p10le", 4.0),
            ("rgb.avi", "avi", "png", "rgb24", 0.0),
            ("alpha.mkv", "matroska", "ffv1", "bgra", 0.0),
        ],
    )
    def test_containers_and_pixel_formats(
        self, tmp_path: Path, name: str, form: str, codec: str, pixels: str, most: float
    ) -> None:
        made = pictures(6)
        path = make_clip(tmp_path / name, made, form=form, codec=codec, pixel_format=pixels)
        found = images(path)
        assert len(found) == 6
        assert max(map(unlike, found, made)) <= most
        assert VideoReader(path).info.pixel_format == pixels

    def test_grey_becomes_three_equal_channels(self, tmp_path: Path) -> None:
        made = [np.full((48, 64, 3), 17 * k + 5, np.uint8) for k in range(5)]
        found = images(make_clip(tmp_path / "g.mkv", made, form="matroska", codec="ffv1", pixel_format="gray"))
        assert max(map(unlike, found, made)) <= 1

    @pytest.mark.parametrize(("pixels", "codec"), [("yuv420p", "libx264"), ("yuvj420p", "mjpeg")])
    def test_black_and_white_are_the_ends_in_limited_and_full_range(
        self, tmp_path: Path, pixels: str, codec: str
    ) -> None:
        made = [np.full((48, 64, 3), value, np.uint8) for value in (0, 255, 128)]
        form = {"form": "matroska", "codec": codec, "pixel_format": pixels}
        found = images(make_clip(tmp_path / "a.mkv", made, **form))
        assert [int(image.mean().round()) for image in found] == pytest.approx([0, 255, 128], abs=1)

    def test_transparent_parts_are_white(self, tmp_path: Path) -> None:
        frames = [Pillow.new("RGBA", (32, 32), (200, 0, 0, 0)), Pillow.new("RGBA", (32, 32), (0, 0, 200, 255))]
        frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=100, disposal=2)
        found = images(tmp_path / "a.gif")
        assert found[0].min() == 255
        assert tuple(found[1][0, 0]) == (0, 0, 200)

    def test_animated_gif_with_its_own_pauses(self, tmp_path: Path) -> None:
        frames = [Pillow.new("RGB", (40, 30), (k * 60, 9, 9)) for k in range(4)]
        frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 50, 300, 70])
        found = list(VideoReader(tmp_path / "a.gif"))
        assert [round(frame.seconds, 3) for frame in found] == [0.0, 0.1, 0.15, 0.45]
        assert [int(frame.image[0, 0, 0]) for frame in found] == [0, 60, 120, 180]

    @pytest.mark.parametrize("size", [(321, 241), (17, 16), (64, 49)])
    def test_odd_sizes(self, tmp_path: Path, size: tuple[int, int]) -> None:
        made = pictures(4, *size)
        path = make_clip(tmp_path / "a.mp4", made)
        assert all(map(np.array_equal, images(path), made))
        assert (VideoReader(path).info.width, VideoReader(path).info.height) == size

    def test_the_first_of_two_pictures_counts(self, tmp_path: Path) -> None:
        made = pictures(4)
        path = make_clip(tmp_path / "a.mkv", made, form="matroska", codec="ffv1", pixel_format="bgra", streams=2)
        assert all(map(np.array_equal, images(path), made))

    @pytest.mark.parametrize(
        "name", ["a b.mp4", "ü漢字🎥.mp4", "a:b.mp4", "http:x.mp4", "%03d.mp4", "-i.mp4", "n\nl.mp4"]
    )
    def test_odd_names(self, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        make_clip(tmp_path / "plain.mp4", pictures(2)).rename(tmp_path / name)
        monkeypatch.chdir(tmp_path)
        assert len(images(Path(name))) == 2

    def test_names_that_are_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / os.fsdecode(b"caf\xe9.mp4")
        make_clip(tmp_path / "plain.mp4", pictures(2)).rename(path)
        assert len(list(VideoReader(path))) == 2


class TestTurns:
    @pytest.mark.parametrize("degrees", [0, 90, 180, 270])
    def test_shown_upright(self, tmp_path: Path, degrees: int) -> None:
        made = pictures(3)
        path = make_clip(tmp_path / "a.mp4", made, rotation=degrees)
        info = VideoReader(path).info
        assert info.rotation == degrees
        assert (info.width, info.height) == ((48, 64) if degrees % 180 else (64, 48))
        for image, stored in zip(images(path), made, strict=True):
            assert np.array_equal(image, np.rot90(stored, -degrees // 90))
            assert image.flags.c_contiguous


class TestTimes:
    def test_a_variable_rate_is_kept(self, tmp_path: Path) -> None:
        pts = [0, 10, 11, 40, 200, 201]
        path = make_clip(tmp_path / "a.mp4", pictures(6), pts=pts, time_base=Fraction(1, 100))
        reader = VideoReader(path)
        assert [frame.seconds for frame in reader] == pytest.approx([p / 100 for p in pts])
        assert reader.mended == 0

    def test_seconds_count_from_the_first_frame(self, tmp_path: Path) -> None:
        path = make_clip(
            tmp_path / "a.mkv", pictures(3), pts=[7000, 7040, 7080], time_base=Fraction(1, 1000), form="matroska"
        )
        frames = list(VideoReader(path))
        assert frames[0].pts == 7000
        assert [frame.seconds for frame in frames] == pytest.approx([0, 0.04, 0.08])

    @pytest.mark.parametrize(
        ("given", "told", "mended"),
        [
            ([None, None, None], [0, 4, 8], 3),
            ([5, None, 20], [5, 9, 20], 1),
            ([0, 4, 4, 8], [0, 4, 5, 8], 1),
            ([0, 8, 4, 12], [0, 8, 9, 12], 1),
            ([900, 904, 0, 4, 8], [900, 904, 908, 912, 916], 3),
            ([0, 4, 10**12, 10**12 + 4], [0, 4, 8, 12], 2),
            ([-3, 1], [-3, 1], 0),
        ],
    )
    def test_times_that_make_no_sense_are_mended(self, given: list[int | None], told: list[int], mended: int) -> None:
        clock = Clock(Fraction(1, 100), Fraction(25))
        assert [clock.tell(pts) for pts in given] == told
        assert clock.mended == mended


class TestInfo:
    def test_bitrate_is_the_containers_or_measured(self, tmp_path: Path) -> None:
        made = pictures(50, noise=True)
        for name, form in (("a.mp4", "mp4"), ("a.mkv", "matroska")):
            path = make_clip(tmp_path / name, made, form=form)
            info = VideoReader(path).info
            assert info.kbps == pytest.approx(path.stat().st_size * 8 / 2.0 / 1000, rel=0.03)
            assert info.rate == 25

    def test_bitrate_of_a_stream_without_times(self, tmp_path: Path) -> None:
        path = make_clip(
            tmp_path / "a.h264", pictures(50, noise=True), form="h264", codec="libx264", pixel_format="yuv420p"
        )
        info = VideoReader(path).info
        assert info.rate == 25
        assert info.kbps == pytest.approx(path.stat().st_size * 8 / 2.0 / 1000, rel=0.03)

    def test_sound_is_noted(self, tmp_path: Path) -> None:
        assert VideoReader(make_clip(tmp_path / "a.mp4", pictures(5), sound=True)).info.audio
        assert not VideoReader(make_clip(tmp_path / "b.mp4", pictures(5))).info.audio

    @pytest.mark.data
    def test_pets2009(self, shared_data: Path) -> None:
        reader = VideoReader(shared_data / "pets2009_s2l1/vtest.avi")
        last = None
        for frame in reader:
            last = frame
        assert last is not None
        assert (last.number, last.image.shape, reader.damage) == (794, (576, 768, 3), "")
        assert last.seconds == pytest.approx(79.4)
        assert reader.info.frames == 795


class TestBroken:
    def test_what_is_no_video(self, tmp_path: Path) -> None:
        assert failure(tmp_path / "gone.mp4") == "no such file"
        (tmp_path / "empty.mp4").touch()
        assert failure(tmp_path / "empty.mp4") == "empty file"
        (tmp_path / "text.mp4").write_text("not a video at all\n" * 50)
        assert "not a video" in failure(tmp_path / "text.mp4")
        Pillow.new("RGB", (64, 64)).save(tmp_path / "photo.png")
        (tmp_path / "photo.png").rename(tmp_path / "photo.mp4")
        assert "only sound" in failure(only_sound(tmp_path / "sound.mp4"))
        assert "seqinfo.ini" in failure(tmp_path)
        os.mkfifo(tmp_path / "pipe.mp4")
        assert failure(tmp_path / "pipe.mp4") == "not a regular file"

    @pytest.mark.parametrize(
        "text",
        [
            "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{}\n#EXT-X-ENDLIST\n",
            "ffconcat version 1.0\nfile '{}'\n",
            "[playlist]\nFile1={}\n",
        ],
    )
    def test_lists_of_other_files_are_not_followed(self, tmp_path: Path, text: str) -> None:
        secret = make_clip(tmp_path / "secret.mp4", pictures(2))
        (tmp_path / "list.mp4").write_text(text.format(secret))
        assert "not a video" in failure(tmp_path / "list.mp4")

    def test_an_mp4_without_its_end(self, tmp_path: Path) -> None:
        path = cut(make_clip(tmp_path / "a.mp4", pictures(30, noise=True)), 0.6)
        assert failure(path) == "truncated or damaged: its list of frames cannot be read"

    def test_what_comes_before_the_break_is_given(self, tmp_path: Path) -> None:
        made = pictures(30, noise=True)
        reader = VideoReader(cut(make_clip(tmp_path / "a.avi", made, form="avi", codec="png"), 0.5))
        found = [frame.image for frame in reader]
        assert 10 < len(found) < 20
        assert all(map(np.array_equal, found, made))
        assert f"breaks off after {len(found)} frames" in reader.damage

    def test_a_gif_that_breaks_off(self, tmp_path: Path) -> None:
        frames = [Pillow.fromarray(image) for image in pictures(30, noise=True)]
        frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=40)
        assert len(images(tmp_path / "a.gif")) == 30
        assert 10 < len(images(cut(tmp_path / "a.gif", 0.5))) < 20

    def test_an_mp4_whose_list_is_at_the_front_breaks_off(self, tmp_path: Path) -> None:
        made = pictures(30, noise=True)
        plain = make_clip(tmp_path / "a.mp4", made).read_bytes()
        fast = make_clip(tmp_path / "b.mp4", made, container_options={"movflags": "faststart"})
        assert fast.read_bytes() != plain
        reader = VideoReader(cut(fast, 0.5))
        found = [frame.image for frame in reader]
        assert 10 < len(found) < 20
        assert all(map(np.array_equal, found[:-1], made))
        assert "breaks off" in reader.damage

    def test_a_frame_in_the_middle_that_cannot_be_decoded(self, tmp_path: Path) -> None:
        made = pictures(20, noise=True)
        path = make_clip(tmp_path / "a.mov", made, form="mov", codec="png")
        data = bytearray(path.read_bytes())
        middle = len(data) // 2
        data[middle : middle + 3000] = bytes(3000)
        path.write_bytes(bytes(data))
        reader = VideoReader(path)
        found = list(reader)
        assert 18 <= len(found) < 20
        assert [frame.number for frame in found] == list(range(len(found)))
        assert reader.damage == f"{20 - len(found)} frames cannot be decoded"

    def test_nothing_can_be_decoded(self, tmp_path: Path) -> None:
        path = make_clip(tmp_path / "a.avi", pictures(9), form="avi", codec="png", pixel_format="rgb24")
        path.write_bytes(path.read_bytes().replace(b"IDAT", b"XXXX").replace(b"\x89PNG", b"\x00\x00\x00\x00"))
        assert "no frame can be decoded" in failure(path)

    def test_sizes_that_make_no_sense(self, tmp_path: Path) -> None:
        path = make_clip(tmp_path / "a.y4m", pictures(3), form="yuv4mpegpipe", codec="rawvideo", pixel_format="yuv420p")
        path.write_bytes(path.read_bytes().replace(b"W64 H48", b"W9000 H9000"))
        assert failure(path) == "too large: 9000 x 9000 pixels, over 36 megapixels a frame"
        assert "too small" in failure(make_clip(tmp_path / "b.mkv", pictures(3, 12, 40), form="matroska"))

    def test_a_size_that_changes_midway(self, tmp_path: Path) -> None:
        parts = [
            make_clip(tmp_path / f"{k}.h264", pictures(4, width), form="h264", codec="libx264", pixel_format="yuv420p")
            for k, width in enumerate((64, 96))
        ]
        path = tmp_path / "both.h264"
        path.write_bytes(b"".join(part.read_bytes() for part in parts))
        assert "change their size" in failure(path)

    def test_nothing_is_printed(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        failure(cut(make_clip(tmp_path / "a.mp4", pictures(30)), 0.6))
        assert capfd.readouterr() == ("", "")


class TestImageSequences:
    @pytest.fixture
    def sequence(self, tmp_path: Path) -> Path:
        (tmp_path / "S/img1").mkdir(parents=True)
        for k, image in enumerate(pictures(5), start=1):
            Pillow.fromarray(image).save(tmp_path / f"S/img1/{k:06d}.png")
        (tmp_path / "S/seqinfo.ini").write_text(
            "[Sequence]\nname=S\nimDir=img1\nframeRate=14\nseqLength=5\nimWidth=64\nimHeight=48\nimExt=.png\n"
        )
        return tmp_path / "S"

    def test_read_like_a_clip(self, sequence: Path) -> None:
        reader = VideoReader(sequence)
        frames = list(reader)
        assert all(map(np.array_equal, (frame.image for frame in frames), pictures(5)))
        assert [frame.seconds for frame in frames] == pytest.approx([k / 14 for k in range(5)])
        assert (reader.info.rate, reader.info.width, reader.info.frames, reader.damage) == (14, 64, 5, "")
        assert reader.info.kbps is not None

    def test_an_image_that_is_missing_or_broken_refuses_the_clip(self, sequence: Path) -> None:
        (sequence / "img1/000003.png").write_bytes(b"\x89PNG nothing")
        assert "000003.png" in failure(sequence)
        (sequence / "img1/000003.png").unlink()
        assert "image 3 is missing" in failure(sequence)

    def test_fewer_images_than_promised(self, sequence: Path) -> None:
        (sequence / "img1/000005.png").unlink()
        reader = VideoReader(sequence)
        assert len(list(reader)) == 4
        assert reader.damage == "breaks off after 4 frames of 5"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "cannot be read"),
            ("[Sequence]\nframeRate=0\n", "makes no sense"),
            ("[Sequence]\nframeRate=1/0\n", "cannot be read"),
            ("[Sequence]\nframeRate=14\nimDir=../..\n", "images are missing"),
            ("[Sequence]\nframeRate=14\nimDir=nowhere\n", "images are missing"),
        ],
    )
    def test_information_that_makes_no_sense(self, sequence: Path, text: str, said: str) -> None:
        (sequence / "seqinfo.ini").write_text(text)
        assert said in failure(sequence)

    def test_links_that_lead_elsewhere(self, sequence: Path, tmp_path: Path) -> None:
        shutil.move(sequence / "img1/000002.png", tmp_path / "elsewhere.png")
        (sequence / "img1/000002.png").symlink_to(tmp_path / "elsewhere.png")
        assert "leads outside" in failure(sequence)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "mjpeg"])
@pytest.mark.parametrize(("first", "last", "hidden"), [(0, 0, 0), (0.6, 0, 15), (0, 0.8, 20), (1.0, 0.4, 35)])
def test_frames_that_an_edit_list_hides_are_counted_and_are_no_damage(
    tmp_path: Path, codec: str, first: float, last: float, hidden: int
) -> None:
    """Of those before the last key frame that is hidden, FFmpeg says nothing unless it is told to ignore the list."""
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    clip = make_clip(tmp_path / "a.mp4", pictures(50), codec=codec, pixel_format=pixels)
    reader = VideoReader(hide(clip, first=first, last=last))
    assert len(images(clip)) == len(list(reader)) == 50 - hidden
    assert (reader.hidden_frames(), reader.damage) == (hidden, "")


def test_a_hidden_frame_does_not_hide_that_a_file_breaks_off(tmp_path: Path) -> None:
    clip = make_clip(
        tmp_path / "a.mp4", pictures(50, noise=True), codec="mjpeg", pixel_format="yuvj420p",
        container_options={"movflags": "faststart"},
    )  # fmt: skip
    reader = VideoReader(cut(hide(clip, first=0.2), 0.6))
    frames = len(list(reader))
    assert 20 < frames < 35
    assert reader.damage.startswith(f"breaks off after {frames} frames of 45")


@pytest.mark.parametrize(
    ("form", "codec"), [("matroska", "libx264"), ("avi", "mpeg4"), ("h264", "libx264"), ("mpegts", "libx264")]
)
def test_other_containers_hide_nothing(tmp_path: Path, form: str, codec: str) -> None:
    clip = make_clip(tmp_path / f"a.{form}", pictures(10), form=form, codec=codec, pixel_format="yuv420p")
    assert VideoReader(clip).hidden_frames() == 0
