"""LFW's pairs of photos of the same and of different people, and how well embeddings tell them apart."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.images import decode_image
from unmask.bench.core.types import FaceLabel, FaceView
from unmask.bench.run.reading.located import assign_labels

Pairs = list[tuple[str, str]]


def read_pairs(shared_data: Path, n: int) -> tuple[Pairs, Pairs]:
    """The first ``n`` genuine and ``n`` impostor pairs of pairsDevTest, as names in the archive."""
    lines = (shared_data / "lfw_deepfunneled" / "pairsDevTest.txt").read_text().splitlines()[1:]
    fields = [line.split("\t") for line in lines]
    genuine = [(_photo(f[0], f[1]), _photo(f[0], f[2])) for f in fields if len(f) == 3]
    impostor = [(_photo(f[0], f[1]), _photo(f[2], f[3])) for f in fields if len(f) == 4]
    return genuine[:n], impostor[:n]


def _photo(person: str, number: str) -> str:
    return f"{person}/{person}_{int(number):04d}.jpg"


def subjects(shared_data: Path, yunet: Any, names: list[str]) -> list[FaceView]:
    """The face that each photo is about."""
    views = []
    with zipfile.ZipFile(shared_data / "lfw_deepfunneled" / "lfw_250px.zip") as photos:
        for name in names:
            image = decode_image(photos.read(name), name)
            (found,) = yunet.detect([image])
            labels = assign_labels(found, [FaceLabel(identity="subject")], image.shape)
            face = next(d for d, label in zip(found, labels, strict=True) if label.identity)
            views.append(FaceView(image, face.box, face.landmarks))
    return views


def distances(embeddings: NDArray[np.float32], names: list[str], pairs: Pairs) -> NDArray[np.float64]:
    """Cosine distance of each pair."""
    row = {name: k for k, name in enumerate(names)}
    return np.array([1.0 - float(embeddings[row[a]] @ embeddings[row[b]]) for a, b in pairs])
