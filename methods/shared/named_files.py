"""Images or clips in a folder, matched to inputs by file name."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from unmask.bench.core.errors import SpecError
from unmask.bench.core.files import is_hidden, sha256_of
from unmask.bench.core.names import NameMatcher, OutputPattern, bare_name, folded
from unmask.bench.core.types import MethodFailure

_LOOKED_AT: Final = 50
"""Files, at most, from whose names an unknown prefix or suffix is guessed."""


class NamedFiles:
    """The images or the clips of a folder, matched to inputs; relative paths with forward slashes."""

    def __init__(
        self,
        folder: Path,
        extensions: frozenset[str],
        kind: str,
        prefix: str,
        suffix: str,
        pattern: OutputPattern | None = None,
    ) -> None:
        """``kind``: ``image`` or ``clip``; ``prefix``, ``suffix``, ``pattern``: see `NameMatcher`."""
        self.folder, self._extensions, self._kind, self._pattern = folder, extensions, kind, pattern
        self._file = "output file" if kind == "image" else "output clip"
        self._expected: tuple[str, ...] = ()
        self._guess: tuple[tuple[str, ...], tuple[str, str]] | None = None
        self._files: list[str] = []
        self._faults: dict[str, str] = {}
        """File -> why it is not read."""
        self._links: set[str] = set()
        """Linked folders, which are not followed."""
        self._list()
        self.matcher, self._unusable = (
            NameMatcher(names, extensions, self._file, prefix=prefix, suffix=suffix, pattern=pattern)
            for names in (self._files, self._faults)
        )

    def expect(self, ids: tuple[str, ...]) -> None:
        if self._expected != ids:
            self.matcher.expect(ids)
            self._expected = ids

    def place(self, name: str) -> str | MethodFailure:
        """The file that answers an input, or why there is none."""
        file, reason = self.matcher.match(name)
        return file or MethodFailure(reason if self.matcher.candidates(name) else self._absence(name))

    def mismatch(self, ids: tuple[str, ...], folder: str) -> str:
        if any(self.matcher.candidates(name) for name in ids):
            return ""
        inputs = "inputs" if self._kind == "image" else "clips"
        none = f"outputs: none of {len(ids)} {inputs} has an output in {folder!r}"
        name = next(iter([*self.matcher.names, *self.matcher.others]), "")
        if not name and self._faults:
            file, reason = next(iter(self._faults.items()))
            return f"{none}, none of whose {self._kind}s can be read: {file} is {reason}; put them there themselves"
        if not name:
            return f"{none}, which holds no {self._kind}s; write outputs:dir=PATH with the anonymized {self._kind}s"
        if self._pattern is not None:
            how = f"write how it is called in place of pattern={self._pattern.text}"
        elif added := _spelled(*self._affixes(ids)):
            how = f"write outputs:dir={folder},{added}"
        else:
            how = "give outputs the names of their inputs, or write pattern="
        return f"{none}; the folder holds e.g. {name}; {how}"

    def _absence(self, name: str) -> str:
        unusable = self._unusable.candidates(name)
        if unusable:
            return f"output cannot be read: {self._faults[unusable[0]]}"
        parts = PurePosixPath(name).parts[:-1]
        if any(PurePosixPath(link).name in parts for link in self._links):
            return f"no {self._file}; its folder is a link and was not followed"
        if self._pattern is not None:
            return f"no {self._file} for {name}; pattern={self._pattern.text} fits none"
        prefix, suffix = self._affixes(self._expected or (name,))
        if (prefix or suffix) and f"{prefix}{self._stem(name)}{suffix}" in self._stems:
            return f"no {self._file}; with {_spelled(prefix, suffix)} there is one"
        return f"no {self._file}"

    def _affixes(self, ids: tuple[str, ...]) -> tuple[str, str]:
        """The prefix and suffix that most of the files add to the name of an input; ('', '') = none."""
        if self._guess is None or self._guess[0] != ids:
            stems = {folded(self._stem(name)) for name in ids}
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
        """Bare names of all files, as they are called."""
        return frozenset(map(self._stem, self._files))

    def _stem(self, name: str) -> str:
        return bare_name(PurePosixPath(name).name, self._extensions)

    def _list(self) -> None:
        inside = self.folder.resolve()
        for folder, subfolders, names in os.walk(self.folder, onerror=_refuse):
            here = Path(folder)
            subfolders[:] = sorted(name for name in subfolders if not is_hidden(name))
            links = (here / name for name in subfolders if (here / name).is_symlink())
            self._links |= {link.relative_to(self.folder).as_posix() for link in links}
            for path in (here / name for name in sorted(names) if not is_hidden(name)):
                if path.suffix.lower() not in self._extensions:
                    continue
                name = path.relative_to(self.folder).as_posix()
                if path.is_symlink() and not path.resolve().is_relative_to(inside):
                    self._faults[name] = "a link that leads outside the folder"
                elif not path.is_file():
                    self._faults[name] = "a link that leads nowhere" if path.is_symlink() else "not a regular file"
                else:
                    self._files.append(name)


def fingerprint_of(several: Sequence[NamedFiles]) -> str:
    """sha256 over names and contents: a changed folder is a changed plan, a copied or moved one is not."""
    total = hashlib.sha256()
    for files in several:
        for file, name in files.matcher.names.items():
            contents = ""
            with suppress(OSError):  # what cannot be read becomes a counted row
                contents = sha256_of(files.folder / file)
            total.update(f"{name}\0{contents}\n".encode("utf-8", "surrogateescape"))
    return total.hexdigest()


def _refuse(error: OSError) -> None:
    raise SpecError(f"outputs: {str(error.filename)!r} cannot be listed ({error.strerror}); check its permissions")


def _spelled(prefix: str, suffix: str) -> str:
    """As a SPEC has it: ``suffix=_anonymized``."""
    return ",".join(f"{name}={text}" for name, text in (("prefix", prefix), ("suffix", suffix)) if text)
