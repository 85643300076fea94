"""Every error a user can cause, in one tree below `UnmaskError`; another one that escapes is a bug of ours and keeps
its traceback."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from typing import Final

REASON_LENGTH: Final = 300
"""Characters of an exception's text in a message or a row."""
_TEXT_READ: Final = 20_000
"""Characters of it that are looked at."""


class UnmaskError(Exception):
    """Base of all errors a user can cause: exit code 1, one line that says what to do, no traceback."""

    exit_code = 1


class UsageError(UnmaskError):
    """The command line or a config file asks for something impossible: exit code 2."""

    exit_code = 2


class SpecError(UsageError):
    """A SPEC (``name``, ``name:param=value,...``, ``label=name:...``) cannot be read."""


class UnknownNameError(UsageError):
    """A name that nothing is registered under; the message suggests near ones."""

    def __init__(self, kind: str, name: str, names: Iterable[str]) -> None:
        names = sorted(names)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}"
        super().__init__(f"unknown {kind} {name!r}; {hint}")


class ConfigError(UsageError):
    """A configuration file has a wrong key or value."""


class DataError(UnmaskError):
    """A data set is missing, incomplete or not what it claims to be."""


class _SampleError(DataError):
    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ImageError(_SampleError):
    """One image cannot be used. ``reason`` is short and ends up in the results, as a counted row."""


class VideoError(_SampleError):
    """One clip cannot be used. ``reason`` is short and ends up in the results, as a counted row."""


class FetchError(UnmaskError):
    """A file could not be fetched."""


class ChecksumError(FetchError):
    """A fetched file does not have the sha256 that its card pins."""


class CheckpointError(UnmaskError):
    """A weights file is unsafe, too large or does not fit."""


class UnavailableError(UnmaskError):
    """An optional part cannot run here; the message says why and what to do."""


class BrokenPluginError(UnavailableError):
    """A plug-in of another distribution fails when it is loaded or made."""


class WorkerDiedError(UnmaskError):
    """A worker process ended without an answer: out of memory, killed, or crashed inside a library."""


class StoreError(UnmaskError):
    """A run folder is damaged, or a different version wrote it."""


class PlanMismatchError(StoreError):
    """The output folder holds another plan."""

    def __init__(self, where: str, differences: Sequence[str]) -> None:
        listed = "; ".join(differences[:5]) + ("; ..." if len(differences) > 5 else "")
        super().__init__(f"{where} holds a different plan ({listed}); choose another --out, or delete it")


def reason_of(error: BaseException) -> str:
    """An exception as one line, whatever its text is and even if it has none that can be made."""
    try:
        text = one_line(error)
        if isinstance(error, SystemExit):
            return f"sys.exit({text}) was called"[:REASON_LENGTH]
        if isinstance(error, UnmaskError) and text:
            return text
        name = one_line(type(error).__name__)
        return f"{name}: {text}"[:REASON_LENGTH] if text else name
    except BaseException as other:
        reraise_interrupt(other)
        return "an exception whose text cannot be made"


def one_line(value: object) -> str:
    """``str(value)`` on one line, without control characters, no longer than a row's reason."""
    try:
        text = str.__str__(str(value))[:_TEXT_READ]
    except BaseException as error:
        reraise_interrupt(error)
        return ""
    words = " ".join(text.split())
    printable = "".join(c if c.isprintable() else "?" for c in words)
    return printable.encode("utf-8", "replace").decode("utf-8")[:REASON_LENGTH]


def counted(number: int, one: str, many: str = "") -> str:
    """``1 file``, ``2 files``."""
    return f"1 {one}" if number == 1 else f"{number:,} {many or one + 's'}"


def reraise_interrupt(error: BaseException) -> None:
    """Lets Ctrl-C through. Processes of methods never see it: there, a KeyboardInterrupt is the method's own."""
    if isinstance(error, KeyboardInterrupt):
        from multiprocessing import parent_process

        if parent_process() is None:
            raise error
