"""Clips, frames and tracks: what video adds to images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import InstrumentCard
from unmask.bench.core.names import endings
from unmask.bench.core.types import Box, Floats32, Image

Ints = NDArray[np.int64]

CLIP_EXTENSIONS: Final = endings(
    "mp4 m4v mp4v mov qt f4v 3gp 3gpp 3g2 insv lrv avi divx mkv mk3d webm gif mpg mpeg mpe mpv m1v m2v m2p vob ts m2t "
    "mts m2ts mod tod vro dvr-ms wtv wmv asf flv ogv ogm mxf dv dif dav amv rm rmvb h264 264 avc h265 hevc 265 ivf obu "
    "mjpg mjpeg y4m nut r3d braw swf bik nsv"
)
"""A file with one of these (in any case) is a clip even if it is broken: it then becomes a counted row."""


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a clip's container and stream say of it. ``None`` = they do not say."""

    width: int
    """As shown, after rotation; pixels."""
    height: int
    rotation: int
    """Clockwise degrees (0, 90, 180, 270) by which stored frames are turned to be shown."""
    rate: Fraction | None
    """Average frames per second."""
    time_base: Fraction
    """Seconds per unit of `Frame.pts`."""
    codec: str
    pixel_format: str
    kbps: float | None
    """Of the video stream alone."""
    audio: bool
    frames: int | None
    """As the container claims; only decoding tells how many there are."""
    further: str = ""
    """What the file holds beside the picture and one sound track, in words: ``1 subtitle track``; '' = nothing."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded frame, upright."""

    number: int
    """From 0."""
    pts: int
    """When it is shown, in units of `VideoInfo.time_base`; strictly ascending."""
    seconds: float
    """When it is shown, from the first frame."""
    image: Image


@dataclass(frozen=True, slots=True)
class PersonBox:
    """One person as a detector sees them."""

    box: Box
    score: float
    """0..1."""


@dataclass(frozen=True, slots=True)
class Tracks:
    """Boxes of people (or faces) over a clip, (N,) each, ascending by frame and then by track."""

    frame: Ints
    """From 0."""
    track: Ints
    """The same number = the same person, says the tracker (or the ground truth)."""
    box: Floats32
    """(N, 4) pixels: left, top, width, height."""

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def people(self) -> int:
        """Distinct tracks: the number of people, as the thesis counts them (4.2)."""
        return len(np.unique(self.track))

    @classmethod
    def none(cls) -> Tracks:
        """N = 0."""
        return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 4), np.float32))

    @classmethod
    def sorted(cls, frame: Any, track: Any, box: Any) -> Tracks:
        """From columns in any order."""
        f, t = np.asarray(frame, np.int64).reshape(-1), np.asarray(track, np.int64).reshape(-1)
        b = np.asarray(box, np.float32).reshape(-1, 4)
        order = np.lexsort((t, f))
        return cls(f[order], t[order], b[order])


class PersonDetector(Protocol):
    """Finds people. Constructed by the registry as ``cls(**params)``; parameters are keyword-only scalars."""

    @property
    def card(self) -> InstrumentCard: ...

    def load(self, files: Any, device: str) -> None:
        """``files``: `PackageFile.key` -> verified local path."""

    def detect(self, images: Sequence[Image]) -> list[list[PersonBox]]:
        """The people of each image, best first."""


class TrackingSession(Protocol):
    """One clip being tracked."""

    def update(self, image: Image, people: Sequence[PersonBox], embeddings: Floats32 | None = None) -> list[int]:
        """Takes the next frame. Returns the track of each of ``people``, in order, tentative tracks included.

        ``embeddings`` (N, D), L2-normalised: appearance to go by instead of the tracker's own network.
        """

    def tracks(self) -> Tracks:
        """All confirmed tracks so far, on the frames where they were seen."""


class Tracker(Protocol):
    """Links people over frames. Constructed by the registry as ``cls(**params)``."""

    @property
    def card(self) -> InstrumentCard: ...

    def load(self, files: Any, device: str) -> None: ...

    def start(self) -> TrackingSession:
        """A session for one clip, independent of those before."""
