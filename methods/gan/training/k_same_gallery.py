"""Makes k-Same's galleries: ``python -m unmask.methods.gan.training.k_same_gallery FOLDER FACES.npz...``

Faces, ages and genders come from the files of `unmask data build` (``--labels dataset``), the points of k-same-m from
an instrument, whose files are named by ``--points weights=FILE --points manifest=FILE``. What is stored are eigenfaces
and group means, never a face: faces are grouped by k-means, groups of fewer than `LEAST` photos are left out, and of a
group only its mean is kept. (The data names nobody, so a group's photos may show fewer people than there are photos.)
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from unmask.bench.core.files import replacing_file
from unmask.bench.core.protocols import FaceInstrument
from unmask.bench.core.registry import instrument_class
from unmask.bench.core.types import Box, FaceView, Float, Floats32, Image
from unmask.methods.k_same import MOST_OF_SUBSET, SELECT, SUBSETS, WEIGHTS, aligned, as_vector, subset_of
from unmask.methods.k_same_m import FINE, MODEL, POINTS, inside, reshaped
from unmask.methods.shared.alignment import SIDE, to_frame

AXES: Final = 64
PICTURE_AXES: Final = 40
GROUPS: Final = 300
LEAST: Final = 20
"""Photos in a group."""
USUAL: Final = 32
"""Photos for each group that a subset is divided into."""
SEED: Final = 0
DARK: Final = 16
"""Of 255: rows and columns without a brighter pixel are not the photo's."""
EDGE: Final = 2
"""Pixels beside them, which resampling has darkened."""
POINTS_BY: Final = "face-api-68"
APART: Final = 4.0
"""Pixels of the frame, in the mean of eyes, nose and corners of the mouth, by which the 68 points may differ from the
five landmarks: where they differ by more, one of them is wrong."""

RIM: Final = 3
"""Pixels of the fine frame along a face's outline that may show what is behind it."""

Tensors = dict[str, NDArray[np.generic]]


@dataclass(frozen=True)
class GalleryFaces:
    """N faces upright in their frame; positions are in pixels of the frame of `SIDE`."""

    images: Image
    """(N, 64, 64, 3)"""
    subsets: NDArray[np.int64]
    """(N,) numbers of `subset_of`."""
    fine: Image
    """(N, 96, 96, 3): the same, for k-Same-M."""
    landmarks: Floats32
    """(N, 5, 2)"""
    points: Floats32
    """(N, 68, 2); NaN where they are not known or cannot be right."""


def build_gallery(
    faces: Image, axes: int = AXES, groups: int = GROUPS, least: int = LEAST
) -> tuple[Tensors, list[int], Floats32]:
    """(N, 64, 64, 3) aligned faces -> the tensors of a gallery file, the number of photos behind each entry, and the
    faces' places on the eigenfaces (N, axes)."""
    pixels = np.stack([as_vector(face) for face in faces])
    pca = PCA(axes, svd_solver="randomized", random_state=SEED).fit(pixels)
    stored, steps = in_8_bits(pca.components_)
    # Coordinates on the eigenfaces as stored, so that rounding them to 8 bits moves no face away from its group.
    places = np.asarray((pixels - pca.mean_) @ (stored * steps[:, None]).T, np.float32)
    members = grouped(places, groups, least)
    tensors: Tensors = {
        "mean": pca.mean_.astype(np.float16),
        "axes": stored,
        "steps": steps,
        "entries": np.stack([places[rows].mean(axis=0) for rows in members]).astype(np.float32),
    }
    return tensors, [len(rows) for rows in members], places


def build_subsets(
    places: Floats32, subsets: NDArray[np.int64], usual: int = USUAL, least: int = LEAST
) -> tuple[Tensors, list[int]]:
    """The gallery of k-Same-Select: faces at ``places`` (N, C) are grouped within each of their ``subsets`` (N,)."""
    numbers: list[int] = []
    members: list[NDArray[np.intp]] = []
    for number in range(SUBSETS):
        rows = np.flatnonzero(subsets == number)
        parts = [rows[part] for part in grouped(places[rows], max(len(rows) // usual, 1), least)]
        if len(parts) < MOST_OF_SUBSET:
            raise SystemExit(f"subset {number} has {len(parts)} groups of {least} photos; {MOST_OF_SUBSET} are needed")
        members += parts
        numbers += [number] * len(parts)
    entries = np.stack([places[rows].mean(axis=0) for rows in members])
    tensors: Tensors = {"entries": entries.astype(np.float32), "subsets": np.array(numbers, np.uint8)}
    return tensors, [len(rows) for rows in members]


def build_model(
    faces: GalleryFaces, places: Floats32, axes: int = PICTURE_AXES, groups: int = GROUPS, least: int = LEAST
) -> tuple[Tensors, list[int]]:
    """The gallery of k-Same-M, of the faces whose points are known: grouped by looks and shape, which weigh alike."""
    rows = np.flatnonzero(np.isfinite(faces.points).all(axis=(1, 2)))
    points, looks = faces.points[rows], places[rows]
    reference = np.median(points, axis=0)
    shape = points.reshape(len(rows), -1)
    looks_weight, shape_weight = (1 / np.sqrt(part.var(axis=0).sum()) for part in (looks, shape))
    members = grouped(np.hstack([looks * looks_weight, shape * shape_weight]), groups, least)
    pictures = np.stack(
        [
            np.mean([reshaped(faces.fine[rows[k]], points[k], reference) for k in group], axis=0).reshape(-1)
            for group in members
        ]
    )
    pictures = without_background(pictures, reference)
    mean = pictures.mean(axis=0)
    stored, steps = in_8_bits(np.linalg.svd(pictures - mean, full_matrices=False)[2][:axes])
    tensors: Tensors = {
        "entries": np.stack([looks[group].mean(axis=0) for group in members]).astype(np.float32),
        "landmarks": np.stack([faces.landmarks[rows[group]].mean(axis=0) for group in members]).astype(np.float32),
        "shapes": np.stack([points[group].mean(axis=0) for group in members]).astype(np.float32),
        "reference": reference.astype(np.float32),
        "mean": mean.astype(np.float16),
        "axes": stored,
        "steps": steps,
        "pictures": ((pictures - mean) @ (stored * steps[:, None]).T).astype(np.float32),
    }
    return tensors, [len(group) for group in members]


def without_background(pictures: Float | Floats32, reference: Float | Floats32) -> Float:
    """(N, D) pictures of the shape ``reference`` in which each pixel outside the face has the colour of the nearest one
    inside, so that an edge may fade out without showing what was behind."""
    face = cv2.erode(inside(reference), np.ones((3, 3), np.uint8), iterations=RIM)
    rows, columns = distance_transform_edt(face == 0, return_distances=False, return_indices=True)
    square = pictures.reshape(-1, FINE, FINE, 3)
    return np.asarray(square[:, rows, columns].reshape(pictures.shape), np.float64)


def grouped(places: Floats32 | Float, groups: int, least: int) -> list[NDArray[np.intp]]:
    """The rows of each group by k-means of ``places`` (N, C); groups of fewer than ``least`` are left out."""
    group = KMeans(groups, n_init=2, random_state=SEED).fit_predict(places)
    return [rows for rows in (np.flatnonzero(group == number) for number in range(groups)) if len(rows) >= least]


def in_8_bits(axes: Floats32 | Float) -> tuple[NDArray[np.int8], Floats32]:
    """Rows as whole numbers -127..127, and what one unit of each stands for."""
    steps = (np.abs(axes).max(axis=1) / 127).astype(np.float32)
    # The writer takes an array's bytes as they lie, and scikit-learn's lie column by column.
    return np.ascontiguousarray(np.rint(axes / steps[:, None]).astype(np.int8)), steps


def read_faces(
    paths: Iterable[Path], points_by: FaceInstrument | None, only: frozenset[str] | None = None
) -> GalleryFaces:
    """The faces of the files; those of ``only``, None = all. Without ``points_by`` no points are known."""
    rows = list(aligned_faces(paths, points_by, only))
    images, subsets, fine, landmarks, points = zip(*rows, strict=True)
    return GalleryFaces(
        np.stack(images), np.array(subsets, np.int64), np.stack(fine), np.stack(landmarks), np.stack(points)
    )


def aligned_faces(
    paths: Iterable[Path], points_by: FaceInstrument | None, only: frozenset[str] | None
) -> Iterator[tuple[Image, int, Image, Floats32, Floats32]]:
    """The fields of `GalleryFaces`, face by face."""
    for path in paths:
        with np.load(path, allow_pickle=False) as shard:
            names = ("images", "landmarks", "boxes", "ages", "p_female", "ids")
            images, landmarks, boxes, ages, p_female, ids = (shard[name] for name in names)
        points = np.full((len(images), POINTS, 2), np.nan, np.float32)
        if points_by is not None:
            sides = [Box(float(l), float(t), float(r - l), float(b - t)) for l, t, r, b in boxes.astype(np.float64)]  # noqa: E741
            views = [FaceView(*each) for each in zip(images, sides, landmarks, strict=True)]
            points = points_by.read(views)["landmarks68"].reshape(points.shape)
        for k, name in enumerate(ids):
            photo, corner = without_black_edges(images[k])
            frame = to_frame(landmarks[k] - corner)
            if frame is None or (only is not None and str(name) not in only):
                continue
            five, many = ((at - corner) @ frame[:, :2].T + frame[:, 2] for at in (landmarks[k], points[k]))
            yield (
                aligned(photo, frame),
                subset_of(float(ages[k]), float(p_female[k])),
                aligned(photo, frame, FINE),
                np.asarray(five, np.float32),
                np.asarray(many if agree(five, many) else np.full_like(many, np.nan), np.float32),
            )


def agree(five: Float | Floats32, many: Float | Floats32) -> bool:
    """Whether the 68 points lie inside the frame and say the same as the five landmarks."""
    if not np.isfinite(many).all() or many.min() < 1 or many.max() > SIDE - 1:
        return False
    eyes = [many[36:42].mean(axis=0), many[42:48].mean(axis=0)]
    apart = np.linalg.norm(np.stack([*eyes, many[30], many[48], many[54]]) - five, axis=1)
    return float(apart.mean()) <= APART


def without_black_edges(crop: Image) -> tuple[Image, Floats32]:
    """The part of a crop that shows the photo, and where (x, y) it begins. Photos often end above the brows; the mean
    of many black edges would be a dark forehead."""
    lit = crop.max(axis=-1) > DARK
    rows, columns = np.flatnonzero(lit.any(axis=1)), np.flatnonzero(lit.any(axis=0))
    if not len(rows):
        return crop, np.zeros(2, np.float32)
    (top, bottom), (left, right) = (
        (int(at[0]) + EDGE * (at[0] > 0), int(at[-1]) + 1 - EDGE * (at[-1] < side - 1))
        for at, side in ((rows, crop.shape[0]), (columns, crop.shape[1]))
    )
    if bottom <= top or right <= left:
        return crop, np.zeros(2, np.float32)
    return np.ascontiguousarray(crop[top:bottom, left:right]), np.array([left, top], np.float32)


def card(kind: str, data: str, photos: int, counts: Sequence[int], **more: object) -> dict[str, object]:
    """``photos``: what was grouped; ``counts``: photos behind each entry."""
    return {
        "kind": kind,
        "data": data,
        "licence": "non-commercial research only, as the data; image rights stay with their owners",
        "photos": photos,
        "entries": len(counts),
        "photos_behind_an_entry": {"least": min(counts), "median": float(np.median(counts)), "most": max(counts)},
        **more,
        "seed": SEED,
        "holds_faces": "no: eigenfaces and means of groups only",
    }


def write(folder: Path, name: str, tensors: Tensors, text: Mapping[str, object]) -> None:
    """A gallery, and beside it its card."""
    from safetensors.numpy import save_file

    with replacing_file(folder / f"{name}.safetensors") as temp:
        save_file(tensors, temp, metadata={"card": json.dumps(text, sort_keys=True)})
    with replacing_file(folder / f"{name}.json") as temp:
        temp.write_text(json.dumps(text, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(text, indent=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("faces", type=Path, nargs="+")
    parser.add_argument("--points", action="append", default=[], help=f"KEY=FILE, a file of {POINTS_BY}; for k-same-m")
    parser.add_argument("--data", default="utkface, split train", help="for the cards")
    parser.add_argument("--only", type=Path, help="a text file: ids, one a line")
    options = parser.parse_args()
    only = frozenset(options.only.read_text(encoding="utf-8").split("\n")) if options.only else None
    files = {key: Path(path) for key, _, path in (text.partition("=") for text in options.points)}
    kind: Any = instrument_class(POINTS_BY)
    faces = read_faces(options.faces, cast(FaceInstrument, kind.open(files, "cpu")) if files else None, only)
    tensors, counts, places = build_gallery(faces.images)
    described = partial(card, data=options.data, photos=len(faces.images))
    more: dict[str, Any] = {"eigenfaces": AXES, "frame": f"{SIDE} x {SIDE} px, five landmarks"}
    write(options.folder, WEIGHTS, tensors, described("k-same gallery", counts=counts, **more))
    tensors, counts = build_subsets(places, faces.subsets)
    entries = np.bincount(tensors["subsets"].astype(np.int64), minlength=SUBSETS).tolist()
    more = {"eigenfaces": f"those of {WEIGHTS}", "entries_of_subsets": entries, "labels": "the data set's"}
    write(options.folder, SELECT, tensors, described("k-same-select gallery", counts=counts, **more))
    if files:
        tensors, counts = build_model(faces, places)
        pointed = int(np.isfinite(faces.points).all(axis=(1, 2)).sum())
        more = {"points": POINTS_BY, "eigenpictures": PICTURE_AXES, "frame": f"{FINE} x {FINE} px, 68 points"}
        write(options.folder, MODEL, tensors, card("k-same-m gallery", options.data, pointed, counts, **more))


if __name__ == "__main__":
    main()
