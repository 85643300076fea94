"""Stage anonymize: a method over a shard, a chunk of photos or frames at a time; failures become rows."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from unmask.bench.core import registry
from unmask.bench.core.errors import SpecError, VideoError
from unmask.bench.core.files import digest
from unmask.bench.core.protocols import Method
from unmask.bench.core.seeds import ONE_DRAW
from unmask.bench.core.split import Part
from unmask.bench.core.types import Detection, MethodFailure, Sample, SampleRef
from unmask.bench.data.stored_outputs import part_spec
from unmask.bench.run.checks.guard import Guard
from unmask.bench.run.contestants.calling import Callee, Here, call_method, short_id
from unmask.bench.run.contestants.contestant import LOAD_FAILED, TOO_LONG, Contestant
from unmask.bench.run.contestants.output_clips import OutputClip, ProgramClip
from unmask.bench.run.jobs import opened
from unmask.bench.run.jobs.items import Item, ShardItems
from unmask.bench.run.jobs.keys import outputs_key
from unmask.bench.run.jobs.shards import ShardJob, dataset_jobs
from unmask.bench.run.outputs.writing import ClipFiles, PhotoFiles
from unmask.bench.store.detections import faces_by_item
from unmask.bench.store.documents import located_method
from unmask.bench.store.names import Pseudonyms, hide_paths, pseudonyms_of
from unmask.bench.store.planned import CONTROL
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.tables import columns_of, read_table, table_key, write_table


def spec_of(job: ShardJob) -> str:
    """The SPEC of the job's method, with the paths where its files lie now; of pictures made elsewhere, for the part of
    an audit's photos that the job is about."""
    planned = job.planned_method
    text = located_method(job.run, planned.origin, planned.spec)
    part: Part = "enrolment" if planned.again_of else "background" if job.planned.use == "background" else "tested"
    return text if part == "tested" else part_spec(registry.method_spec(text), part).text


def is_anonymized(job: ShardJob, time_limit: float = 0.0) -> bool:
    """Whether the outputs of this shard are there already. Items whose method could not be loaded, or took longer
    than a limit below ``time_limit`` seconds, are worth another try."""
    table = job.folder.outputs_dir(job.dataset, job.method, job.shard) / "outputs.parquet"
    if table_key(table) != outputs_key(job):
        return False
    for error in set(read_table(table)["error"].tolist()):
        limit = re.search(rf"{re.escape(TOO_LONG)}([\d.e+]+) s\Z", error)
        if error.startswith(LOAD_FAILED) or (limit and float(limit[1]) < time_limit):
            return False
    return True


def is_copied(job: ShardJob) -> bool:
    """Whether nothing runs: the control, and clips that another tool made. A process of its own would cost more."""
    return job.planned_method.card.name == CONTROL or (job.of_clips and answers_clips(job))


def answers_clips(job: ShardJob) -> bool:
    """Whether the method's outputs of clips lie in a folder already, so that there is nothing to run."""
    return hasattr(method_class(job), "clip")


def makes_clips(job: ShardJob) -> bool:
    """Whether the method is handed whole clips, as its parameter ``frames=false`` says, and not their frames."""
    whole = hasattr(method_class(job), "anonymize_clip") and job.planned_method.card.params.get("frames") is False
    return job.of_clips and whole


def open_contestant(job: ShardJob, threads: int, *, time_limit: float) -> Contestant:
    """The job's method in a process of its own."""
    log = job.folder.path / "logs" / f"{job.method}.txt"
    hidden = partial(_without_names, job.run, job.plan_run) if needs_names(job) else hide_paths
    spec, device, code = spec_of(job), job.plan.settings.device, job.planned_method.code
    return Contestant(spec, device, log, threads=threads, time_limit=time_limit, hidden=hidden, code=code)


def _without_names(run: Path, plan_run: str, text: str) -> str:
    """``text`` of a method that is told names, without those of any data set of a run's plan."""
    for names in _pseudonyms(run, plan_run).values():
        text = names.hidden(text)
    return text


@lru_cache(maxsize=1)
def _pseudonyms(run: Path, plan_run: str) -> Mapping[str, Pseudonyms]:
    """Data set -> the pseudonyms of its names; a plan is long, and a method may print a lot."""
    plan = RunFolder(run).plan_named(plan_run)
    return {dataset.label: pseudonyms_of(dataset) for dataset in (*plan.datasets, *plan.others)}


def neutral_id(ref: SampleRef, frame: int | None = None) -> str:
    """What a method is told that a photo, or a frame of a clip, is called: a name made of its content, in hexadecimal
    digits."""
    if frame is not None:
        return f"{hashlib.sha256(ref.digest.encode()).hexdigest()}#{frame:06d}"
    if re.fullmatch(r"[0-9a-f]{64}", ref.digest):
        return ref.digest
    return hashlib.sha256(ref.digest.encode()).hexdigest()


def needs_names(job: ShardJob) -> bool:
    """Whether a method matches files by the photos' own names, and is therefore told them."""
    return bool(getattr(method_class(job), "needs_names", False))


def method_class(job: ShardJob) -> type[Method]:
    """Raises `SpecError` where the file that the class is in is gone, or was changed since the run was planned."""
    try:
        return opened.method_class(spec_of(job), job.planned_method.code)
    except SpecError as error:
        raise SpecError(f"method {job.planned_method.origin}: {error}") from error


def anonymize_shard(job: ShardJob, callee: Callee | None = None) -> bool:
    """Runs the method over a shard of photos or a clip; False if the outputs were there already. ``callee``: the
    method, else it is loaded into this process. A clip that cannot be read has no rows."""
    if is_anonymized(job, callee.time_limit if callee is not None else 0.0):
        return False
    items = ShardItems(job, most=job.planned_method.card.batch_size)
    if callee is None:
        spec = spec_of(job)
        copied = job.of_clips and answers_clips(job)
        callee = OutputClip(job, items, spec) if copied else Here(spec, job.plan.settings.device)
    elif isinstance(callee, Contestant) and makes_clips(job):
        callee = ProgramClip(job, items, callee)
    with job.folder.outputs_dir(job.dataset, job.method, job.shard).replacing(last="outputs.parquet") as folder:
        with ClipFiles(job, items, folder) if job.of_clips else PhotoFiles(job, folder) as files:
            rows = _rows(job, items, callee, files)
        files.write_tables(outputs_key(job))
        for release in job.plan.releases:  # what was scored before belonged to other outputs
            if release.method == job.method:
                job.folder.score_dir(job.dataset, release.label, job.shard).remove()
        columns = columns_of(rows, {"sample": np.str_, "unlike": np.bool_, "ms": np.float64, "error": np.str_})
        sample, memory = {"sample": columns.pop("sample")}, np.full(len(rows), callee.memory, np.float64)
        table = {**sample, **files.columns(), **columns, "peak_memory_mib": memory}
        write_table(folder / "outputs.parquet", table, outputs_key(job))
    return True


def _rows(
    job: ShardJob, items: ShardItems, callee: Callee, files: ClipFiles | PhotoFiles
) -> list[tuple[str, bool, float, str]]:
    """Runs the method and writes its outputs: of each item its id, whether the output shows nothing of it outside the
    faces, milliseconds, and why there is none."""
    rows: list[tuple[str, bool, float, str]] = []
    if job.clip_problem:
        return rows
    if hasattr(method_class(job), "expect") and not is_copied(job):
        callee.expect(_expected(job, items))
    guard, noted = Guard(job, items), ""
    faces = faces_by_item(job.prepared("faces"))
    named = needs_names(job) and not job.of_clips
    size, seed = max(job.planned_method.card.batch_size, 1), job.planned_method.seed(job.plan.settings.seed)
    try:
        for chunk in items:
            readable = [item for item in chunk if item.image is not None]
            samples = [_sample(item, faces, named, draw_of(job, item.ref)) for item in readable]
            batches = [samples[start : start + size] for start in range(0, len(samples), size)]
            results = [result for batch in batches for result in call_method(callee, batch, seed)]
            for item, sample, (answer, ms) in zip(readable, samples, results, strict=True):
                output, unlike = guard.checked(item, sample, answer)
                reason = output.reason if isinstance(output, MethodFailure) else ""
                files.write(item, sample.image, None if isinstance(output, MethodFailure) else output)
                rows.append((item.id, unlike, float("nan") if reason else ms, reason))
                if reason and not (job.of_clips and reason == noted):
                    callee.note(_line(job, item, reason))
                noted = reason
    except VideoError as error:
        files.give_up(f"the clip cannot be read: {error.reason}")
    return rows


def _sample(item: Item, faces: Mapping[str | int, Sequence[Detection]], named: bool, draw: str) -> Sample:
    assert item.image is not None  # it can be read
    neutral = neutral_id(item.ref, None if item.frame is None else item.number)
    present = faces.get(item.key, [])
    boxes, landmarks = tuple(face.box for face in present), tuple(face.landmarks for face in present)
    sequence = "" if item.frame is None else neutral.partition("#")[0]
    return Sample(item.ref.id if named else neutral, item.image, boxes, draw, sequence, landmarks)


def draw_of(job: ShardJob, ref: SampleRef) -> str:
    """By what name a method draws for a photo; '' = its own. With one draw a person that of its first labelled person,
    hashed under a key: names never reach a method."""
    person = next((label.identity for label in ref.labels if label.identity), "")
    if job.planned_method.draw != ONE_DRAW or not person:
        return ""
    key = digest([job.planned.card.fingerprint, job.plan.settings.seed])
    return hashlib.blake2b(person.encode(), key=bytes.fromhex(key), digest_size=32).hexdigest()


def _expected(job: ShardJob, items: ShardItems) -> list[str]:
    """What all inputs of the data set are called, not only those of this run: an output may belong to a photo that
    --limit leaves out."""
    if not job.of_clips:
        named = needs_names(job)
        return [ref.id if named else neutral_id(ref) for ref in items.dataset.refs]
    ids: list[str] = []
    for other in map(job.workplace.place, dataset_jobs(job.plan, job.planned)):
        _, (ref,) = other.open()
        ids += [neutral_id(ref, number) for number in range(len(other.prepared("frames")["pts"]))]
    return ids


def _line(job: ShardJob, item: Item, reason: str) -> str:
    """A failure in the method's log, which names no photo and no clip."""
    names = _pseudonyms(job.run, job.plan_run)[job.dataset]
    frame = "" if item.frame is None else f" frame {item.number}"
    name = f"{names.sample(item.ref.id)}{frame} ({short_id(neutral_id(item.ref))})"
    return f"{job.dataset}: {name}: {names.hidden(reason)}"
