"""The main finding in plain words, worked out from the numbers: nothing is claimed that the intervals do not show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from unmask.bench.core.exposure import FMR
from unmask.bench.store.results import EstimateRow
from unmask.bench.store.schemas import Release
from unmask.reports.leaderboard import USELESS_SHARE
from unmask.reports.numbers import NBSP, count, format_interval, format_value
from unmask.reports.runs import WORST
from unmask.reports.video.following import IDF1, Change, followed
from unmask.reports.video.view import JUDGE, VideoView

STRANGERS: Final = 10 * FMR
"""Share of strangers taken for one person above which the page warns."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A question and its answer."""

    title: str
    answer: str
    details: tuple[str, ...]
    """A sentence a method."""


def findings(view: VideoView, dataset: str) -> list[Finding]:
    """What a reader should take away from a data set."""
    return [
        Finding("Can people still be followed?", *_following(view, dataset)),
        Finding("Who is left exposed, and for how long?", *_exposure(view, dataset)),
    ]


def _following(view: VideoView, dataset: str) -> tuple[str, tuple[str, ...]]:
    """Whether anonymized faces make people harder to follow, beyond what re-encoding does."""
    found = followed(view, dataset)
    if not found:
        return "Only the clips as they are were run; there is no method to speak of.", ()
    names = {change: [f.contestant.label for f in found if f.change == change] for change in Change}
    shown = [*([view.recoded] if view.recoded else []), *view.competing]
    told = tuple(text for c in shown if (text := _followed_text(view, dataset, c)))
    if view.recoded is None:
        return "The clips were not re-encoded without a method, so what the codec alone does is not known.", told
    said = []
    if len(names[Change.HARDLY]) == len(found):
        said.append(
            "Following people by their bodies hardly depends on their faces here: every method leaves it as it is "
            "when the clips are only re-encoded."
        )
    else:
        if names[Change.BEYOND]:
            said.append(
                f"Beyond what re-encoding alone changes, people are followed differently under "
                f"{listed(names[Change.BEYOND])}."
            )
        if names[Change.HARDLY]:
            said.append(f"Under {listed(names[Change.HARDLY])} it hardly changes.")
        if names[Change.OPEN]:
            said.append(
                f"For {listed(names[Change.OPEN])} no change beyond the codec's is shown, and none can be ruled out."
            )
        if names[Change.UNTOUCHED]:
            said.append(
                f"{listed(names[Change.UNTOUCHED])} left most faces as they were (or there were none), which says "
                "nothing about whether following people depends on their faces."
            )
        if names[Change.UNKNOWN]:
            said.append(f"For {listed(names[Change.UNKNOWN])} it cannot be told: {_unknown(view, dataset)}.")
    return " ".join(said), told


def _unknown(view: VideoView, dataset: str) -> str:
    clips = len(view.usable(dataset))
    if clips < 2:
        return "one clip says nothing about others" if clips else "no clip could be used"
    return "nobody was followed in enough of the clips"


def _followed_text(view: VideoView, dataset: str, contestant: Release) -> str:
    """``blur: IDF1 0.97 (0.95–0.99), 31 people of 32``."""
    row = view.value(dataset, contestant.label, IDF1, view.tracker)
    pairs = [
        (clip.people[view.tracker], result.people[view.tracker])
        for clip, result in view.results(dataset, contestant.label)
        if view.tracker in clip.people and view.tracker in result.people
    ]
    parts = []
    if row is not None:
        unit = view.metrics[IDF1].unit
        parts.append(f"IDF1 against the original's own tracks {_with_interval(row, unit)}")
    if pairs:
        before, after = (sum(pair[k] for pair in pairs) for k in (0, 1))
        parts.append(f"{count(after, 'person', 'people')} counted, {before:,} in the originals")
    what = f"{contestant.label} (only re-encoded)" if view.is_control(contestant) else contestant.label
    return f"{what}: {'; '.join(parts)}." if parts else ""


def _exposure(view: VideoView, dataset: str) -> tuple[str, tuple[str, ...]]:
    """Which method leaves how many people exposed."""
    if not view.usable(dataset):
        return "No clip could be used.", ()
    if not any(row.face_tracks for row in view.usable(dataset)):
        return "No face was found in these clips, so nobody can be exposed by their face: nothing was measured.", ()
    said = _least_and_most(view, dataset)
    control = view.value(dataset, view.control.label, "tracks_exposed", WORST)
    if control is not None:
        said.append(f"Without a method, {format_value(control.value, 'share')} of the face tracks are exposed.")
    if mixed_up := _mixed_up(view, dataset):
        said.append(mixed_up)
    return " ".join(said), tuple(_exposure_text(view, dataset, c) for c in view.competing)


def _mixed_up(view: VideoView, dataset: str) -> str:
    """A warning where a recogniser cannot tell the people of these clips apart; ""."""
    shares = {name: matched / pairs for name, (matched, pairs) in view.strangers(dataset).items()}
    worst = max(shares, key=lambda name: shares[name], default="")
    if not worst or shares[worst] <= STRANGERS:
        return ""
    width = view.face_width(dataset)
    return (
        f"Recognisers mix people up in these clips, whose faces are typically {width:.0f}{NBSP}px wide: two faces in "
        f"one frame must be two people, and {worst} takes {format_value(shares[worst], 'share')} of such pairs for one "
        f"person, where {format_value(FMR, 'share')} was allowed. So part of what counts as exposed may be chance."
    )


def _least_and_most(view: VideoView, dataset: str) -> list[str]:
    rows = [(c.label, view.value(dataset, c.label, "tracks_exposed", WORST)) for c in view.competing]
    values = {label: row.value for label, row in rows if row is not None and row.value is not None}
    if len(values) < 2:
        return []
    leads = [label for label in view.leads(dataset, view.column("tracks_exposed", WORST)) if label in values]
    most = [label for label, value in values.items() if value == max(values.values())]
    said = []
    if len(leads) == 1:
        but = ", but destroys most faces" if _destroys(view, dataset, leads[0]) else ""
        said.append(f"{leads[0]} clearly leaves the fewest people exposed{but}.")
    elif leads:
        said.append(f"No method clearly leaves the fewest exposed: {listed(leads)} are tied.")
    if max(values.values()) > 0 and not set(most) & set(leads):
        said.append(f"Most are exposed under {listed(most)}.")
    return said


def _exposure_text(view: VideoView, dataset: str, contestant: Release) -> str:
    """One method in one sentence."""
    label = contestant.label
    row = view.value(dataset, label, "tracks_exposed", WORST)
    if row is None:
        return f"{label}: not measured."
    chance = f", {format_value(row.chance, 'share')} by chance" if row.chance is not None else ""
    text = (
        f"{label}: {_with_interval(row, 'share')} of the face tracks are exposed in at least one frame "
        f"(by {row.note or 'the recogniser'}{chance})"
    )
    longest = max(view.results(dataset, label), key=lambda pair: pair[1].longest_exposure, default=None)
    if longest is not None and longest[1].longest_exposure > 0:
        seconds = f"{longest[1].longest_exposure:.1f}{NBSP}s"
        text += f", the longest for {seconds} without a break (in {longest[0].clip})"
    missed = view.value(dataset, label, "frames_missed", JUDGE)
    if missed is not None:
        text += f"; in {format_value(missed.value, 'share')} of the frames with a face it was left as it was"
    if _destroys(view, dataset, label):
        destroyed = view.value(dataset, label, "frames_destroyed", JUDGE)
        share = format_value(destroyed.value if destroyed else None, "share")
        text += f"; it destroys {share} of the faces, so its output is of little use"
    return text + "."


def _destroys(view: VideoView, dataset: str, label: str) -> bool:
    row = view.value(dataset, label, "frames_destroyed", JUDGE)
    return row is not None and (row.value or 0.0) >= USELESS_SHARE


def _with_interval(row: EstimateRow, unit: str) -> str:
    interval = format_interval(row.low, row.high, row.value, unit)
    return format_value(row.value, unit) + (f" ({interval})" if interval else " (no interval)")


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
