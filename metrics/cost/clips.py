"""What does a method cost over clips: time a frame, and bits a second as they are written?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from unmask.bench.core.cards import Direction, MetricCard
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.protocols import CLIPS
from unmask.bench.core.values import UnitValues


def _card(name: str, direction: Direction, unit: str, title: str, question: str, how: str, limits: str) -> MetricCard:
    return MetricCard(
        name=name,
        version="1",
        family="cost",
        direction=direction,
        unit=unit,
        bounds=(0, None),
        title=title,
        question=question,
        how=f"{how}; mean over clips. The interval draws clips.",
        source="unmask",
        limits=limits,
        headline={"ms_per_frame": 71, "kbps": 72}.get(name),
    )


_BITRATE = "Of the video stream alone. Depends on what the clips show as much as on the method."


class ClipCost:
    """`ms_per_frame`, by the clock; `kbps` and `kbps_original`, of the streams."""

    needs: ClassVar[tuple[str, ...]] = (CLIPS,)
    cards: ClassVar[tuple[MetricCard, ...]] = (
        _card(
            "ms_per_frame",
            "lower",
            "ms",
            "Time a frame",
            "How long does the method take for a frame?",
            "Wall-clock time for a frame, averaged over the frames of a clip that it did not fail on",
            "Depends on the machine, its load and the size of the frames: compare methods within one run only. "
            "Decoding and writing of clips are not counted.",
        ),
        _card(
            "kbps",
            "none",
            "kbit/s",
            "Bitrate",
            "How many bits does a second of the output take?",
            "Kilobits a second of the clip as it was written",
            _BITRATE,
        ),
        _card(
            "kbps_original",
            "none",
            "kbit/s",
            "Bitrate of the source",
            "How many bits does a second of the original take?",
            "Kilobits a second of the clip as it came; clips that do not say are unscored",
            _BITRATE,
        ),
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Values a clip."""
        clips, frame_clip = evidence.clips, evidence.images.cluster
        ms = np.full(len(clips), np.nan)
        for number in range(len(clips)):
            times = evidence.ms[(frame_clip == number) & np.isfinite(evidence.ms)]
            ms[number] = times.mean() if len(times) else np.nan
        yield UnitValues("ms_per_frame", "wall-clock", ms, region="image", unit="clip")
        yield UnitValues("kbps", "stream", clips.kbps, region="image", unit="clip")
        yield UnitValues("kbps_original", "stream", clips.kbps_original, region="image", unit="clip")
