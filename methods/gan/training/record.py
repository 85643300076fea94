"""What a training leaves behind beside its weights: the table of losses, its plot, and how far it has come."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from unmask.bench.core.errors import UnmaskError
from unmask.bench.core.files import replacing_file
from unmask.methods.gan.training.losses import log_row


class Means:
    """Means of losses over the steps that took them (a generator that steps every sixth time has a sixth of them)."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._counts: dict[str, int] = {}

    def add(self, losses: Mapping[str, Any]) -> None:
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(value)
            self._counts[name] = self._counts.get(name, 0) + 1

    def taken(self) -> dict[str, float]:
        return {name: value / self._counts[name] for name, value in self._sums.items()}

    def state_dict(self) -> dict[str, Any]:
        return {"sums": dict(self._sums), "counts": dict(self._counts)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._sums, self._counts = dict(state["sums"]), dict(state["counts"])


class Progress:
    """What must survive a kill beside the networks: the epoch's means so far, the best epoch, the time spent."""

    def __init__(self) -> None:
        self.epoch = Means()
        self.scores: list[float] = []
        """One an epoch; the lowest is the best."""
        self.seconds = 0.0

    @property
    def best(self) -> int:
        """The best epoch, counted from 1; the first of equals. 0 = none is complete."""
        return self.scores.index(min(self.scores)) + 1 if self.scores else 0

    def finish_epoch(self, score: float) -> bool:
        """Notes the score of a complete epoch and forgets its means; whether it is the best so far."""
        self.scores.append(score)
        self.epoch = Means()
        return self.best == len(self.scores)

    def stalled(self, patience: int) -> bool:
        """Whether ``patience`` epochs went by without a better one."""
        return bool(self.scores) and len(self.scores) - self.best >= patience

    def state_dict(self) -> dict[str, Any]:
        return {"epoch": self.epoch.state_dict(), "scores": list(self.scores), "seconds": self.seconds}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.epoch.load_state_dict(state["epoch"])
        self.scores, self.seconds = list(state["scores"]), float(state["seconds"])


def write_row(path: Path, columns: Sequence[str], step: int, means: Mapping[str, float]) -> dict[str, float]:
    """Appends the means up to ``step``; a row is written before its state is saved, and `trim_rows` undoes the rest.

    Raises UnmaskError where a loss is no number any more: such a state must not replace a good one.
    """
    lost = [name for name, value in means.items() if not math.isfinite(value)]
    if lost:
        raise UnmaskError(
            f"training has diverged: {', '.join(lost)} is no number at step {step}; "
            "the last saved state is kept; start again with a lower rate or precision = 'float32'"
        )
    row = {name: float(f"{value:.6g}") for name, value in means.items()}
    log_row(path, columns, step, row)
    return row


def read_losses(path: Path) -> tuple[list[int], dict[str, list[float]]]:
    """(steps, column -> values; NaN where a loss was not taken)."""
    if not path.exists():
        return [], {}
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name != "step"] if rows else []
    series = {name: [float(row[name]) if row[name] else math.nan for row in rows] for name in names}
    return [int(row["step"]) for row in rows], series


def plot_losses(table: Path, path: Path) -> None:
    """Draws every column of a table of losses as a small plot of its own; equal tables give equal bytes."""
    steps, series = read_losses(table)
    series = {name: values for name, values in series.items() if not all(map(math.isnan, values))}
    if not series:
        return
    columns = min(3, len(series))
    rows = math.ceil(len(series) / columns)
    settings: Any = {"svg.hashsalt": "losses", "svg.fonttype": "none", "font.size": 9, "text.parse_math": False}
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(3.4 * columns, 2.4 * rows))
        for k, (name, values) in enumerate(series.items()):
            axes = figure.add_subplot(rows, columns, k + 1)
            known = [(step, value) for step, value in zip(steps, values, strict=True) if not math.isnan(value)]
            axes.plot(*zip(*known, strict=True), linewidth=1, marker="." if len(known) == 1 else "")
            axes.set_title(name)
            axes.locator_params(axis="x", nbins=4)
            axes.ticklabel_format(axis="y", scilimits=(-2, 4))
            axes.grid(alpha=0.3)
        # Fixed distances: a layout engine takes as long as all of the drawing.
        figure.subplots_adjust(
            left=0.7 / (3.4 * columns),
            right=1 - 0.25 / (3.4 * columns),
            bottom=0.3 / (2.4 * rows),
            top=1 - 0.3 / (2.4 * rows),
            wspace=0.35,
            hspace=0.4,
        )
        nothing: dict[str, str | None] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        canvas: Any = FigureCanvasSVG(figure)
        with replacing_file(path) as temp, temp.open("w", encoding="utf-8") as file:
            canvas.print_svg(file, metadata=nothing)
