"""What a method prints, and its tracebacks: ``RUN/logs/METHOD.txt``, bounded."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from unmask.bench.store.names import hide_paths

LOG_BYTES: Final = 1_000_000
"""Size at which a method's log ends."""
_CONTROL: Final = dict.fromkeys(code for code in range(32) if code not in (9, 10))
_LEFT_OUT: Final = b"\n(further output is left out)\n"


class MethodLog:
    """A bounded file that several contestants of one method may write to."""

    _lock = threading.Lock()

    def __init__(self, path: Path, hidden: Callable[[str], str] = hide_paths) -> None:
        """``hidden``: takes out of a text what no log may hold."""
        self._path, self._hidden = path, hidden
        self._readers: list[threading.Thread] = []

    def follow(self, output: Connection) -> None:
        """Writes what comes out of a process, and reads on when the log is full, so that the process never blocks."""
        reader = threading.Thread(target=self._copy, args=(output,), daemon=True)
        reader.start()
        self._readers.append(reader)

    def write(self, text: str) -> None:
        """Adds text without control characters, unless the log is full."""
        if not text:
            return
        with self._lock, suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            size = self._path.stat().st_size if self._path.exists() else 0
            if size >= LOG_BYTES:
                return
            content = self._hidden(text.translate(_CONTROL)).encode("utf-8", "replace")
            with self._path.open("ab") as file:
                file.write(content[: LOG_BYTES - size])
                if size + len(content) >= LOG_BYTES:
                    file.write(_LEFT_OUT)

    def close(self) -> None:
        for reader in self._readers:
            reader.join(1)

    def _copy(self, output: Connection) -> None:
        rest = b""
        with suppress(OSError):
            while data := os.read(output.fileno(), 65536):
                # By whole lines: a path must not be cut into two that are none.
                lines, newline, rest = (rest + data).rpartition(b"\n")
                if len(rest) > 65536:
                    lines, newline, rest = lines + newline + rest, b"", b""
                self.write((lines + newline).decode("utf-8", "replace"))
        self.write(rest.decode("utf-8", "replace"))
        output.close()
