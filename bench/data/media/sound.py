"""Copies a clip's sound into another container, packet by packet, as it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Self

from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import FFmpegError
from av.packet import Packet

from unmask.bench.core.errors import VideoError
from unmask.bench.data.media.container import open_container, open_file


def unfit(codec: str) -> VideoError:
    """For sound that MP4 cannot hold."""
    return VideoError(f"its sound ({codec}) cannot be put into an MP4; leave the sound out")


class Sound:
    """The first sound track of a clip on its way into ``target``. A context manager; a clip without sound adds none."""

    def __init__(self, path: Path, target: OutputContainer, time_base: Fraction) -> None:
        """``time_base``: of the frames. Raises `VideoError` for a clip that cannot be opened, or whose sound the
        target cannot hold."""
        self.codec = ""
        """'' = the clip has no sound."""
        self._target, self._time_base = target, time_base
        self._stack = ExitStack()
        self._start = Fraction(0)
        self._packets: Iterator[Packet[AudioStream]] = iter(())
        self._waiting: Packet[AudioStream] | None = None
        with self._stack:
            container = open_container(self._stack.enter_context(open_file(path)))
            self._stack.callback(container.close)
            if container.streams.audio:
                stream = container.streams.audio[0]
                self.codec = stream.codec_context.name
                try:
                    self._stream = target.add_stream_from_template(stream)
                except (FFmpegError, ValueError) as error:
                    raise unfit(self.codec) from error
                self._packets = container.demux(stream)
            self._stack = self._stack.pop_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def start_at(self, pts: int) -> None:
        """Where the frames begin, in their own units; sound before it is left out."""
        self._start = pts * self._time_base

    def copy_until(self, seconds: Fraction | None) -> None:
        """Copies what sounds up to ``seconds`` after the first frame; ``None`` = the rest."""
        while True:
            packet = self._next()
            if packet is None:
                return
            if packet.dts is None or packet.pts is None or not packet.size:
                continue
            begin = packet.pts * packet.time_base - self._start
            if begin < 0:
                continue
            if seconds is not None and begin > seconds:
                self._waiting = packet
                return
            shift = round(self._start / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            packet.stream = self._stream
            self._target.mux_one(packet)

    def _next(self) -> Packet[AudioStream] | None:
        if self._waiting is not None:
            packet, self._waiting = self._waiting, None
            return packet
        try:
            return next(self._packets, None)
        except (FFmpegError, OSError):  # the clip breaks off; its frames say so too
            self._packets = iter(())
            return None
