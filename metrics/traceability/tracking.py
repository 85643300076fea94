"""Are people in the output still followed as they were? Tracking scores against the truth and against the original."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import ClassVar, Final

import numpy as np

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.clips import Clips
from unmask.bench.core.evidence import Evidence
from unmask.bench.core.types import Float
from unmask.bench.core.values import CLIPS, SetStatistic, UnitValues
from unmask.bench.core.video import Tracks
from unmask.metrics.traceability.tracking_scores import NO_COUNTS, combined, sequence_counts

AGAINST_ORIGINAL: Final = "_original"
"""Ends the names of scores whose reference is the original's own tracks."""

_HOTA_SOURCE = "Luiten et al.: HOTA: A Higher Order Metric for Evaluating Multi-Object Tracking, IJCV 129, 2021"
_ID_SOURCE = "Ristani et al.: Performance Measures and a Data Set for Multi-Target, Multi-Camera Tracking, ECCVW 2016"
_CLEAR_SOURCE = "Bernardin, Stiefelhagen: Evaluating Multiple Object Tracking Performance: The CLEAR MOT Metrics, 2008"
_TRACKING: Final = partial(
    MetricCard, version="1", family="traceability", direction="higher", unit="share", bounds=(0.0, 1.0)
)
_SCORES: Final = (
    _TRACKING(
        name="hota",
        title="HOTA",
        question="How well are people found and kept apart, taken together?",
        how="At each of 19 overlaps (IoU 0.05 to 0.95) the root of detection accuracy x association accuracy; "
        "averaged.",
        source=_HOTA_SOURCE,
    ),
    _TRACKING(
        name="deta",
        title="Found (DetA)",
        question="How well are people found, whoever they are?",
        how="At each of 19 overlaps (IoU 0.05 to 0.95) found / (found + not found + nobody's) boxes; averaged.",
        source=_HOTA_SOURCE,
    ),
    _TRACKING(
        name="assa",
        title="Kept apart (AssA)",
        question="Of the people found, how well do they keep one track of their own?",
        how="At each of 19 overlaps (IoU 0.05 to 0.95), for each box found: how many boxes its person and its track "
        "share, of all that either has; averaged.",
        source=_HOTA_SOURCE,
    ),
    _TRACKING(
        name="idf1",
        title="IDF1",
        question="For how much of their time is each person followed under one track?",
        how="Each person gets the one track that fits best over the whole clip (IoU from 0.5); 2 x boxes in common / "
        "all boxes of both.",
        source=_ID_SOURCE,
    ),
    _TRACKING(
        name="mota",
        title="MOTA",
        question="How many mistakes are there for each box that should be found?",
        how="1 - (not found + nobody's + ID switches) / boxes of the reference, at IoU 0.5.",
        source=_CLEAR_SOURCE,
        bounds=(None, 1.0),
        unit="",
    ),
    _TRACKING(
        name="id_switches",
        title="ID switches",
        question="How often does a person go on under another track?",
        how="Times that a person of the reference is found (IoU 0.5) under another track than the last time; added up "
        "over clips.",
        source=_CLEAR_SOURCE,
        direction="lower",
        unit="",
        bounds=(0.0, None),
    ),
)
_TRUTH: Final = "the data set's own annotation of people"
_ORIGINAL: Final = "what the same tracker found in the original clip"
_COMMON: Final = (
    "Counted by TrackEval 1.3.0, added up over clips, so that a clip with more people says more. Its MOTChallenge "
    "preprocessing is off: it would forgive boxes on annotated distractors (people in vehicles, statues, reflections), "
    "which a reference of people alone does not list. The interval draws clips."
)
_BODY: Final = "Detector and tracker go by whole bodies, so a method that changes faces alone should hardly move it."

_HEADLINES: Final = {"hota": 3, "idf1": 4, "mota": 5}
_HEADLINES_ORIGINAL: Final = {"hota": 6, "idf1": 7}


def _against(card: MetricCard, original: bool) -> MetricCard:
    """The card of a score against one of the two references."""
    limits = (
        f"The original's tracks are no truth: 1 means 'as in the original', with all its mistakes. {_BODY} Clips in "
        "whose original nobody was tracked are not asked about; people whom the output alone shows there do not count."
        if original
        else f"{_BODY} Mostly it tells of detector and tracker: read it beside the control. Clips without annotation "
        "are not asked about."
    )
    return replace(
        card,
        name=card.name + AGAINST_ORIGINAL if original else card.name,
        title=card.title + (", against the original's tracks" if original else ", against the truth"),
        how=f"People tracked in the output, against {_ORIGINAL if original else _TRUTH}. {card.how} {_COMMON}",
        source=f"{card.source}; thesis 4.2 asks the question with a count",
        limits=limits,
        headline=(_HEADLINES_ORIGINAL if original else _HEADLINES).get(card.name),
    )


class Tracking:
    """`hota`, `deta`, `assa`, `idf1`, `mota`, `id_switches`, and each again with ``_original``; one each tracker."""

    needs: ClassVar[tuple[str, ...]] = (CLIPS, "role:tracker")
    cards: ClassVar[tuple[MetricCard, ...]] = tuple(
        _against(card, original) for original in (False, True) for card in _SCORES
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | SetStatistic]:
        """Six statistics over clips for each tracker and reference."""
        clips = evidence.clips
        for tracker in clips.trackers:
            # An original in which nobody was tracked is no reference.
            tracked = [people[tracker] if people.get(tracker) else None for people in clips.people]
            yield from _statistics(clips, tracker, clips.truth, "")
            yield from _statistics(clips, tracker, tracked, AGAINST_ORIGINAL)


def _statistics(clips: Clips, tracker: str, references: Sequence[Tracks | None], ending: str) -> Iterator[SetStatistic]:
    """All scores of one tracker against one reference a clip; ``None`` = the clip is not asked about."""
    eligible = np.array([reference is not None for reference in references], np.bool_)
    if not eligible.any():
        return
    outputs = [people.get(tracker) for people in clips.people_output]
    scored = eligible & np.array([tracks is not None for tracks in outputs], np.bool_)
    counts = [
        NO_COUNTS if reference is None or tracks is None else sequence_counts(reference, tracks, len(seconds))
        for seconds, reference, tracks in zip(clips.seconds, references, outputs, strict=True)
    ]
    score = partial(_one, np.stack(counts))
    for card in _SCORES:
        compute = partial(score, card.name)
        yield SetStatistic(card.name + ending, tracker, compute, scored, "image", "clip", eligible=eligible)


def _one(counts: Float, name: str, weights: Float) -> float:
    """One score of all, under ``weights`` (C,)."""
    return float(getattr(combined(counts, weights), name))
