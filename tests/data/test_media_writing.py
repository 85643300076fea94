"""Written clips: exact where they should be, as large as asked, whole or not there, and silent about their source."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from tests.data.clips_made import make_clip, pictures
from unmask.bench.core.errors import SpecError, VideoError
from unmask.bench.core.types import Image
from unmask.bench.core.video import Frame, VideoInfo
from unmask.bench.data.media import VideoReader, VideoWriter
from unmask.bench.data.media.writer import target_rate


def info_of(made: list[Image], *, time_base: Fraction = Fraction(1, 25), kbps: float | None = None) -> VideoInfo:
    height, width = made[0].shape[:2]
    return VideoInfo(width, height, 0, Fraction(25), time_base, "none", "rgb24", kbps, False, None)


def write(
    path: Path,
    made: list[Image],
    quality: str = "lossless",
    *,
    info: VideoInfo | None = None,
    pts: list[int] | None = None,
    audio_from: Path | None = None,
) -> VideoWriter:
    info = info if info is not None else info_of(made)
    with VideoWriter(path, info, quality, audio_from=audio_from) as writer:
        for k, image in enumerate(made):
            time = k if pts is None else pts[k]
            writer.write(Frame(k, time, float(time * info.time_base), image), image)
    return writer


def copied(source: Path, target: Path, quality: str, *, sound: bool = False) -> VideoWriter:
    reader = VideoReader(source)
    with VideoWriter(target, reader.info, quality, audio_from=source if sound else None) as writer:
        for frame in reader:
            writer.write(frame, frame.image)
    return writer


class TestLossless:
    @pytest.mark.parametrize("size", [(64, 48), (321, 241), (17, 16), (16, 33)])
    @pytest.mark.parametrize("noise", [False, True])
    def test_every_pixel_comes_back(self, tmp_path: Path, size: tuple[int, int], noise: bool) -> None:
        made = pictures(9, *size, noise=noise)
        writer = write(tmp_path / "a.mp4", made)
        found = [frame.image for frame in VideoReader(tmp_path / "a.mp4")]
        assert len(found) == writer.frames == 9
        assert all(map(np.array_equal, found, made))

    def test_every_colour_comes_back(self, tmp_path: Path) -> None:
        """All 256 x 256 pairs of two channels, the third running along."""
        a, b = np.mgrid[0:256, 0:256].astype(np.uint8)
        made = [np.stack([a, b, a + np.uint8(k) * b], axis=2) for k in (0, 1, 3)]
        write(tmp_path / "a.mp4", made)
        assert all(map(np.array_equal, (frame.image for frame in VideoReader(tmp_path / "a.mp4")), made))

    def test_another_decoder_agrees(self, tmp_path: Path) -> None:
        cv2 = pytest.importorskip("cv2")
        made = pictures(5, noise=True)
        write(tmp_path / "a.mp4", made)
        capture = cv2.VideoCapture(str(tmp_path / "a.mp4"))
        for image in made:
            good, found = capture.read()
            assert good
            assert np.abs(found[:, :, ::-1].astype(int) - image).max() <= 1

    @pytest.mark.parametrize("quality", ["lossless", "300k"])
    def test_equal_frames_give_equal_bytes(self, tmp_path: Path, quality: str) -> None:
        made = pictures(12, noise=True)
        for name in ("a.mp4", "b.mp4"):
            write(tmp_path / name, made, quality)
        assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


class TestTimes:
    @pytest.mark.parametrize("quality", ["lossless", "200k"])
    @pytest.mark.parametrize(
        ("time_base", "pts"),
        [
            (Fraction(1, 25), list(range(20))),
            (Fraction(1, 100), [0, 8, 17, 25, 33, 200, 201, 500, 501, 502]),
            (Fraction(1001, 30000), list(range(12))),
            (Fraction(1, 90000), [3003 * k + 777 for k in range(12)]),
            (Fraction(1, 1000), [-500, -460, 0, 33, 67]),
        ],
    )
    def test_kept_from_the_first_frame(self, tmp_path: Path, quality: str, time_base: Fraction, pts: list[int]) -> None:
        made = pictures(len(pts))
        write(tmp_path / "a.mp4", made, quality, info=info_of(made, time_base=time_base), pts=pts)
        reader = VideoReader(tmp_path / "a.mp4")
        found = [frame.pts * reader.info.time_base for frame in reader]
        assert found == [(p - pts[0]) * time_base for p in pts]
        assert reader.mended == 0

    def test_nanoseconds_become_microseconds(self, tmp_path: Path) -> None:
        made = pictures(3)
        info = info_of(made, time_base=Fraction(1, 10**9))
        write(tmp_path / "a.mp4", made, info=info, pts=[0, 40_000_400, 40_000_410])
        found = [frame.seconds for frame in VideoReader(tmp_path / "a.mp4")]
        assert found == pytest.approx([0, 0.04, 0.040001], abs=1e-9)

    def test_a_clip_of_variable_rate_through_reader_and_writer(self, tmp_path: Path) -> None:
        pts = [0, 10, 11, 40, 200, 201, 202, 300]
        source = make_clip(tmp_path / "a.mp4", pictures(8), pts=pts, time_base=Fraction(1, 100))
        copied(source, tmp_path / "b.mp4", "matched")
        a, b = VideoReader(source), VideoReader(tmp_path / "b.mp4")
        assert [frame.seconds for frame in a] == [frame.seconds for frame in b]

    @pytest.mark.parametrize("quality", ["lossless", "matched"])
    def test_a_constant_rate_stays_the_same(self, tmp_path: Path, quality: str) -> None:
        rate = Fraction(30000, 1001)
        source = make_clip(tmp_path / "a.mkv", pictures(60), time_base=1 / rate, rate=rate, form="matroska")
        reader = VideoReader(source)
        assert reader.info.rate == rate
        copied(source, tmp_path / "b.mp4", quality)
        found = VideoReader(tmp_path / "b.mp4").info
        assert (found.rate, found.frames) == (reader.info.rate, 60)


class TestQuality:
    def test_matched_comes_near_the_sources_bitrate(self, tmp_path: Path) -> None:
        """A source of its own bitrate, made by the same kind of encoder from noisy pictures."""
        clean, dirt = pictures(100, 160, 120), pictures(100, 160, 120, noise=True)
        made = [np.asarray(a // 4 * 3 + b // 8, np.uint8) for a, b in zip(clean, dirt, strict=True)]
        write(tmp_path / "a.mp4", made, "400k")
        known = VideoReader(tmp_path / "a.mp4").info.kbps
        assert known == pytest.approx(400, rel=0.1)
        writer = copied(tmp_path / "a.mp4", tmp_path / "b.mp4", "matched")
        assert writer.kbps == pytest.approx(known, rel=0.1)
        assert VideoReader(tmp_path / "b.mp4").info.kbps == pytest.approx(writer.kbps, rel=0.01)

    def test_more_bits_more_likeness(self, tmp_path: Path) -> None:
        made = pictures(25, 160, 120, noise=True)
        errors, sizes = [], []
        for quality in ("100k", "1000k", "4000k"):
            write(tmp_path / f"{quality}.mp4", made, quality)
            found = [frame.image for frame in VideoReader(tmp_path / f"{quality}.mp4")]
            errors.append(np.mean([np.abs(a.astype(int) - b).mean() for a, b in zip(found, made, strict=True)]))
            sizes.append((tmp_path / f"{quality}.mp4").stat().st_size)
        assert errors == sorted(errors, reverse=True)
        assert sizes == sorted(sizes)

    @pytest.mark.parametrize(("size", "pixels"), [((64, 48), "yuv420p"), ((65, 48), "yuv444p"), ((64, 47), "yuv444p")])
    def test_sizes_are_kept(self, tmp_path: Path, size: tuple[int, int], pixels: str) -> None:
        made = pictures(5, *size)
        writer = write(tmp_path / "a.mp4", made, "500k")
        found = VideoReader(tmp_path / "a.mp4").info
        assert (found.width, found.height) == size
        assert found.pixel_format == writer.pixel_format == pixels

    def test_colours_stay_what_they_are(self, tmp_path: Path) -> None:
        """Ours and a reader that goes by no marks both get the colours back."""
        cv2 = pytest.importorskip("cv2")
        colours = [(255, 255, 255), (0, 0, 0), (250, 20, 20), (20, 250, 20), (20, 20, 250), (128, 128, 128)]
        made = [np.full((96, 128, 3), colour, np.uint8) for colour in colours]
        write(tmp_path / "a.mp4", made, "2000k")
        capture = cv2.VideoCapture(str(tmp_path / "a.mp4"))
        for frame, colour in zip(VideoReader(tmp_path / "a.mp4"), colours, strict=True):
            assert np.abs(frame.image.astype(int) - colour).mean() < 3
            _, other = capture.read()
            assert np.abs(other[:, :, ::-1].astype(int) - colour).mean() < 5

    def test_an_unknown_bitrate_cannot_be_matched(self, tmp_path: Path) -> None:
        with pytest.raises(VideoError, match="800k"):
            VideoWriter(tmp_path / "a.mp4", info_of(pictures(1)), "matched")

    @pytest.mark.parametrize("text", ["", "best", "0k", "-3k", "800", "9999999k", "800K", "8.5k"])
    def test_qualities_that_cannot_be_read(self, text: str) -> None:
        with pytest.raises(SpecError, match="lossless, matched"):
            target_rate(text, info_of(pictures(1)))


class TestWhatGoesIn:
    def test_nothing_of_the_source_but_its_pictures(self, tmp_path: Path) -> None:
        told = {"title": "HOLIDAY-SECRET", "location": "+59.9139+010.7522/", "comment": "CAMERA-SECRET"}
        source = make_clip(tmp_path / "a.mov", pictures(9), form="mov", metadata=told, sound=True, rotation=90)
        assert b"HOLIDAY-SECRET" in source.read_bytes()
        for quality, sound in (("lossless", False), ("matched", True)):
            copied(source, tmp_path / "b.mp4", quality, sound=sound)
            data = (tmp_path / "b.mp4").read_bytes()
            for secret in (b"SECRET", b"59.9139", b"Lavf", b"creation_time"):
                assert secret not in data
            with av.open(str(tmp_path / "b.mp4")) as made:
                assert not set(made.metadata) - {"major_brand", "minor_version", "compatible_brands"}
                assert not {"creation_time", "encoder"} & {key for stream in made.streams for key in stream.metadata}

    def test_turned_pictures_are_written_upright(self, tmp_path: Path) -> None:
        made = pictures(4)
        source = make_clip(tmp_path / "a.mp4", made, rotation=90)
        copied(source, tmp_path / "b.mp4", "lossless")
        info = VideoReader(tmp_path / "b.mp4").info
        assert (info.rotation, info.width, info.height) == (0, 48, 64)
        for frame, image in zip(VideoReader(tmp_path / "b.mp4"), made, strict=True):
            assert np.array_equal(frame.image, np.rot90(image, -1))

    def test_no_sound_unless_asked_for(self, tmp_path: Path) -> None:
        source = make_clip(tmp_path / "a.mp4", pictures(50), sound=True)
        copied(source, tmp_path / "b.mp4", "matched")
        assert not VideoReader(tmp_path / "b.mp4").info.audio

    @pytest.mark.parametrize("start", [0, 30])
    def test_sound_is_copied_packet_by_packet_to_the_same_times(self, tmp_path: Path, start: int) -> None:
        pts = [start + k for k in range(50)]
        source = make_clip(tmp_path / "a.mp4", pictures(80)[:50], pts=pts, sound=True)
        copied(source, tmp_path / "b.mp4", "matched", sound=True)
        assert VideoReader(tmp_path / "b.mp4").info.audio
        begin = start / 25
        wanted = [(t - begin, data) for t, data in _sound(source) if t >= begin]
        found = _sound(tmp_path / "b.mp4")
        assert [data for _, data in found] == [data for _, data in wanted]
        assert [t for t, _ in found] == pytest.approx([t for t, _ in wanted], abs=1e-3)

    def test_a_clip_without_sound_adds_none(self, tmp_path: Path) -> None:
        source = make_clip(tmp_path / "a.mp4", pictures(5))
        copied(source, tmp_path / "b.mp4", "matched", sound=True)
        assert not VideoReader(tmp_path / "b.mp4").info.audio

    @pytest.mark.parametrize(("codec", "layout"), [("pcm_mulaw", "mono"), ("pcm_u8", "mono"), ("pcm_s16le", "stereo")])
    def test_sound_that_does_not_fit(self, tmp_path: Path, codec: str, layout: str) -> None:
        source = make_clip(
            tmp_path / "a.avi", pictures(9), form="avi", codec="png", sound=True, sound_codec=codec, layout=layout
        )
        said = rf"its sound \({codec}\) cannot be put into an MP4; leave the sound out"
        with pytest.raises(VideoError, match=said):
            copied(source, tmp_path / "b.mp4", "matched", sound=True)
        assert not (tmp_path / "b.mp4").exists()


class TestCompleteOrNotThere:
    def test_an_exception_leaves_the_old_file(self, tmp_path: Path) -> None:
        made = pictures(4)
        (tmp_path / "a.mp4").write_text("old")
        frame = Frame(0, 0, 0.0, made[0])
        with pytest.raises(ZeroDivisionError), VideoWriter(tmp_path / "a.mp4", info_of(made), "lossless") as writer:
            writer.write(frame, made[1 // 0])
        assert (tmp_path / "a.mp4").read_text() == "old"
        assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]

    def test_no_frames_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(VideoError, match="no frame"), VideoWriter(tmp_path / "a.mp4", info_of(pictures(1)), "100k"):
            pass
        assert list(tmp_path.iterdir()) == []

    def test_a_frame_of_another_size_or_kind_is_refused(self, tmp_path: Path) -> None:
        made = pictures(1)
        for bad in (made[0][:-2], made[0].astype(np.float32), made[0][:, :, :1]):
            with (
                pytest.raises(ValueError, match="frame 0 is"),
                VideoWriter(tmp_path / "a.mp4", info_of(made), "lossless") as writer,
            ):
                writer.write(Frame(0, 0, 0.0, made[0]), bad)
        assert list(tmp_path.iterdir()) == []

    def test_one_frame_is_enough(self, tmp_path: Path) -> None:
        made = pictures(1)
        for quality in ("lossless", "100k"):
            write(tmp_path / "a.mp4", made, quality)
            assert len(list(VideoReader(tmp_path / "a.mp4"))) == 1

    def test_views_that_are_not_contiguous(self, tmp_path: Path) -> None:
        made = [image[:, ::-1] for image in pictures(3)]
        write(tmp_path / "a.mp4", made)
        assert all(map(np.array_equal, (frame.image for frame in VideoReader(tmp_path / "a.mp4")), made))


def test_from_a_folder_of_images(tmp_path: Path) -> None:
    (tmp_path / "S/img1").mkdir(parents=True)
    made = pictures(5)
    for k, image in enumerate(made, start=1):
        Pillow.fromarray(image).save(tmp_path / f"S/img1/{k:06d}.png")
    (tmp_path / "S/seqinfo.ini").write_text("[Sequence]\nframeRate=14\n")
    copied(tmp_path / "S", tmp_path / "a.mp4", "lossless")
    found = VideoReader(tmp_path / "a.mp4")
    assert found.info.rate == 14
    assert all(map(np.array_equal, (frame.image for frame in found), made))


@pytest.mark.data
@pytest.mark.parametrize("name", ["surv_fight/fight/fi038.mp4", "intel_sample_videos/face-demographics-walking.gif"])
def test_real_clips_come_back_exactly(tmp_path: Path, shared_data: Path, name: str) -> None:
    writer = copied(shared_data / name, tmp_path / "a.mp4", "lossless")
    pairs = zip(VideoReader(shared_data / name), VideoReader(tmp_path / "a.mp4"), strict=True)
    for a, b in pairs:
        assert np.array_equal(a.image, b.image)
        assert a.seconds == b.seconds
    assert writer.frames == len(list(VideoReader(shared_data / name)))


def _sound(path: Path) -> list[tuple[float, bytes]]:
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        return [
            (float(packet.pts * packet.time_base), bytes(packet))
            for packet in container.demux(stream)
            if packet.size and packet.pts is not None
        ]
