"""Every clip that went in, and what was wrong with it."""

from __future__ import annotations

from unmask.bench.store.clip_set import ClipSet
from unmask.bench.store.results import ClipRow
from unmask.reports.numbers import NBSP, count


def clip_facts(clips: ClipSet) -> list[tuple[str, str]]:
    """What went in, in short: name and text, '' where there is nothing to say."""
    usable = clips.usable
    groups = {name: sum(row.group == name for row in usable) for name in clips.groups}
    people = [f"{sum(row.people.get(label, 0) for row in usable):,} by {label}" for label in clips.trackers]
    truth = [row.truth_people for row in usable if row.truth_people is not None]
    if truth:
        people.append(f"{sum(truth):,} by the data set's annotation of {count(len(truth), 'clip')}")
    faces, width = sum(row.faces for row in usable), clips.face_width
    strangers = (f"{name}: {matched:,} of {pairs:,}" for name, (matched, pairs) in clips.strangers.items())
    with_audio = clips.run.plan.settings.keep_audio
    return [
        ("Groups", ", ".join(f"{name or 'no group'}: {n:,}" for name, n in groups.items()) if any(groups) else ""),
        ("People in the originals", "; ".join(people) if usable else ""),
        (
            "Faces in the originals",
            f"{count(sum(row.face_tracks for row in usable), 'face track')}, {faces:,} faces in frames"
            + (f", typically {width:.0f}{NBSP}px wide" if width is not None else ""),
        ),
        ("Strangers taken for one person", "; ".join(strangers)),
        ("Sound", "kept in clips that are not lossless" if with_audio else "dropped: voices identify people"),
    ]


def rate_text(row: ClipRow) -> str:
    """``25 a second``, ``29.97 a second, variable``."""
    rate = "not known" if row.rate is None else f"{row.rate:.2f}".rstrip("0").rstrip(".") + " a second"
    return f"{rate}, variable" if row.variable_rate else rate
