"""Person detectors and trackers of the registry, opened for tests."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from tests.support.fetched import files_of
from unmask.bench.core.registry import create_instrument
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.types import Box, Floats32, Image
from unmask.bench.core.video import PersonBox, PersonDetector, Tracker


def person_detector(spec: str = "yolov3-tiny") -> PersonDetector:
    detector = create_instrument(parse_spec(spec), "people")
    detector.load(files_of(detector.card), "cpu")
    return detector


def tracker(spec: str) -> Tracker:
    made = create_instrument(parse_spec(spec), "tracker")
    made.load(files_of(made.card), "cpu")
    return made


def pets_frames(shared_data: Path, number: int) -> list[Image]:
    """The first frames of PETS2009, 576 x 768, with people in each."""
    with av.open(str(shared_data / "pets2009_s2l1" / "vtest.avi")) as container:
        return [f.to_ndarray(format="rgb24") for _, f in zip(range(number), container.decode(video=0), strict=False)]


def person(x: float, y: float, w: float = 30, h: float = 60, score: float = 0.9) -> PersonBox:
    return PersonBox(Box(x, y, w, h), score)


def looks(*numbers: int, dimension: int = 8) -> Floats32:
    """(N, D): one unit vector for each number, at right angles to those of other numbers."""
    return np.eye(dimension, dtype=np.float32)[list(numbers)].reshape(-1, dimension)
