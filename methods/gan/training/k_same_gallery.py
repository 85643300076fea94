"""Makes k-Same's gallery: ``python -m unmask.methods.gan.training.k_same_gallery OUT.safetensors FACES.npz...``

Faces come from the files of `unmask data build`. What is stored are eigenfaces and group means, never a face: faces are
grouped by k-means on the eigenfaces, groups of fewer than `LEAST` photos are left out, and of a group only its mean is
kept. (The data names nobody, so a group's photos may show fewer people than there are photos.)
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from unmask.bench.core.files import replacing_file
from unmask.bench.core.types import Floats32, Image
from unmask.methods.k_same import aligned, as_vector
from unmask.methods.shared.alignment import SIDE, to_frame

AXES: Final = 64
GROUPS: Final = 300
LEAST: Final = 20
"""Photos in a group."""
SEED: Final = 0
DARK: Final = 16
"""Of 255: rows and columns without a brighter pixel are not the photo's."""
EDGE: Final = 2
"""Pixels beside them, which resampling has darkened."""

Tensors = dict[str, NDArray[np.generic]]


def build_gallery(
    faces: Image, axes: int = AXES, groups: int = GROUPS, least: int = LEAST
) -> tuple[Tensors, list[int]]:
    """(N, 64, 64, 3) aligned faces -> the tensors of a gallery file, and the number of photos behind each entry."""
    pixels = np.stack([as_vector(face) for face in faces])
    pca = PCA(axes, svd_solver="randomized", random_state=SEED).fit(pixels)
    steps = np.abs(pca.components_).max(axis=1) / 127
    stored = np.rint(pca.components_ / steps[:, None]).astype(np.int8)
    # Coordinates on the eigenfaces as stored, so that rounding them to 8 bits moves no face away from its group.
    places = (pixels - pca.mean_) @ (stored * steps[:, None]).T
    group = KMeans(groups, n_init=2, random_state=SEED).fit_predict(places)
    counts = np.bincount(group, minlength=groups)
    groups_left = np.flatnonzero(counts >= least)
    means = np.stack([places[group == number].mean(axis=0) for number in groups_left])
    tensors: Tensors = {
        "mean": pca.mean_.astype(np.float16),
        # The writer takes an array's bytes as they lie, and scikit-learn's lie column by column.
        "axes": np.ascontiguousarray(stored),
        "steps": steps.astype(np.float32),
        "entries": means.astype(np.float32),
    }
    return tensors, [int(count) for count in counts[groups_left]]


def aligned_faces(paths: Iterable[Path], only: frozenset[str] | None = None) -> Iterator[Image]:
    """(64, 64, 3) each: the faces of the files, upright in their frame; those of ``only``, None = all."""
    for path in paths:
        with np.load(path, allow_pickle=False) as shard:
            images, landmarks, ids = shard["images"], shard["landmarks"], shard["ids"]
        for image, points, name in zip(images, landmarks, ids, strict=True):
            photo, corner = without_black_edges(image)
            frame = to_frame(points - corner)
            if frame is not None and (only is None or str(name) in only):
                yield aligned(photo, frame)


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


def main() -> None:
    """Writes the gallery and, beside it, its card."""
    from safetensors.numpy import save_file

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("faces", type=Path, nargs="+")
    parser.add_argument("--data", default="utkface, split train", help="for the card")
    parser.add_argument("--only", type=Path, help="a text file: ids, one a line")
    options = parser.parse_args()
    only = frozenset(options.only.read_text(encoding="utf-8").split("\n")) if options.only else None
    faces = np.stack(list(aligned_faces(options.faces, only)))
    tensors, counts = build_gallery(faces)
    card = {
        "kind": "k-same gallery",
        "data": options.data,
        "licence": "non-commercial research only, as the data; image rights stay with their owners",
        "photos": len(faces),
        "entries": len(counts),
        "photos_behind_an_entry": {"least": min(counts), "median": float(np.median(counts)), "most": max(counts)},
        "eigenfaces": AXES,
        "frame": f"{SIDE} x {SIDE} px, five landmarks",
        "seed": SEED,
        "holds_faces": "no: eigenfaces and means of groups only",
    }
    with replacing_file(options.out) as temp:
        save_file(tensors, temp, metadata={"card": json.dumps(card, sort_keys=True)})
    with replacing_file(options.out.with_suffix(".json")) as temp:
        temp.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(card, indent=1))


if __name__ == "__main__":
    main()
