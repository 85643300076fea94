"""A data set of clips, opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from unmask.bench.core.cards import DatasetCard
from unmask.bench.core.errors import VideoError
from unmask.bench.core.video import ClipRef, Tracks
from unmask.bench.data.clips.files import ClipFiles

Spans = tuple[tuple[int, int], ...]
"""First and last frame of each stretch, as the data set counts them."""


@dataclass(frozen=True, slots=True)
class ClipSet:
    """Clips in a fixed order, and where they lie."""

    card: DatasetCard
    """With `DatasetCard.fingerprint` filled in, over ids, contents, groups and annotation."""
    refs: tuple[ClipRef, ...]
    """In natural order of their ids (clip2 before clip10), the same on every machine."""
    files: ClipFiles
    split: str
    where: str
    """For a person: the folder, or ``the cache``. Not part of any result."""
    truths: Mapping[str, Tracks] = field(default_factory=dict)
    """Clip id -> the data set's own annotation."""
    spans: Mapping[str, Spans] = field(default_factory=dict)
    """Clip id -> when the unwanted incident happens (UCF-Crime); also without a stretch, where there is none."""
    ignored: int = 0
    """Files beside the clips that were passed over."""
    notes: tuple[str, ...] = ()
    """What a reader must know of this selection and copy, beyond the card's own notes; a sentence each."""

    def path(self, ref: ClipRef) -> Path:
        """What `bench.data.media.VideoReader` opens: a file, or a folder of images.

        Raises `VideoError` with the reason that results will carry: not there, or a link that leads elsewhere.
        """
        path = self.files.paths.get(ref.id)
        reason = self.files.refusal(ref.id)
        if reason or path is None:
            raise VideoError(reason)
        return path

    def truth(self, ref: ClipRef) -> Tracks | None:
        """The people that the data set annotates, frames from 0; ``None`` = it annotates none of this clip."""
        return self.truths.get(ref.id)
