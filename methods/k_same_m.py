"""k-Same-M (Gross, Sweeney, de la Torre, Baker 2006; thesis 2.2.4): faces are brought to one shape before their mean is
taken, and the mean gets the mean shape back, so that eyes lie on eyes and nothing is seen twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import MethodCard
from unmask.bench.core.types import Detection, Float, Floats32, Image
from unmask.methods.k_same import (
    MOST,
    WEIGHTS,
    Gallery,
    KSame,
    MeanFace,
    aligned,
    as_vector,
    other_shapes,
    read_gallery,
    read_tensors,
    whole,
)
from unmask.methods.shared.alignment import SIDE, landmarks_of
from unmask.methods.shared.settings import SHIPPED, checkpoint_path

MODEL: Final = "k-same-m"
POINTS: Final = 68
FINE: Final = 96
"""Side of the frame in which faces of one shape are averaged: their means are sharp enough for more than `SIDE`."""
SOFT: Final = 7.0
"""Pixels of that frame over which a face fades out around its outline."""
JAW: Final = slice(0, 17)
"""Among the 68 points: from one temple along the jaw to the other."""
TOP: Final = 5.0
"""How far down the frame a forehead begins: there the ellipse of `KSame` does."""
BORDER: Final[Float] = np.array([[x, y] for x in (0, 0.5, 1) for y in (0, 0.5, 1) if (x, y) != (0.5, 0.5)]) * SIDE
"""Points of the frame that stay where they are when a face gets another shape."""


class Model(NamedTuple):
    """Groups of many people's faces as mean shapes and mean pictures of one shape. No face of a single person is in
    it. Positions are in pixels of the frame of `SIDE`."""

    gallery: Gallery
    """The groups' means as k-Same has them, which faces are compared with."""
    landmarks: Floats32
    """(N, 5, 2): each group's mean."""
    shapes: Floats32
    """(N, 68, 2): each group's mean."""
    reference: Floats32
    """(68, 2): the shape that all pictures have."""
    mean: Floats32
    """(D,) of `FINE` x `FINE` x 3 pixels, 0..255."""
    axes: Floats32
    """(C, D)"""
    pictures: Floats32
    """(N, C): each group's mean picture on ``axes``."""

    def nearest(self, face: Image, landmarks: Float, k: int) -> NDArray[np.intp]:
        """(k,) numbers of the groups most like a face (64, 64, 3) whose five landmarks lie at ``landmarks`` (5, 2).

        The sum of two squared distances, on the eigenfaces and between landmarks, each over its mean square among the
        groups (Cootes, Edwards, Taylor: Active appearance models, PAMI 23(6), 2001, 2.1, weigh shape and looks alike).
        """
        entries, places = self.gallery.entries, self.landmarks.reshape(len(self.landmarks), -1)
        place = self.gallery.axes @ (as_vector(face) - self.gallery.mean)
        looks = ((entries - place) ** 2).sum(axis=1) / entries.var(axis=0).sum()
        shape = ((places - landmarks.reshape(-1)) ** 2).sum(axis=1) / places.var(axis=0).sum()
        return np.argsort(looks + shape, kind="stable")[:k]

    def mean_of(self, groups: NDArray[np.intp]) -> MeanFace:
        """The groups' mean picture in their mean shape, (FINE, FINE, 3), and as much of it as is face."""
        flat = self.mean + self.pictures[groups].mean(axis=0) @ self.axes
        shape = self.shapes[groups].mean(axis=0)
        picture = reshaped(flat.astype(np.float32).reshape(FINE, FINE, 3), self.reference, shape)
        outside = cv2.distanceTransform(1 - inside(shape), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        share = np.clip(1 - outside / SOFT, 0, 1).astype(np.float32)
        return MeanFace(np.clip(picture, 0, 255), share * share * (3 - 2 * share))


@dataclass(kw_only=True, eq=False, repr=False)
class KSameM(KSame):
    """Replaces each face by a mean face of mean shape.

    Parameters: as `KSame`.
    """

    facts = MethodCard(
        name="k-same-m",
        version="1",
        description="As k-same, but the photos behind the gallery were brought to one shape by 68 points before they "
        "were averaged; the mean of the k entries most alike gets their mean shape back. Sharper than k-same.",
        licence=KSame.facts.licence,
        source="Gross, Sweeney, de la Torre, Baker: Model-Based Face De-Identification, CVPR Workshops 2006; "
        "thesis 2.2.4",
        limits="Not the original, which fits an active appearance model to the very faces that are to be hidden: here "
        "the gallery is fixed, of other people, and its entries are means already, see k-same. The 68 points are "
        "face-api's, of the gallery's photos only; of the face itself five landmarks are known, which say where, how "
        "large and how turned the mean is put, and with the pixels which entries are near. It covers the "
        "mean face's outline and not an oval: more of a wider jaw stays. A mean of few entries "
        "looks like a person, but heads turned far aside, open mouths and glasses come out as their nearest entries "
        "have them: mostly frontal, mostly closed, without.",
    )

    def __post_init__(self) -> None:
        """Raises `SpecError` for a value that a parameter does not take, `CheckpointError` without the gallery."""
        super().__post_init__()
        self.networks = {**self.networks, MODEL: checkpoint_path(SHIPPED, MODEL)}
        self._model: Model | None = None

    def load(self, files: Mapping[str, Path], device: str) -> None:
        super().load(files, device)
        self._model = read_model(self.networks[MODEL], self.networks[WEIGHTS])

    def means(
        self, gallery: Gallery, image: Image, faces: Sequence[Detection], frames: Sequence[Float]
    ) -> list[MeanFace]:
        assert self._model is not None, "load() reads it"
        result = []
        for face, frame in zip(faces, frames, strict=True):
            landmarks = landmarks_of(face) @ frame[:, :2].T + frame[:, 2]
            result.append(self._model.mean_of(self._model.nearest(aligned(image, frame), landmarks, self.k)))
        return result


def inside(shape: Float | Floats32) -> Image:
    """(FINE, FINE): 1 within the outline of a face with the points ``shape`` (68, 2), else 0. The outline is the jaw,
    and above it the half of an ellipse from temple to temple, for 300-W has no points on the forehead."""
    jaw = np.asarray(shape, np.float64)[JAW]
    middle = (jaw[0] + jaw[-1]) / 2
    up = np.array([0, min(TOP - middle[1], 0)])
    arc = [middle + np.cos(turn) * (jaw[-1] - middle) + np.sin(turn) * up for turn in np.linspace(0, np.pi, 17)[1:-1]]
    outline = np.rint(np.vstack([jaw, *arc]) * (16 * FINE / SIDE) - 8).astype(np.int32)
    filled = cv2.fillPoly(np.zeros((FINE, FINE), np.uint8), [outline], 1, shift=4)
    return np.asarray(filled, np.uint8)


def reshaped(picture: Image | Floats32, before: Float | Floats32, after: Float | Floats32) -> Floats32:
    """``picture`` (S, S, C) of the whole frame, whose points ``before`` (P, 2) come to lie at ``after``: triangle by
    triangle between them and the frame's `BORDER` (piecewise affine). Positions in pixels of the frame of `SIDE`."""
    from scipy.interpolate import LinearNDInterpolator

    side = len(picture)
    at = (np.arange(side) + 0.5) * (SIDE / side)
    pixels = np.stack(np.meshgrid(at, at), axis=-1)
    source = LinearNDInterpolator(np.vstack([after, BORDER]), np.vstack([before, BORDER]))(pixels)
    # Beyond the outermost points, which happens only where a point lies outside the frame, nothing moves.
    source = (np.where(np.isfinite(source), source, pixels) * (side / SIDE) - 0.5).astype(np.float32)
    moved = cv2.remap(picture, source[..., 0], source[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


@cache
def read_model(path: Path, axes: Path) -> Model:
    """The stored groups, compared on the eigenfaces of the gallery ``axes``. Raises `CheckpointError` if a file is
    none."""
    names = ("entries", "landmarks", "shapes", "reference", "mean", "axes", "steps", "pictures")
    tensors = dict(zip(names, read_tensors(path, names), strict=True))
    gallery = read_gallery(axes)
    count, components = len(tensors["entries"]), len(tensors["axes"])
    size = FINE * FINE * 3
    shapes = {
        "entries": (count, len(gallery.axes)),
        "landmarks": (count, 5, 2),
        "shapes": (count, POINTS, 2),
        "reference": (POINTS, 2),
        "mean": (size,),
        "axes": (components, size),
        "steps": (components,),
        "pictures": (count, components),
    }
    if count < MOST or any(tensors[name].shape != shape for name, shape in shapes.items()):
        raise other_shapes(path)
    floats = {name: array.astype(np.float32) for name, array in tensors.items()}
    return Model(
        gallery=gallery._replace(entries=floats["entries"]),
        landmarks=floats["landmarks"],
        shapes=floats["shapes"],
        reference=floats["reference"],
        mean=floats["mean"],
        axes=whole(tensors["axes"], tensors["steps"]),
        pictures=floats["pictures"],
    )
