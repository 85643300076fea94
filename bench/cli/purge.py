"""``unmask purge``: a run without the people in it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def purge(run: Annotated[Path, typer.Argument(help="A run's folder.", show_default=False)]) -> None:
    """Remove pictures, embeddings and names from a finished run; its figures stay.

    Afterwards `unmask report` still works on it; `unmask run` and `unmask score` do not.
    """
    from unmask.bench.store.purging import purge as purge_run
    from unmask.bench.store.run_folder import RunFolder

    removed = purge_run(RunFolder.open(run.absolute()))
    typer.echo(f"removed from {run}: {', '.join(removed) or 'nothing'}; a report that lies elsewhere is not touched")
