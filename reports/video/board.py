"""The leaderboard of one data set of clips: pinned controls and chance, then the contestants."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from unmask.bench.core.cards import MetricCard
from unmask.bench.core.headlines import headline_keys
from unmask.bench.store.schemas import LOSSLESS, Release
from unmask.reports.columns import better_text
from unmask.reports.leaderboard import USELESS_SHARE
from unmask.reports.numbers import ends_text
from unmask.reports.runs import WORST, Column
from unmask.reports.video.cells import VideoCell, estimate
from unmask.reports.video.view import JUDGE, VideoView

SPANS: Final[Mapping[str, str]] = {
    "people": "People counted",
    "truth": "Followed, against the truth",
    "original": "Followed, against the original's tracks",
    "exposure": "Privacy over time",
    "consistency": "Consistency",
    "cost": "Cost",
}
BITRATE: Final = ("kbps", "stream")
_INSTRUMENTS: Final = {
    JUDGE: "all face tracks",
    "frames": "1 = as the original",
    "wall-clock": "this machine",
    "stream": "as written",
}

ARROWS: Final = {"higher": "\N{UPWARDS ARROW}", "lower": "\N{DOWNWARDS ARROW}", "none": ""}


@dataclass(frozen=True, slots=True)
class VideoHead:
    column: Column
    span: str
    title: str
    sub: str
    better: str
    arrow: str
    unit: str
    metric: str
    """Name of the card that explains it."""
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
    heads = _heads(view, dataset)
    lines = [_line(view, dataset, contestant, heads) for contestant in view.plan.releases]
    exposed = Column("tracks_exposed", WORST, "image")

    def order(line: VideoLine) -> tuple[bool, float]:
        row = view.row(dataset, line.contestant.label, view.column(exposed.metric, WORST))
        return bool(line.about), 2.0 if row is None or row.value is None else row.value

    names = list(dict.fromkeys(head.span for head in heads))
    return VideoBoard(
        tuple(heads),
        tuple(Span(name, SPANS[name], sum(head.span == name for head in heads)) for name in names),
        tuple(line for line in lines if line.control),
        tuple(chance_text(view, dataset, head.column) for head in heads),
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
    """The headline columns; without those of a reference that the data set does not have."""
    columns = view.columns(dataset)
    keys = [(c.metric, c.instrument, c.region) for c in columns]
    valued = {key for key, column in zip(keys, columns, strict=True) if measured(view, dataset, column)}
    instruments = [view.plan.settings.default_recogniser, *view.trackers]
    heads = headline_keys(view.metrics, keys, valued, instruments=instruments)
    chosen = [(key, span_of(view.metrics[key[0]])) for key in heads]
    there = {span for key, span in chosen if key in valued or span not in ("truth", "original")}
    return [make_head(view, Column(*key), span) for key, span in chosen if span in there]


def span_of(card: MetricCard) -> str:
    """The group of columns (a key of `SPANS`) that a metric stands in."""
    if card.family != "traceability":
        return card.family
    return "people" if card.unit == "people" else "original" if card.name.endswith("_original") else "truth"


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


def instrument_text(view: VideoView, column: Column) -> str:
    """``worst of 4 recognisers``, ``deepsort``; what is no instrument is said in words."""
    if column.instrument == WORST:
        return f"worst of {len(view.recognisers)} recognisers" if len(view.recognisers) > 1 else "the recogniser"
    return _INSTRUMENTS.get(column.instrument, column.instrument)


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
    cells = tuple(estimate(view, dataset, contestant.label, head.column) for head in heads)
    return VideoLine(contestant, control, about, cells)
