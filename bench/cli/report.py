"""``unmask report``: pages about finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from unmask.bench.cli.options import Root, existing_root

Runs = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders that `unmask run` filled.")]
Out = Annotated[
    Path | None, typer.Option("--out", help="Where the report goes; RUN/report (of the first run) if not given.")
]
WithFaces = Annotated[
    bool, typer.Option("--with-faces", help="Show originals and outputs, where the data's licence allows it.")
]
ShowNames = Annotated[
    bool, typer.Option("--show-names", help="Call photos and people by their own names, not by pseudonyms.")
]


def report(
    runs: Runs, out: Out = None, with_faces: WithFaces = False, root: Root = None, show_names: ShowNames = False
) -> None:
    """Write a leaderboard with its pages: one static folder that needs nothing from outside."""
    from unmask.bench.store.run_folder import RunFolder

    folders, where = [RunFolder.open(path, show_names=show_names) for path in runs], existing_root(root)
    # Drawing libraries are slow to import: not before the runs are known to be there.
    from unmask.reports.build import build_report
    from unmask.reports.faces import original_images

    source = original_images(where, [folder.path for folder in folders]) if with_faces else None
    target = out if out is not None else runs[0] / "report"
    typer.echo(f"report: {build_report(folders, target, with_faces=with_faces, face_source=source)}")


def purge(run: Annotated[Path, typer.Argument(help="A run's folder.", show_default=False)]) -> None:
    """Remove pictures, embeddings and names from a finished run; its figures stay.

    Afterwards `unmask report` still works on it; `unmask run` and `unmask score` do not.
    """
    from unmask.bench.store.purging import purge as purge_run
    from unmask.bench.store.run_folder import RunFolder

    removed = purge_run(RunFolder.open(run.absolute()))
    typer.echo(f"removed from {run}: {', '.join(removed) or 'nothing'}; a report that lies elsewhere is not touched")
