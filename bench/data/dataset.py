"""A data set opened for reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from unmask.bench.core.canonical import digest
from unmask.bench.core.cards import DatasetCard
from unmask.bench.core.images import decode_image, profile_note
from unmask.bench.core.types import Image, SampleRef
from unmask.bench.data.folders import counted
from unmask.bench.data.identities import person_key
from unmask.bench.data.stores import Store


@dataclass(frozen=True, slots=True)
class Dataset:
    """Samples in a fixed order, and how to read them."""

    card: DatasetCard
    """With `DatasetCard.fingerprint` filled in."""
    refs: tuple[SampleRef, ...]
    """The same order on every machine; all photos of a person lie together."""
    store: Store
    split: str
    where: str
    """For a person: the folder or zip, or ``the cache``. Not part of any result."""
    ignored: int = 0
    """Files beside the samples that were passed over."""
    notes: tuple[str, ...] = ()
    """What was understood of this copy and what was passed over, beyond the card's own notes; a sentence each."""

    def read(self, ref: SampleRef) -> Image:
        """The image of one sample, (H, W, 3) uint8 RGB. Raises `ImageError` with the reason that results will carry."""
        return self.read_noted(ref)[0]

    def read_noted(self, ref: SampleRef) -> tuple[Image, str]:
        """The same, with what is wrong with its colour profile (see `profile_note`); '' = nothing is."""
        data = self.store.read(ref.id)
        return decode_image(data, ref.id), profile_note(data, ref.id)


def fingerprint(refs: Iterable[SampleRef]) -> str:
    """sha256 over ids, contents and labels: equal for equal data in equal order, whatever machine it lies on."""
    return digest([[ref.id, ref.digest, [asdict(label) for label in ref.labels]] for ref in refs])


def duplicate_groups(refs: Iterable[SampleRef]) -> list[tuple[SampleRef, ...]]:
    """Samples whose files hold the same bytes, two or more a group, in the order of ``refs``."""
    groups: dict[str, list[SampleRef]] = {}
    for ref in refs:
        if ref.digest and not ref.digest.startswith("none:"):
            groups.setdefault(ref.digest, []).append(ref)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def duplicate_notes(refs: Iterable[SampleRef]) -> list[str]:
    """What identical files do to the numbers, a sentence each; none without such files."""
    groups = duplicate_groups(refs)
    people = [[{person_key(label.identity) for label in ref.labels if label.identity} for ref in g] for g in groups]
    one_name = sum(max(Counter(n for names in group for n in names).values(), default=0) > 1 for group in people)
    two_names = sum(len({frozenset(names) for names in group if names}) > 1 for group in people)
    notes = []
    if groups:
        copies, pictures = counted(sum(map(len, groups)), "file"), counted(len(groups), "picture")
        notes.append(f"{copies} are copies of one another, byte for byte: {pictures}")
    if one_name:
        notes.append(
            f"{counted(one_name, 'picture')} under one name twice: a person's other photo is then the same photo, and "
            "recognition by other photos looks too good, also without anonymization"
        )
    if two_names:
        notes.append(
            f"{counted(two_names, 'picture')} under two names: these people cannot be told apart, so error rates and "
            "measured chance look too high, also without anonymization"
        )
    return notes
