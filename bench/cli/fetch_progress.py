"""Shows how far downloads are: a rich bar on a terminal, plain lines in CI and in pipes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from unmask.bench.core.types import FetchProgress

_EVERY = 10.0
"""Seconds between two plain lines about the same download."""


def plain_output(console: Console) -> bool:
    """Whether nothing that moves should be printed: CI, a pipe, a dumb terminal."""
    return not console.is_terminal or console.is_dumb_terminal or os.environ.get("CI", "").lower() in ("true", "1")


@contextmanager
def fetch_progress(console: Console) -> Iterator[FetchProgress]:
    """Yields the callback that `bench.fetch.packages` and `bench.fetch.https` report to. ``console``: stderr."""
    if plain_output(console):
        yield _plain(console)
        return
    from rich.progress import BarColumn, DownloadColumn, TaskID, TextColumn, TransferSpeedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Bars(*columns, console=console) as bars:
        tasks: dict[str, TaskID] = {}

        def show(name: str, done: int, total: int | None) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name, total=total)
            bars.update(tasks[name], completed=done, total=total)

        yield show


def _plain(console: Console) -> FetchProgress:
    last: dict[str, float] = {}
    finished: set[str] = set()

    def show(name: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        if done == total:
            if name not in finished:
                console.print(f"fetched {name} ({human_size(done)})", highlight=False, markup=False, soft_wrap=True)
            finished.add(name)
        elif name not in last or now - last[name] >= _EVERY:
            of = f" of {human_size(total)}" if total else ""
            text = f"fetching {name}: {human_size(done)}{of}" if name in last else f"fetching {name}{of}"
            console.print(text, highlight=False, markup=False, soft_wrap=True)
            last[name] = now

    return show


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


def instrument_files(names: Sequence[str]) -> dict[str, dict[str, Path]]:
    """Instrument -> key -> its file, fetched where it is not here yet."""
    from unmask.bench.core import registry
    from unmask.bench.fetch import packages

    with fetch_progress(Console(stderr=True)) as progress:
        cards = {name: registry.instrument_class(name).card for name in names}
        return {name: packages.fetch_all(card.files, progress=progress) for name, card in cards.items()}
