"""What each face track of a clip showed, over time: a lane a track, a mark a state.

Every state has its own thickness and dash beside its colour, so that lanes can be read without colour. Stretches are
drawn on a grid of whole units; where several states fall into one, the worst is drawn and nothing exposed is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from unmask.reports.charts.svg import svg_start, svg_text

STATES: Final = ("missed", "error", "exposed", "anonymized", "destroyed")
"""The worst first; what stands earlier is drawn in place of what stands later."""
WIDTH: Final = 760
LEFT: Final = 70
LANES: Final = 480
"""Units that the whole clip is wide."""
_LANE, _HEAD, _AXIS = 17, 20, 26


@dataclass(frozen=True, slots=True)
class Stretch:
    """Unbroken, in seconds."""

    start: float
    end: float
    state: str


@dataclass(frozen=True, slots=True)
class Lane:
    name: str
    words: str
    """What the lane shows, in a few words: printed at its end."""
    stretches: tuple[Stretch, ...]


@dataclass(frozen=True, slots=True)
class LaneGroup:
    """The tracks of one contestant."""

    title: str
    lanes: tuple[Lane, ...]


def timeline_svg(groups: Sequence[LaneGroup], seconds: float, *, name: str, title: str, description: str) -> Markup:
    """An inline SVG ``WIDTH`` units wide. ``name``: letters, digits and ``-``, distinct on its page."""
    height = _AXIS + sum(_HEAD + _LANE * len(group.lanes) for group in groups)
    parts = [svg_start("timeline", WIDTH, height, name, title, description)]
    ticks = [(LEFT + _unit(tick, seconds), tick) for tick in axis_ticks(seconds)]
    line = Markup('<path class="grid-line" d="M{x} {a}V{b}"/>')
    parts += [line.format(x=x, a=_HEAD - 4, b=height - _AXIS + 4) for x, _ in ticks]
    y = 0
    for group in groups:
        y += _HEAD
        parts.append(svg_text("who", 0, y - 6, group.title))
        for lane in group.lanes:
            parts.append(_lane(lane, y + _LANE / 2, seconds))
            y += _LANE
    parts += [svg_text("tick", x, height - 8, f"{tick:g} s", "middle") for x, tick in ticks]
    return Markup("").join([*parts, Markup("</svg>")])


def _lane(lane: Lane, y: float, seconds: float) -> Markup:
    parts = [svg_text("lane", 0, y + 4, lane.name)]
    runs = grid_runs(lane.stretches, seconds)
    for state in reversed(STATES):
        steps = [f"M{LEFT + a} {y:g}H{LEFT + b}" for a, b, each in runs if each == state]
        if steps:
            parts.append(Markup('<path class="{s}" d="{d}"/>').format(s=state, d="".join(steps)))
    return Markup("").join([*parts, svg_text("words", LEFT + LANES + 8, y + 4, lane.words)])


def grid_runs(stretches: Sequence[Stretch], seconds: float) -> list[tuple[int, int, str]]:
    """(from, to, state) in whole units; every stretch covers at least one, and the worst state wins a unit."""
    cells = [len(STATES)] * LANES
    for stretch in stretches:
        first = min(int(stretch.start / seconds * LANES), LANES - 1) if seconds > 0 else 0
        last = max(min(_unit(stretch.end, seconds), LANES), first + 1)
        rank = STATES.index(stretch.state)
        for k in range(first, last):
            cells[k] = min(cells[k], rank)
    runs: list[tuple[int, int, str]] = []
    for k, rank in enumerate(cells):
        if rank == len(STATES):
            continue
        state = STATES[rank]
        if runs and runs[-1][1] == k and runs[-1][2] == state:
            runs[-1] = (runs[-1][0], k + 1, state)
        else:
            runs.append((k, k + 1, state))
    return runs


def axis_ticks(seconds: float) -> list[float]:
    """From 0 to the end in four to nine round steps."""
    if seconds <= 0:
        return [0.0]
    raw = seconds / 8
    power = 10.0 ** len(str(int(raw))) / 10 if raw >= 1 else 0.01 if raw < 0.1 else 0.1
    step = next(s * power for s in (1, 2, 5, 10) if s * power >= raw)
    return [round(k * step, 3) for k in range(int(seconds / step + 1e-9) + 1)]


def _unit(at: float, seconds: float) -> int:
    return round(at / seconds * LANES) if seconds > 0 else 0
