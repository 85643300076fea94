"""What attackers who know a method have when its releases are judged, and the readings that they learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.evidence import KNOWN_PLACE, Audit, Background, Columns, found_or_placed
from unmask.bench.core.files import digest
from unmask.bench.run.figures.attacking import Learned, folds_of
from unmask.bench.run.figures.regimes import one_draw_readings
from unmask.bench.run.jobs.shards import dataset_jobs
from unmask.bench.store.fits import read_fits
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan, PlannedAttacker, PlannedDataset
from unmask.bench.store.storage import Storage
from unmask.bench.store.tables import concatenate, read_table, table_key

ATTACKS: Final = 1
"""Version of the stage: raise it whenever what attackers learn could change."""


def audited(plan: Plan) -> list[str]:
    """Labels of the methods that attackers learn about, and of the releases that they look at: lossless ones of first
    draws."""
    return [method.label for method in plan.methods if method.origin == method.label]


def fits_place(folder: RunFolder, dataset: str, method: str, attacker: PlannedAttacker, recogniser: str) -> Storage:
    return folder.attacks_dir(dataset, method) / f"{attacker.label}@{recogniser}.safetensors"


def background_keys(folder: RunFolder, plan: Plan, method: str, recogniser: str) -> list[str | None]:
    """Of the tables that attackers learn from: one recogniser's readings of originals and of a method's releases."""
    return [
        table_key(place / f"{recogniser}.parquet")
        for dataset in plan.used_to("background")
        for job in dataset_jobs(plan, dataset)
        for place in (
            folder.prepare_dir(dataset.label, job.shard),
            folder.score_dir(dataset.label, method, job.shard),
        )
    ]


def fits_key_of(attacker: PlannedAttacker, recogniser: str, tables: Sequence[str | None], seed: int) -> str:
    """Of what an attacker learned of a method by one recogniser. ``tables``: `background_keys`."""
    return digest(["attack", ATTACKS, attacker.spec, attacker.card.identity, recogniser, tables, seed])


def background_of_method(folder: RunFolder, plan: Plan, method: str, recogniser: str) -> Background:
    """One recogniser's readings of the background people's faces and of what a method made of them, in one order; M = 0
    where there are no such people, or where the method cannot be run. Of the control, originals are both."""
    of_control = method == plan.releases[0].method
    if not of_control and method not in plan.again:
        return _background([], [], [])
    pieces = [
        _of_dataset(folder, plan, each, "" if of_control else method, recogniser) for each in plan.used_to("background")
    ]
    return _background(*zip(*pieces, strict=True)) if pieces else _background([], [], [])


def _of_dataset(
    folder: RunFolder, plan: Plan, dataset: PlannedDataset, method: str, recogniser: str
) -> tuple[Columns, Columns, NDArray[np.str_]]:
    """Originals, releases and who each is; of no ``method`` originals are both."""
    jobs = dataset_jobs(plan, dataset)
    prepared = [folder.prepare_dir(dataset.label, job.shard) for job in jobs]
    identity = np.concatenate([read_table(place / "faces.parquet")["identity"] for place in prepared])
    original = concatenate([read_table(place / f"{recogniser}.parquet") for place in prepared])
    original = {"embedding": original["embedding"]}
    released = {**original, KNOWN_PLACE: original["embedding"]}
    if method:
        places = [folder.score_dir(dataset.label, method, job.shard) / f"{recogniser}.parquet" for job in jobs]
        table = concatenate(list(map(read_table, places)))
        released = {name: table[name] for name in ("embedding", KNOWN_PLACE)}
    named = identity != ""
    return (
        {name: rows[named] for name, rows in original.items()},
        {name: rows[named] for name, rows in released.items()},
        identity[named],
    )


def _background(
    originals: Sequence[Columns], released: Sequence[Columns], identities: Sequence[NDArray[np.str_]]
) -> Background:
    nothing = np.zeros((0, 0), np.float32)
    return Background(
        concatenate(originals) if originals else {"embedding": nothing},
        concatenate(released) if released else {"embedding": nothing, KNOWN_PLACE: nothing},
        np.concatenate(identities) if identities else np.zeros(0, np.str_),
    )


def audit_of(folder: RunFolder, plan: Plan, dataset: str, label: str, originals: Mapping[str, Columns]) -> Audit | None:
    """What attackers have when the release ``label`` of a data set is judged; ``None`` where nobody was asked, and of
    releases of clips. ``originals``: recogniser -> its readings of the N faces of the data set."""
    planned = plan.dataset(dataset)
    if not plan.attackers or planned.kind == "clips" or label not in audited(plan):
        return None
    states: dict[str, dict[str, Mapping[str, Columns | str]]] = {a.label: {} for a in plan.attackers}
    background: dict[str, Background] = {}
    again: dict[str, Columns] = {}
    for recogniser in plan.recognisers:
        background[recogniser] = background_of_method(folder, plan, label, recogniser)
        again[recogniser] = _again(folder, plan, planned, label, recogniser, originals[recogniser])
        for attacker in plan.attackers:
            states[attacker.label][recogniser] = read_fits(fits_place(folder, dataset, label, attacker, recogniser))
    some = next(iter(background.values()), None)
    fold = folds_of(some.identity, plan.settings.seed) if some is not None else np.zeros(0, np.int64)
    attacks = [Learned(a.label, a.spec, states[a.label]) for a in plan.attackers]
    has_people = some is not None and len(some.identity) > 0
    one_draw = one_draw_readings(folder, plan, dataset, label, originals)
    return Audit(attacks, background if has_people else {}, fold, {n: c for n, c in again.items() if c}, one_draw)


def _again(
    folder: RunFolder, plan: Plan, dataset: PlannedDataset, method: str, recogniser: str, original: Columns
) -> Columns:
    """The readings of the faces in what the method makes of the photos under another seed: where each is found again,
    else at the original's place. Of the control the originals' own; {} where the method cannot be run."""
    if method == plan.releases[0].method:
        return {"embedding": original["embedding"]}
    if method not in plan.again:
        return {}
    label = plan.again[method]
    jobs = dataset_jobs(plan, dataset, label)
    table = concatenate(
        [read_table(folder.score_dir(dataset.label, label, job.shard) / f"{recogniser}.parquet") for job in jobs]
    )
    return {"embedding": found_or_placed(table)}
