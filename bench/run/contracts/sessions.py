"""A method under check: in a process of its own, as in runs, with what it prints apart from what is said of it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from unmask.bench.core.errors import counted, one_line
from unmask.bench.core.types import Image, MethodFailure, Sample
from unmask.bench.run.contestants.calling import Attempt
from unmask.bench.run.contestants.contestant import DIED, TOO_LONG, Contestant
from unmask.bench.run.contestants.method_log import LOG_BYTES

_LINE: Final = re.compile(r'File "([^"]+)", line (\d+)')
_SETTLING_S: Final = 0.2
"""Seconds in which what was printed before an answer has reached the log."""
_LEAST_S: Final = 0.5
"""Seconds that a call gets at least, however little is left."""


class OutOfTimeError(Exception):
    """The check has used up its time."""

    def __init__(self, *, in_call: bool = False) -> None:
        """``in_call``: whether that happened before the method had answered."""
        super().__init__("the check's time was used up (--limit gives it more)")
        self.in_call = in_call


class Session(Contestant):
    """One process of the method, used for several calls."""

    def __init__(self, spec: str, device: str, log: Path, *, until: float, time_limit: float) -> None:
        """``until``: the `time.monotonic` at which the check ends; ``time_limit``: seconds for one photo."""
        super().__init__(spec, device, log, time_limit=time_limit, load_limit=max(until - time.monotonic(), _LEAST_S))
        self._until, self._log_file, self._most = until, log, time_limit
        self._notes: list[str] = []
        self._read = 0
        self.has_changed_inputs = False

    def note(self, line: str) -> None:
        """Kept out of the log, which then has only what the method prints."""
        self._notes.append(line)

    @property
    def where(self) -> str:
        """File and line where the exception of the last call was raised; '' where there was none."""
        places = _LINE.findall("\n".join(self._notes))
        return f"{Path(places[-1][0]).name}, line {places[-1][1]}" if places else ""

    @property
    def is_log_full(self) -> bool:
        """Whether the method has printed more than a log holds."""
        return self._read >= LOG_BYTES

    def attempt(self, batch: Sequence[Sample], seed: int) -> Attempt:
        """As a contestant's, in no more time than the check has left. Raises `OutOfTimeError`."""
        self._notes.clear()
        left = self._until - time.monotonic()
        if left < _LEAST_S:
            raise OutOfTimeError
        self.time_limit = min(self._most, left / len(batch))
        done = super().attempt(batch, seed)
        if done.failure.startswith(TOO_LONG) and self.time_limit < self._most:
            raise OutOfTimeError(in_call=True)
        self.has_changed_inputs |= done.changed
        return done

    def printed(self) -> str:
        """What the method has printed since this was asked last."""
        time.sleep(_SETTLING_S)
        content = self._log_file.read_bytes() if self._log_file.exists() else b""
        text, self._read = content[self._read :], len(content)
        return text.decode("utf-8", "replace").strip()


def outputs_of(done: Attempt) -> list[Image | MethodFailure] | None:
    """The results of a call; ``None`` where the call as a whole failed."""
    return None if done.failure else list(done.results)


def rule_of(reason: str) -> str:
    """Which rule of a method's contract the reason of a failure is about (`contestants.calling` gives the reasons)."""
    if reason.startswith(TOO_LONG):
        return "time"
    if DIED in reason or reason.startswith("not tried: "):
        return "process"
    if reason.startswith("the method returned "):
        return "count"
    if reason.endswith(("uint8 wanted", "uint8 array wanted")):
        return "dtype"
    if reason.startswith(("output has shape ", "output is ")):
        return "shape"
    return "answers"


def difference(first: Sequence[Image | MethodFailure], second: Sequence[Image | MethodFailure], most: int = 0) -> str:
    """How two lists of results for the same photos differ by more than ``most`` levels of 255; '' = they do not."""
    unlike, largest = 0, 0
    for a, b in zip(first, second, strict=True):
        if isinstance(a, MethodFailure) or isinstance(b, MethodFailure):
            unlike += type(a) is not type(b)
            continue
        gap = int(abs(a.astype(int) - b.astype(int)).max(initial=0))
        unlike, largest = unlike + (gap > most), max(largest, gap)
    by = f", by up to {largest} of 255" if largest > most else ""
    return one_line(f"{unlike} of {counted(len(first), 'image')} came out otherwise{by}") if unlike else ""
