"""How many people are counted in the output and in the original: the thesis's tables 4.1 and 4.2."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import ClassVar, Final

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Float
from unmask.bench.core.values import CLIPS, SetStatistic, UnitValues

_COUNT: Final = (
    "Number of distinct confirmed tracks of people in a clip, by the tracker named (its card says when a track is "
    "confirmed)"
)
_LIMITS: Final = (
    "A count of tracks, not of people: one person whose track breaks counts twice, and mistakes of both kinds cancel "
    "out, so equal counts need not mean the same people (see the tracking scores). The thesis counted 49 people in a "
    "clip of three. Detectors go by bodies, so changed faces should hardly matter; changed image quality does: read "
    "it beside the control, re-encoded the same way."
)

_PEOPLE: Final = partial(
    MetricCard,
    version="1",
    family="traceability",
    direction="none",
    unit="people",
    bounds=(0.0, None),
    source="Thesis 4.2, tables 4.1 and 4.2",
    limits=_LIMITS,
)
_DIFFERENCE: Final = partial(_PEOPLE, bounds=(None, None))


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
    """`people`, `people_original`, `people_difference` with its sum and standard deviation, and against the re-encoded
    control (`people_difference_recoded`), for each tracker."""

    needs: ClassVar[tuple[str, ...]] = (CLIPS, "role:tracker")
    cards: ClassVar[tuple[MetricCard, ...]] = (
        _PEOPLE(
            name="people",
            title="People",
            question="How many people are counted in a clip's output?",
            how=f"{_COUNT}, in the output; mean over clips.",
            headline=1,
        ),
        _PEOPLE(
            name="people_original",
            title="People in the original",
            question="How many people are counted in the original clip?",
            how=f"{_COUNT}, in the original; mean over clips.",
        ),
        _DIFFERENCE(
            name="people_difference",
            title="People, original minus output",
            question="How many people fewer are counted in the output than in the original?",
            how=f"{_COUNT}, in the original minus in the output; mean over clips (the thesis's 'Average'). 0 = as "
            "many; below 0 = more in the output. The interval draws clips.",
            headline=2,
        ),
        _DIFFERENCE(
            name="people_difference_recoded",
            title="People, re-encoded minus output",
            question="How many people fewer are counted in the output than in the clip that was only re-encoded?",
            how=f"{_COUNT}, in the control written at the output's quality (at the source's bitrate where the output "
            "is lossless) minus in the output; mean over clips. 0 = as many: what the codec does is taken out. The "
            "interval draws clips.",
        ),
        _DIFFERENCE(
            name="people_difference_sum",
            title="People, original minus output, all clips",
            question="How many people fewer are counted in all outputs together?",
            how=f"{_COUNT}, in the original minus in the output; added up over clips (the thesis's 'SUM'). The "
            "interval draws clips.",
        ),
        _PEOPLE(
            name="people_difference_sd",
            title="People, original minus output, spread",
            question="How much does the difference vary from clip to clip?",
            how=f"{_COUNT}, in the original minus in the output; standard deviation over clips, divided by n - 1. The "
            "thesis does not say whether it divided by n: it prints 20 of its 50 clips, and both fit; at 50 clips they "
            "differ by 1 %. NaN below two clips.",
            direction="lower",
        ),
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | SetStatistic]:
        """Values a clip, and two statistics over clips, for each tracker."""
        clips = evidence.clips
        for tracker in clips.trackers:
            before, after, recoded = (
                np.array([people[tracker].people if tracker in people else np.nan for people in every], np.float64)
                for every in (clips.people, clips.people_output, clips.people_recoded)
            )
            difference = before - after
            counts = {"people": after, "people_original": before, "people_difference": difference}
            if np.isfinite(recoded).any():
                counts["people_difference_recoded"] = recoded - after
            for name, values in counts.items():
                yield UnitValues(name, tracker, values, "image", "clip")
            scored = np.isfinite(difference)
            for name, compute in (("people_difference_sum", weighted_sum), ("people_difference_sd", weighted_sd)):
                yield SetStatistic(name, tracker, partial(compute, difference), scored, "image", "clip")
