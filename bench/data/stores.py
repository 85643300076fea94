"""Where the bytes of samples lie: a folder, a zip read in place, or single files of the cache."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from unmask.bench.core.errors import DataError, ImageError
from unmask.bench.core.files import is_hidden
from unmask.bench.data.digests import DigestCache

MAX_FILE_BYTES: Final = 1 << 30
"""No encoded image that we would decode is larger."""
_ARCHIVE_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError, ValueError)


class Store(Protocol):
    """Bytes by sample id."""

    def names(self) -> list[str]:
        """Every id it has, sorted."""

    def read(self, name: str) -> bytes:
        """The encoded image. Raises `ImageError` with a reason."""

    def digests(self) -> Mapping[str, str]:
        """Content fingerprint of every id; a file that cannot be read has one that says so."""


class FileStore:
    """Files of a folder, by id; nothing outside ``root`` is read."""

    def __init__(self, root: Path, files: Mapping[str, Path]) -> None:
        self._root, self._files = root, dict(files)

    def names(self) -> list[str]:
        return sorted(self._files)

    def read(self, name: str) -> bytes:
        if name not in self._files:
            raise ImageError("named in the labels, but there is no such file")
        path = self._files[name]
        reason = refusal(self._root, path)
        if reason:
            raise ImageError(reason)
        try:
            return path.read_bytes()
        except OSError as error:
            raise ImageError(f"cannot be read ({error.strerror or 'input/output error'})") from error

    def digests(self) -> Mapping[str, str]:
        known = DigestCache(self._root)
        found = {}
        for name, path in self._files.items():
            reason = refusal(self._root, path)
            try:
                found[name] = f"none:{reason}" if reason else f"sha256:{known.sha256(path)}"
            except OSError as error:
                found[name] = f"none:{error.strerror}"
        known.save()
        return found


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


class CacheStore:
    """Files that were verified when they were fetched, with the sha256 they were verified against."""

    def __init__(self, files: Mapping[str, tuple[Path, str]]) -> None:
        self._files = dict(files)

    def names(self) -> list[str]:
        return sorted(self._files)

    def read(self, name: str) -> bytes:
        path, sha256 = self._files[name]
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ImageError(f"cannot be read ({error.strerror or 'input/output error'})") from error
        if hashlib.sha256(data).hexdigest() != sha256:
            raise ImageError("the cached file has been changed since it was fetched")
        return data

    def digests(self) -> Mapping[str, str]:
        return {name: f"sha256:{sha256}" for name, (_, sha256) in self._files.items()}


class ZipStore:
    """Members of a zip, read in place. ``path`` must exist. Raises `DataError` if it is no zip."""

    def __init__(self, path: Path, keep: frozenset[str]) -> None:
        """``keep``: lower-case extensions, with the dot, of the members that count."""
        self._path = path
        self._handle: tuple[int, zipfile.ZipFile] | None = None
        try:
            members = self._open().infolist()
        except _ARCHIVE_ERRORS as error:
            raise DataError(f"{path} cannot be read as a zip ({error}); get it again") from error
        files = [info for info in members if not info.is_dir()]
        visible = [info for info in files if not any(map(is_hidden, info.filename.split("/")))]
        self._members = {i.filename: i for i in visible if PurePosixPath(i.filename).suffix.lower() in keep}
        self.hidden = len(files) - len(visible)
        self.others = [PurePosixPath(i.filename) for i in visible if i.filename not in self._members]
        """Members that are neither hidden nor images."""

    def names(self) -> list[str]:
        return sorted(self._members)

    def read(self, name: str) -> bytes:
        if name not in self._members:
            raise ImageError("named in the labels, but there is no such file")
        info = self._members[name]
        if info.file_size > MAX_FILE_BYTES:
            raise ImageError(f"file larger than {MAX_FILE_BYTES >> 20} MiB")
        try:
            with self._open().open(info) as stream:
                data = stream.read(info.file_size + 1)
        except _ARCHIVE_ERRORS as error:
            raise ImageError("damaged in the archive") from error
        if len(data) != info.file_size:
            raise ImageError("damaged in the archive")
        return data

    def digests(self) -> Mapping[str, str]:
        return {name: f"crc32:{info.CRC:08x}:{info.file_size}" for name, info in self._members.items()}

    def _open(self) -> zipfile.ZipFile:
        # A forked worker shares its parent's file position: each process opens the file for itself.
        if self._handle is None or self._handle[0] != os.getpid():
            self._handle = (os.getpid(), zipfile.ZipFile(self._path))
        return self._handle[1]
