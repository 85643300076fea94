"""A clip that is a folder of numbered images with a ``seqinfo.ini`` (MOTChallenge's form).

``seqinfo.ini``: section ``Sequence`` with ``imDir`` (default ``img1``), ``frameRate``, and optionally ``seqLength``.
Images are the files of ``imDir`` whose names are numbers, in that order. A number left out or an image that cannot be
decoded refuses the clip: frames would no longer be the ones that its annotation counts.
"""

from __future__ import annotations

import configparser
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Final, Self

from unmask.bench.core.errors import DataError, ImageError, VideoError, one_line
from unmask.bench.core.files import refusal
from unmask.bench.core.images import IMAGE_EXTENSIONS, decode_image
from unmask.bench.core.types import Image
from unmask.bench.core.video import Frame, VideoInfo
from unmask.bench.data.folders import read_text

INFO_FILE: Final = "seqinfo.ini"
MOST_FRAMES_A_SECOND: Final = 1000


@dataclass(frozen=True, slots=True)
class ImageSequence:
    """The images of one clip, listed."""

    folder: Path
    images: tuple[Path, ...]
    info: VideoInfo
    """Its ``frames`` are those that ``seqinfo.ini`` states."""

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Decodes the first image. Raises `VideoError`."""
        rate, images, promised = list_sequence(folder)
        height, width = _decoded(folder, images[0]).shape[:2]
        info = VideoInfo(
            width=width,
            height=height,
            rotation=0,
            rate=rate,
            time_base=1 / rate,
            codec="images",
            pixel_format="rgb24",
            kbps=sum(path.stat().st_size for path in images) * 8 / 1000 / float(len(images) / rate),
            audio=False,
            frames=promised,
        )
        return cls(folder, images, info)

    @property
    def damage(self) -> str:
        """In words; '' = nothing is wrong."""
        images, promised = len(self.images), self.info.frames or 0
        return f"breaks off after {images} frames of {promised}" if images < promised else ""

    def frames(self) -> Iterator[Frame]:
        """In order, one in memory at a time. Raises `VideoError`."""
        for number, path in enumerate(self.images):
            image = _decoded(self.folder, path)
            if image.shape[:2] != (self.info.height, self.info.width):
                raise VideoError(f"its frames change their size ({path.name})")
            yield Frame(number, number, float(number * self.info.time_base), image)


def is_sequence(folder: Path) -> bool:
    return (folder / INFO_FILE).is_file()


def list_sequence(folder: Path) -> tuple[Fraction, tuple[Path, ...], int | None]:
    """Frames per second, the images in order, and how many are promised. Raises `VideoError`."""
    if not is_sequence(folder):
        raise VideoError(f"a folder without {INFO_FILE}, not a clip")
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        parser.read_string(read_text(folder / INFO_FILE))
        section = parser["Sequence"]
        rate = Fraction(section["frameRate"].strip())
        promised = int(section["seqLength"]) if "seqLength" in section else None
        name = section.get("imDir", "img1").strip()
    except (configparser.Error, KeyError, ValueError, ZeroDivisionError, DataError) as error:
        raise VideoError(f"{INFO_FILE} cannot be read ({one_line(error)})") from error
    if not 0 < rate <= MOST_FRAMES_A_SECOND or (promised is not None and promised < 1):
        raise VideoError(f"{INFO_FILE} states a rate or length that makes no sense")
    place = folder / name
    if not place.resolve().is_relative_to(folder.resolve()) or not place.is_dir():
        raise VideoError(f"its images are missing: no folder {name!r}")
    return rate, _numbered(place), promised


def _numbered(place: Path) -> tuple[Path, ...]:
    try:
        images = [p for p in place.iterdir() if p.suffix.lower() in IMAGE_EXTENSIONS and p.stem.isdecimal()]
    except OSError as error:
        raise VideoError(f"its images cannot be listed ({error.strerror})") from error
    numbers = sorted((int(path.stem), path.name) for path in images)
    if not numbers:
        raise VideoError(f"its images are missing: {place.name} holds no numbered ones")
    for (before, _), (after, _) in pairwise(numbers):
        if after != before + 1:
            raise VideoError(f"image {before + 1} is missing" if after > before else f"image {after} is there twice")
    return tuple(place / name for _, name in numbers)


def _decoded(folder: Path, path: Path) -> Image:
    if reason := refusal(folder, path):
        raise VideoError(f"{path.name}: {reason}")
    try:
        return decode_image(path.read_bytes(), path.name)
    except ImageError as error:
        raise VideoError(f"{path.name}: {error.reason}") from error
    except OSError as error:
        raise VideoError(f"{path.name} cannot be read ({error.strerror})") from error
