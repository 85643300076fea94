"""Opens a clip's file with distrust, as a video and never as a list of other files or addresses; and its pixels.

The library behind PyAV reads much that is no video: playlists and scripts that name further files or addresses, texts,
images by pattern. So the formats are listed, the bytes come from a file that we open ourselves (no name is ever
taken for an address), and the size of a frame is judged by the header, before anything is decoded.

Decoded frames become upright RGB. Colours follow the stream's own matrix and range (BT.601, limited, where it states
none), 10 and more bits are scaled to 8, grey becomes three equal channels, transparency is laid on white, and the
display matrix is applied: turned and mirrored as a player shows it. Pixels stay as stored where they are not square.
Sound is copied into another container packet by packet, as it is.
"""

from __future__ import annotations

import math
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import IO, Final, Self, cast

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.sidedata.sidedata import SideDataContainer, Type
from av.stream import Disposition, Stream
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from unmask.bench.core.errors import VideoError, counted
from unmask.bench.core.types import Image

MAX_PIXELS: Final = 36_000_000
"""Of one frame: 8K. A decoder may hold sixteen of them."""
MIN_SIDE: Final = 16
"""Pixels; below it no detector of ours can find a face."""
FORMATS: Final = (
    *("mov,mp4,m4a,3gp,3g2,mj2", "matroska,webm", "avi", "gif", "apng", "asf", "flv", "mpeg", "mpegts", "mpegvideo"),
    *("ogg", "mxf", "dv", "dhav", "h264", "hevc", "ivf", "m4v", "mjpeg", "yuv4mpegpipe", "nut"),
)
"""Demultiplexers that read nothing but the file itself."""
_HEADS: Final = (b"RIFF", b"\x1aE\xdf\xa3", b"GIF8", b"0&\xb2u", b"FLV\x01", b"OggS", b"\x00\x00\x01\xba")
"""First bytes of AVI, Matroska, GIF, ASF, FLV, Ogg, MPEG."""
_BUFFER: Final = 1 << 18
Matrix = tuple[int, int, int, int]
"""The upper left of a display matrix, (a, b, c, d): a pixel (x, y) goes to (a x + c y, b x + d y)."""
IDENTITY: Matrix = (1, 0, 0, 1)


@contextmanager
def opened(path: Path, *, edits: bool = True) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container and its first video stream (cover pictures do not count), to be decoded by one thread.

    ``edits``: whether the edit list of an MP4 is followed, as players do; else every frame of the file is there.

    Raises `VideoError`: missing, not a file, empty, not a video, damaged, without a picture, or of an absurd size.
    Errors while decoding are the caller's.
    """
    with open_file(path) as file, open_container(file, edits=edits) as container:
        yield container, _first_video(container)


def check_size(width: int, height: int) -> None:
    """Raises `VideoError` for frames too large or too small."""
    if width * height > MAX_PIXELS:
        raise VideoError(f"too large: {width} x {height} pixels, over {MAX_PIXELS // 1_000_000} megapixels a frame")
    if min(width, height) < MIN_SIDE:
        raise VideoError(f"too small: {width} x {height} pixels, at least {MIN_SIDE} x {MIN_SIDE} are needed")


def further_streams(container: InputContainer, stream: VideoStream) -> str:
    """What there is beside ``stream`` and the first sound track, in words; '' = nothing."""
    names = Counter(_name(each) for each in container.streams if each.index != stream.index)
    names["sound track"] -= 1
    return ", ".join(counted(many, name) for name, many in names.items() if many > 0)


def _name(stream: Stream) -> str:
    if stream.type == "video":
        return "cover picture" if stream.disposition & Disposition.attached_pic else "further picture track"
    return {"audio": "sound track", "subtitle": "subtitle track", "data": "data track"}.get(stream.type, "attachment")


def open_file(path: Path) -> IO[bytes]:
    """The bytes of a clip. Raises `VideoError` for what is missing, empty or no plain file."""
    try:
        info = path.stat()
        if not stat.S_ISREG(info.st_mode):  # a FIFO would block
            raise VideoError("not a regular file")
        if info.st_size == 0:
            raise VideoError("empty file")
        return path.open("rb")
    except FileNotFoundError as error:
        raise VideoError("no such file") from error
    except (OSError, ValueError) as error:
        raise VideoError(f"cannot be read ({getattr(error, 'strerror', None) or 'not a path'})") from error


def open_container(file: IO[bytes], *, edits: bool = True) -> InputContainer:
    """The container in a clip's bytes; ``edits`` as in `opened`. Raises `VideoError`: no video, or damaged."""
    options = {"format_whitelist": ",".join(FORMATS), "protocol_whitelist": "none"}
    head = file.read(16)
    file.seek(0)
    try:
        return av.open(
            file,
            "r",
            # Metadata can be in any encoding, and is of no interest.
            metadata_errors="replace",
            container_options=options if edits else options | {"ignore_editlist": "1"},
            buffer_size=_BUFFER,
        )
    except (FFmpegError, OSError, ValueError, ArithmeticError) as error:
        if head.startswith(_HEADS) or head[4:8] in (b"ftyp", b"moov", b"mdat", b"free"):
            raise VideoError("truncated or damaged: its list of frames cannot be read") from error
        raise VideoError("not a video, or of an unknown format") from error


def _first_video(container: InputContainer) -> VideoStream:
    streams = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not streams:
        raise VideoError("only sound, no picture" if container.streams.audio else "no picture in it")
    stream = streams[0]
    context = stream.codec_context
    if context is None:
        raise VideoError("in a format that cannot be decoded here")
    if stream.width < 1 or stream.height < 1:
        raise VideoError("damaged: its size is not stated")
    check_size(stream.width, stream.height)
    context.thread_count = 1
    # A damaged stream may claim another size later.
    context.options = {"max_pixels": str(2 * MAX_PIXELS)}
    for other in container.streams:
        if other.index != stream.index:
            other.discard = av.stream.Discard.all
    return stream


def upright(frame: VideoFrame) -> Image:
    """(H, W, 3) uint8 RGB, in memory of its own."""
    return np.ascontiguousarray(_turned(_rgb(frame), display_matrix(frame)))


def display_matrix(frame: VideoFrame) -> Matrix:
    """How a frame is turned to be shown."""
    # Not `frame.side_data`: what that gives is kept by the frame and holds the frame, so that some two hundred decoded
    # frames would lie about until the garbage collector comes, 600 MB of 1080p.
    side_data = cast(Callable[[VideoFrame], SideDataContainer], SideDataContainer)(frame)
    if Type.DISPLAYMATRIX not in side_data:
        return IDENTITY
    a, b, _, c, d = np.frombuffer(bytes(side_data[Type.DISPLAYMATRIX]), np.dtype("=i4"), 5).tolist()
    return (a, b, c, d) if a * d - b * c else IDENTITY


def clockwise(matrix: Matrix) -> int:
    """The turn of a display matrix in degrees, to the nearest of 0, 90, 180 and 270."""
    return round(math.degrees(math.atan2(matrix[1], matrix[0])) / 90) * 90 % 360


def _turned(image: Image, matrix: Matrix) -> NDArray[np.uint8]:
    a, b, c, d = matrix
    if abs(a) >= abs(b):
        across, down = a, d
    else:
        image = image.transpose(1, 0, 2)
        across, down = c, b
    return image[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1]


def _rgb(frame: VideoFrame) -> Image:
    transparent = frame.format.has_palette or any(part.is_alpha for part in frame.format.components)
    if not transparent:
        return np.asarray(frame.to_ndarray(format="rgb24", threads=1), np.uint8)
    pixels = np.asarray(frame.to_ndarray(format="rgba", threads=1), np.uint8)
    colours, alpha = pixels[:, :, :3], pixels[:, :, 3:]
    if bool((alpha == 255).all()):
        return colours
    share = alpha.astype(np.float32) / 255
    return np.asarray(np.rint(colours * share + 255 * (1 - share)), np.uint8)


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
            container = self._stack.enter_context(open_container(self._stack.enter_context(open_file(path))))
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
