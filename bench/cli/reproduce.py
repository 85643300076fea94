"""``unmask reproduce``: a published evaluation, run again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmask.bench.cli.options import Root, Workers, existing_root

app = typer.Typer(help="Published evaluations, run again.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Published evaluations, run again."""


@app.command()
def thesis(
    root: Root = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="The run's folder; resumes.")] = Path("runs/thesis"),
    limit: Annotated[
        int | None, typer.Option("--limit", min=8, help="At most N photos, still balanced (default: up to 1,200).")
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option("--method", "-m", help="Only these parts: PART, or PART=SPEC to let another method play it."),
    ] = None,
    dataset: Annotated[
        str, typer.Option("--dataset", "-d", help="Data set SPEC to choose the test photos from.")
    ] = "utkface:split=test",
    test_set: Annotated[
        Path | None,
        typer.Option("--test-set", help="Take the test photos of this set of `unmask data build`.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of every random draw.")] = 0,
    seeds: Annotated[
        int, typer.Option("--seeds", min=1, max=100, help="Draws averaged for deepprivacy and dp-att (H1, H2).")
    ] = 5,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1.")] = "cpu",
    workers: Workers = 1,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Write the HTML report too.")] = True,
) -> None:
    """The thesis's protocol (chapter 4): its tables beside ours, its hypotheses decided by interval.

    Parts: none, deepprivacy, dp-att, dp-att-s-dark, dp-att-s-light, dp-att-s-l1-dark, dp-att-s-l1-light, dp-stargan,
    attgan, stargan. Parts whose method is not here are left out, and the page says so.
    """
    from rich.console import Console

    from unmask.bench.cli.fetch_progress import fetch_progress
    from unmask.bench.cli.progress import show_progress
    from unmask.bench.cli.summary import print_summary
    from unmask.bench.data.opening import refuse_nested
    from unmask.bench.study.thesis import choose_methods, prepare_thesis, run_thesis

    cast = choose_methods(method or [])
    for role, reason in cast.left_out.items():
        if not method:
            typer.echo(f"left out: {role}: {reason}", err=True)
    where = existing_root(root)
    refuse_nested(out, [dataset], where)
    with fetch_progress(Console(stderr=True)) as fetching:
        prepared = prepare_thesis(
            cast,
            source=dataset,
            limit=limit,
            built=test_set,
            seed=seed,
            seeds=seeds,
            device=device,
            root=where,
            workers=workers,
            progress=show_progress(),
            fetching=fetching,
        )
    photos = len(prepared.plan.datasets[0].samples)
    typer.echo(f"test set: {photos:,} photos of {dataset}, balanced by age group and gender", err=True)
    folder = run_thesis(prepared, out.absolute(), root=where, workers=workers, progress=show_progress())
    print_summary(folder)
    typer.echo(f"results: {folder.estimates_path}")
    if report:
        from unmask.reports.build import build_report

        index = build_report([folder], folder.path / "report")
        typer.echo(f"report:  {index}")
        typer.echo(f"thesis:  {index.with_name('thesis.html')}")
