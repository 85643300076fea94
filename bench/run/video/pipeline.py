"""A whole run over clips."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from unmask.bench.core import registry
from unmask.bench.core.cards import PackageFile
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.types import FetchProgress
from unmask.bench.run.calling import TIME_LIMIT_S
from unmask.bench.run.executors import Progress, run_stage, shared_pool, warm_up
from unmask.bench.run.fetching import fetch_missing
from unmask.bench.run.hosting import run_hosted
from unmask.bench.run.plan import CONTROL
from unmask.bench.run.settling import compare_plans, settle
from unmask.bench.run.video.anonymize import anonymize_clip, is_clip_anonymized, open_clip_contestant
from unmask.bench.run.video.config import VideoConfig
from unmask.bench.run.video.given import is_given
from unmask.bench.run.video.jobs import clip_jobs
from unmask.bench.run.video.plan import make_video_plan
from unmask.bench.run.video.prepare import prepare_clip
from unmask.bench.run.video.reduce import reduce_video
from unmask.bench.run.video.score import score_clip
from unmask.bench.store.atomic import sweep_temporaries, write_json
from unmask.bench.store.provenance import gather_provenance
from unmask.bench.store.video_folder import VideoRunFolder
from unmask.bench.store.video_schemas import VideoPlan


def get_video_ready(config: VideoConfig, *, root: Path | None, progress: FetchProgress | None = None) -> VideoPlan:
    """The plan of ``config``, with everything fetched that it needs."""
    registry.check_device(config.device)
    plan = make_video_plan(config, root=root, progress=progress)
    imports = [name for method in plan.methods for name in method.card["imports"]]
    warm_up([*registry.modules(), *dict.fromkeys(imports)])
    _fetch(plan, progress)
    return plan


def run_video(
    plan: VideoPlan,
    out: Path,
    *,
    root: Path | None,
    workers: int,
    progress: Progress,
    time_limit: float = TIME_LIMIT_S,
) -> VideoRunFolder:
    """Runs a plan into ``out``, going on where an earlier call of the same plan stopped; a clip is the unit.

    ``time_limit``: seconds that a method may take for one frame; a frame that takes longer is a failure.
    Raises `PlanMismatchError` where ``out`` holds another plan.
    """
    folder = VideoRunFolder(out)
    settle(folder.plan_path, plan, lambda: compare_plans(folder.plan, plan))
    sweep_temporaries(folder.path)
    with shared_pool(workers) as pool:
        run_stage("prepare", prepare_clip, clip_jobs(folder.path, plan, root), pool, progress)
        groups = {m.label: clip_jobs(folder.path, plan, root, [m.label]) for m in plan.methods}
        # The control and given clips only copy; processes of their own would cost more than they do.
        safe = [m.label for m in plan.methods if m.card["name"] == CONTROL or is_given(m)]
        for label in safe:
            run_stage(f"anonymize ({label})", anonymize_clip, groups[label], pool, progress)
        contestants = [jobs for label, jobs in groups.items() if label not in safe]
        is_done = partial(is_clip_anonymized, time_limit=time_limit)
        open_host = partial(open_clip_contestant, time_limit=time_limit)
        run_hosted("anonymize", anonymize_clip, is_done, contestants, open_host, workers, progress)
        labels = [c.label for c in plan.contestants]
        run_stage("score", score_clip, clip_jobs(folder.path, plan, root, labels), pool, progress)
    reduce_video(folder, plan, root, progress)
    write_json(folder.provenance_path, gather_provenance(plan))
    return folder


def _fetch(plan: VideoPlan, progress: FetchProgress | None) -> None:
    """Everything before any work starts, so that a run does not fail half-way for a download."""
    files: list[PackageFile] = []
    for card in plan.instruments:
        files += registry.instrument_class(card["name"]).card.files
    for method in plan.methods:
        if not is_given(method):
            files += registry.create_method(parse_spec(method.spec, positional="dir")).card.files
    for part in (plan.detector, *plan.trackers, plan.face_tracker):
        files += registry.create_instrument(parse_spec(part.spec)).card.files
    fetch_missing(files, progress)
