"""Publishing a file so that a killed process never leaves half of one: temp file, then rename."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TEMP_PREFIX = ".tmp-"
"""What is not published yet is named so; whoever owns the folder may sweep it."""


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Yields a temp path in the same folder; renames it to ``path`` on success, removes it otherwise."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=TEMP_PREFIX, dir=path.parent)
    os.close(handle)
    temp = Path(name)
    try:
        yield temp
        # mkstemp makes private files; results and caches are meant to be shared like any other file.
        temp.chmod(0o644)
        temp.replace(path)
    finally:
        temp.unlink(missing_ok=True)
