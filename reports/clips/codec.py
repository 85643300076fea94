"""How much of an effect is the codec's: the control, lossless and re-encoded, beside each method."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from unmask.bench.core.headlines import JUDGE
from unmask.bench.store.clip_set import ClipSet
from unmask.bench.store.following import Change, followed
from unmask.bench.store.planned import LOSSLESS, MATCHED, Release
from unmask.bench.store.view import WORST, Column
from unmask.reports.boards import Board, Entrant
from unmask.reports.cells import Cell, entrant_cell
from unmask.reports.columns import make_head
from unmask.reports.numbers import count

WORDS: Final = {
    Change.BEYOND: "changed beyond the codec",
    Change.HARDLY: "hardly changed",
    Change.OPEN: "no change shown, none ruled out",
    Change.UNTOUCHED: "not tried: most faces were left as they were",
    Change.UNKNOWN: "cannot be told",
}


def codec_values(board: Board, clips: ClipSet) -> dict[str, Any]:
    """What the template shows: a line for each release, controls first."""
    names: list[tuple[str, str]] = [
        *((metric, clips.tracker) for metric in ("people_difference", "idf1_original", "idf1", "hota")),
        ("tracks_exposed", WORST),
        ("frames_missed", JUDGE),
    ]
    order = [*clips.controls, *clips.competing]
    columns = [name for name in names if any(clips.value(release.label, *name) for release in order)]
    heads = [make_head(board, clips.column(*name)) for name in columns]
    recognisers = clips.run.recognisers if "tracks_exposed" in clips.run.metrics else []
    verdicts = {each.release.label: each for each in followed(clips)}
    lines = []
    for release in order:
        verdict = verdicts.get(release.label)
        exposed = (clips.column("tracks_exposed", name) for name in recognisers)
        line = {
            "release": release,
            "what": _what(release),
            "kbps": _cell(board, clips, release, clips.column("kbps", "stream")),
            "cells": [_cell(board, clips, release, head.column) for head in heads],
            # People counted in the re-encoded control minus in this output, clip by clip.
            "extra": None if verdict is None else verdict.extra,
            "verdict": "" if verdict is None else WORDS[verdict.change],
            "exposed": [_cell(board, clips, release, column) for column in exposed],
        }
        lines.append(line)
    return {"heads": heads, "recognisers": recognisers, "lines": lines, "source": _source(clips)}


def _cell(board: Board, clips: ClipSet, release: Release, column: Column) -> Cell:
    """An estimate without its rank: nobody competes here."""
    return replace(entrant_cell(board, Entrant(clips.run, release.label), column), lead="", rank="")


def _what(release: Release) -> str:
    return {LOSSLESS: "lossless", MATCHED: "at the source's bitrate"}.get(
        release.variant, f"at {release.variant.removesuffix('k')} kbit/s"
    )


def _source(clips: ClipSet) -> str:
    bitrates = sorted(row.kbps for row in clips.usable if row.kbps is not None)
    unknown = len(clips.usable) - len(bitrates)
    if not bitrates:
        return "No clip says its bitrate."
    low, high = (f"{value:,.0f}" for value in (bitrates[0], bitrates[-1]))
    ends = f"{low} to {high}" if low != high else low
    return f"Bitrate of the clips as they came: {ends} kbit/s" + (
        f"; {count(unknown, 'clip')} without one." if unknown else "."
    )
