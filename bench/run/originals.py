"""Readings of a data set's originals alone, without methods: to measure thresholds, and to label photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unmask.bench.core import registry
from unmask.bench.core.settings import PlanSettings
from unmask.bench.data import Dataset
from unmask.bench.run.assemble import Originals, assemble_originals
from unmask.bench.run.calibration import CARD_SCHEMA
from unmask.bench.run.choosing import JUDGE
from unmask.bench.run.executors import Pool, Progress, run_stage
from unmask.bench.run.plan import locations_of, planned_dataset
from unmask.bench.run.prepare import prepare_shard
from unmask.bench.run.shards import Workplace, shard_jobs
from unmask.bench.store.documents import write_json, write_locations
from unmask.bench.store.run_folder import PLAN, RunFolder
from unmask.bench.store.schemas import Plan


def originals_plan(spec: str, dataset: Dataset, instruments: Sequence[str], settings: PlanSettings) -> Plan:
    """A plan that has the ``instruments`` read the faces that the judge's detector finds in ``dataset``."""
    return Plan.sealed(
        {
            "datasets": [planned_dataset(spec, dataset, settings.limit)],
            "methods": [],
            "releases": [],
            "detector": registry.instrument_card(JUDGE),
            "instruments": [registry.instrument_card(name) for name in instruments],
            "metrics": [],
            "operating_points": {"schema": CARD_SCHEMA, "dataset": "", "points": {}},
            "settings": settings,
        }
    )


def read_originals(
    stage: str, plan: Plan, spec: str, path: Path, *, root: Path | None, pool: Pool, progress: Progress
) -> Originals:
    """The readings of an `originals_plan` for ``spec``; they are kept in the folder ``path``, so that a second call is
    quick. ``stage``: what ``progress`` shows."""
    folder = RunFolder(path)
    write_json(folder.results / PLAN, plan)
    write_locations(path, locations_of([spec], []))
    run_stage(stage, Workplace(path, root).bind(prepare_shard), shard_jobs(plan), pool, progress)
    return assemble_originals(folder, plan, plan.datasets[0].label)
