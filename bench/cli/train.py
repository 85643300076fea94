"""``unmask train``: a learned method's network, from faces to weights with a card."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Network(StrEnum):
    """What can be trained."""

    DEEPPRIVACY = "deepprivacy"
    ATTGAN = "attgan"
    STARGAN = "stargan"


def train(
    network: Annotated[Network, typer.Argument(metavar="deepprivacy|attgan|stargan", show_default=False)],
    config: Annotated[
        str,
        typer.Argument(
            metavar="CONFIG",
            help="A TOML file, or one that comes with unmask: dp-att, dp-att-s, stargan (the thesis's), "
            "deepprivacy-compact, dp-att-compact, dp-att-s-compact, dp-att-s-l1-compact, stargan-compact (for a CPU).",
            show_default=False,
        ),
    ],
    data: Annotated[
        list[Path] | None,
        typer.Option("--data", help="Faces: from unmask data build or data pack, or .npz files.", show_default=False),
    ] = None,
    held_out: Annotated[
        list[Path] | None,
        typer.Option(
            "--held-out",
            help="Faces for samples and checks only (else the val part, or a share of --data).",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to train in [default: runs/train-CONFIG].", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:1.")] = "cpu",
    workers: Annotated[
        int | None,
        typer.Option("--workers", min=1, help="Threads that share the work [default: all cores].", show_default=False),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Changes a setting of CONFIG.", show_default=False),
    ] = None,
    stop_at: Annotated[
        str | None,
        typer.Option("--stop-at", metavar="TIME", help="Save and stop then: +9m, 17:30.", show_default=False),
    ] = None,
) -> None:
    """Train a network of the learned methods. The same command resumes what a kill or --stop-at left in --out.

    OUT then holds generator.safetensors with its card generator.json, losses.csv and losses.svg, grid.png, state.pt.
    """
    from datetime import datetime

    from rich.console import Console

    from unmask.bench.cli.fetch_progress import instrument_files
    from unmask.bench.core.training import TrainingInputs, open_training, stop_time

    moment = None if stop_at is None else stop_time(stop_at, datetime.now().astimezone())
    job = open_training(network.value, config, settings or [])
    console, files = Console(), instrument_files(job.instruments)
    folder = out or Path("runs") / f"train-{job.name}"
    inputs = TrainingInputs(tuple(data or ()), tuple(held_out or ()), folder, device, workers, files, moment)
    path = job.run(inputs, lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True))
    if path is not None:
        console.print(f"trained: {path}", highlight=False, markup=False, soft_wrap=True)
