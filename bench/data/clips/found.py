"""What a reader of a layout gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from unmask.bench.core.video import Tracks
from unmask.bench.data.clips.clip_set import Spans


@dataclass(frozen=True, slots=True)
class ClipRecord:
    """One clip as a reader found it."""

    id: str
    path: Path | None
    """A file or a folder of images; ``None`` = the data set names it, but it is not there."""
    group: str = ""
    truth: Tracks | None = None
    spans: Spans | None = None


@dataclass(slots=True)
class FoundClips:
    """The clips of one copy of a data set in one split."""

    root: Path
    """Nothing outside it is read."""
    records: list[ClipRecord] = field(default_factory=list)
    ignored: int = 0
    """Files that are no clips."""
    notes: tuple[str, ...] = ()


ClipReader = Callable[[Path, str], FoundClips]
"""Takes the folder of a copy and the split. Raises `DataError`."""
