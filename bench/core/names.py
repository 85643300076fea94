"""Which file of a folder answers which input, by name alone: never a guess between two."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Final

_SHOWN: Final = 3


class NameMatcher:
    """Matches inputs to files by relative path, else by bare name; each also with another extension.

    An input ``people/ann/1.jpg`` is answered by the first of these that exists: the same path; that path with another
    extension; a file of the same bare name; of the same bare name with another extension. Of several files of one bare
    name it is the one that shares the longest end of the path. Then the same four regardless of capitals. Unicode forms
    (NFC, NFD) are one name throughout.
    """

    def __init__(
        self,
        files: Iterable[str],
        extensions: frozenset[str],
        what: str = "output file",
        *,
        prefix: str = "",
        suffix: str = "",
    ) -> None:
        """``files``: relative paths with forward slashes. ``extensions``: lower-case endings that do not belong to a
        name, with their dots. ``what``: how reasons call a file. ``prefix``, ``suffix``: what a file's bare name has
        before and behind the input's."""
        self._extensions, self._what = extensions, what
        self._prefix, self._suffix = prefix, suffix
        self._claims: dict[str, tuple[int, tuple[str, ...]]] = {}
        self._tables: tuple[dict[str, list[str]], ...] = tuple({} for _ in range(8))
        for file in files:
            for table, key in zip(self._tables, self._keys(PurePosixPath(_form(file))), strict=True):
                table.setdefault(key, []).append(file)

    def expect(self, inputs: Sequence[str]) -> None:
        """Finds the files that two of all ``inputs`` would share; without this call they are used twice."""
        self._claims = {}
        for name in inputs:
            step, files = self._candidates(name)
            if len(files) != 1:
                continue
            first, claimants = self._claims.get(files[0], (step, ()))
            if step <= first:
                self._claims[files[0]] = (step, (*(claimants if step == first else ()), name))

    def match(self, name: str) -> tuple[str, str]:
        """The file of an input and '', or '' and why there is none."""
        _, files = self._candidates(name)
        if not files:
            return "", f"no {self._what}"
        if len(files) > 1:
            return "", f"{len(files)} {self._what}s match: {', '.join(files[:_SHOWN])}"
        _, claimants = self._claims.get(files[0], (0, (name,)))
        others = [other for other in claimants if other != name]
        if others:
            return "", f"the {self._what} {files[0]} matches {', '.join(others[:_SHOWN])} too"
        return files[0], ""

    def _candidates(self, name: str) -> tuple[int, Sequence[str]]:
        """The first step that leads to a file, and where it leads."""
        path = PurePosixPath(_form(name))
        stem = self._without_extension(path.name)
        wanted = path.with_name(f"{self._prefix}{stem}{self._suffix}{path.name[len(stem) :]}")
        for step, (table, key) in enumerate(zip(self._tables, self._keys(wanted), strict=True)):
            if key in table:
                return step, _nearest(table[key], name, wanted)
        return len(self._tables), ()

    def _keys(self, path: PurePosixPath) -> tuple[str, ...]:
        stem = self._without_extension(path.name)
        keys = (str(path), str(path.with_name(stem)), path.name, stem)
        return *keys, *(key.casefold() for key in keys)

    def _without_extension(self, name: str) -> str:
        """An ending that is none of ours, as in ``v1.2``, belongs to the name."""
        ending = PurePosixPath(name).suffix
        return name.removesuffix(ending) if ending.lower() in self._extensions else name


def _nearest(files: Sequence[str], name: str, wanted: PurePosixPath) -> Sequence[str]:
    """Of several files those that share the longest end of the path; the one of exactly the name, if there is one."""
    if len(files) > 1 and name in files:
        return [name]
    shared = [_shared_end(PurePosixPath(_form(file)).parent.parts, wanted.parent.parts) for file in files]
    return [file for file, length in zip(files, shared, strict=True) if length == max(shared)]


def _shared_end(a: Sequence[str], b: Sequence[str]) -> int:
    length = 0
    while length < min(len(a), len(b)) and a[-1 - length] == b[-1 - length]:
        length += 1
    return length


def _form(name: str) -> str:
    return unicodedata.normalize("NFC", name)
