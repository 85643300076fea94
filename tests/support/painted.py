"""Painted photos and clips whose faces and people the instruments of `tests.support.fakes` read without a network.

A face is a square of noise. Its first three pixels say who it is, who sees it, what estimators make of it, and its
skin's colour; nothing else in a picture is as red as the first one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from unmask.bench.core.types import Box, Detection, Image

SIDE = 32
"""Pixels of a face's box."""
SIZE = (96, 160)
"""Height and width of a picture."""
LANDMARKS = np.array([[10, 12], [22, 12], [16, 18], [11, 24], [21, 24]], np.float32)
SEEN, BY_SECOND, UNSEEN = 0, 1, 2
"""Who sees a face: the judge and the second detector, the second one alone, nobody."""
NOBODY = 7
"""Whom recognisers take a place without a face for."""
DISGUISED = 100
"""Added to a person's number: recognisers see `NOBODY`, unless they look at the mirrored crop."""
SFACE_BLIND = 6
"""The person whom ``sface`` cannot read."""
PERSON = (24.0, 60.0)
"""Width and height of a person's box."""
_FACE, _PERSON = 255, 254


@dataclass(frozen=True)
class Face:
    """One face as it is painted."""

    who: int
    """0 to 6; the recognisers' embeddings are at right angles."""
    x: int
    y: int
    age: float = float("nan")
    p_female: float = float("nan")
    skin: int = 120
    """Grey level of the skin."""

    @property
    def box(self) -> Box:
        return Box(self.x, self.y, SIDE, SIDE)


@dataclass(frozen=True)
class Person:
    """One person (without a face) as they are painted."""

    who: int
    x: int
    y: int


def picture(seed: int, faces: Sequence[Face] = (), people: Sequence[Person] = ()) -> Image:
    """A wall of soft noise that ``seed`` chooses, with ``faces`` and ``people`` in front of it."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(20, 230, (12, 20, 3)).astype(np.uint8)
    image = np.asarray(cv2.resize(coarse, SIZE[::-1], interpolation=cv2.INTER_CUBIC), np.uint8).clip(5, 240)
    for face in faces:
        paint(image, face)
    for person in people:
        image[person.y, person.x] = (_PERSON, person.who, 0)
    return image


def paint(image: Image, face: Face) -> None:
    """Puts a face into a picture."""
    skin = np.random.default_rng([77, face.who]).integers(-60, 60, (SIDE // 4, SIDE // 4, 3))
    skin = np.kron(skin, np.ones((4, 4, 1), np.int64)) + 120
    image[face.y : face.y + SIDE, face.x : face.x + SIDE] = skin
    age, female = (255 if np.isnan(v) else round(v * k) for v, k in ((face.age, 2), (face.p_female, 200)))
    image[face.y, face.x] = (_FACE, face.who, SEEN)
    image[face.y, face.x + 1] = (age, female, 0) if age < 255 else (240, female, 255)
    image[face.y, face.x + 2] = face.skin


def marks(image: Image) -> Iterator[tuple[int, int]]:
    """(x, y) of the first pixel of each face, row by row."""
    for y, x in np.argwhere(image[..., 0] == _FACE):
        yield int(x), int(y)


def faces_seen(image: Image, most: int = SEEN) -> list[Detection]:
    """The faces that are seen by a detector who sees all up to ``most``."""
    return [
        Detection(Box(x, y, SIDE, SIDE), LANDMARKS + np.array([x, y], np.float32), 0.75)
        for x, y in marks(image)
        if image[y, x, 2] <= most
    ]


def people_seen(image: Image) -> list[tuple[int, Box]]:
    """Who is where."""
    return [(int(image[y, x, 1]), Box(float(x), float(y), *PERSON)) for y, x in np.argwhere(image[..., 0] == _PERSON)]


def place_of(box: Box) -> tuple[slice, slice]:
    """A face's pixels."""
    return slice(round(box.y), round(box.y + box.h)), slice(round(box.x), round(box.x + box.w))
