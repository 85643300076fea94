"""``unmask report``: pages about finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Runs = Annotated[
    list[Path], typer.Argument(metavar="RUN...", help="Folders that `unmask run` filled, or one of `unmask video`.")
]
Out = Annotated[
    Path | None, typer.Option("--out", help="Where the report goes; RUN/report (of the first run) if not given.")
]
WithFaces = Annotated[
    bool, typer.Option("--with-faces", help="Show originals and outputs, where the data's licence allows it.")
]
Root = Annotated[
    Path | None, typer.Option("--root", help="Where local copies of data sets lie (only for --with-faces).")
]


ShowNames = Annotated[
    bool, typer.Option("--show-names", help="Call photos and people by their own names, not by pseudonyms.")
]


def report(
    runs: Runs, out: Out = None, with_faces: WithFaces = False, root: Root = None, show_names: ShowNames = False
) -> None:
    """Write a leaderboard with its pages: one static folder that needs nothing from outside."""
    # Drawing libraries are slow to import, and no other command needs them.
    from unmask.bench.store.run_folder import RunFolder
    from unmask.bench.store.video_folder import VideoRunFolder
    from unmask.reports.build import build_report
    from unmask.reports.originals import original_images

    if any(VideoRunFolder(path).plan_path.is_file() for path in runs):
        typer.echo(f"report: {_video_report(runs, out, with_faces)}")
        return
    folders = [RunFolder.open(path, show_names=show_names) for path in runs]
    index = build_report(
        folders,
        out if out is not None else runs[0] / "report",
        with_faces=with_faces,
        face_source=original_images(root, runs) if with_faces else None,
    )
    typer.echo(f"report: {index}")


def _video_report(runs: list[Path], out: Path | None, with_faces: bool) -> Path:
    from unmask.bench.core.errors import UsageError
    from unmask.bench.store.video_folder import VideoRunFolder
    from unmask.reports.video.build import build_video_report

    if len(runs) > 1:
        raise UsageError("a run over clips has a report of its own; name it alone")
    if with_faces:
        raise UsageError("no frame of a clip is ever shown; leave out --with-faces")
    return build_video_report(VideoRunFolder.open(runs[0]), out if out is not None else runs[0] / "report")
