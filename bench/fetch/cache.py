"""The folder that holds fetched files: one sub-folder for each content hash, so a stale file is never found.

``UNMASK_CACHE`` names the folder; otherwise it is the user's cache folder of the platform. A file lies at
``files/<sha256>/<name>``. Files appear by rename, complete or not at all, so any number of processes can share the
folder; a lock only spares the second one the download.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from unmask.bench.core.errors import FetchError
from unmask.bench.core.files import CACHE, TEMP_PREFIX, remembered_sha256, replacing_file
from unmask.bench.core.files import cache_dir as cache_dir


def content_path(sha256: str, name: str) -> Path:
    """Where the file with this hash lies, or would lie. ``name`` is its base name: loaders look at the ending."""
    if len(sha256) != 64 or not all(digit in "0123456789abcdef" for digit in sha256):
        raise ValueError(f"not a lower-case sha256: {sha256!r}")
    if not name or name in (".", "..") or "/" in name or "\\" in name:
        raise ValueError(f"not a plain file name: {name!r}")
    return cache_dir() / "files" / sha256 / name


def holds(path: Path, sha256: str) -> bool:
    """Whether ``path`` is a file with these bytes. Hashes each state of a file once per process."""
    try:
        return path.is_file() and remembered_sha256(path) == sha256
    except OSError:
        return False


@contextmanager
def publishing(path: Path) -> Iterator[Path]:
    """`replacing_file`, but a cache that cannot be written to is a `FetchError` that says what to do."""
    with ExitStack() as stack:
        try:
            temp = stack.enter_context(replacing_file(path))
        except OSError as error:
            raise _unwritable(path.parent, error) from error
        yield temp


@contextmanager
def work_folder() -> Iterator[Path]:
    """A temporary folder on the cache's own disk (archives can be too large for ``/tmp``), removed afterwards."""
    root = cache_dir()
    try:
        root.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(prefix=TEMP_PREFIX, dir=root, ignore_cleanup_errors=True)
    except OSError as error:
        raise _unwritable(root, error) from error
    with folder as name:
        yield Path(name)


def sweep_temporaries(older_than: float = 86_400.0) -> None:
    """Removes what killed processes left behind, if it is older than this many seconds (younger may be in use)."""
    root, now = cache_dir(), time.time()
    for left in (*root.glob(f"{TEMP_PREFIX}*"), *root.glob(f"files/*/{TEMP_PREFIX}*")):
        with suppress(OSError):  # another process may be sweeping too
            if now - left.stat().st_mtime > older_than:
                shutil.rmtree(left) if left.is_dir() else left.unlink()


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Waits until no other process of this machine holds the lock ``name``, then holds it.

    Released by the system when a process dies. It only saves traffic: correctness rests on `publishing`.
    """
    path = cache_dir() / "locks" / (hashlib.sha256(name.encode()).hexdigest()[:32] + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(path).acquire()
    except OSError as error:
        raise _unwritable(path.parent, error) from error
    with held:
        yield


def _unwritable(folder: Path, error: OSError) -> FetchError:
    reason = error.strerror or str(error)
    return FetchError(f"cannot write to the cache folder {folder} ({reason}); set {CACHE} to a folder that you own")
