"""``unmask reproduce``: a published evaluation, run again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from unmask.bench.cli.options import WAY_OF_RUNNING, Report, Root, existing_root, settings_command

if TYPE_CHECKING:
    from unmask.bench.run.planning.config import Running
    from unmask.bench.study.thesis import ThesisSettings

app = typer.Typer(help="Published evaluations, run again.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Published evaluations, run again."""


@settings_command(
    app,
    "thesis",
    "unmask.bench.study.thesis:ThesisSettings",
    WAY_OF_RUNNING,
    without=("time_limit",),
    defaults={"out": "runs/thesis"},
)
def thesis(settings: ThesisSettings, running: Running, root: Root = None, report: Report = True) -> None:
    """The thesis's protocol (chapter 4): its tables beside ours, its hypotheses decided by interval.

    Parts: none, deepprivacy, dp-att, dp-att-s-dark, dp-att-s-light, dp-att-s-l1-dark, dp-att-s-l1-light, dp-stargan,
    attgan, stargan, croft, chen. Parts whose method is not here are left out, and the page says so.
    """
    from unmask.bench.cli.progress import fetch_progress, show_progress
    from unmask.bench.cli.summary import print_summary
    from unmask.bench.data.opening import refuse_nested
    from unmask.bench.study.thesis import choose_methods, prepare_thesis, run_thesis

    cast = choose_methods(settings.methods)
    for role, reason in cast.left_out.items():
        if not settings.methods:
            typer.echo(f"left out: {role}: {reason}", err=True)
    where = existing_root(root)
    refuse_nested(running.out, settings.datasets, where)
    with fetch_progress() as fetching:
        prepared = prepare_thesis(
            cast, settings, root=where, workers=running.workers, progress=show_progress(), fetching=fetching
        )
    photos, source = len(prepared.plan.datasets[0].samples), settings.datasets[0]
    typer.echo(f"test set: {photos:,} photos of {source}, balanced by age group and gender", err=True)
    for dataset in prepared.plan.datasets[1:]:
        typer.echo(f"wider photos: {len(dataset.samples):,} of {dataset.spec}", err=True)
    for spec, reason in prepared.reproduction.wide_left_out.items():
        typer.echo(f"no wider photos of {spec}: {reason}", err=True)
    target = running.out.absolute()
    folder = run_thesis(prepared, target, root=where, workers=running.workers, progress=show_progress())
    print_summary(folder)
    typer.echo(f"results: {folder.estimates_path}")
    if report:
        from unmask.reports.build import build_report

        index = build_report([folder], folder.path / "report")
        typer.echo(f"report:  {index}")
        typer.echo(f"thesis:  {index.with_name('thesis.html')}")
