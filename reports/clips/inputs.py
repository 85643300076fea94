"""Every clip that went in, and what was wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from unmask.bench.store.clip_set import ClipSet
from unmask.bench.store.results import ClipRow
from unmask.reports.numbers import NBSP, NOT_MEASURED, count


@dataclass(frozen=True, slots=True)
class ClipLine:
    row: ClipRow
    size: str
    rate: str
    seconds: str
    kbps: str
    rotation: str
    people: str
    state: str
    """Problem, damage, or that it was used."""


@dataclass(frozen=True, slots=True)
class ClipInputs:
    clips: ClipSet
    facts: tuple[tuple[str, str], ...]
    lines: tuple[ClipLine, ...]
    problems: tuple[ClipRow, ...]
    damaged: tuple[ClipRow, ...]
    notes: tuple[str, ...]
    """What was passed over, a sentence each."""


def make_inputs(clips: ClipSet) -> ClipInputs:
    return ClipInputs(
        clips,
        tuple(_facts(clips)),
        tuple(_line(clips, row) for row in clips.every),
        tuple(row for row in clips.every if row.problem),
        tuple(row for row in clips.every if row.damage and not row.problem),
        tuple(clips.run.planned(clips.dataset).notes),
    )


def _facts(clips: ClipSet) -> list[tuple[str, str]]:
    usable = clips.usable
    groups = {name: sum(row.group == name for row in usable) for name in clips.groups}
    people = [f"{sum(row.people.get(label, 0) for row in usable):,} by {label}" for label in clips.trackers]
    truth = [row.truth_people for row in usable if row.truth_people is not None]
    if truth:
        people.append(f"{sum(truth):,} by the data set's annotation of {count(len(truth), 'clip')}")
    faces, width = sum(row.faces for row in usable), clips.face_width
    strangers = (f"{name}: {matched:,} of {pairs:,}" for name, (matched, pairs) in clips.strangers.items())
    kept = clips.run.plan.settings.keep_audio
    return [
        ("Groups", ", ".join(f"{name or 'no group'}: {n:,}" for name, n in groups.items()) if any(groups) else ""),
        ("People in the originals", "; ".join(people) if usable else ""),
        (
            "Faces in the originals",
            f"{count(sum(row.face_tracks for row in usable), 'face track')}, {faces:,} faces in frames"
            + (f", typically {width:.0f}{NBSP}px wide" if width is not None else ""),
        ),
        ("Strangers taken for one person", "; ".join(strangers)),
        ("Sound", "kept in clips that are not lossless" if kept else "dropped: voices identify people"),
    ]


def _line(clips: ClipSet, row: ClipRow) -> ClipLine:
    people = row.people.get(clips.tracker)
    rate = "not known" if row.rate is None else f"{row.rate:.2f}".rstrip("0").rstrip(".") + " a second"
    return ClipLine(
        row,
        f"{row.width:,} × {row.height:,}" if row.width and row.height else "not known",
        f"{rate}, variable" if row.variable_rate else rate,
        f"{row.seconds:,.1f}",
        "not known" if row.kbps is None else f"{row.kbps:,.0f}",
        f"{row.rotation}°" if row.rotation else "none",
        NOT_MEASURED if people is None else f"{people:,}",
        f"could not be used: {row.problem}" if row.problem else f"damaged: {row.damage}" if row.damage else "used",
    )
