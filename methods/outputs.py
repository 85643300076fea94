"""Images that somebody else's anonymizer made, matched to the inputs by file name."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps

from bench.core.cards import MethodCard
from bench.core.errors import SpecError
from bench.core.types import Image, MethodFailure, Sample

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".jp2"})
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000")
"""Pillow's own decoders only: for some other formats it would start programs."""
_SIXTEEN_BIT = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_SWAPS_SIDES = frozenset({5, 6, 7, 8})
"""EXIF orientations that turn a photo by a quarter."""


class StoredOutputs:
    """Reads each output from a folder. What is missing, unreadable or of another size is a counted failure.

    Parameter: ``dir``, the folder. An input ``people/ann/1.jpg`` is answered by the first of these that exists:
    the same relative path; that path with another image extension; a file of the same bare name anywhere in the
    folder; of the same bare name with another image extension. Two candidates at one step are a failure, never a guess.
    """

    def __init__(self, *, dir: str) -> None:
        if not isinstance(dir, str):
            raise SpecError(f"outputs: dir={dir} must be a folder; write outputs:dir=./{dir}")
        self._dir = Path(dir).expanduser()
        if not self._dir.is_dir():
            raise SpecError(f"outputs: there is no folder {dir!r}; write outputs:dir=PATH with the anonymized images")

    @property
    def card(self) -> MethodCard:
        return MethodCard(
            name="outputs",
            version="1",
            description="Images anonymized elsewhere, read from a folder and matched by file name.",
            licence="as the images",
            source="the folder given",
            # Not the whole path: the same images are the same plan wherever they lie, and paths can name people.
            params={"dir": self._dir.resolve().name, "images": len(self._files), "fingerprint": self._fingerprint},
            limits="Nothing is known of how the images were made. Its time is that of reading files.",
        )

    def load(self, files: Mapping[str, Path], device: str) -> None:
        """Nothing to load."""

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
        """Looks names up among the files that were found in the folder, so no id can reach outside it."""
        wanted = PurePosixPath(sample_id)
        steps = (
            (self._files, str(wanted)),
            (self._by_stem, _without_suffix(wanted)),
            (self._by_name, wanted.name),
            (self._by_name_stem, _without_suffix(PurePosixPath(wanted.name))),
        )
        for table, key in steps:
            found = table.get(key, ())
            if len(found) > 1:
                names = ", ".join(path.relative_to(self._dir).as_posix() for path in found[:3])
                return MethodFailure(f"{len(found)} output files match: {names}")
            if found:
                return found[0]
        return MethodFailure("no output file")

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
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            total.update(f"{name}\0{content}\n".encode("utf-8", "surrogateescape"))
        return total.hexdigest()


def read_output(path: Path, width: int, height: int) -> Image | MethodFailure:
    """The image as 8-bit RGB, turned as its EXIF orientation says; it must be ``width`` x ``height`` then.

    The size is compared before any pixel is decoded, so a file that claims a huge image costs nothing. Pixels are read
    by the rules that inputs are read by, but for one: an output with transparent pixels is a failure, because what
    they hide is still in the file, and so is an original face under them.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's remarks on size and metadata: sizes are checked here
            with Pillow.open(path, formats=FORMATS) as image:
                orientation = _orientation(image)
                actual = image.size[::-1] if orientation in _SWAPS_SIDES else image.size
                if actual != (width, height):
                    return MethodFailure(f"output is {actual[0]}x{actual[1]}, the input is {width}x{height}")
                upright = ImageOps.exif_transpose(image) if orientation > 1 else image
                return _rgb(upright)
    except Exception as error:  # whatever a decoder trips over, the file is to blame
        return MethodFailure(f"output cannot be read: {_first_line(error, path)}")


def _orientation(image: Pillow.Image) -> int:
    """EXIF orientation 1..8; 1, as it lies, where there is none or the metadata is damaged."""
    try:
        value = image.getexif().get(0x0112, 1)
    except Exception:  # damaged metadata says nothing about the pixels
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _rgb(image: Pillow.Image) -> Image | MethodFailure:
    """(H, W, 3) uint8. 16-bit grey is scaled: Pillow's own conversion would clip it at 255."""
    if image.mode in _SIXTEEN_BIT or (image.mode == "I" and image.format in ("PNG", "PPM")):
        values = np.asarray(image).astype(np.float64).clip(0, 65535)
        return np.repeat(np.rint(values / 257).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = np.array(image.convert("RGBA"), dtype=np.uint8)
        if (layer[..., 3] < 255).any():
            return MethodFailure("output has transparent pixels, whose colours are still in the file; flatten it")
        return np.ascontiguousarray(layer[..., :3])
    if image.mode not in ("1", "L", "P", "RGB", "CMYK", "YCbCr"):
        return MethodFailure(f"output has an unsupported pixel format {image.mode}")
    return np.array(image.convert("RGB"), dtype=np.uint8)


def _without_suffix(name: PurePosixPath) -> str:
    """``a/b.jpg`` -> ``a/b``; a suffix that is no image's, as in ``a/v1.2``, belongs to the name."""
    return str(name.with_suffix("")) if name.suffix.lower() in SUFFIXES else str(name)


def _first_line(error: Exception, path: Path) -> str:
    """Short, and without the folder: reasons end up in results."""
    lines = str(error).replace(str(path), path.name).splitlines() or [""]
    return (lines[0] or type(error).__name__)[:120]
