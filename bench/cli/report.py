"""``unmask report``: pages about finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Runs = Annotated[list[Path], typer.Argument(metavar="RUN...", help="Folders that `unmask run` filled.")]
Out = Annotated[
    Path | None, typer.Option("--out", help="Where the report goes; RUN/report (of the first run) if not given.")
]
WithFaces = Annotated[
    bool, typer.Option("--with-faces", help="Show originals and outputs, where the data's licence allows it.")
]
Root = Annotated[
    Path | None, typer.Option("--root", help="Where local copies of data sets lie (only for --with-faces).")
]


def report(runs: Runs, out: Out = None, with_faces: WithFaces = False, root: Root = None) -> None:
    """Write a leaderboard with its pages: one static folder that needs nothing from outside."""
    # Drawing libraries are slow to import, and no other command needs them.
    from bench.store.run_folder import RunFolder
    from reports.build import build_report
    from reports.originals import original_images

    folders = [RunFolder.open(path) for path in runs]
    index = build_report(
        folders,
        out if out is not None else runs[0] / "report",
        with_faces=with_faces,
        face_source=original_images(root) if with_faces else None,
    )
    typer.echo(f"report: {index}")
