"""The stored readings of one method on one data set of clips: what video metrics look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, Final, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import OperatingPoint, Settings, Strings
from unmask.bench.core.types import Float, Floats32
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.bench.core.video import Ints, Tracks

NOT_MEASURED: Final = ""


@dataclass(frozen=True, slots=True)
class FaceFrames:
    """Every face that the judge found in every frame of the original, (N,) each, ascending by frame."""

    frame: Ints
    """From 0."""
    track: Ints
    """The face track it belongs to; from 0, each face in exactly one."""
    box: Floats32
    """(N, 4) pixels in the original: left, top, width, height."""
    outcome: Strings
    """An `Outcome` value each: how the method left this face in this frame. `NOT_MEASURED` where its clip could not be
    written."""
    landmarks: Floats32
    """(N, 5, 2) pixels in the original."""
    found: Floats32
    """(N, 5, 2) re-detected on the output; NaN where no face was found again."""
    flicker_original: Float
    """(N,) mean absolute difference (0..255) of the face region to the same track's frame before; NaN where the
    track was not seen in the frame before."""
    flicker_output: Float
    """(N,) the same on the output, over the same regions."""

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True, slots=True)
class ClipEvidence:
    """One clip under one method."""

    clip: str
    group: str
    seconds: Float
    """(F,) when each frame is shown."""
    failed: Ints
    """Frames for which the method gave nothing usable."""
    size: tuple[int, int]
    """Height, width."""
    faces: FaceFrames
    original: Mapping[str, Floats32]
    """Recogniser -> (N, D) L2-normalised embeddings of the original faces."""
    anonymized: Mapping[str, Floats32]
    """The same on the outputs; NaN rows where no face was found again."""
    known_place: Mapping[str, Floats32]
    """The same on the outputs at the original's box and landmarks, whether a face is found there or not: who holds the
    original knows them. NaN rows where there is no output or nothing can be read, and where the recogniser cannot tell
    the original from a black picture."""
    people: Mapping[str, Tracks]
    """Tracker -> people in the original."""
    people_output: Mapping[str, Tracks]
    """Tracker -> people in the output."""
    truth: Tracks | None = None
    """The data set's own annotation of people, over frames 0..F-1."""


@dataclass(frozen=True)
class VideoEvidence:
    """All clips of one data set under one method, in the same order for every method."""

    dataset: str
    method: str
    clips: tuple[ClipEvidence, ...]
    operating_points: Mapping[str, tuple[OperatingPoint, ...]]
    """Recogniser -> calibrated thresholds."""
    settings: Settings = field(default_factory=Settings)

    @cached_property
    def track_clip(self) -> NDArray[np.int64]:
        """(T,) the clip of each face track of the data set; tracks are numbered through, clip after clip."""
        counts = [len(np.unique(clip.faces.track)) for clip in self.clips]
        return np.repeat(np.arange(len(self.clips)), counts)

    @cached_property
    def tracks(self) -> tuple[tuple[int, NDArray[np.int64]], ...]:
        """(T) pairs: clip number, and the rows of that clip's `FaceFrames` that make the track, ascending."""
        return tuple(
            (number, np.flatnonzero(clip.faces.track == track))
            for number, clip in enumerate(self.clips)
            for track in np.unique(clip.faces.track)
        )


@runtime_checkable
class VideoMetric(Protocol):
    """A question asked of clips. Values are of unit ``clip`` (N = clips) or ``track`` (N = face tracks)."""

    cards: ClassVar[tuple[MetricCard, ...]]

    def ask(self, evidence: VideoEvidence) -> Iterator[UnitValues | SetStatistic]: ...
