"""How many people are counted in the output and in the original: the thesis's tables 4.1 and 4.2."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import ClassVar, Final

import numpy as np

from unmask.bench.core.cards import Direction, MetricCard
from unmask.bench.core.protocols import CLIPS
from unmask.bench.core.types import Float
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.bench.core.video_evidence import VideoEvidence

_COUNT: Final = (
    "Number of distinct confirmed tracks of people in a clip, by the tracker named (its card says when a track is "
    "confirmed)"
)
_LIMITS: Final = (
    "A count of tracks, not of people: one person whose track breaks counts twice, and mistakes of both kinds cancel "
    "out, so equal counts need not mean the same people (see the tracking scores). The thesis counted 49 people in a "
    "clip of three. Detectors go by bodies, so changed faces should hardly matter; changed picture quality does: read "
    "it beside the control, re-encoded the same way."
)


def _card(
    name: str,
    title: str,
    question: str,
    how: str,
    *,
    unit: str = "people",
    bounds: tuple[float | None, float | None] = (0.0, None),
    direction: Direction = "none",
) -> MetricCard:
    return MetricCard(
        name=name,
        version="1",
        family="traceability",
        direction=direction,
        unit=unit,
        bounds=bounds,
        title=title,
        question=question,
        how=f"{_COUNT}{how}",
        source="Thesis 4.2, tables 4.1 and 4.2",
        limits=_LIMITS,
    )


def weighted_sum(values: Float, weights: Float) -> float:
    """The sum of ``values`` (C,), each ``weights`` (C,) times; NaN without any. Values of weight 0 may be NaN."""
    drawn = weights > 0
    return float(weights[drawn] @ values[drawn]) if drawn.any() else math.nan


def weighted_sd(values: Float, weights: Float) -> float:
    """Sample standard deviation (n - 1) of ``values`` (C,), each counted ``weights`` (C,) times; NaN below two."""
    drawn = weights > 0
    w, v = weights[drawn], values[drawn]
    count = float(w.sum())
    if count < 2:
        return math.nan
    mean = float(w @ v) / count
    return math.sqrt(float(w @ (v - mean) ** 2) / (count - 1))


class People:
    """`people`, `people_original`, `people_difference` and its sum and standard deviation, for each tracker."""

    needs: ClassVar[tuple[str, ...]] = (CLIPS, "role:tracker")
    cards: ClassVar[tuple[MetricCard, ...]] = (
        _card(
            "people", "People", "How many people are counted in a clip's output?", ", in the output; mean over clips."
        ),
        _card(
            "people_original",
            "People in the original",
            "How many people are counted in the original clip?",
            ", in the original; mean over clips.",
        ),
        _card(
            "people_difference",
            "People, original minus output",
            "How many people fewer are counted in the output than in the original?",
            ", in the original minus in the output; mean over clips (the thesis's 'Average'). 0 = as many; below 0 = "
            "more in the output. The interval draws clips.",
            bounds=(None, None),
        ),
        _card(
            "people_difference_sum",
            "People, original minus output, all clips",
            "How many people fewer are counted in all outputs together?",
            ", in the original minus in the output; added up over clips (the thesis's 'SUM'). The interval draws "
            "clips.",
            bounds=(None, None),
        ),
        _card(
            "people_difference_sd",
            "People, original minus output, spread",
            "How much does the difference vary from clip to clip?",
            ", in the original minus in the output; standard deviation over clips, divided by n - 1. The thesis does "
            "not say whether it divided by n: it prints 20 of its 50 clips, and both fit; at 50 clips they differ by "
            "1 %. NaN below two clips.",
            direction="lower",
        ),
    )

    def ask(self, evidence: VideoEvidence) -> Iterator[UnitValues | SetStatistic]:
        for tracker in dict.fromkeys(name for clip in evidence.clips for name in clip.people):
            before, after = (
                np.array(
                    [float(people[tracker].people) if tracker in people else np.nan for people in every], np.float64
                )
                for every in (
                    [clip.people for clip in evidence.clips],
                    [clip.people_output for clip in evidence.clips],
                )
            )
            difference = before - after
            yield UnitValues("people", tracker, after, region="image", unit="clip")
            yield UnitValues("people_original", tracker, before, region="image", unit="clip")
            yield UnitValues("people_difference", tracker, difference, region="image", unit="clip")
            scored = np.isfinite(difference)
            for name, compute in (("people_difference_sum", weighted_sum), ("people_difference_sd", weighted_sd)):
                yield SetStatistic(name, tracker, partial(compute, difference), scored, region="image", unit="clip")
