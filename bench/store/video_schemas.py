"""The JSON files of a run over clips, as pydantic models. As `bench.store.schemas`, which holds what they share."""

from __future__ import annotations

from typing import Any, Final, Literal

from pydantic import Field

from unmask.bench.core.cards import DatasetCard, InstrumentCard, MetricCard
from unmask.bench.store.schemas import ComparisonRow, EstimateRow, PlannedMethod, RankRow, Sealed, Strict

VIDEO_PLAN_SCHEMA: Final = "unmask.video-plan/1"
VIDEO_ESTIMATES_SCHEMA: Final = "unmask.video-estimates/1"
LOSSLESS: Final = "lossless"
MATCHED: Final = "matched"
"""Qualities of a `Contestant`; the others are bitrates."""


class PlannedClip(Strict):
    id: str
    group: str
    """What the data set says of it, e.g. ``normal``; '' = nothing."""
    digest: str


class PlannedClips(Strict):
    """A data set of clips."""

    label: str
    """Name in results."""
    spec: str
    card: DatasetCard
    clips: list[PlannedClip]
    notes: list[str] = Field(default_factory=list)
    """What was passed over, a sentence each. Not part of the plan's name: the same clips are the same plan."""


class PlannedPart(Strict):
    """The person detector, or a tracker."""

    label: str
    spec: str
    card: InstrumentCard


class Contestant(Strict):
    """A method as it was stored: what is scored."""

    label: str
    """Name in results: the method's, with ``@matched`` or ``@56k`` where it is not lossless."""
    method: str
    """Label of the method."""
    quality: str
    """``lossless``, ``matched`` (the source's bitrate) or a bitrate such as ``56k``."""


class VideoSettings(Strict):
    seed: int = 0
    limit: int | None = None
    """Only the first N clips of each data set."""
    frames: int | None = None
    """Only the first N frames of each clip."""
    device: str = "cpu"
    replicates: int = Field(default=2000, ge=100)
    """Bootstrap replicates."""
    keep_audio: bool = False
    """Whether exported clips keep the source's sound. Voices identify people."""
    default_recogniser: str = "mobilefacenet"


class VideoPlan(Sealed):
    """``RUN/video-plan.json``: everything that decides the results."""

    schema_: Literal["unmask.video-plan/1"] = Field(default=VIDEO_PLAN_SCHEMA, alias="schema")
    run: str
    """First 16 hex digits of the sha256 of the rest, as canonical JSON."""
    datasets: list[PlannedClips]
    methods: list[PlannedMethod]
    contestants: list[Contestant]
    """The control, lossless, first."""
    detector: InstrumentCard
    """Finds the faces."""
    instruments: list[InstrumentCard]
    """The recognisers."""
    person_detector: PlannedPart
    trackers: list[PlannedPart]
    face_tracker: PlannedPart
    """Links faces of the original to tracks, by the default recogniser's embeddings."""
    cards: list[MetricCard]
    """Of every metric."""
    operating_points: dict[str, Any]
    settings: VideoSettings

    @property
    def measuring(self) -> list[InstrumentCard]:
        """Every instrument, the face detector first."""
        return [self.detector, *self.instruments]


class ClipRow(Strict):
    """One clip as it came in; every clip has a row, whatever became of it."""

    dataset: str
    clip: str
    group: str
    problem: str
    """Why it could not be used; '' = it could."""
    damage: str
    """What is wrong with a clip that could be used in part; ''."""
    frames: int
    seconds: float
    width: int
    height: int
    rotation: int
    rate: float | None
    """Average frames per second."""
    variable_rate: bool
    codec: str
    kbps: float | None
    audio: bool
    faces: int
    """Faces found in all its frames."""
    face_width: float | None
    """Median of their widths, in pixels of the clip; null = no face."""
    strangers: dict[str, tuple[int, int]]
    """Recogniser -> of the pairs of faces in one frame, which must be two people: how many it takes for one person at a
    false match rate of 1e-3 (that was calibrated on photos), and how many it can read."""
    face_tracks: int
    people: dict[str, int]
    """Tracker -> distinct people."""
    truth_people: int | None
    """People in the data set's own annotation; null = it has none."""


class ClipResult(Strict):
    """One clip under one contestant."""

    dataset: str
    clip: str
    method: str
    """The contestant's label."""
    people: dict[str, int]
    """Tracker -> distinct people."""
    kbps: float | None
    """Of the clip as it was written."""
    failed_frames: int
    """Frames for which the method gave nothing usable; they are black in the output."""
    ms: float | None
    """Milliseconds a frame, on average."""
    tracks_exposed: int
    """Face tracks with a frame that any recogniser re-identifies, or that was missed or failed."""
    longest_exposure: float
    """Seconds of the longest unbroken exposure of any of its tracks."""
    missed: list[tuple[float, float]]
    """From and to, in seconds: when a face was left as it was."""
    error: str
    """Why there is no output at all; ''."""


class VideoEstimates(Strict):
    """``RUN/video-estimates.json``: all numbers of a run over clips."""

    schema_: Literal["unmask.video-estimates/1"] = Field(default=VIDEO_ESTIMATES_SCHEMA, alias="schema")
    run: str
    estimates: list[EstimateRow]
    """``method`` is a contestant's label; ``group`` is "all" or one of the data set's groups of clips."""
    comparisons: list[ComparisonRow]
    ranks: list[RankRow]
    clips: list[ClipRow]
    results: list[ClipResult]
