"""``unmask instruments``: the networks that measure; what they are, fetch their files, verify them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from unmask.bench.cli.list_ import Kind, show_listing
from unmask.bench.cli.listing import human_size, print_json
from unmask.bench.cli.options import Json

if TYPE_CHECKING:
    from unmask.bench.cli.available import InstrumentRow


app = typer.Typer(help="The networks that measure: list, fetch and verify their files.", no_args_is_help=True)

Names = Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", show_default=False)]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Show every instrument: role, size, licence, whether its files are here."""
    show_listing(Kind.INSTRUMENTS, as_json)


@app.command()
def fetch(names: Names = None, as_json: Json = False) -> None:
    """Fetch the files of the named instruments (default: of every instrument a run uses without being asked)."""
    from unmask.bench.cli.available import instrument_rows
    from unmask.bench.cli.progress import fetch_progress
    from unmask.bench.core.errors import UnavailableError
    from unmask.bench.fetch import packages

    rows = instrument_rows(names or ())
    if names:
        for row in rows:
            if row.card is None:
                raise UnavailableError(row.reason)
    else:
        rows = [row for row in rows if row.card is None or row.card.default]
    with fetch_progress() as progress:
        paths = packages.ensure([file for row in rows for file in row.files], progress=progress)
    if as_json:
        files = {row.name: {file.key: str(paths[file]) for file in row.files} for row in rows if row.card is not None}
        print_json({"instruments": files, "unavailable": {row.name: row.reason for row in rows if row.card is None}})
    else:
        _print_fetched(rows)
    if any(row.broken for row in rows):
        raise typer.Exit(1)


def _print_fetched(rows: list[InstrumentRow]) -> None:

    for row in rows:
        text = row.reason if row.card is None else f"ready ({human_size(row.size)})" if row.files else "needs no files"
        typer.echo(f"{row.name}: {text}")


@app.command()
def verify(names: Names = None, as_json: Json = False) -> None:
    """Hash the fetched files again (default: of all instruments); exit code 1 if one is not what was pinned."""
    from unmask.bench.cli.available import instrument_rows

    results = [result for row in instrument_rows(names or ()) for result in _verify(row)]
    wrong = [result for result in results if result["state"] == "wrong"]
    if as_json:
        print_json({"ok": not wrong, "files": results})
    else:
        for result in results:
            typer.echo(f"{result['state']:<10} {result['instrument']}: {result['path']}")
        for name in dict.fromkeys(result["instrument"] for result in wrong):
            typer.echo(f"error: a file of {name} has other bytes; run: unmask instruments fetch {name}", err=True)
        counts = {state: sum(result["state"] == state for result in results) for state in ("ok", "wrong", "not cached")}
        typer.echo(", ".join(f"{count} {state}" for state, count in counts.items()))
    if wrong:
        raise typer.Exit(1)


def _verify(row: InstrumentRow) -> list[dict[str, Any]]:
    from unmask.bench.core.files import sha256_of
    from unmask.bench.fetch import packages

    results = []
    for file in row.files:
        path = packages.cache_path(file)
        state = "not cached"
        if path.is_file():
            state = "ok" if sha256_of(path) == file.sha256 else "wrong"
        results.append({"instrument": row.name, "key": file.key, "path": str(path), "state": state})
    return results
