"""What attackers who know a method have when its releases are judged, and the readings that they learn from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.evidence import KNOWN_PLACE, Audit, Background, Columns, found_or_placed
from unmask.bench.core.files import digest
from unmask.bench.core.views import RELEASE, is_restored, nothing_to_restore, of_photos, viewed
from unmask.bench.run.figures.attacking import Learned, folds_of
from unmask.bench.run.figures.regimes import one_draw_readings
from unmask.bench.run.jobs.shards import dataset_jobs
from unmask.bench.run.reading.restoring import restoration, restoration_stamp, restorers_at_work
from unmask.bench.run.reading.views import can_read, original_views, psnr_table, released_views, view_table
from unmask.bench.store.attack_rows import learnable
from unmask.bench.store.fits import read_fits
from unmask.bench.store.planned import PlannedAttacker, PlannedDataset
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.storage import Storage
from unmask.bench.store.tables import concatenate, read_table, table_key

ATTACKS: Final = 1
"""Version of the stage: raise it whenever what attackers learn could change."""


def fits_place(folder: RunFolder, dataset: str, method: str, attacker: PlannedAttacker, recogniser: str) -> Storage:
    return folder.attacks_dir(dataset, method) / f"{attacker.label}@{recogniser}.safetensors"


def background_keys(folder: RunFolder, plan: Plan, method: str, recogniser: str, view: str) -> list[str | None]:
    """Of the tables that attackers with this view learn from: one recogniser's readings of originals and of a method's
    releases."""
    tables: list[str | None] = []
    for dataset in plan.used_to("background"):
        before = view_tables(recogniser, [view], original_views(plan, dataset, recogniser))
        after = view_tables(recogniser, [view], released_views(folder, plan, dataset, method, recogniser))
        for job in dataset_jobs(plan, dataset):
            prepared, scored = (
                folder.prepare_dir(dataset.label, job.shard),
                folder.score_dir(dataset.label, method, job.shard),
            )
            for place, names in ((prepared, before), (scored, after)):
                tables += [table_key(place / f"{table}.parquet") for table in (recogniser, *names)]
    return tables


def fits_key_of(
    folder: RunFolder,
    plan: Plan,
    planned: PlannedAttacker,
    method: str,
    recogniser: str,
    tables: Sequence[str | None],
) -> str:
    """Of what an attacker learned of a method by one recogniser. ``tables``: `background_keys` of its view."""
    restored = [restoration_stamp(folder, plan, method, planned)] if is_restored(planned.view) else []
    seed = plan.settings.seed
    return digest(["attack", ATTACKS, planned.spec, planned.card.identity, recogniser, tables, seed, *restored])


def unrestored(folder: RunFolder, plan: Plan, method: str, planned: PlannedAttacker) -> str:
    """Why a restoring attacker has nothing to restore a method's releases with; '' = it has, or restores nothing."""
    if not is_restored(planned.view) or method == plan.releases[0].method:
        return ""
    state = restoration(folder, plan, method, planned)
    return state if isinstance(state, str) else ""


def background_of_method(
    folder: RunFolder, plan: Plan, method: str, recogniser: str, view: str = RELEASE
) -> Background:
    """One recogniser's readings of the background people's faces and of what a method made of them, in one view and in
    one order; M = 0 where there are no such people, or no outputs of them. Of the control, originals are
    both."""
    of_control = method == plan.releases[0].method
    if not of_control and method not in learnable(plan):
        return _background([], [], [])
    pieces = [
        _of_dataset(folder, plan, each, "" if of_control else method, recogniser, view)
        for each in plan.used_to("background")
    ]
    return _background(*zip(*pieces, strict=True)) if pieces else _background([], [], [])


def _of_dataset(
    folder: RunFolder, plan: Plan, dataset: PlannedDataset, method: str, recogniser: str, view: str
) -> tuple[Columns, Columns, NDArray[np.str_]]:
    """Originals, releases and who each is; of no ``method`` originals are both."""
    jobs = dataset_jobs(plan, dataset)
    prepared = [folder.prepare_dir(dataset.label, job.shard) for job in jobs]
    identity = np.concatenate([read_table(place / "faces.parquet")["identity"] for place in prepared])
    original = joined_views(prepared, recogniser, [view], original_views(plan, dataset, recogniser))
    released: Columns
    if method:
        places = [folder.score_dir(dataset.label, method, job.shard) for job in jobs]
        views = released_views(folder, plan, dataset, method, recogniser)
        released = joined_views(places, recogniser, [view], views)
    else:
        released = nothing_to_restore({**original, KNOWN_PLACE: original["embedding"]}, [view])
    named = identity != ""
    sides = (viewed(original, view if of_photos(view) else RELEASE), viewed(released, view))
    before, after = ({name: rows[named] for name, rows in side.items()} for side in sides)
    return before, after, identity[named]


def _background(
    originals: Sequence[Columns], released: Sequence[Columns], identities: Sequence[NDArray[np.str_]]
) -> Background:
    nothing = np.zeros((0, 0), np.float32)
    return Background(
        concatenate(originals) or {"embedding": nothing},
        concatenate(released) or {"embedding": nothing, KNOWN_PLACE: nothing},
        np.concatenate(identities) if identities else np.zeros(0, np.str_),
    )


def audit_of(folder: RunFolder, plan: Plan, dataset: str, label: str, originals: Mapping[str, Columns]) -> Audit | None:
    """What attackers have when the release ``label`` of a data set is judged; ``None`` where nobody was asked, and of
    releases of clips. ``originals``: recogniser -> its readings of the N faces of the data set."""
    planned = plan.dataset(dataset)
    if not plan.attackers or planned.kind == "clips" or label not in plan.audited:
        return None
    states: dict[str, dict[str, Mapping[str, Columns | str]]] = {a.label: {} for a in plan.attackers}
    background: dict[tuple[str, str], Background] = {}
    again: dict[str, Columns] = {}
    for recogniser in plan.recognisers:
        again[recogniser] = _again(folder, plan, planned, label, recogniser, originals[recogniser])
        for attacker in plan.attackers:
            view = attacker.view
            if can_read(recogniser, view):
                states[attacker.label][recogniser] = read_fits(fits_place(folder, dataset, label, attacker, recogniser))
                if (recogniser, view) not in background:
                    background[recogniser, view] = background_of_method(folder, plan, label, recogniser, view)
    some = next(iter(background.values()), None)
    fold = folds_of(some.identity, plan.settings.seed) if some is not None else np.zeros(0, np.int64)
    device = plan.settings.device
    attacks = [Learned(a.label, a.spec, states[a.label], a.view, device) for a in plan.attackers]
    has_people = some is not None and len(some.identity) > 0
    return Audit(
        attacks,
        background if has_people else {},
        fold,
        {n: c for n, c in again.items() if c},
        {each.label: _psnr(folder, plan, planned, label, each) for each, _ in restorers_at_work(folder, plan, label)},
        one_draw_readings(folder, plan, dataset, label, originals),
    )


def _psnr(folder: RunFolder, plan: Plan, dataset: PlannedDataset, method: str, planned: PlannedAttacker) -> Columns:
    places = [folder.score_dir(dataset.label, method, job.shard) for job in dataset_jobs(plan, dataset, method)]
    return concatenate([read_table(place / f"{psnr_table(planned)}.parquet") for place in places])


def _again(
    folder: RunFolder, plan: Plan, dataset: PlannedDataset, method: str, recogniser: str, original: Columns
) -> Columns:
    """The readings of the faces in what the method makes of the photos under another seed: where each is found again,
    else at the original's place. Of the control the originals' own; {} where there is none."""
    if method == plan.releases[0].method:
        return original
    if method not in plan.again:
        return {}
    label = plan.again[method]
    places = [folder.score_dir(dataset.label, label, job.shard) for job in dataset_jobs(plan, dataset, label)]
    views = released_views(folder, plan, dataset, label, recogniser)
    columns = joined_views(places, recogniser, plan.views, views)
    return {**columns, "embedding": found_or_placed(columns)}


def view_tables(recogniser: str, views: Sequence[str], there: Collection[str]) -> list[str]:
    """The tables of ``views`` that a recogniser has, of those that are ``there``."""
    return [view_table(recogniser, view) for view in views if view in there]


def joined_views(
    places: Sequence[Storage], recogniser: str, views: Sequence[str], there: Collection[str]
) -> dict[str, NDArray[Any]]:
    """A recogniser's readings of all shards, those in ``views`` too, as far as they are ``there``."""
    columns: dict[str, NDArray[Any]] = {}
    for table in (recogniser, *view_tables(recogniser, views, there)):
        columns |= concatenate([read_table(place / f"{table}.parquet") for place in places])
    return columns
