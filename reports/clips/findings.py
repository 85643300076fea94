"""The main finding in plain words, worked out from the numbers: nothing is claimed that the intervals do not show."""

from __future__ import annotations

from typing import Final

from unmask.bench.core.exposure import FMR
from unmask.bench.core.headlines import JUDGE
from unmask.bench.store.clip_set import ClipSet
from unmask.bench.store.following import CLOSE, FEW, IDF1, STEADY, Change, followed
from unmask.bench.store.planned import Release
from unmask.bench.store.results import EstimateRow
from unmask.bench.store.view import WORST
from unmask.reports.leaderboard import USELESS_SHARE
from unmask.reports.numbers import NBSP, count, format_value, interval_text, listed, with_interval

STRANGERS: Final = 10 * FMR
"""Share of strangers taken for one person above which the page warns."""
RULE: Final = (
    f"“Hardly” is said where, for every method, the whole 95{NBSP}% interval of IDF1 (against the original's own "
    f"tracks) lies no more than {round(CLOSE * 100)} points below the re-encoded control's value, or below "
    f"{round(STEADY * 100)}{NBSP}% where the control has less, and that of the difference in people no further from 0 "
    f"than the control's difference and {round(FEW * 100)}{NBSP}% of the people of a clip. “Beyond the codec” is said "
    "where the interval of IDF1 lies wholly below the control's, or where the count changes more than the control's "
    "and the paired difference between the two, clip by clip, is clearly not 0. A method that left half of the faces "
    "or more as they were is not judged."
)
"""How `bench.store.following` decides, in words."""


_UNDER: Final = {
    Change.BEYOND: "Beyond what re-encoding alone changes, people are followed differently under {methods}.",
    Change.HARDLY: "Under {methods} it hardly changes.",
    Change.OPEN: "For {methods} no change beyond the codec's is shown, and none can be ruled out.",
    Change.UNTOUCHED: "{methods} left most faces as they were (or there were none), which says nothing about whether "
    "following people depends on their faces.",
    Change.UNKNOWN: "For {methods} it cannot be told: {why}.",
}
Finding = tuple[str, str, list[str]]
"""A question, its answer, and a sentence for each method."""


def findings(clips: ClipSet) -> list[Finding]:
    """What a reader should take away from a data set."""
    return [
        ("Can people still be followed?", *_following(clips)),
        ("Who is left exposed, and for how long?", *_exposure(clips)),
    ]


def _following(clips: ClipSet) -> tuple[str, list[str]]:
    """Whether anonymized faces make people harder to follow, beyond what re-encoding does."""
    methods = followed(clips)
    if not methods:
        return "Only the clips as they are were run; there is no method to speak of.", []
    names = {change: [f.release.label for f in methods if f.change == change] for change in Change}
    releases = [*([clips.recoded] if clips.recoded else []), *clips.competing]
    details = [text for release in releases if (text := _followed_text(clips, release))]
    if clips.recoded is None:
        return "The clips were not re-encoded without a method, so what the codec alone does is not known.", details
    if len(names[Change.HARDLY]) == len(methods):
        answer = (
            "Following people by their bodies hardly depends on their faces here: every method leaves it as it is "
            "when the clips are only re-encoded."
        )
        return answer, details
    under = {change: text for change, text in _UNDER.items() if names[change]}
    why = _unknown(clips)
    return " ".join(text.format(methods=listed(names[c]), why=why) for c, text in under.items()), details


def _unknown(clips: ClipSet) -> str:
    if len(clips.usable) < 2:
        return "one clip says nothing about others" if clips.usable else "no clip could be used"
    return "nobody was followed in enough of the clips"


def _followed_text(clips: ClipSet, release: Release) -> str:
    """``blur: IDF1 0.97 (0.95–0.99), 31 people of 32``."""
    row = clips.value(release.label, IDF1, clips.tracker)
    pairs = [
        (each.people[clips.tracker], result.people[clips.tracker])
        for each, result in clips.results(release.label)
        if clips.tracker in each.people and clips.tracker in result.people
    ]
    parts = []
    if row is not None:
        unit = clips.run.metrics[IDF1].unit
        parts.append(f"IDF1 against the original's own tracks {_interval(row, unit)}")
    if pairs:
        before, after = (sum(pair[k] for pair in pairs) for k in (0, 1))
        parts.append(f"{count(after, 'person', 'people')} counted, {before:,} in the originals")
    what = f"{release.label} (only re-encoded)" if clips.run.is_control(release.label) else release.label
    return f"{what}: {'; '.join(parts)}." if parts else ""


def _exposure(clips: ClipSet) -> tuple[str, list[str]]:
    """Which method leaves how many people exposed."""
    if not clips.usable:
        return "No clip could be used.", []
    if not any(row.face_tracks for row in clips.usable):
        return "No face was found in these clips, so nobody can be exposed by their face: nothing was measured.", []
    sentences = _least_and_most(clips)
    control = clips.value(clips.control.label, "tracks_exposed", WORST)
    if control is not None:
        sentences.append(f"Without a method, {format_value(control.value, 'share')} of the face tracks are exposed.")
    if mixed_up := _mixed_up(clips):
        sentences.append(mixed_up)
    return " ".join(sentences), [_exposure_text(clips, release) for release in clips.competing]


def _mixed_up(clips: ClipSet) -> str:
    """A warning where a recogniser cannot tell the people of these clips apart; ""."""
    shares = {name: matched / pairs for name, (matched, pairs) in clips.strangers.items()}
    worst = max(shares, key=lambda name: shares[name], default="")
    if not worst or shares[worst] <= STRANGERS:
        return ""
    width = clips.face_width
    return (
        f"Recognisers mix people up in these clips, whose faces are typically {width:.0f}{NBSP}px wide: two faces in "
        f"one frame must be two people, and {worst} takes {format_value(shares[worst], 'share')} of such pairs for one "
        f"person, where {format_value(FMR, 'share')} was allowed. So part of what counts as exposed may be chance."
    )


def _least_and_most(clips: ClipSet) -> list[str]:
    rows = [(c.label, clips.value(c.label, "tracks_exposed", WORST)) for c in clips.competing]
    values = {label: row.value for label, row in rows if row is not None and row.value is not None}
    if len(values) < 2:
        return []
    column = clips.column("tracks_exposed", WORST)
    ranked = [label for label in values if clips.run.rank(clips.dataset, label, column) is not None]
    # Where no two can be told apart the leaderboard has no star; in words all of them are tied.
    leads = [label for label in clips.run.leads(clips.dataset, column) if label in values] or ranked
    most = [label for label, value in values.items() if value == max(values.values())]
    sentences = []
    if len(leads) == 1:
        but = ", but destroys most faces" if _destroys(clips, leads[0]) else ""
        sentences.append(f"{leads[0]} clearly leaves the fewest people exposed{but}.")
    elif leads:
        sentences.append(f"No method clearly leaves the fewest exposed: {listed(leads)} are tied.")
    if max(values.values()) > 0 and not set(most) & set(leads):
        sentences.append(f"Most are exposed under {listed(most)}.")
    return sentences


def _exposure_text(clips: ClipSet, release: Release) -> str:
    """One method in one sentence."""
    label = release.label
    row = clips.value(label, "tracks_exposed", WORST)
    if row is None:
        return f"{label}: not measured."
    chance = f", {format_value(row.chance, 'share')} by chance" if row.chance is not None else ""
    text = (
        f"{label}: {_interval(row, 'share')} of the face tracks are exposed in at least one frame "
        f"(by {row.note or 'the recogniser'}{chance})"
    )
    longest = max(clips.results(label), key=lambda pair: pair[1].longest_exposure, default=None)
    if longest is not None and longest[1].longest_exposure > 0:
        seconds = f"{longest[1].longest_exposure:.1f}{NBSP}s"
        text += f", the longest for {seconds} without a break (in {longest[0].clip})"
    missed = clips.value(label, "frames_missed", JUDGE)
    if missed is not None:
        text += f"; in {format_value(missed.value, 'share')} of the frames with a face it was left as it was"
    if _destroys(clips, label):
        destroyed = clips.value(label, "frames_destroyed", JUDGE)
        share = format_value(destroyed.value if destroyed else None, "share")
        text += f"; it destroys {share} of the faces, so its output is of little use"
    return text + "."


def _destroys(clips: ClipSet, label: str) -> bool:
    row = clips.value(label, "frames_destroyed", JUDGE)
    return row is not None and (row.value or 0.0) >= USELESS_SHARE


def _interval(row: EstimateRow, unit: str) -> str:
    return with_interval(row, unit) + ("" if interval_text(row, unit) else " (no interval)")
