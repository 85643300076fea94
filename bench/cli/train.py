"""``unmask train``: a learned method's network, from faces to weights with a card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from unmask.bench.core.settings import TrainSettings


def train(
    network: Annotated[
        Literal["deepprivacy", "attgan", "stargan", "dcgan"],
        typer.Argument(metavar="deepprivacy|attgan|stargan|dcgan", show_default=False),
    ],
    recipe: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG",
            help="A TOML file, or one that comes with unmask: dp-att, dp-att-s, stargan (the thesis's), "
            "dcgan (its paper's), deepprivacy-compact, dp-att-compact, dp-att-s-compact, dp-att-s-l1-compact, "
            "stargan-compact, croft-compact, dcgan-compact (for a CPU).",
            show_default=False,
        ),
    ],
    settings: TrainSettings,
) -> None:
    """Train a network of the learned methods. The same command resumes what a kill or --stop-at left in --out.

    OUT then holds generator.safetensors with its card generator.json, losses.csv and losses.svg, grid.png, state.pt.
    """
    from datetime import datetime

    from rich.console import Console

    from unmask.bench.cli.progress import instrument_files
    from unmask.bench.core.training import TrainingInputs, open_training, stop_time

    moment = None if settings.stop_at is None else stop_time(settings.stop_at, datetime.now().astimezone())
    job = open_training(network, recipe, settings.overrides)
    console, files = Console(), instrument_files(job.instruments)
    out = settings.out or Path("runs") / f"train-{job.name}"
    inputs = TrainingInputs(settings.data, settings.held_out, out, settings.device, settings.workers, files, moment)
    path = job.run(inputs, lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True))
    if path is not None:
        console.print(f"trained: {path}", highlight=False, markup=False, soft_wrap=True)
