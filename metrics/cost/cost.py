"""What does a method cost: time a photo, a face and a frame, memory, and bits a second of its clips?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Float
from unmask.bench.core.values import CLIPS, SetStatistic, UnitValues

_COST: Final = partial(
    MetricCard, version="1", family="cost", direction="lower", unit="ms", bounds=(0.0, None), source="unmask"
)
_BITRATE: Final = partial(
    _COST,
    direction="none",
    unit="kbit/s",
    limits="Of the video stream alone. Depends on what the clips show as much as on the method.",
)
_TIME: Final = partial(
    _COST,
    limits="Depends on the machine, its load and the sizes of the photos: compare methods within one run only. Loading "
    "of networks and reading of photos are not counted; the method's own face detection is.",
)


class Speed:
    """`ms_per_face` and `ms_per_image`, by the clock."""

    cards: ClassVar[tuple[MetricCard, ...]] = (
        _TIME(
            name="ms_per_face",
            title="Time per face",
            question="How long does the method take for a face?",
            how="Wall-clock time for an image divided by the faces that the judge finds in the original; mean over the "
            "images with a face. Images on which the method failed are not scored.",
            headline=70,
        ),
        _TIME(
            name="ms_per_image",
            title="Time per image",
            question="How long does the method take for a photo?",
            how="Wall-clock time for an image; mean over all images. Images on which the method failed are not scored.",
        ),
    )
    needs: ClassVar[tuple[str, ...]] = ()

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Values an image."""
        faces = evidence.faces_per_image
        per_face = ms_per_face(evidence.ms, faces)
        yield UnitValues("ms_per_face", "wall-clock", per_face, "image", "image", eligible=faces > 0)
        yield UnitValues("ms_per_image", "wall-clock", np.asarray(evidence.ms, np.float64), "image", "image")


def ms_per_face(ms: NDArray[Any], faces: NDArray[Any]) -> Float:
    """(N,) milliseconds an image over its faces; NaN without faces or time."""
    result: Float = np.asarray(ms, np.float64) / np.where(faces > 0, faces, np.nan)
    return result


class Memory:
    """`peak_memory_mib`, one measurement a method."""

    cards: ClassVar[tuple[MetricCard, ...]] = (
        _COST(
            name="peak_memory_mib",
            unit="MiB",
            title="Peak memory",
            question="How much memory does the method need beyond the harness itself?",
            how="Largest resident memory of the method's own process, less what the process held before the method was "
            "loaded; of a program run by its command, the most that its processes were seen to have together is added. "
            "One measurement over all images, so there is no interval.",
            limits="Memory of a graphics card is not in it, nor what the method shares with the harness. Grows with "
            "the largest photo of the data set. Programs are looked at a few times a second.",
        ),
    )
    needs: ClassVar[tuple[str, ...]] = ()

    def ask(self, evidence: Evidence) -> Iterator[SetStatistic]:
        """One statistic of the whole set of images."""
        peak = float(evidence.peak_memory_mib)

        def compute(weights: Float) -> float:
            # Of any other set of images the peak was not measured: NaN, hence no interval and no subgroups.
            return peak if len(weights) and bool((weights == 1).all()) else math.nan

        scored = np.full(len(evidence.images), not math.isnan(peak))
        # By leaving images out, no draw is ever the whole set again; a bootstrap's could be, by chance.
        yield SetStatistic("peak_memory_mib", "rss", compute, scored, "image", "image", resampling="jackknife")


class ClipCost:
    """`ms_per_frame`, by the clock; `kbps` and `kbps_original`, of the streams."""

    needs: ClassVar[tuple[str, ...]] = (CLIPS,)
    cards: ClassVar[tuple[MetricCard, ...]] = (
        _COST(
            name="ms_per_frame",
            title="Time a frame",
            question="How long does the method take for a frame?",
            how="Wall-clock time for a frame, averaged over the frames of a clip that it did not fail on; mean over "
            "clips. The interval draws clips.",
            limits="Depends on the machine, its load and the size of the frames: compare methods within one run only. "
            "Decoding and writing of clips are not counted.",
            headline=71,
        ),
        _BITRATE(
            name="kbps",
            title="Bitrate",
            question="How many bits does a second of the output take?",
            how="Kilobits a second of the clip as it was written; mean over clips. The interval draws clips.",
            headline=72,
        ),
        _BITRATE(
            name="kbps_original",
            title="Bitrate of the source",
            question="How many bits does a second of the original take?",
            how="Kilobits a second of the clip as it came; clips that do not say are unscored; mean over clips. The "
            "interval draws clips.",
        ),
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues]:
        """Values a clip."""
        clips, frame_clip = evidence.clips, evidence.images.cluster
        ms = np.full(len(clips), np.nan)
        for number in range(len(clips)):
            times = evidence.ms[(frame_clip == number) & np.isfinite(evidence.ms)]
            ms[number] = times.mean() if len(times) else np.nan
        for name, instrument, values in (
            ("ms_per_frame", "wall-clock", ms),
            ("kbps", "stream", clips.kbps),
            ("kbps_original", "stream", clips.kbps_original),
        ):
            yield UnitValues(name, instrument, values, "image", "clip")
