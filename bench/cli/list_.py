"""``unmask list``: what is registered."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Kind(StrEnum):
    METHODS = "methods"
    METRICS = "metrics"
    DATASETS = "datasets"
    INSTRUMENTS = "instruments"


def list_(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """List methods, metrics, data sets or instruments with what their cards say."""
    import json as json_module

    from rich.console import Console
    from rich.table import Table

    rows = _ROWS[kind]()
    if json:
        typer.echo(json_module.dumps(rows, indent=1, ensure_ascii=False))
        return
    table = Table()
    for head in rows[0] if rows else ():
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)


def _methods() -> list[dict[str, object]]:
    import inspect

    from bench.core import registry

    rows: list[dict[str, object]] = []
    for name in registry.names("method"):
        cls = registry.method_class(name)
        params = [
            key if p.default is inspect.Parameter.empty else f"{key}={p.default}"
            for key, p in inspect.signature(cls).parameters.items()
        ]
        summary = (inspect.getdoc(cls) or "").split("\n", 1)[0]
        rows.append({"method": name, "parameters": ", ".join(params), "what it does": summary})
    return rows


def _metrics() -> list[dict[str, object]]:
    from bench.core import registry

    cards = [card for _, metric in registry.all_metrics() for card in metric.cards]
    cards += [card for _, metric in registry.video_metrics() for card in metric.cards]
    rows: list[dict[str, object]] = [
        {
            "metric": card.name,
            "family": card.family,
            "better": card.direction,
            "unit": card.unit,
            "question": card.question,
        }
        for card in cards
    ]
    return rows


def _datasets() -> list[dict[str, object]]:
    from bench.data.catalog import load_catalog

    rows: list[dict[str, object]] = [
        {"data set": name, "roles": ", ".join(entry.roles), "title": entry.title, "licence": entry.licence}
        for name, entry in load_catalog().items()
    ]
    return rows


def _instruments() -> list[dict[str, object]]:
    from bench.core import registry
    from bench.core.errors import UnavailableError

    rows: list[dict[str, object]] = []
    for name in registry.measuring_names():
        try:
            card = registry.measuring_card(name)
        except UnavailableError as error:
            rows.append({"instrument": name, "role": "?", "default": "no", "licence": "", "what it is": str(error)})
            continue
        default = "yes" if card.default else "no"
        rows.append(
            {
                "instrument": name,
                "role": card.role,
                "default": default,
                "licence": card.licence,
                "what it is": card.description,
            }
        )
    return rows


_ROWS = {
    Kind.METHODS: _methods,
    Kind.METRICS: _metrics,
    Kind.DATASETS: _datasets,
    Kind.INSTRUMENTS: _instruments,
}
