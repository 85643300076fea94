"""What clips have and photos have not, as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np

from unmask.bench.core.types import Float, Strings
from unmask.bench.core.video import Ints, Tracks

NOT_MEASURED: Final = ""
"""The outcome of the faces of a clip that could not be written."""


@dataclass(frozen=True)
class Clips:
    """What clips have and photos have not, for C clips with N faces in all their frames."""

    id: Strings
    """(C,)"""
    seconds: tuple[Float, ...]
    """C times (F,): when each frame is shown, from the clip's first."""
    clip: Ints
    """(N,) number of the clip that each face lies in, ascending."""
    frame: Ints
    """(N,) its frame, from 0 in each clip, ascending within a clip."""
    track: Ints
    """(N,) its face track: one person without a break, numbered through the clips; each face lies in exactly one."""
    flicker_original: Float
    """(N,) mean absolute difference (0..255) of the face region to the same track's frame before; NaN where the track
    was not seen in the frame before."""
    flicker_output: Float
    """(N,) the same on the output, over the same regions."""
    people: tuple[Mapping[str, Tracks], ...]
    """C times tracker -> people in the original."""
    people_output: tuple[Mapping[str, Tracks], ...]
    """The same in the output; empty for a clip that could not be written."""
    people_recoded: tuple[Mapping[str, Tracks], ...]
    """The same in the original written like the output, or else at the source's bitrate; empty where it was not."""
    truth: tuple[Tracks | None, ...]
    """C times the data set's own annotation of people, over frames 0..F-1; ``None`` = it has none."""
    kbps_original: Float
    """(C,) of the clip as it came; NaN where it does not say."""
    kbps: Float
    """(C,) of the clip as it was written."""

    def __len__(self) -> int:
        return len(self.id)

    @cached_property
    def tracks(self) -> tuple[Ints, ...]:
        """T times the faces of one track, ascending."""
        order = np.argsort(self.track, kind="stable")
        return tuple(np.split(order, np.flatnonzero(np.diff(self.track[order])) + 1)) if len(order) else ()

    @cached_property
    def track_clip(self) -> Ints:
        """(T,) the clip of each track."""
        return np.array([self.clip[rows[0]] for rows in self.tracks], np.int64)

    @property
    def trackers(self) -> tuple[str, ...]:
        """Those that followed people in any original, in order."""
        return tuple(dict.fromkeys(name for people in self.people for name in people))


def no_clips() -> Clips:
    """C = N = 0: the evidence is of photos."""
    none, nothing = np.zeros(0, np.int64), np.zeros(0)
    return Clips(np.zeros(0, np.str_), (), none, none, none, nothing, nothing, (), (), (), (), nothing, nothing)
