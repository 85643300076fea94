"""``unmask doctor``: what works on this machine, and what to do about the rest."""

from __future__ import annotations

import typer

from unmask.bench.cli.listing import Entry, Listing, print_json
from unmask.bench.cli.options import Json, Root


def doctor(root: Root = None, as_json: Json = False) -> None:
    """Check this machine: packages, cache, instruments, data sets, devices.

    Downloads nothing. Packages are imported, torch too; of four that take seconds (torchvision, lpips, facenet-pytorch,
    scikit-learn) the installed files are checked instead, and torchvision's operators are loaded.
    Exit code 1 only if something is broken that a run without options needs.
    """
    from dataclasses import asdict

    from unmask.bench.cli.doctor_checks import all_checks

    checks = all_checks(root)
    problems = [check.name for check in checks if check.state == "problem"]
    listing = Listing(
        {
            f"{check.section} {check.name}": Entry(
                {
                    "part": check.section,
                    "what": check.name,
                    "state": check.state,
                    "what is there": check.detail,
                    "what to do": check.fix,
                },
                {},
                asdict(check),
            )
            for check in checks
        },
        grouped=True,
    )
    if as_json:
        print_json({"ok": not problems, "checks": listing.records})
    else:
        listing.show(as_json=False)
        text = f"{len(problems)} problem(s): {'; '.join(problems)}"
        typer.echo(text if problems else "Everything that a run without options needs is in order.", err=bool(problems))
    if problems:
        raise typer.Exit(1)
