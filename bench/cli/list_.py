"""``unmask list``: what is registered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
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
    from unmask.bench.cli.tables import print_facts
    from unmask.bench.core.errors import UnknownNameError

    if name is None:
        print_listing(kind, json)
        return
    listing = _LISTINGS[kind]
    entries = listing.entries(None)
    if name not in entries:
        raise UnknownNameError(kind.value.rstrip("s"), name, entries)
    facts = listing.facts(entries[name])
    if json:
        print_json(facts)
    else:
        print_facts((key, _plain(value)) for key, value in facts.items())


def print_listing(kind: Kind, as_json: bool, root: Path | None = None) -> None:
    """Every registered name of a kind. ``root``: where data sets are looked for."""
    from unmask.bench.cli.tables import print_rows

    listing = _LISTINGS[kind]
    entries = listing.entries(root)
    if as_json:
        print_json([(listing.as_json or listing.row)(entry) for entry in entries.values()])
        return
    rows = [listing.row(entry) for entry in entries.values()]
    visible = [{key: value for key, value in row.items() if key not in listing.hidden} for row in rows]
    first = list(visible[0])[:1] if visible else []
    print_rows(visible, whole=[*first, *listing.whole], short=listing.short)
    for line in listing.below(entries.values()):
        typer.echo(line)
    typer.echo(f"more of one: unmask list {kind.value} NAME")


def print_json(value: Any) -> None:
    """Cards may hold what JSON has nothing for, such as dates: as text."""
    import json

    typer.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


@dataclass(frozen=True)
class _Listing:
    entries: Callable[[Path | None], dict[str, Any]]
    """Name -> whatever tells of it; of data sets, looked for below a root."""
    row: Callable[[Any], Row]
    """A line of the table; its first value is the name."""
    facts: Callable[[Any], Row]
    """All that is known."""
    as_json: Callable[[Any], Row] | None = None
    """The same for programs, where the table leaves something out."""
    below: Callable[[Iterable[Any]], Iterable[str]] = lambda _: ()
    """Lines below the table."""
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


def _methods(_: Path | None) -> dict[str, Any]:
    from unmask.bench.core import registry
    from unmask.bench.core.errors import UnavailableError

    entries: dict[str, Any] = {}
    for name in registry.names("method"):
        try:
            entries[name] = (name, registry.method_class(name), "")
        except UnavailableError as error:
            entries[name] = (name, None, str(error))
    return entries


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


def _metrics(_: Path | None) -> dict[str, Any]:
    from unmask.bench.core import registry

    return {card.name: (card, registry.is_usual(m)) for _, m in registry.all_metrics() for card in m.cards}


def _metric_row(item: tuple[Any, bool]) -> Row:
    card, usual = item
    return {
        "metric": card.name,
        "family": card.family,
        "default": "yes" if usual else "no",
        "better": card.direction,
        "unit": card.unit,
        "title": card.title,
        "question": card.question,
    }


def _metric_facts(item: tuple[Any, bool]) -> Row:
    card, usual = item
    return {**_card_facts(card), "default": usual}


def _card_facts(card: Any) -> Row:
    from dataclasses import asdict

    return asdict(card)


def _datasets(root: Path | None) -> dict[str, Any]:
    from unmask.bench.data.catalog import load_catalog
    from unmask.bench.data.opening import is_available, search_roots

    search_roots(root)  # a root that does not exist is an error, not a machine without data sets
    return {name: (entry, is_available(entry, root)) for name, entry in load_catalog().items()}


def _dataset_row(item: tuple[Any, str]) -> Row:
    entry, place = item
    return {
        "data set": entry.name,
        "roles": ", ".join(entry.roles),
        "here": "-" if entry.by_path else "yes" if place else "no",
        "title": entry.title,
        "licence": entry.licence,
    }


def _dataset_facts(item: tuple[Any, str]) -> Row:
    entry, place = item
    facts: Row = entry.model_dump(mode="json", exclude={"sources", "probe_people"})
    return {**facts, "found": place or None}


def _dataset_places(items: Iterable[tuple[Any, str]]) -> Iterable[str]:
    return (f"{entry.name}: {place or entry.how_to_get}" for entry, place in items)


def _instruments(_: Path | None) -> dict[str, Any]:
    from unmask.bench.cli.instrument_table import instrument_rows

    return {row.name: row for row in instrument_rows()}


def _instrument_row(row: Any) -> Row:
    from unmask.bench.cli.fetch_progress import human_size

    card = row.card
    return {
        "instrument": row.name,
        "role": card.role if card else "?",
        "default": "yes" if card and card.default else "no",
        "size": human_size(row.size) if row.files else "-",
        "files": row.state,
        "licence": card.licence if card else "",
        "what it is": card.description if card else row.reason,
    }


def _instrument_facts(row: Any) -> Row:
    if row.card is None:
        return _instrument_row(row)
    files = [f"{file.package} {file.version}: {file.member}" for file in row.files]
    return {**_card_facts(row.card), "files": files, "state": row.state}


def _cache_folder(_: Iterable[Any]) -> Iterable[str]:
    from unmask.bench.fetch import cache

    return [f"Cache folder: {cache.cache_dir()}"]


_LISTINGS = {
    Kind.METHODS: _Listing(_methods, _method_row, _method_facts),
    Kind.METRICS: _Listing(
        _metrics,
        _metric_row,
        _metric_facts,
        hidden=("family", "question", "default"),
        whole=("better", "unit"),
        short=("title",),
    ),
    Kind.DATASETS: _Listing(
        _datasets, _dataset_row, _dataset_facts, as_json=_dataset_facts, below=_dataset_places, whole=("here",)
    ),
    Kind.INSTRUMENTS: _Listing(
        _instruments,
        _instrument_row,
        _instrument_facts,
        as_json=lambda row: row.as_json(),
        below=_cache_folder,
        whole=("role", "default", "size"),
    ),
}
