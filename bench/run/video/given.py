"""Clips that somebody else's anonymizer made: ``outputs:dir=FOLDER``, matched to the inputs by path or name."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from unmask.bench.core import registry
from unmask.bench.core.errors import DataError, VideoError
from unmask.bench.core.files import refusal
from unmask.bench.core.names import NameMatcher
from unmask.bench.core.types import Image, MethodFailure
from unmask.bench.core.video import CLIP_EXTENSIONS, Frame, VideoInfo
from unmask.bench.data.folders import clip_files
from unmask.bench.data.media import VideoReader
from unmask.bench.run.anonymize import planned_method
from unmask.bench.run.shards import ShardJob
from unmask.bench.run.stored_outputs import output_folder
from unmask.bench.run.video.timing import Shown, Times, frames_shown
from unmask.bench.store.tables import read_table


def given_frames(job: ShardJob, reader: VideoReader) -> Iterator[tuple[Frame, Image | MethodFailure]]:
    """Each frame of the input with what the output shows at its time, or why there is nothing to compare it with."""
    frames = islice(reader, job.plan.settings.frames)
    path = _output_of(job)
    if isinstance(path, Path) and path.resolve() == reader.path.resolve():
        path = MethodFailure("the output clip is the input file itself")
    if isinstance(path, MethodFailure):
        yield from ((frame, path) for frame in frames)
        return
    reason = ""
    try:
        output = VideoReader(path)
        reason = _size_reason(output.info, reader.info)
        if not reason:
            yield from _compared(job, frames, reader, output)
            return
    except VideoError as error:
        reason = f"the output clip cannot be read: {error.reason}"
    yield from ((frame, MethodFailure(reason)) for frame in frames)


def _compared(
    job: ShardJob, frames: Iterator[Frame], reader: VideoReader, output: VideoReader
) -> Iterator[tuple[Frame, Image | MethodFailure]]:
    """Raises `VideoError` before the first frame where the output cannot be read at all."""
    original = job.folder.prepare_dir(job.dataset, job.shard)
    clip = Times.of(read_table(original / "frames.parquet")["seconds"], reader.info)
    whole = job.plan.settings.frames is None or len(clip) < job.plan.settings.frames
    until = None if whole else clip.end - clip.usual / 2
    times = Times.of(output.times(until), output.info)
    numbers, reason = frames_shown(clip, times, whole=whole)
    shown = Shown(output, numbers)
    for frame in frames:
        if numbers[frame.number] < 0:
            yield frame, MethodFailure(reason + (f" ({output.damage})" if output.damage else ""))
            continue
        try:
            yield frame, shown.frame(frame.number)
        except VideoError as error:
            yield frame, MethodFailure(f"the output clip cannot be read: {error.reason}")


def _size_reason(output: VideoInfo, clip: VideoInfo) -> str:
    """Why an output clip of another size is of no use; '' = it has the input's."""
    if (output.width, output.height) == (clip.width, clip.height):
        return ""
    reason = f"output is {output.width}x{output.height}, the input is {clip.width}x{clip.height}"
    if (output.height, output.width) != (clip.width, clip.height):
        return reason
    lost = f" (the input's turn of {clip.rotation} degrees is lost)" if clip.rotation in (90, 270) else ""
    return f"{reason}; it lies turned by 90 degrees{lost}"


def _output_of(job: ShardJob) -> Path | MethodFailure:
    """The file that answers a clip, or why there is none. Names are looked up among the folder's own, so none can reach
    outside it."""
    method = planned_method(job)
    folder = output_folder(method)
    params = registry.method_spec(method.spec).params
    try:
        names = clip_files(folder)
    except DataError as error:
        return MethodFailure(str(error))
    prefix, suffix = (str(params.get(part, "")) for part in ("prefix", "suffix"))
    matcher = NameMatcher(names, CLIP_EXTENSIONS, "output clip", prefix=prefix, suffix=suffix)
    matcher.expect(job.planned.samples)
    name, reason = matcher.match(job.clip)
    reason = reason or refusal(folder, folder / name, limit=None)
    return MethodFailure(reason) if reason else folder / name
