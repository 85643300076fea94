"""Test sets with equally many photos of each age group and gender (thesis 3.2.1): chosen here, or by ``unmask data
build``.

Faces are found by the judge's detector, not by the methods': photos whose face a method's own detector does not see
stay in, and count against the method.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core import registry
from unmask.bench.core.demographics import GENDERS
from unmask.bench.core.errors import DataError, StoreError
from unmask.bench.core.settings import PlanSettings
from unmask.bench.core.types import FetchProgress
from unmask.bench.data import Dataset
from unmask.bench.data.dataset import fingerprint
from unmask.bench.fetch.cache import cache_dir
from unmask.bench.run.figures.assemble import Originals
from unmask.bench.run.jobs.executors import Pool, Progress
from unmask.bench.run.pipeline import fetch_needed
from unmask.bench.run.planning.plan import planned_dataset
from unmask.bench.store import results
from unmask.bench.store.documents import read_object
from unmask.bench.store.planned import PlannedDataset
from unmask.bench.store.results import Selection
from unmask.bench.study.cells import LABELLER, PER_CELL, Cell, Drop, Labelled, draw, in_cells, take_turns
from unmask.bench.study.originals import originals_plan, read_originals
from unmask.bench.study.training_set.build import CARD
from unmask.bench.study.training_set.writing import LABELS

BalancedSet = tuple[PlannedDataset, Selection]
"""A balanced test set, and how it came about."""


def balanced_test_set(
    spec: str,
    dataset: Dataset,
    settings: PlanSettings,
    *,
    root: Path | None,
    pool: Pool,
    progress: Progress,
    fetching: FetchProgress | None = None,
) -> BalancedSet:
    """The photos of ``dataset`` with exactly one face whose age and gender `LABELLER` estimates, balanced.

    The readings are kept in the cache folder, so that the same choice is quick the next time. ``settings.limit`` is
    the number of photos chosen. Raises `DataError` where no photo can be used.
    """
    # Only what readings depend on, so that another limit or seed finds them made.
    plan = originals_plan(spec, dataset, (LABELLER,), PlanSettings(device=settings.device))
    fetch_needed(plan, fetching)
    folder = cache_dir() / "labels" / plan.run
    originals = read_originals("label", plan, spec, folder, root=root, pool=pool, progress=progress)
    photos, dropped = label_photos(originals, originals.readings[LABELLER])
    cells = in_cells(photos, settings.age_groups)
    chosen = choose_balanced(cells, limit=settings.limit, seed=settings.seed)
    if not any(chosen.values()):
        raise DataError(f"no photo of {spec} shows one face whose age and gender can be estimated; choose another set")
    return _balanced_set(
        spec,
        dataset,
        chosen,
        available={cell: len(samples) for cell, samples in cells.items()},
        per_cell=PER_CELL,
        seed=settings.seed,
        dropped={**dropped, Drop.OUTSIDE: len(photos) - sum(map(len, cells.values()))},
    )


def choose_balanced(
    cells: Mapping[Cell, Sequence[str]], *, limit: int | None = None, seed: int = 0
) -> dict[Cell, list[str]]:
    """At most `PER_CELL` samples of each cell, drawn with ``seed``.

    With ``limit`` the cells take turns until so many are chosen, so that a small set is as balanced as a large one.
    """

    def order(sample: str) -> str:
        return hashlib.sha256(f"{seed}:{sample}".encode("utf-8", "surrogatepass")).hexdigest()

    return take_turns(draw(cells, lambda _: PER_CELL, order), limit)


def label_photos(originals: Originals, readings: Mapping[str, NDArray[Any]]) -> tuple[list[Labelled], dict[str, int]]:
    """The usable photos, and reason -> number of the others. ``readings``: ``age`` and ``p_female``, (N faces,)."""
    age, p_female = (np.asarray(readings[name], np.float64) for name in ("age", "p_female"))
    face_of = {str(sample): face for face, sample in enumerate(originals.faces.sample)}
    dropped: dict[str, int] = dict.fromkeys((Drop.UNREADABLE, Drop.NO_FACE, Drop.SEVERAL, Drop.NOT_ESTIMATED), 0)
    dropped[Drop.UNREADABLE] = int((~originals.inputs["readable"]).sum())
    photos = []
    for sample, faces in zip(map(str, originals.images.id), originals.faces_per_image, strict=True):
        if faces != 1:
            dropped[Drop.SEVERAL if faces else Drop.NO_FACE] += 1
        elif np.isfinite(age[face_of[sample]] + p_female[face_of[sample]]):
            photos.append(Labelled(sample, float(age[face_of[sample]]), float(p_female[face_of[sample]])))
        else:
            dropped[Drop.NOT_ESTIMATED] += 1
    return photos, dropped


def built_test_set(built: Path, spec: str, dataset: Dataset, settings: PlanSettings) -> BalancedSet:
    """The whole photos of ``dataset`` that the set of ``unmask data build`` in the folder ``built`` lists for testing.

    ``settings.limit`` is the number of photos taken, the cells in turns. Raises `DataError` where ``built`` is no such
    set, was not labelled by `LABELLER`, or names photos that ``dataset`` has not.
    """
    source = source_name(spec)
    options, counts, rows = _built(built)
    if options["labels"] != "estimator" or options["estimator"] != LABELLER:
        raise DataError(f"{built} was not labelled by {LABELLER}; build it with --labels estimator")
    own = [row for row in rows if row["source"] == source]
    if not own:
        named = ", ".join(sorted({row["source"] for row in rows})) or "none"
        raise DataError(f"{built} has no test photos of {source} (it has: {named}); choose another --dataset")
    ids = {ref.id for ref in dataset.refs}
    absent = [row["sample"] for row in own if row["sample"] not in ids]
    if absent:
        raise DataError(f"{built} lists {len(absent):,} photos that {source} has not, {absent[0]!r} the first")
    cells: dict[Cell, list[str]] = {(group, gender): [] for group in options["age_groups"] for gender in GENDERS}
    by_name = {tuple(map(str, cell)): samples for cell, samples in cells.items()}
    for row in own:
        if (row["age_group"], row["label_gender"]) not in by_name:
            raise DataError(f"{built} lists {row['sample']!r} in a cell that it has not; build the set again")
        by_name[row["age_group"], row["label_gender"]].append(row["sample"])
    counts = [each for each in counts if each["part"] == "test" and each["source"] == source]
    return _balanced_set(
        spec,
        dataset,
        take_turns(cells, settings.limit),
        available={},
        per_cell=options["test_per_cell"],
        seed=options["seed"],
        dropped={
            **{reason: n for each in counts for reason, n in each["dropped"].items()},
            Drop.FULL: sum(each["over_the_limit"] for each in counts),
        },
    )


def _built(built: Path) -> tuple[dict[str, Any], list[dict[str, Any]], list[dict[str, str]]]:
    """Settings, counts and the rows of the test part."""
    try:
        card = read_object(built / CARD)
        options, counts = card["plan"]["settings"], card["counts"]
        _ = options["test_per_cell"]
    except (StoreError, KeyError, TypeError) as error:
        raise DataError(f"{built} is no finished set of `unmask data build` (no usable {CARD})") from error
    path = built / "test" / LABELS
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, ValueError) as error:
        raise DataError(f"{built} has no test part ({path.name} cannot be read); build it with a test split") from error
    needed = {"sample", "source", "age_group", "label_gender"}
    if rows and not needed <= rows[0].keys():
        raise DataError(f"{path} has no column {min(needed - rows[0].keys())!r}; build the set again")
    return options, counts, rows


def source_name(spec: str) -> str:
    """The SPEC without its label, and without the path that a folder has on this machine."""
    parsed = registry.dataset_spec(spec)
    return "folder" if parsed.name == "folder" else parsed.text


def _balanced_set(
    spec: str, dataset: Dataset, chosen: Mapping[Cell, Sequence[str]], available: Mapping[Cell, int], **facts: Any
) -> BalancedSet:
    """The ``chosen`` samples as a data set of a plan; its card says so. ``facts``: more fields of `Selection`."""
    samples = {sample for members in chosen.values() for sample in members}
    refs = [ref for ref in dataset.refs if ref.id in samples]
    planned = planned_dataset(spec, dataset, None)
    card = replace(
        planned.card,
        revision=f"{planned.card.revision}, {len(refs):,} photos balanced by age group and gender",
        fingerprint=fingerprint(refs),
    )
    cells = [
        results.Cell(age=cell[0], gender=cell[1], available=available.get(cell), chosen=len(members))
        for cell, members in chosen.items()
    ]
    return (
        planned.model_copy(update={"card": card, "samples": [ref.id for ref in refs]}),
        Selection(
            source=source_name(spec),
            photos=len(dataset.refs),
            estimator=LABELLER,
            cells=cells,
            **{**facts, "dropped": {reason: count for reason, count in facts["dropped"].items() if count}},
        ),
    )
