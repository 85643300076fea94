"""Shards of a data set: the unit of work, of resuming, and of what a job holds in memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core import registry
from unmask.bench.core.canonical import digest
from unmask.bench.core.errors import DataError, ImageError, SpecError
from unmask.bench.core.types import Image, SampleRef
from unmask.bench.core.video import Frame
from unmask.bench.data import Dataset, open_dataset
from unmask.bench.data.dataset import fingerprint
from unmask.bench.run.executors import advance
from unmask.bench.run.stored_outputs import output_paths
from unmask.bench.store.documents import located_dataset, located_method
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan, PlannedDataset, PlannedMethod, Release
from unmask.bench.store.tables import concatenate

T = TypeVar("T")

CHUNK_IMAGES: Final = 16
CHUNK_PIXELS: Final = 50_000_000
"""A chunk of decoded images ends at either bound, so memory does not grow with the size of a shard."""
CHUNK_FRAMES: Final = 16
CHUNK_FRAME_PIXELS: Final = 16_000_000
"""The same for the frames of a clip."""
READING: Final = threading.Lock()
"""Data sets are opened once per process, and not all of them can be read by two threads at once."""
_JOINED_AT: Final = 64
"""Batches that `Gather` holds before it makes one of them."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done: names and numbers, which mean the same on every machine."""

    dataset: str
    """Label in the plan."""
    shard: int
    """Of clips: the clip's number in its data set."""
    method: str = ""
    """Label of a method, or of a release when it is scored; '' for the originals."""
    plan_run: str = ""
    """`Plan.run` of the plan that it belongs to."""
    name: str = ""
    """For progress."""
    units: int = 1
    """Photos or clips, for progress."""


@dataclass(frozen=True, slots=True)
class Workplace:
    """Where a run is worked on: all that jobs need besides themselves."""

    run: Path
    root: Path | None = None
    """Where local copies of data sets lie."""

    def place(self, job: Job) -> ShardJob:
        return ShardJob(job.dataset, job.shard, job.method, job.plan_run, job.name, job.units, workplace=self)

    def bind(self, do: Callable[..., T]) -> Callable[..., T]:
        """``do``, which takes a `ShardJob`, as a function of a `Job`; it can be pickled where ``do`` can."""
        return partial(_do_at, self, do)


def _do_at(workplace: Workplace, do: Callable[..., T], job: Job, *others: Any) -> T:
    return do(workplace.place(job), *others)


@dataclass(frozen=True, slots=True)
class ShardJob(Job):
    """A job at its workplace."""

    workplace: Workplace = field(kw_only=True)

    @property
    def run(self) -> Path:
        return self.workplace.run

    @property
    def root(self) -> Path | None:
        return self.workplace.root

    @property
    def folder(self) -> RunFolder:
        return RunFolder(self.run)

    @property
    def plan(self) -> Plan:
        return _plan(self.run, self.plan_run)

    @property
    def planned(self) -> PlannedDataset:
        return self.plan.dataset(self.dataset)

    @property
    def release(self) -> Release:
        return next(release for release in self.plan.releases if release.label == self.method)

    @property
    def planned_method(self) -> PlannedMethod:
        """The method, or the release's."""
        label = next((each.method for each in self.plan.releases if each.label == self.method), self.method)
        return next(m for m in self.plan.methods if m.label == label)

    @property
    def clip(self) -> str:
        """Id of the job's clip."""
        return self.planned.samples[self.shard]

    @property
    def clip_digest(self) -> str:
        return self.planned.digests[self.shard]

    @property
    def samples(self) -> list[str]:
        """Ids of this shard's samples."""
        size = shard_size(self.plan, self.planned)
        return self.planned.samples[self.shard * size : (self.shard + 1) * size]

    def open(self) -> tuple[Dataset, list[SampleRef]]:
        """The data set and this shard's entries, in order.

        Raises `DataError` where it is not at its place, or something else is there.
        """
        dataset, refs = opened_data(self.run, self.plan, self.dataset, self.root)
        return dataset, [refs[name] for name in self.samples]

    def open_clip(self) -> tuple[Dataset, SampleRef]:
        """The same for a data set of clips: it and the job's clip."""
        dataset, (ref,) = self.open()
        return dataset, ref

    def key(self, *parts: Any) -> str:
        """The job's key: what was put in, and under which versions."""
        if self.planned.kind == "clips":
            return digest([self.clip_digest, self.clip, self.plan.settings.frames, *parts])
        return digest([self.planned.card.fingerprint, self.samples, *parts])


def shard_size(plan: Plan, dataset: PlannedDataset) -> int:
    """Samples of one job: a clip is a shard."""
    return 1 if dataset.kind == "clips" else plan.settings.shard_size


def shard_jobs(plan: Plan, methods: Sequence[str] = ()) -> list[Job]:
    """One job for each shard of the data sets under each method; without methods, of the originals of all uses."""
    if not methods:
        return [job for dataset in (*plan.datasets, *plan.others) for job in dataset_jobs(plan, dataset)]
    return [job for dataset in plan.datasets for method in methods for job in dataset_jobs(plan, dataset, method)]


def dataset_jobs(plan: Plan, dataset: PlannedDataset, method: str = "") -> list[Job]:
    """One job for each shard of a data set."""
    size, jobs = shard_size(plan, dataset), []
    for start in range(0, len(dataset.samples), size):
        samples = dataset.samples[start : start + size]
        shard = samples[0] if dataset.kind == "clips" else start // size
        name = " ".join(filter(None, (method, f"{dataset.label}/{shard}")))
        jobs.append(Job(dataset.label, start // size, method, plan.run, name, len(samples)))
    return jobs


def score_jobs(plan: Plan) -> list[Job]:
    """One job for each shard of everything that is scored: the methods over photos, the releases of clips."""
    return [
        job
        for dataset in plan.datasets
        for label in plan.labels_of(dataset)
        for job in dataset_jobs(plan, dataset, label)
    ]


@dataclass(frozen=True, slots=True)
class Decoded:
    """An entry after decoding: an image, or the reason why there is none."""

    ref: SampleRef
    image: Image | None
    reason: str = ""
    note: str = ""
    """What its colour profile is, where that could not be applied."""


def decode_chunks(dataset: Dataset, refs: Sequence[SampleRef]) -> Iterator[list[Decoded]]:
    """The shard's images in order, a bounded number of pixels at a time."""
    chunk: list[Decoded] = []
    pixels = 0
    for ref in refs:
        try:
            with READING:
                image, note = dataset.read_noted(ref)
            chunk.append(Decoded(ref, image, note=note))
            pixels += image.shape[0] * image.shape[1]
        except ImageError as error:
            chunk.append(Decoded(ref, None, error.reason))
        if len(chunk) >= CHUNK_IMAGES or pixels >= CHUNK_PIXELS:
            yield chunk
            advance(len(chunk))
            chunk, pixels = [], 0
    if chunk:
        yield chunk
        advance(len(chunk))


def frame_chunks(frames: Iterable[Frame], most: int | None) -> Iterator[list[Frame]]:
    """The first ``most`` frames (all if None) in order, a bounded number of pixels at a time."""
    chunk: list[Frame] = []
    pixels = 0
    for frame in islice(frames, most):
        chunk.append(frame)
        pixels += frame.image.shape[0] * frame.image.shape[1]
        if len(chunk) >= CHUNK_FRAMES or pixels >= CHUNK_FRAME_PIXELS:
            yield chunk
            chunk, pixels = [], 0
    if chunk:
        yield chunk


class Gather:
    """Collects column batches of one table until the shard is done.

    Small batches are joined as they come: thousands of small arrays between a clip's large ones would leave the memory
    in holes, twenty kilobytes a frame.
    """

    def __init__(self) -> None:
        self._joined: list[Mapping[str, NDArray[Any]]] = []
        self._parts: list[Mapping[str, NDArray[Any]]] = []

    def add(self, columns: Mapping[str, NDArray[Any]]) -> None:
        self._parts.append(columns)
        if len(self._parts) == _JOINED_AT:
            self._joined.append(concatenate(self._parts))
            self._parts = []

    def table(self) -> dict[str, NDArray[Any]]:
        return concatenate([*self._joined, *self._parts])


def scatter(
    template: Mapping[str, NDArray[Any]], columns: Mapping[str, NDArray[Any]], at: Sequence[int], n: int
) -> dict[str, NDArray[np.float32]]:
    """``columns`` of some units laid into NaN columns of all ``n`` units; ``template`` gives the shapes."""
    spread = {}
    for name, empty in template.items():
        full = np.full((n, *empty.shape[1:]), np.nan, np.float32)
        if len(at):
            full[list(at)] = columns[name]
        spread[name] = full
    return spread


@lru_cache(maxsize=4)
def _plan(run: Path, name: str) -> Plan:
    return RunFolder(run).plan_named(name)


def opened_data(run: Path, plan: Plan, label: str, root: Path | None) -> tuple[Dataset, Mapping[str, SampleRef]]:
    """A data set of a run, from where it lies now, with its entries by id; opened once per process.

    Raises `DataError` where it is not at its place, or something else is there.
    """
    spec = located_dataset(run, label, plan.dataset(label).spec)
    apart = output_paths([located_method(run, m.draw_of or m.label, m.spec) for m in plan.methods])
    return _opened(run, plan.run, label, spec, root, tuple(apart))


@lru_cache(maxsize=8)
def _opened(
    run: Path, plan_run: str, label: str, spec: str, root: Path | None, apart: tuple[Path, ...]
) -> tuple[Dataset, Mapping[str, SampleRef]]:
    planned = _plan(run, plan_run).dataset(label)
    clips = planned.kind == "clips"
    elsewhere = f"if it was moved, name its folder: unmask score {run} --locate {label}=FOLDER"
    try:
        dataset = open_dataset(spec, clips=clips, root=root, exclude=apart)
    except (DataError, SpecError) as error:
        hint = f"; {elsewhere}" if "path" in registry.dataset_spec(spec).params or spec != planned.spec else ""
        raise DataError(f"data set {label}: {error}{hint}") from error
    refs = {ref.id: ref for ref in dataset.refs}
    chosen = [refs[name] for name in planned.samples if name in refs]
    same = {dataset.card.fingerprint} if clips else {dataset.card.fingerprint, fingerprint(chosen)}
    if planned.card.fingerprint not in same:
        what = "clips or annotations" if clips else "images or labels"
        raise DataError(f"data set {label}: {spec} holds other {what} than the run's; put them back, or {elsewhere}")
    return dataset, refs
