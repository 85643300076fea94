"""Files: published so that a killed process never leaves half of one, and told apart by hashes, as values are."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

TEMP_PREFIX = ".tmp-"
"""Begins the name of what is not published yet; the owner of the folder may remove it."""
MAX_FILE_BYTES: Final = 1 << 30
"""No encoded image that we would decode is larger."""
CACHE: Final = "UNMASK_CACHE"


def cache_dir() -> Path:
    """The cache folder (it need not exist yet): ``$UNMASK_CACHE``, else the platform's user cache folder."""
    import platformdirs  # not on GPU machines, which have torch and little else

    chosen = os.environ.get(CACHE, "").strip()
    if chosen:
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_cache_dir("unmask", appauthor=False))


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is always passed over."""
    return name.startswith(".") or name == "__MACOSX"


def refusal(root: Path, path: Path, limit: int | None = MAX_FILE_BYTES) -> str:
    """Why a path below ``root`` is not opened at all; '' = it may be. A FIFO would block, a link could lead anywhere.

    ``limit``: most bytes that it may have.
    """
    try:
        outside = path.is_symlink() and not path.resolve().is_relative_to(root.resolve())
        if path.is_symlink() and path.is_dir():
            return "a linked folder, which is not followed" + ("; it leads outside the folder" if outside else "")
        if outside:
            return "a link that leads outside the folder"
        info = path.stat()
    except (OSError, RuntimeError) as error:
        return f"cannot be read ({getattr(error, 'strerror', None) or 'a link that leads nowhere'})"
    if not stat.S_ISREG(info.st_mode):
        return "not a regular file"
    return f"file larger than {limit >> 20} MiB" if limit is not None and info.st_size > limit else ""


def temp_prefix() -> str:
    """`TEMP_PREFIX` with the number of this process, so that a sweep leaves alone what another one is writing."""
    return f"{TEMP_PREFIX}{os.getpid()}-"


@contextmanager
def replacing_file(path: Path, *, private: bool = False) -> Iterator[Path]:
    """Yields a temp path in the same folder; renames it to ``path`` on success, removes it otherwise.

    ``private``: only the owner may read the file, and the folders that are made for it.
    """
    make_folder(path.parent, private=private)
    handle, name = tempfile.mkstemp(prefix=temp_prefix(), dir=path.parent)
    os.close(handle)
    temp = Path(name)
    try:
        yield temp
        # mkstemp makes private files; caches and what is exported are meant to be shared like any other file.
        temp.chmod(0o600 if private else 0o644)
        temp.replace(path)
    finally:
        temp.unlink(missing_ok=True)


def make_folder(path: Path, *, private: bool) -> None:
    """Makes a folder, and those above it that are missing; ``private``: for the owner alone, whatever the umask is."""
    if path.is_dir():
        return
    make_folder(path.parent, private=private)
    path.mkdir(exist_ok=True)
    if private:
        path.chmod(0o700)


def sha256_of(path: Path) -> str:
    """The lower-case hex sha256 of a file's bytes, read now. Raises OSError."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def remembered_sha256(path: Path) -> str:
    """The same, but each state of a file is hashed once per process: weights can have hundreds of megabytes."""
    info = path.stat()
    return _sha256_of_state(path, info.st_size, info.st_mtime_ns, info.st_ino)


@lru_cache(maxsize=4096)
def _sha256_of_state(path: Path, size: int, mtime_ns: int, inode: int) -> str:
    return sha256_of(path)


def canonical_json(value: Any) -> str:
    """Sorted keys, no white space, no NaN; equal values give equal text. Raises ValueError on NaN or infinity."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """sha256 (hex) of the canonical JSON of ``value``."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()
