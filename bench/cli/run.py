"""``unmask run``: methods over photos and clips, scored and reported; ``unmask video`` begins with other defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import typer

from unmask.bench.cli.options import NO_OUTPUT, Config, Report, Root, existing_root

if TYPE_CHECKING:
    from unmask.bench.run.planning.config import RunConfig, Running

VIDEO_HELP: Final = """Run anonymizers over clips and score them over time: unmask run with other defaults.

Without arguments: classical methods over two small demo clips. The same command goes on where a killed one stopped.
Exit code 3: finished, but a method gave nothing usable on a data set; 2: wrong usage; 1: another error.
"""


def run(settings: RunConfig, running: Running, config: Config = None, root: Root = None, report: Report = True) -> None:
    """Run anonymizers over photos and clips, score them, write a leaderboard.

    Without arguments: twelve methods over the demo photos, all usual metrics, every instrument that is on by default.
    The same command goes on where a killed one stopped.
    Exit code 3: finished, but a method gave nothing usable on a data set; 2: wrong usage; 1: another error.
    """
    from unmask.bench.cli.progress import fetch_progress, show_progress
    from unmask.bench.cli.summary import print_summary
    from unmask.bench.core.registry import unavailable_plugins
    from unmask.bench.data.opening import refuse_nested
    from unmask.bench.run.pipeline import get_ready, locations_for
    from unmask.bench.run.pipeline import run as run_plan
    from unmask.bench.run.planning.settling import announce_changes
    from unmask.bench.store.run_folder import RunFolder

    where = existing_root(root)
    own = () if settings.calibration == "shipped" else (settings.calibration,)
    refuse_nested(running.out, (*settings.datasets, *own), where)
    with fetch_progress() as fetching:
        plan = get_ready(settings, root=where, workers=running.workers, out=running.out, progress=fetching)
    for line in unavailable_plugins():
        typer.echo(f"left out: {line}", err=True)
    locations, target = locations_for(settings), running.out.absolute()
    for line in announce_changes(RunFolder(target), plan, locations):
        typer.echo(line, err=True)
    folder = run_plan(
        plan,
        target,
        locations=locations,
        root=where,
        workers=running.workers,
        progress=show_progress(),
        time_limit=running.time_limit,
    )
    complete = print_summary(folder)
    typer.echo(f"results: {folder.estimates_path}")
    if report:
        from unmask.reports.build import build_report

        typer.echo(f"report:  {build_report([folder], folder.path / 'report')}")
    if not complete:
        raise typer.Exit(NO_OUTPUT)
