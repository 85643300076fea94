"""Images that somebody else's anonymizer made, matched to the inputs by file name."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import ClassVar, Final

from unmask.bench.core.cards import MethodCard, Scalar
from unmask.bench.core.errors import ImageError, SpecError
from unmask.bench.core.files import is_hidden, sha256_of
from unmask.bench.core.images import IMAGE_EXTENSIONS, decode_image
from unmask.bench.core.types import Image, MethodFailure, Sample

_LOOKED_AT: Final = 50
"""Files, at most, from whose names an unknown prefix or suffix is guessed."""


@dataclass(slots=True)
class _Folder:
    """The images of a folder, by the names that inputs would have."""

    files: dict[str, Path] = field(default_factory=dict)
    """Relative path, without prefix and suffix -> the file."""
    unusable: dict[str, str] = field(default_factory=dict)
    """Relative path, without prefix and suffix -> why that file is not read."""
    links: set[str] = field(default_factory=set)
    """Relative paths of linked folders, which are not followed."""
    others: list[str] = field(default_factory=list)
    """Relative paths of images that lack the prefix or suffix."""


class StoredOutputs:
    """Reads each output from a folder. What is missing, unreadable or of another size is a counted failure.

    Parameters: ``dir``, the folder; ``prefix`` and ``suffix``, what the anonymizer adds to a name before its extension
    (``a.jpg`` -> ``a_anonymized.jpg``: ``suffix=_anonymized``); files without them are no outputs then. An input
    ``people/ann/1.jpg`` is answered by the first of these that exists: the same relative path; that path with another
    image extension; a file of the same bare name anywhere in the folder; of the same bare name with another image
    extension; then the same four regardless of capitals and of how accents are composed. Among equal bare names the one
    that shares the longest end of the path is meant. Two candidates left are a failure, never a guess; so is one
    candidate of two inputs, unless it fits one of them better: then it is that one's.
    """

    needs_names: ClassVar[bool] = True
    """It is told the photos' own names; other methods get neutral ones."""

    def __init__(self, *, dir: str, prefix: Scalar = "", suffix: Scalar = "") -> None:
        if not isinstance(dir, str):
            raise SpecError(f"outputs: dir={dir} must be a folder; write outputs:dir=./{dir}")
        self._text, self._prefix, self._suffix = dir, str(prefix), str(suffix)
        self._claims: Mapping[Path, tuple[tuple[int, int], tuple[str, ...]]] = {}
        self._expected: tuple[str, ...] = ()
        self._guess: tuple[tuple[str, ...], tuple[str, str]] | None = None
        self._dir = Path(dir).expanduser()
        if not self._dir.is_dir():
            raise SpecError(f"outputs: there is no folder {dir!r}; write outputs:dir=PATH with the anonymized images")

    @property
    def card(self) -> MethodCard:
        return MethodCard(
            name="outputs",
            version="4",
            description="Images anonymized elsewhere, read from a folder and matched by file name.",
            licence="as the images",
            source="the folder given",
            # No path: the same images are the same plan wherever they lie, and names of folders can be people's.
            params={
                "dir": "(a folder)",
                "prefix": self._prefix,
                "suffix": self._suffix,
                "images": len(self._folder.files),
                "fingerprint": self._fingerprint,
            },
            limits="Nothing is known of how the images were made. Its time is that of reading files. Images are "
            "matched by relative path or, in a folder laid out otherwise, by bare name: an image that two inputs of "
            "one data set would share is an error for both. One that two data sets would share cannot be told.",
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """Nothing to load."""

    def expect(self, ids: Sequence[str]) -> None:
        """Learns which files two inputs would share; without this call they are used twice."""
        if self._expected == tuple(ids):
            return
        claims: dict[Path, tuple[tuple[int, int], tuple[str, ...]]] = {}
        for sample_id in ids:
            rank, paths = self._candidates(sample_id)
            if len(paths) != 1:
                continue
            first, claimants = claims.get(paths[0], (rank, ()))
            if rank <= first:
                claims[paths[0]] = (rank, (*(claimants if rank == first else ()), sample_id))
        self._claims, self._expected = claims, tuple(ids)

    def mismatch(self, ids: Sequence[str]) -> str:
        """What is wrong with the folder where it answers for none of the inputs, and what to write; else ''."""
        if any(self._candidates(sample_id)[1] for sample_id in ids):
            return ""
        none = f"outputs: none of {len(ids)} inputs has an output in {self._text!r}"
        example = next(iter([*self._folder.files.values()]), None)
        name = next(iter(self._folder.others), "") if example is None else self._name(example)
        if not name and self._folder.unusable:
            file, reason = next(iter(self._folder.unusable.items()))
            return f"{none}, none of whose images can be read: {file} is {reason}; put the images themselves there"
        if not name:
            return f"{none}, which holds no images; write outputs:dir=PATH with the anonymized images"
        added = _spelled(*self._guessed(tuple(ids)))
        how = f"write outputs:dir={self._text},{added}" if added else "give outputs the names of their inputs"
        return f"{none}; the folder holds e.g. {name}; {how}"

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Sequence[Image | MethodFailure]:
        """The stored images, or why there is none."""
        return [self._one(sample) for sample in batch]

    def _one(self, sample: Sample) -> Image | MethodFailure:
        path = self._match(sample.id)
        return path if isinstance(path, MethodFailure) else read_output(path)

    def _match(self, sample_id: str) -> Path | MethodFailure:
        _, paths = self._candidates(sample_id)
        if not paths:
            return MethodFailure(self._absence(sample_id))
        if len(paths) > 1:
            return MethodFailure(f"{len(paths)} output files match: {', '.join(self._name(p) for p in paths[:3])}")
        _, claimants = self._claims.get(paths[0], ((0, 0), (sample_id,)))
        others = [other for other in claimants if other != sample_id]
        if others:
            return MethodFailure(f"the output file {self._name(paths[0])} matches {', '.join(others[:3])} too")
        return paths[0]

    def _candidates(self, sample_id: str) -> tuple[tuple[int, int], tuple[Path, ...]]:
        """How well the best fitting files of the folder fit (lower is better), and which they are; () = none does."""
        for step, key in enumerate(_KEYS):
            found = self._tables[step].get(key(sample_id), ())
            if found:
                shared = [_shared_end(sample_id, name) for name in found]
                best = tuple(n for n, length in zip(found, shared, strict=True) if length == max(shared))
                return (step, -max(shared)), tuple(self._folder.files[name] for name in best)
        return (len(_KEYS), 0), ()

    def _absence(self, sample_id: str) -> str:
        for key in _KEYS:
            reasons = [why for name, why in self._folder.unusable.items() if key(name) == key(sample_id)]
            if reasons:
                return f"output cannot be read: {reasons[0]}"
        parts = PurePosixPath(sample_id).parts[:-1]
        if any(PurePosixPath(name).name in parts for name in self._folder.links):
            return "no output file; its folder is a link and was not followed"
        prefix, suffix = self._guessed(self._expected or (sample_id,))
        if (prefix or suffix) and f"{prefix}{_bare_stem(sample_id)}{suffix}" in self._stems:
            return f"no output file; with {_spelled(prefix, suffix)} there is one"
        return "no output file"

    def _guessed(self, ids: tuple[str, ...]) -> tuple[str, str]:
        """The prefix and suffix that most of the folder's images add to the name of an input; ('', '') = none."""
        if self._guess is None or self._guess[0] != ids:
            stems = {_folded(_bare_stem(sample_id)) for sample_id in ids}
            pairs: Counter[tuple[str, str]] = Counter()
            for stem in sorted(self._stems)[:: max(len(self._stems) // _LOOKED_AT, 1)]:
                spans = [(i, j) for i in range(len(stem)) for j in range(i + 1, len(stem) + 1)]
                known = [(j - i, i, j) for i, j in spans if _folded(stem[i:j]) in stems]
                if known:
                    _, i, j = max(known)
                    pairs[stem[:i], stem[j:]] += 1
            pairs.pop(("", ""), None)
            self._guess = ids, (pairs.most_common(1)[0][0] if pairs else ("", ""))
        return self._guess[1]

    @cached_property
    def _stems(self) -> frozenset[str]:
        """Bare names of all images, as they are called."""
        return frozenset(
            _bare_stem(name) for name in [*map(self._name, self._folder.files.values()), *self._folder.others]
        )

    def _name(self, path: Path) -> str:
        return path.relative_to(self._dir).as_posix()

    @cached_property
    def _folder(self) -> _Folder:
        found, inside = _Folder(), self._dir.resolve()
        for folder, subfolders, names in os.walk(self._dir, onerror=_refuse):
            subfolders[:] = sorted(name for name in subfolders if not is_hidden(name))
            found.links |= {self._name(Path(folder, name)) for name in subfolders if Path(folder, name).is_symlink()}
            for name in sorted(names):
                path = Path(folder, name)
                if path.suffix.lower() not in IMAGE_EXTENSIONS or is_hidden(name):
                    continue
                called = self._without_affixes(path)
                if called is None:
                    found.others.append(self._name(path))
                elif path.is_symlink() and not path.resolve().is_relative_to(inside):
                    found.unusable[called] = "a link that leads outside the folder"
                elif not path.is_file():
                    found.unusable[called] = "a link that leads nowhere" if path.is_symlink() else "not a regular file"
                else:
                    found.files[called] = path
        return found

    def _without_affixes(self, path: Path) -> str | None:
        """What a file is called without prefix and suffix, relative to the folder; ``None`` = it lacks them."""
        stem, added = path.stem, len(self._prefix) + len(self._suffix)
        if len(stem) <= added or not stem.startswith(self._prefix) or not stem.endswith(self._suffix):
            return self._name(path) if not added else None
        bare = stem[len(self._prefix) : len(stem) - len(self._suffix)]
        return self._name(path.with_name(f"{bare}{path.suffix}"))

    @cached_property
    def _tables(self) -> Sequence[Mapping[str, Sequence[str]]]:
        """For each of `_KEYS`: key -> the names of the files that have it."""
        tables: list[dict[str, list[str]]] = [{} for _ in _KEYS]
        for name in self._folder.files:
            for table, key in zip(tables, _KEYS, strict=True):
                table.setdefault(key(name), []).append(name)
        return tables

    @cached_property
    def _fingerprint(self) -> str:
        """sha256 over names and contents: a changed folder is a changed plan, a copied or moved one is not."""
        total = hashlib.sha256()
        for name, path in self._folder.files.items():
            contents = ""
            with suppress(OSError):  # what cannot be read becomes a counted row
                contents = sha256_of(path)
            total.update(f"{name}\0{contents}\n".encode("utf-8", "surrogateescape"))
        return total.hexdigest()


def read_output(path: Path) -> Image | MethodFailure:
    """The image, read by the rules that inputs are read by; upright it must have its input's size.

    But for one rule: an output whose file holds more than the picture (colours under transparent pixels, further frames
    or pages, a thumbnail) is a failure, because the original face may still be there.
    """
    try:
        return decode_image(path.read_bytes(), path.name, hidden="refused")
    except (OSError, ImageError) as error:
        reason = error.reason if isinstance(error, ImageError) else error.strerror or "unreadable"
        return MethodFailure(f"output cannot be read: {reason}")


def _refuse(error: OSError) -> None:
    raise SpecError(f"outputs: {str(error.filename)!r} cannot be listed ({error.strerror}); check its permissions")


def _without_extension(name: str) -> str:
    """``a/b.jpg`` -> ``a/b``; an ending that is no image's, as in ``a/v1.2``, belongs to the name."""
    path = PurePosixPath(name)
    return str(path.with_suffix("")) if path.suffix.lower() in IMAGE_EXTENSIONS else str(path)


def _bare_stem(name: str) -> str:
    return _without_extension(PurePosixPath(name).name)


def _folded(name: str) -> str:
    """Regardless of capitals and of composed or decomposed accents."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _loosely(key: Callable[[str], str]) -> Callable[[str], str]:
    return lambda name: _folded(key(name))


_PLAIN: Final[tuple[Callable[[str], str], ...]] = (
    lambda name: str(PurePosixPath(name)),
    _without_extension,
    lambda name: PurePosixPath(name).name,
    _bare_stem,
)
_KEYS: Final = (*_PLAIN, *map(_loosely, _PLAIN))
"""What must be equal for a file to answer for an input, the best first."""


def _shared_end(first: str, second: str) -> int:
    """How many folders two paths share, counted from the end."""
    count = 0
    for a, b in zip(
        reversed(PurePosixPath(first).parts[:-1]), reversed(PurePosixPath(second).parts[:-1]), strict=False
    ):
        if _folded(a) != _folded(b):
            break
        count += 1
    return count


def _spelled(prefix: str, suffix: str) -> str:
    """As a SPEC has it: ``suffix=_anonymized``."""
    return ",".join(f"{name}={text}" for name, text in (("prefix", prefix), ("suffix", suffix)) if text)
