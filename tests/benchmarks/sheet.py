"""Sheets of pictures: every method of the thesis's protocol, and the k-Same family, on 24 varied photos, and on ten
frames of a clip.

``make bench-thesis`` writes them beside its run; alone: ``python -m tests.benchmarks.sheet FOLDER [METHOD ...]``. They
show people's faces out of data sets that may not be passed on: never commit or publish them. Photos whose data set is
not here are left out, and that is printed.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from PIL import Image as Pillow

from unmask.bench.core.errors import DataError
from unmask.bench.core.types import Box, Detection, Image, MethodFailure, Sample
from unmask.bench.data import open_dataset
from unmask.bench.data.media import VideoReader
from unmask.bench.run.jobs import opened
from unmask.bench.run.reading.regions import wide_crop
from unmask.bench.study.thesis import choose_methods

PHOTOS: Final[Mapping[str, Sequence[str]]] = {
    "utkface:split=test": (
        "4_0_1_20170110213311678.jpg",
        "1_0_3_20161219225900970.jpg",
        "9_0_1_20170110215449668.jpg",
        "7_1_2_20161219190036147.jpg",
        "16_1_3_20170104012449865.jpg",
        "24_0_3_20170117144123778.jpg",
        "35_1_2_20170104173050489.jpg",
        "50_0_1_20170113184346534.jpg",
        "55_0_3_20170119205343062.jpg",
        "67_1_1_20170110125353438.jpg",
        "76_1_0_20170120225354841.jpg",
        "90_0_2_20170111210212331.jpg",
    ),
    "celeba-identity:split=probe": (
        "5078_072462.jpg",
        "6565_083508.jpg",
        "4621_055663.jpg",
        "714_084007.jpg",
        "8057_189421.jpg",
        "2427_117456.jpg",
    ),
    "lfw:split=probe": (
        "Costas_Simitis/Costas_Simitis_0002.jpg",
        "Bruce_Willis/Bruce_Willis_0001.jpg",
        "Abdul_Majeed_Shobokshi/Abdul_Majeed_Shobokshi_0001.jpg",
        "Susan_Sarandon/Susan_Sarandon_0002.jpg",
        "Carlos_Moya/Carlos_Moya_0001.jpg",
        "Omar_Sharif/Omar_Sharif_0004.jpg",
    ),
}
"""Data set -> photos of its test part: from one to ninety years, four labelled races, glasses, hats, beards, turned
heads, hands before a face."""
CLIP: Final = ("demo-clips", "single_face.mp4")
FRAMES: Final = range(20, 30)
"""Ten in a row: what flickers differs from one to the next."""
BESIDE: Final = {name: name for name in ("k-same", "k-same-select", "k-same-m")}
"""Methods that the protocol does not have."""
SIDE: Final = 128
MARGIN: Final = 18
"""Pixels above a sheet for the names of its columns."""
JPEG_QUALITY: Final = 92


def write_sheets(methods: Mapping[str, str], folder: Path, *, root: Path | None = None) -> list[Path]:
    """``photos.jpg``: a photo a row, a method a column. ``clip.jpg``: a method a row, a frame a column. Both show wide
    crops, the clip's about the face of its first frame. ``methods``: column -> SPEC."""
    folder.mkdir(parents=True, exist_ok=True)
    judge = opened.detector("yunet", "cpu")
    photos = list(_photos(root))
    frames = _frames()
    places = [_largest(judge.detect([image])[0]) for image in photos]
    place = _largest(judge.detect(frames[:1])[0])
    columns, rows = [], []
    for spec in methods.values():
        columns.append(_tiles(spec, photos, places))
        rows.append(_tiles(spec, frames, [place] * len(frames), CLIP[1]))
    photo_sheet = np.vstack([_header(methods), *(np.hstack(row) for row in zip(*columns, strict=True))])
    clip_sheet = np.vstack(
        [np.hstack([_named(row[0], name), *row[1:]]) for name, row in zip(methods, rows, strict=True)]
    )
    paths = []
    for name, sheet in (("photos.jpg", photo_sheet), ("clip.jpg", clip_sheet)):
        Pillow.fromarray(sheet).save(folder / name, quality=JPEG_QUALITY)
        paths.append(folder / name)
    return paths


def _photos(root: Path | None) -> Iterator[Image]:
    for spec, ids in PHOTOS.items():
        try:
            dataset = open_dataset(spec, root=root)
        except DataError as error:
            print(f"not on the sheet: {spec}: {error}")
            continue
        refs = {ref.id: ref for ref in dataset.refs}
        for name in ids:
            if name in refs:
                yield dataset.read(refs[name])
            else:
                print(f"not on the sheet: {name}: this copy of {spec} does not have it")


def _frames() -> list[Image]:
    spec, name = CLIP
    dataset = open_dataset(spec, clips=True)
    (ref,) = [ref for ref in dataset.refs if ref.id.endswith(name)]
    return [frame.image for frame in islice(VideoReader(dataset.path(ref)), FRAMES.start, FRAMES.stop)]


def _largest(detections: Sequence[Detection]) -> Box:
    return max((face.box for face in detections), key=lambda box: box.area)


def _tiles(spec: str, images: Sequence[Image], places: Sequence[Box], sequence: str = "") -> list[Image]:
    """What a method makes of each photo, or of each frame of a ``sequence``, about a place; black where it fails."""
    method, tiles = opened.method(spec, "cpu"), []
    for number, (image, place) in enumerate(zip(images, places, strict=True)):
        (output,) = method.anonymize([Sample(str(number), image, sequence=sequence)], seed=0)
        tiles.append(wide_crop(np.zeros_like(image) if isinstance(output, MethodFailure) else output, place))
    return tiles


def _header(names: Mapping[str, str]) -> Image:
    return np.hstack([_named(np.zeros((MARGIN, SIDE, 3), np.uint8), name) for name in names])


def _named(tile: Image, name: str) -> Image:
    """A tile with a name in its upper left corner."""
    named = cv2.putText(tile.copy(), name, (2, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.38, (255, 255, 0), 1, cv2.LINE_AA)
    return np.asarray(named, np.uint8)


def main() -> int:
    folder, *chosen = sys.argv[1:]
    for path in write_sheets({**choose_methods(chosen).specs, **({} if chosen else BESIDE)}, Path(folder)):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
