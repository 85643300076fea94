"""``unmask doctor``: what works on this machine, and what to do about the rest."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from unmask.bench.cli.options import Root

if TYPE_CHECKING:
    from unmask.bench.cli.doctor_checks import Check

_STYLE = {"ok": "green", "note": "yellow", "problem": "bold red"}


def doctor(
    root: Root = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Check this machine: packages, cache, instruments, data sets, devices.

    Downloads nothing. Packages are imported, torch too; of four that take seconds (torchvision, lpips, facenet-pytorch,
    scikit-learn) the installed files are checked instead, and torchvision's operators are loaded.
    Exit code 1 only if something is broken that a run without options needs.
    """
    from dataclasses import asdict

    from unmask.bench.cli.doctor_checks import all_checks

    checks = all_checks(root)
    problems = [check for check in checks if check.state == "problem"]
    if as_json:
        report = {"ok": not problems, "checks": [asdict(check) for check in checks]}
        typer.echo(json.dumps(report, indent=1, ensure_ascii=False))
    else:
        _print(checks)
        if problems:
            typer.echo(f"{len(problems)} problem(s): {'; '.join(check.name for check in problems)}", err=True)
        else:
            typer.echo("Everything that a run without options needs is in order.")
    if problems:
        raise typer.Exit(1)


def _print(checks: list[Check]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from unmask.bench.cli.tables import page_console

    table = Table("", "", "State", "What is there", "What to do")
    section = ""
    for check in checks:
        if check.section != section and section:
            table.add_section()
        state = f"[{_STYLE[check.state]}]{check.state}[/]"
        first = check.section if check.section != section else ""
        table.add_row(first, check.name, state, escape(check.detail), escape(check.fix))
        section = check.section
    page_console().print(table)
