"""Contestants that protect nobody, or nothing but appearances, and that a suite must not mistake for good ones.

Each has a name, says in ``what`` what it does, and answers like a method: one image a sample, whose boxes it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tests.support import edits
from unmask.bench.core.types import Box, Image, Sample

Edit = Callable[[Image, Box], Image]


@dataclass(frozen=True)
class Contestant:
    """Something that passes for an anonymizer."""

    name: str
    what: str
    answer: Callable[[Sequence[Sample]], list[Image]]
    """All samples of a data set -> one image each."""

    def anonymize(self, batch: Sequence[Sample], *, seed: int) -> list[Image]:
        return self.answer(batch)


def contestants() -> list[Contestant]:
    """All that need no networks; see `tests.support.perturbing` for those that do."""
    return [
        Contestant("upside-down", "the photo lies upside down", _each(lambda image, boxes: image[::-1, ::-1].copy())),
        Contestant("moved", "the whole photo is rolled by .62 face widths", _each(_rolled)),
        Contestant("zoomed-out", "the photo at 75 % of its size on black", _each(lambda i, _: edits.padded(i, 0.75))),
        Contestant("shuffled", "each output is the next input", _shuffled),
        Contestant("face-moved", "the face moves by .62 of its width, black where it was", _each(_face_moved)),
        Contestant("face-in-corner", "the face is copied into a corner, black where it was", _each(_cornered)),
        Contestant("face-flipped", "the face upside down in its place", _faces(lambda face: face[::-1])),
        Contestant("face-mirrored", "the face mirrored in its place", _faces(lambda face: face[:, ::-1])),
        Contestant("face-inverted", "the face as a negative in its place", _faces(lambda face: 255 - face)),
        Contestant("next-face", "the next person's face in its place", _next_face),
        Contestant("one-face", "the first photo's face in every place", _one_face),
    ]


def reversible(seed: int = 0) -> list[Contestant]:
    """Contestants that anybody can undo who has seen what they do to other photos; ``seed`` is the key of those that
    have one. Those of `contestants` that only turn or invert faces are such ones too."""
    return [
        Contestant(
            "face-channels", "the face's red, green and blue exchanged", _faces(lambda face: face[..., [1, 2, 0]])
        ),
        Contestant("face-darkened", "the face's levels squared", _faces(_squared)),
        Contestant(
            "face-mirrored-inverted", "the face mirrored, as a negative", _faces(lambda face: 255 - face[:, ::-1])
        ),
        Contestant(
            "face-tiles", "6 x 6 tiles of the face in another order", _faces(lambda f: permuted(f, seed, across=6))
        ),
        Contestant("tiles", "8 x 8 px tiles of the photo in another order", _each(lambda i, _: permuted(i, seed, 8))),
        Contestant("pixels", "the photo's pixels in another order", _each(lambda i, _: permuted(i, seed, 1))),
    ]


def permuted(image: Image, seed: int, side: int = 0, across: int = 0) -> Image:
    """Square tiles of ``side`` pixels, or ``across`` tiles each way, counted from the left top corner, in the order
    that ``seed`` draws for as many; what is left over at the right and at the bottom stays."""
    height, width = (side, side) if side else (image.shape[0] // across, image.shape[1] // across)
    rows, columns = image.shape[0] // height, image.shape[1] // width
    inner = np.s_[: rows * height, : columns * width]
    tiles = image[inner].reshape(rows, height, columns, width, 3).swapaxes(1, 2).reshape(-1, height, width, 3)
    moved = tiles[np.random.default_rng(seed).permutation(len(tiles))].reshape(rows, columns, height, width, 3)
    output = image.copy()
    output[inner] = moved.swapaxes(1, 2).reshape(rows * height, columns * width, 3)
    return output


def _squared(face: Image) -> Image:
    return np.rint(face.astype(np.float64) ** 2 / 255).astype(np.uint8)


def _each(edit: Callable[[Image, Sequence[Box]], Image]) -> Callable[[Sequence[Sample]], list[Image]]:
    return lambda batch: [edit(sample.image, sample.boxes or ()) for sample in batch]


def _faces(edit: Callable[[Image], Image]) -> Callable[[Sequence[Sample]], list[Image]]:
    """Changes what lies in each box."""
    return _each(lambda image, boxes: in_boxes(image, boxes, edit))


def in_boxes(image: Image, boxes: Sequence[Box], edit: Callable[[Image], Image]) -> Image:
    """``image`` with ``edit`` applied to the part of each box, a fifth larger, that is inside."""
    output = image.copy()
    for box in boxes:
        left, top, right, bottom = box.scaled(1.2).clipped(*image.shape[:2])
        output[top:bottom, left:right] = edit(image[top:bottom, left:right])
    return output


def _rolled(image: Image, boxes: Sequence[Box]) -> Image:
    return np.roll(image, round(0.62 * boxes[0].w), 1) if boxes else image.copy()


def _face_moved(image: Image, boxes: Sequence[Box]) -> Image:
    output = edits.black(image, boxes)
    for box in boxes:
        side = 1 if box.center[0] < image.shape[1] / 2 else -1
        _paste(output, Box(box.x + side * 0.62 * box.w, box.y, box.w, box.h), _face(image, box))
    return output


def _cornered(image: Image, boxes: Sequence[Box]) -> Image:
    output = edits.black(image, boxes)
    for box in boxes:
        _paste(output, Box(0, 0, 0.6 * box.w, 0.6 * box.h), _face(image, box.scaled(1.2)))
    return output


def _shuffled(batch: Sequence[Sample]) -> list[Image]:
    images = [sample.image for sample in batch]
    return [
        edits.resized(after, *here.shape[1::-1]) for here, after in zip(images, [*images[1:], images[0]], strict=True)
    ]


def _next_face(batch: Sequence[Sample]) -> list[Image]:
    donors = [_face(sample.image, sample.boxes[0]) for sample in batch if sample.boxes]
    return [_with_face(sample, donors[(k + 1) % len(donors)]) for k, sample in enumerate(batch)]


def _one_face(batch: Sequence[Sample]) -> list[Image]:
    donor = next(_face(sample.image, sample.boxes[0]) for sample in batch if sample.boxes)
    return [_with_face(sample, donor) for sample in batch]


def _with_face(sample: Sample, donor: Image) -> Image:
    output = sample.image.copy()
    for box in sample.boxes or ():
        _paste(output, box, donor)
    return output


def _face(image: Image, box: Box) -> Image:
    left, top, right, bottom = box.clipped(*image.shape[:2])
    return image[top:bottom, left:right]


def _paste(output: Image, box: Box, face: Image) -> None:
    """Lays ``face`` into the part of ``box`` that is inside."""
    left, top, right, bottom = box.clipped(*output.shape[:2])
    if right > left and bottom > top and face.size:
        output[top:bottom, left:right] = cv2.resize(face, (right - left, bottom - top), interpolation=cv2.INTER_AREA)
