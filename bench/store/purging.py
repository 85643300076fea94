"""Removing what shows or names people from a run: its figures stay."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from unmask.bench.core.errors import StoreError
from unmask.bench.store.atomic import naming, write_json
from unmask.bench.store.json_files import read_object
from unmask.bench.store.names import pseudonyms_of
from unmask.bench.store.publication import ESTIMATES, FACES, PLAN, PROVENANCE, PURGED, TIMELINES, replacing_results
from unmask.bench.store.results import REPRODUCTION
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan

_KEPT: Final = (PLAN, ESTIMATES, PROVENANCE, FACES, TIMELINES, "calibration", REPRODUCTION, PURGED)


def purge(folder: RunFolder) -> list[str]:
    """Removes outputs, embeddings and other readings, names, places, logs and the report of a finished run, and returns
    what was removed. Of the plan the ids of samples and what was said of the data go; it gets a new name for that.

    A purge that was interrupted is finished by the next. Raises `StoreError`.
    """
    plan, estimates = folder.plan, folder.estimates
    write_json(folder.path / PURGED, {"schema": "unmask.purged/1", "run": plan.run})
    nameless = _without_names(plan)
    with replacing_results(folder.path) as temp:
        results = RunFolder(folder.path, temp)
        write_json(results.plan_path, nameless.model_dump(mode="json", by_alias=True))
        inputs = [row.model_copy(update={"notes": []}) for row in estimates.inputs]
        results.write_estimates(estimates.model_copy(update={"run": nameless.run, "inputs": inputs}))
        if folder.own_card_path.exists():
            # Hashes of names can be guessed; nobody needs them any more.
            write_json(results.own_card_path, {**read_object(folder.own_card_path), "people_sha256": []})
    removed = []
    for path in sorted(folder.path.iterdir()):
        if path.name not in _KEPT:
            _remove(path)
            removed.append(path.name)
    for path in folder.own_card_path.parent.glob("*"):
        if path != folder.own_card_path:
            _remove(path)
    return removed


def refuse_purged(folder: RunFolder) -> None:
    """Raises `StoreError` where a run was purged and can therefore not go on."""
    if folder.is_purged:
        raise StoreError(
            f"{folder.path} was purged: outputs, readings and names are gone, and only `unmask report` works on it; "
            "to run again, choose another --out"
        )


def _without_names(plan: Plan) -> Plan:
    datasets = [
        dataset.model_copy(
            update={"samples": list(pseudonyms_of(dataset).samples.values()), "digests": [], "notes": []}
        )
        for dataset in plan.datasets
    ]
    points = {**plan.operating_points, "people_sha256": []} if plan.operating_points else {}
    return Plan.sealed(
        plan.model_copy(update={"datasets": datasets, "operating_points": points}).model_dump(
            exclude={"run", "schema_"}
        )
    )


def _remove(path: Path) -> None:
    with naming(path):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
