"""``unmask check``: whether a plug-in keeps its contract. ``unmask new``: a template of one that does."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from unmask.bench.cli.listing import print_json
from unmask.bench.cli.options import Json
from unmask.bench.core.errors import UnknownNameError

if TYPE_CHECKING:
    from unmask.bench.run.contracts.verdicts import Report

BROKEN: Final = 1
"""Exit code where a rule is broken or could not be checked."""
_FACTS: Final = {"ms_per_face": "ms a face", "mib": "MiB"}


class Kind(StrEnum):
    METHOD = "method"
    METRIC = "metric"
    INSTRUMENT = "instrument"
    ATTACKER = "attacker"


def check(
    spec: Annotated[
        str, typer.Argument(metavar="SPEC", help="A name, or path/to/my.py:MyMethod, with parameters as in a run.")
    ],
    kind: Annotated[
        Kind | None,
        typer.Option("--kind", help="What it is; needed for a file with no method.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option("--device", help="cpu, cuda or cuda:N.")] = "cpu",
    limit: Annotated[
        float, typer.Option("--limit", min=5, metavar="SECONDS", help="How long the whole check may take.")
    ] = 55.0,
    time_limit: Annotated[
        float,
        typer.Option("--time-limit", min=0.1, metavar="SECONDS", help="How long a method may take for a photo."),
    ] = 10.0,
    as_json: Json = False,
) -> None:
    """Check a method, metric, instrument or attacker against its contract, on a few drawn faces.

    One line a rule, with what is wrong and how to mend it. Exit codes: 0 every rule is kept; 1 one is broken or could
    not be checked; 2 wrong usage.
    """
    from unmask.bench.core.registry import check_device

    check_device(device)
    report = _checked(spec, kind or _kind_of(spec), device, limit, time_limit)
    if as_json:
        print_json(report.as_json())
    else:
        _show(report)
    if not report.is_kept:
        raise typer.Exit(BROKEN)


def _checked(spec: str, kind: Kind, device: str, limit: float, time_limit: float) -> Report:
    if kind is Kind.METHOD:
        from unmask.bench.run.contracts.methods import check_method

        return check_method(spec, device=device, limit=limit, time_limit=time_limit)
    from unmask.bench.run.contracts.plugins import check_plugin

    return check_plugin(kind.value, spec, device=device, limit=limit)


def _kind_of(text: str) -> Kind:
    """The first kind that has something of the SPEC's name; a file holds a method. Raises `UnknownNameError`."""
    from unmask.bench.core import registry
    from unmask.bench.core.spec import bare_name, file_target, parse_spec

    name = bare_name(text) or parse_spec(text).name
    if file_target(name) is not None:
        return Kind.METHOD
    for kind in Kind:
        if name in registry.names(kind.value):
            return kind
    raise UnknownNameError("plug-in", name, [each for kind in Kind for each in registry.names(kind.value)])


def _show(report: Report) -> None:
    for verdict in report.verdicts:
        mend = f". Mend: {verdict.mend}" if verdict.mend else ""
        typer.echo(f"{verdict.status:<12} {verdict.rule:<14} {verdict.text}{mend}")
    counts = {status: sum(v.status == status for v in report.verdicts) for status in ("kept", "broken", "not checked")}
    measured = [f"{value:g} {_FACTS[name]}" for name, value in report.facts.items() if value is not None]
    parts = [*(f"{count} {status}" for status, count in counts.items() if count), f"{report.seconds:.1f} s", *measured]
    typer.echo(f"{report.kind} {report.spec}: {', '.join(parts)}")


def new(
    kind: Annotated[Kind, typer.Argument(help="What to write.", show_default=False)],
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="What it is called in SPECs: small letters, digits, hyphens.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="FOLDER", help="Where to write it.")] = Path(),
) -> None:
    """Write a template of a method, metric, instrument or attacker: one file that passes its own check."""
    from unmask.bench.templates.writing import write_template

    file, cls = write_template(kind.value, name, out)
    option = "" if kind is Kind.METHOD else f"--kind {kind.value} "
    typer.echo(f"{file}: say what it does in {cls}, then")
    typer.echo(f"  unmask check {option}{file}:{cls}")
    if kind is Kind.METHOD:
        typer.echo(f"  unmask run --method {file}:{cls}")
