"""One reader for each layout that a data set comes in."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from unmask.bench.data.readers.base import Found, Place, Reader, Record
from unmask.bench.data.readers.celeba import read_celeba
from unmask.bench.data.readers.fairface import read_fairface
from unmask.bench.data.readers.fdf import read_fdf
from unmask.bench.data.readers.folder import read_folder
from unmask.bench.data.readers.lfw import read_lfw
from unmask.bench.data.readers.orl import read_orl
from unmask.bench.data.readers.utkface import read_utkface

READERS: Final[Mapping[str, Reader]] = {
    "folder": read_folder,
    "lfw": read_lfw,
    "utkface": read_utkface,
    "celeba": read_celeba,
    "orl": read_orl,
    "fairface": read_fairface,
    "fdf": read_fdf,
}
"""Layout (in datasets.toml) -> reader; ``packages`` has none: its photos come out of the cache."""

__all__ = ["READERS", "Found", "Place", "Reader", "Record"]
