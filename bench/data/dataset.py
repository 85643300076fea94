"""A data set opened for reading."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from bench.core.canonical import digest
from bench.core.cards import DatasetCard
from bench.core.images import decode_image
from bench.core.types import Image, SampleRef
from bench.data.stores import Store


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
        return decode_image(self.store.read(ref.id), ref.id)


def fingerprint(refs: Iterable[SampleRef]) -> str:
    """sha256 over ids, contents and labels: equal for equal data in equal order, whatever machine it lies on."""
    return digest([[ref.id, ref.digest, [asdict(label) for label in ref.labels]] for ref in refs])
