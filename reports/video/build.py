"""Builds the report of a run over clips: one static folder that needs nothing from outside, and shows no picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from unmask.bench.core.cards import DatasetCard
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.storage import Folder
from unmask.reports.cards import own_tools
from unmask.reports.numbers import NBSP, count
from unmask.reports.pages import calibration_view
from unmask.reports.site import Site, check_replaceable
from unmask.reports.slugs import slugs
from unmask.reports.video import export, how, numbers
from unmask.reports.video.board import VideoBoard, make_board
from unmask.reports.video.codec import CodecTable, codec_table
from unmask.reports.video.following import RULE
from unmask.reports.video.inputs import Inputs, make_inputs
from unmask.reports.video.numbers import Matrix
from unmask.reports.video.reading import Finding, findings
from unmask.reports.video.tables import PeopleTables, people_tables, thesis
from unmask.reports.video.timelines import Timelines, make_timelines
from unmask.reports.video.view import VideoView

INDEX: Final = "index.html"
SMALL_CLIPS: Final = 20
"""With fewer clips than this, intervals are wide, and the page says so."""


@dataclass(frozen=True, slots=True)
class Part:
    """Everything about one data set."""

    label: str
    slug: str
    card: DatasetCard
    size: str
    facts: tuple[tuple[str, str], ...]
    small: bool
    findings: tuple[Finding, ...]
    board: VideoBoard
    details: Matrix
    people: tuple[PeopleTables, ...]
    ucf: bool
    """Whether the clips are those of the thesis."""
    codec: CodecTable
    timelines: Timelines
    inputs: Inputs


def build_video_report(folder: RunFolder, out: Path) -> Path:
    """Writes the report of a finished run into the folder ``out`` and returns its ``index.html``.

    The same run gives the same bytes. ``out`` appears whole or not at all; a former report there is replaced. No frame
    of a clip is ever shown.

    Raises `UsageError` if ``out`` holds anything but a report; `StoreError` if the run is damaged.
    """
    check_replaceable(out)
    view = VideoView(folder)
    with Folder(out, private=False).replacing(last=INDEX) as place:
        _write(place.local, view)
    return out / INDEX


def _write(out: Path, view: VideoView) -> None:
    names = slugs(view.datasets)
    nav = [
        (INDEX, "Results", "index"),
        *((f"numbers-{names[label]}.html", _numbers_title(view, label), f"numbers-{label}") for label in view.datasets),
        ("how.html", "How it is measured", "how"),
        ("instruments.html", "Instruments", "instruments"),
        ("provenance.html", "Provenance", "provenance"),
    ]
    site = Site(out, {"runs": [view], "nav": nav, "metric_slugs": slugs(view.metrics)})
    site.assets()
    parts = [_part(view, label, slug) for label, slug in names.items()]
    site.page(
        "video.html",
        INDEX,
        "index",
        view=view,
        parts=parts,
        followed_by=how.followed_by(view),
        thesis=thesis(),
        rule=RULE,
        lede=_lede(view),
    )
    for part in parts:
        site.page(
            "video_numbers.html",
            f"numbers-{part.slug}.html",
            f"numbers-{part.label}",
            part=part,
            tables=numbers.all_numbers(view, part.label),
        )
    site.page("video_how.html", "how.html", "how", view=view, families=how.metric_families(view), rule=RULE)
    site.page(
        "instruments.html",
        "instruments.html",
        "instruments",
        groups=how.instrument_groups(view),
        own_tools=own_tools(view.methods, view.instruments),
        rates_page="",
        calibrations=[calibration_view(view.folder.operating_points)],
    )
    site.page("provenance.html", "provenance.html", "provenance", entries=[how.provenance_entry(view)])
    site.text("video-estimates.csv", export.to_csv(view))
    site.text("estimates.json", view.folder.estimates_path.read_text("utf-8"))
    site.seal([view.key])


def _numbers_title(view: VideoView, label: str) -> str:
    return "All numbers" if len(view.datasets) == 1 else f"All numbers, {label}"


def _part(view: VideoView, label: str, slug: str) -> Part:
    card = view.datasets[label]
    usable = view.usable(label)
    return Part(
        label,
        slug,
        card,
        _size(view, label),
        tuple(_facts(view, label)),
        len(usable) < SMALL_CLIPS,
        tuple(findings(view, label)),
        make_board(view, label),
        numbers.details(view, label),
        tuple(people_tables(view, label)),
        card.name == thesis()["source"]["dataset"],
        codec_table(view, label),
        make_timelines(view, label, f"d{list(view.datasets).index(label) + 1}"),
        make_inputs(view, label),
    )


def _size(view: VideoView, dataset: str) -> str:
    rows, usable = view.clips(dataset), view.usable(dataset)
    every = count(len(rows), "clip")
    clips = every if len(usable) == len(rows) else f"{len(usable):,} of {every}"
    seconds = sum(row.seconds for row in usable)
    return f"{clips}, {count(sum(row.frames for row in usable), 'frame')}, {duration(seconds)}"


def duration(seconds: float) -> str:
    """``12.4 s``, ``3 min 5 s``, ``1 h 2 min``."""
    if seconds < 60:
        return f"{seconds:.1f}\N{NO-BREAK SPACE}s"
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    text = f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _facts(view: VideoView, dataset: str) -> list[tuple[str, str]]:
    usable = view.usable(dataset)
    groups: dict[str, int] = {}
    for row in usable:
        groups[row.group] = groups.get(row.group, 0) + 1
    people = [f"{sum(row.people.get(label, 0) for row in usable):,} by {label}" for label in view.trackers]
    truth = [row.truth_people for row in usable if row.truth_people is not None]
    if truth:
        people.append(f"{sum(truth):,} by the data set's annotation of {count(len(truth), 'clip')}")
    faces, width = sum(row.faces for row in usable), view.face_width(dataset)
    return [
        ("Clips", _size(view, dataset)),
        ("Groups", ", ".join(f"{name or 'no group'}: {n:,}" for name, n in groups.items()) if any(groups) else ""),
        ("People in the originals", "; ".join(people) if usable else ""),
        (
            "Faces in the originals",
            f"{count(sum(row.face_tracks for row in usable), 'face track')}, {faces:,} faces in frames"
            + (f", typically {width:.0f}{NBSP}px wide" if width is not None else ""),
        ),
        (
            "Strangers taken for one person",
            "; ".join(
                f"{name}: {matched:,} of {pairs:,}" for name, (matched, pairs) in view.strangers(dataset).items()
            ),
        ),
        (
            "Sound",
            "kept in clips that are not lossless"
            if view.plan.settings.keep_audio
            else "dropped: voices identify people",
        ),
        ("Licence", view.datasets[dataset].licence),
    ]


def _lede(view: VideoView) -> str:
    methods = len({c.method for c in view.competing})
    sizes = "; ".join(f"{_size(view, label)} ({label})" for label in view.datasets)
    ways = f"{count(methods, 'way', 'ways')} of hiding faces {'was' if methods == 1 else 'were'} tried on {sizes}."
    many = count(len(view.recognisers), "face recognition program")
    return (
        f"{ways} Two questions were asked: can people still be followed from frame to frame, and are there moments in "
        f"which {many} still recognise{'s' if len(view.recognisers) == 1 else ''} a person? One such frame is enough."
    )
