"""Which label belongs to which detected face, and how each face ended."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy

from unmask.bench.core.types import Bools, Box, Detection, FaceLabel, Image, Outcome

PLACE_FACTOR = 2.0
"""Side of the square in which a second detector looks for a face, over the longer side of its box."""
SAME_PLACE_IOU = 0.3
"""A face on the output belongs to an original face if their boxes overlap at least this much."""


def assign_labels(found: Sequence[Detection], labels: Sequence[FaceLabel], shape: tuple[int, ...]) -> list[FaceLabel]:
    """One label per detected face; faces that the data set says nothing about get an empty one. A label with a point
    goes to the smallest box that contains it; a label without goes to the photo's subject: the face with the best area
    x centrality among those still free."""
    given: list[FaceLabel | None] = [None] * len(found)
    for label in sorted(labels, key=lambda item: item.at is None):
        free = [k for k in range(len(found)) if given[k] is None]
        if label.at is not None:
            x, y = label.at
            free = [k for k in free if (b := found[k].box).x <= x <= b.x + b.w and b.y <= y <= b.y + b.h]
            free.sort(key=lambda k: found[k].box.area)
        else:
            free.sort(key=lambda k: -_prominence(found[k].box, shape))
        if free:
            given[free[0]] = label
    return [label or FaceLabel() for label in given]


def _prominence(box: Box, shape: tuple[int, ...]) -> float:
    height, width = shape[:2]
    cx, cy = box.center
    off = np.hypot((cx - width / 2) / width, (cy - height / 2) / height)
    return float(box.area * np.exp(-4.0 * off))


def match_faces(originals: Sequence[Box], found: Sequence[Detection]) -> list[Detection | None]:
    """For each original face the face found again in its place, one to one, by the largest total overlap."""
    matched: list[Detection | None] = [None] * len(originals)
    if not originals or not found:
        return matched
    overlap = np.array([[box.iou(detection.box) for detection in found] for box in originals])
    for row, column in zip(*scipy.optimize.linear_sum_assignment(-overlap), strict=True):
        if overlap[row, column] >= SAME_PLACE_IOU:
            matched[int(row)] = found[int(column)]
    return matched


def unmatched(matched: Sequence[Detection | None], seen: Sequence[Detection]) -> list[Detection]:
    """Those of ``seen`` that `match_faces` found no original face for: faces that were moved, copied or put in. A face
    at another person's place is matched to that person, and so is not among them."""
    taken = {id(detection) for detection in matched if detection is not None}
    return [detection for detection in seen if id(detection) not in taken]


def place_crop(image: Image, box: Box) -> tuple[Image, tuple[int, int]]:
    """The part of the image in a square about a face, in which it is looked for once more, and that part's corner."""
    square = box.square(PLACE_FACTOR)
    left, top, right, bottom = square.clipped(*image.shape[:2])
    return np.ascontiguousarray(image[top:bottom, left:right]), (left, top)


def shifted(face: Detection, corner: tuple[int, int]) -> Detection:
    """A face of a crop in the pixels of the image."""
    box = Box(face.box.x + corner[0], face.box.y + corner[1], face.box.w, face.box.h)
    return Detection(box, face.landmarks + np.array(corner, np.float32), face.score)


def outcomes(found_again: Bools) -> list[Outcome]:
    """(N,) the outcome of each face of images that the method did return; which of them it left as they were is decided
    when all readings are there, see `bench.run.reading.explained.missed`."""
    return [Outcome.ANONYMIZED if again else Outcome.DESTROYED for again in found_again]
