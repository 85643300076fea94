"""A whole run: plan -> prepare -> anonymize -> score -> calibrate -> reduce."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench.run.anonymize import anonymize_shard, is_anonymized
from bench.run.calibration import SHIPPED
from bench.run.config import RunConfig
from bench.run.executors import Progress, run_isolated, run_stage
from bench.run.fetching import FetchProgress, fetch_needed
from bench.run.own_calibration import measure_own_card
from bench.run.plan import CONTROL, choose_instruments, choose_metrics, make_plan, plain, settle_plan
from bench.run.prepare import prepare_shard
from bench.run.reduce import reduce_run
from bench.run.score import score_shard
from bench.run.shards import shard_jobs
from bench.store.atomic import sweep_temporaries, write_json
from bench.store.provenance import gather_provenance
from bench.store.run_folder import RunFolder
from bench.store.schemas import Plan, PlannedMetric


def run(
    config: RunConfig,
    out: Path,
    *,
    root: Path | None,
    workers: int,
    progress: Progress,
    fetch_progress: FetchProgress | None = None,
) -> RunFolder:
    """Runs ``config`` into ``out``, going on where an earlier call of the same plan stopped.

    Raises `PlanMismatchError` where ``out`` holds another plan.
    """
    plan = make_plan(config, root=root)
    folder = RunFolder(out)
    settle_plan(folder, plan)
    _stages(folder, plan, root=root, workers=workers, progress=progress, fetch_progress=fetch_progress)
    return folder


def rescore(
    folder: RunFolder,
    metrics: Sequence[str],
    instruments: Sequence[str],
    *,
    root: Path | None,
    workers: int,
    progress: Progress,
    fetch_progress: FetchProgress | None = None,
) -> RunFolder:
    """Scores a run's stored outputs again; with ``metrics`` or ``instruments`` given, with those instead of the
    plan's. Outputs are never made again, and readings that are there are used as they are."""
    plan = folder.plan
    chosen = choose_metrics(metrics or [m.name for m in plan.metrics])
    asked = instruments or ([] if metrics else [card["name"] for card in plan.instruments])
    cards = choose_instruments([metric for _, metric in chosen], asked)
    body = plan.model_dump(exclude={"schema_", "run"})
    body["metrics"] = [
        PlannedMetric(name=name, cards=[plain(c) for c in metric.cards], needs=list(metric.needs)).model_dump()
        for name, metric in chosen
    ]
    body["instruments"] = [plain(card) for card in cards]
    renewed = Plan.sealed(body)
    write_json(folder.plan_path, renewed.model_dump(mode="json", by_alias=True))
    again = RunFolder(folder.path)
    _stages(again, renewed, root=root, workers=workers, progress=progress, fetch_progress=fetch_progress, make=False)
    return again


def _stages(
    folder: RunFolder,
    plan: Plan,
    *,
    root: Path | None,
    workers: int,
    progress: Progress,
    fetch_progress: FetchProgress | None,
    make: bool = True,
) -> None:
    sweep_temporaries(folder.path)
    fetch_needed(plan, fetch_progress)
    labels = [method.label for method in plan.methods]
    run_stage("prepare", prepare_shard, shard_jobs(folder.path, plan, root), workers, progress)
    if make:
        groups = [shard_jobs(folder.path, plan, root, [label]) for label in labels]
        # The control only copies; a process of its own would cost more than it does.
        own = [g for g, m in zip(groups, plan.methods, strict=True) if m.card["name"] != CONTROL]
        control = [job for g, m in zip(groups, plan.methods, strict=True) if m.card["name"] == CONTROL for job in g]
        run_stage("control", anonymize_shard, control, 1, progress)
        run_isolated("anonymize", anonymize_shard, is_anonymized, own, workers, progress)
    run_stage("score", score_shard, shard_jobs(folder.path, plan, root, labels), workers, progress)
    if plan.settings.calibration != SHIPPED:
        measure_own_card(folder, plan, root=root, workers=workers, progress=progress)
    reduce_run(folder, plan, progress)
    write_json(folder.provenance_path, gather_provenance(plan))
