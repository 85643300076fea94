"""Guards a method's outputs: one that lies wrongly, or shows another input, is a counted failure and never a score."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Final

import numpy as np

from unmask.bench.core.errors import ImageError, VideoError
from unmask.bench.core.types import Box, Image, MethodFailure, Sample
from unmask.bench.core.video import PersonBox
from unmask.bench.data.media import VideoReader
from unmask.bench.run.checks.neighbours import Neighbours
from unmask.bench.run.checks.placement import is_better, is_unlike, lies_in_place, misplacement
from unmask.bench.run.checks.views import SIDE, Signatures, View, background, signature_of, view_of
from unmask.bench.run.jobs.items import READING, Item, ShardItems
from unmask.bench.run.jobs.shards import ShardJob, Workplace, dataset_jobs
from unmask.bench.store.detections import faces_by_item, people_by_frame
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.tables import concatenate

NEARLY_EQUAL: Final = 0.95
"""Correlation asked of another input where there is no background: a swapped face is no other photo."""

ANOTHER: Final = "the output is another input"
HEAD: Final = 2.0
BODY: Final = 1.1
"""How much larger than a face's (a person's) box the place is that a method may have changed."""
Pictures = Callable[[str], tuple[Image, Sequence[Box]]]
"""Sample id -> the input's image and its faces. Raises `ImageError`."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """All photos of a data set, or the first frames of its clips."""

    signatures: Signatures
    read: Pictures


def views_of(image: Image, boxes: Sequence[Box], output: Image) -> tuple[View, View]:
    """Of an input and of its output, at one size."""
    view = view_of(image, boxes)
    return view, view_of(output, (), view.grey.shape)


def fault_of(name: str, view: View, seen: View, output: Image, inputs: Callable[[], Inputs] | None = None) -> str:
    """Why an output (H, W, 3) of its input's size is a failure; '' if it is none. ``name``: of the input; ``view``,
    ``seen``: `views_of` input and output. ``inputs``: all of the data set, the input itself among them; without them
    the output is only compared with its own."""
    change = misplacement(view, seen, output.shape[1])
    if inputs is not None and not lies_in_place(view, seen):
        least = 0.0 if change is None else change[0]
        for other in inputs().signatures.like(output):
            if other != name and _likeness(view, seen, other, inputs().read) > least:
                return f"{ANOTHER}: {other}"
    return "" if change is None else f"the output {change[1]}"


def _likeness(view: View, seen: View, name: str, read: Pictures) -> float:
    """The correlation with which the input ``name`` explains an output rather than its own (``view``) does; else 0."""
    try:
        image, boxes = read(name)
    except ImageError:
        return 0.0
    other = view_of(image, boxes, view.grey.shape)
    score = is_better(view, other, seen)
    return 0.0 if other.whole and score < NEARLY_EQUAL else score


class Guard:
    """The guard of one shard's outputs, with all inputs of its data set at hand."""

    def __init__(self, job: ShardJob, items: ShardItems) -> None:
        self._job, self._items = job, items
        self._other_clip = ""
        self._neighbours: Neighbours | None = None

    def checked(self, item: Item, sample: Sample, output: Image | MethodFailure) -> tuple[Image | MethodFailure, bool]:
        """The output (H, W, 3), or what is wrong with it; and whether it shows nothing of its input outside the faces,
        which is no failure. Frames come in order."""
        if isinstance(output, MethodFailure) or np.array_equal(output, sample.image):
            return output, False
        if reason := self._other_clip or self._time_fault(item, sample, output):
            return MethodFailure(reason), False
        view, seen = views_of(sample.image, sample.boxes or (), output)
        # A clip is one input: whether an output is another one is asked of its first frame.
        first = item.number == 0 or not self._job.of_clips
        reason = fault_of(item.ref.id, view, seen, output, self._inputs if first else None)
        if self._job.of_clips and reason.startswith(ANOTHER):
            self._other_clip = reason
        return (MethodFailure(reason), False) if reason else (output, is_unlike(view, seen))

    def _time_fault(self, item: Item, sample: Sample, output: Image) -> str:
        if item.frame is None or self._items.reader is None:
            return ""
        if self._neighbours is None:
            self._neighbours = Neighbours(iter(self._items.reader))
        bodies = [person.box for person in self._people.get(item.number, [])]
        changed = [*(box.scaled(HEAD) for box in sample.boxes or ()), *(box.scaled(BODY) for box in bodies)]
        other = self._neighbours.shown(item.number, output, changed, self._with_faces)
        return "" if other is None else f"the output shows frame {other} of the input instead of frame {item.number}"

    @cached_property
    def _people(self) -> dict[int, list[PersonBox]]:
        return people_by_frame(self._job.prepared("detections"))

    @cached_property
    def _with_faces(self) -> frozenset[int]:
        return frozenset(self._job.prepared("faces")["frame"].tolist())

    def _inputs(self) -> Inputs:
        return _inputs_of(self._job.workplace, self._job.plan_run, self._job.dataset)


@lru_cache(maxsize=2)
def _inputs_of(workplace: Workplace, plan_run: str, dataset: str) -> Inputs:
    """Once per process, and only where an output is not explained by its own input."""
    plan = RunFolder(workplace.run).plan_named(plan_run)
    jobs = [workplace.place(job) for job in dataset_jobs(plan, plan.dataset(dataset))]
    return _clips(jobs) if plan.dataset(dataset).kind == "clips" else _photos(jobs)


def _photos(jobs: Sequence[ShardJob]) -> Inputs:
    faces = faces_by_item(concatenate([job.prepared("faces") for job in jobs]))
    boxes = {str(name): [detection.box for detection in several] for name, several in faces.items()}
    images = concatenate([job.prepared("images") | job.prepared("signatures") for job in jobs])
    rows = np.flatnonzero(images["readable"])
    names = [str(name) for name in images["sample"][rows]]
    shapes = zip(images["height"][rows], images["width"][rows], strict=True)
    masks = [background(boxes.get(name, ()), shape, (SIDE, SIDE)) for name, shape in zip(names, shapes, strict=True)]
    dataset, _ = jobs[0].open()
    refs = {ref.id: ref for ref in dataset.refs}

    def read(name: str) -> tuple[Image, Sequence[Box]]:
        with READING:
            image = dataset.read(refs[name])
        return image, boxes.get(name, ())

    return Inputs(Signatures.of(names, images["signature"][rows], masks), read)


def _clips(jobs: Sequence[ShardJob]) -> Inputs:
    clips = {job.clip: job for job in jobs}
    names, grey, masks = [], [], []
    for name, job in clips.items():
        try:
            image, boxes = _first_frame(job)
        except ImageError:
            continue
        names.append(name)
        grey.append(signature_of(image))
        masks.append(background(boxes, image.shape[:2], (SIDE, SIDE)))
    return Inputs(Signatures.of(names, np.stack(grey), masks), lambda name: _first_frame(clips[name]))


def _first_frame(job: ShardJob) -> tuple[Image, Sequence[Box]]:
    """Of a clip, with its faces. Raises `ImageError`."""
    clips, (ref,) = job.open()
    try:
        frame = next(iter(VideoReader(clips.path(ref))))
    except VideoError as error:
        raise ImageError(error.reason) from error
    faces = faces_by_item(job.prepared("faces"))
    return frame.image, [detection.box for detection in faces.get(0, [])]
