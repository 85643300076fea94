"""sha256 of many files, remembered between runs while a file's size and time stay the same.

Every worker of a run opens its data set; without this each would read every file once more. It lies in the cache
folder and holds hashes only: a wrong or missing entry costs time or makes results count as not comparable, no more.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Final

from bench.core import files
from bench.core.errors import FetchError
from bench.data import cache

_WORTH_SAVING: Final = 200
"""Newly hashed files from which on the memory is written; fewer are hashed again faster than that."""
_WORTH_SAVING_BYTES: Final = 64 << 20
"""Or so many bytes of them: a clip can be large."""


class DigestCache:
    """The remembered hashes of one folder."""

    def __init__(self, folder: Path) -> None:
        key = hashlib.sha256(str(folder.absolute()).encode(errors="surrogateescape")).hexdigest()
        self._path = cache.cache_dir() / "digests" / f"{key[:32]}.json"
        self._known = self._load()
        self._new = self._new_bytes = 0

    def sha256(self, path: Path) -> str:
        """The hex sha256 of a file. Raises ``OSError``."""
        info = path.stat()
        key = ascii(str(path))
        entry = self._known.get(key)
        if entry is not None and entry[:2] == [info.st_size, info.st_mtime_ns]:
            return str(entry[2])
        digest = files.sha256_of(path)
        self._known[key] = [info.st_size, info.st_mtime_ns, digest]
        self._new += 1
        self._new_bytes += info.st_size
        return digest

    def save(self) -> None:
        """Writes new hashes down; a cache folder that cannot be written only costs time."""
        if self._new < _WORTH_SAVING and self._new_bytes < _WORTH_SAVING_BYTES:
            return
        try:
            with cache.publishing(self._path) as temp:
                temp.write_text(json.dumps(self._known), encoding="ascii")
        except (FetchError, OSError):
            return
        self._new = self._new_bytes = 0

    def _load(self) -> dict[str, list[int | str]]:
        try:
            loaded = json.loads(self._path.read_text(encoding="ascii"))
            return {k: v for k, v in loaded.items() if isinstance(v, list) and len(v) == 3}
        except (OSError, ValueError, AttributeError):
            return {}
