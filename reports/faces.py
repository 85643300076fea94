"""Pictures for a report: only on request, and only from data sets whose licence allows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image as Pil

from unmask.bench.core.errors import DataError, ImageError, UsageError
from unmask.bench.core.types import Image
from unmask.bench.data import Dataset, open_dataset
from unmask.bench.store.documents import located_dataset
from unmask.bench.store.planned import PlannedDataset
from unmask.bench.store.view import RunView
from unmask.reports.boards import Board, Entrant

FaceSource = Callable[[PlannedDataset, str], Image]
"""The original of a sample, (H, W, 3) uint8 RGB; raises `ImageError` where it cannot be read."""

SAMPLES: Final = 6
HEIGHT: Final = 160
"""Pixels: enough to judge a face, too small to be worth stealing."""


@dataclass(frozen=True, slots=True)
class Picture:
    """An image file of the report; ``file`` is empty where there is none, and ``alt`` says why."""

    file: str
    width: int
    height: int
    alt: str


@dataclass(frozen=True, slots=True)
class FaceGrid:
    """Samples across, the original and every method down."""

    title: str
    samples: tuple[str, ...]
    rows: tuple[tuple[str, list[Picture]], ...]
    """Name of a row, and a picture of each sample."""

    def only(self, name: str) -> FaceGrid:
        """The originals and one method."""
        return replace(self, rows=tuple(row for row in self.rows if row[0] in ("original", name)))


def refuse_faces(runs: Sequence[RunView]) -> None:
    """Raises `UsageError` for the first data set of photos that does not allow faces in a report, and where there are
    clips alone: no frame of a clip is ever shown."""
    if all(run.has_clips(label) for run in runs for label in run.datasets):
        raise UsageError("no frame of a clip is ever shown; leave out --with-faces")
    for run in runs:
        for label, card in run.datasets.items():
            if not card.show_faces and not run.has_clips(label):
                raise UsageError(
                    f"data set {label!r} does not allow faces in a report ({card.licence}); leave out --with-faces"
                )


def original_images(root: Path | None, runs: Sequence[Path]) -> FaceSource:
    """A source that opens each data set of ``runs`` once, from where it lies now.

    Raises a `DataError` when asked for a data set that is not the one which the run used.
    """
    datasets: dict[str, Dataset] = {}

    def read(planned: PlannedDataset, sample: str) -> Image:
        if planned.label not in datasets:
            places = (located_dataset(run, planned.label, planned.spec) for run in runs)
            spec = next((place for place in places if place != planned.spec), planned.spec)
            dataset = open_dataset(spec, root=root)
            if dataset.card.fingerprint != planned.card.fingerprint:
                raise DataError(
                    f"data set {planned.label!r} is not the one of the run any more; leave out --with-faces"
                )
            datasets[planned.label] = dataset
        dataset = datasets[planned.label]
        ref = next((ref for ref in dataset.refs if ref.id == sample), None)
        if ref is None:
            raise DataError(f"data set {planned.label!r} has no {sample!r} any more; leave out --with-faces")
        return dataset.read(ref)

    return read


def face_grid(board: Board, source: FaceSource, out: Path, folder: str, files: dict[str, str]) -> FaceGrid:
    """Writes small JPEG files into ``out / folder``. ``files``: entrant name -> its file name's stem."""
    planned = board.reference.planned(board.dataset)
    count = len(planned.samples)
    # Spread over the data set, so that the strip is not six photos of one person.
    samples = [planned.samples[i * count // SAMPLES] for i in range(SAMPLES)] if count > SAMPLES else planned.samples
    names = tuple(board.reference.folder.shown_name(board.dataset, sample) for sample in samples)
    originals = [
        _original(planned, sample, name, source, out, f"{folder}/{i}-original.jpg")
        for i, (sample, name) in enumerate(zip(samples, names, strict=True))
    ]
    rows = [("original", originals)]
    for entrant in (e for e in board.entrants if not e.control):
        stem = files[entrant.name]
        pictures = [_output(board, entrant, s, out, f"{folder}/{i}-{stem}.jpg") for i, s in enumerate(samples)]
        rows.append((entrant.name, pictures))
    return FaceGrid(board.title, names, tuple(rows))


def _original(planned: PlannedDataset, sample: str, name: str, source: FaceSource, out: Path, file: str) -> Picture:
    try:
        image = Pil.fromarray(np.ascontiguousarray(source(planned, sample)))
    except ImageError as error:
        return Picture("", 0, 0, f"not readable: {error.reason}")
    return _save(image, out, file, f"Original of {name}")


def _output(board: Board, entrant: Entrant, sample: str, out: Path, file: str) -> Picture:
    path = entrant.run.folder.output_image(board.dataset, entrant.label, sample)
    if path is None:
        return Picture("", 0, 0, "no output")
    with Pil.open(path) as image:
        name = entrant.run.folder.shown_name(board.dataset, sample)
        return _save(image.convert("RGB"), out, file, f"{entrant.label} on {name}")


def _save(image: Pil.Image, out: Path, file: str, alt: str) -> Picture:
    width = max(round(image.width * HEIGHT / image.height), 1)
    small = image.resize((width, HEIGHT), Pil.Resampling.LANCZOS)
    target = out / file
    target.parent.mkdir(parents=True, exist_ok=True)
    small.save(target, "JPEG", quality=85)
    return Picture(file, width, HEIGHT, alt)
