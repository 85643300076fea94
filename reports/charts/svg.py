"""SVG that can stand in a page: pieces of it, and matplotlib's without prolog, outside names and own colours."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from typing import Any, Final

import matplotlib
from markupsafe import Markup, escape
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK: Final = "#010203"
MUTED: Final = "#040506"
ACCENT: Final = "#070809"
PAPER: Final = "#0a0b0c"
WARM: Final = "#0d0e0f"
_THEME: Final[Mapping[str, str]] = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    ACCENT: "var(--accent)",
    PAPER: "var(--paper)",
    WARM: "var(--warm)",
}
"""Stand-in colours that matplotlib draws with -> the style sheet's variables, so that a drawing follows the theme."""

RC: Final[Any] = {
    "svg.fonttype": "none",
    "font.size": 11,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "figure.facecolor": "none",
    "text.parse_math": False,
}


def svg_start(kind: str, width: float, height: float, name: str, title: str, description: str) -> Markup:
    """The start of a drawing that is written by hand; ``name`` keeps its ids apart on a page."""
    return Markup(
        '<svg class="plot {k}" viewBox="0 0 {w} {h}" role="img" aria-labelledby="{n}-t {n}-d">'
        '<title id="{n}-t">{t}</title><desc id="{n}-d">{d}</desc>'
    ).format(k=kind, w=width, h=height, n=name, t=title, d=description)


def svg_text(kind: str, x: float, y: float, text: str, anchor: str = "") -> Markup:
    attribute = Markup(' text-anchor="{a}"').format(a=anchor) if anchor else ""
    return Markup('<text class="{k}" x="{x}" y="{y}"{a}>{t}</text>').format(k=kind, x=x, y=y, a=attribute, t=text)


def inline_svg(figure: Figure, name: str, title: str, description: str) -> Markup:
    """The figure as one ``<svg>`` element; equal figures give equal bytes. ``name`` keeps its ids apart on a page."""
    buffer = io.StringIO()
    with matplotlib.rc_context({**RC, "svg.hashsalt": name}):
        canvas: Any = FigureCanvasSVG(figure)
        nothing: dict[str, str | None] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        canvas.print_svg(buffer, metadata=nothing)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>\s*", "", text, flags=re.S)
    # Its style element would style the whole page.
    text = re.sub(r"<style.*?</style>\s*", "", text, flags=re.S)
    text = re.sub(r"<!--.*?-->\s*", "", text, flags=re.S)
    text = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", text).replace("xlink:href", "href")
    text = re.sub(r'<svg [^>]*viewBox="([^"]*)"[^>]*>', r'<svg viewBox="\1">', text, count=1)
    # The page's own type, at the drawing's sizes.
    text = re.sub(r"font: (?:[\w.]+ )*?([\d.]+px)[^;\"]*", r"font-size: \1", text)
    text = _prefix_ids(text, name)
    for colour, variable in _THEME.items():
        text = text.replace(colour, variable)
    head = Markup('<svg class="plot" role="img" aria-labelledby="{n}-t {n}-d"').format(n=name)
    labels = Markup('<title id="{n}-t">{t}</title><desc id="{n}-d">{d}</desc>').format(
        n=name, t=escape(title), d=escape(description)
    )
    start, _, rest = text.partition(">")
    return head + Markup(start.removeprefix("<svg")) + Markup(">") + labels + Markup(rest.strip())


def _prefix_ids(text: str, name: str) -> str:
    references = set(re.findall(r'href="#([^"]+)"|url\(#([^)]+)\)', text))
    names = {part for pair in references for part in pair if part}
    text = re.sub(r'\s+id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in names else "", text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{name}-\1"', text)
    return re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
