"""Timelines of exposure: which clips and face tracks are drawn, and the time codes of missed faces."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup

from unmask.bench.core.errors import StoreError
from unmask.bench.store.clip_set import ClipSet
from unmask.bench.store.planned import Release
from unmask.bench.store.results import ClipRow
from unmask.reports.charts.timeline import STATES, Lane, LaneGroup, Stretch, timeline_svg
from unmask.reports.numbers import DASH, NBSP, count

EXPOSING: Final = ("missed", "error", "exposed")
"""States in which the person is not protected."""
OPEN_CLIPS: Final = 3
"""Clips shown without unfolding."""
MOST_CLIPS: Final = 30
MOST_LANES: Final = 8
"""Face tracks of one release in one drawing, the most exposed ones."""
MOST_BYTES: Final = 300_000
"""Of all drawings of a data set."""
MOST_CODES: Final = 12
"""Time codes in one cell."""
MOST_ROWS: Final = 200
"""Lines of the table of missed faces."""

Tracks = Mapping[int, Sequence[Stretch]]


Drawing = tuple[str, str, Markup]
"""Clip, what is drawn in words, and the drawing."""
MissedLine = tuple[str, str, str, list[str], int]
"""Clip, method, seconds in all, the first time codes, and how many more there are."""


def timeline_values(clips: ClipSet, name: str) -> dict[str, Any]:
    """What the template shows. ``name``: letters, digits and ``-``; keeps ids apart on the page.

    Raises `StoreError` for a missing table.
    """
    releases = [*clips.competing, clips.control]
    folder, dataset = clips.run.folder, clips.dataset
    tables = {release.label: _tracks(clips, release.label) for release in releases}
    rows = [row for row in clips.usable if row.face_tracks]
    rows.sort(key=lambda row: -sum(_exposed(t) for r in clips.competing for t in _of(tables, r, row).values()))
    drawings: list[Drawing] = []
    size = 0
    for number, row in enumerate(rows[:MOST_CLIPS]):
        drawing = _draw(row, {release.label: _of(tables, release, row) for release in releases}, f"{name}-t{number}")
        size += len(drawing[-1])
        if size > MOST_BYTES and drawings:
            break
        drawings.append(drawing)
    missed = [line for row in rows for r in clips.competing if (line := _missed(row, r, _of(tables, r, row)))]
    with_missed = {method for _, method, *_ in missed}
    return {
        "first": drawings[:OPEN_CLIPS],
        "rest": drawings[OPEN_CLIPS:],
        "undrawn": len(rows) - len(drawings),
        "faceless": sum(not row.face_tracks for row in clips.usable),
        "missed": missed[:MOST_ROWS],
        "missed_more": max(len(missed) - MOST_ROWS, 0),
        "without": [release.label for release in clips.competing if release.label not in with_missed],
        "files": [folder.timelines_path(dataset, r.label).local.relative_to(folder.path).as_posix() for r in releases],
    }


def _tracks(clips: ClipSet, label: str) -> dict[str, dict[int, list[Stretch]]]:
    """Clip -> face track -> stretches."""
    table = clips.run.folder.timelines(clips.dataset, label)
    tracks: dict[str, dict[int, list[Stretch]]] = {}
    columns = (table[name].tolist() for name in ("clip", "track", "from", "to", "state"))
    for clip, track, start, end, state in zip(*columns, strict=True):
        if state not in STATES:
            path = clips.run.folder.timelines_path(clips.dataset, label).local
            raise StoreError(f"{path} has an unknown state {state!r}; run `unmask score {clips.run.folder.path}`")
        tracks.setdefault(clip, {}).setdefault(track, []).append(Stretch(start, end, state))
    return tracks


def _of(tables: Mapping[str, Mapping[str, Tracks]], release: Release, row: ClipRow) -> Tracks:
    return tables[release.label].get(row.clip, {})


def _exposed(stretches: Sequence[Stretch]) -> float:
    """Seconds in which the person is not protected."""
    return sum(s.end - s.start for s in stretches if s.state in EXPOSING)


def _draw(row: ClipRow, tables: Mapping[str, Tracks], name: str) -> Drawing:
    seconds = max([row.seconds, *(s.end for t in tables.values() for stretches in t.values() for s in stretches)])
    groups = []
    words = []
    for label, tracks in tables.items():
        order = sorted(tracks, key=lambda track: (-_exposed(tracks[track]), track))
        most = max(map(_exposed, tracks.values()), default=0.0)
        exposed = sum(_exposed(stretches) > 0 for stretches in tracks.values())
        words.append(
            f"{label}: {exposed} of {count(len(tracks), 'face track')} exposed, {most:.1f}{NBSP}s at most"
            if exposed
            else f"{label}: nobody exposed"
        )
        left = len(order) - MOST_LANES
        title = label + (f" (the {MOST_LANES} most exposed of {len(order)} face tracks)" if left > 0 else "")
        lanes = [Lane(f"face {t}", state_words(tracks[t]), tuple(tracks[t])) for t in order[:MOST_LANES]]
        groups.append(LaneGroup(title, tuple(lanes)))
    svg = timeline_svg(
        groups, seconds, name=name, title=f"What each face showed over time in {row.clip}", description="; ".join(words)
    )
    return row.clip, "; ".join(words[:-1] or words), svg


def state_words(stretches: Sequence[Stretch]) -> str:
    """``missed 0.4 s, exposed 2.1 s``; ``anonymized throughout``. The worst two, worst first."""
    total: dict[str, float] = {}
    for s in stretches:
        total[s.state] = total.get(s.state, 0.0) + s.end - s.start
    if len(total) == 1:
        return f"{next(iter(total))} throughout"
    worst = [state for state in STATES if state in total][:2]
    return ", ".join(f"{state} {total[state]:.1f}{NBSP}s" for state in worst)


def _missed(row: ClipRow, release: Release, tracks: Tracks) -> MissedLine | None:
    """The line of one clip and release; ``None`` where nothing was missed."""
    stretches = sorted((s.start, s.end, track) for track, every in tracks.items() for s in every if s.state == "missed")
    if not stretches:
        return None
    codes = [f"{time_code(a, b)} (face {track})" for a, b, track in stretches[:MOST_CODES]]
    total = f"{sum(b - a for a, b, _ in stretches):.1f}{NBSP}s"
    return row.clip, release.label, total, codes, max(len(stretches) - MOST_CODES, 0)


def time_code(start: float, end: float) -> str:
    """``01:02.3–01:04.0``: minutes and seconds that hold all of the stretch."""
    # Tenths are rounded outwards, so that nobody looks past the first or the last frame.
    return f"{_code(math.floor(start * 10 + 1e-6))}{DASH}{_code(math.ceil(end * 10 - 1e-6))}"


def _code(tenths: int) -> str:
    return f"{tenths // 600:02d}:{tenths % 600 // 10:02d}.{tenths % 10}"
