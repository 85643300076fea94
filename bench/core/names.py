"""Which file of a folder answers which input, by name alone: never a guess between two."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from pathlib import PurePosixPath
from typing import Final

from unmask.bench.core.cards import Scalar
from unmask.bench.core.errors import SpecError

_LISTED_AT_MOST: Final = 3
_FIELDS: Final = ("folder", "stem", "ext", "n")
_FIELD: Final = re.compile(r"\{(\w*)\}")
_PATTERN_EXAMPLE: Final = "write e.g. pattern={folder}/{stem}_anonymized.{ext}"


class OutputPattern:
    """How an anonymizer calls the output of an input, as a path below the folder of outputs.

    Literal text and, in braces: ``folder``, the input's own folder in its data set, a whole part of the path, which
    vanishes for inputs in none; ``stem``, the input's name without its ending; ``ext``, the input's own ending; ``n``,
    any digits. ``{folder}/{stem}/face_{n}.png``: the output of ``ann/1.jpg`` is ``ann/1/face_0.png``, or with another
    number. The stem must be there, and the ending: ``.{ext}``, or one that is read. A pattern without ``{folder}`` says
    that all outputs lie in one folder. Literal text counts in any Unicode form, capitals as they are.

    Raises `SpecError` for a pattern that is none, or by which a file could belong to two stems.
    """

    def __init__(self, text: str, extensions: frozenset[str]) -> None:
        """``extensions``: the endings that outputs can have, lower-case, with their dots."""
        self.text = text
        parts = text.split("/")
        pieces = [_FIELD.split(_composed(part)) for part in parts]  # literal, field, literal, ..., literal
        literals = ["".join(piece[::2]) for piece in pieces]
        fields = [piece[1::2] for piece in pieces]
        if fault := _fault(text, parts, literals, fields) or _fault_of_ending(parts[-1], fields[-1], extensions):
            raise SpecError(f"outputs: pattern={text}: {fault}; {_PATTERN_EXAMPLE}")
        self._has = {name for each in fields for name in each}
        name = literals[-1].rstrip(".") if "ext" in self._has else PurePosixPath(f"x{literals[-1]}").stem[1:]
        self.tells_apart = any(re.search(r"[^\W\d_]", literal) for literal in (*literals[:-1], name))
        """Whether outputs have letters in their paths that inputs need not have."""
        self._expression = re.compile(_expression(pieces), re.DOTALL)

    def called(self, file: str) -> str | None:
        """What `wanted` says of the inputs that a file answers; ``None`` = the pattern does not fit it."""
        match = self._expression.fullmatch(_composed(file))
        if match is None:
            return None
        said = match.groupdict()
        name = f"{said['stem']}.{said['ext']}" if "ext" in said else said["stem"]
        return f"{said['folder']}/{name}" if said.get("folder") else str(name)

    def wanted(self, name: str, extensions: frozenset[str]) -> str:
        """Of an input's path that which its output's path repeats."""
        folder, _, last = str(PurePosixPath(name)).rpartition("/")
        kept = last if "ext" in self._has else bare_name(last, extensions)
        return f"{folder}/{kept}" if folder and "folder" in self._has else kept


class NameMatcher:
    """Matches inputs to files by relative path, else by bare name; each also with another extension.

    An input ``people/ann/1.jpg`` is answered by the first of these that exists: the same path; that path with another
    extension; a file of the same bare name; of the same bare name with another extension. Then the same four regardless
    of capitals. Unicode forms (NFC, NFD) are one name throughout. Of several files on one step it is the one that
    shares the longest end of the path, at first regardless of capitals, then with them, then in the same Unicode form.
    Two files left are an error, and so is one file of two inputs, unless it fits one of them better by the same order:
    then it is that one's. With a pattern only files count whose whole path is as it says.
    """

    def __init__(
        self,
        files: Iterable[str],
        extensions: frozenset[str],
        what: str = "output file",
        *,
        prefix: str = "",
        suffix: str = "",
        pattern: OutputPattern | None = None,
    ) -> None:
        """``files``: relative paths with forward slashes. ``extensions``: lower-case endings that do not belong to a
        name, with their dots. ``what``: how reasons call a file. ``prefix``, ``suffix``: what a file's bare name has
        before and behind the input's, capitals included; files without them answer nothing. ``pattern``: in place of
        these the whole path."""
        self.names: dict[str, str] = {}
        """File that has the prefix and suffix, or fits the pattern -> its path without what these add, in the order of
        ``files``."""
        self.others: list[str] = []
        """Files that lack the prefix or suffix, or do not fit the pattern."""
        self._extensions, self._what, self._pattern = extensions, what, pattern
        self._claims: dict[str, tuple[tuple[int, ...], tuple[str, ...]]] = {}
        self._tables: tuple[dict[str, list[str]], ...] = tuple({} for _ in range(8 if pattern is None else 2))
        for file in files:
            called = _plain_path(file, extensions, prefix, suffix) if pattern is None else pattern.called(file)
            if called is None:
                self.others.append(file)
                continue
            self.names[file] = called
            for table, key in zip(self._tables, self._keys(called), strict=True):
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
            more = f" and {len(files) - _LISTED_AT_MOST} more" if len(files) > _LISTED_AT_MOST else ""
            return "", f"{len(files)} {self._what}s match {name}: {', '.join(files[:_LISTED_AT_MOST])}{more}"
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
        name = name if self._pattern is None else self._pattern.wanted(name, self._extensions)
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
        if self._pattern is not None:
            return path, folded(path)
        paths = path, bare_name(path, self._extensions)
        keys = *paths, *(key.rpartition("/")[2] for key in paths)
        return *keys, *map(folded, keys)


def output_pattern(params: Mapping[str, Scalar], extensions: frozenset[str]) -> OutputPattern | None:
    """What ``pattern`` among the parameters of stored outputs says; ``None`` without one. Raises `SpecError` for one
    that is none, and where there is a prefix or suffix as well."""
    text = str(params.get("pattern", ""))
    if not text:
        return None
    if any(str(params.get(name, "")) for name in ("prefix", "suffix")):
        raise SpecError(f"outputs: pattern={text} says all of the name; leave prefix and suffix out, or the pattern")
    return OutputPattern(text, extensions)


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


def _plain_path(file: str, extensions: frozenset[str], prefix: str, suffix: str) -> str | None:
    """A file's path without the prefix and suffix of its bare name; ``None`` = it lacks them."""
    folder, _, name = file.rpartition("/")
    stem = bare_name(name, extensions)
    bare = without_affixes(stem, prefix, suffix)
    if bare is None:
        return None
    called = f"{bare}{name[len(stem) :]}"
    return f"{folder}/{called}" if folder else called


def _fault(text: str, parts: Sequence[str], literals: Sequence[str], fields: Sequence[Sequence[str]]) -> str:
    """What is wrong with a pattern but for its ending; '' = nothing."""
    strange = [name for each in fields for name in each if name not in _FIELDS]
    if strange or any({"{", "}"} & set(literal) for literal in literals):
        named = f"{{{strange[0]}}}" if strange else "a brace that stands alone"
        return f"{named} is none of {', '.join(f'{{{name}}}' for name in _FIELDS)}"
    if "\\" in text or any(part in ("", ".", "..") for part in parts):
        return "it must be a path below dir with forward slashes, without . or .."
    if any(part.startswith(".") for part in parts):
        return "files and folders whose names begin with a dot are not read"
    if not any("stem" in each for each in fields):
        return "without {stem} it says of no file which input it answers"
    if any("folder" in each and part != "{folder}" for part, each in zip(parts, fields, strict=True)):
        return "{folder} must be a whole part of the path, between slashes"
    if parts[-1] == "{folder}":
        return "{folder} cannot be the name of the file"
    if any(_blurs(part) for part in parts):
        return "between {stem} and {n} there must be something that is no digit"
    return ""


def _blurs(part: str) -> bool:
    """Whether nothing but digits lies between a stem and a number, so that the stem's end cannot be told."""
    return bool(re.search(r"\{stem\}\d*\{n\}|\{n\}\d*\{stem\}", part))


def _fault_of_ending(last: str, fields: Sequence[str], extensions: frozenset[str]) -> str:
    """The same of the ending that the last part of a pattern has."""
    if "ext" in fields:
        return "" if last.endswith(".{ext}") and fields.count("ext") == 1 else ".{ext} must be its end, and stand once"
    ending = PurePosixPath(last).suffix.lower()
    return (
        "" if ending in extensions else f"it must end in .{{ext}} or in an ending that is read, not {ending or 'none'}"
    )


def _expression(pieces: Sequence[Sequence[str]]) -> str:
    """The regular expression of a pattern whose parts were split into literal text and fields by turns."""
    several = {"stem": "[^/]+", "ext": "[^/.]+", "folder": ".+"}
    there: set[str] = set()
    out = []
    for number, piece in enumerate(pieces):
        end = "" if number == len(pieces) - 1 else "/"
        if piece[1::2] == ["folder"]:
            out.append("(?(folder)(?P=folder)/)" if "folder" in there else "(?:(?P<folder>.+)/)?")
            there.add("folder")
            continue
        for place, word in enumerate(piece):
            if place % 2 == 0:
                out.append(re.escape(word))
            elif word == "n":
                out.append("[0-9]+")
            else:
                out.append(f"(?P={word})" if word in there else f"(?P<{word}>{several[word]})")
                there.add(word)
        out.append(end)
    return "".join(out)


def folded(name: str) -> str:
    """Equal for names that differ in capitals and in composed or decomposed accents only."""
    return _composed(_composed(name).casefold())


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _shared_end(a: Sequence[str], b: Sequence[str]) -> int:
    pairs = zip(reversed(a), reversed(b), strict=False)
    return len(list(takewhile(lambda pair: pair[0] == pair[1], pairs)))
