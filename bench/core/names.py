"""Which file of a folder answers which input, by name alone: never a guess between two."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Final

_LISTED_AT_MOST: Final = 3


class NameMatcher:
    """Matches inputs to files by relative path, else by bare name; each also with another extension.

    An input ``people/ann/1.jpg`` is answered by the first of these that exists: the same path; that path with another
    extension; a file of the same bare name; of the same bare name with another extension. Then the same four regardless
    of capitals. Unicode forms (NFC, NFD) are one name throughout. Of several files on one step it is the one that
    shares the longest end of the path, at first regardless of capitals, then with them, then in the same Unicode form.
    Two files left are an error, and so is one file of two inputs, unless it fits one of them better by the same order:
    then it is that one's.
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
        before and behind the input's, capitals included; files without them answer nothing."""
        self.names: dict[str, str] = {}
        """File that has the prefix and suffix -> its path without them, in the order of ``files``."""
        self.others: list[str] = []
        """Files that lack the prefix or suffix."""
        self._extensions, self._what = extensions, what
        self._claims: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {}
        self._tables: tuple[dict[str, list[str]], ...] = tuple({} for _ in range(8))
        for file in files:
            folder, _, name = file.rpartition("/")
            stem = bare_name(name, extensions)
            bare = without_affixes(stem, prefix, suffix)
            if bare is None:
                self.others.append(file)
                continue
            called = f"{bare}{name[len(stem) :]}"
            self.names[file] = f"{folder}/{called}" if folder else called
            for table, key in zip(self._tables, self._keys(self.names[file]), strict=True):
                table.setdefault(key, []).append(file)

    def expect(self, inputs: Sequence[str]) -> None:
        """Finds the files that two of all ``inputs`` would share; without this call they are used twice."""
        self._claims = {}
        for name in inputs:
            fit, files = self._best(name)
            if len(files) != 1:
                continue
            best, claimants = self._claims.get(files[0], (fit, ()))
            if fit >= best:
                self._claims[files[0]] = (fit, (*(claimants if fit == best else ()), name))

    def match(self, name: str) -> tuple[str, str]:
        """The file of an input and '', or '' and why there is none."""
        files = self.candidates(name)
        if not files:
            return "", f"no {self._what}"
        if len(files) > 1:
            return "", f"{len(files)} {self._what}s match: {', '.join(files[:_LISTED_AT_MOST])}"
        _, claimants = self._claims.get(files[0], ((), (name,)))
        others = [other for other in claimants if other != name]
        if others:
            return "", f"its {self._what} {files[0]} is also that of {', '.join(others[:_LISTED_AT_MOST])}"
        return files[0], ""

    def candidates(self, name: str) -> Sequence[str]:
        """The files that fit an input best, whether or not another input fits them better; () = none does."""
        return self._best(name)[1]

    def _best(self, name: str) -> tuple[tuple[int, ...], Sequence[str]]:
        """How well the best files fit (higher is better), and which they are."""
        for step, (table, key) in enumerate(zip(self._tables, self._keys(name), strict=True)):
            if key in table:
                fits = [self._fit(self.names[file], name) for file in table[key]]
                best = max(fits)
                return (-step, *best), [file for file, fit in zip(table[key], fits, strict=True) if fit == best]
        return (), ()

    def _fit(self, file: str, name: str) -> tuple[int, int, int]:
        """How many folders two paths share, counted from the end, by each of three standards; by the last, their bare
        names count too."""
        (*a, a_name), (*b, b_name) = PurePosixPath(file).parts, PurePosixPath(name).parts
        exact = _shared_end([*a, bare_name(a_name, self._extensions)], [*b, bare_name(b_name, self._extensions)])
        return (
            _shared_end([*map(folded, a)], [*map(folded, b)]),
            _shared_end([*map(_composed, a)], [*map(_composed, b)]),
            exact,
        )

    def _keys(self, name: str) -> tuple[str, ...]:
        path = _composed(str(PurePosixPath(name)))
        paths = path, bare_name(path, self._extensions)
        keys = *paths, *(key.rpartition("/")[2] for key in paths)
        return *keys, *map(folded, keys)


def endings(names: str) -> frozenset[str]:
    """``jpg png`` -> ``.jpg``, ``.png``."""
    return frozenset(f".{name}" for name in names.split())


def bare_name(name: str, extensions: frozenset[str]) -> str:
    """A name or path without its ending if that is one of ``extensions``; another ending, as in ``v1.2``, belongs to
    the name."""
    ending = PurePosixPath(name).suffix
    return name[: len(name) - len(ending)] if ending.lower() in extensions else name


def without_affixes(stem: str, prefix: str, suffix: str) -> str | None:
    """What is left of a bare name between a prefix and a suffix; ``None`` = it lacks them, or nothing is left.

    Affixes count in any Unicode form, capitals as they are.
    """
    if not prefix and not suffix:
        return stem
    text, prefix, suffix = _composed(stem), _composed(prefix), _composed(suffix)
    if len(text) <= len(prefix) + len(suffix) or not text.startswith(prefix) or not text.endswith(suffix):
        return None
    return text[len(prefix) : len(text) - len(suffix)]


def folded(name: str) -> str:
    """Equal for names that differ in capitals and in composed or decomposed accents only."""
    return _composed(_composed(name).casefold())


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _shared_end(a: Sequence[str], b: Sequence[str]) -> int:
    pairs = zip(reversed(a), reversed(b), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
