"""Images that somebody else's anonymizer made, matched to the inputs by file name."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import ClassVar, Final

from unmask.bench.core.cards import MethodCard, Scalar
from unmask.bench.core.errors import ImageError, SpecError
from unmask.bench.core.files import is_hidden, sha256_of
from unmask.bench.core.images import IMAGE_EXTENSIONS, decode_image
from unmask.bench.core.names import NameMatcher, bare_name, folded
from unmask.bench.core.types import Image, MethodFailure, Sample

_LOOKED_AT: Final = 50
"""Files, at most, from whose names an unknown prefix or suffix is guessed."""


@dataclass(slots=True)
class _Folder:
    """The images of a folder; relative paths with forward slashes."""

    files: list[str] = field(default_factory=list)
    unusable: dict[str, str] = field(default_factory=dict)
    """Image -> why that file is not read."""
    links: set[str] = field(default_factory=set)
    """Linked folders, which are not followed."""


class StoredOutputs:
    """Reads each output from a folder. What is missing, unreadable or of another size is a counted failure.

    Parameters: ``dir``, the folder; ``prefix`` and ``suffix``, what the anonymizer adds to a name before its extension
    (``a.jpg`` -> ``a_anonymized.jpg``: ``suffix=_anonymized``); files without them are no outputs then. Files answer
    inputs as `bench.core.names.NameMatcher` says: by relative path, else by bare name, with the same or another image
    extension; what two files or two inputs share is a failure, never a guess.
    """

    needs_names: ClassVar[bool] = True
    """It is told the photos' own names; other methods get neutral ones."""

    def __init__(self, *, dir: str, prefix: Scalar = "", suffix: Scalar = "") -> None:
        if not isinstance(dir, str):
            raise SpecError(f"outputs: dir={dir} must be a folder; write outputs:dir=./{dir}")
        self._text, self._prefix, self._suffix = dir, str(prefix), str(suffix)
        self._expected: tuple[str, ...] = ()
        self._guess: tuple[tuple[str, ...], tuple[str, str]] | None = None
        self._dir = Path(dir).expanduser()
        if not dir or not self._dir.is_dir():
            raise SpecError(f"outputs: there is no folder {dir!r}; write outputs:dir=PATH with the anonymized images")

    @property
    def card(self) -> MethodCard:
        return MethodCard(
            name="outputs",
            version="5",
            description="Images anonymized elsewhere, read from a folder and matched by file name.",
            licence="as the images",
            source="the folder given",
            # No path: the same images are the same plan wherever they lie, and names of folders can be people's.
            params={
                "dir": "(a folder)",
                "prefix": self._prefix,
                "suffix": self._suffix,
                "images": len(self._matcher.names),
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
        if self._expected != tuple(ids):
            self._matcher.expect(ids)
            self._expected = tuple(ids)

    def mismatch(self, ids: Sequence[str]) -> str:
        """What is wrong with the folder where it answers for none of the inputs, and what to write; else ''."""
        if any(self._matcher.candidates(sample_id) for sample_id in ids):
            return ""
        none = f"outputs: none of {len(ids)} inputs has an output in {self._text!r}"
        name = next(iter([*self._matcher.names, *self._matcher.others]), "")
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
        name, reason = self._matcher.match(sample.id)
        if name:
            return read_output(self._dir / name)
        return MethodFailure(reason if self._matcher.candidates(sample.id) else self._absence(sample.id))

    def _absence(self, sample_id: str) -> str:
        unusable = self._unusable.candidates(sample_id)
        if unusable:
            return f"output cannot be read: {self._folder.unusable[unusable[0]]}"
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
            stems = {folded(_bare_stem(sample_id)) for sample_id in ids}
            pairs: Counter[tuple[str, str]] = Counter()
            for stem in sorted(self._stems)[:: max(len(self._stems) // _LOOKED_AT, 1)]:
                spans = [(i, j) for i in range(len(stem)) for j in range(i + 1, len(stem) + 1)]
                lengths = [(j - i, i, j) for i, j in spans if folded(stem[i:j]) in stems]
                if lengths:
                    _, i, j = max(lengths)
                    pairs[stem[:i], stem[j:]] += 1
            pairs.pop(("", ""), None)
            self._guess = ids, (pairs.most_common(1)[0][0] if pairs else ("", ""))
        return self._guess[1]

    @cached_property
    def _stems(self) -> frozenset[str]:
        """Bare names of all images, as they are called."""
        return frozenset(map(_bare_stem, self._folder.files))

    def _name(self, path: Path) -> str:
        return path.relative_to(self._dir).as_posix()

    @cached_property
    def _matcher(self) -> NameMatcher:
        return self._matching(self._folder.files)

    @cached_property
    def _unusable(self) -> NameMatcher:
        return self._matching(self._folder.unusable)

    def _matching(self, files: Iterable[str]) -> NameMatcher:
        return NameMatcher(files, IMAGE_EXTENSIONS, prefix=self._prefix, suffix=self._suffix)

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
                if path.is_symlink() and not path.resolve().is_relative_to(inside):
                    found.unusable[self._name(path)] = "a link that leads outside the folder"
                elif not path.is_file():
                    reason = "a link that leads nowhere" if path.is_symlink() else "not a regular file"
                    found.unusable[self._name(path)] = reason
                else:
                    found.files.append(self._name(path))
        return found

    @cached_property
    def _fingerprint(self) -> str:
        """sha256 over names and contents: a changed folder is a changed plan, a copied or moved one is not."""
        total = hashlib.sha256()
        for file, name in self._matcher.names.items():
            contents = ""
            with suppress(OSError):  # what cannot be read becomes a counted row
                contents = sha256_of(self._dir / file)
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


def _bare_stem(name: str) -> str:
    return bare_name(PurePosixPath(name).name, IMAGE_EXTENSIONS)


def _spelled(prefix: str, suffix: str) -> str:
    """As a SPEC has it: ``suffix=_anonymized``."""
    return ",".join(f"{name}={text}" for name, text in (("prefix", prefix), ("suffix", suffix)) if text)
