"""Writes a clip as MP4 (H.264) frame by frame; it appears under its name when it is complete.

Kept: number of frames, size, and each frame's time from the first one (which is shown at 0), so also a variable rate.
Pixels are written upright, so no turn is noted. Nothing else of the source goes into the file: no title, place, device
or date, and no sound unless ``audio_from`` says so (voices identify people).

``lossless`` stores RGB as it is (libx264rgb, quantiser 0): what is read back is equal, pixel for pixel. Such files are
for measuring: most players cannot show them. The others are 8-bit yuv420p, BT.601, marked so; sizes that are odd are
kept by yuv444p instead, which browsers do not show. One thread encodes, so equal frames give equal bytes.
"""

from __future__ import annotations

import re
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast

import av
import numpy as np
from av.codec.context import Flags as CodecFlags
from av.container.core import Flags
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange
from av.video.stream import VideoStream

from unmask.bench.core.errors import SpecError, VideoError
from unmask.bench.core.files import replacing_file
from unmask.bench.core.types import Image
from unmask.bench.core.video import Frame, VideoInfo
from unmask.bench.data.media.container import Sound, unfit
from unmask.bench.data.media.reader import USUAL_RATE, step

MAX_TICKS: Final = 1_000_000
"""Units per second; a finer time base of the source is rounded to it (MP4 counts intervals in 32 bits)."""
LOSSLESS_PRESET: Final = "ultrafast"
"""Measured on 720p: 20 per cent larger files than superfast at twice its speed, and just as exact."""
RATE_PRESET: Final = "fast"
RATE_OPTIONS: Final = "ratetol=0.1:mbtree=0"
"""Without them clips of two seconds end 15 to 35 per cent below the stated bitrate; with them within 5."""
_BT601: Final = 6
"""SMPTE 170M in the numbering of H.264 (ITU-T H.273)."""
MAX_KBPS: Final = 1_000_000
_RATE: Final = re.compile(r"([1-9][0-9]{0,6})k\Z")


def target_rate(quality: str, info: VideoInfo) -> int | None:
    """Bits per second to aim at for ``lossless`` (``None``), ``matched`` (the source's) or a bitrate such as ``800k``.

    Raises `SpecError` with the choices, and `VideoError` where the source's bitrate is not known.
    """
    if quality == "lossless":
        return None
    match = _RATE.match(quality)
    if quality != "matched" and (match is None or int(match[1]) > MAX_KBPS):
        raise SpecError(f"cannot read the quality {quality!r}; write lossless, matched, or a bitrate such as 800k")
    kbps = info.kbps if match is None else int(match[1])
    if kbps is None:
        raise VideoError("its bitrate is not known, so none can be matched; state one, such as 800k")
    return max(1000, round(kbps * 1000))


class VideoWriter:
    """A clip being written; a context manager. Leaving it by an exception writes nothing."""

    def __init__(self, path: Path, info: VideoInfo, quality: str, *, audio_from: Path | None = None) -> None:
        """``info``: of the source (size, time base, rate, and its bitrate for ``matched``).

        ``quality``: see `target_rate`. ``audio_from``: a clip whose first sound track is copied as it is,
        to the same times. Raises `VideoError` and `SpecError`.
        """
        self.path = path
        self.frames = 0
        """Frames written."""
        self._info = info
        self._target = target_rate(quality, info)
        self.codec, self.pixel_format = ("libx264rgb", "rgb24")
        if self._target is not None:
            even = info.width % 2 == 0 and info.height % 2 == 0
            self.codec, self.pixel_format = "libx264", "yuv420p" if even else "yuv444p"
        self._time_base = max(Fraction(1, MAX_TICKS), info.time_base)
        self._audio_from = audio_from
        self._sound: Sound | None = None
        self._stack = ExitStack()
        self._start = self._last = 0
        self._bytes = 0

    @property
    def kbps(self) -> float | None:
        """Achieved, of the frames alone; ``None`` before the first frame is encoded."""
        if not self._bytes:
            return None
        ticks = self._last + step(self._time_base, self._info.rate)
        return self._bytes * 8 / 1000 / float(ticks * self._time_base)

    def __enter__(self) -> Self:
        try:
            temp = self._stack.enter_context(replacing_file(self.path))
            self._container = av.open(
                self._stack.enter_context(temp.open("wb")),
                "w",
                format="mp4",
                # Integer times come back as they were given.
                container_options={"video_track_timescale": str(self._time_base.denominator)},
            )
            self._stack.callback(self._container.close)
            self._container.flags |= cast(int, Flags.bitexact.value)
            self._stream = self._add_stream()
            if self._audio_from is not None:
                self._sound = self._stack.enter_context(Sound(self._audio_from, self._container, self._info.time_base))
            # Writes the head of the file, where it mostly comes out whether MP4 can hold the sound.
            self._container.start_encoding()
        except BaseException as error:
            self._stack.__exit__(type(error), error, None)
            if isinstance(error, FFmpegError | ValueError | OSError):
                raise self._failure(error, "cannot be written") from error
            raise
        return self

    def write(self, frame: Frame, image: Image) -> None:
        """``image`` (H, W, 3) uint8 RGB of the clip's size, shown when ``frame`` is. Raises `VideoError`."""
        size = (self._info.height, self._info.width, 3)
        if image.shape != size or image.dtype != np.uint8:
            raise ValueError(f"frame {frame.number} is {image.shape} {image.dtype}, not {size} uint8")
        self._mark(frame)
        encoded = VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        if self._target is not None:
            encoded = encoded.reformat(
                format=self.pixel_format, dst_colorspace="ITU601", dst_color_range=ColorRange.MPEG, threads=1
            )
        encoded.pts, encoded.time_base = self._last, self._time_base
        try:
            self._mux(self._stream.encode(encoded))
            if self._sound is not None:
                self._sound.copy_until(self._last * self._time_base)
        except (FFmpegError, ValueError, OSError) as error:
            raise self._failure(error, f"frame {frame.number} cannot be written") from error
        self.frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            self._finish()

    def _finish(self) -> None:
        if not self.frames:
            raise VideoError("no frame was written")
        try:
            self._mux(self._stream.encode(None))
            if self._sound is not None:
                self._sound.copy_until(None)
            self._container.close()
        except (FFmpegError, ValueError, OSError) as error:
            raise self._failure(error, "cannot be written") from error

    def _failure(self, error: Exception, what: str) -> VideoError:
        """In words. Our frames always fit, so what FFmpeg calls an invalid argument is the sound."""
        if self._sound is not None and self._sound.codec and isinstance(error, ValueError):
            return unfit(self._sound.codec)
        return VideoError(f"{what} ({_reason(error)})")

    def _mark(self, frame: Frame) -> None:
        """Puts the frame's time from the first one into ``_last``."""
        if not self.frames:
            self._start = frame.pts
            if self._sound is not None:
                self._sound.start_at(frame.pts)
            return
        ticks = (frame.pts - self._start) * self._info.time_base / self._time_base
        # Rounding a very fine time base may make two times one.
        self._last = max(round(ticks), self._last + 1)

    def _add_stream(self) -> VideoStream:
        options = {"preset": LOSSLESS_PRESET, "qp": "0"}
        if self._target is not None:
            options = {"preset": RATE_PRESET, "x264-params": RATE_OPTIONS}
        stream = self._container.add_stream(self.codec, self._info.rate or USUAL_RATE, options)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = self._info.width, self._info.height, self.pixel_format
        context = stream.codec_context
        context.time_base = stream.time_base = self._time_base
        context.thread_count = 1
        context.flags |= CodecFlags.bitexact.value
        if self._target is not None:
            context.bit_rate = self._target
            context.colorspace, context.color_range = _BT601, ColorRange.MPEG.value
        return stream

    def _mux(self, packets: list[Packet[VideoStream]]) -> None:
        for packet in packets:
            # Only the last one's matters: how long the last frame is shown.
            packet.duration = step(self._time_base, self._info.rate)
            self._bytes += packet.size
            self._container.mux_one(packet)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error).splitlines()[0] if str(error) else type(error).__name__
