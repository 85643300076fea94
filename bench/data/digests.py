"""sha256 of many files, remembered between runs while a file's size and time stay the same.

Every worker of a run opens its data set; without this each would read every file once more. It lies in the cache
folder and holds hashes only, of paths too, since a file's name can name a person: a wrong or missing entry costs time
or makes results count as not comparable, no more.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Final

from unmask.bench.core import files
from unmask.bench.core.errors import FetchError
from unmask.bench.fetch import cache

_WORTH_SAVING: Final = 200
"""Newly hashed files from which on the memory is written; fewer are hashed again faster than that."""
_WORTH_SAVING_BYTES: Final = 64 << 20
"""Or so many bytes of them: a clip can be large."""

_KEY: Final = re.compile(r"[0-9a-f]{64}\Z")


class DigestCache:
    """The remembered hashes of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder.absolute())
        key = _hashed(self._folder)
        self._path = cache.cache_dir() / "digests" / f"{key[:32]}.json"
        self._known = self._load()
        self._new = self._new_bytes = 0

    def sha256(self, path: Path) -> str:
        """The hex sha256 of a file. Raises ``OSError``."""
        info = path.stat()
        # The folder belongs to it: equal names in two folders must not be recognisable as equal.
        key = _hashed(f"{self._folder}\0{path}")
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
            entries = {k: v for k, v in loaded.items() if isinstance(v, list) and len(v) == 3}
            if all(_KEY.match(key) for key in entries):
                return entries
            # An earlier version wrote paths in clear.
            self._path.unlink()
        except (OSError, ValueError, AttributeError):
            pass
        return {}


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()
