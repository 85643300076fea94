"""The folder of a training: whose it is, how far it has come, its losses, the trained network with its card."""

from __future__ import annotations

import csv
import importlib.util
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import torch

from unmask.bench.core.claims import claim_folder, differences
from unmask.bench.core.errors import StoreError
from unmask.bench.core.files import TEMP_PREFIX, replacing_file

CARD_SCHEMA: Final = "unmask.training-card/1"
GENERATOR: Final = "generator.safetensors"
LOSSES: Final = "losses.csv"
STATE: Final = "state.pt"
REDRAW: Final = 60.0
"""Seconds between two drawings of the losses."""
FREE: Final = ("epochs", "patience", "device", "config", "licence")
"""May differ when a training is resumed: when to stop, where to run, names; none says what a step does."""


class TrainingFolder:
    """``OUT``: training.json, state.pt, losses.csv and .svg, grid.png, generator.safetensors and its card .json."""

    def __init__(self, path: Path, facts: Mapping[str, Any]) -> None:
        self.path = path
        self._facts = dict(facts)
        """Network, settings and data: the same for a training however often it is resumed."""
        self._drawn = time.monotonic()

    def claim(self) -> None:
        """Writes down what is trained here.

        Raises PlanMismatchError where it is something else, ConfigError where the folder holds no training.
        """
        file = self.path / "training.json"
        facts = json.loads(json.dumps(self._facts))
        claim_folder(file, lambda: differences(_read_json(file), facts, free=FREE), lambda: None)
        for temp in self.path.glob(f"{TEMP_PREFIX}*"):  # of a killed one
            temp.unlink(missing_ok=True)
        _write_json(file, facts)

    def publish(self, save: Callable[[Path], None], card: Mapping[str, Any]) -> None:
        """Publishes the network that ``save`` writes to a path, and the card beside."""
        with replacing_file(self.path / GENERATOR) as temp:
            save(temp)
        self.write_card(card)

    def finish(self, card: Mapping[str, Any]) -> None:
        """Brings the card of the published weights and the plot up to date."""
        self.write_card(card)
        self._draw()

    def write_card(self, card: Mapping[str, Any]) -> None:
        """The card of the published weights, with the last row of the losses; now and then the plot of all rows."""
        _, series = read_losses(self.path / LOSSES)
        last = {name: values[-1] for name, values in series.items() if values[-1] == values[-1]}
        facts = {"schema": CARD_SCHEMA, **self._facts, **card, "losses": last}
        _write_json(self.path / Path(GENERATOR).with_suffix(".json"), {**facts, "torch": torch.__version__})
        if time.monotonic() - self._drawn > REDRAW:
            self._draw()

    def _draw(self) -> None:
        plot_losses(self.path / LOSSES, self.path / Path(LOSSES).with_suffix(".svg"))
        self._drawn = time.monotonic()


def _read_json(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise StoreError(f"{path} is damaged; delete {path.parent} or choose another --out") from error
    return value


def _write_json(path: Path, value: Any) -> None:
    with replacing_file(path) as temp:
        temp.write_text(json.dumps(value, indent=1, ensure_ascii=False) + "\n", "utf-8")


@dataclass
class Means:
    """Means of losses over the steps that took them (a generator that steps every sixth time has a sixth of them)."""

    sums: dict[str, torch.Tensor] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, losses: Mapping[str, torch.Tensor]) -> None:
        # Summed where they are: to fetch a number from a GPU is to wait for it.
        for name, value in losses.items():
            value = value.detach().double()
            self.sums[name] = self.sums[name] + value if name in self.sums else value
            self.counts[name] = self.counts.get(name, 0) + 1

    def values(self) -> dict[str, float]:
        """Column -> mean."""
        return {name: float(value) / self.counts[name] for name, value in self.sums.items()}


@dataclass
class TrainingProgress:
    """What must survive a kill beside the networks: means so far, the best epoch, the time spent."""

    row: Means = field(default_factory=Means)
    """Since the last row of losses."""
    epoch: Means = field(default_factory=Means)
    scores: list[float] = field(default_factory=list)
    """One an epoch; the lowest is the best."""
    seconds: float = 0.0

    def add(self, losses: Mapping[str, torch.Tensor]) -> None:
        """Counts the losses of one step."""
        self.row.add(losses)
        self.epoch.add(losses)

    def count_time(self, since: float) -> float:
        """Adds the time since ``since`` (`time.monotonic`); returns now."""
        now = time.monotonic()
        self.seconds += now - since
        return now

    @property
    def best(self) -> int:
        """The best epoch, counted from 1; the first of equals. 0 = none is complete."""
        return self.scores.index(min(self.scores)) + 1 if self.scores else 0

    def take_row(self) -> dict[str, float]:
        """Column -> mean of the row that ends here; starts the next."""
        means, self.row = self.row.values(), Means()
        return means

    def finish_epoch(self, score: float) -> bool:
        """Notes the score of a complete epoch and starts the next; whether it is the best so far."""
        self.scores.append(score)
        self.epoch = Means()
        return self.best == len(self.scores)

    def stalled(self, patience: int | None) -> bool:
        """Whether ``patience`` epochs went by without a better one."""
        return patience is not None and bool(self.scores) and len(self.scores) - self.best >= patience

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.row, self.epoch = Means(**state["row"]), Means(**state["epoch"])
        self.scores, self.seconds = list(state["scores"]), float(state["seconds"])


def write_row(path: Path, columns: Sequence[str], step: int, means: Mapping[str, float]) -> dict[str, float]:
    """Appends the means up to ``step`` in six digits; a loss that was not taken stays empty.

    A row is written before its state is saved; `trim_rows` removes it where the state was not.
    """
    row = {name: float(f"{value:.6g}") for name, value in means.items()}
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ("step", *columns))
        if new:
            writer.writeheader()
        writer.writerow({"step": step, **row})
    return row


def trim_rows(path: Path, step: int) -> None:
    """Removes what a killed training wrote after its last saved ``step``, so that resuming writes no row twice."""
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = list(csv.reader(file)) or [[]]
    rows_left = [row for row in rows if len(row) == len(head) and row[0].isdigit() and int(row[0]) <= step]
    if not rows_left:
        path.unlink()
    elif len(rows_left) < len(rows):
        with replacing_file(path) as temp, temp.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *rows_left])


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
    """Draws every column of a table of losses as a small plot of its own; equal tables give equal bytes.

    Draws nothing where matplotlib is not installed, as on a rented GPU machine: the table has all that a plot shows.
    """
    if importlib.util.find_spec("matplotlib") is None:
        return
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    steps, series = read_losses(table)
    series = {name: values for name, values in series.items() if not all(map(math.isnan, values))}
    if not series:
        return
    columns = min(3, len(series))
    rows = math.ceil(len(series) / columns)
    settings: Any = {"svg.hashsalt": "losses", "svg.fonttype": "none", "font.size": 9, "text.parse_math": False}
    with matplotlib.rc_context(settings):
        width, height = 3.4 * columns, 2.4 * rows
        figure = Figure(figsize=(width, height))
        for k, (name, values) in enumerate(series.items()):
            axes = figure.add_subplot(rows, columns, k + 1)
            points = [(step, value) for step, value in zip(steps, values, strict=True) if not math.isnan(value)]
            axes.plot(*zip(*points, strict=True), linewidth=1, marker="." if len(points) == 1 else "")
            axes.set_title(name)
            axes.locator_params(axis="x", nbins=4)
            axes.ticklabel_format(axis="y", scilimits=(-2, 4))
            axes.grid(alpha=0.3)
        # Fixed distances: a layout engine takes as long as all of the drawing.
        figure.subplots_adjust(0.7 / width, 0.3 / height, 1 - 0.25 / width, 1 - 0.3 / height, wspace=0.35, hspace=0.4)
        nothing: dict[str, str | None] = dict.fromkeys(("Date", "Creator", "Format", "Type"))
        canvas: Any = FigureCanvasSVG(figure)
        with replacing_file(path) as temp, temp.open("w", encoding="utf-8") as file:
            canvas.print_svg(file, metadata=nothing)
