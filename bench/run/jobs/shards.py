"""The jobs of a run: shards of data sets, the unit of work and of resuming."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from numpy.typing import NDArray

from unmask.bench.core.cards import InstrumentCard, Role
from unmask.bench.core.files import digest
from unmask.bench.core.types import SampleRef
from unmask.bench.data import Dataset
from unmask.bench.run.jobs import opened
from unmask.bench.store.attack_rows import learnable
from unmask.bench.store.planned import PlannedDataset, PlannedMethod, Release
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.tables import read_table

T = TypeVar("T")


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
    def folder(self) -> RunFolder:
        return RunFolder(self.run)

    @property
    def plan(self) -> Plan:
        return opened.plan(self.run, self.plan_run)

    @property
    def of_clips(self) -> bool:
        return self.planned.kind == "clips"

    @property
    def planned(self) -> PlannedDataset:
        return self.plan.dataset(self.dataset)

    @property
    def release(self) -> Release:
        return self.plan.release(self.method)

    @property
    def planned_method(self) -> PlannedMethod:
        """The method, or the release's."""
        label = self.plan.method_of(self.method)
        return next(m for m in self.plan.methods if m.label == label)

    @property
    def clip(self) -> str:
        """Id of the job's clip."""
        return self.planned.samples[self.shard]

    @property
    def samples(self) -> list[str]:
        """Ids of this shard's samples."""
        size = shard_size(self.plan, self.planned)
        return self.planned.samples[self.shard * size : (self.shard + 1) * size]

    def prepared(self, name: str) -> dict[str, NDArray[Any]]:
        """A table of this shard's originals, such as ``faces``."""
        return read_table(self.folder.prepare_dir(self.dataset, self.shard) / f"{name}.parquet")

    @property
    def clip_problem(self) -> str:
        """Why a prepared clip cannot be used; '' = it can, or it is photos."""
        return str(self.prepared("clip")["problem"][0]) if self.of_clips else ""

    def instruments(self, *roles: Role) -> list[InstrumentCard]:
        """The plan's instruments of some roles that read this data set."""
        return self.plan.reading(self.planned, self.method).instruments_of(*roles)

    @property
    def looks_closely(self) -> bool:
        """Whether recognisers try looks and read faces elsewhere, and second detectors are asked."""
        return self.plan.looks_closely(self.planned, self.method)

    def open(self) -> tuple[Dataset, list[SampleRef]]:
        """The data set and this shard's entries, in order. Raises `DataError` where it is not at its place, or
        something else is there."""
        dataset, refs = opened.data(self.run, self.plan, self.dataset, self.workplace.root)
        return dataset, [refs[name] for name in self.samples]

    def key(self, *parts: Any) -> str:
        """The job's key: what was put in, and under which versions."""
        if self.of_clips:
            return digest([self.planned.digests[self.shard], self.clip, self.plan.settings.frames, *parts])
        return digest([self.planned.card.fingerprint, self.samples, *parts])


def shard_size(plan: Plan, dataset: PlannedDataset) -> int:
    """Samples of one job: a clip is a shard."""
    return 1 if dataset.kind == "clips" else plan.settings.shard_size


def shard_jobs(plan: Plan) -> list[Job]:
    """One job for each shard of the originals of all uses."""
    return [job for dataset in (*plan.datasets, *plan.others) for job in dataset_jobs(plan, dataset)]


def output_jobs(plan: Plan) -> list[Job]:
    """One job for each shard that a method is run over: of the data sets, and of what attackers learn from."""
    return [
        *(job for d in plan.datasets for method in plan.methods for job in _jobs_of(plan, d, method)),
        *(
            job
            for d in plan.used_to("background")
            for method in learnable(plan)
            for job in dataset_jobs(plan, d, method)
        ),
    ]


def _jobs_of(plan: Plan, dataset: PlannedDataset, method: PlannedMethod) -> list[Job]:
    return [] if method.again_of and dataset.kind == "clips" else dataset_jobs(plan, dataset, method.label)


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
    """One job for each shard of everything that is read: the releases of the data sets, what attackers learn from,
    what those compare with who run the method themselves, and what is released with one draw a person."""
    scored = [(dataset, label) for dataset in plan.datasets for label in plan.labels_of(dataset)]
    scored += [(dataset, label) for dataset in plan.used_to("background") for label in learnable(plan)]
    further = [method.label for method in plan.methods if method.again_of]
    scored += [(dataset, label) for dataset in plan.datasets_of("photos") for label in further]
    return [job for dataset, label in scored for job in dataset_jobs(plan, dataset, label)]
