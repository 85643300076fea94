"""Stage anonymize: a method over a shard; outputs are stored lossless, failures become rows."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from unmask.bench.core import registry
from unmask.bench.core.images import encode_png
from unmask.bench.core.protocols import Method
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.types import MethodFailure, Sample, SampleRef
from unmask.bench.run.calling import Callee, Here, Result, call_method
from unmask.bench.run.contestants import LOAD_FAILED, TOO_LONG, Contestant, short_id
from unmask.bench.run.draws import seed_of
from unmask.bench.run.guard import Guard
from unmask.bench.run.items import decode_chunks
from unmask.bench.run.keys import outputs_key
from unmask.bench.run.reading.stored import faces_by_item
from unmask.bench.run.shards import ShardJob
from unmask.bench.store.documents import located_method
from unmask.bench.store.names import Pseudonyms, hide_paths, pseudonyms_of
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import PlannedMethod
from unmask.bench.store.tables import read_table, table_key, write_table


def planned_method(job: ShardJob) -> PlannedMethod:
    """The plan's entry, its SPEC with the paths where the method's files lie now."""
    planned = job.planned_method
    return planned.model_copy(update={"spec": located_method(job.run, planned.draw_of or planned.label, planned.spec)})


def is_anonymized(job: ShardJob, time_limit: float = 0.0) -> bool:
    """Whether the outputs of this shard are there already. Images whose method could not be loaded, or took longer
    than a limit below ``time_limit`` seconds, are worth another try."""
    table = job.folder.outputs_dir(job.dataset, job.method, job.shard) / "outputs.parquet"
    return table_key(table) == outputs_key(job) and not worth_another_try(read_table(table)["error"], time_limit)


def worth_another_try(errors: Iterable[Any], time_limit: float) -> bool:
    """Whether a failure among them may not come again: see `is_anonymized`."""
    for error in set(map(str, errors)):
        limit = re.search(rf"{re.escape(TOO_LONG)}([\d.e+]+) s\Z", error)
        if error.startswith(LOAD_FAILED) or (limit and float(limit[1]) < time_limit):
            return True
    return False


def open_contestant(job: ShardJob, threads: int, *, time_limit: float) -> Contestant:
    """The job's method in a process of its own."""
    log = job.folder.path / "logs" / f"{job.method}.txt"
    method, device = planned_method(job), job.plan.settings.device
    hidden = partial(_without_names, job.run, job.plan_run) if needs_names(method) else hide_paths
    return Contestant(method.spec, device, log, threads=threads, time_limit=time_limit, hidden=hidden)


def _without_names(run: Path, plan_run: str, text: str) -> str:
    """``text`` of a method that is told names, without those of any data set of a run's plan."""
    for names in _pseudonyms(run, plan_run).values():
        text = names.hidden(text)
    return text


@lru_cache(maxsize=1)
def _pseudonyms(run: Path, plan_run: str) -> Mapping[str, Pseudonyms]:
    """Data set -> the pseudonyms of its names; a plan is long, and a method may print a lot."""
    return {dataset.label: pseudonyms_of(dataset) for dataset in RunFolder(run).plan_named(plan_run).datasets}


def neutral_id(ref: SampleRef) -> str:
    """What a method is told that a photo is called: a name made of its content, in hexadecimal digits."""
    if re.fullmatch(r"[0-9a-f]{64}", ref.digest):
        return ref.digest
    return hashlib.sha256(ref.digest.encode()).hexdigest()


def needs_names(method: PlannedMethod) -> bool:
    """Whether a method matches files by the photos' own names, and is therefore told them."""
    return bool(getattr(method_class(method), "needs_names", False))


def method_class(method: PlannedMethod) -> type[Method]:
    return registry.method_class(parse_spec(method.spec, positional="dir").name)


def anonymize_shard(job: ShardJob, callee: Callee | None = None) -> bool:
    """Runs the method over a shard; False if the outputs were there already.

    ``callee``: the method, else it is loaded into this process.
    """
    if is_anonymized(job, callee.time_limit if callee is not None else 0.0):
        return False
    method, settings = planned_method(job), job.plan.settings
    callee = callee or Here(method.spec, settings.device)
    named, seed = needs_names(method), seed_of(method, settings.seed)
    boxes = faces_by_item(read_table(job.folder.prepare_dir(job.dataset, job.shard) / "faces.parquet"))
    dataset, refs = job.open()
    if hasattr(method_class(method), "expect"):
        # Of the whole data set, not only of this run: an output may belong to a photo that --limit leaves out.
        callee.expect([ref.id if named else neutral_id(ref) for ref in dataset.refs])
    guard = Guard(job, dataset)
    numbers = {name: job.shard * settings.shard_size + k for k, name in enumerate(job.samples)}
    rows: dict[str, list[Any]] = {name: [] for name in ("sample", "file", "sha256", "unlike", "ms", "error")}
    with job.folder.outputs_dir(job.dataset, job.method, job.shard).replacing(last="outputs.parquet") as folder:
        for chunk in decode_chunks(dataset, refs):
            entries = [(item.ref, item.image) for item in chunk if item.image is not None]
            samples = [
                Sample(ref.id if named else neutral_id(ref), image, tuple(d.box for d in boxes.get(ref.id, [])))
                for ref, image in entries
            ]
            results = _results(callee, samples, max(method.card.batch_size, 1), seed)
            for (ref, _), sample, (answer, ms) in zip(entries, samples, results, strict=True):
                result, unlike = guard.checked(ref.id, sample, answer)
                failure = result.reason if isinstance(result, MethodFailure) else ""
                file = digest = ""
                if not isinstance(result, MethodFailure):
                    file, stored = f"{numbers[ref.id]}.png", encode_png(result)
                    digest = hashlib.sha256(stored).hexdigest()
                    (folder / file).local.write_bytes(stored)
                else:
                    names = _pseudonyms(job.run, job.plan_run)[job.dataset]
                    said = f"{names.sample(ref.id)} ({short_id(neutral_id(ref))}): {names.hidden(failure)}"
                    callee.note(f"{job.dataset}: {said}")
                values = (ref.id, file, digest, unlike, ms if file else float("nan"), failure)
                for name, value in zip(rows, values, strict=True):
                    rows[name].append(value)
        # What was scored before belonged to other outputs.
        job.folder.score_dir(job.dataset, job.method, job.shard).remove()
        write_table(
            folder / "outputs.parquet",
            {
                "sample": np.array(rows["sample"], np.str_),
                "file": np.array(rows["file"], np.str_),
                "sha256": np.array(rows["sha256"], np.str_),
                "unlike": np.array(rows["unlike"], np.bool_),
                "ms": np.array(rows["ms"], np.float64),
                "error": np.array(rows["error"], np.str_),
                "peak_memory_mib": np.full(len(rows["sample"]), callee.memory, np.float64),
            },
            outputs_key(job),
        )
    return True


def _results(callee: Callee, samples: Sequence[Sample], size: int, seed: int) -> list[Result]:
    starts = range(0, len(samples), size)
    return [result for start in starts for result in call_method(callee, samples[start : start + size], seed)]
