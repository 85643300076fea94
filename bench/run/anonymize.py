"""Stage anonymize: a method over a shard; outputs are stored lossless, failures become rows."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from bench.core.images import encode_png
from bench.core.types import Image, MethodFailure, Sample
from bench.run import opened
from bench.run.calling import call_method
from bench.run.draws import seed_of
from bench.run.guard import Guard
from bench.run.memory import peak_memory
from bench.run.prepare import faces_by_sample, located_key
from bench.run.shards import ShardJob, decode_chunks
from bench.store.atomic import replacing_folder
from bench.store.schemas import PlannedMethod
from bench.store.tables import read_table, table_key, write_table

STAGE_VERSION: Final = 3
"""Raise it whenever this stage's results could change."""


def planned_method(job: ShardJob) -> PlannedMethod:
    return next(m for m in job.plan.methods if m.label == job.method)


def outputs_key(job: ShardJob) -> str:
    """The key of a shard's outputs: the method as it is, the seed, and the harness's boxes where it uses them."""
    method, settings = planned_method(job), job.plan.settings
    seed = seed_of(method, settings.seed)
    boxes = located_key(job) if method.card["detector"] == "harness" else ""
    return job.key("outputs", STAGE_VERSION, method.spec, method.card, seed, settings.device, boxes)


def is_anonymized(job: ShardJob) -> bool:
    """Whether the outputs of this shard are there already."""
    folder = job.folder.outputs_dir(job.dataset, job.method, job.shard)
    return table_key(folder / "outputs.parquet") == outputs_key(job)


def anonymize_shard(job: ShardJob, doomed: frozenset[str] = frozenset()) -> bool:
    """Runs the method over a shard; False if the outputs were there already.

    ``doomed`` samples are known to kill the method's process; they get an error row without being tried again.
    """
    if is_anonymized(job):
        return False
    plan = job.plan
    seed = seed_of(planned_method(job), plan.settings.seed)
    before = peak_memory()
    method = opened.method(planned_method(job).spec, plan.settings.device)
    size = max(method.card.batch_size, 1)
    boxes = faces_by_sample(read_table(job.folder.prepare_dir(job.dataset, job.shard) / "faces.parquet"))
    dataset, refs = job.open()
    guard = Guard(job, dataset)
    numbers = {name: job.shard * plan.settings.shard_size + k for k, name in enumerate(job.samples)}
    rows: dict[str, list[Any]] = {name: [] for name in ("sample", "file", "ms", "error")}
    with replacing_folder(job.folder.outputs_dir(job.dataset, job.method, job.shard)) as folder:
        for chunk in decode_chunks(dataset, refs):
            samples = [
                Sample(item.ref.id, item.image, tuple(d.box for d in boxes.get(item.ref.id, [])))
                for item in chunk
                if item.image is not None
            ]
            safe = [sample for sample in samples if sample.id not in doomed]
            results: dict[str, tuple[Image | MethodFailure, float]] = {
                sample.id: (MethodFailure("the method's process died on this image"), float("nan"))
                for sample in samples
                if sample.id in doomed
            }
            for start in range(0, len(safe), size):
                batch = safe[start : start + size]
                results |= dict(zip((s.id for s in batch), call_method(method, batch, seed), strict=True))
            for sample in samples:
                result, ms = results[sample.id]
                result = guard.checked(sample.id, sample, result)
                file = ""
                if not isinstance(result, MethodFailure):
                    file = f"{numbers[sample.id]}.png"
                    (folder / file).write_bytes(encode_png(result))
                rows["sample"].append(sample.id)
                rows["file"].append(file)
                rows["ms"].append(ms if file else float("nan"))
                rows["error"].append(result.reason if isinstance(result, MethodFailure) else "")
        used = max(peak_memory() - before, 0.0)
        write_table(
            folder / "outputs.parquet",
            {
                "sample": np.array(rows["sample"], np.str_),
                "file": np.array(rows["file"], np.str_),
                "ms": np.array(rows["ms"], np.float64),
                "error": np.array(rows["error"], np.str_),
                "peak_memory_mib": np.full(len(rows["sample"]), used, np.float64),
            },
            outputs_key(job),
        )
    return True


def try_sample(job: ShardJob, name: str) -> None:
    """Gives the method one sample and throws the result away: does the process survive it?"""
    dataset, refs = job.open()
    for chunk in decode_chunks(dataset, [ref for ref in refs if ref.id == name]):
        for item in chunk:
            if item.image is not None:
                boxes = faces_by_sample(read_table(job.folder.prepare_dir(job.dataset, job.shard) / "faces.parquet"))
                sample = Sample(name, item.image, tuple(d.box for d in boxes.get(name, [])))
                method = opened.method(planned_method(job).spec, job.plan.settings.device)
                call_method(method, [sample], seed_of(planned_method(job), job.plan.settings.seed))
