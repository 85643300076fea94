"""How much of an effect is the codec's: the control, lossless and re-encoded, beside each method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from unmask.bench.store.schemas import LOSSLESS, MATCHED, Release
from unmask.reports.numbers import count, format_interval, format_value
from unmask.reports.runs import WORST, Column
from unmask.reports.video.board import BITRATE, VideoHead, make_head, measured
from unmask.reports.video.cells import ONE_CLIP, VideoCell, estimate
from unmask.reports.video.following import Change, Followed, followed
from unmask.reports.video.view import JUDGE, VideoView

WORDS: Final = {
    Change.BEYOND: "changed beyond the codec",
    Change.HARDLY: "hardly changed",
    Change.OPEN: "no change shown, none ruled out",
    Change.UNTOUCHED: "not tried: most faces were left as they were",
    Change.UNKNOWN: "cannot be told",
}


@dataclass(frozen=True, slots=True)
class CodecLine:
    contestant: Release
    control: bool
    what: str
    kbps: VideoCell
    cells: tuple[VideoCell, ...]
    beyond: str
    """People counted in the re-encoded control minus in this output, clip by clip; '' for controls."""
    interval: str
    verdict: str
    recognisers: tuple[VideoCell, ...]
    """Tracks exposed, by each recogniser."""


@dataclass(frozen=True, slots=True)
class CodecTable:
    heads: tuple[VideoHead, ...]
    recognisers: tuple[str, ...]
    lines: tuple[CodecLine, ...]
    source: str
    """Bitrate of the source, in words."""


def codec_table(view: VideoView, dataset: str) -> CodecTable:
    """Controls first."""
    wanted: list[tuple[str, str]] = [
        *((metric, view.tracker) for metric in ("people_difference", "idf1_original", "idf1", "hota")),
        ("tracks_exposed", WORST),
        ("frames_missed", JUDGE),
    ]
    columns = [view.column(m, i) for m, i in wanted if m in view.metrics]
    heads = [make_head(view, c, "") for c in columns if measured(view, dataset, c)]
    verdicts = {f.contestant.label: f for f in followed(view, dataset)}
    order = [c for c in view.plan.releases if view.is_control(c)] + view.competing
    return CodecTable(
        tuple(heads),
        tuple(r for r in view.recognisers if "tracks_exposed" in view.metrics),
        tuple(_line(view, dataset, c, heads, verdicts.get(c.label)) for c in order),
        _source(view, dataset),
    )


def _line(
    view: VideoView, dataset: str, contestant: Release, heads: Sequence[VideoHead], verdict: Followed | None
) -> CodecLine:
    cells = tuple(_cell(view, dataset, contestant, h.column) for h in heads)
    extra = None if verdict is None else verdict.extra
    interval = "" if extra is None else format_interval(extra.low, extra.high, extra.value, "people")
    return CodecLine(
        contestant,
        view.is_control(contestant),
        _what(contestant),
        _cell(view, dataset, contestant, view.column(*BITRATE)),
        cells,
        "" if extra is None else format_value(extra.value, "people"),
        interval or (ONE_CLIP if extra is not None and extra.n == 1 else ""),
        "" if verdict is None else WORDS[verdict.change],
        tuple(_cell(view, dataset, contestant, view.column("tracks_exposed", name)) for name in view.recognisers)
        if "tracks_exposed" in view.metrics
        else (),
    )


def _cell(view: VideoView, dataset: str, contestant: Release, column: Column) -> VideoCell:
    """An estimate without its rank: nobody competes here."""
    found = estimate(view, dataset, contestant.label, column)
    return replace(found, cell=replace(found.cell, lead="", rank=""))


def _what(contestant: Release) -> str:
    return {LOSSLESS: "lossless", MATCHED: "at the source's bitrate"}.get(
        contestant.variant, f"at {contestant.variant.removesuffix('k')} kbit/s"
    )


def _source(view: VideoView, dataset: str) -> str:
    known = sorted(row.kbps for row in view.usable(dataset) if row.kbps is not None)
    unknown = len(view.usable(dataset)) - len(known)
    if not known:
        return "No clip says its bitrate."
    low, high = (f"{value:,.0f}" for value in (known[0], known[-1]))
    ends = f"{low} to {high}" if low != high else low
    return f"Bitrate of the clips as they came: {ends} kbit/s" + (
        f"; {count(unknown, 'clip')} without one." if unknown else "."
    )
