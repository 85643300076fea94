"""Whether a run's numbers are already those that reducing it again would give."""

from __future__ import annotations

from unmask.bench.core.canonical import digest
from unmask.bench.core.errors import StoreError
from unmask.bench.run.shards import score_jobs, shard_jobs
from unmask.bench.run.sources import hash_arithmetic
from unmask.bench.store.names import NAMES
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.tables import read_arrow, table_stamp


def hash_evidence(folder: RunFolder, plan: Plan) -> str:
    """sha256 over everything that `bench.run.reduce.reduce_run` makes numbers of: plan, tables, and code.

    Every table is read and its seal checked. Raises `StoreError` for one that is missing or was changed.
    """
    tables = []
    folders = [folder.prepare_dir(job.dataset, job.shard) for job in shard_jobs(plan)]
    for job in shard_jobs(plan, [method.label for method in plan.methods]):
        folders.append(folder.outputs_dir(job.dataset, job.method, job.shard))
    folders += [folder.score_dir(job.dataset, job.method, job.shard) for job in score_jobs(plan)]
    for each in folders:
        for path in [place.local for place in each.children() if place.local.suffix == ".parquet"]:
            tables.append([str(path.relative_to(folder.path)), table_stamp(read_arrow(path))])
    notes = [dataset.notes for dataset in plan.datasets]
    return digest([plan.run, notes, tables, hash_arithmetic([metric.name for metric in plan.metrics])])


def is_reduced(folder: RunFolder, plan: Plan, made_from: str) -> bool:
    """Whether the folder's results were made from just this, and are all there and intact."""
    try:
        published = RunFolder.open(folder.path)
        made = {"made_from": made_from, "estimates": published.estimates.seal}
        if published.plan.run != plan.run or not made.items() <= published.provenance.items():
            return False
        for dataset in plan.datasets:
            read = published.timelines if dataset.kind == "clips" else published.faces
            for label in plan.labels_of(dataset):
                read(dataset.label, label)
        _ = published.operating_points, published.names
    except StoreError:
        return False
    return (folder.path / NAMES).exists()
