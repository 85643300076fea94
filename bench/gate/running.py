"""A candidate that is not there yet: runs the method, measured as the baseline was, or as a preset says."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from unmask.bench.core import registry
from unmask.bench.core.errors import counted
from unmask.bench.core.spec import without_seeds
from unmask.bench.core.types import SampleRef
from unmask.bench.data import open_dataset
from unmask.bench.data.dataset import fingerprint
from unmask.bench.data.stored_outputs import output_paths
from unmask.bench.fetch.cache import cache_dir
from unmask.bench.gate.baseline import read_baseline
from unmask.bench.gate.sides import DISTANCE
from unmask.bench.run.jobs.executors import Progress
from unmask.bench.run.pipeline import get_ready, locations_for, run
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.store.readings import VARIABLE, readings_folder
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan

INSTRUMENT: Final = "instrument "
"""How an identity names one."""


@dataclass(frozen=True)
class Preset:
    """What is enough to decide."""

    faces: int
    """Labelled faces, or photos where nobody is labelled."""
    metrics: tuple[str, ...]
    instruments: tuple[str, ...]


PRESETS: Final = {
    "ci": Preset(
        200,
        ("outcome", "deid_rate", "own_distance", "gender_estimated_correct", "ssim"),
        ("mobilefacenet", "sface", "face-api", "pixels"),
    )
}
"""``ci``: two recognisers of different training, one estimator, one comparison of pixels. Left out: slower recognisers,
statistics of the set and searches, which 200 faces do not decide."""


def run_candidate(
    method: str,
    datasets: Sequence[str],
    baseline: Path | None,
    preset: str,
    out: Path,
    *,
    root: Path | None,
    workers: int,
    progress: Progress,
) -> tuple[str, list[str]]:
    """Runs what is missing of a method into ``out``; what is there is not done again. Returns its label, and what was
    left out, a sentence each. Originals that were read before are not read again. Without a ``baseline`` or a preset it
    is measured as any run is."""
    choices = {"datasets": tuple(datasets), "methods": (method,)}
    config = RunConfig.model_validate(choices | _measured(baseline, preset))
    notes: list[str] = []
    with _sharing_readings():  # before anything starts a process
        plan = get_ready(config, root=root, workers=workers, out=out)
        if preset:
            plan, notes = _reduced(plan, config, PRESETS[preset], root)
        run(plan, out, locations=locations_for(config), root=root, workers=workers, progress=progress)
    return without_seeds(registry.method_spec(method))[0].label, notes


@contextmanager
def _sharing_readings() -> Iterator[None]:
    """Names a folder for them, for this process and its workers, unless there is one."""
    if readings_folder() is not None:
        yield
        return
    os.environ[VARIABLE] = str(cache_dir() / "readings")
    try:
        yield
    finally:
        del os.environ[VARIABLE]


def _measured(baseline: Path | None, preset: str) -> dict[str, tuple[str, ...]]:
    """Metrics and instruments: of the preset, else those that the baseline was measured with; {} = the usual ones."""
    if preset:
        return {"metrics": PRESETS[preset].metrics, "instruments": PRESETS[preset].instruments}
    if baseline is None:
        return {}
    if baseline.is_dir():
        plan = RunFolder.open(baseline).plan
        return {
            "metrics": tuple(metric.name for metric in plan.metrics),
            "instruments": tuple(card.name for card in plan.instruments),
        }
    measures = [measure for dataset in read_baseline(baseline).datasets for measure in dataset.measures]
    instruments = {
        name.removeprefix(INSTRUMENT) for m in measures for name in m.identity if name.startswith(INSTRUMENT)
    }
    metrics = dict.fromkeys([DISTANCE, *(measure.metric for measure in measures)])
    return {"metrics": tuple(metrics), "instruments": tuple(sorted(instruments))}


def _reduced(plan: Plan, config: RunConfig, preset: Preset, root: Path | None) -> tuple[Plan, list[str]]:
    """The plan over fewer photos, and what it leaves out."""
    apart = output_paths(config.methods)
    datasets, notes = [], []
    for planned, spec in zip(plan.datasets, config.datasets, strict=True):
        opened = open_dataset(spec, clips=None, root=root, exclude=apart)
        refs = opened.refs[: config.limit]
        chosen = refs if planned.kind == "clips" else stratified(refs, preset.faces)
        if len(chosen) < len(refs):
            card = replace(planned.card, fingerprint=fingerprint(chosen))
            planned = planned.model_copy(update={"samples": [ref.id for ref in chosen], "card": card})
            notes.append(f"{planned.label}: {counted(len(chosen), 'photo')} of {len(refs):,}, by person and subgroup")
        datasets.append(planned)
    notes.append(f"judged by {', '.join(preset.metrics)} and read by {', '.join(preset.instruments)} alone")
    return plan.changed(datasets=datasets), notes


def stratified(refs: Sequence[SampleRef], faces: int) -> list[SampleRef]:
    """Photos with about so many faces, in the data set's order: subgroups by turns, and within each its people by
    turns, so that few people and large groups do not stand for all."""
    strata: dict[str, dict[str, list[int]]] = {}
    for place, ref in enumerate(refs):
        label = next(iter(ref.labels), None)
        group = "" if label is None else f"{label.gender} {_decade(label.age)} {label.race}"
        person = (label.identity if label is not None else None) or f"photo {place}"
        strata.setdefault(group, {}).setdefault(person, []).append(place)
    turns = _by_turns(_by_turns(people.values()) for people in strata.values())
    chosen, count = [], 0
    for place in turns:
        if count >= faces:
            break
        chosen.append(place)
        count += max(len(refs[place].labels), 1)
    return [refs[place] for place in sorted(chosen)]


def _decade(age: float | None) -> str:
    return "" if age is None else str(int(age) // 10)


def _by_turns(queues: Iterable[Sequence[int]]) -> list[int]:
    """The first of each, then the second of each, and so on."""
    waiting = [list(queue) for queue in queues]
    return [queue[turn] for turn in range(max(map(len, waiting), default=0)) for queue in waiting if turn < len(queue)]
