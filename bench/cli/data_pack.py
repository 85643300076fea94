"""``unmask data pack``: a built set's faces, packed to be trained on elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def pack(
    source: Annotated[Path, typer.Argument(metavar="SET", help="What unmask data build made.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="The pack's folder.", show_default=False)],
) -> None:
    """Pack a built set for a GPU machine: faces as JPEG in parts of at most 60 MB, skin colours, LPIPS's weights."""
    from rich.console import Console

    from unmask.bench.cli.fetch_progress import fetch_progress
    from unmask.bench.core import registry
    from unmask.bench.fetch import packages

    packer = registry.face_packer()
    files = {}
    for name in packer.instruments:
        with fetch_progress(Console(stderr=True)) as progress:
            files[name] = packages.fetch_all(registry.instrument_class(name).card.files, progress=progress)
    packer.pack(source, out, files, typer.echo)
