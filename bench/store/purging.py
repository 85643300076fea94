"""Removing what shows or names people from a run: its figures stay."""

from __future__ import annotations

from typing import Final

from unmask.bench.core.errors import StoreError
from unmask.bench.store.documents import write_json
from unmask.bench.store.names import pseudonyms_of
from unmask.bench.store.planned import PlannedDataset
from unmask.bench.store.results import REPRODUCTION
from unmask.bench.store.run_folder import OWN_CARD, PLAN, PURGED, RESULTS, RunFolder
from unmask.bench.store.schemas import Plan

_KEPT: Final = {*(name.partition("/")[0] for name in RESULTS), REPRODUCTION, PURGED}


def purge(folder: RunFolder) -> list[str]:
    """Removes outputs, embeddings and other readings, names, places, logs and the report of a finished run, and returns
    what was removed. Of the plan the ids of samples and what was said of the data go; it gets a new name for that.

    A purge that was interrupted is finished by the next. Raises `StoreError`.
    """
    plan, estimates = folder.plan, folder.estimates
    write_json(folder.storage / PURGED, {"schema": "unmask.purged/1", "run": plan.run})
    nameless = _without_names(plan)
    with folder.replacing_results() as results:
        write_json(results.results / PLAN, nameless)
        inputs = [row.model_copy(update={"notes": []}) for row in estimates.inputs]
        results.write_estimates(estimates.model_copy(update={"run": nameless.run, "inputs": inputs}))
        if (folder.results / OWN_CARD).exists():
            # Hashes of names can be guessed; nobody needs them any more.
            write_json(results.results / OWN_CARD, {**folder.operating_points, "people_sha256": []})
    removed = [place for place in folder.storage.children() if place.local.name not in _KEPT]
    for place in removed:
        place.remove()
    return [place.local.name for place in removed]


def refuse_purged(folder: RunFolder) -> None:
    """Raises `StoreError` where a run was purged and can therefore not go on."""
    if folder.is_purged:
        raise StoreError(
            f"{folder.path} was purged: outputs, readings and names are gone, and only `unmask report` works on it; "
            "to run again, choose another --out"
        )


def _without_names(plan: Plan) -> Plan:
    datasets, others = ([_nameless(dataset) for dataset in each] for each in (plan.datasets, plan.others))
    points = {**plan.operating_points, "people_sha256": []} if plan.operating_points else {}
    return plan.changed(datasets=datasets, others=others, operating_points=points)


def _nameless(dataset: PlannedDataset) -> PlannedDataset:
    samples = list(pseudonyms_of(dataset).samples.values())
    return dataset.model_copy(update={"samples": samples, "digests": [], "notes": []})
