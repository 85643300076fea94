"""``unmask list``: what is registered, and what of it is on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from unmask.bench.cli.listing import Entry, Listing, Row, human_size, print_facts, print_json
from unmask.bench.cli.options import Json


class Kind(StrEnum):
    METHODS = "methods"
    METRICS = "metrics"
    DATASETS = "datasets"
    INSTRUMENTS = "instruments"
    ATTACKERS = "attackers"


def list_(
    kind: Annotated[Kind, typer.Argument(help="What to list.")],
    name: Annotated[
        str | None, typer.Argument(help="Only this one, with all that its card says.", show_default=False)
    ] = None,
    as_json: Json = False,
) -> None:
    """List methods, metrics, data sets, instruments or attackers; with a NAME, all that is known of one."""
    from unmask.bench.core.errors import UnknownNameError

    if name is None:
        show_listing(kind, as_json)
        return
    entries = _LISTINGS[kind](None).entries
    if name not in entries:
        raise UnknownNameError(kind.value.rstrip("s"), name, entries)
    facts = entries[name].facts
    if as_json:
        print_json(facts)
    else:
        print_facts((key, _plain(value)) for key, value in facts.items())


def show_listing(kind: Kind, as_json: bool, root: Path | None = None) -> None:
    """Every registered name of a kind. ``root``: where data sets are looked for."""
    _LISTINGS[kind](root).show(as_json=as_json)
    if not as_json:
        typer.echo(f"more of one: unmask list {kind.value} NAME")


def _plain(value: object) -> object:
    if isinstance(value, tuple | list):
        return ", ".join(str(_plain(item)) for item in value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    return value


def _methods(_: Path | None) -> Listing:
    import inspect

    from unmask.bench.core import registry
    from unmask.bench.core.errors import UnavailableError

    entries = {}
    for name in registry.names("method"):
        try:
            cls = registry.method_class(name)
        except UnavailableError as error:
            parameters, text = "", str(error)
        else:
            signature = inspect.signature(cls).parameters.items()
            parameters = ", ".join(
                "..." if p.kind is p.VAR_KEYWORD else key if p.default is p.empty else f"{key}={p.default}"
                for key, p in signature
            )
            text = inspect.getdoc(cls) or ""
        row: Row = {"method": name, "parameters": parameters, "what it does": text.split("\n", 1)[0]}
        entries[name] = Entry(row, {**row, "what it does": text}, row)
    return Listing(entries)


def _metrics(_: Path | None) -> Listing:
    from dataclasses import asdict

    from unmask.bench.core import registry

    entries = {}
    for usual, card in ((registry.is_usual(m), card) for _, m in registry.all_metrics() for card in m.cards):
        row: Row = {"metric": card.name, "better": card.direction, "unit": card.unit, "title": card.title}
        default = "yes" if usual else "no"
        record = {"metric": card.name, "family": card.family, "default": default, **row, "question": card.question}
        entries[card.name] = Entry(row, {**asdict(card), "default": default}, record)
    return Listing(entries, whole=("better", "unit"), cut=("title",))


def _datasets(root: Path | None) -> Listing:
    from unmask.bench.cli.available import dataset_places, entry_facts
    from unmask.bench.data.opening import search_roots

    search_roots(root)  # a root that does not exist is an error, not a machine without data sets
    entries, notes = {}, []
    for name, entry, place in dataset_places(root):
        if entry is None:
            broken: Row = {"data set": name, "roles": "", "here": "no", "title": place, "licence": ""}
            entries[name] = Entry(broken, broken, {"name": name, "problem": place})
            continue
        row: Row = {
            "data set": entry.name,
            "roles": ", ".join(entry.roles),
            "here": "-" if entry.by_path else "yes" if place else "no",
            "title": entry.title,
            "licence": entry.licence,
        }
        facts = {**entry_facts(entry), "found": place or None}
        entries[entry.name] = Entry(row, facts, facts)
        notes.append(f"{entry.name}: {place or entry.how_to_get}")
    return Listing(entries, notes, whole=("here",))


def _instruments(_: Path | None) -> Listing:
    from dataclasses import asdict

    from unmask.bench.cli.available import instrument_rows
    from unmask.bench.fetch import cache

    entries = {}
    for each in instrument_rows():
        card = each.card
        row: Row = {
            "instrument": each.name,
            "role": card.role if card else "?",
            "default": "yes" if card and card.default else "no",
            "size": human_size(each.size) if each.files else "-",
            "files": each.state,
            "licence": card.licence if card else "",
            "what it is": card.description if card else each.reason,
        }
        files = [f"{file.package} {file.version}: {file.member}" for file in each.files]
        facts = {**asdict(card), "files": files, "state": each.state} if card else row
        entries[each.name] = Entry(row, facts, each.as_json())
    return Listing(entries, [f"Cache folder: {cache.cache_dir()}"], whole=("role", "default", "size"))


def _attackers(_: Path | None) -> Listing:
    from dataclasses import asdict

    from unmask.bench.core import registry
    from unmask.bench.core.errors import UnavailableError
    from unmask.bench.core.spec import parse_spec

    entries = {}
    for name in registry.names("attacker"):
        try:
            card = registry.create_attacker(parse_spec(name)).card
        except UnavailableError as error:
            row: Row = {"attacker": name, "audit": "?", "gallery": "?", "knows": str(error)}
            entries[name] = Entry(row, row, row)
        else:
            row = {"attacker": name, "audit": card.audit, "gallery": card.gallery, "knows": card.knows}
            entries[name] = Entry(row, asdict(card), row)
    return Listing(entries, whole=("audit", "gallery"))


_LISTINGS: Final[Mapping[Kind, Callable[[Path | None], Listing]]] = {
    Kind.METHODS: _methods,
    Kind.METRICS: _metrics,
    Kind.DATASETS: _datasets,
    Kind.INSTRUMENTS: _instruments,
    Kind.ATTACKERS: _attackers,
}
