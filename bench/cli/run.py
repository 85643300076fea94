"""``unmask run``: methods over data sets, scored and reported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmask.bench.cli.options import (
    CHOOSING,
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


def run(
    config: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG.toml]", help="Settings; options win over it.", show_default=False)
    ] = None,
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", "-d", help="Data set SPEC; may repeat.", rich_help_panel=CHOOSING)
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
        typer.Option("--limit", min=1, help="Only the first N images of each data set.", rich_help_panel=CHOOSING),
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
    """Run anonymizers over data sets, score them, write a leaderboard.

    Without arguments: every classical method over the demo photos. The same command goes on where a
    killed one stopped.
    Exit code 3: finished, but a data set has no face or a method gave nothing usable on it; 2: wrong usage; 1:
    another error.
    """
    from rich.console import Console

    from unmask.bench.cli.fetch_progress import fetch_progress
    from unmask.bench.cli.progress import show_progress
    from unmask.bench.cli.summary import print_summary
    from unmask.bench.core.registry import unavailable_plugins
    from unmask.bench.data.opening import refuse_nested
    from unmask.bench.run.config import load_config, read_running
    from unmask.bench.run.pipeline import get_ready, locations_for
    from unmask.bench.run.pipeline import run as run_plan
    from unmask.bench.run.settling import announce_changes
    from unmask.bench.store.run_folder import RunFolder

    asked = {
        "datasets": dataset,
        "methods": method,
        "metrics": split_names(metrics),
        "instruments": split_names(instrument),
        "limit": limit,
        "seed": seed,
        "device": device,
        "calibration": calibrate_on,
        "shard_size": shard_size,
    }
    settings = load_config(config, asked)
    carried = read_running(config, {"out": out, "workers": workers, "time_limit": time_limit}, "runs/run")
    where = existing_root(root)
    own = () if settings.calibration == "shipped" else (settings.calibration,)
    refuse_nested(carried.out, (*settings.datasets, *own), where)
    with fetch_progress(Console(stderr=True)) as fetching:
        plan = get_ready(settings, root=where, progress=fetching)
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
    if report:
        from unmask.reports.build import build_report

        typer.echo(f"report:  {build_report([folder], folder.path / 'report')}")
    if not complete:
        raise typer.Exit(NO_OUTPUT)
