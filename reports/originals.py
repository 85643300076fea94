"""Originals for a report with faces, read from the data sets of its plans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from unmask.bench.core.errors import DataError
from unmask.bench.core.types import Image
from unmask.bench.data import Dataset, open_dataset
from unmask.bench.store.documents import located_dataset
from unmask.bench.store.schemas import PlannedDataset
from unmask.reports.faces import FaceSource


def original_images(root: Path | None, runs: Sequence[Path]) -> FaceSource:
    """A source that opens each data set of ``runs`` once, from where it lies now.

    Raises a `DataError` when asked for a data set that is not the one which the run used.
    """
    opened: dict[str, Dataset] = {}

    def read(planned: PlannedDataset, sample: str) -> Image:
        if planned.label not in opened:
            places = (located_dataset(run, planned.label, planned.spec) for run in runs)
            spec = next((place for place in places if place != planned.spec), planned.spec)
            dataset = open_dataset(spec, root=root)
            if dataset.card.fingerprint != planned.card.fingerprint:
                raise DataError(
                    f"data set {planned.label!r} is not the one of the run any more; leave out --with-faces"
                )
            opened[planned.label] = dataset
        dataset = opened[planned.label]
        found = next((ref for ref in dataset.refs if ref.id == sample), None)
        if found is None:
            raise DataError(f"data set {planned.label!r} has no {sample!r} any more; leave out --with-faces")
        return dataset.read(found)

    return read
