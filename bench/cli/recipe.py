"""``unmask recipe``: anonymizers that people install from PyPI, each in an environment of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from unmask.bench.cli.listing import Entry, Listing, Row, print_facts, print_json
from unmask.bench.cli.options import Json

if TYPE_CHECKING:
    from unmask.bench.core.recipes import Recipe

app = typer.Typer(help="Other people's anonymizers: list, show, install.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="One of `unmask recipe list`.", show_default=False)]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Show every recipe: its tool, licence, and whether it is installed."""
    from unmask.bench.core.recipes import read_recipe, recipe_folders

    entries = {}
    for recipe in map(read_recipe, recipe_folders()):
        row: Row = {
            "recipe": recipe.name,
            "package": f"{recipe.package} {recipe.version}",
            "installed": "yes" if recipe.is_installed else "no",
            "what it does": recipe.description,
        }
        entries[recipe.name] = Entry(row, _facts(recipe), _facts(recipe))
    Listing(entries, whole=("installed",)).show(as_json=as_json)
    if not as_json:
        typer.echo("more of one: unmask recipe show NAME")


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """Show all that is known of a recipe: its command, parameters, limits, and what it was tested with."""
    from unmask.bench.core.recipes import read_recipe

    facts = _facts(read_recipe(name))
    if as_json:
        print_json(facts)
    else:
        print_facts((key, "\n".join(value) if isinstance(value, list) else value) for key, value in facts.items())


@app.command()
def install(name: Name) -> None:
    """Make the recipe's environment with pip, from its pinned lock. What is installed already stays as it is."""
    from unmask.bench.core.recipes import read_recipe
    from unmask.bench.fetch.recipes import install as make

    recipe = read_recipe(name)
    if not recipe.is_installed:
        typer.echo(
            f"installing {recipe.package} {recipe.version} and what it needs into {recipe.environment}", err=True
        )
    new = make(recipe)
    typer.echo(f"{name}: {'installed' if new else 'is installed'}; use it as --method recipe:{name}")


def _facts(recipe: Recipe) -> Row:
    parameters = [
        f"{name}={_plain(each.default)}: {each.meaning} ("
        + (", ".join(each.choices) or ("true, false" if each.low is None else f"{each.low:g} to {each.high:g}"))
        + ")"
        for name, each in recipe.parameters.items()
    ]
    return {
        "recipe": recipe.name,
        "what it does": recipe.description,
        "package": recipe.package,
        "version": recipe.version,
        "licence": recipe.licence,
        "command": recipe.run,
        "prefix": recipe.prefix,
        "suffix": recipe.suffix,
        "parameters": parameters,
        "limits": recipe.limits,
        "tested": recipe.tested,
        "installed": "yes" if recipe.is_installed else "no",
        "environment": str(recipe.environment),
        "lock": recipe.lock_digest,
        "digest": recipe.digest,
    }


def _plain(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
