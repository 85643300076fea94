"""k-Same (Newton, Sweeney, Malin 2005; thesis 2.2.4): a face gives way to the mean of the k most alike in a gallery."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import cv2
import numpy as np

from unmask.bench.core.cards import MethodCard
from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Box, Detection, Float, Floats32, Image
from unmask.methods.shared.alignment import SIDE, ellipse, landmarks_in, to_frame
from unmask.methods.shared.faces import FaceMethod
from unmask.methods.shared.settings import SHIPPED, Within, checkpoint_path

WEIGHTS: Final = "k-same"
FEATHER: Final = 0.15
"""Width of the soft edge outside the face's ellipse, as a share of its radius."""
MOST: Final = 64
"""Of k: beyond it all faces come out nearly the same."""


class Gallery(NamedTuple):
    """Mean faces of many people, as coordinates on eigenfaces. No face of a single person is in it."""

    mean: Floats32
    """(D,) of 64 x 64 x 3 pixels, 0..255."""
    axes: Floats32
    """(C, D) eigenfaces."""
    entries: Floats32
    """(N, C): each the mean of at least `methods.gan.training.k_same_gallery.LEAST` photos."""


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
        means = [mean_of_nearest(self._gallery, aligned(image, frame), self.k) for frame in frames]
        for frame, mean in zip(frames, means, strict=True):
            put_back(image, mean, frame)


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


def aligned(image: Image, frame: Float) -> Image:
    """(64, 64, 3): the face in its frame; the photo's edge pixels are repeated outside it."""
    scale = float(np.hypot(frame[0, 0], frame[1, 0]))
    source = image
    if scale < 0.5:
        # Reduced by averaging first: the frame's few samples would else miss most pixels.
        sigma = 0.4 / scale
        left, top, right, bottom = _reach(frame, image.shape[0], image.shape[1], margin=math.ceil(3 * sigma))
        if right > left and bottom > top:
            source = image.copy()
            source[top:bottom, left:right] = cv2.GaussianBlur(image[top:bottom, left:right], (0, 0), sigma)
    warped = cv2.warpAffine(
        source, centred(frame), (SIDE, SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
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


def put_back(image: Image, face: Floats32, frame: Float) -> None:
    """Writes ``face`` (64, 64, 3) into the photo, in place, inside the face's ellipse with a soft edge."""
    left, top, right, bottom = _reach(frame, image.shape[0], image.shape[1], margin=1)
    if right <= left or bottom <= top:
        return
    columns, rows = np.meshgrid(np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5)
    places = np.stack([columns, rows], axis=-1) @ frame[:, :2].T + frame[:, 2]
    share = ellipse(places, FEATHER)[..., None]
    at = (places - 0.5).astype(np.float32)
    new = cv2.remap(face, at[..., 0], at[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    old = image[top:bottom, left:right].astype(np.float32)
    image[top:bottom, left:right] = np.rint(old + share * (new - old)).astype(np.uint8)


def _reach(frame: Float, height: int, width: int, margin: int) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the pixels of the photo that the frame covers, and ``margin`` more."""
    corners = np.array([[0, 0], [SIDE, 0], [0, SIDE], [SIDE, SIDE]], np.float64)
    there = np.linalg.solve(frame[:, :2], (corners - frame[:, 2]).T).T
    (x0, y0), (x1, y1) = there.min(axis=0), there.max(axis=0)
    left, top = max(math.floor(x0) - margin, 0), max(math.floor(y0) - margin, 0)
    return left, top, min(math.ceil(x1) + margin, width), min(math.ceil(y1) + margin, height)


@cache
def read_gallery(path: Path) -> Gallery:
    """The stored gallery. Raises CheckpointError if the file is none."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
        mean, axes, steps, entries = (tensors[name] for name in ("mean", "axes", "steps", "entries"))
    except (SafetensorError, KeyError, OSError) as error:
        raise CheckpointError(f"{path.name} holds no gallery for k-same ({error}); install unmask again") from error
    size = SIDE * SIDE * 3
    if mean.shape != (size,) or axes.shape[1:] != (size,) or entries.shape[1:] != axes.shape[:1] or len(entries) < MOST:
        raise CheckpointError(f"{path.name} holds a gallery of other shapes than k-same's; install unmask again")
    # Eigenfaces are stored in 8 bits each, with the step that one unit stands for.
    whole_axes = axes.astype(np.float32) * steps.astype(np.float32)[:, None]
    return Gallery(mean.astype(np.float32), whole_axes, entries.astype(np.float32))
