"""A whole run: plan -> prepare -> anonymize -> score -> reduce."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from unmask.bench.core import registry
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.types import FetchProgress
from unmask.bench.fetch.packages import cached, fetch_all
from unmask.bench.run.anonymize import anonymize_shard, is_anonymized, is_copied, open_contestant, spec_of
from unmask.bench.run.contestants.serving import serve
from unmask.bench.run.figures.learning import attack_jobs, attack_release
from unmask.bench.run.figures.regimes import without_idle
from unmask.bench.run.jobs.executors import Pool, Progress, Serial, open_pool, run_stage, warm_up
from unmask.bench.run.jobs.hosting import Hosts
from unmask.bench.run.jobs.shards import Workplace, output_jobs, score_jobs, shard_jobs
from unmask.bench.run.planning.auditing import planned_attackers
from unmask.bench.run.planning.choosing import (
    FACE_TRACKER,
    JUDGE,
    SHIPPED,
    calibration_for,
    choose_instruments,
    choose_metrics,
    followed_by,
    planned_metrics,
    refuse_unmeasurable,
)
from unmask.bench.run.planning.config import TIME_LIMIT_S, RunConfig
from unmask.bench.run.planning.plan import (
    kind_of,
    locations_of,
    make_plan,
    planned_methods,
    refuse_unlinked,
)
from unmask.bench.run.planning.settling import hash_evidence, is_reduced, refuse_half_made, settle_plan
from unmask.bench.run.prepare import is_prepared, prepare_shard
from unmask.bench.run.reading.restoring import learn_restorations, restore_jobs
from unmask.bench.run.reduce import reduce_run
from unmask.bench.run.score import is_scored, score_shard
from unmask.bench.store.documents import Locations, write_json
from unmask.bench.store.provenance import gather_provenance
from unmask.bench.store.purging import refuse_purged
from unmask.bench.store.run_folder import PLAN, PROVENANCE, RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.storage import sweep_temporaries


def get_ready(
    config: RunConfig,
    *,
    root: Path | None,
    workers: int = 2,
    out: Path | None = None,
    progress: FetchProgress | None = None,
) -> Plan:
    """The plan of ``config``, with everything fetched that it needs. ``workers`` and ``out``: as for `run`; where a run
    is finished there, nothing is started in advance."""
    registry.check_device(config.device)
    kinds = {kind_of(text) for text in config.datasets}
    methods = planned_methods(config.methods)
    # What is refused at once has started nothing.
    metrics = [metric for _, metric in choose_metrics(config.metrics, kinds, audited=config.audit != "none")]
    cards = choose_instruments(metrics, config.instruments, kinds)
    # In the background, while the plan is made: what the processes of methods import and, of several workers, theirs.
    imports = [serve.__module__, *(name for method in methods for name in method.card.imports)]
    if workers > 1:
        followed = (config.detector, *config.trackers, FACE_TRACKER) if "clips" in kinds else ()
        used = {JUDGE, *(card.name for card in cards), *(parse_spec(text).name for text in followed)}
        imports += [__name__, *registry.modules(used)]
    warm_up(list(dict.fromkeys(imports)), now=out is None or not _is_finished(out))
    plan = make_plan(config, methods=methods, root=root, progress=progress)
    fetch_needed(plan, progress)
    return plan


def _is_finished(out: Path) -> bool:
    try:
        return RunFolder(out).estimates_path.exists()
    except OSError:  # too long a name, for one: `run` says so
        return False


def fetch_needed(plan: Plan, progress: FetchProgress | None = None, *, methods: bool = True) -> None:
    """Fetches the files of all instruments and (unless none will run) methods of a plan that are not cached, each once:
    before any work starts, so that a run does not fail half-way for a download."""
    files = [file for card in plan.measuring for file in registry.instrument_class(card.name).card.files]
    parts = (*plan.people_parts, *([plan.face_tracker] if plan.face_tracker else []))
    files += [file for part in parts for file in part.card.files]
    files += [file for method in plan.methods if methods for file in method.card.files]
    missing = [file for file in dict.fromkeys(files) if cached(file) is None]
    if missing:
        fetch_all(missing, progress=progress)


def locations_for(config: RunConfig) -> Locations:
    """Where what a run of ``config`` reads lies on this machine."""
    return locations_of(config.datasets, config.methods, config.calibration, config.background)


def run(
    plan: Plan,
    out: Path,
    *,
    locations: Locations,
    root: Path | None,
    workers: int,
    progress: Progress,
    time_limit: float = TIME_LIMIT_S,
) -> RunFolder:
    """Runs a plan into ``out``, going on where an earlier call of the same plan stopped. A plan that adds methods or
    data sets to a finished run computes those alone. ``time_limit``: seconds that a method may take for one image; an
    image that takes longer is a failure. Raises `PlanMismatchError` where ``out`` holds another plan."""
    folder = RunFolder(out)
    settle_plan(folder, plan, locations)
    sweep_temporaries(folder.path)
    workplace = Workplace(folder.path, root)
    with open_pool(workers) as pool:
        prepare, is_done = workplace.bind(prepare_shard), workplace.bind(is_prepared)
        run_stage("prepare", prepare, shard_jobs(plan), pool, progress, is_done)
        _anonymize_all(workplace, plan, workers, pool, progress, time_limit)
        return _score(workplace, plan, pool, progress)


def _anonymize_all(
    workplace: Workplace, plan: Plan, workers: int, pool: Pool, progress: Progress, time_limit: float
) -> None:
    # The control and clips made elsewhere are only copied; processes of their own would cost more than they do.
    work, jobs = workplace.bind(anonymize_shard), output_jobs(plan)
    clips = {dataset.label for dataset in plan.datasets_of("clips")}
    copied = dict.fromkeys(job for job in jobs if workplace.bind(is_copied)(job))
    run_stage("control", work, [job for job in copied if job.dataset not in clips], Serial(), progress)
    run_stage("control of clips", work, [job for job in copied if job.dataset in clips], pool, progress)
    others = [job for job in jobs if job not in copied]
    is_done = workplace.bind(partial(is_anonymized, time_limit=time_limit))
    open_host = workplace.bind(partial(open_contestant, time_limit=time_limit))
    one_draw = set(plan.one_draw.values())
    hosts = Hosts(open_host, is_done, workers, workplace.bind(spec_of))
    run_stage("anonymize", work, [job for job in others if job.method not in one_draw], hosts, progress)
    drawn = without_idle(RunFolder(workplace.run), plan, [job for job in others if job.method in one_draw])
    if drawn:
        run_stage("anonymize people", work, drawn, hosts, progress)


def _score(workplace: Workplace, plan: Plan, pool: Pool, progress: Progress) -> RunFolder:
    """Scores and reduces what the methods have left behind. Readings that are there are used as they are. The plan and
    all that follows from it replace the former ones at the end, together."""
    folder = RunFolder(workplace.run)
    jobs = without_idle(folder, plan, score_jobs(plan))
    if restoring := restore_jobs(plan):
        run_stage("restore", workplace.bind(learn_restorations), restoring, pool, progress)
    run_stage("score", workplace.bind(score_shard), jobs, pool, progress, workplace.bind(is_scored))
    if plan.attackers:
        run_stage("attack", workplace.bind(attack_release), attack_jobs(plan), pool, progress)
    made_from = hash_evidence(folder, plan)
    if is_reduced(folder, plan, made_from):
        run_stage("reduce", lambda job: False, jobs, Serial(), progress)
        return RunFolder.open(folder.path)
    with folder.replacing_results() as results:
        write_json(results.results / PLAN, plan)
        reduce_run(results, plan, workplace.root, progress)
        # Beside the numbers, not in them: times are part of what they were made from, and differ between equal runs.
        origin = {"made_from": made_from, "estimates": results.estimates.seal}
        write_json(results.results / PROVENANCE, gather_provenance(plan) | origin)
    finished = RunFolder.open(folder.path)
    finished.next_plan.remove()
    return finished


def renew_plan(
    folder: RunFolder, metrics: Sequence[str], instruments: Sequence[str], *, progress: FetchProgress | None = None
) -> Plan:
    """The plan to score a run again by, with everything fetched that it needs: the run's own, but with ``metrics`` or
    ``instruments`` where given. Raises `StoreError` where a method of the run is being made again."""
    refuse_purged(folder)
    plan = folder.plan
    refuse_half_made(folder)
    registry.check_device(plan.settings.device)
    kinds = {dataset.kind for dataset in plan.datasets}
    audited = plan.settings.audit != "none"
    chosen = choose_metrics(metrics or [m.name for m in plan.metrics], kinds, audited=audited)
    names = instruments or ([] if metrics else [card.name for card in plan.instruments])
    before = {metric.name: metric.kinds for metric in plan.metrics}
    cards = choose_instruments([metric for _, metric in chosen], names, kinds)
    if metrics and instruments:
        refuse_unmeasurable(metrics, chosen, cards)
    body: dict[str, Any] = {
        "metrics": [
            metric if metrics else metric.model_copy(update={"kinds": before.get(metric.name, metric.kinds)})
            for metric in planned_metrics(chosen, metrics, kinds)
        ],
        "instruments": cards,
        "detector": registry.instrument_card(plan.detector.name),
        "attackers": planned_attackers(plan.settings.audit, _requested(plan)),
    }
    if plan.person_detector is not None:
        body |= followed_by(plan.person_detector.spec, [f"{t.label}={t.spec}" for t in plan.trackers])
        refuse_unlinked(plan.settings, cards)
    recognisers = [card.name for card in cards if card.role == "recogniser"]
    if plan.settings.calibration == SHIPPED:
        body["operating_points"] = calibration_for(None, recognisers)
    renewed = plan.changed(**body)
    fetch_needed(renewed, progress, methods=False)
    return renewed


def _requested(plan: Plan) -> list[str]:
    """SPECs of attackers that a run was asked for by name."""
    usual = {planned.label for planned in planned_attackers(plan.settings.audit)}
    return [
        f"{each.label}={each.spec}" for each in plan.attackers if each.label not in usual or each.spec != each.label
    ]


def rescore(folder: RunFolder, plan: Plan, *, root: Path | None, workers: int, progress: Progress) -> RunFolder:
    """Scores a run's stored outputs again, by a plan of `renew_plan`. Outputs are never made again; where that fails,
    the run stays as it was."""
    folder.propose(plan)
    workplace = Workplace(folder.path, root)
    with open_pool(workers) as pool:
        prepare, is_done = workplace.bind(prepare_shard), workplace.bind(is_prepared)
        run_stage("prepare", prepare, shard_jobs(plan), pool, progress, is_done)
        return _score(workplace, plan, pool, progress)
