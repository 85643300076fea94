"""Options that several commands share."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from unmask.bench.core.errors import UsageError

CHOOSING, MEASURING, CLIPS, RUNNING = "What is anonymized", "What is measured", "Of clips", "How it runs"
"""Groups of options in a command's help."""

NO_OUTPUT: Final = 3
"""Exit code of a run that measured nothing on a data set: no face in it, or a method that gave nothing usable."""

Root = Annotated[
    Path | None,
    typer.Option(
        "--root",
        help="Where local copies of data sets lie (else UNMASK_DATA).",
        show_default=False,
        rich_help_panel=RUNNING,
    ),
]
Workers = Annotated[
    int, typer.Option("--workers", min=1, help="Processes that share the work.", rich_help_panel=RUNNING)
]
ConfiguredWorkers = Annotated[
    int | None,
    typer.Option("--workers", min=1, help="Processes that share the work (default 1).", rich_help_panel=RUNNING),
]
ConfiguredOut = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="The run's folder; resumes.", show_default=False, rich_help_panel=RUNNING),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        "--time-limit",
        min=0.1,
        metavar="SECONDS",
        help="What a method may take for one image, else it is an error of that image (default 120).",
        rich_help_panel=RUNNING,
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
