"""Where results lie, and how they are published: a killed process never leaves half of one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, TypeAlias

import psutil

from unmask.bench.core.errors import StoreError
from unmask.bench.core.files import TEMP_PREFIX, make_folder, replacing_file, temp_prefix


class Storage(Protocol):
    """A place for an object, or for all objects below it; ``/`` leads there.

    An object is published whole. Of objects that belong together, the one with the key is removed first and published
    last: where it is missing, the others do not count. So nothing needs to be renamed as one, which an object store
    cannot do. What cannot be written or removed is a `StoreError` that names the place.
    """

    def __truediv__(self, name: str) -> Self: ...

    @property
    def local(self) -> Path:
        """Where it can be read on this machine; there need be nothing."""

    def exists(self) -> bool: ...

    def children(self) -> list[Self]:
        """What is directly below, by name."""

    def writing(self) -> AbstractContextManager[Path]:
        """A path on this machine to write the object to; it is published on success, else removed."""

    def replacing(self, last: str) -> AbstractContextManager[Self]:
        """A place on this machine for new objects. On success they replace all that is below, ``last`` at the end; else
        they are removed."""

    def move(self, to: Self) -> None:
        """Replaces ``to`` and all below it by what is here, if there is anything."""

    def remove(self) -> None:
        """Removes what is here and below, if there is anything."""


@dataclass(frozen=True, slots=True)
class Folder:
    """A storage of files and folders on this machine."""

    local: Path
    private: bool = True
    """Only the owner may read what is written, and the folders that are made for it, whatever the umask is."""

    def __truediv__(self, name: str) -> Folder:
        return Folder(self.local / name, self.private)

    def exists(self) -> bool:
        return self.local.exists()

    def children(self) -> list[Folder]:
        return [self / path.name for path in sorted(self.local.iterdir())] if self.local.is_dir() else []

    @contextmanager
    def writing(self) -> Iterator[Path]:
        with _naming(self.local), replacing_file(self.local, private=self.private) as temp:
            yield temp

    @contextmanager
    def replacing(self, last: str) -> Iterator[Folder]:
        with _naming(self.local):
            make_folder(self.local.parent, private=self.private)
            temp = Path(tempfile.mkdtemp(prefix=temp_prefix(), dir=self.local.parent))
            temp.chmod(0o700 if self.private else 0o755)
        try:
            yield Folder(temp, self.private)
            with _naming(self.local):
                for path in temp.rglob("*") if self.private else ():
                    path.chmod(0o700 if path.is_dir() else 0o600)
                (self / last).remove()
                self.remove()
                make_folder(self.local, private=self.private)
                self.local.chmod(0o700 if self.private else 0o755)
                for path in sorted(temp.iterdir(), key=lambda path: path.name == last):
                    path.rename(self.local / path.name)
        finally:
            shutil.rmtree(temp, ignore_errors=True)

    def move(self, to: Folder) -> None:
        if not self.exists():
            return
        if self.local.is_dir() and to.local.is_file():
            raise StoreError(f"{to.local} is a file where a folder belongs; remove it and run the same command again")
        with _naming(to.local):
            if to.local.is_dir():
                shutil.rmtree(to.local)
            make_folder(to.local.parent, private=self.private)
            self.local.replace(to.local)

    def remove(self) -> None:
        with _naming(self.local, "removed"):
            if self.local.is_dir() and not self.local.is_symlink():
                shutil.rmtree(self.local)
            else:
                self.local.unlink(missing_ok=True)


Place: TypeAlias = Storage | Path
"""A path is a place in a private folder."""


def storage_at(place: Place, *, private: bool = True) -> Storage:
    """``private``: of a path."""
    return Folder(place, private) if isinstance(place, Path) else place


def sweep_temporaries(root: Path) -> None:
    """Removes what killed writers left behind below ``root``; another process may be at work there."""
    for left in list(root.rglob(f"{TEMP_PREFIX}*")):
        writer = left.name.removeprefix(TEMP_PREFIX).partition("-")[0]
        if writer.isdecimal() and int(writer) != os.getpid() and _is_running(int(writer)):
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    try:
        return psutil.Process(process).status() not in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:  # somebody else's
        return True


@contextmanager
def _naming(path: Path, done: str = "written") -> Iterator[None]:
    """Turns errors of the machine (full disk, file where a folder belongs) into a `StoreError` that names ``path``."""
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StoreError(f"{path} cannot be {done} ({reason})") from error
