"""The leaderboard of one data set of clips: pinned controls and chance, then the contestants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from unmask.bench.core.cards import MetricCard
from unmask.bench.store.schemas import LOSSLESS, Release
from unmask.reports.columns import better_text
from unmask.reports.leaderboard import USELESS_SHARE
from unmask.reports.numbers import ends_text
from unmask.reports.runs import WORST, Column
from unmask.reports.video.cells import VideoCell, cost_cells, estimate
from unmask.reports.video.view import JUDGE, VideoView

TRACKER: Final = "tracker"
"""Stands for the run's first tracker."""
RECOGNISER: Final = "recogniser"
"""Stands for the run's default recogniser."""

SPANS: Final[tuple[tuple[str, str, tuple[tuple[str, str], ...]], ...]] = (
    ("people", "People counted", (("people", TRACKER), ("people_difference", TRACKER))),
    ("truth", "Followed, against the truth", (("hota", TRACKER), ("idf1", TRACKER), ("mota", TRACKER))),
    (
        "original",
        "Followed, against the original's tracks",
        (("hota_original", TRACKER), ("idf1_original", TRACKER)),
    ),
    (
        "exposure",
        "Privacy over time",
        (("tracks_exposed", WORST), ("longest_exposure", WORST), ("frames_missed", JUDGE), ("tracks_missed", JUDGE)),
    ),
    (
        "consistency",
        "Consistency",
        (
            ("identity_kept", RECOGNISER),
            ("identity_shared", RECOGNISER),
            ("flicker", "frames"),
            ("landmark_correlation", JUDGE),
        ),
    ),
)
ARROWS: Final = {"higher": "\N{UPWARDS ARROW}", "lower": "\N{DOWNWARDS ARROW}", "none": ""}


@dataclass(frozen=True, slots=True)
class VideoHead:
    column: Column | None
    """``None`` = cost, out of the tables of clips."""
    span: str
    title: str
    sub: str
    better: str
    arrow: str
    unit: str
    metric: str
    """Name of the card that explains it; '' = none does."""
    direction: Literal["higher", "lower", "none"]


@dataclass(frozen=True, slots=True)
class Span:
    name: str
    title: str
    columns: int


@dataclass(frozen=True, slots=True)
class VideoLine:
    contestant: Release
    control: bool
    about: str
    cells: tuple[VideoCell, ...]


@dataclass(frozen=True, slots=True)
class VideoBoard:
    heads: tuple[VideoHead, ...]
    spans: tuple[Span, ...]
    controls: tuple[VideoLine, ...]
    chance: tuple[str, ...]
    contestants: tuple[VideoLine, ...]
    left_out: tuple[str, ...]
    """Why whole groups of columns are not there."""


def make_board(view: VideoView, dataset: str) -> VideoBoard:
    """Contestants that keep faces come first, each part by tracks exposed, fewest first."""
    heads = [*_heads(view, dataset), *_cost_heads()]
    lines = [_line(view, dataset, contestant, heads) for contestant in view.plan.releases]
    exposed = Column("tracks_exposed", WORST, "image")

    def order(line: VideoLine) -> tuple[bool, float]:
        row = view.row(dataset, line.contestant.label, view.column(exposed.metric, WORST))
        return bool(line.about), 2.0 if row is None or row.value is None else row.value

    names = list(dict.fromkeys(head.span for head in heads))
    titles = {name: title for name, title, _ in SPANS} | {"cost": "Cost"}
    return VideoBoard(
        tuple(heads),
        tuple(Span(name, titles[name], sum(head.span == name for head in heads)) for name in names),
        tuple(line for line in lines if line.control),
        tuple("" if h.column is None else chance_text(view, dataset, h.column) for h in heads),
        tuple(sorted((line for line in lines if not line.control), key=order)),
        tuple(_left_out(view, dataset, names)),
    )


def _left_out(view: VideoView, dataset: str, names: Sequence[str]) -> list[str]:
    if not view.usable(dataset):
        return ["No clip could be used, so nothing was measured."]
    found = []
    if "truth" not in names:
        found.append("Not measured against the truth: these clips come without an annotation of people.")
    if "original" not in names:
        found.append("Not measured against the original's tracks: nobody was followed in any original.")
    if not any(row.face_tracks for row in view.clips(dataset)):
        found.append("No face was found in these clips, so privacy over time and consistency have no answer.")
    return found


def _heads(view: VideoView, dataset: str) -> list[VideoHead]:
    names = {TRACKER: view.tracker, RECOGNISER: view.plan.settings.default_recogniser}
    found = []
    for span, _, metrics in SPANS:
        columns = [
            view.column(metric, names.get(instrument, instrument))
            for metric, instrument in metrics
            if metric in view.metrics
        ]
        # Against a reference that the data set does not have, nothing was asked at all.
        if span in ("truth", "original") and not any(measured(view, dataset, column) for column in columns):
            continue
        found += [make_head(view, column, span) for column in columns]
    return found


def measured(view: VideoView, dataset: str, column: Column) -> bool:
    """Whether any contestant has a value in a column."""
    rows = (view.row(dataset, label, column) for label in view.contestants)
    return any(row is not None and row.value is not None for row in rows)


def make_head(view: VideoView, column: Column, span: str) -> VideoHead:
    card = view.metrics[column.metric]
    return VideoHead(
        column,
        span,
        card.title.split(", against")[0],
        instrument_text(view, column),
        better_text(card),
        ARROWS[card.direction],
        unit_text(card),
        card.name,
        card.direction,
    )


def _cost_heads() -> list[VideoHead]:
    return [
        VideoHead(None, "cost", "Time a frame", "this machine", "lower is better", ARROWS["lower"], "ms", "", "lower"),
        VideoHead(None, "cost", "Bitrate", "as written", "", "", "kbit/s", "", "none"),
    ]


def instrument_text(view: VideoView, column: Column) -> str:
    """``worst of 4 recognisers``, ``deepsort``; a judge or plain pixels are said in words."""
    if column.instrument == WORST:
        return f"worst of {len(view.recognisers)} recognisers" if len(view.recognisers) > 1 else "the recogniser"
    return {JUDGE: "all face tracks", "frames": "1 = as the original"}.get(column.instrument, column.instrument)


def unit_text(card: MetricCard) -> str:
    """The unit where a head has to say it."""
    return card.unit if card.unit not in ("share", "ratio", "correlation", "people", "frames", "") else ""


def chance_text(view: VideoView, dataset: str, column: Column) -> str:
    """What guessing would score; two ends where it depends on the method."""
    rows = [view.row(dataset, c.label, column) for c in view.competing or view.plan.releases]
    values = sorted({row.chance for row in rows if row is not None and row.chance is not None})
    return ends_text(values, view.metrics[column.metric].unit)


def _line(view: VideoView, dataset: str, contestant: Release, heads: Sequence[VideoHead]) -> VideoLine:
    control = view.is_control(contestant)
    destroyed = view.value(dataset, contestant.label, "frames_destroyed", JUDGE)
    about = ""
    if control:
        about = "control: the clips as they are" if contestant.variant == LOSSLESS else "control: only re-encoded"
    elif destroyed is not None and (destroyed.value or 0.0) >= USELESS_SHARE:
        about = "destroys most faces: of no use"
    cost = iter(cost_cells(view, dataset, contestant))
    cells = [
        next(cost) if head.column is None else estimate(view, dataset, contestant.label, head.column) for head in heads
    ]
    return VideoLine(contestant, control, about, tuple(cells))
