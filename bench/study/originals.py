"""Readings of a data set's originals alone, without methods: to measure thresholds, and to label photos."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from unmask.bench.core import registry
from unmask.bench.core.errors import UsageError
from unmask.bench.core.settings import CHOOSING, MEASURING, CommonSettings, OneSpec, Option, PlanSettings
from unmask.bench.data import Dataset, open_dataset
from unmask.bench.data.identities import person_hashes
from unmask.bench.run.figures.assemble import Originals, assemble_originals
from unmask.bench.run.figures.operating_points import card_of
from unmask.bench.run.jobs.executors import Pool, Progress, open_pool, run_stage
from unmask.bench.run.jobs.shards import Workplace, shard_jobs
from unmask.bench.run.planning.choosing import JUDGE
from unmask.bench.run.planning.plan import locations_of, planned_dataset
from unmask.bench.run.prepare import prepare_shard
from unmask.bench.store.documents import write_json, write_locations
from unmask.bench.store.run_folder import PLAN, RunFolder
from unmask.bench.store.schemas import POINTS_SCHEMA, Plan


class CalibrationSettings(CommonSettings):
    """The settings of ``unmask calibrate``."""

    datasets: Annotated[OneSpec, Option(CHOOSING, "--dataset", "-d", metavar="SPEC")] = ("lfw:split=calibrate",)
    """Data set with identities."""
    instruments: Annotated[tuple[str, ...], Option(MEASURING, "--instrument", commas=True)] = ()
    """Use only these recognisers; may repeat. Without: all that are on by default."""
    exclude: Annotated[tuple[str, ...], Option(CHOOSING, "--exclude-people-of", metavar="SPEC")] = ()
    """Leave out people whom this data set names too; may repeat."""
    limit: Annotated[int | None, Option(CHOOSING)] = Field(default=None, ge=1)
    """Only the first N photos."""


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
            "operating_points": {"schema": POINTS_SCHEMA, "dataset": "", "points": {}},
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


def calibration_card(
    settings: CalibrationSettings, work: Path, *, root: Path | None, workers: int, progress: Progress
) -> dict[str, Any]:
    """The calibration card that ``unmask calibrate`` writes; readings are kept in ``work``. People whom a data set of
    ``settings.exclude`` names are left out, so that the card stays disjoint from it. Raises `UsageError` for an
    instrument that is no recogniser and `UnavailableError` for a device that is not there."""
    registry.check_device(settings.device)
    for name in settings.instruments:
        if registry.unsettled_card(name).role != "recogniser":
            raise UsageError(f"{name} is no recogniser; only recognisers have thresholds to calibrate")
    usual = [name for name, card in registry.instrument_cards("recogniser") if card.default]
    (spec,) = settings.datasets
    measured = PlanSettings(seed=settings.seed, limit=settings.limit, device=settings.device)
    plan = originals_plan(spec, open_dataset(spec, root=root), settings.instruments or usual, measured)
    with open_pool(workers) as pool:
        originals = read_originals("calibrate", plan, spec, work, root=root, pool=pool, progress=progress)
    others = [person_hashes(open_dataset(other, root=root).refs) for other in settings.exclude]
    return card_of(originals, plan, plan.datasets[0].card, set[str]().union(*others))
