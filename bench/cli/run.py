"""``unmask run``: methods over photos and clips, scored and reported; ``unmask video`` begins with other defaults."""

from __future__ import annotations

from collections.abc import Mapping
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from unmask.bench.cli.options import (
    CHOOSING,
    CLIPS,
    MEASURING,
    NO_OUTPUT,
    RUNNING,
    ConfiguredOut,
    ConfiguredWorkers,
    Root,
    TimeLimit,
    existing_root,
    split_names,
)

SETTINGS: Final[Mapping[str, str]] = {
    "dataset": "datasets",
    "method": "methods",
    "metrics": "metrics",
    "instrument": "instruments",
    "detector": "detector",
    "tracker": "trackers",
    "quality": "qualities",
    "control_quality": "control_qualities",
    "limit": "limit",
    "frames": "frames",
    "keep_audio": "keep_audio",
    "seed": "seed",
    "device": "device",
    "calibrate_on": "calibration",
    "shard_size": "shard_size",
}
"""Option -> setting of a config file."""


def run(
    config: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG.toml]", help="Settings; options win over it.", show_default=False)
    ] = None,
    dataset: Annotated[
        list[str] | None,
        typer.Option("--dataset", "-d", help="SPEC of a set of photos or clips; may repeat.", rich_help_panel=CHOOSING),
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            "-m",
            help="name, name:param=value,... or label=name:...; may be repeated.",
            rich_help_panel=CHOOSING,
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        typer.Option(
            "--metrics",
            help="Metric names or families, with commas or repeated; default: all.",
            rich_help_panel=MEASURING,
        ),
    ] = None,
    instrument: Annotated[
        list[str] | None,
        typer.Option(
            "--instrument", help="Use only these instruments, with commas or repeated.", rich_help_panel=MEASURING
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option("--limit", min=1, help="Only the first N of each data set.", rich_help_panel=CHOOSING),
    ] = None,
    detector: Annotated[
        str | None,
        typer.Option(
            "--detector",
            help="Who finds people: yolov3-tiny, yolov3:cfg=FILE,weights=FILE, ultralytics:...",
            rich_help_panel=CLIPS,
        ),
    ] = None,
    tracker: Annotated[
        list[str] | None,
        typer.Option("--tracker", help="Who follows them: deepsort, sort; may be repeated.", rich_help_panel=CLIPS),
    ] = None,
    quality: Annotated[
        list[str] | None,
        typer.Option(
            "--quality",
            help="Score every method at this quality too: matched (the source's bitrate), 56k; may repeat.",
            rich_help_panel=CLIPS,
        ),
    ] = None,
    control_quality: Annotated[
        list[str] | None,
        typer.Option(
            "--control-quality", help="The same for the control alone (default: matched).", rich_help_panel=CLIPS
        ),
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option("--frames", min=1, help="Only the first N frames of each clip.", rich_help_panel=CLIPS),
    ] = None,
    keep_audio: Annotated[
        bool | None,
        typer.Option("--keep-audio", help="Keep the sound in clips that are not lossless.", rich_help_panel=CLIPS),
    ] = None,
    out: ConfiguredOut = None,
    seed: Annotated[
        int | None, typer.Option("--seed", min=0, help="Of every random draw (default 0).", rich_help_panel=CHOOSING)
    ] = None,
    device: Annotated[
        str | None, typer.Option("--device", help="cpu (default), cuda, cuda:1.", rich_help_panel=RUNNING)
    ] = None,
    calibrate_on: Annotated[
        str | None,
        typer.Option(
            "--calibrate-on",
            help="Data set SPEC to calibrate thresholds on (default: shipped).",
            rich_help_panel=MEASURING,
        ),
    ] = None,
    shard_size: Annotated[
        int | None, typer.Option("--shard-size", min=1, help="Images per job (default 64).", rich_help_panel=RUNNING)
    ] = None,
    workers: ConfiguredWorkers = None,
    time_limit: TimeLimit = None,
    root: Root = None,
    report: Annotated[
        bool, typer.Option("--report/--no-report", help="Write the HTML report too.", rich_help_panel=RUNNING)
    ] = True,
) -> None:
    """Run anonymizers over photos and clips, score them, write a leaderboard.

    Without arguments: every classical method over the demo photos. The same command goes on where a
    killed one stopped.
    Exit code 3: finished, but a method gave nothing usable on a data set; 2: wrong usage; 1: another error.
    """
    _run(locals(), {}, "runs/run")


@wraps(run)
def video(**options: Any) -> None:
    from unmask.bench.run.config import CLIP_DATASETS, CLIP_METHODS

    _run(options, {"datasets": CLIP_DATASETS, "methods": CLIP_METHODS}, "runs/video")


video.__doc__ = """Run anonymizers over clips and score them over time: unmask run with other defaults.

    Without arguments: classical methods over two small demo clips. The same command goes on where a killed
    one stopped.
    Exit code 3: finished, but a method gave nothing usable on a data set; 2: wrong usage; 1: another error.
    """


def _run(options: Mapping[str, Any], defaults: Mapping[str, Any], default_out: str) -> None:
    """``options``: the parameters of `run`; ``defaults``: of settings that neither they nor a config file name."""
    from rich.console import Console

    from unmask.bench.cli.fetch_progress import fetch_progress
    from unmask.bench.cli.progress import show_progress
    from unmask.bench.cli.report import write_report
    from unmask.bench.cli.summary import print_summary
    from unmask.bench.core.registry import unavailable_plugins
    from unmask.bench.data.opening import refuse_nested
    from unmask.bench.run.config import load_config, read_running
    from unmask.bench.run.pipeline import get_ready, locations_for
    from unmask.bench.run.pipeline import run as run_plan
    from unmask.bench.run.settling import announce_changes
    from unmask.bench.store.run_folder import RunFolder

    listed = ("metrics", "instrument", "quality", "control_quality")
    asked = {
        setting: split_names(options[option]) if option in listed else options[option]
        for option, setting in SETTINGS.items()
    }
    settings = load_config(options["config"], asked, defaults)
    carried = read_running(
        options["config"], {name: options[name] for name in ("out", "workers", "time_limit")}, default_out
    )
    where = existing_root(options["root"])
    own = () if settings.calibration == "shipped" else (settings.calibration,)
    refuse_nested(carried.out, (*settings.datasets, *own), where)
    with fetch_progress(Console(stderr=True)) as fetching:
        plan = get_ready(settings, root=where, workers=carried.workers, progress=fetching)
    for line in unavailable_plugins():
        typer.echo(f"left out: {line}", err=True)
    locations, target = locations_for(settings), carried.out.absolute()
    for line in announce_changes(RunFolder(target), plan, locations):
        typer.echo(line, err=True)
    folder = run_plan(
        plan,
        target,
        locations=locations,
        root=where,
        workers=carried.workers,
        progress=show_progress(),
        time_limit=carried.time_limit,
    )
    complete = print_summary(folder)
    typer.echo(f"results: {folder.estimates_path}")
    if options["report"]:
        typer.echo(f"report:  {write_report([folder], folder.path / 'report')}")
    if not complete:
        raise typer.Exit(NO_OUTPUT)
