"""The weights that come with unmask, and the files that users give instead."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from unmask.bench.core.errors import CheckpointError

SHIPPED: Final = "shipped"
FOLDER: Final = Path(__file__).parents[1] / "weights"


def checkpoint_path(checkpoint: str, name: str) -> Path:
    """The file of the shipped weights ``name``, or the user's. Raises CheckpointError where none is.

    ``checkpoint``: ``shipped``; ``shipped-x`` for their variant ``x``; or a path.
    """
    shipped = _is_shipped(checkpoint)
    path = (
        FOLDER / f"{name}{checkpoint.removeprefix(SHIPPED)}.safetensors" if shipped else Path(checkpoint).expanduser()
    )
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}; give the path of a file, or checkpoint={SHIPPED}")
    return path


def shown_checkpoint(checkpoint: str) -> str:
    """What a card says of it: of a user's file the name, not where it lies."""
    return checkpoint if _is_shipped(checkpoint) else Path(checkpoint).expanduser().name


def _is_shipped(checkpoint: str) -> bool:
    return re.fullmatch(rf"{SHIPPED}(-[a-z0-9]+)?", checkpoint) is not None
