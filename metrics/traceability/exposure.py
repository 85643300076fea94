"""Privacy over time: in how many frames, and for how long, a face track gives the person away."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import ClassVar

import numpy as np

from unmask.bench.core.cards import Direction, MetricCard
from unmask.bench.core.evidence import point_at
from unmask.bench.core.exposure import FMR, exposed, longest_run, own_distances
from unmask.bench.core.protocols import CLIPS
from unmask.bench.core.types import Float, Outcome
from unmask.bench.core.values import SetStatistic, UnitValues
from unmask.bench.core.video_evidence import NOT_MEASURED, VideoEvidence
from unmask.metrics.traceability.chance import chance_of_exposure

JUDGE = "yunet"
_RULES = (
    "A face is exposed in a frame where the method missed it or failed, or where the recogniser's cosine distance to "
    "the same frame's original is at or below its threshold at a false match rate of 1e-3 (calibrated on other "
    "people's photos): that of the face found again, or of the output at the original's place (whether a face is found "
    "there or not; but for originals that a black picture would match as well), whichever is nearer. "
)
_LIMITS = (
    "Face tracks are those of the judge's detector on the original, linked by position and face; one person whose "
    "track breaks counts as two. A track counts as scored if any of its frames could be: one that cannot be read might "
    "still expose. Looks (turned, mirrored, inverted, blurred faces) and faces elsewhere in the frame are not tried on "
    "clips. Thresholds were calibrated on photos, not on surveillance frames. Small and blurred faces are hard "
    "for recognisers in the original too: read it beside the control and the chance level."
)


def _exposure_card(
    name: str, title: str, question: str, how: str, unit: str, bounds: tuple[float | None, float | None]
) -> MetricCard:
    return MetricCard(
        name=name,
        version="2",
        family="exposure",
        direction="lower",
        unit=unit,
        bounds=bounds,
        title=title,
        question=question,
        how=_RULES + how,
        source="unmask; the thesis measures no privacy in video",
        limits=_LIMITS,
    )


_MISSED = (
    "Missed: the output's pixels at the face are the input's; or a smooth tone curve and noise of at most 1.5 times "
    "what JPEG quality 50 leaves make them of the input's, and a recogniser still matches the face at a false match "
    "rate of 1e-3. "
)


def _outcome_card(outcome: Outcome, direction: Direction, title: str, question: str, how: str = "") -> MetricCard:
    return MetricCard(
        name=f"frames_{outcome.value}",
        version="2",
        family="exposure",
        direction=direction,
        unit="share",
        bounds=(0.0, 1.0),
        title=title,
        question=question,
        how=f"{how}Share of all faces in all frames of the originals, whatever track they belong to; the four outcomes "
        "add up to 1.",
        source="unmask",
        limits="Long tracks weigh more. A face that the judge does not find in the original is not in the count.",
    )


class Exposure:
    """`tracks_exposed`, `frames_exposed`, `longest_exposure` for every recogniser; `tracks_missed`, `frames_*`."""

    needs: ClassVar[tuple[str, ...]] = (CLIPS, "role:recogniser")
    cards: ClassVar[tuple[MetricCard, ...]] = (
        _exposure_card(
            "tracks_exposed",
            "Tracks exposed",
            "How many people in a clip can be re-identified in at least one frame?",
            "Share of face tracks with at least one exposed frame. Chance: how often a track is taken, in at least one "
            "frame, for somebody in another clip.",
            "share",
            (0.0, 1.0),
        ),
        _exposure_card(
            "frames_exposed",
            "Frames exposed per track",
            "In how many frames is a person exposed?",
            "Exposed frames of a track, averaged over tracks.",
            "frames",
            (0.0, None),
        ),
        _exposure_card(
            "longest_exposure",
            "Longest exposure",
            "For how long without a break is a person exposed?",
            "Seconds of the longest unbroken run of exposed frames of a track, averaged over tracks.",
            "seconds",
            (0.0, None),
        ),
        MetricCard(
            name="tracks_missed",
            version="2",
            family="exposure",
            direction="lower",
            unit="share",
            bounds=(0.0, 1.0),
            title="Tracks with a missed frame",
            question="How many people are left as they were in at least one frame?",
            how="Share of face tracks with at least one frame in which the judge finds a face in the original and the "
            "method left it as it was, see frames_missed. One is enough for a viewer who stops the clip there.",
            source="unmask",
            limits=_LIMITS,
        ),
        _outcome_card(Outcome.ANONYMIZED, "higher", "Frames anonymized", "In how many frames is a face a new face?"),
        _outcome_card(Outcome.DESTROYED, "lower", "Frames destroyed", "In how many frames is a face no face any more?"),
        _outcome_card(
            Outcome.MISSED, "lower", "Frames missed", "In how many frames was a face left as it was?", _MISSED
        ),
        _outcome_card(Outcome.ERROR, "lower", "Frames failed", "In how many frames did the method give no output?"),
    )

    def ask(self, evidence: VideoEvidence) -> Iterator[UnitValues | SetStatistic]:
        yield from _outcomes(evidence)
        for recogniser in sorted({name for clip in evidence.clips for name in clip.original}):
            point = point_at(evidence.operating_points.get(recogniser, ()), FMR)
            distance = [own_distances(clip, recogniser) for clip in evidence.clips]
            ends = [end for end in (point.low, point.high) if math.isfinite(end)]
            for name, measure, share in _MEASURES:
                yield UnitValues(
                    name,
                    recogniser,
                    _per_track(evidence, distance, point.threshold, measure),
                    region="image",
                    unit="track",
                    share=share,
                    chance=chance_of_exposure(evidence, recogniser, point.threshold) if share else None,
                    alternatives=tuple(_per_track(evidence, distance, end, measure) for end in ends),
                )


def _outcomes(evidence: VideoEvidence) -> Iterator[UnitValues | SetStatistic]:
    outcomes = [evidence.clips[k].faces.outcome[rows] for k, rows in evidence.tracks]
    frames = np.array([(values != NOT_MEASURED).sum() for values in outcomes], np.float64)
    for outcome in Outcome:
        count = np.array([(values == outcome.value).sum() for values in outcomes], np.float64)
        yield SetStatistic(
            f"frames_{outcome.value}",
            JUDGE,
            partial(_share, count, frames),
            frames > 0,
            region="image",
            unit="track",
            share=True,
        )
        if outcome == Outcome.MISSED:
            missed = np.where(frames > 0, (count > 0).astype(float), np.nan)
            yield UnitValues("tracks_missed", JUDGE, missed, region="image", unit="track", share=True)


def _share(count: Float, frames: Float, weights: Float) -> float:
    everywhere = float(weights @ frames)
    return float(weights @ count) / everywhere if everywhere else math.nan


def _per_track(evidence: VideoEvidence, distance: list[Float], threshold: float, measure: _Measure) -> Float:
    """(T,) what ``measure`` makes of each track; NaN where none of its frames could be scored."""
    values = np.full(len(evidence.tracks), np.nan)
    for number, (k, rows) in enumerate(evidence.tracks):
        flags = exposed(distance[k][rows], threshold)
        if np.isfinite(flags).any():
            clip = evidence.clips[k]
            values[number] = measure(clip.seconds, clip.faces.frame[rows], flags)
    return values


_Measure = Callable[..., float]
_MEASURES: tuple[tuple[str, _Measure, bool], ...] = (
    ("tracks_exposed", lambda seconds, frames, flags: float((flags == 1.0).any()), True),
    ("frames_exposed", lambda seconds, frames, flags: float((flags == 1.0).sum()), False),
    ("longest_exposure", longest_run, False),
)
