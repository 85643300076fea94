"""Lists the samples of a folder: which files count, which are passed over, and under which ids."""

from __future__ import annotations

import codecs
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Final

from unmask.bench.core.errors import DataError, counted
from unmask.bench.core.files import is_hidden
from unmask.bench.core.images import IMAGE_EXTENSIONS
from unmask.bench.core.video import CLIP_EXTENSIONS

_SIGNATURES: Final = (
    *(b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"II*\x00", b"MM\x00*"),
    *(b"\x00\x00\x00\x0cjP  ", b"P5\n", b"P5 ", b"P6\n", b"P6 "),
)
"""First bytes of an image whose name does not say so."""

RUN_FILES: Final = ("plan.json", "estimates.json", "video-plan.json", "video-estimates.json")
_RUN_SCHEMA: Final = re.compile(rb'"schema"\s*:\s*"unmask\.(video-)?(plan|estimates)/')
_LITTER: Final = frozenset({".ds_store", "thumbs.db", "desktop.ini", "__macosx", ".localized", ".git", ".gitignore"})
"""What systems and tools leave in every folder, in lower case; not worth a note."""
_ENDING: Final = re.compile(r"\.[a-z0-9]{1,5}\Z")
_ARCHIVES: Final = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar"})
_ENDINGS_NAMED: Final = 6
MAX_TEXT_BYTES: Final = 256 << 20


@dataclass(slots=True)
class Listing:
    """The samples of a folder, and what is none."""

    files: dict[str, Path] = field(default_factory=dict)
    """Sample id (relative path with forward slashes) -> file. A linked folder whose files are counted nowhere else is
    one too: it cannot be read, and so becomes a counted row."""
    others: list[Path] = field(default_factory=list)
    """Files that are neither hidden nor called an image nor look like one."""
    linked: int = 0
    """Linked folders among ``files``."""
    skipped: Counter[str] = field(default_factory=Counter)
    """Which key of `_SKIPPED`, or litter -> files and folders that are no samples for that reason."""

    def add(self, root: Path, path: Path) -> None:
        """Two files get one id only if one is really called ``\\xNN``; then the later one gets a mark."""
        name = sample_id(path.relative_to(root))
        while name in self.files:
            name += "~"
        self.files[name] = path

    @property
    def ignored(self) -> int:
        """Files and folders that are no samples."""
        return len(self.others) + self.skipped.total()

    def notes(self, companions: Iterable[Path] = (), what: str = "images") -> list[str]:
        """What was passed over, a sentence each. ``companions``: other files that are read for what they are."""
        read = set(companions)
        notes = passed_over([path for path in self.others if path not in read], what)
        if self.linked:
            notes.append(
                f"{counted(self.linked, 'linked folder')} {_past(self.linked)} not followed, so nothing below was "
                "read; copy what it leads to (cp -RL)"
            )
        # Without their names, which may be people's: notes end up in results.
        for reason, (one, many, sentence) in _SKIPPED.items():
            if number := self.skipped[reason]:
                how_many, hold = counted(number, one, many), "holds" if number == 1 else "hold"
                notes.append(sentence.format(how_many, hold=hold, were=_past(number)))
        return notes


_SKIPPED: Final = {
    "hidden": ("hidden file or folder", "hidden files and folders", "{} {were} passed over"),
    "doubled": ("linked folder", "", "{} {were} passed over, whose files are listed at their own place"),
    "run": ("folder", "", "{} {hold} a run of unmask and {were} passed over"),
    "excluded folder": ("folder", "", "{} {hold} the outputs of a method and {were} left out"),
    "excluded file": ("file", "", "{} {hold} the outputs of a method and {were} left out"),
}
"""Why a file or folder is no sample -> one, several, and the sentence. Hidden: its name begins with a dot. Doubled: the
link leads to a folder that is listed itself. Run: it holds a run of ours. Excluded: the caller named it."""


def passed_over(names: Sequence[PurePath], what: str = "images") -> list[str]:
    """One sentence about files that are no ``what``, by the endings of their names; none without such files."""
    if not names:
        return []
    endings = sorted(Counter(_ending(name) for name in names).items(), key=lambda item: (-item[1], item[0]))
    named = [f"{count:,} {ending}" for ending, count in endings[:_ENDINGS_NAMED]]
    rest = sum(count for _, count in endings[_ENDINGS_NAMED:])
    listed = ", ".join([*named, *([f"{rest:,} with others"] if rest else [])])
    return [f"{counted(len(names), 'file')} {_past(len(names))} passed over, which cannot be read as {what}: {listed}"]


def _ending(name: PurePath) -> str:
    # A name such as "Anna.Schmidt" ends in no ending, and must not be repeated.
    ending = name.suffix.lower()
    return ending if _ENDING.match(ending) else "without an ending"


def _past(number: int) -> str:
    return "was" if number == 1 else "were"


def no_folder(path: Path) -> str:
    """What a path is that is no folder, and what to name instead."""
    if path.suffix.lower() in _ARCHIVES:
        return "is not a folder but an archive; unpack it, and name the folder that then holds the files"
    return f"is not a folder; name the folder that holds the file, {quoted(path.parent)}"


def require_folder(path: Path, what: str) -> Path:
    """Raises a `DataError` unless ``path`` is a folder that can be listed. ``what``: how to call it in the message."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISDIR(mode):
            raise DataError(f"{what} {quoted(path)} {no_folder(path)}")
        with os.scandir(path):
            return path
    except FileNotFoundError as error:
        raise DataError(f"{what} {quoted(path)} does not exist; check the path") from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not a path"
        raise DataError(f"{what} {quoted(path)} cannot be read ({reason}); check its permissions") from error


def read_text(path: Path) -> str:
    """A UTF-8 text file of a data set. Raises `DataError`, also for what is no file: a pipe would block."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise DataError(f"{path} is not a regular file; put the labels there as a text file, or take it away")
        with path.open("rb") as stream:
            data = stream.read(MAX_TEXT_BYTES + 1)
        if len(data) > MAX_TEXT_BYTES:
            raise DataError(f"{path} is larger than {MAX_TEXT_BYTES >> 20} MiB; that cannot be a labels file")
        if b"\0" in data[:100] and not data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise DataError(f"{path} holds null bytes, as UTF-16 without its mark does; save it as UTF-8")
        wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
        return data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}); check that it is there and readable") from error


def list_images(root: Path, *, sniff: bool, exclude: Sequence[Path] = ()) -> Listing:
    """Every image below ``root``. ``sniff``: also files without an image's extension whose first bytes are an image's.

    Raises `DataError`, see `list_files`.
    """
    return list_files(root, lambda path: _is_image(path, sniff), exclude)


def list_clips(root: Path, exclude: Sequence[Path] = ()) -> Listing:
    """Every file below ``root`` whose name has a clip's extension. Raises `DataError`, see `list_files`."""
    return list_files(root, lambda path: path.suffix.lower() in CLIP_EXTENSIONS, exclude)


def list_files(root: Path, is_sample: Callable[[Path], bool], exclude: Sequence[Path] = ()) -> Listing:
    """Every sample below ``root``, however deep, but for folders that hold a run of ours and what ``exclude`` names.

    Links to folders are not followed (they could lead anywhere): such a folder is listed itself.

    Raises `DataError` for a folder that cannot be listed (leaving its samples out would change the results) and where
    ``root`` is a run.
    """
    listing = Listing()
    apart = {path.resolve() for path in exclude}
    names_apart = {path.name for path in apart}

    for here, subfolders, names in walk(root):
        if _is_run(here, names):
            if here == root:
                raise DataError(f"{quoted(root)} holds a run of unmask; name the folder that holds the photos or clips")
            listing.skipped["run"] += 1
            subfolders.clear()
            continue
        subfolders[:] = [name for name in sorted(subfolders) if _enters(listing, root, here / name, apart)]
        for name in sorted(names):
            if name in names_apart and (here / name).resolve() in apart:
                listing.skipped["excluded file"] += 1
            else:
                _place(listing, root, here / name, is_sample)
    return listing


def walk(root: Path) -> Iterator[tuple[Path, list[str], list[str]]]:
    """`os.walk` that raises `DataError` for a folder that cannot be listed."""

    def failed(error: OSError) -> None:
        name = quoted(Path(os.fsdecode(error.filename or root)))
        raise DataError(f"{name} cannot be listed ({error.strerror}); check its permissions") from error

    for folder, subfolders, names in os.walk(root, onerror=failed):
        yield Path(folder), subfolders, names


def _enters(listing: Listing, root: Path, path: Path, apart: set[Path]) -> bool:
    """Whether to look into a folder; if not, it is counted."""
    if path.name.lower() in _LITTER:
        listing.skipped["litter"] += 1
    elif is_hidden(path.name):
        listing.skipped["hidden"] += 1
    elif path.is_symlink() and _listed_anyway(root, path, apart):
        listing.skipped["doubled"] += 1
    elif path.is_symlink():
        listing.linked += 1
        listing.add(root, path)
    elif apart and path.resolve() in apart:
        listing.skipped["excluded folder"] += 1
    else:
        return True
    return False


def _listed_anyway(root: Path, link: Path, apart: set[Path]) -> bool:
    """Whether what a linked folder leads to is met elsewhere on the way through ``root``."""
    try:
        target, inside = link.resolve(), root.resolve()
    except (OSError, RuntimeError):
        return False
    if not target.is_relative_to(inside) or any(is_hidden(part) for part in target.relative_to(inside).parts):
        return False
    return not any(target.is_relative_to(path) for path in apart)


def _place(listing: Listing, root: Path, path: Path, is_sample: Callable[[Path], bool]) -> None:
    if path.name.lower() in _LITTER or path.name.startswith("._"):
        listing.skipped["litter"] += 1
    elif is_hidden(path.name):
        listing.skipped["hidden"] += 1
    elif is_sample(path):
        listing.add(root, path)
    else:
        listing.others.append(path)


def _is_run(folder: Path, names: Sequence[str]) -> bool:
    """Whether a folder is one of ours: not every ``plan.json`` is."""
    for name in set(RUN_FILES).intersection(names):
        try:
            if stat.S_ISREG((folder / name).stat().st_mode):
                with (folder / name).open("rb") as stream:
                    if _RUN_SCHEMA.search(stream.read(256)):
                        return True
        except OSError:
            continue
    return False


def sample_id(relative: Path) -> str:
    """A relative path as text: forward slashes; bytes that are not UTF-8 become ``\\xNN``, the same everywhere."""
    return os.fsencode(relative.as_posix()).decode("utf-8", "backslashreplace")


def quoted(path: Path) -> str:
    """A path in a one-line message: quotes, newlines and undecodable bytes made visible."""
    return repr(os.fsencode(str(path)).decode("utf-8", "backslashreplace"))


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
