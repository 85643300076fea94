"""Attackers who restore: what they learn of a method from background people's photos, before anything is read."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Final, cast

import numpy as np

from unmask.bench.core.errors import DataError, UnavailableError
from unmask.bench.core.evidence import ALL_PEOPLE, Columns
from unmask.bench.core.files import digest
from unmask.bench.core.protocols import Restorer
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import FacePair
from unmask.bench.core.views import is_restored
from unmask.bench.run.jobs import opened
from unmask.bench.run.jobs.keys import outputs_key
from unmask.bench.run.jobs.shards import Job, ShardJob, dataset_jobs
from unmask.bench.run.outputs.releases import release_items
from unmask.bench.store.attack_rows import learnable
from unmask.bench.store.detections import faces_by_item
from unmask.bench.store.fits import fits_key, fits_stamp, read_fits, write_fits
from unmask.bench.store.planned import PlannedAttacker
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.storage import Storage

RESTORATIONS: Final = 1
"""Version of the stage: raise it whenever what is learned could change."""
MOST_PAIRS: Final = 1_500
MOST_PIXELS: Final = 300_000_000
"""Of background photos that are held in memory to learn from, unless there are fewer than a handful."""
HANDFUL: Final = 40


def restorers(plan: Plan) -> list[PlannedAttacker]:
    return [planned for planned in plan.attackers if is_restored(planned.view)]


def restore_jobs(plan: Plan) -> list[Job]:
    """One job for each method of which there are outputs of background people, where anybody restores."""
    background = plan.used_to("background")
    if not background or not restorers(plan):
        return []
    return [Job(background[0].label, 0, label, plan.run, f"{label} {background[0].label}") for label in learnable(plan)]


def learn_restorations(job: ShardJob) -> bool:
    """Has every restoring attacker of the plan learn to undo the job's method; False if all of it was there."""
    pairs: list[FacePair] | None = None
    for planned in restorers(job.plan):
        place, key = _place(job.folder, job.plan, job.method, planned), _key(job, planned)
        if fits_key(place) == key:
            continue
        if pairs is None:
            pairs = _pairs(job)
        attacker = cast(Restorer, opened.attacker(planned.spec, job.plan.settings.device))
        seed = derive_seed(job.plan.settings.seed, "restoration", planned.label)
        try:
            state: Columns | str = attacker.learn(pairs, seed=seed, folder=(place.local.parent / planned.label))
        except (DataError, UnavailableError) as error:
            state = str(error)
        write_fits(place, {ALL_PEOPLE: state}, key)
    return pairs is not None


def restoration(folder: RunFolder, plan: Plan, method: str, planned: PlannedAttacker) -> Columns | str:
    """What a restoring attacker learned of a method, or why there is nothing."""
    if not plan.used_to("background"):
        return "there are no background people to learn from; add --background"
    if method not in learnable(plan):
        return "there are no outputs of background people to learn from"
    return _learned(folder, plan, method, planned)[0]


def restoration_stamp(folder: RunFolder, plan: Plan, method: str, planned: PlannedAttacker) -> str:
    """Of what `restoration` returns."""
    missing = not plan.used_to("background") or method not in learnable(plan)
    return "" if missing else _learned(folder, plan, method, planned)[1]


def restorers_at_work(folder: RunFolder, plan: Plan, method: str) -> Iterator[tuple[PlannedAttacker, Columns]]:
    """Those who have anything to restore a method's releases with."""
    if plan.used_to("background") and method in learnable(plan):
        for planned in restorers(plan):
            state = restoration(folder, plan, method, planned)
            if not isinstance(state, str):
                yield planned, state


def _learned(folder: RunFolder, plan: Plan, method: str, planned: PlannedAttacker) -> tuple[Columns | str, str]:
    """What is stored, and its seal: every shard and recogniser asks for it, and it is read once a process."""
    path = _place(folder, plan, method, planned).local
    return _read(path, path.stat().st_mtime_ns if path.exists() else 0)


@lru_cache(maxsize=32)
def _read(path: Path, modified: int) -> tuple[Columns | str, str]:
    """``modified``: in nanoseconds, so that a file that was replaced is read again."""
    return read_fits(path)[ALL_PEOPLE], fits_stamp(path)


def _place(folder: RunFolder, plan: Plan, method: str, planned: PlannedAttacker) -> Storage:
    label = plan.used_to("background")[0].label
    return folder.attacks_dir(label, method) / f"{planned.label}.safetensors"


def _key(job: ShardJob, planned: PlannedAttacker) -> str:
    outputs = [outputs_key(each) for each in _shards(job)]
    seed = job.plan.settings.seed
    return digest(["restoration", RESTORATIONS, planned.spec, planned.card.identity, outputs, seed])


def _shards(job: ShardJob) -> list[ShardJob]:
    plan, place = job.plan, job.workplace.place
    return [place(each) for d in plan.used_to("background") for each in dataset_jobs(plan, d, job.method)]


def _pairs(job: ShardJob) -> list[FacePair]:
    """Faces of labelled background people before and after, of each photo the first such; shards in an order that does
    not follow the names of people, up to what fits into memory."""
    shards = _shards(job)
    order = np.random.default_rng(derive_seed(job.plan.settings.seed, "restoration", "shards")).permutation(len(shards))
    pairs: list[FacePair] = []
    pixels, people = 0, dict[str, str]()
    for shard in (shards[k] for k in order):
        table = shard.prepared("faces")
        faces = faces_by_item(table)
        identity = dict(zip(table["face"].tolist(), table["identity"].tolist(), strict=True))
        for chunk in release_items(shard):
            for released in chunk:
                id, there = released.item.id, faces.get(released.item.key, [])
                named = ((name, face) for k, face in enumerate(there) if (name := identity[f"{id}#{k}"]))
                name, face = next(named, ("", None))
                if face is None:
                    continue
                person = people.setdefault(name, str(len(people)))
                pairs.append(FacePair(released.original, released.usable, face.box, person))
                pixels += released.original.shape[0] * released.original.shape[1]
                if len(pairs) == MOST_PAIRS or (pixels > MOST_PIXELS and len(pairs) >= HANDFUL):
                    return pairs
    return pairs
