"""Readings of originals that runs share: whoever has read the same photos with the same instruments before.

A table lies in the folder that ``UNMASK_READINGS`` names, under its key, which is a hash of photos, instrument, version
and everything else that could change it. The tables are embeddings of people's faces: the folder is its owner's alone,
and what is to be forgotten must be deleted there too. Nothing is shared where the variable is not set.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from unmask.bench.core.errors import StoreError
from unmask.bench.core.files import digest
from unmask.bench.store.storage import Storage, storage_at
from unmask.bench.store.tables import read_arrow, table_key

VARIABLE: Final = "UNMASK_READINGS"


def readings_folder() -> Path | None:
    """``None`` = runs share nothing."""
    chosen = os.environ.get(VARIABLE, "").strip()
    return Path(chosen).expanduser().absolute() if chosen else None


def borrow(folder: Storage, name: str, key: str) -> bool:
    """Copies a table that another run has made to ``folder``; False where there is none that is whole."""
    shared = _place(name, key)
    if shared is None or table_key(shared) != key:
        return False
    try:
        read_arrow(shared)
    except StoreError:
        return False  # it is read anew
    _copy(shared, folder / f"{name}.parquet")
    return True


def lend(folder: Storage, name: str, key: str) -> None:
    """Copies a run's table to where other runs find it."""
    shared = _place(name, key)
    if shared is not None and table_key(shared) != key:
        _copy(folder / f"{name}.parquet", shared)


def _place(name: str, key: str) -> Storage | None:
    folder = readings_folder()
    if folder is None:
        return None
    own = digest([name, key])
    return storage_at(folder) / own[:2] / f"{own}.parquet"


def _copy(source: Storage, target: Storage) -> None:
    with target.writing() as temp:
        shutil.copyfile(source.local, temp)
