"""The items of a release, beside the originals: what a method made of each photo, or of each frame in one variant."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.errors import ImageError, StoreError, VideoError
from unmask.bench.core.files import sha256_of
from unmask.bench.core.images import decode_image
from unmask.bench.core.types import Image
from unmask.bench.data.media import VideoReader
from unmask.bench.run.jobs.items import Item, ShardItems
from unmask.bench.run.jobs.shards import ShardJob, dataset_jobs
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.storage import Storage
from unmask.bench.store.tables import concatenate, read_table

_REMEDY: Final = "delete its folder and run the same `unmask run` again"


@dataclass(frozen=True)
class Released:
    """A readable item of the data set with what the method made of it."""

    item: Item
    original: Image
    output: Image | None
    """As it is released, (H, W, 3): black where a method failed on a frame; ``None`` where a photo has no output."""
    reason: str
    """Why the method gave nothing usable; ''."""

    @cached_property
    def same(self) -> bool:
        """Whether the output is the original, pixel for pixel (the control; items in which nobody was found)."""
        return self.output is not None and not self.reason and np.array_equal(self.output, self.original)

    @property
    def usable(self) -> Image | None:
        """The output that instruments read; ``None`` where the method failed."""
        return None if self.reason else self.output


def outputs_folder(job: ShardJob) -> Storage:
    """Where the outputs lie that a job scores: those of the release's method."""
    return job.folder.outputs_dir(job.dataset, job.planned_method.label, job.shard)


class WrittenFile(NamedTuple):
    """What is known of a clip's file in one variant."""

    kbps: float = float("nan")
    sha256: str = ""
    problem: str = ""
    """Why there is no such file; '' = there is one, or the clip cannot be read."""


def written_file(folder: Storage, variant: str) -> WrittenFile:
    """Of a clip's folder of outputs."""
    rows = read_table(folder / "written.parquet")
    files = map(WrittenFile, *(rows[name].tolist() for name in WrittenFile._fields))
    by_variant: dict[str, WrittenFile] = dict(zip(rows["quality"].tolist(), files, strict=True))
    return by_variant.get(variant, WrittenFile())


def release_items(job: ShardJob) -> Iterator[list[Released]]:
    """A shard's readable items beside their outputs, in order, a bounded number of pixels at a time. Raises
    `StoreError` where a stored output is missing, damaged, or not the one that was stored, and `VideoError` where the
    original clip cannot be read."""
    return _frames(job) if job.of_clips else _photos(job)


def _photos(job: ShardJob) -> Iterator[list[Released]]:
    folder = outputs_folder(job)
    rows = read_table(folder / "outputs.parquet")
    columns = [rows[name].tolist() for name in ("sample", "file", "sha256", "error")]
    files = {name: about for name, *about in zip(*columns, strict=True)}
    quality = job.release.jpeg_quality
    for chunk in ShardItems(job):
        released = []
        for item in chunk:
            if item.image is not None:
                file, sha256, reason = files.get(item.id, ("", "", "no output was stored"))
                output = _stored_photo((folder / file).local, sha256) if file else None
                if output is not None and quality is not None:
                    output = as_jpeg(output, quality)
                released.append(Released(item, item.image, output, reason))
        yield released


def as_jpeg(image: Image, quality: int) -> Image:
    """(H, W, 3) what a JPEG of ``quality`` (1 to 100, colours halved in both directions) leaves of a picture."""
    bgr = np.ascontiguousarray(image[..., ::-1])
    _, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.ascontiguousarray(np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)[..., ::-1])


def _stored_photo(path: Path, sha256: str) -> Image:
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise StoreError(f"{path} is not the picture that was stored there; {_REMEDY}")
        return decode_image(data, path.name)
    except (OSError, ImageError) as error:
        raise StoreError(f"{path} cannot be read ({error}); {_REMEDY}") from error


def _frames(job: ShardJob) -> Iterator[list[Released]]:
    folder = outputs_folder(job)
    errors: Sequence[str] = read_table(folder / "outputs.parquet")["error"].tolist()
    path = (folder / f"{job.release.variant}.mp4").local
    stored = _stored_frames(path, written_file(folder, job.release.variant).sha256)
    for chunk in ShardItems(job):
        released = []
        for item in chunk:
            output = next(stored, None)
            assert item.image is not None  # of a clip that cannot be read there are no items
            if output is None or output.shape != item.image.shape:
                raise StoreError(f"{path} ends early; {_REMEDY}")
            released.append(Released(item, item.image, output, errors[item.number]))
        yield released


def _stored_frames(path: Path, sha256: str) -> Iterator[Image]:
    try:
        if sha256_of(path) != sha256:
            raise StoreError(f"{path} is not the clip that was stored there; {_REMEDY}")
        for frame in VideoReader(path):
            yield frame.image
    except OSError as error:
        raise StoreError(f"{path} cannot be read ({error.strerror}); {_REMEDY}") from error
    except VideoError as error:
        raise StoreError(f"{path} cannot be read ({error.reason}); {_REMEDY}") from error


def output_rows(folder: RunFolder, plan: Plan, dataset: str, label: str) -> dict[str, NDArray[Any]]:
    """What became of all photos or frames of a data set under a method (or a release of it), a row each."""
    jobs, method = dataset_jobs(plan, plan.dataset(dataset), label), plan.method_of(label)
    return concatenate([read_table(folder.outputs_dir(dataset, method, job.shard) / "outputs.parquet") for job in jobs])
