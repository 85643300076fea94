"""The weights that come with unmask, and the files that users give instead."""

from __future__ import annotations

import hashlib
from functools import cache
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


def sha256_of(path: Path) -> str:
    """Of the file as it is now."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@cache
def _sha256(path: Path, size: int, changed: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
