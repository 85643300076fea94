"""The weights that come with unmask, and the files that users give instead."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from bench.core.errors import CheckpointError

SHIPPED: Final = "shipped"
FOLDER: Final = Path(__file__).parents[1] / "weights"


def checkpoint_path(checkpoint: str, name: str) -> Path:
    """The file of ``checkpoint=shipped`` for weights ``name``, or the user's. Raises CheckpointError where none is."""
    path = FOLDER / f"{name}.safetensors" if checkpoint == SHIPPED else Path(checkpoint).expanduser()
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path}; give the path of a file, or checkpoint={SHIPPED}")
    return path
