"""``unmask list``: what is registered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer


class Kind(StrEnum):
    METHODS = "methods"
    METRICS = "metrics"
    DATASETS = "datasets"
    INSTRUMENTS = "instruments"


Row = Mapping[str, object]


def list_(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    name: Annotated[
        str | None, typer.Argument(help="Only this one, with all that its card says.", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """List methods, metrics, data sets or instruments; with a NAME, all that is known of one."""
    import json as json_module

    from unmask.bench.cli.tables import print_facts, print_rows
    from unmask.bench.core.errors import UnknownNameError

    listing = _LISTINGS[kind]
    if name is not None:
        entries = listing.entries()
        if name not in entries:
            raise UnknownNameError(kind.value.rstrip("s"), name, entries)
        facts = listing.facts(entries[name])
        if json:
            typer.echo(json_module.dumps(facts, indent=1, ensure_ascii=False, default=str))
        else:
            print_facts((key, _plain(value)) for key, value in facts.items())
        return
    rows = [listing.row(entry) for entry in listing.entries().values()]
    if json:
        typer.echo(json_module.dumps(rows, indent=1, ensure_ascii=False))
        return
    shown = [{key: value for key, value in row.items() if key not in listing.hidden} for row in rows]
    first = list(shown[0])[:1] if shown else []
    print_rows(shown, whole=[*first, *listing.whole], short=listing.short)
    typer.echo(f"more of one: unmask list {kind.value} NAME")


@dataclass(frozen=True)
class _Listing:
    entries: Callable[[], dict[str, Any]]
    """Name -> whatever tells of it."""
    row: Callable[[Any], Row]
    """A line of the table; its first value is the name."""
    facts: Callable[[Any], Row]
    """All that is known."""
    hidden: tuple[str, ...] = ()
    """Columns of the JSON only."""
    whole: tuple[str, ...] = ()
    """Columns beside the first that are never broken."""
    short: tuple[str, ...] = ()
    """Columns that are cut to one line."""


def _plain(value: object) -> object:
    if isinstance(value, tuple | list):
        return ", ".join(str(_plain(item)) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    return value


def _methods() -> dict[str, Any]:
    from unmask.bench.core import registry
    from unmask.bench.core.errors import UnavailableError

    found: dict[str, Any] = {}
    for name in registry.names("method"):
        try:
            found[name] = (name, registry.method_class(name), "")
        except UnavailableError as error:
            found[name] = (name, None, str(error))
    return found


def _method_row(entry: tuple[str, Any, str]) -> Row:
    facts = _method_facts(entry)
    summary = str(facts["what it does"]).split("\n", 1)[0]
    return {"method": facts["method"], "parameters": facts["parameters"], "what it does": summary}


def _method_facts(entry: tuple[str, Any, str]) -> Row:
    import inspect

    name, cls, problem = entry
    if cls is None:
        return {"method": name, "parameters": "", "what it does": problem}
    params = [
        key if p.default is inspect.Parameter.empty else f"{key}={p.default}"
        for key, p in inspect.signature(cls).parameters.items()
    ]
    return {"method": name, "parameters": ", ".join(params), "what it does": inspect.getdoc(cls) or ""}


def _metrics() -> dict[str, Any]:
    from unmask.bench.core import registry

    cards = [card for _, metric in registry.all_metrics() for card in metric.cards]
    return {card.name: card for card in cards}


def _metric_row(card: Any) -> Row:
    return {
        "metric": card.name,
        "family": card.family,
        "better": card.direction,
        "unit": card.unit,
        "title": card.title,
        "question": card.question,
    }


def _card_facts(card: Any) -> Row:
    from dataclasses import asdict

    return asdict(card)


def _datasets() -> dict[str, Any]:
    from unmask.bench.data.catalog import load_catalog

    return dict(load_catalog())


def _dataset_row(entry: Any) -> Row:
    return {"data set": entry.name, "roles": ", ".join(entry.roles), "title": entry.title, "licence": entry.licence}


def _dataset_facts(entry: Any) -> Row:
    facts: Row = entry.model_dump(mode="json", exclude={"sources", "probe_people"})
    return facts


def _instruments() -> dict[str, Any]:
    from unmask.bench.core import registry
    from unmask.bench.core.errors import UnavailableError

    found: dict[str, Any] = {}
    for name in registry.names("instrument"):
        try:
            found[name] = registry.unsettled_card(name)
        except UnavailableError as error:
            found[name] = (name, str(error))
    return found


def _instrument_row(card: Any) -> Row:
    if isinstance(card, tuple):
        return {"instrument": card[0], "role": "?", "default": "no", "licence": "", "what it is": card[1]}
    return {
        "instrument": card.name,
        "role": card.role,
        "default": "yes" if card.default else "no",
        "licence": card.licence,
        "what it is": card.description,
    }


def _instrument_facts(card: Any) -> Row:
    if isinstance(card, tuple):
        return _instrument_row(card)
    files = [f"{file.package} {file.version}: {file.member}" for file in card.files]
    return {**_card_facts(card), "files": files}


_LISTINGS = {
    Kind.METHODS: _Listing(_methods, _method_row, _method_facts),
    Kind.METRICS: _Listing(
        _metrics, _metric_row, _card_facts, hidden=("family", "question"), whole=("better", "unit"), short=("title",)
    ),
    Kind.DATASETS: _Listing(_datasets, _dataset_row, _dataset_facts),
    Kind.INSTRUMENTS: _Listing(_instruments, _instrument_row, _instrument_facts),
}
