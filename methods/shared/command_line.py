"""The command of somebody else's program: split into words, its files located, its placeholders filled in."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from unmask.bench.core.errors import SpecError

EXAMPLE: Final = 'command:"tool --in {input} --out {output} --seed {seed}"'
PLACEHOLDERS: Final = ("input", "output", "seed", "boxes", "device")
_PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")


def words_of(run: str) -> list[str]:
    """The words of a command, as a shell would split them, the program and existing files by absolute paths: it runs
    in a folder of its own. Words without a slash or a dot are never taken for files.

    Raises `SpecError` where it cannot be split, has an unknown placeholder, lacks ``{input}`` or ``{output}``, or names
    a program that is not there.
    """
    try:
        words = shlex.split(run)
    except ValueError as error:
        raise SpecError(f"command: {run!r} cannot be split into words ({error}); write e.g. {EXAMPLE}") from error
    named = [name for word in words for name in _PLACEHOLDER.findall(word)]
    for name in named:
        if name not in PLACEHOLDERS:
            placeholders = ", ".join(f"{{{each}}}" for each in PLACEHOLDERS)
            raise SpecError(f"command: unknown placeholder {{{name}}}; there are: {placeholders}")
    for name in ("input", "output"):
        if name not in named:
            raise SpecError(f"command: {{{name}}}, the folder of its {name}s, is not in it; write e.g. {EXAMPLE}")
    return [_program(words[0]), *(_located(word) for word in words[1:])]


def shown(run: str, words: Sequence[str]) -> str:
    """The command as results show it: of paths only the last name, since folders can name people. ``words``:
    `words_of` it."""
    program, *rest = shlex.split(run)
    parts = [program if program == Path(program).name else Path(program).name]
    for own, located in zip(rest, words[1:], strict=True):
        option, value = _split(own)
        path = Path(value).expanduser()
        parts.append(f"{option}{path.name}" if located != own or path.is_absolute() else own)
    return " ".join(part if part and not re.search(r"[\s'\"\\]", part) else shlex.quote(part) for part in parts)


def files_of(words: Sequence[str]) -> dict[str, Path]:
    """The program and the files that a command names: a name that tells them apart -> path."""
    paths = [Path(words[0]), *(Path(value) for word in words[1:] for value in [_split(word)[1]] if _is_path(value))]
    return {f"run[{k}] {path.name}": path for k, path in enumerate(paths) if path.is_file()}


def filled(words: Sequence[str], values: Mapping[str, str]) -> list[str]:
    """The words with a value for each placeholder in them; values are never split or read again."""
    return [words[0], *(_PLACEHOLDER.sub(lambda name: values.get(name[1], name[0]), word) for word in words[1:])]


def has_placeholder(words: Sequence[str], name: str) -> bool:
    return any(f"{{{name}}}" in word for word in words)


def _program(word: str) -> str:
    path = shutil.which(os.path.expanduser(word))  # noqa: PTH111  Path would drop the ./ that keeps it from PATH
    if path is None:
        there = Path(word).expanduser()
        what = "cannot be run: make it executable" if there.is_file() else "is not there: check the path, or PATH"
        raise SpecError(f"command: the program {word!r} {what}")
    return str(Path(path).absolute())


def _located(word: str) -> str:
    option, value = _split(word)
    path = Path(value).expanduser()
    return f"{option}{path.absolute()}" if _is_path(value) and path.exists() else word


def _split(word: str) -> tuple[str, str]:
    """``--model=path`` as ``--model=`` and ``path``; what is no option with a value as '' and itself."""
    option, equals, value = word.partition("=")
    return (f"{option}=", value) if equals and word.startswith("-") else ("", word)


def _is_path(value: str) -> bool:
    """Whether a value may name a file; the values of placeholders never do."""
    return not _PLACEHOLDER.search(value) and any(mark in value for mark in ("/", os.sep, "."))
