"""``unmask split``: what an audit needs of an anonymizer that only others can run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from unmask.bench.cli.options import Root, existing_root

app = typer.Typer(help="The photos of an audit, for anonymizers that cannot be run here.", no_args_is_help=True)


class Level(StrEnum):
    QUICK = "quick"
    FULL = "full"


@app.callback()
def _group() -> None:
    """Keeps ``export`` a command of its own: typer would make an app of one command that command."""


@app.command()
def export(
    dataset: Annotated[str, typer.Option("--dataset", "-d", metavar="SPEC", help="The photos that are tested.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="A new or empty folder.")],
    background: Annotated[
        list[str] | None,
        typer.Option(
            metavar="SPEC",
            help="Photos of other people that attackers learn from; may repeat. Without: the other half of a data set "
            "that has halves.",
            show_default=False,
        ),
    ] = None,
    audit: Annotated[Level, typer.Option(help="Of the run to come: a quick one learns from fewer photos.")] = (
        Level.QUICK
    ),
    limit: Annotated[
        int | None, typer.Option(min=1, help="Only the first N photos, as of the run to come.", show_default=False)
    ] = None,
    root: Root = None,
) -> None:
    """Write out all photos that an anonymizer must be given for an audit, under neutral names and without metadata.

    Anonymize each folder elsewhere; outputs:dir=...,background=...,enrolment=...,split=FOLDER/split.json reads them.
    """
    from unmask.bench.cli.progress import show_progress
    from unmask.bench.core.errors import counted
    from unmask.bench.core.settings import validated
    from unmask.bench.core.split import PARTS
    from unmask.bench.run.exporting import export_split
    from unmask.bench.run.planning.config import RunConfig

    values = {"datasets": (dataset,), "background": tuple(background or ()), "audit": audit.value, "limit": limit}
    exported = export_split(validated(RunConfig, values), out, root=existing_root(root), progress=show_progress())
    for part in PARTS:
        if photos := exported.photos(part):
            typer.echo(f"{out / part}: {counted(photos, 'photo')}")
    if not exported.photos("background"):
        typer.echo("no background people: attackers who learn cannot be tried; name some with --background")
    if exported.unreadable:
        typer.echo(f"not written, since unreadable: {counted(exported.unreadable, 'photo')}")
    typer.echo(f"what to do next: {out / 'README.txt'}")
