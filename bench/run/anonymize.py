"""Stage anonymize: a method over a shard; outputs are stored lossless, failures become rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import psutil

from bench.core.images import encode_png
from bench.core.types import Image, MethodFailure, Sample
from bench.run import opened
from bench.run.prepare import faces_by_sample, located_key
from bench.run.shards import ShardJob, decode_chunks
from bench.store.atomic import replacing_folder
from bench.store.schemas import PlannedMethod
from bench.store.tables import read_table, table_key, write_table

STAGE_VERSION: Final = 1
"""Raise it whenever this stage's results could change."""


def planned_method(job: ShardJob) -> PlannedMethod:
    return next(m for m in job.plan.methods if m.label == job.method)


def outputs_key(job: ShardJob) -> str:
    """The key of a shard's outputs: the method as it is, the seed, and the harness's boxes where it uses them."""
    method, settings = planned_method(job), job.plan.settings
    boxes = located_key(job) if method.card["detector"] == "harness" else ""
    return job.key("outputs", STAGE_VERSION, method.spec, method.card, settings.seed, settings.device, boxes)


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
    before = _peak_memory()
    method = opened.method(planned_method(job).spec, plan.settings.device)
    size = max(method.card.batch_size, 1)
    boxes = faces_by_sample(read_table(job.folder.prepare_dir(job.dataset, job.shard) / "faces.parquet"))
    dataset, refs = job.open()
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
                results |= dict(zip((s.id for s in batch), _timed(method, batch, plan.settings.seed), strict=True))
            for sample in samples:
                result, ms = results[sample.id]
                file = ""
                if not isinstance(result, MethodFailure):
                    file = f"{numbers[sample.id]}.png"
                    (folder / file).write_bytes(encode_png(result))
                rows["sample"].append(sample.id)
                rows["file"].append(file)
                rows["ms"].append(ms if file else float("nan"))
                rows["error"].append(result.reason if isinstance(result, MethodFailure) else "")
        used = max(_peak_memory() - before, 0.0)
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
                _timed(method, [sample], job.plan.settings.seed)


def _timed(method: Any, batch: Sequence[Sample], seed: int) -> list[tuple[Image | MethodFailure, float]]:
    """The batch's results with milliseconds each. A batch that fails is tried one by one, so that only the image
    that is to blame becomes a failure."""
    # Methods get copies: one that writes into its input must not change what is scored.
    guarded = [replace(sample, image=sample.image.copy()) for sample in batch]
    start = time.perf_counter()
    try:
        results = list(method.anonymize(guarded, seed=seed))
        if len(results) != len(batch):
            raise ValueError(f"the method returned {len(results)} images for {len(batch)}")
    except Exception as error:  # a contestant may fail in any way; each becomes a counted row
        if len(batch) > 1:
            return [_timed(method, [sample], seed)[0] for sample in batch]
        return [(MethodFailure(_one_line(error)), float("nan"))]
    ms = (time.perf_counter() - start) * 1000 / len(batch)
    return [(_checked(result, sample), ms) for result, sample in zip(results, batch, strict=True)]


def _checked(result: Any, sample: Sample) -> Image | MethodFailure:
    if isinstance(result, MethodFailure):
        return result
    if not isinstance(result, np.ndarray) or result.dtype != np.uint8:
        kind = f"{result.dtype} array" if isinstance(result, np.ndarray) else type(result).__name__
        return MethodFailure(f"the method returned a {kind} instead of a uint8 image")
    if result.shape != sample.image.shape:
        return MethodFailure(f"the output has shape {result.shape}, the input {sample.image.shape}")
    return result


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:300] if text else type(error).__name__


def _peak_memory() -> float:
    """The largest resident memory this process has had so far, MiB."""
    info = psutil.Process().memory_info()
    peak = getattr(info, "peak_wset", None)
    if peak is None:
        import resource  # not on Windows, where peak_wset is

        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if psutil.MACOS else 1024)
    return float(peak) / 2**20
