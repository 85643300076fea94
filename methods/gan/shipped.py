"""The weights that come with unmask, and the files that users give instead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from bench.core.errors import CheckpointError

SHIPPED: Final = "shipped"
FOLDER: Final = Path(__file__).parents[1] / "weights"


def checkpoint_path(checkpoint: str, name: str) -> Path:
    """The file of the shipped weights ``name``, or the user's. Raises CheckpointError where none is.

    ``checkpoint``: ``shipped``; ``shipped-x`` for their variant ``x``; or a path.
    """
    shipped = is_shipped(checkpoint)
    path = (
        FOLDER / f"{name}{checkpoint.removeprefix(SHIPPED)}.safetensors" if shipped else Path(checkpoint).expanduser()
    )
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}; give the path of a file, or checkpoint={SHIPPED}")
    return path


def is_shipped(checkpoint: str) -> bool:
    """Whether it names weights that come with unmask."""
    return re.fullmatch(rf"{SHIPPED}(-[a-z0-9]+)?", checkpoint) is not None
