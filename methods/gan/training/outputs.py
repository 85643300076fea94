"""The folder of a training: whose it is, the trained network with its card, and what may differ when it is resumed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import torch

from unmask.bench.core.claims import claim_folder, differences
from unmask.bench.core.errors import StoreError
from unmask.bench.core.files import TEMP_PREFIX, replacing_file
from unmask.methods.gan.training.record import plot_losses, read_losses

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
        for left in self.path.glob(f"{TEMP_PREFIX}*"):  # of a killed one
            left.unlink(missing_ok=True)
        _write_json(file, facts)

    def publish(self, save: Callable[[Path], None], card: Mapping[str, Any]) -> Path:
        """Publishes the network that ``save`` writes to a path, and the card beside; the path of the network."""
        path = self.path / GENERATOR
        with replacing_file(path) as temp:
            save(temp)
        self.write_card(card)
        return path

    def finish(self, card: Mapping[str, Any]) -> Path:
        """The published weights, their card and the plot brought up to date."""
        self.write_card(card)
        self._draw()
        return self.path / GENERATOR

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
