"""``unmask weights``: what a checkpoint is, and whether a method can use it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unmask.bench.cli.listing import human_size, print_facts
from unmask.bench.cli.options import Json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unmask.bench.core.cards import WeightsReport


app = typer.Typer(help="Checkpoints: what a file is and whether it fits.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Keeps ``inspect`` a sub-command while it is the only one."""


@app.command()
def inspect(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="safetensors, or what torch.save wrote.", show_default=False)
    ],
    as_json: Json = False,
) -> None:
    """Say which network a checkpoint holds and which methods can use it. Runs no code of the file.

    Exit code 1, with one line that says why, if the file is unsafe or does not fit.
    """
    from dataclasses import asdict

    from unmask.bench.core.training import weights_inspector

    report = weights_inspector()(file)
    if as_json:
        typer.echo(json.dumps(asdict(report), indent=1))
        return
    print_facts(_facts(report))


def _facts(report: WeightsReport) -> list[tuple[str, str]]:

    facts = [
        ("file", report.path),
        ("format", f"{report.format}, {' and '.join(report.stored_as)}"),
        ("sha256", report.sha256),
        ("size", f"{human_size(report.size)} ({report.size:,} bytes)"),
        ("network", report.title),
        ("settings", ", ".join(f"{key}={value}" for key, value in report.settings.items())),
        ("parameters", f"{report.parameters:,}"),
        ("fits", "yes: every name and shape"),
    ]
    if report.wrapping:
        beside = f", beside {_safe(report.beside)}" if report.beside else ""
        facts.insert(2, ("found under", f"{_safe(report.wrapping)}{beside}"))
    if report.metadata:
        facts.append(("metadata", json.dumps(report.metadata)))
    if report.training_file:
        facts.append((f"says {report.training_file}", _brief(report.training)))
    uses = ", ".join(f"{method}:checkpoint={report.path}" for method in report.methods)
    return [*facts, ("use it as", uses or "no method takes it")]


def _brief(training: Mapping[str, Any]) -> str:
    """One setting a line; what is nested is only named."""
    lines = []
    for key, value in training.items():
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        nested = any(isinstance(part, dict | list) for part in parts)
        lines.append(f"{_safe((key,))}: {'... (see --json)' if nested else json.dumps(value)}")
    return "\n".join(lines)


def _safe(names: tuple[str, ...]) -> str:
    """Names out of a file, without anything that a terminal would obey."""
    return ", ".join(json.dumps(name)[1:-1] for name in names)
