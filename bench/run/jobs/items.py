"""The items of a shard: photos, or the frames of a clip, a bounded number of pixels at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from unmask.bench.core.errors import ImageError
from unmask.bench.core.types import Image, SampleRef
from unmask.bench.core.video import Frame
from unmask.bench.data.media import VideoReader
from unmask.bench.run.jobs.executors import advance
from unmask.bench.run.jobs.shards import ShardJob

CHUNK_IMAGES: Final = 16
CHUNK_PIXELS: Final = 50_000_000
"""A chunk of decoded images ends at either bound, so memory does not grow with the size of a shard."""
CHUNK_FRAMES: Final = 16
CHUNK_FRAME_PIXELS: Final = 16_000_000
"""The same for the frames of a clip."""
READING: Final = threading.Lock()
"""Data sets are opened once per process, and not all of them can be read by two threads at once."""


@dataclass(frozen=True, slots=True)
class Item:
    """A photo or a frame of a clip: its picture, or the reason why there is none."""

    ref: SampleRef
    """Of the photo, or of the frame's clip."""
    number: int
    """Place in the shard, from 0."""
    image: Image | None
    reason: str = ""
    note: str = ""
    """What its colour profile is, where that could not be applied."""
    frame: Frame | None = None
    """What a clip's frame has besides: when it is shown."""

    @property
    def key(self) -> str | int:
        """How stored tables of its shard name it: the photo's id, or the frame's number."""
        return self.ref.id if self.frame is None else self.number

    @property
    def id(self) -> str:
        """The photo's id, or ``CLIP/000012``."""
        return self.ref.id if self.frame is None else f"{self.ref.id}/{self.number:06d}"


class ShardItems:
    """A shard's items in order, a bounded number of pixels at a time; once."""

    def __init__(self, job: ShardJob, *, most: int = 1) -> None:
        """``most``: as many photos as are needed at a time, where that is more than usual. Raises `DataError` as
        `ShardJob.open`."""
        self._job, self._most = job, max(most, CHUNK_IMAGES)
        self.dataset, self.refs = job.open()
        self.reader: VideoReader | None = None
        """Of a clip, once its first frame was asked for."""

    def __iter__(self) -> Iterator[list[Item]]:
        """Raises `VideoError` where a clip cannot be read or breaks off unexpectedly; a photo that cannot be read is an
        item without a picture."""
        if self._job.of_clips:
            yield from chunked(self._frames(), CHUNK_FRAMES, CHUNK_FRAME_PIXELS)
            return
        for chunk in chunked(self._photos(), self._most, CHUNK_PIXELS):
            yield chunk
            advance(len(chunk))

    def _photos(self) -> Iterator[Item]:
        for number, ref in enumerate(self.refs):
            try:
                with READING:
                    image, note = self.dataset.read_noted(ref)
            except ImageError as error:
                yield Item(ref, number, None, error.reason)
            else:
                yield Item(ref, number, image, note=note)

    def _frames(self) -> Iterator[Item]:
        (ref,) = self.refs
        self.reader = VideoReader(self.dataset.path(ref))
        for frame in islice(self.reader, self._job.plan.settings.frames):
            yield Item(ref, frame.number, frame.image, frame=frame)


def chunked(items: Iterable[Item], most: int, most_pixels: int) -> Iterator[list[Item]]:
    """The items in lists that end at ``most`` items or with the one that brings them to ``most_pixels``."""
    chunk: list[Item] = []
    pixels = 0
    for item in items:
        chunk.append(item)
        pixels += 0 if item.image is None else item.image.shape[0] * item.image.shape[1]
        if len(chunk) >= most or pixels >= most_pixels:
            yield chunk
            chunk, pixels = [], 0
    if chunk:
        yield chunk
