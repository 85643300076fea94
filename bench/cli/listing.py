"""A listing: what there is of a kind, as a table for people or as JSON for programs."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import typer

if TYPE_CHECKING:
    from rich.console import Console

PAGE_WIDTH: Final = 100
"""Characters of a line where nothing says how many there may be."""
Row = Mapping[str, object]
_STYLES: Final = {"ok": "green", "note": "yellow", "problem": "bold red"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing of a listing."""

    row: Row
    """Column of the table -> value; the first is the name, or the group it is in."""
    facts: Row
    """All that is said of it where it is asked for by name."""
    record: Row
    """What programs read of it."""


@dataclass(frozen=True, slots=True)
class Listing:
    entries: Mapping[str, Entry]
    """By name; all have the same columns."""
    notes: Sequence[str] = ()
    """Lines below the table."""
    whole: Collection[str] = ()
    """Columns beside the first whose values are never broken."""
    cut: Collection[str] = ()
    """Columns whose values are cut to one line; those of others run on over several."""
    grouped: bool = False
    """Whether entries with the same first value stand together, which is then said once."""

    @property
    def records(self) -> list[Row]:
        return [entry.record for entry in self.entries.values()]

    def show(self, *, as_json: bool) -> None:
        if as_json:
            print_json(self.records)
            return
        page_console().print(self._table())
        for note in self.notes:
            typer.echo(note)

    def _table(self) -> Any:
        from rich.table import Table
        from rich.text import Text

        table, group = Table(), ""
        rows = [{column: str(value) for column, value in entry.row.items()} for entry in self.entries.values()]
        for place, column in enumerate(rows[0] if rows else ()):
            if column in self.whole or not place:
                table.add_column(column, no_wrap=True, min_width=max(len(row[column]) for row in rows))
            elif column in self.cut:
                table.add_column(column, no_wrap=True, overflow="ellipsis")
            else:
                table.add_column(column, overflow="fold")
        for first, *others in (row.values() for row in rows):
            if self.grouped and group and first != group:
                table.add_section()
            texts = ["" if self.grouped and first == group else first, *others]
            table.add_row(*(Text(text, style=_STYLES.get(text, "") if self.grouped else "") for text in texts))
            group = first
        return table


def print_json(value: Any) -> None:
    """Cards may hold what JSON has nothing for, such as dates: as text."""
    typer.echo(json.dumps(value, indent=1, ensure_ascii=False, default=str))


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Names and what is said of them, one below the other; what is empty is left out."""
    from rich.table import Table
    from rich.text import Text

    table = Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        if value not in ("", None, (), {}):
            table.add_row(name, Text(str(value)))
    page_console().print(table)


def page_console() -> Console:
    """A console as wide as the terminal, or as COLUMNS says; else, in a pipe, as a page (rich would assume 80)."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal or os.environ.get("COLUMNS") else Console(width=PAGE_WIDTH)


def human_size(size: int) -> str:
    """``5233396`` -> ``5.2 MB`` (decimal units, as registries show them)."""
    if size < 1000:
        return f"{size} B"
    value, unit = size / 1000, "kB"
    for larger in ("MB", "GB", "TB"):
        if value < 999.95:
            break
        value, unit = value / 1000, larger
    return f"{value:.1f} {unit}"
