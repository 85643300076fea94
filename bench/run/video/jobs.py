"""A clip as the unit of work: picklable jobs, their keys, and the frames of a clip a bounded number at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, Final

from unmask.bench.core.canonical import digest
from unmask.bench.core.types import SampleRef
from unmask.bench.core.video import Frame
from unmask.bench.data import Dataset, open_dataset
from unmask.bench.store.schemas import PlannedMethod
from unmask.bench.store.video_folder import VideoRunFolder
from unmask.bench.store.video_schemas import Contestant, PlannedClip, PlannedClips, VideoPlan

CHUNK_FRAMES: Final = 16
CHUNK_PIXELS: Final = 16_000_000
"""A chunk of frames ends at either bound, so memory does not grow with the length of a clip."""


@dataclass(frozen=True, slots=True)
class ClipJob:
    """Everything a worker needs to find its work; picklable and small."""

    run: Path
    dataset: str
    """Label in the plan."""
    number: int
    """The clip's, in its data set."""
    root: Path | None = None
    """Where local copies of data sets lie."""
    method: str = ""
    """Label of a method, or of a contestant when it is scored; '' for the originals."""

    @property
    def name(self) -> str:
        return " ".join(filter(None, (self.method, f"{self.dataset}/{self.clip.id}")))

    @property
    def samples(self) -> Sequence[str]:
        """What is lost when a process dies: the clip."""
        return [self.clip.id]

    @property
    def folder(self) -> VideoRunFolder:
        return VideoRunFolder(self.run)

    @property
    def plan(self) -> VideoPlan:
        return _plan(self.run, (self.run / "video-plan.json").stat().st_mtime_ns)

    @property
    def planned(self) -> PlannedClips:
        return next(d for d in self.plan.datasets if d.label == self.dataset)

    @property
    def clip(self) -> PlannedClip:
        return self.planned.clips[self.number]

    @property
    def planned_method(self) -> PlannedMethod:
        """The method, or the contestant's."""
        label = next((c.method for c in self.plan.contestants if c.label == self.method), self.method)
        return next(m for m in self.plan.methods if m.label == label)

    @property
    def contestant(self) -> Contestant:
        return next(c for c in self.plan.contestants if c.label == self.method)

    def open(self) -> tuple[Dataset, SampleRef]:
        """The data set and this clip's entry."""
        clips = opened_clips(self.planned.spec, self.root)
        return clips, next(ref for ref in clips.refs if ref.id == self.clip.id)

    def key(self, *parts: Any) -> str:
        """The job's key: what was put in, and under which versions."""
        return digest([self.clip.digest, self.clip.id, self.plan.settings.frames, *parts])


def clip_jobs(run: Path, plan: VideoPlan, root: Path | None, labels: Sequence[str] = ("",)) -> list[ClipJob]:
    """One job for each label and clip of a plan."""
    return [
        ClipJob(run, dataset.label, number, root, label)
        for label in labels
        for dataset in plan.datasets
        for number in range(len(dataset.clips))
    ]


def in_chunks(frames: Iterable[Frame], most: int | None) -> Iterator[list[Frame]]:
    """The first ``most`` frames (all if None) in order, a bounded number of pixels at a time."""
    chunk: list[Frame] = []
    pixels = 0
    for frame in islice(frames, most):
        chunk.append(frame)
        pixels += frame.image.shape[0] * frame.image.shape[1]
        if len(chunk) >= CHUNK_FRAMES or pixels >= CHUNK_PIXELS:
            yield chunk
            chunk, pixels = [], 0
    if chunk:
        yield chunk


@lru_cache(maxsize=4)
def _plan(run: Path, _changed: int) -> VideoPlan:
    return VideoRunFolder(run).plan


@lru_cache(maxsize=8)
def opened_clips(spec: str, root: Path | None) -> Dataset:
    """A data set of clips, opened once per process."""
    return open_dataset(spec, clips=True, root=root)
