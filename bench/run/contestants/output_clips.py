"""A clip that another tool made, here or elsewhere: which of its frames answers each frame of the input.

Clips come back with other frames than they had: doubled to a constant rate, dropped, or with other times. Frame is
compared with frame where both clips have as many; else each with what is shown in the middle of its own time.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice, repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.errors import VideoError, counted
from unmask.bench.core.exposure import frame_seconds
from unmask.bench.core.types import Float, Image, MethodFailure, Sample
from unmask.bench.core.video import VideoInfo
from unmask.bench.data.media import VideoReader, VideoWriter
from unmask.bench.data.media.reader import step
from unmask.bench.run.checks.neighbours import Small, reduced, same_picture
from unmask.bench.run.contestants.calling import Attempt, checked
from unmask.bench.run.contestants.contestant import Contestant
from unmask.bench.run.jobs import opened
from unmask.bench.run.jobs.items import ShardItems
from unmask.bench.run.jobs.shards import ShardJob
from unmask.bench.store.planned import LOSSLESS

STEPS_OFF: Final = 2
SHARE_OFF: Final = 0.02
"""Two clips last equally long if they differ by no more than so many frames, or by this share."""
_BETWEEN: Final = "the output clip shows other pictures between those that belong to its frames"


class OutputClip:
    """Answers frame by frame like a method, see `bench.run.contestants.calling.Callee`; nobody watches its time."""

    time_limit = float("inf")
    memory = 0.0

    def __init__(self, job: ShardJob, items: ShardItems, spec: str) -> None:
        """``items``: the input's frames; ``spec``: of the method that knows the file, see `methods.outputs`."""
        self._answers = _answers(job, items, partial(_stored, job, spec))

    def expect(self, ids: Sequence[str]) -> None:
        """It goes by the clips' names, not by those of frames."""

    def attempt(self, batch: Sequence[Sample], seed: int) -> Attempt:
        return Attempt([checked(next(self._answers), s.image, s.boxes or ()) for s in batch], ms=float("nan"))

    def note(self, line: str) -> None:
        """Nothing runs, so there is no log."""


class ProgramClip:
    """The same of a clip that a method makes of the whole clip while the run waits (``anonymize_clip``, see
    `bench.core.protocols.Method`). What it gets is lossless and holds the frames of the run and no sound."""

    def __init__(self, job: ShardJob, items: ShardItems, contestant: Contestant) -> None:
        self._job, self._contestant = job, contestant
        self.time_limit, self._ms = contestant.time_limit, float("nan")
        self._answers = self._read(items)

    @property
    def memory(self) -> float:
        return self._contestant.memory

    def expect(self, ids: Sequence[str]) -> None:
        """It knows of one clip at a time."""

    def attempt(self, batch: Sequence[Sample], seed: int) -> Attempt:
        results = [checked(next(self._answers), s.image, s.boxes or ()) for s in batch]
        return Attempt(results, ms=self._ms)

    def note(self, line: str) -> None:
        self._contestant.note(line)

    def _read(self, items: ShardItems) -> Iterator[Image | MethodFailure]:
        made: Path | MethodFailure = MethodFailure("")
        try:
            made = self._made()
            yield from _answers(self._job, items, lambda: made)
        except VideoError as error:
            yield from repeat(MethodFailure(f"the clip cannot be written for the method: {error.reason}"))
        finally:
            if isinstance(made, Path):
                made.unlink(missing_ok=True)

    def _made(self) -> Path | MethodFailure:
        """The file that the method makes. Raises `VideoError`."""
        dataset, (ref,) = self._job.open()
        with TemporaryDirectory(prefix="unmask-clip-") as folder:
            reader, frames = VideoReader(dataset.path(ref)), 0
            name = hashlib.sha256(ref.digest.encode()).hexdigest()[:16]
            with VideoWriter(Path(folder, f"{name}.mp4"), reader.info, LOSSLESS) as writer:
                for frame in islice(reader, self._job.plan.settings.frames):
                    writer.write(frame, frame.image)
                    frames += 1
            start = time.perf_counter()
            seed = self._job.planned_method.seed(self._job.plan.settings.seed)
            made = self._contestant.clip(writer.path, frames, seed)
            self._ms = (time.perf_counter() - start) * 1000 / max(frames, 1)
            return made


def _stored(job: ShardJob, spec: str) -> Path | MethodFailure:
    method: Any = opened.method(spec, job.plan.settings.device)
    method.expect(job.planned.samples, clips=True)
    path: Path | MethodFailure = method.clip(job.clip)
    return path


def _answers(
    job: ShardJob, items: ShardItems, file: Callable[[], Path | MethodFailure]
) -> Iterator[Image | MethodFailure]:
    """What the output, ``file``, shows for each frame of the input in turn, or why there is nothing to compare it
    with."""
    path = file()
    if isinstance(path, MethodFailure):
        yield from repeat(path)
        return
    try:
        output = VideoReader(path)
        if output.info.further:
            yield from repeat(MethodFailure(f"the output clip holds more than its picture: {output.info.further}"))
            return
        if hidden := output.hidden_frames():
            frames = counted(hidden, "frame")
            reason = f"the output clip holds {frames} that players do not show (edit list); write it without them"
            yield from repeat(MethodFailure(reason))
            return
        assert items.reader is not None  # its first frame is there
        clip, most = Times.of(job.prepared("frames")["seconds"], items.reader.info), job.plan.settings.frames
        whole = most is None or len(clip) < most
        times = Times.of(output.times(None if whole else clip.end - clip.usual / 2), output.info)
        yield from _selected(output, *frames_shown(clip, times, whole=whole))
    except VideoError as error:
        yield from repeat(MethodFailure(f"the output clip cannot be read: {error.reason}"))


@dataclass(frozen=True, slots=True)
class Times:
    """When the frames of a clip are shown."""

    seconds: Float
    """(F,) from the first frame."""
    usual: float
    """Seconds that a frame usually lasts; so long the last one is shown."""

    @classmethod
    def of(cls, seconds: Float, info: VideoInfo) -> Times:
        return cls(seconds, float(step(info.time_base, info.rate) * info.time_base))

    def __len__(self) -> int:
        return len(self.seconds)

    @property
    def end(self) -> float:
        return float(self.seconds[-1]) + self.usual if len(self) else 0.0


def frames_shown(clip: Times, output: Times, *, whole: bool = True) -> tuple[NDArray[np.int64], str]:
    """(F,) the frame of ``output`` that each frame of ``clip`` is compared with, -1 = none; and why none, ''.
    ``whole``: False where only the first frames of a longer clip are looked at, and as much of the output."""
    frames, others = len(clip), len(output)
    slack = max(STEPS_OFF * max(clip.usual, output.usual), SHARE_OFF * clip.end)
    first = min(frames, others)
    same_times = bool(np.all(np.abs(clip.seconds[:first] - output.seconds[:first]) < clip.usual / 2))
    if others < frames and same_times:
        shown = np.where(np.arange(frames) < others, np.arange(frames), -1)
        return shown, f"the output clip ends after {others} of {frames} frames"
    if whole and abs(output.end - clip.end) > slack:
        reason = f"the output clip has {others} frames in {output.end:.2f} s, the input {frames} in {clip.end:.2f} s"
        return np.full(frames, -1), reason
    if others == frames:
        return np.arange(frames), ""
    middles = clip.seconds + frame_seconds(clip.seconds) / 2
    shown = np.searchsorted(output.seconds, middles, side="right") - 1
    shown[middles > output.end + slack] = -1
    return shown, f"the output clip ends after {output.end:.2f} s" if (shown < 0).any() else ""


def _selected(output: VideoReader, shown: NDArray[np.int64], reason: str) -> Iterator[Image | MethodFailure]:
    """The output (H, W, 3) for each frame of the input; ``shown``, ``reason``: as from `frames_shown`. A failure where
    the output shows in between what belongs to neither this frame nor the one before: it would be seen, but not scored.
    Raises `VideoError`."""
    frames, at = iter(output), -1
    image: Image | None = None
    small: Small | None = None
    for k, number in enumerate(shown):
        before, between, differs = small, None, False
        while at < number:
            frame = next(frames, None)
            if frame is None:
                raise VideoError("it breaks off")
            at, image, small = frame.number, frame.image, reduced(frame.image)
            if between is not None:
                differs |= not same_picture(between, small)
            elif before is not None and number > at and not same_picture(before, small):
                between = small
        if number < 0 or image is None or small is None:
            yield MethodFailure(reason + (f" ({output.damage})" if output.damage else ""))
            continue
        if k == len(shown) - 1:
            last = small
            differs |= any(not same_picture(last, reduced(frame.image)) for frame in frames)
        yield (
            MethodFailure("the output clip shows other pictures between those that belong to its frames")
            if differs
            else image
        )
