"""Clips made for the tests with the library directly, so that reader and writer are tested against something else."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame

from unmask.bench.core.types import Image


def pictures(count: int, width: int = 64, height: int = 48, *, seed: int = 0, noise: bool = False) -> list[Image]:
    """A bright square that moves over a slope of colours, or noise."""
    rng = np.random.default_rng(seed)
    if noise:
        return [rng.integers(0, 256, (height, width, 3), dtype=np.uint8) for _ in range(count)]
    down, across = np.mgrid[0:height, 0:width]
    slope = np.stack([down * 200 // height, across * 200 // width, np.full_like(down, 90)], axis=2).astype(np.uint8)
    found = []
    for k in range(count):
        image = slope.copy()
        left = (3 * k) % (width - 8)
        image[4:12, left : left + 8] = 250
        found.append(image)
    return found


def make_clip(
    path: Path,
    images: Sequence[Image],
    *,
    pts: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    rate: Fraction = Fraction(25),
    codec: str = "libx264rgb",
    pixel_format: str = "rgb24",
    form: str = "mp4",
    rotation: int | None = None,
    metadata: dict[str, str] | None = None,
    sound: bool = False,
    sound_codec: str = "aac",
    layout: str = "mono",
    streams: int = 1,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Writes ``images`` as they are given; lossless with the usual codec. ``rotation``: clockwise, to be shown."""
    exact = {"qp": "0", "preset": "ultrafast"} if codec.startswith("libx264") else {}
    with av.open(str(path), "w", format=form, container_options=container_options or {}) as target:
        target.metadata.update(metadata or {})
        made = [_add(target, codec, pixel_format, images[0], time_base, rate, exact) for _ in range(streams)]
        if rotation is not None:
            made[0].set_display_rotation(-rotation)
        voice: Any = target.add_stream(sound_codec, rate=8000) if sound else None
        if voice is not None:
            voice.layout = layout
        for number, stream in enumerate(made):
            for k, image in enumerate(images):
                shown = image if number == 0 else 255 - image
                frame = VideoFrame.from_ndarray(np.ascontiguousarray(shown), "rgb24")
                if pixel_format != "rgb24":
                    frame = frame.reformat(format=pixel_format)
                frame.pts, frame.time_base = k if pts is None else pts[k], time_base
                target.mux(stream.encode(frame))
            target.mux(stream.encode(None))
        if voice is not None:
            _speak(target, voice, float(len(images) * time_base), layout)
    return path


def only_sound(path: Path) -> Path:
    with av.open(str(path), "w", format="mp4") as target:
        voice: Any = target.add_stream("aac", rate=8000)
        voice.layout = "mono"
        _speak(target, voice, 1.0)
    return path


def cut(path: Path, share: float) -> Path:
    """Keeps the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def hide(path: Path, *, first: float = 0.0, last: float = 0.0) -> Path:
    """Has the edit list of an MP4 with one track leave out so many seconds at its beginning and its end; the frames
    stay in the file."""
    data = bytearray(path.read_bytes())
    scales = {}
    for box in (b"mvhd", b"mdhd"):
        (scales[box],) = struct.unpack_from(">I", data, data.index(box) + 16)
    at = data.index(b"elst") + 12
    duration, start = struct.unpack_from(">Ii", data, at)
    shown = duration - round((first + last) * scales[b"mvhd"])
    struct.pack_into(">Ii", data, at, shown, start + round(first * scales[b"mdhd"]))
    path.write_bytes(data)
    return path


def _add(
    target: Any, codec: str, form: str, first: Image, time_base: Fraction, rate: Fraction, options: dict[str, str]
) -> Any:
    stream = target.add_stream(codec, rate=rate, options=options)
    stream.height, stream.width = first.shape[:2]
    stream.pix_fmt = form
    stream.codec_context.time_base = stream.time_base = time_base
    return stream


def _speak(target: Any, voice: Any, seconds: float, layout: str = "mono") -> None:
    tone = (np.sin(np.arange(int(8000 * seconds)) / 5) * 9000).astype(np.int16)
    channels = 2 if layout == "stereo" else 1
    for start in range(0, len(tone), 1024):
        samples = np.repeat(tone[None, start : start + 1024], channels, axis=1)
        frame = AudioFrame.from_ndarray(samples, format="s16", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = 8000, start, Fraction(1, 8000)
        target.mux(voice.encode(frame))
    target.mux(voice.encode(None))


def make_clip_with(path: Path, images: Sequence[Image], further: str) -> Path:
    """A lossless clip of ten frames a second that holds something ``further``: sounds (two), subtitle, cover, chapter
    or klv (readings of a camera, in MPEG-TS)."""
    text = path.with_suffix(".srt")
    text.write_text("1\n00:00:00,000 --> 00:00:01,000\na name\n")
    with av.open(str(path), "w") as target, av.open(str(text)) as words:
        picture = _add(target, "libx264", "yuv444p", images[0], Fraction(1, 10), Fraction(10), {"qp": "0"})
        voices: list[Any] = [target.add_stream("aac", rate=8000) for _ in range(2 if further == "sounds" else 0)]
        for voice in voices:
            voice.layout = "mono"
        subtitle = target.add_stream_from_template(words.streams[0]) if further == "subtitle" else None
        cover: Any = target.add_stream("png", rate=1) if further == "cover" else None
        if cover is not None:
            cover.width, cover.height, cover.pix_fmt = 32, 24, "rgb24"
            cover.disposition = Disposition.attached_pic
        if further == "chapter":
            target.set_chapters([{"id": 1, "start": 0, "end": 1, "time_base": Fraction(1), "metadata": {"title": "a"}}])
        data: Any = target.add_data_stream("klv") if further == "klv" else None
        for k, image in enumerate(images):
            frame = VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24").reformat(format="yuv444p")
            frame.pts, frame.time_base = k, Fraction(1, 10)
            target.mux(picture.encode(frame))
        target.mux(picture.encode(None))
        for voice in voices:
            _speak(target, voice, len(images) / 10)
        if cover is not None:
            target.mux(cover.encode(VideoFrame.from_ndarray(np.zeros((24, 32, 3), np.uint8), "rgb24")))
        for packet in words.demux() if subtitle is not None else ():
            if packet.size:
                packet.stream = subtitle
                target.mux(packet)
        if data is not None:
            packet = Packet(b"where it was")
            packet.stream, packet.pts, packet.dts, packet.time_base = data, 0, 0, Fraction(1, 10)
            target.mux(packet)
    text.unlink()
    return path
