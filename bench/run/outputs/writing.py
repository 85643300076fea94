"""Writes what comes back from a method: a PNG a photo, or the files of a clip."""

from __future__ import annotations

import hashlib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.errors import VideoError
from unmask.bench.core.files import sha256_of
from unmask.bench.core.images import encode_png
from unmask.bench.core.types import Image
from unmask.bench.core.video import Frame, VideoInfo
from unmask.bench.data.media import VideoWriter
from unmask.bench.run.jobs.items import Item, ShardItems
from unmask.bench.run.jobs.keys import variants_of
from unmask.bench.run.jobs.shards import ShardJob
from unmask.bench.store.planned import LOSSLESS
from unmask.bench.store.storage import Storage
from unmask.bench.store.tables import columns_of, write_table


class PhotoFiles(ExitStack):
    """A PNG for each output, under the photo's number in its data set."""

    def __init__(self, job: ShardJob, folder: Storage) -> None:
        super().__init__()
        self._folder, self._first = folder, job.shard * job.plan.settings.shard_size
        self._files: list[tuple[str, str]] = []

    def write(self, item: Item, original: Image, output: Image | None) -> None:
        """``output`` (H, W, 3) of an item, in order; ``None`` = the method gave nothing usable."""
        if output is None:
            self._files.append(("", ""))
            return
        file, stored = f"{self._first + item.number}.png", encode_png(output)
        (self._folder / file).local.write_bytes(stored)
        self._files.append((file, hashlib.sha256(stored).hexdigest()))

    def give_up(self, problem: str) -> None:
        """A photo that cannot be read is no item."""

    def columns(self) -> dict[str, NDArray[Any]]:
        """What the table of outputs says of the files: a row an item."""
        return columns_of(self._files, {"file": np.str_, "sha256": np.str_})

    def write_tables(self, key: str) -> None:
        """No further table."""


class ClipFiles(ExitStack):
    """A file of the clip for each variant. What goes wrong with one costs that one alone."""

    def __init__(self, job: ShardJob, items: ShardItems, folder: Storage) -> None:
        super().__init__()
        self._items, self._folder, self._keep_audio = items, folder, job.plan.settings.keep_audio
        variants = () if job.clip_problem else variants_of(job, job.planned_method)
        self._files = {variant: _ClipFile((folder / f"{variant}.mp4").local, variant) for variant in variants}
        for file in self._files.values():
            self.push(file.end)
        self._begun = False

    def write(self, item: Item, original: Image, output: Image | None) -> None:
        """``output`` (H, W, 3) of a frame, in order; ``None`` = the method gave nothing usable."""
        assert item.frame is not None  # of a clip
        source = self._items.reader
        if not self._begun and source is not None:
            audio = source.path if self._keep_audio and source.info.audio else None
            for variant, file in self._files.items():
                file.begin(source.info, None if variant == LOSSLESS else audio)
            self._begun = True
        # Black, not the original: what a method cannot anonymize must not be passed on.
        image = np.zeros_like(original) if output is None else output
        for file in self._files.values():
            file.write(item.frame, image)

    def give_up(self, problem: str) -> None:
        """Leaves no file, since the clip cannot be read to its end."""
        for file in self._files.values():
            file.give_up(problem)

    def columns(self) -> dict[str, NDArray[Any]]:
        return {}

    def write_tables(self, key: str) -> None:
        """A row a file; once they are closed."""
        rows = [
            (variant, file.kbps, "" if file.problem else sha256_of(file.path), file.problem)
            for variant, file in self._files.items()
        ]
        kinds = {"quality": np.str_, "kbps": np.float64, "sha256": np.str_, "problem": np.str_}
        write_table(self._folder / "written.parquet", columns_of(rows, kinds), key)


class _ClipFile:
    """One file of a clip."""

    def __init__(self, path: Path, variant: str) -> None:
        self.path = path
        self.problem = ""
        """Why there is no such file; ''."""
        self._variant = variant
        self._writer: VideoWriter | None = None

    @property
    def kbps(self) -> float:
        """NaN = not known."""
        kbps = None if self._writer is None or self.problem else self._writer.kbps
        return float("nan") if kbps is None else kbps

    def begin(self, info: VideoInfo, audio: Path | None) -> None:
        try:
            self._writer = VideoWriter(self.path, info, self._variant, audio_from=audio).__enter__()
        except VideoError as error:
            self.problem = error.reason

    def write(self, frame: Frame, image: Image) -> None:
        if self._writer is None or self.problem:
            return
        try:
            self._writer.write(frame, image)
        except VideoError as error:
            self.give_up(error.reason)

    def give_up(self, problem: str) -> None:
        """Leaves no file."""
        self.end(VideoError, VideoError(problem), None)
        self.problem = self.problem or problem

    def end(self, *error: Any) -> None:
        """Closes the file or, where there is an error, leaves none; ``error``: as of a context manager's end."""
        if self.problem or self._writer is None:
            return
        try:
            self._writer.__exit__(*error)
        except VideoError as failure:
            self.problem = failure.reason
