"""Guards a method's outputs: one that lies wrongly, or shows another input, is a counted failure and never a score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Final

import numpy as np

from unmask.bench.core.errors import ImageError
from unmask.bench.core.types import Box, Image, MethodFailure, Sample, SampleRef
from unmask.bench.data import Dataset
from unmask.bench.run.items import READING
from unmask.bench.run.placement import is_better, is_unlike, lies_in_place, misplacement
from unmask.bench.run.reading.stored import faces_by_item
from unmask.bench.run.shards import ShardJob, shard_jobs
from unmask.bench.run.signatures import SIDE, Signatures
from unmask.bench.run.views import View, background, view_of
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.tables import concatenate, read_table

NEARLY_EQUAL: Final = 0.95
"""Correlation asked of another input where there is no background: a swapped face is no other photo."""

ANOTHER: Final = "the output is another input"

Pictures = Callable[[str], tuple[Image, Sequence[Box]]]
"""Sample id -> the input's image and its faces. Raises `ImageError`."""


def fault_of(
    name: str,
    image: Image,
    boxes: Sequence[Box],
    output: Image,
    others: Callable[[], Signatures | None] = lambda: None,
    read: Pictures | None = None,
) -> str:
    """Why an output (H, W, 3) of its input's size is a failure; '' if it is none.

    ``name``, ``image``, ``boxes``: of the input. ``others`` and ``read``: all inputs of the data set, the input itself
    among them; without them the output is only compared with its own.
    """
    return _fault(name, *_views(image, boxes, output), output, others, read)


def _views(image: Image, boxes: Sequence[Box], output: Image) -> tuple[View, View]:
    """Of an input and of its output, at one size."""
    view = view_of(image, boxes)
    return view, view_of(output, (), view.grey.shape)


def _fault(
    name: str,
    view: View,
    seen: View,
    output: Image,
    others: Callable[[], Signatures | None],
    read: Pictures | None,
) -> str:
    found = misplacement(view, seen, output.shape[1])
    signatures = None if read is None or lies_in_place(view, seen) else others()
    if read is not None and signatures is not None:
        least = 0.0 if found is None else found.correlation
        for other in signatures.like(output):
            if other != name and _likeness(view, seen, other, read) > least:
                return f"{ANOTHER}: {other}"
    return "" if found is None else f"the output {found.text}"


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

    def __init__(self, job: ShardJob, dataset: Dataset) -> None:
        self._job, self._dataset = job, dataset

    def checked(self, name: str, sample: Sample, output: Image | MethodFailure) -> tuple[Image | MethodFailure, bool]:
        """The output, or what is wrong with it; and whether it shows nothing of its input outside the faces, which is
        no failure. ``name``: the sample's id in the data set."""
        if isinstance(output, MethodFailure):
            return output, False
        view, seen = _views(sample.image, sample.boxes or (), output)
        reason = _fault(name, view, seen, output, lambda: self._inputs.signatures, self._read)
        return (MethodFailure(reason), False) if reason else (output, is_unlike(view, seen))

    @property
    def _inputs(self) -> _Inputs:
        return _inputs_of(self._job.run, self._job.dataset, self._job.plan.run)

    def _read(self, name: str) -> tuple[Image, Sequence[Box]]:
        with READING:
            image = self._dataset.read(self._refs[name])
        return image, self._inputs.boxes.get(name, ())

    @cached_property
    def _refs(self) -> Mapping[str, SampleRef]:
        return {ref.id: ref for ref in self._dataset.refs}


@dataclass(frozen=True, slots=True)
class _Inputs:
    signatures: Signatures
    boxes: Mapping[str, Sequence[Box]]


@lru_cache(maxsize=2)
def _inputs_of(run: Path, dataset: str, _plan: str) -> _Inputs:
    """All inputs of a data set of a run, once per process."""
    folder = RunFolder(run)
    shards = [job.shard for job in shard_jobs(folder.plan) if job.dataset == dataset]
    places = [folder.prepare_dir(dataset, shard) for shard in shards]
    faces = faces_by_item(concatenate([read_table(place / "faces.parquet") for place in places]))
    boxes = {str(name): [detection.box for detection in several] for name, several in faces.items()}
    tables = [{**read_table(place / "images.parquet"), **read_table(place / "signatures.parquet")} for place in places]
    images = concatenate(tables)
    rows = np.flatnonzero(images["readable"])
    names = [str(name) for name in images["sample"][rows]]
    shapes = zip(images["height"][rows], images["width"][rows], strict=True)
    masks = [background(boxes.get(name, ()), shape, (SIDE, SIDE)) for name, shape in zip(names, shapes, strict=True)]
    return _Inputs(Signatures.of(names, images["signature"][rows], masks), boxes)
