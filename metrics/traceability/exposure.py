"""Privacy over time: in how many frames, and for how long, a face track gives the person away."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import ClassVar, Final

import numpy as np

from unmask.bench.core.cards import Direction, MetricCard
from unmask.bench.core.clips import NOT_MEASURED
from unmask.bench.core.evidence import KNOWN_PLACE, Evidence, point_at
from unmask.bench.core.exposure import FMR, exposed, longest_run, nearest, own_distances
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import Float, Floats32, Outcome
from unmask.bench.core.values import CLIPS, SetStatistic, UnitValues
from unmask.metrics.privacy.outcome import outcome_share

JUDGE: Final = "yunet"
PARTNERS: Final = 20
"""Tracks of other clips that each track is compared with."""
_RULES = (
    "A face is exposed in a frame where the method missed it or failed, or where the recogniser's cosine distance to "
    "the same frame's original is at or below its threshold at a false match rate of 1e-3 (calibrated on other "
    "people's photos): that of the face found again, or of the output at the original's place (whether a face is found "
    "there or not; but for originals that a black image would match as well), whichever is nearer. "
)
_SELDOM_TRIED: Final = (
    "Looks (turned, mirrored, inverted, blurred faces), faces elsewhere in the frame and a second detector are tried "
    "on clips, which have hundreds of times as many faces as photos, only where a metric that needs them was asked "
    "for, and even then looks alone count here, towards what was missed: a low value does not say that they would "
    "find nobody. "
)
_LIMITS = (
    f"{_SELDOM_TRIED}Face tracks are those of the judge's detector on the original, linked by position and face; one "
    "person whose track breaks counts as two. A track counts as scored if any of its frames could be: one that cannot "
    "be read might still expose. Thresholds were calibrated on photos, not on surveillance frames. Small and blurred "
    "faces are hard for recognisers in the original too: read it beside the control and the chance level."
)

_EXPOSURE: Final = partial(
    MetricCard, version="2", family="exposure", direction="lower", unit="share", bounds=(0.0, 1.0), source="unmask"
)
_TRACK: Final = partial(_EXPOSURE, source="unmask; the thesis measures no privacy in video", limits=_LIMITS)
_MISSED = (
    "Missed: the output's pixels at the face are the input's; or a smooth tone curve and noise of at most 1.5 times "
    "what JPEG quality 50 leaves make them of the input's, and a recogniser still matches the face at a false match "
    "rate of 1e-3. "
)


def _outcome_card(outcome: Outcome, direction: Direction, title: str, question: str, how: str = "") -> MetricCard:
    return _EXPOSURE(
        name=f"frames_{outcome.value}",
        direction=direction,
        title=title,
        question=question,
        how=f"{how}Share of all faces in all frames of the originals, whatever track they belong to; the four outcomes "
        "add up to 1.",
        limits=f"{_SELDOM_TRIED}Long tracks weigh more. A face that the judge does not find in the original is not in "
        "the count.",
        headline=13 if outcome is Outcome.MISSED else None,
    )


class Exposure:
    """`tracks_exposed`, `frames_exposed`, `longest_exposure` for every recogniser; `tracks_missed`, `frames_*`."""

    needs: ClassVar[tuple[str, ...]] = (CLIPS, "role:recogniser")
    cards: ClassVar[tuple[MetricCard, ...]] = (
        _TRACK(
            name="tracks_exposed",
            title="Tracks exposed",
            question="How many people in a clip can be re-identified in at least one frame?",
            how=f"{_RULES}Share of face tracks with at least one exposed frame. Chance: how often a track is taken, in "
            "at least one frame, for somebody in another clip.",
            headline=11,
        ),
        _TRACK(
            name="frames_exposed",
            title="Frames exposed per track",
            question="In how many frames is a person exposed?",
            how=f"{_RULES}Exposed frames of a track, averaged over tracks.",
            unit="frames",
            bounds=(0.0, None),
        ),
        _TRACK(
            name="longest_exposure",
            title="Longest exposure",
            question="For how long without a break is a person exposed?",
            how=f"{_RULES}Seconds of the longest unbroken run of exposed frames of a track, averaged over tracks.",
            unit="seconds",
            bounds=(0.0, None),
            headline=12,
        ),
        _EXPOSURE(
            name="tracks_missed",
            title="Tracks with a missed frame",
            question="How many people are left as they were in at least one frame?",
            how="Share of face tracks with at least one frame in which the judge finds a face in the original and the "
            "method left it as it was, see frames_missed. One is enough for a viewer who stops the clip there.",
            limits=_LIMITS,
            headline=14,
        ),
        _outcome_card(Outcome.ANONYMIZED, "higher", "Frames anonymized", "In how many frames is a face a new face?"),
        _outcome_card(Outcome.DESTROYED, "lower", "Frames destroyed", "In how many frames is a face no face any more?"),
        _outcome_card(
            Outcome.MISSED, "lower", "Frames missed", "In how many frames was a face left as it was?", _MISSED
        ),
        _outcome_card(Outcome.ERROR, "lower", "Frames failed", "In how many frames did the method give no output?"),
    )

    def ask(self, evidence: Evidence) -> Iterator[UnitValues | SetStatistic]:
        """Statistics and values a face track."""
        yield from _outcomes(evidence)
        for recogniser in sorted(evidence.recognisers):
            point = point_at(evidence.operating_points.get(recogniser, ()), FMR)
            distance = own_distances(evidence, recogniser)
            ends = [end for end in (point.low, point.high) if math.isfinite(end)]
            for name, measure, share in _MEASURES:
                yield UnitValues(
                    name,
                    recogniser,
                    _per_track(evidence, distance, point.threshold, measure),
                    "image",
                    "track",
                    share=share,
                    chance=chance_of_exposure(evidence, recogniser, point.threshold) if share else None,
                    alternatives=tuple(_per_track(evidence, distance, end, measure) for end in ends),
                )


def _outcomes(evidence: Evidence) -> Iterator[UnitValues | SetStatistic]:
    tracks = evidence.clips.tracks
    frames = np.array([(evidence.outcome[rows] != NOT_MEASURED).sum() for rows in tracks], np.float64)
    for outcome in Outcome:
        share = outcome_share(evidence.outcome, outcome)
        count = np.array([np.nansum(share[rows]) for rows in tracks], np.float64)
        of_all = partial(_share, count, frames)
        yield SetStatistic(f"frames_{outcome.value}", JUDGE, of_all, frames > 0, "image", "track", share=True)
        if outcome == Outcome.MISSED:
            missed = np.where(frames > 0, (count > 0).astype(float), np.nan)
            yield UnitValues("tracks_missed", JUDGE, missed, "image", "track", share=True)


def _share(count: Float, frames: Float, weights: Float) -> float:
    everywhere = float(weights @ frames)
    return float(weights @ count) / everywhere if everywhere else math.nan


def _per_track(evidence: Evidence, distance: Float, threshold: float, measure: _Measure) -> Float:
    """(T,) what ``measure`` makes of each track; NaN where none of its frames could be scored."""
    clips, flags = evidence.clips, exposed(distance, threshold)
    values = np.full(len(clips.tracks), np.nan)
    for number, (k, rows) in enumerate(zip(clips.track_clip, clips.tracks, strict=True)):
        if np.isfinite(flags[rows]).any():
            values[number] = measure(clips.seconds[k], clips.frame[rows], flags[rows])
    return values


_Measure = Callable[..., float]
_MEASURES: tuple[tuple[str, _Measure, bool], ...] = (
    ("tracks_exposed", lambda seconds, frames, flags: float((flags == 1.0).any()), True),
    ("frames_exposed", lambda seconds, frames, flags: float((flags == 1.0).sum()), False),
    ("longest_exposure", longest_run, False),
)


def chance_of_exposure(evidence: Evidence, recogniser: str, threshold: float) -> float | None:
    """How often a track is taken, in at least one frame, for somebody who is in another clip.

    Each track's outputs, as found again and at the known place, are compared frame by frame with the originals of up to
    `PARTNERS` tracks of other clips (shorter ones are gone through again). ``None`` where no two
    clips have a readable track.
    """
    originals, outputs = _readings(evidence, recogniser)
    clips = evidence.clips.track_clip
    rng = np.random.default_rng(derive_seed(evidence.settings.seed, "strangers", evidence.dataset, recogniser))
    hits = []
    for number, (again, known_place) in enumerate(outputs):
        others = [k for k in np.flatnonzero(clips != clips[number]) if len(originals[k])]
        if not len(again) or not others:
            continue
        for other in rng.choice(others, min(PARTNERS, len(others)), replace=False):
            stranger = originals[int(other)]
            distance = nearest(stranger[np.arange(len(again)) % len(stranger)], again, known_place)
            hits.append(float((distance <= threshold).any()))
    return float(np.mean(hits)) if hits else None


def _readings(evidence: Evidence, recogniser: str) -> tuple[list[Floats32], list[tuple[Floats32, Floats32]]]:
    """The readable embeddings of each track: originals, and the two readings of each output that a method changed."""
    original, released = evidence.original[recogniser]["embedding"], evidence.anonymized[recogniser]
    again, known_place = released["embedding"], released[KNOWN_PLACE]
    changed = np.isin(evidence.outcome, [Outcome.ANONYMIZED.value, Outcome.DESTROYED.value])
    readable = np.asarray(np.isfinite(original).all(axis=1))
    use = changed & (np.isfinite(again).all(axis=1) | np.isfinite(known_place).all(axis=1))
    tracks = evidence.clips.tracks
    outputs = [(again[rows[use[rows]]], known_place[rows[use[rows]]]) for rows in tracks]
    return [original[rows[readable[rows]]] for rows in tracks], outputs
