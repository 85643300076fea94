"""Fetching everything a plan needs before any work starts, so that a run does not fail half-way for a download."""

from __future__ import annotations

from collections.abc import Iterable

from unmask.bench.core import registry
from unmask.bench.core.cards import PackageFile
from unmask.bench.core.types import FetchProgress
from unmask.bench.fetch.packages import cached, fetch_all
from unmask.bench.store.schemas import Plan


def fetch_needed(plan: Plan, progress: FetchProgress | None = None, *, methods: bool = True) -> None:
    """Fetches the files of all instruments and (unless none will run) methods of a plan that are not cached."""
    files: list[PackageFile] = []
    for card in plan.measuring:
        files += registry.instrument_class(card.name).card.files
    for part in (*plan.people_parts, *([plan.face_tracker] if plan.face_tracker else [])):
        files += part.card.files
    for method in plan.methods if methods else ():
        files += method.card.files
    fetch_missing(files, progress)


def fetch_missing(files: Iterable[PackageFile], progress: FetchProgress | None = None) -> None:
    """Fetches those that are not cached, each once."""
    missing = [file for file in dict.fromkeys(files) if cached(file) is None]
    if missing:
        fetch_all(missing, progress=progress)
