"""Tables that fit a page of text."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from rich.console import Console
from rich.markup import escape
from rich.table import Table

PAGE_WIDTH: Final = 100
"""Characters of a line where nothing says how many there may be."""


def page_console() -> Console:
    """A console as wide as the terminal, or as COLUMNS says; else, in a pipe, as a page (rich would assume 80)."""
    console = Console()
    return console if console.is_terminal or os.environ.get("COLUMNS") else Console(width=PAGE_WIDTH)


def print_rows(rows: Sequence[Mapping[str, object]], *, whole: Sequence[str] = (), short: Sequence[str] = ()) -> None:
    """A table of rows with the same keys. Columns in ``whole`` are never broken, those in ``short`` cut to one line;
    the others run on over several."""
    table = Table()
    for head in rows[0] if rows else ():
        if head in whole:
            table.add_column(head, no_wrap=True, min_width=max(len(str(row[head])) for row in rows))
        elif head in short:
            table.add_column(head, no_wrap=True, overflow="ellipsis")
        else:
            table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*(escape(str(value)) for value in row.values()))
    page_console().print(table)


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Names and what is said of them, one below the other; what is empty is left out."""
    table = Table(show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        if value not in ("", None, (), {}):
            table.add_row(name, escape(str(value)))
    page_console().print(table)
