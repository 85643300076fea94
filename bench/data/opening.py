"""From a SPEC (``lfw``, ``utkface:split=val``, ``folder:PATH``) to an opened data set."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from unmask.bench.core import registry
from unmask.bench.core.cards import DatasetCard
from unmask.bench.core.errors import ConfigError, DataError, SpecError, UnknownNameError
from unmask.bench.core.spec import Spec
from unmask.bench.core.types import FetchProgress, SampleRef
from unmask.bench.data.catalog import DatasetEntry, LocalSource, Source, find_entry
from unmask.bench.data.dataset import Dataset, duplicate_notes, fingerprint
from unmask.bench.data.demo import load_demo, read_demo
from unmask.bench.data.folders import no_folder, quoted, require_folder
from unmask.bench.data.identities import identity_half, in_order, natural
from unmask.bench.data.readers.base import Contents, Place, Record, read_copy
from unmask.bench.fetch import cache

ENVIRONMENT: Final = "UNMASK_DATA"
EACH: Final = "each"
"""A data set's parameter: at most so many photos of each person, the first ones; photos without a name all stay."""


def open_dataset(
    spec: str,
    *,
    clips: bool | None = False,
    root: Path | None = None,
    progress: FetchProgress | None = None,
    exclude: Sequence[Path] = (),
) -> Dataset:
    """Opens the data set of a SPEC and lists its photos or clips; decodes nothing.

    ``clips``: False = photos are wanted, True = clips, None = either.
    ``root``: where local copies lie, else ``UNMASK_DATA``; several, joined by ``os.pathsep``, are searched in order.
    ``exclude``: folders and files inside the data set's folder that are none of it (the outputs of a method).
    Only ``demo`` and ``demo-clips`` are fetched by themselves (small files); ``progress`` is called then.
    Raises `SpecError`, `UnknownNameError`, `DataError` (clips instead of photos or the other way round, not found,
    empty, damaged) or `FetchError`.
    """
    parsed, entry = parse_dataset(spec)
    if clips is not None and entry.clips != clips:
        is_one = "clips; use: unmask video" if entry.clips else "images, not of clips; use: unmask run"
        raise DataError(f"{entry.name} is a set of {is_one}")
    split, each = _split(parsed, entry), _each(parsed, entry)
    if entry.by_path and parsed.params.get("show_faces") is True:
        entry = entry.model_copy(update={"show_faces": True})
    if entry.from_packages:
        contents = read_demo(clips=entry.clips, progress=progress)
        return _dataset(entry, contents, split, "the cache", entry.revision, each)
    place, source = _copy(parsed, entry, root)
    kind = "clip_layout" if entry.clips else "layout"
    contents = read_copy(kind, entry.layout, replace(place, exclude=tuple(exclude), split=split))
    revision = (source.revision if source else "") or entry.revision
    return _dataset(entry, contents, split, str(place.path), revision, each)


def other_half(spec: str) -> str:
    """The SPEC of the people who are in no test: the calibrate half of a data set of whose probe half ``spec`` is; '' =
    of none. Raises as `parse_dataset`."""
    parsed, entry = parse_dataset(spec)
    if entry.splits != "halves" or _split(parsed, entry) != "probe":
        return ""
    return Spec(parsed.name, {**parsed.params, "split": "calibrate"}, parsed.name).text


def parse_dataset(spec: str) -> tuple[Spec, DatasetEntry]:
    """A data set's SPEC and its entry. Raises `SpecError` and `UnknownNameError`; for a bare path, with what to
    write instead."""
    try:
        parsed = registry.dataset_spec(spec)
        return parsed, find_entry(parsed.name)
    except (SpecError, UnknownNameError) as error:
        path = spec.rpartition("=")[2].strip()
        place = Path(path).expanduser()
        if path and place.is_dir():
            raise SpecError(
                f"{path!r} is a folder: for its photos write folder:{path}, for its clips clips:{path}"
            ) from None
        if path and place.is_file():
            raise SpecError(f"{path!r} {no_folder(place)}: as folder:PATH for photos, clips:PATH for clips") from None
        if place.name != path and ":" not in path:
            raise SpecError(
                f"there is no {path!r}; write folder:PATH with a folder of photos, clips:PATH with one of clips, or "
                "the name of a data set"
            ) from None
        if isinstance(error, UnknownNameError):
            error.args = (f"{error}; for a folder of photos write folder:PATH",)
        raise


def refuse_nested(out: Path, specs: Iterable[str], root: Path | None = None) -> None:
    """Raises `ConfigError` where ``out`` lies inside the folder of a data set, which would then be read with it, or the
    other way round; `SpecError`, `UnknownNameError` and `DataError` for a data set that cannot be found."""
    for spec in specs:
        parsed, entry = parse_dataset(spec)
        if entry.from_packages:
            continue
        path = _copy(parsed, entry, root)[0].path.resolve()
        if out.resolve().is_relative_to(path):
            raise ConfigError(
                f"--out {out} lies inside the folder of {spec}, where its images would count as inputs; "
                "choose a folder outside of it"
            )
        if path.is_relative_to(out.resolve()):
            raise ConfigError(f"the folder of {spec} lies inside --out {out}; choose another --out")


def _copy(spec: Spec, entry: DatasetEntry, root: Path | None = None) -> tuple[Place, Source | None]:
    """The folder that a SPEC names, or else the first copy on this machine. Raises `SpecError` and `DataError`."""
    if not entry.by_path:
        return find_copy(entry, root)
    if not str(spec.params.get("path", "")):
        what = "clips" if entry.clips else "images"
        raise SpecError(f"write {entry.name}:PATH, with the folder that holds the {what}")
    return Place(require_folder(Path(str(spec.params["path"])).expanduser(), "the folder")), None


def find_copy(entry: DatasetEntry, root: Path | None = None) -> tuple[Place, Source]:
    """The first copy on this machine, and the catalogue's line that it matches. Raises a `DataError` that says where it
    looked and how to get one."""
    roots = search_roots(root)
    for source in entry.sources:
        if source.kind == "packages":
            continue
        bases = [cache.cache_dir() / "datasets" / entry.name] if source.kind == "https" else roots
        for base in bases:
            place = _at(base, source.path, source)
            if place is not None:
                return place, source
    looked = ", ".join(quoted(base) for base in roots) or f"nowhere: neither --root nor {ENVIRONMENT} is set"
    raise DataError(f"data set {entry.name} is not here (looked in {looked}). How to get it: {entry.how_to_get}")


def is_available(entry: DatasetEntry, root: Path | None = None) -> str:
    """Where a data set lies, for a person; '' if it is not here. Asks no network."""
    if entry.from_packages:
        return str(cache.cache_dir()) if load_demo(clips=entry.clips).is_here else ""
    try:
        return str(find_copy(entry, root)[0].path)
    except DataError:
        return ""


def search_roots(root: Path | None) -> list[Path]:
    """The folders that local copies are looked for in, in order. Raises `DataError` for one that does not exist."""
    text = str(root) if root is not None else os.environ.get(ENVIRONMENT, "")
    roots = [Path(part).expanduser() for part in text.split(os.pathsep) if part.strip()]
    what = "--root" if root is not None else ENVIRONMENT
    return [require_folder(path, what) for path in roots]


def _split(spec: Spec, entry: DatasetEntry) -> str:
    params = dict(spec.params)
    params.pop(EACH, None)
    if entry.by_path:
        params.pop("path", None)
        if not isinstance(params.pop("show_faces", False), bool):
            raise SpecError(f"show_faces must be true or false; write {entry.name}:path=PATH,show_faces=true")
    split = str(params.pop("split", entry.default_split))
    if "path" in params:
        raise SpecError(f"{entry.name} takes no path; write {entry.name}:split={entry.split_names[0]}, and --root DIR")
    if params:
        raise SpecError(f"data set {entry.name} has no parameter {next(iter(params))!r}; it takes: split, {EACH}")
    if split not in entry.split_names:
        raise SpecError(f"data set {entry.name} has no split {split!r}; it has: {', '.join(entry.split_names)}")
    return split


def _each(spec: Spec, entry: DatasetEntry) -> int | None:
    each = spec.params.get(EACH)
    if each is not None and (isinstance(each, bool) or not isinstance(each, int) or each < 1 or entry.clips):
        raise SpecError(f"{EACH} is how many photos of each person are taken; write {entry.name}:{EACH}=2, of photos")
    return each


def _first_of_each(refs: Sequence[SampleRef], each: int) -> tuple[SampleRef, ...]:
    """Those of which no labelled person is in more than ``each`` earlier ones."""
    photos: Counter[str] = Counter()
    kept = []
    for ref in refs:
        people = {label.identity for label in ref.labels if label.identity}
        if all(photos[name] < each for name in people):
            photos.update(people)
            kept.append(ref)
    return tuple(kept)


def _at(base: Path, relative: str, source: Source) -> Place | None:
    """The copy that a source describes below ``base``; ``base`` may also be the data set's own folder."""
    resolved = base.resolve()
    for here in (base, resolved.parent) if resolved.name == relative.split("/")[0] else (base,):
        if (here / relative).exists():
            if not isinstance(source, LocalSource):
                return Place(here / relative)
            labels, attributes = (here / name if name else None for name in (source.labels, source.attributes))
            return Place(here / relative, labels, attributes)
    return None


def _dataset(
    entry: DatasetEntry, contents: Contents, split: str, where: str, revision: str, each: int | None = None
) -> Dataset:
    chosen = [record for record in contents.records if split in ("all", _split_of(record, entry))]
    if not chosen:
        raise DataError(f"the copy of {entry.name} at {quoted(Path(where))} has nothing in its split {split!r}")
    digests = contents.store.digests()
    listed = [SampleRef(r.id, r.labels, digests.get(r.id, "none:missing"), r.group) for r in chosen]
    refs = tuple(sorted(listed, key=lambda ref: natural(ref.id))) if entry.clips else in_order(listed)
    if each is not None:
        refs, revision = _first_of_each(refs, each), f"{revision}, at most {each} photos of a person"
    _refuse_unreadable(where, refs, "clips" if entry.clips else "photos")
    truths = {record.id: record.truth for record in chosen if record.truth is not None}
    return Dataset(
        card=_card(entry, split, revision, fingerprint(refs, truths)),
        refs=refs,
        store=contents.store,
        split=split,
        where=where,
        ignored=contents.ignored,
        notes=tuple(map(_one_line, (*contents.notes, *duplicate_notes(refs, "clip" if entry.clips else "photo")))),
        truths=truths,
    )


def _one_line(note: str) -> str:
    """Notes quote names of folders and columns, which may hold anything."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in note)


def _refuse_unreadable(where: str, refs: Sequence[SampleRef], what: str) -> None:
    """Raises `DataError` where not one file can be opened: nothing would be measured."""
    reasons = Counter(ref.digest.removeprefix("none:") for ref in refs if ref.digest.startswith("none:"))
    if sum(reasons.values()) < len(refs):
        return
    listed = "; ".join(f"{reason} ({count:,})" if len(reasons) > 1 else reason for reason, count in reasons.items())
    copied = "; copy them with cp -rL" if any("link" in reason for reason in reasons) else ""
    raise DataError(f"none of the {len(refs):,} {what} at {quoted(Path(where))} can be read: {listed}{copied}")


def _card(entry: DatasetEntry, split: str, revision: str, fingerprint: str) -> DatasetCard:
    facts = entry.model_dump(include={"name", "title", "licence", "citation", "roles", "show_faces", "notes"})
    revision = revision if entry.splits == "none" else f"{revision}, split {split}"
    return DatasetCard(**facts, revision=revision, fingerprint=fingerprint)


def _split_of(record: Record, entry: DatasetEntry) -> str:
    if entry.splits == "halves":
        # A photo without a name counts as a person of its own.
        person = next((label.identity for label in record.labels if label.identity), record.id)
        return identity_half(person, frozenset(entry.probe_people))
    return record.split or ""
