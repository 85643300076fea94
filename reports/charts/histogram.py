"""Two distributions over one another, each scaled to its own size, with decision thresholds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from unmask.bench.store.results import HistogramRow
from unmask.reports.charts.svg import svg_start, svg_text

WIDTH: Final = 380
HEIGHT: Final = 178
FEW_PAIRS: Final = 10
_LEFT, _RIGHT, _TOP, _BOTTOM = 8, 8, 34, 30


@dataclass(frozen=True, slots=True)
class Threshold:
    """A line across a histogram."""

    value: float
    text: str


def histogram(row: HistogramRow, thresholds: Sequence[Threshold], *, name: str, title: str) -> Markup:
    """An inline SVG. The first series is filled, later ones are outlined; heights are shares of each series.

    ``name``: letters, digits and ``-``, distinct on its page.
    """
    low, high = row.edges[0], row.edges[-1]
    shares = {key: [c / (sum(counts) or 1) for c in counts] for key, counts in row.series.items()}
    top = _top(row, shares)

    def px(value: float) -> float:
        return round(_LEFT + (value - low) / ((high - low) or 1.0) * (WIDTH - _LEFT - _RIGHT), 1)

    def py(share: float) -> float:
        return round(HEIGHT - _BOTTOM - min(share / top, 1.0) * (HEIGHT - _TOP - _BOTTOM), 1)

    parts = [svg_start("histogram", WIDTH, HEIGHT, name, title, _describe(row, thresholds))]
    for i, values in enumerate(shares.values()):
        path = _steps([px(edge) for edge in row.edges], [py(v) for v in values], py(0.0))
        parts.append(Markup('<path class="series s{i}" d="{d}"/>').format(i=i, d=path))
    parts.append(
        Markup('<line class="axis" x1="{a}" x2="{b}" y1="{y}" y2="{y}"/>').format(a=px(low), b=px(high), y=py(0.0))
    )
    own = next(iter(shares.values()), [])
    if own and own[-1] > top:
        parts.append(svg_text("mark", WIDTH - _RIGHT, _TOP - 4, f"{own[-1]:.0%} ↑", "end"))
    for value in _ticks(low, high):
        parts.append(svg_text("tick", min(max(px(value), 14), WIDTH - 14), HEIGHT - 14, f"{value:g}", "middle"))
    parts += _threshold_marks([t for t in thresholds if low <= t.value <= high], px, py(0.0))
    return Markup("").join([*parts, Markup("</svg>")])


def _top(row: HistogramRow, shares: Mapping[str, Sequence[float]]) -> float:
    """The share drawn at full height. The last bin (destroyed faces) and series of a few pairs may reach beyond it:
    they would press everything else flat."""
    body = [max(v[:-1], default=0.0) for key, v in shares.items() if sum(row.series[key]) >= FEW_PAIRS]
    return max(body, default=0.0) or max((max(v, default=0.0) for v in shares.values()), default=0.0) or 1.0


def _threshold_marks(thresholds: Sequence[Threshold], px: Callable[[float], float], base: float) -> list[Markup]:
    marks: list[Markup] = []
    # Neighbouring labels go on two lines in turn, so that close thresholds stay readable.
    for i, mark in enumerate(sorted(thresholds, key=lambda t: t.value)):
        x, y = px(mark.value), 11 + 13 * (i % 2)
        anchor = "end" if x > WIDTH - 50 else "start" if x < 50 else "middle"
        line = Markup('<line class="threshold" x1="{x}" x2="{x}" y1="{t}" y2="{b}"/>').format(x=x, t=y + 3, b=base)
        marks += [line, svg_text("mark", x, y, mark.text, anchor)]
    return marks


def _steps(xs: Sequence[float], ys: Sequence[float], base: float) -> str:
    commands = [f"M{xs[0]} {base}"]
    for i, y in enumerate(ys):
        commands.append(f"V{y}H{xs[i + 1]}")
    return "".join([*commands, f"V{base}"])


def _ticks(low: float, high: float) -> list[float]:
    step = (high - low) / 4
    return [round(low + i * step, 3) for i in range(5)]


def _describe(row: HistogramRow, thresholds: Sequence[Threshold]) -> str:
    parts = [f"{key}: {sum(counts):,} pairs, median {_median(row.edges, counts)}" for key, counts in row.series.items()]
    parts += [f"threshold {t.text} at {t.value:.3f}" for t in thresholds]
    return "; ".join(parts)


def _median(edges: Sequence[float], counts: Sequence[int]) -> str:
    half, below = sum(counts) / 2, 0
    for i, n in enumerate(counts):
        below += n
        if n and below >= half:
            return f"about {(edges[i] + edges[i + 1]) / 2:.2f}"
    return "unknown"
