"""Images that somebody else's anonymizer made, matched to the inputs by file name."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import ClassVar

from bench.core.cards import MethodCard
from bench.core.errors import ImageError, SpecError
from bench.core.files import sha256_of
from bench.core.images import decode_image
from bench.core.types import Image, MethodFailure, Sample

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".jp2"})


class StoredOutputs:
    """Reads each output from a folder. What is missing, unreadable or of another size is a counted failure.

    Parameter: ``dir``, the folder. An input ``people/ann/1.jpg`` is answered by the first of these that exists:
    the same relative path; that path with another image extension; a file of the same bare name anywhere in the
    folder; of the same bare name with another image extension. Two candidates at one step are a failure, never a guess;
    so is one candidate of two inputs, unless it is an earlier step that leads one of them there: then it is that one's.
    """

    needs_names: ClassVar = True

    def __init__(self, *, dir: str) -> None:
        if not isinstance(dir, str):
            raise SpecError(f"outputs: dir={dir} must be a folder; write outputs:dir=./{dir}")
        self._claims: Mapping[Path, tuple[int, tuple[str, ...]]] = {}
        self._expected: tuple[str, ...] = ()
        self._dir = Path(dir).expanduser()
        if not self._dir.is_dir():
            raise SpecError(f"outputs: there is no folder {dir!r}; write outputs:dir=PATH with the anonymized images")

    @property
    def card(self) -> MethodCard:
        return MethodCard(
            name="outputs",
            version="2",
            description="Images anonymized elsewhere, read from a folder and matched by file name.",
            licence="as the images",
            source="the folder given",
            # Not the whole path: the same images are the same plan wherever they lie, and paths can name people.
            params={"dir": self._dir.resolve().name, "images": len(self._files), "fingerprint": self._fingerprint},
            limits="Nothing is known of how the images were made. Its time is that of reading files. Images are "
            "matched by relative path or, in a folder laid out otherwise, by bare name: an image that two inputs of "
            "one data set would share is an error for both. One that two data sets would share cannot be told.",
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """Nothing to load."""

    def expect(self, ids: Sequence[str]) -> None:
        """Finds the files that two inputs would share; without this call they are used twice."""
        if self._expected == tuple(ids):
            return
        claims: dict[Path, tuple[int, tuple[str, ...]]] = {}
        for sample_id in ids:
            found = self._candidates(sample_id)
            if found is None or len(found[1]) > 1:
                continue
            step, (path,) = found
            first, claimants = claims.get(path, (step, ()))
            if step <= first:
                claims[path] = (step, (*(claimants if step == first else ()), sample_id))
        self._claims, self._expected = claims, tuple(ids)

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> Sequence[Image | MethodFailure]:
        """The stored images, or why there is none."""
        return [self._one(sample) for sample in batch]

    def _one(self, sample: Sample) -> Image | MethodFailure:
        path = self._match(sample.id)
        if isinstance(path, MethodFailure):
            return path
        height, width = sample.image.shape[:2]
        return read_output(path, width, height)

    def _match(self, sample_id: str) -> Path | MethodFailure:
        found = self._candidates(sample_id)
        if found is None:
            return MethodFailure("no output file")
        _, paths = found
        if len(paths) > 1:
            return MethodFailure(f"{len(paths)} output files match: {', '.join(self._name(p) for p in paths[:3])}")
        _, claimants = self._claims.get(paths[0], (0, (sample_id,)))
        others = [other for other in claimants if other != sample_id]
        if others:
            return MethodFailure(f"the output file {self._name(paths[0])} matches {', '.join(others[:3])} too")
        return paths[0]

    def _candidates(self, sample_id: str) -> tuple[int, tuple[Path, ...]] | None:
        """The first step that leads to a file, and where it leads. Looks names up among the files that were found in
        the folder, so no id can reach outside it."""
        wanted = PurePosixPath(sample_id)
        steps = (
            (self._files, str(wanted)),
            (self._by_stem, _without_suffix(wanted)),
            (self._by_name, wanted.name),
            (self._by_name_stem, _without_suffix(PurePosixPath(wanted.name))),
        )
        return next(((k, table[key]) for k, (table, key) in enumerate(steps) if key in table), None)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._dir).as_posix()

    @cached_property
    def _files(self) -> Mapping[str, tuple[Path, ...]]:
        """Relative path -> the image file. Links that leave the folder are not followed."""
        inside = self._dir.resolve()
        found: dict[str, tuple[Path, ...]] = {}
        for folder, subfolders, names in os.walk(self._dir):
            subfolders.sort()
            for name in sorted(names):
                path = Path(folder, name)
                if path.suffix.lower() in SUFFIXES and path.is_file() and path.resolve().is_relative_to(inside):
                    found[path.relative_to(self._dir).as_posix()] = (path,)
        return found

    @cached_property
    def _by_stem(self) -> Mapping[str, tuple[Path, ...]]:
        return self._grouped(_without_suffix(PurePosixPath(name)) for name in self._files)

    @cached_property
    def _by_name(self) -> Mapping[str, tuple[Path, ...]]:
        return self._grouped(PurePosixPath(name).name for name in self._files)

    @cached_property
    def _by_name_stem(self) -> Mapping[str, tuple[Path, ...]]:
        return self._grouped(_without_suffix(PurePosixPath(PurePosixPath(name).name)) for name in self._files)

    def _grouped(self, keys: Iterable[str]) -> Mapping[str, tuple[Path, ...]]:
        groups: dict[str, tuple[Path, ...]] = {}
        for key, (path,) in zip(keys, self._files.values(), strict=True):
            groups[key] = (*groups.get(key, ()), path)
        return groups

    @cached_property
    def _fingerprint(self) -> str:
        """sha256 over names and contents: a changed folder is a changed plan, a copied or moved one is not."""
        total = hashlib.sha256()
        for name, (path,) in self._files.items():
            total.update(f"{name}\0{sha256_of(path)}\n".encode("utf-8", "surrogateescape"))
        return total.hexdigest()


def read_output(path: Path, width: int, height: int) -> Image | MethodFailure:
    """The image, read by the rules that inputs are read by; upright it must be ``width`` x ``height``.

    But for one rule: an output with transparent pixels is a failure, because what they hide is still in the file, and
    so is an original face under them.
    """
    try:
        image = decode_image(path.read_bytes(), path.name, transparent="refused")
    except (OSError, ImageError) as error:
        reason = error.reason if isinstance(error, ImageError) else error.strerror or "unreadable"
        return MethodFailure(f"output cannot be read: {reason}")
    if image.shape[:2] != (height, width):
        return MethodFailure(f"output is {image.shape[1]}x{image.shape[0]}, the input is {width}x{height}")
    return image


def _without_suffix(name: PurePosixPath) -> str:
    """``a/b.jpg`` -> ``a/b``; a suffix that is no image's, as in ``a/v1.2``, belongs to the name."""
    return str(name.with_suffix("")) if name.suffix.lower() in SUFFIXES else str(name)
