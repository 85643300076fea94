"""The files of clips: which ones of a folder count, in which order, and their fingerprints."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from unmask.bench.core.errors import VideoError
from unmask.bench.data.digests import DigestCache
from unmask.bench.data.folders import Listing, list_files, require_folder
from unmask.bench.data.sequences import INFO_FILE, list_sequence
from unmask.bench.data.stores import refusal

CLIP_EXTENSIONS: Final = frozenset(
    f".{ending}"
    for ending in (
        *("mp4", "m4v", "mp4v", "mov", "qt", "f4v", "3gp", "3gpp", "3g2", "insv", "lrv", "avi", "divx", "mkv", "mk3d"),
        *("webm", "gif", "mpg", "mpeg", "mpe", "mpv", "m1v", "m2v", "m2p", "vob", "ts", "m2t", "mts", "m2ts", "mod"),
        *("tod", "vro", "dvr-ms", "wtv", "wmv", "asf", "flv", "ogv", "ogm", "mxf", "dv", "dif", "dav", "amv", "rm"),
        *("rmvb", "h264", "264", "avc", "h265", "hevc", "265", "ivf", "obu", "mjpg", "mjpeg", "y4m", "nut", "r3d"),
        *("braw", "swf", "bik", "nsv"),
    )
)
"""A file with one of these (in any case) is a clip even if it is broken: it then becomes a counted row."""
MISSING: Final = "the data set names it, but there is no such file"
_NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class ClipFiles:
    """Clips by id; nothing outside ``root`` is read."""

    root: Path
    paths: Mapping[str, Path | None]
    """Clip id -> a file, a folder of images, or ``None`` where the data set names what is not there."""

    def refusal(self, name: str) -> str:
        """Why a clip is not opened at all; '' = it may be."""
        path = self.paths.get(name)
        if path is None:
            return MISSING
        if path.is_dir() and not path.is_symlink():
            inside = path.resolve().is_relative_to(self.root.resolve())
            return "" if inside else "a link that leads outside the folder"
        return refusal(self.root, path, limit=None)

    def digests(self) -> dict[str, str]:
        """Content fingerprint of every clip; one that cannot be read has one that says so."""
        known = DigestCache(self.root)
        found = {name: self._digest(name, path, known) for name, path in self.paths.items()}
        known.save()
        return found

    def _digest(self, name: str, path: Path | None, known: DigestCache) -> str:
        reason = self.refusal(name)
        if reason or path is None:
            return f"none:{reason}"
        try:
            return f"sha256:{known.sha256(path) if path.is_file() else _sequence_sha256(path, known)}"
        except VideoError as error:
            return f"none:{error.reason}"
        except OSError as error:
            return f"none:{error.strerror}"


def is_clip(path: Path) -> bool:
    """Whether a file counts as a clip, by its name alone."""
    return path.suffix.lower() in CLIP_EXTENSIONS


def list_clips(root: Path, exclude: Sequence[Path] = ()) -> Listing:
    """Every clip file below ``root``, however deep, but for the folders of ``exclude``. Raises `DataError`."""
    return list_files(require_folder(root, "the folder"), is_clip, exclude)


def clip_files(folder: Path) -> list[str]:
    """The paths of all clip files below ``folder``, relative to it, with forward slashes, in natural order.

    Raises `DataError` for a folder that cannot be listed.
    """
    found = [path.relative_to(folder).as_posix() for path in list_clips(folder).files.values()]
    return sorted(found, key=natural)


def natural(name: str) -> tuple[list[tuple[int, str]], str]:
    """Sort key by which ``clip2`` comes before ``clip10``; equal on every machine."""
    parts = [(int(part), "") if part.isdecimal() else (-1, part) for part in _NUMBER.split(name) if part]
    return parts, name


def _sequence_sha256(folder: Path, known: DigestCache) -> str:
    total = hashlib.sha256()
    _, images, _ = list_sequence(folder)
    for path in (folder / INFO_FILE, *images):
        total.update(f"{path.name}\0{known.sha256(path)}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()
