"""Stage anonymize: a method over a clip, frame by frame, streaming. What it could not do is black, and a row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from unmask.bench.core import registry
from unmask.bench.core.errors import VideoError
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.types import Image, MethodFailure, Sample
from unmask.bench.core.video import Frame, VideoInfo
from unmask.bench.data.media import VideoReader, VideoWriter
from unmask.bench.run.anonymize import planned_method, worth_another_try
from unmask.bench.run.calling import Callee, Here, Result, call_method
from unmask.bench.run.items import frame_chunks
from unmask.bench.run.keys import outputs_key, variants_of
from unmask.bench.run.plan import CONTROL
from unmask.bench.run.reading.stored import faces_by_item
from unmask.bench.run.releases import clip_problem
from unmask.bench.run.shards import ShardJob, dataset_jobs
from unmask.bench.run.stored_outputs import is_given
from unmask.bench.run.video.given import given_frames
from unmask.bench.run.video.neighbours import FrameGuard
from unmask.bench.store.schemas import LOSSLESS
from unmask.bench.store.storage import Storage
from unmask.bench.store.tables import read_table, table_key, write_table


def is_clip_anonymized(job: ShardJob, time_limit: float = 0.0) -> bool:
    """Whether this clip's outputs are there already; see `bench.run.anonymize.is_anonymized`."""
    table = job.folder.outputs_dir(job.dataset, job.method, job.shard) / "frames.parquet"
    return table_key(table) == outputs_key(job) and not worth_another_try(read_table(table)["error"], time_limit)


def anonymize_clip(job: ShardJob, callee: Callee | None = None) -> bool:
    """Runs the method over a clip; False if the outputs were there already.

    ``callee``: the method, else it is loaded into this process.
    """
    if is_clip_anonymized(job, callee.time_limit if callee is not None else 0.0):
        return False
    if callee is None and not is_given(job.planned_method):
        callee = Here(planned_method(job).spec, job.plan.settings.device)
    with job.folder.outputs_dir(job.dataset, job.method, job.shard).replacing(last="frames.parquet") as folder:
        rows, outputs = _written(job, folder, callee)
        qualities = list(outputs)
        write_table(
            folder / "written.parquet",
            {
                "quality": np.array(qualities, np.str_),
                "kbps": np.array([outputs[q].kbps for q in qualities], np.float64),
                "problem": np.array([outputs[q].problem for q in qualities], np.str_),
            },
            outputs_key(job),
        )
        write_table(
            folder / "frames.parquet",
            {
                "ms": np.array([ms for ms, _ in rows], np.float64),
                "error": np.array([error for _, error in rows], np.str_),
                "peak_memory_mib": np.full(len(rows), callee.memory if callee else 0.0, np.float64),
            },
            outputs_key(job),
        )
    return True


def _written(
    job: ShardJob, folder: Storage, callee: Callee | None
) -> tuple[list[tuple[float, str]], dict[str, _Output]]:
    """Runs the method and writes its frames: milliseconds and error of each frame, and the files by quality."""
    rows: list[tuple[float, str]] = []
    if clip_problem(job):
        return rows, {}
    clips, ref = job.open_clip()
    control = job.planned_method.card.name == CONTROL
    outputs = {
        quality: _Output((folder / f"{quality}.mp4").local, quality) for quality in variants_of(job, job.planned_method)
    }
    with ExitStack() as stack:
        for output in outputs.values():
            stack.enter_context(output)
        try:
            source = clips.path(ref)
            reader = VideoReader(source)
            audio = source if job.plan.settings.keep_audio and reader.info.audio else None
            for quality, output in outputs.items():
                output.begin(reader.info, None if quality == LOSSLESS else audio)
            guard = FrameGuard(job, reader)
            for frame, (made, ms) in _results(job, reader, callee):
                result = made if control else guard.checked(frame, made)
                reason = result.reason if isinstance(result, MethodFailure) else ""
                # Black, not the original: what a method cannot anonymize must not be passed on.
                image = np.zeros_like(frame.image) if isinstance(result, MethodFailure) else result
                for output in outputs.values():
                    output.write(frame, image)
                rows.append((float("nan") if reason else ms, reason))
        except VideoError as error:
            for output in outputs.values():
                output.give_up(f"the clip cannot be read: {error.reason}")
    return rows, outputs


class _Output:
    """One file of a clip. What goes wrong with it costs this file alone."""

    def __init__(self, path: Path, quality: str) -> None:
        self.problem = ""
        """Why there is no such file; ''."""
        self._path, self._quality = path, quality
        self._writer: VideoWriter | None = None
        self._stack = ExitStack()

    @property
    def kbps(self) -> float:
        """NaN = not known."""
        kbps = None if self._writer is None or self.problem else self._writer.kbps
        return float("nan") if kbps is None else kbps

    def begin(self, info: VideoInfo, audio: Path | None) -> None:
        try:
            writer = VideoWriter(self._path, info, self._quality, audio_from=audio)
            self._writer = self._stack.enter_context(writer)
        except VideoError as error:
            self.problem = error.reason

    def write(self, frame: Frame, image: Image) -> None:
        if self._writer is None or self.problem:
            return
        try:
            self._writer.write(frame, image)
        except VideoError as error:
            self.give_up(error.reason)

    def give_up(self, problem: str) -> None:
        """Leaves no file."""
        if not self.problem:
            self.problem = problem
            self._stack.__exit__(VideoError, VideoError(problem), None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.problem:
            return
        try:
            self._stack.__exit__(kind, error, trace)
        except VideoError as failure:
            self.problem = failure.reason


def frame_id(digest: str, number: int) -> str:
    """What a method is told that a frame is called: nothing of the clip's own name."""
    return f"{hashlib.sha256(digest.encode()).hexdigest()}#{number:06d}"


def _results(job: ShardJob, reader: VideoReader, callee: Callee | None) -> Iterator[tuple[Frame, Result]]:
    """Each frame with what the method made of it."""
    planned, settings = job.planned_method, job.plan.settings
    if callee is None:
        yield from ((frame, (result, float("nan"))) for frame, result in given_frames(job, reader))
        return
    _inform(callee, job)
    faces = faces_by_item(read_table(job.folder.prepare_dir(job.dataset, job.shard) / "faces.parquet"))
    size = max(planned.card.batch_size, 1)
    for chunk in frame_chunks(reader, settings.frames):
        samples = [
            Sample(frame_id(job.clip_digest, f.number), f.image, tuple(d.box for d in faces.get(f.number, [])))
            for f in chunk
        ]
        results: list[Result] = []
        for start in range(0, len(samples), size):
            results += call_method(callee, samples[start : start + size], settings.seed)
        yield from zip(chunk, results, strict=True)


def _inform(callee: Callee, job: ShardJob) -> None:
    """Tells a method that asks for it which frames the whole data set has."""
    if not hasattr(registry.method_class(parse_spec(job.planned_method.spec).name), "expect"):
        return
    ids: list[str] = []
    for other in map(job.workplace.place, dataset_jobs(job.plan, job.planned)):
        folder = job.folder.prepare_dir(other.dataset, other.shard)
        count = len(read_table(folder / "frames.parquet")["pts"])
        ids += [frame_id(other.clip_digest, number) for number in range(count)]
    callee.expect(ids)
