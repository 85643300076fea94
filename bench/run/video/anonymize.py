"""Stage anonymize: a method over a clip, frame by frame, streaming. What it could not do is black, and a row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import islice
from typing import Any, Final

import numpy as np

from bench.core import registry
from bench.core.spec import parse_spec
from bench.core.types import MethodFailure, Sample
from bench.core.video import Frame
from bench.data.video import VideoReader, VideoWriter
from bench.run.anonymize import worth_another_try
from bench.run.calling import Callee, Here, Result, call_method, checked
from bench.run.contestants import Contestant
from bench.run.video.given import given_frames, is_given
from bench.run.video.jobs import ClipJob, clip_jobs, in_chunks
from bench.run.video.prepare import clip_key, faces_by_frame, usable
from bench.store.atomic import replacing_folder
from bench.store.tables import read_table, table_key, write_table
from bench.store.video_schemas import LOSSLESS, PlannedClip

STAGE_VERSION: Final = 4
"""Raise it whenever this stage's results could change."""


def output_key(job: ClipJob) -> str:
    """The key of a clip's outputs: the method as it is, the seed, the qualities it is written at, and the harness's
    boxes where it uses them."""
    method, settings = job.planned_method, job.plan.settings
    boxes = clip_key(job) if method.card["detector"] == "harness" else ""
    written = [_qualities(job), settings.keep_audio]
    return job.key("outputs", STAGE_VERSION, method.identity, settings.seed, settings.device, boxes, written)


def is_clip_anonymized(job: ClipJob, time_limit: float = 0.0) -> bool:
    """Whether this clip's outputs are there already; see `bench.run.anonymize.is_anonymized`."""
    table = job.folder.output_dir(job.dataset, job.method, job.number) / "frames.parquet"
    return table_key(table) == output_key(job) and not worth_another_try(read_table(table)["error"], time_limit)


def open_clip_contestant(job: ClipJob, threads: int, *, time_limit: float) -> Contestant:
    """The job's method in a process of its own."""
    log = job.folder.path / "logs" / f"{job.method}.txt"
    device = job.plan.settings.device
    return Contestant(job.planned_method.spec, device, log, threads=threads, time_limit=time_limit)


def anonymize_clip(job: ClipJob, callee: Callee | None = None) -> bool:
    """Runs the method over a clip; False if the outputs were there already.

    ``callee``: the method, else it is loaded into this process.
    """
    if is_clip_anonymized(job, callee.time_limit if callee is not None else 0.0):
        return False
    if callee is None and not is_given(job.planned_method):
        callee = Here(job.planned_method.spec, job.plan.settings.device)
    rows: dict[str, list[Any]] = {"ms": [], "error": []}
    kbps: dict[str, float | None] = {}
    with replacing_folder(job.folder.output_dir(job.dataset, job.method, job.number)) as folder:
        if usable(job):
            clips, ref = job.open()
            source = clips.path(ref)
            reader = VideoReader(source)
            audio = source if job.plan.settings.keep_audio and reader.info.audio else None
            with ExitStack() as stack:
                writers = {
                    quality: stack.enter_context(
                        VideoWriter(
                            folder / f"{quality}.mp4",
                            reader.info,
                            quality,
                            audio_from=None if quality == LOSSLESS else audio,
                        )
                    )
                    for quality in _qualities(job)
                }
                for frame, (result, ms) in _results(job, reader, callee):
                    failed = isinstance(result, MethodFailure)
                    # Black, not the original: what a method cannot anonymize must not be passed on.
                    image = np.zeros_like(frame.image) if isinstance(result, MethodFailure) else result
                    for writer in writers.values():
                        writer.write(frame, image)
                    rows["ms"].append(float("nan") if failed else ms)
                    rows["error"].append(result.reason if isinstance(result, MethodFailure) else "")
            kbps = {quality: writer.kbps for quality, writer in writers.items()}
        write_table(
            folder / "written.parquet",
            {"quality": np.array(list(kbps), np.str_), "kbps": np.array(list(kbps.values()), np.float64)},
            output_key(job),
        )
        write_table(
            folder / "frames.parquet",
            {
                "ms": np.array(rows["ms"], np.float64),
                "error": np.array(rows["error"], np.str_),
                "peak_memory_mib": np.full(len(rows["ms"]), callee.memory if callee else 0.0, np.float64),
            },
            output_key(job),
        )
    return True


def frame_id(clip: PlannedClip, number: int) -> str:
    """What a method is told that a frame is called: nothing of the clip's own name."""
    return f"{hashlib.sha256(clip.digest.encode()).hexdigest()}#{number:06d}"


def _results(job: ClipJob, reader: VideoReader, callee: Callee | None) -> Iterator[tuple[Frame, Result]]:
    """Each frame with what the method made of it."""
    planned, settings = job.planned_method, job.plan.settings
    if callee is None:
        made = given_frames(planned, job.clip.id)
        for frame in islice(reader, settings.frames):
            result = next(made)
            image = result if isinstance(result, MethodFailure) else checked(result, frame.image)
            yield frame, (image, float("nan"))
        return
    _inform(callee, job)
    faces = faces_by_frame(read_table(job.folder.original_dir(job.dataset, job.number) / "faces.parquet"))
    size = max(planned.card["batch_size"], 1)
    for chunk in in_chunks(reader, settings.frames):
        samples = [
            Sample(frame_id(job.clip, f.number), f.image, tuple(d.box for _, d in faces.get(f.number, [])))
            for f in chunk
        ]
        results: list[Result] = []
        for start in range(0, len(samples), size):
            results += call_method(callee, samples[start : start + size], settings.seed)
        yield from zip(chunk, results, strict=True)


def _inform(callee: Callee, job: ClipJob) -> None:
    """Tells a method that asks for it which frames the whole data set has."""
    if not hasattr(registry.method_class(parse_spec(job.planned_method.spec).name), "expect"):
        return
    ids: list[str] = []
    for other in clip_jobs(job.run, job.plan, job.root):
        if other.dataset == job.dataset:
            folder = job.folder.original_dir(other.dataset, other.number)
            count = len(read_table(folder / "frames.parquet")["pts"])
            ids += [frame_id(other.clip, number) for number in range(count)]
    callee.expect(ids)


def _qualities(job: ClipJob) -> Sequence[str]:
    return [c.quality for c in job.plan.contestants if c.method == job.method]
