"""Releases in which all photos of one person get the same draw: of which methods they are made, and how they read.

A method whose outputs are the same under two seeds draws nothing: one draw a person makes what it makes anyway, and it
is not run for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

import numpy as np

from unmask.bench.core.evidence import Columns, found_or_placed
from unmask.bench.core.types import Outcome
from unmask.bench.run.jobs.shards import Job, dataset_jobs
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.tables import concatenate, read_table


def draws(folder: RunFolder, plan: Plan, dataset: str, method: str) -> bool:
    """Whether outputs of a method for a data set differ between its own seed and that of somebody who runs it again."""
    for job in dataset_jobs(plan, plan.dataset(dataset)):
        one, other = (
            read_table(folder.outputs_dir(dataset, label, job.shard) / "outputs.parquet")["sha256"]
            for label in (method, plan.again[method])
        )
        if not np.array_equal(one, other):
            return True
    return False


def without_idle(folder: RunFolder, plan: Plan, jobs: Sequence[Job]) -> list[Job]:
    """``jobs`` without those of one draw a person of methods that draw nothing. Their outputs are there already."""
    origin = {label: method for method, label in plan.one_draw.items()}
    is_drawn = lru_cache(maxsize=None)(lambda dataset, label: draws(folder, plan, dataset, origin[label]))
    return [job for job in jobs if job.method not in origin or is_drawn(job.dataset, job.method)]


def one_draw_readings(
    folder: RunFolder, plan: Plan, dataset: str, method: str, originals: Mapping[str, Columns]
) -> dict[str, Columns]:
    """Recogniser -> ``embedding`` (N, D) of what is released for each face with one draw a person: of the face found
    again, else of its place, of an error of the original; ``destroyed`` (N,). {} where the method draws nothing."""
    label = plan.one_draw.get(method)
    if label is None or not draws(folder, plan, dataset, method):
        return {}
    places = [folder.score_dir(dataset, label, job.shard) for job in dataset_jobs(plan, plan.dataset(dataset), label)]
    outcome = np.concatenate([read_table(place / "outcomes.parquet")["outcome"] for place in places])
    readings: dict[str, Columns] = {}
    for name in plan.recognisers:
        rows = found_or_placed(concatenate([read_table(place / f"{name}.parquet") for place in places]))
        error = (outcome == Outcome.ERROR.value)[:, None]
        readings[name] = {
            "embedding": np.where(error, originals[name]["embedding"], rows),
            "destroyed": outcome == Outcome.DESTROYED.value,
        }
    return readings
