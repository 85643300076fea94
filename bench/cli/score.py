"""``unmask score``: new numbers from the outputs that a run stored."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmask.bench.cli.options import NO_OUTPUT, Root, Workers, existing_root, split_names


def score(
    run: Annotated[Path, typer.Argument(help="A run's folder.", show_default=False)],
    metrics: Annotated[
        list[str] | None, typer.Option("--metrics", help="Metric names or families instead of the run's own.")
    ] = None,
    instrument: Annotated[list[str] | None, typer.Option("--instrument", help="Use only these instruments.")] = None,
    locate: Annotated[
        list[str] | None,
        typer.Option("--locate", metavar="LABEL=PATH", help="Where a data set lies that was moved; may be repeated."),
    ] = None,
    workers: Workers = 1,
    root: Root = None,
) -> None:
    """Score a run's stored outputs again; no method runs."""
    from rich.console import Console

    from unmask.bench.cli.fetch_progress import fetch_progress
    from unmask.bench.cli.progress import show_progress
    from unmask.bench.cli.summary import print_summary
    from unmask.bench.core.errors import UsageError
    from unmask.bench.run.pipeline import renew_plan, rescore
    from unmask.bench.store.documents import relocate
    from unmask.bench.store.run_folder import RunFolder

    folder, where = RunFolder.planned(run.absolute()), existing_root(root)
    for text in locate or []:
        label, equals, path = text.partition("=")
        if not equals or not path:
            raise UsageError(f"--locate {text} must be LABEL=PATH")
        relocate(folder.path, label, Path(path).expanduser().absolute())
    with fetch_progress(Console(stderr=True)) as fetching:
        plan = renew_plan(folder, split_names(metrics), split_names(instrument), progress=fetching)
    folder = rescore(folder, plan, root=where, workers=workers, progress=show_progress())
    complete = print_summary(folder)
    typer.echo(f"results: {folder.estimates_path}")
    if not complete:
        raise typer.Exit(NO_OUTPUT)
