"""``unmask score``: new numbers from the outputs that a run stored."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unmask.bench.cli.options import NO_OUTPUT, Root, existing_root

if TYPE_CHECKING:
    from unmask.bench.run.planning.config import Measured, Running


def score(
    run: Annotated[Path, typer.Argument(help="A run's folder.", show_default=False)],
    settings: Measured,
    running: Running,
    locate: Annotated[
        list[str] | None,
        typer.Option("--locate", metavar="LABEL=PATH", help="Where a data set lies that was moved; may repeat."),
    ] = None,
    root: Root = None,
) -> None:
    """Score a run's stored outputs again; no method runs.

    Without --metric: the run's own metrics; without --instrument: the run's own instruments.
    """
    from unmask.bench.cli.progress import fetch_progress, show_progress
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
    with fetch_progress() as fetching:
        plan = renew_plan(folder, settings.metrics, settings.instruments, progress=fetching)
    folder = rescore(folder, plan, root=where, workers=running.workers, progress=show_progress())
    complete = print_summary(folder)
    typer.echo(f"results: {folder.estimates_path}")
    if not complete:
        raise typer.Exit(NO_OUTPUT)
