"""``unmask report``: pages about finished runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from unmask.bench.store.run_folder import RunFolder

Runs = Annotated[
    list[Path], typer.Argument(metavar="RUN...", help="Folders that `unmask run` filled; one with clips alone.")
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
    from unmask.bench.core.errors import UsageError
    from unmask.bench.store.run_folder import RunFolder

    folders = [RunFolder.open(path, show_names=show_names) for path in runs]
    kinds = _kinds(folders)
    if "clips" in kinds and len(folders) > 1:
        raise UsageError("a run over clips has a report of its own; name it alone")
    if kinds == {"clips"} and with_faces:
        raise UsageError("no frame of a clip is ever shown; leave out --with-faces")
    target = out if out is not None else runs[0] / "report"
    for path in write_reports(folders, target, with_faces=with_faces, root=root):
        typer.echo(f"report: {path}")


def write_reports(
    folders: Sequence[RunFolder], target: Path, *, with_faces: bool = False, root: Path | None = None
) -> Iterator[Path]:
    """Writes the report on photos into ``target``, and the one on clips there or, where there are photos too, beside
    it; yields their first pages."""
    # Drawing libraries are slow to import, and no other command needs them.
    from unmask.reports.build import build_report
    from unmask.reports.originals import original_images
    from unmask.reports.video.build import build_video_report

    kinds = _kinds(folders)
    if "photos" in kinds:
        source = original_images(root, [folder.path for folder in folders]) if with_faces else None
        yield build_report(folders, target, with_faces=with_faces, face_source=source)
    if "clips" in kinds:
        place = target.with_name(f"{target.name}-clips") if "photos" in kinds else target
        yield build_video_report(folders[0], place)


def _kinds(folders: Sequence[RunFolder]) -> set[str]:
    return {dataset.kind for folder in folders for dataset in folder.plan.datasets}


def purge(run: Annotated[Path, typer.Argument(help="A run's folder.", show_default=False)]) -> None:
    """Remove pictures, embeddings and names from a finished run; its figures stay.

    Afterwards `unmask report` still works on it; `unmask run` and `unmask score` do not.
    """
    from unmask.bench.store.purging import purge as purge_run
    from unmask.bench.store.run_folder import RunFolder

    removed = purge_run(RunFolder.open(run.absolute()))
    typer.echo(f"removed from {run}: {', '.join(removed) or 'nothing'}; a report that lies elsewhere is not touched")
