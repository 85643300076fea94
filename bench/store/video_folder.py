"""The layout of a run over clips, and reading it back. N = the clip's number in its data set.

::

    RUN/video-plan.json                               everything that decides the results
    RUN/provenance.json                               who, when, with which packages, on which machine
    RUN/originals/DATASET/N/clip.parquet              one row: size, rate, codec, or why it cannot be used
                           /frames.parquet            when each frame is shown
                           /faces.parquet             one row a face in a frame, with its track
                           /INSTRUMENT.parquet        readings of these faces
                           /detections.parquet        one row a person in a frame
                           /people-TRACKER.parquet    who is who
    RUN/outputs/DATASET/METHOD/N/QUALITY.mp4          lossless, matched, 56k
                                /frames.parquet       one row a frame: milliseconds, error
                                /written.parquet      one row a quality: bitrate
    RUN/score/DATASET/CONTESTANT/N/outcomes.parquet   one row a face in a frame: how it ended
                                  /INSTRUMENT.parquet, people-TRACKER.parquet
    RUN/timelines/DATASET/CONTESTANT.parquet          clip, track, from, to, state
    RUN/video-estimates.json                          all numbers
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

from unmask.bench.core.errors import StoreError
from unmask.bench.store.json_files import read_model, read_object
from unmask.bench.store.video_schemas import VideoEstimates, VideoPlan


class VideoRunFolder:
    """A run over clips on disk. Construct for paths, or `open` to read a finished one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls, path: Path) -> VideoRunFolder:
        """Raises `StoreError` if ``path`` is not a finished run over clips."""
        folder = cls(path)
        if not folder.plan_path.is_file():
            raise StoreError(f"{path} is no run over clips (no video-plan.json); give the --out of `unmask video`")
        if not folder.estimates_path.is_file():
            raise StoreError(f"{path} is not finished (no video-estimates.json); run the same `unmask video` again")
        if folder.estimates.run != folder.plan.run:
            raise StoreError(f"{path} mixes two runs: its estimates are of another plan; run the same `unmask video`")
        return folder

    @property
    def plan_path(self) -> Path:
        return self.path / "video-plan.json"

    @property
    def estimates_path(self) -> Path:
        return self.path / "video-estimates.json"

    @property
    def provenance_path(self) -> Path:
        return self.path / "provenance.json"

    def original_dir(self, dataset: str, clip: int) -> Path:
        return self.path / "originals" / dataset / f"{clip:05d}"

    def output_dir(self, dataset: str, method: str, clip: int) -> Path:
        return self.path / "outputs" / dataset / method / f"{clip:05d}"

    def score_dir(self, dataset: str, contestant: str, clip: int) -> Path:
        return self.path / "score" / dataset / contestant / f"{clip:05d}"

    def timelines_path(self, dataset: str, contestant: str) -> Path:
        return self.path / "timelines" / dataset / f"{contestant}.parquet"

    @cached_property
    def plan(self) -> VideoPlan:
        return read_model(VideoPlan, self.plan_path)

    @cached_property
    def estimates(self) -> VideoEstimates:
        return read_model(VideoEstimates, self.estimates_path)

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """Empty where the file is missing: a run is complete without it."""
        return read_object(self.provenance_path) if self.provenance_path.is_file() else {}
