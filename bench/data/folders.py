"""Lists the samples of a folder: which files count, which are passed over, and under which ids."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.core.errors import DataError
from bench.core.images import IMAGE_EXTENSIONS

_SIGNATURES: Final = (
    b"\xff\xd8\xff",
    b"\x89PNG\r\n\x1a\n",
    b"GIF87a",
    b"GIF89a",
    b"II*\x00",
    b"MM\x00*",
    b"\x00\x00\x00\x0cjP  ",
    b"P5\n",
    b"P5 ",
    b"P6\n",
    b"P6 ",
)
"""First bytes of an image whose name does not say so."""


@dataclass(slots=True)
class Listing:
    """The samples of a folder."""

    files: dict[str, Path] = field(default_factory=dict)
    """Sample id (relative path with forward slashes) -> file."""
    ignored: int = 0
    """Files that are no samples: hidden ones, texts, labels, anything that is neither called nor looks like one."""


def require_folder(path: Path, what: str) -> Path:
    """Raises a `DataError` unless ``path`` is a folder that can be listed. ``what``: how to call it in the message."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISDIR(mode):
            raise DataError(f"{what} {shown(path)} is not a folder; name the folder that holds the files")
        with os.scandir(path):
            return path
    except FileNotFoundError as error:
        raise DataError(f"{what} {shown(path)} does not exist; check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise DataError(f"{what} {shown(path)} cannot be read ({reason}); check its permissions") from error


def list_images(root: Path, *, sniff: bool) -> Listing:
    """Every image below ``root``. ``sniff``: also files without an image's extension whose first bytes are an image's.

    Raises `DataError`, see `list_files`.
    """
    return list_files(root, lambda path: _is_image(path, sniff))


def list_files(root: Path, is_sample: Callable[[Path], bool]) -> Listing:
    """Every sample below ``root``, however deep. Links to folders are not followed (they could lead anywhere).

    Raises `DataError` for a folder that cannot be listed: leaving its samples out would change the results.
    """
    found = Listing()

    def failed(error: OSError) -> None:
        name = shown(Path(os.fsdecode(error.filename or root)))
        raise DataError(f"{name} cannot be listed ({error.strerror}); check its permissions") from error

    for folder, subfolders, names in os.walk(root, onerror=failed):
        here = Path(folder)
        linked = [name for name in subfolders if (here / name).is_symlink()]
        hidden = [name for name in subfolders if is_hidden(name)]
        found.ignored += len(set(linked) | set(hidden))
        subfolders[:] = sorted(name for name in subfolders if name not in linked and name not in hidden)
        for name in sorted(names):
            path = here / name
            if is_hidden(name) or not is_sample(path):
                found.ignored += 1
                continue
            found.files[_unique(sample_id(path.relative_to(root)), found.files)] = path
    return found


def sample_id(relative: Path) -> str:
    """A relative path as text: forward slashes; bytes that are not UTF-8 become ``\\xNN``, the same everywhere."""
    return os.fsencode(relative.as_posix()).decode("utf-8", "backslashreplace")


def shown(path: Path) -> str:
    """A path in a one-line message: quotes, newlines and undecodable bytes made visible."""
    return repr(os.fsencode(str(path)).decode("utf-8", "backslashreplace"))


def _unique(name: str, taken: dict[str, Path]) -> str:
    """Two files get one id only if one is really called ``\\xNN``; then the later one gets a mark."""
    while name in taken:
        name += "~"
    return name


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is always passed over."""
    return name.startswith(".") or name == "__MACOSX"


def _is_image(path: Path, sniff: bool) -> bool:
    if path.suffix.lower() in IMAGE_EXTENSIONS:
        return True
    if not sniff:
        return False
    try:
        # Never opens what could block (a FIFO) or lead elsewhere (a link).
        if not stat.S_ISREG(path.lstat().st_mode):
            return False
        with path.open("rb") as stream:
            head, size = stream.read(16), os.fstat(stream.fileno()).st_size
    except OSError:
        return False
    webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    bmp = head[:2] == b"BM" and int.from_bytes(head[2:6], "little") == size
    return head.startswith(_SIGNATURES) or webp or bmp
