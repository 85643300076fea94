"""Stage attack: every attacker who knows a method learns about it, from background people's photos."""

from __future__ import annotations

from unmask.bench.core.evidence import Background
from unmask.bench.run.figures.attacking import attacker_of, folds_of, learned_of
from unmask.bench.run.figures.audit import audited, background_keys, background_of_method, fits_key_of, fits_place
from unmask.bench.run.jobs.shards import Job, ShardJob
from unmask.bench.store.fits import fits_key, write_fits
from unmask.bench.store.schemas import Plan


def attack_jobs(plan: Plan) -> list[Job]:
    """One job for each method whose releases of photos attackers look at, of each data set."""
    if not plan.attackers or not plan.recognisers:
        return []
    return [
        Job(dataset.label, 0, label, plan.run, f"{label} {dataset.label}")
        for dataset in plan.datasets_of("photos")
        for label in audited(plan)
    ]


def attack_release(job: ShardJob) -> bool:
    """Has every attacker of the plan learn about the job's method; False if all of it was there."""
    anything = False
    seed = job.plan.settings.seed
    for recogniser in job.plan.recognisers:
        tables = background_keys(job.folder, job.plan, job.method, recogniser)
        background: Background | None = None
        for planned in job.plan.attackers:
            place = fits_place(job.folder, job.dataset, job.method, planned, recogniser)
            key = fits_key_of(planned, recogniser, tables, seed)
            if fits_key(place) == key:
                continue
            anything = True
            if background is None:
                background = background_of_method(job.folder, job.plan, job.method, recogniser)
            fold = folds_of(background.identity, seed)
            write_fits(place, learned_of(attacker_of(planned.spec), background, fold, seed), key)
    return anything
