"""Reads a clip frame by frame: a video file, or a folder of numbered images (`bench.data.sequences`).

A frame that cannot be decoded is passed over, and so is everything after the point where a file breaks off; what could
be decoded is given, and `VideoReader.damage` says afterwards what is wrong. A clip of which nothing can be decoded, or
whose frames change their size on the way, is a `VideoError`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import takewhile
from pathlib import Path
from typing import Final

import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from unmask.bench.core.errors import VideoError
from unmask.bench.core.video import Frame, VideoInfo
from unmask.bench.data.media.container import check_size, clockwise, display_matrix, further_streams, opened, upright
from unmask.bench.data.sequences import ImageSequence

_KBIT = 1000.0
USUAL_RATE: Final = Fraction(25)
"""Frames per second where a file says nothing."""
_BACK: Final = 1
_AHEAD: Final = 86_400
"""Seconds."""


class Clock:
    """The times of frames, made strictly ascending; one for each reading of a clip.

    Times that the file gives are kept, so a variable frame rate stays one. Three things are corrected, and counted:

    - a frame without a time is shown one usual interval after the one before;
    - a frame that is not later than the one before, by up to a second (swapped or doubled), one unit of time after it;
    - where the clock jumps back by more (clips joined) or ahead by more than a day (damage), this frame is shown one
      usual interval after the one before, and all later ones are moved with it.
    """

    def __init__(self, time_base: Fraction, rate: Fraction | None) -> None:
        self.mended = 0
        """Frames whose time is not the file's."""
        self._step = step(time_base, rate)
        self._back, self._ahead = int(_BACK / time_base), int(_AHEAD / time_base)
        self._shift = 0
        self._last: int | None = None

    def tell(self, pts: int | None) -> int:
        """The time of the next frame, in units of the time base; ``pts``: what the file says."""
        time = self._mended(None if pts is None else pts + self._shift, pts)
        self.mended += time != pts
        self._last = time
        return time

    def _mended(self, time: int | None, stated: int | None) -> int:
        last = self._last
        if last is None:
            return time or 0
        if time is None or stated is None:
            return last + self._step
        if last < time <= last + self._ahead:
            return time
        if last - self._back <= time <= last:
            return last + 1
        time = last + self._step
        self._shift = time - stated
        return time


def step(time_base: Fraction, rate: Fraction | None) -> int:
    """The usual interval between two frames, in units of ``time_base``; at least 1."""
    return max(1, round(1 / ((rate or USUAL_RATE) * time_base)))


@dataclass(slots=True)
class Damage:
    """What goes wrong while a clip is decoded, counted."""

    lost: int = 0
    """Packets of which nothing could be decoded."""
    concealed: int = 0
    """Frames that the decoder patched up; they are given all the same."""
    broken_off: bool = False
    """Whether the file could not be read further."""

    def description(self, decoded: int, claimed: int | None) -> str:
        """In words; '' = nothing is wrong. ``claimed``: frames that the container promises."""
        parts = []
        missing = claimed is not None and decoded + self.lost < claimed
        if missing or self.broken_off:
            parts.append(f"breaks off after {decoded} frames" + (f" of {claimed}" if claimed is not None else ""))
        if self.lost:
            parts.append(f"{self.lost} frames cannot be decoded")
        if self.concealed:
            parts.append(f"{self.concealed} frames are damaged")
        return "; ".join(parts)


class VideoReader:
    """One clip. Iterate over it for its frames, as often as you like; each time it is read from the start."""

    info: VideoInfo
    damage: str
    """What was wrong with the clip when it was read last, for a person; '' = nothing, or not read to its end yet."""
    mended: int
    """Frames given then whose time the file does not give, or gives wrongly (`Clock`)."""

    def __init__(self, path: Path) -> None:
        """Decodes the first frame to see what there is. Raises `VideoError`."""
        self.path = path
        self._sequence = ImageSequence.open(path) if path.is_dir() else None
        self.info = self._sequence.info if self._sequence is not None else _probe_file(path)
        self._forget()

    def __iter__(self) -> Iterator[Frame]:
        """The frames in order, one in memory at a time. Raises `VideoError`."""
        self._forget()
        frames = self._sequence.frames() if self._sequence is not None else self._decoded()
        yield from frames
        if self._sequence is not None:
            self.damage = self._sequence.damage

    def times(self, until: float | None = None) -> NDArray[np.float64]:
        """(F,) seconds from the first frame at which each frame is shown; with ``until`` those not later.

        Decodes, since containers count differently, but converts no pixels. Raises `VideoError`.
        """
        self._forget()
        if self._sequence is not None:
            seconds = (float(k * self.info.time_base) for k in range(len(self._sequence.images)))
        else:
            seconds = (time for _, _, time, _ in self._timed())
        return np.array(list(takewhile(lambda time: until is None or time <= until, seconds)), np.float64)

    def hidden_frames(self) -> int:
        """How many frames the file holds that no player shows, because its edit list leaves them out or they are marked
        to be discarded. Reads the whole file but decodes nothing. Raises `VideoError`."""
        if self._sequence is not None:
            return 0
        shown = {packet.pos for packet in _stored(self.path, edits=True) if not packet.is_discard}
        return len({packet.pos for packet in _stored(self.path, edits=False)} - shown)

    def _forget(self) -> None:
        self.damage, self.mended = "", 0

    def _decoded(self) -> Iterator[Frame]:
        for number, pts, seconds, decoded in self._timed():
            image = upright(decoded)
            if image.shape[:2] != (self.info.height, self.info.width):
                raise VideoError(f"its frames change their size (frame {number})")
            yield Frame(number, pts, seconds, image)

    def _timed(self) -> Iterator[tuple[int, int, float, VideoFrame]]:
        """Number, time in units of the time base, seconds from the first frame, and the frame as it was decoded."""
        clock = Clock(self.info.time_base, self.info.rate)
        damage = Damage()
        start = count = 0
        with opened(self.path) as (container, stream):
            for number, decoded in enumerate(_frames(container, stream, damage)):
                pts = clock.tell(decoded.pts)
                if number == 0:
                    start = pts
                count, self.mended = number + 1, clock.mended
                yield number, pts, float((pts - start) * self.info.time_base), decoded
        if count == 0:
            raise VideoError("truncated or damaged: no frame can be decoded")
        claimed = self.info.frames
        if claimed is not None and count + damage.lost < claimed:
            claimed -= self.hidden_frames()
        self.damage = damage.description(count, claimed)


def _probe_file(path: Path) -> VideoInfo:
    with opened(path) as (container, stream):
        first = next(_frames(container, stream, Damage()), None)
        if first is None:
            raise VideoError("truncated or damaged: no frame can be decoded")
        check_size(first.width, first.height)
        rotation = clockwise(display_matrix(first))
        width, height = (first.height, first.width) if rotation in (90, 270) else (first.width, first.height)
        rate = stream.average_rate or stream.guessed_rate
        info = VideoInfo(
            width=width,
            height=height,
            rotation=rotation,
            rate=Fraction(rate) if rate else None,
            time_base=Fraction(stream.time_base or Fraction(1, 90_000)),
            codec=stream.codec_context.name,
            pixel_format=first.format.name,
            kbps=stream.bit_rate / _KBIT if stream.bit_rate else None,
            audio=bool(container.streams.audio),
            frames=stream.frames or None,
            further=further_streams(container, stream),
        )
    return info if info.kbps is not None else replace(info, kbps=_measured_kbps(path, info))


def _packets(container: InputContainer, stream: VideoStream, damage: Damage) -> Iterator[Packet[VideoStream]]:
    """In the file's order, up to where it cannot be read further."""
    try:
        yield from container.demux(stream)
    except (FFmpegError, OSError, ValueError):
        damage.broken_off = True


def _frames(container: InputContainer, stream: VideoStream, damage: Damage) -> Iterator[VideoFrame]:
    for packet in _packets(container, stream, damage):
        try:
            decoded = packet.decode()
        except (FFmpegError, ValueError):
            damage.lost += 1
            continue
        for frame in decoded:
            damage.concealed += frame.is_corrupt
            yield frame
    if not damage.broken_off:
        return
    try:
        yield from stream.decode(None)
    except (FFmpegError, ValueError):
        damage.lost += 1


def _stored(path: Path, *, edits: bool) -> Iterator[Packet[VideoStream]]:
    """Every packet with something in it; ``edits`` as in `opened`."""
    with opened(path, edits=edits) as (container, stream):
        yield from (packet for packet in _packets(container, stream, Damage()) if packet.size)


def _measured_kbps(path: Path, info: VideoInfo) -> float | None:
    """From the sizes and times of all packets, or their number where they have no times; nothing is decoded."""
    size, packed, last = 0, 0, None
    first: int | None = None
    with opened(path) as (container, stream):
        for packet in _packets(container, stream, Damage()):
            size += packet.size
            packed += packet.size > 0
            time = packet.dts if packet.dts is not None else packet.pts
            if time is not None and packet.size:
                first, last = (time if first is None else min(first, time)), max(time, last or time)
    if not size:
        return None
    usual = step(info.time_base, info.rate)
    ticks = packed * usual if first is None or last is None else last - first + usual
    seconds = float(ticks * info.time_base)
    return size * 8 / _KBIT / seconds
