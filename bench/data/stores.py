"""Where samples lie: photos or clips in a folder, photos in a zip read in place, or single files of the cache."""

from __future__ import annotations

import hashlib
import json
import os
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from unmask.bench.core.errors import DataError, FetchError, ImageError, VideoError
from unmask.bench.core.files import MAX_FILE_BYTES, is_hidden, refusal, sha256_of
from unmask.bench.data.sequences import INFO_FILE, list_sequence
from unmask.bench.fetch import cache

MISSING: Final = "named in the labels, but there is no such file"
_ARCHIVE_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, NotImplementedError, ValueError)
_WORTH_SAVING: Final = 200
"""Newly hashed files from which on the memory is written; fewer are hashed again faster than that."""
_WORTH_SAVING_BYTES: Final = 64 << 20
"""Or so many bytes of them: a clip can be large."""

_KEY: Final = re.compile(r"[0-9a-f]{64}\Z")


class Store(Protocol):
    """Bytes by sample id."""

    def names(self) -> list[str]:
        """Every id it has, sorted."""

    def path(self, name: str) -> Path:
        """The file of a sample, or the folder of images of a clip. Raises `ImageError` with a reason."""

    def read(self, name: str) -> bytes:
        """The encoded image. Raises `ImageError` with a reason."""

    def digests(self) -> Mapping[str, str]:
        """Content fingerprint of every id; a file that cannot be read has one that says so."""


class FileStore:
    """Files of a folder by id, and folders of images (`bench.data.sequences`); nothing outside ``root`` is read."""

    def __init__(self, root: Path, files: Mapping[str, Path], limit: int | None = MAX_FILE_BYTES) -> None:
        """``limit``: most bytes of a file."""
        self._root, self._files, self._limit = root, dict(files), limit

    def names(self) -> list[str]:
        return sorted(self._files)

    def path(self, name: str) -> Path:
        if name not in self._files:
            raise ImageError(MISSING)
        path = self._files[name]
        if path.is_dir() and not path.is_symlink():
            outside = not path.resolve().is_relative_to(self._root.resolve())
            reason = "a link that leads outside the folder" if outside else ""
        else:
            reason = refusal(self._root, path, self._limit)
        if reason:
            raise ImageError(reason)
        return path

    def read(self, name: str) -> bytes:
        return _bytes(self.path(name))

    def digests(self) -> Mapping[str, str]:
        cached = DigestCache(self._root)
        digests = {name: self._digest(name, cached) for name in self._files}
        cached.save()
        return digests

    def _digest(self, name: str, cached: DigestCache) -> str:
        try:
            path = self.path(name)
            return f"sha256:{cached.sha256(path) if path.is_file() else _sequence_sha256(path, cached)}"
        except (ImageError, VideoError) as error:
            return f"none:{error.reason}"
        except OSError as error:
            return f"none:{error.strerror}"


class DigestCache:
    """sha256 of a folder's files, remembered between runs while a file's size and time stay the same.

    Every worker of a run opens its data set; without this each would read every file once more. It lies in the cache
    folder and holds hashes only, of paths too, since a file's name can name a person: a wrong or missing entry costs
    time or makes results count as not comparable, no more.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder.absolute())
        key = _hashed(self._folder)
        self._path = cache.cache_dir() / "digests" / f"{key[:32]}.json"
        self._entries = self._load()
        self._new = self._new_bytes = 0

    def sha256(self, path: Path) -> str:
        """The hex sha256 of a file. Raises ``OSError``."""
        info = path.stat()
        # The folder belongs to it: equal names in two folders must not be recognisable as equal.
        key = _hashed(f"{self._folder}\0{path}")
        entry = self._entries.get(key)
        if entry is not None and entry[:2] == [info.st_size, info.st_mtime_ns]:
            return str(entry[2])
        digest = sha256_of(path)
        self._entries[key] = [info.st_size, info.st_mtime_ns, digest]
        self._new += 1
        self._new_bytes += info.st_size
        return digest

    def save(self) -> None:
        """Writes new hashes down; a cache folder that cannot be written only costs time."""
        if self._new < _WORTH_SAVING and self._new_bytes < _WORTH_SAVING_BYTES:
            return
        try:
            with cache.publishing(self._path) as temp:
                temp.write_text(json.dumps(self._entries), encoding="ascii")
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


def _sequence_sha256(folder: Path, cached: DigestCache) -> str:
    total = hashlib.sha256()
    _, images, _ = list_sequence(folder)
    for path in (folder / INFO_FILE, *images):
        total.update(f"{path.name}\0{cached.sha256(path)}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"cannot be read ({error.strerror or 'input/output error'})") from error


class CacheStore:
    """Files that were verified when they were fetched, with the sha256 they were verified against."""

    def __init__(self, files: Mapping[str, tuple[Path, str]]) -> None:
        self._files = dict(files)

    def names(self) -> list[str]:
        return sorted(self._files)

    def path(self, name: str) -> Path:
        return self._files[name][0]

    def read(self, name: str) -> bytes:
        path, sha256 = self._files[name]
        data = _bytes(path)
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

    def path(self, name: str) -> Path:
        raise ImageError("lies in an archive; unpack it")

    def read(self, name: str) -> bytes:
        if name not in self._members:
            raise ImageError(MISSING)
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
