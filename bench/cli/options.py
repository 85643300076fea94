"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from bench.core.errors import UsageError

NO_OUTPUT: Final = 3
"""Exit code of a run in which a method gave nothing usable on a whole data set."""

Root = Annotated[
    Path | None,
    typer.Option("--root", help="Where local copies of data sets lie (else UNMASK_DATA).", show_default=False),
]
Workers = Annotated[int, typer.Option("--workers", min=1, help="Processes that share the work.")]
TimeLimit = Annotated[
    float,
    typer.Option(
        "--time-limit",
        min=0.1,
        metavar="SECONDS",
        help="What a method may take for one image; what takes longer is an error of that image.",
    ),
]


def existing_root(root: Path | None) -> Path | None:
    """Raises `UsageError` where ``--root`` names no folder."""
    if root is not None and not all(Path(part).is_dir() for part in str(root).split(os.pathsep)):
        raise UsageError(f"--root {root} is not a folder")
    return root.absolute() if root is not None and os.pathsep not in str(root) else root


def split_names(given: list[str] | None) -> list[str]:
    """``["a,b", "c"]`` -> ``["a", "b", "c"]``: names may be separated by commas, or the option repeated."""
    return [name.strip() for text in given or [] for name in text.split(",") if name.strip()]
