"""Stage attack: every attacker who knows a method learns about it, from background people's photos."""

from __future__ import annotations

from unmask.bench.core.evidence import ALL_PEOPLE, Background
from unmask.bench.run.figures.attacking import folds_of, learned_of
from unmask.bench.run.figures.audit import background_keys, background_of_method, fits_key_of, fits_place, unrestored
from unmask.bench.run.jobs import opened
from unmask.bench.run.jobs.shards import Job, ShardJob
from unmask.bench.run.reading.views import can_read
from unmask.bench.store.fits import fits_key, write_fits
from unmask.bench.store.schemas import Plan


def attack_jobs(plan: Plan) -> list[Job]:
    """One job for each method whose releases of photos attackers look at, of each data set."""
    if not plan.attackers or not plan.recognisers:
        return []
    return [
        Job(dataset.label, 0, label, plan.run, f"{label} {dataset.label}")
        for dataset in plan.datasets_of("photos")
        for label in plan.audited
    ]


def attack_release(job: ShardJob) -> bool:
    """Has every attacker of the plan learn about the job's method; False if all of it was there."""
    folder, plan, method = job.folder, job.plan, job.method
    anything = False
    for recogniser in plan.recognisers:
        background: dict[str, Background] = {}
        tables: dict[str, list[str | None]] = {}
        for planned in plan.attackers:
            view = planned.view
            if not can_read(recogniser, view):
                continue
            place = fits_place(folder, job.dataset, method, planned, recogniser)
            if view not in tables:
                tables[view] = background_keys(folder, plan, method, recogniser, view)
            key = fits_key_of(folder, plan, planned, method, recogniser, tables[view])
            if fits_key(place) == key:
                continue
            anything = True
            problem = unrestored(folder, plan, method, planned)
            if problem:
                write_fits(place, {ALL_PEOPLE: problem}, key)
                continue
            if view not in background:
                background[view] = background_of_method(folder, plan, method, recogniser, view)
            attacker = opened.attacker(planned.spec, plan.settings.device)
            fold = folds_of(background[view].identity, plan.settings.seed)
            write_fits(place, learned_of(attacker, background[view], fold, plan.settings.seed), key)
    return anything
