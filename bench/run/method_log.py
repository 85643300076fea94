"""What a method prints, and its tracebacks: ``RUN/logs/METHOD.txt``, bounded."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

LOG_BYTES: Final = 1_000_000
"""Size at which a method's log ends."""
_LEFT_OUT: Final = b"\n(further output is left out)\n"


class MethodLog:
    """A bounded file that several contestants of one method may write to."""

    _lock = threading.Lock()

    def __init__(self, path: Path) -> None:
        self._path = path
        self._readers: list[threading.Thread] = []

    def follow(self, output: Connection) -> None:
        """Writes what comes out of a process, and reads on when the log is full, so that the process never blocks."""
        reader = threading.Thread(target=self._copy, args=(output,), daemon=True)
        reader.start()
        self._readers.append(reader)

    def write(self, data: bytes) -> None:
        """Adds text without control characters, unless the log is full."""
        shown = data.translate(None, delete=bytes(c for c in range(32) if c not in (9, 10)))
        with self._lock, suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            size = self._path.stat().st_size if self._path.exists() else 0
            if size >= LOG_BYTES:
                return
            with self._path.open("ab") as file:
                file.write(shown[: LOG_BYTES - size])
                if size + len(shown) >= LOG_BYTES:
                    file.write(_LEFT_OUT)

    def close(self) -> None:
        for reader in self._readers:
            reader.join(1)

    def _copy(self, output: Connection) -> None:
        with suppress(OSError):
            while data := os.read(output.fileno(), 65536):
                self.write(data)
        output.close()
