"""What an attacker who restores is fitted on and judged by: background people's faces before and after release."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.errors import DataError
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.types import Bools, Box, FacePair, Floats32, Image
from unmask.bench.core.views import BEST_PSNR, psnr

FACE_FACTOR: Final = 1.3
"""Side of the square that is judged over the longer side of the face's box, as of the face regions of the metrics."""
SIDE: Final = 64
"""Pixels of that square where faces of several people are compared."""
CHANGED: Final = 2.0
"""Levels by which a pixel must differ to count as changed by the method."""
JPEG: Final = 24.0
"""Levels by which JPEG changes hardly any."""
ALMOST_ALL: Final = 0.8
"""Share of a face's window from which on an area may as well be the whole photo."""
WINDOW_FACTOR: Final = 2.5
"""Side of that window over the longer side of the box."""
MARGIN: Final = 0.25
"""Decibels by which a restoration must beat the release as it is, in both measures of `Score`."""
FEWEST_PAIRS: Final = 24
FEWEST_PEOPLE: Final = 12


@dataclass(frozen=True, slots=True)
class Score:
    """How much nearer to the originals a restoration is than the release as it is, over pairs that were not fitted on.

    PSNR alone does not tell: a mean face in place of a black box has a better one and shows nobody. So the pixels that
    the method changes are also correlated with the originals', about their mean over people: r of 1 = each person's own
    pixels, 0 = nothing of the person. They are then restored from a release in which the edge of the area that changed
    is continued outwards: the colours of a neck say something of a face's, which no method for faces can help. The gain
    of both counts.
    """

    faces: int
    released_psnr: float
    """dB, mean over faces of the square about the box; identical pixels count `bench.core.views.BEST_PSNR`."""
    restored_psnr: float
    released_own: float
    """-10 log10(1 - r^2) in dB, 0 where r is not above 0: by how much the pixels tell this person better than the mean
    of all people does."""
    restored_own: float
    shuffled_own: float
    """The largest that restored faces have with other people's originals: what chance reaches."""

    @property
    def works(self) -> bool:
        """Whether the restoration shows more of the person than the release."""
        return (
            self.restored_psnr - self.released_psnr >= MARGIN
            and self.restored_own - max(self.released_own, self.shuffled_own) >= MARGIN
        )


def usable_pairs(pairs: Sequence[FacePair], fewest_people: int = FEWEST_PEOPLE) -> list[FacePair]:
    """Those with a release of the original's size and a face inside. Raises DataError where they are too few."""
    usable = [
        pair
        for pair in pairs
        if pair.released is not None
        and pair.released.shape == pair.original.shape
        and face_square(pair.original, pair.box).size
    ]
    people = len({pair.person for pair in usable})
    if len(usable) < FEWEST_PAIRS or people < fewest_people:
        raise DataError(
            f"restoration learns from at least {FEWEST_PAIRS} background faces of {fewest_people} people, each with "
            f"its release; there are {len(usable)} of {people}: add background photos"
        )
    return usable


def split_by_person(pairs: Sequence[FacePair], seed: int, shares: Sequence[float]) -> list[list[FacePair]]:
    """Parts with about these ``shares`` of the people, nobody in two; pairs keep their order."""
    people = sorted({pair.person for pair in pairs})
    order = np.random.default_rng(derive_seed(seed, "restoring", "split")).permutation(len(people))
    cuts = np.round(np.cumsum(shares)[:-1] * len(people)).astype(int)
    parts = [{people[k] for k in part} for part in np.split(order, cuts)]
    return [[pair for pair in pairs if pair.person in part] for part in parts]


def released_of(pair: FacePair) -> Image:
    """The release of a usable pair."""
    assert pair.released is not None
    return pair.released


def face_square(image: Image, box: Box) -> Image:
    """The part of the square about ``box`` that lies inside the image, (h, w, 3); empty where none does."""
    if not all(math.isfinite(v) for v in (box.x, box.y, box.w, box.h)) or box.w <= 0 or box.h <= 0:
        return image[:0, :0]
    left, top, right, bottom = box.square(FACE_FACTOR).clipped(*image.shape[:2])
    return image[top:bottom, left:right]


def small(face: Image) -> Floats32:
    """(SIDE, SIDE, 3) float32, 0..255."""
    return np.asarray(cv2.resize(face, (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.float32)


def window(image: Image, box: Box) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of where the face's own change is looked for: other faces of a photo change too."""
    return box.square(WINDOW_FACTOR).clipped(*image.shape[:2])


def changed_area(original: Image, released: Image, box: Box) -> Bools:
    """(H, W): the convex hull of what changed in the face's window; of what changed by more than JPEG does where all
    else is nearly all of it. All of the photo where that too is, or nothing changed."""
    left, top, right, bottom = window(original, box)
    area = np.zeros(original.shape[:2], np.bool_)
    difference = np.abs(original[top:bottom, left:right].astype(np.int16) - released[top:bottom, left:right]).max(
        axis=2
    )
    for levels in (CHANGED, JPEG):
        mask = cv2.morphologyEx((difference > levels).astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        points = cv2.findNonZero(mask)
        if points is not None:
            hull = cv2.fillConvexPoly(np.zeros_like(mask), cv2.convexHull(points), 1).astype(np.bool_)
            if hull.mean() < ALMOST_ALL:
                area[top:bottom, left:right] = hull
                return area
    return ~area


def _continued(image: Image, area: Bools) -> Image:
    """The image with the nearest pixel of ``area`` in place of each that lies outside."""
    _, labels = cv2.distanceTransformWithLabels(
        (~area).astype(np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    nearest = np.zeros(int(labels.max()) + 1, np.int64)
    nearest[labels[area]] = np.flatnonzero(area)
    return cast(Image, image.reshape(-1, 3)[nearest[labels]])


class Scorer:
    """Judges restorations of the same usable pairs, which none of them was fitted on."""

    def __init__(self, pairs: Sequence[FacePair]) -> None:
        self.pairs = pairs
        self._originals = [face_square(pair.original, pair.box) for pair in pairs]
        areas = [changed_area(pair.original, released_of(pair), pair.box) for pair in pairs]
        self._alone = [_continued(released_of(pair), area) for pair, area in zip(pairs, areas, strict=True)]
        before = [face_square(released_of(pair), pair.box) for pair in pairs]
        truth, shown = (np.stack([small(face) for face in faces]) for faces in (self._originals, before))
        inside = [
            small(face_square(255 * area[..., None].repeat(3, 2).astype(np.uint8), p.box))
            for area, p in zip(areas, pairs, strict=True)
        ]
        changed = (np.abs(truth - shown).max(axis=3) > CHANGED) & (np.stack(inside)[..., 0] > 127)
        self._changed = changed[..., None].astype(np.float32)
        self._truth = self._deviations(truth)
        self._released = self._psnr(before), self._own(self._deviations(shown))
        people = np.array([pair.person for pair in pairs])
        turns = [np.roll(np.arange(len(people)), shift) for shift in range(1, len(people))]
        self._shuffles = [order for order in turns if (people[order] != people).all()]

    def score(self, restore: Callable[[Image, Box], Image]) -> Score:
        """``restore``: a released photo and the box of a face -> an image of the photo's size."""
        released = [released_of(pair) for pair in self.pairs]
        after, alone = (
            [face_square(restore(image, pair.box), pair.box) for image, pair in zip(images, self.pairs, strict=True)]
            for images in (released, self._alone)
        )
        deviations = self._deviations(np.stack([small(face) for face in alone]))
        own = self._own(deviations)
        shuffled = max((self._own(deviations, order) for order in self._shuffles), default=0.0) if own > 0 else 0.0
        psnr_released, own_released = self._released
        return Score(len(self.pairs), psnr_released, self._psnr(after), own_released, own, shuffled)

    def _psnr(self, faces: Sequence[Image]) -> float:
        return float(np.mean([psnr(face, original) for face, original in zip(faces, self._originals, strict=True)]))

    def _deviations(self, faces: Floats32) -> Floats32:
        """(N, SIDE, SIDE, 3): what differs from the mean over the faces in which the pixel is changed, 0 elsewhere."""
        mean = (faces * self._changed).sum(axis=0) / np.maximum(self._changed.sum(axis=0), 1)
        return cast(Floats32, (faces - mean) * self._changed)

    def _own(self, restored: Floats32, order: NDArray[np.int64] | None = None) -> float:
        truth = self._truth if order is None else self._truth[order]
        power = float(np.vdot(restored, restored)) * float(np.vdot(truth, truth))
        r = float(np.vdot(restored, truth)) / math.sqrt(power) if power > 0 else 0.0
        return 0.0 if r <= 0 else -10 * math.log10(max(1 - r * r, 10 ** (-BEST_PSNR / 10)))
