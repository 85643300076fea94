"""A data set opened for reading."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType

from unmask.bench.core.cards import DatasetCard
from unmask.bench.core.errors import ImageError, VideoError, counted
from unmask.bench.core.files import digest
from unmask.bench.core.images import decode_image, profile_note
from unmask.bench.core.types import Image, SampleRef
from unmask.bench.core.video import Tracks
from unmask.bench.data.identities import person_key
from unmask.bench.data.stores import Store


@dataclass(frozen=True, slots=True)
class Dataset:
    """Photos or clips in a fixed order, and how to read them."""

    card: DatasetCard
    """With `DatasetCard.fingerprint` filled in."""
    refs: tuple[SampleRef, ...]
    """The same order on every machine: all photos of a person lie together, clips are in natural order of their ids
    (clip2 before clip10)."""
    store: Store
    split: str
    where: str
    """For a person: the folder or zip, or ``the cache``. Not part of any result."""
    ignored: int = 0
    """Files beside the samples that were passed over."""
    notes: tuple[str, ...] = ()
    """What was read of this copy and what was passed over, beyond the card's own notes; a sentence each."""
    truths: Mapping[str, Tracks] = field(default_factory=dict)
    """Clip id -> the people that the data set annotates, frames from 0; clips without annotation are not in it."""

    def read(self, ref: SampleRef) -> Image:
        """The image of one sample, (H, W, 3) uint8 RGB. Raises `ImageError` with the reason that results will carry."""
        return self.read_noted(ref)[0]

    def read_noted(self, ref: SampleRef) -> tuple[Image, str]:
        """The same, with what is wrong with its colour profile (see `profile_note`); '' = nothing is."""
        data = self.store.read(ref.id)
        return decode_image(data, ref.id), profile_note(data)

    def path(self, ref: SampleRef) -> Path:
        """What `bench.data.media.VideoReader` opens: a file, or a folder of images.

        Raises `VideoError` with the reason that results will carry: not there, or a link that leads elsewhere.
        """
        try:
            return self.store.path(ref.id)
        except ImageError as error:
            raise VideoError(error.reason) from error


def fingerprint(refs: Iterable[SampleRef], truths: Mapping[str, Tracks] = MappingProxyType({})) -> str:
    """sha256 over ids, contents, labels, and groups and annotation of clips: equal for equal data in equal order,
    whatever machine it lies on."""
    rows: list[list[object]] = []
    for ref in refs:
        rows.append([ref.id, ref.digest, [asdict(label) for label in ref.labels]])
        if ref.group or ref.id in truths:
            rows[-1] += [ref.group, _tracks_sha256(truths[ref.id]) if ref.id in truths else ""]
    return digest(rows)


def _tracks_sha256(tracks: Tracks) -> str:
    columns = (tracks.frame.astype("<i8"), tracks.track.astype("<i8"), tracks.box.astype("<f4"))
    return hashlib.sha256(b"".join(column.tobytes() for column in columns)).hexdigest()


def duplicate_groups(refs: Iterable[SampleRef]) -> list[tuple[SampleRef, ...]]:
    """Samples whose files hold the same bytes, two or more a group, in the order of ``refs``."""
    groups: dict[str, list[SampleRef]] = {}
    for ref in refs:
        if ref.digest and not ref.digest.startswith("none:"):
            groups.setdefault(ref.digest, []).append(ref)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def duplicate_notes(refs: Iterable[SampleRef], what: str = "photo") -> list[str]:
    """What identical files do to the numbers, a sentence each; none without such files."""
    groups = duplicate_groups(refs)
    people = [[{person_key(label.identity) for label in ref.labels if label.identity} for ref in g] for g in groups]
    one_name = sum(max(Counter(n for names in group for n in names).values(), default=0) > 1 for group in people)
    two_names = sum(len({frozenset(names) for names in group if names}) > 1 for group in people)
    notes = []
    if groups:
        copies, distinct = counted(sum(map(len, groups)), "file"), counted(len(groups), what)
        notes.append(f"{copies} are copies of one another, byte for byte: {distinct}")
    if one_name:
        notes.append(
            f"{counted(one_name, 'photo')} under one name twice: a person's other photo is then the same photo, and "
            "recognition by other photos looks too good, also without anonymization"
        )
    if two_names:
        notes.append(
            f"{counted(two_names, 'photo')} under two names: these people cannot be told apart, so error rates and "
            "measured chance look too high, also without anonymization"
        )
    return notes
