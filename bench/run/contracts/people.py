"""The contracts of person detectors and trackers, checked on drawn photos and on two people who walk."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from unmask.bench.core.types import Box, Floats32, Image
from unmask.bench.core.video import PersonBox, Tracks
from unmask.bench.run.contracts import drawn
from unmask.bench.run.contracts.trying import copied, is_same, tried
from unmask.bench.run.contracts.verdicts import Ledger

NOBODY: Final = "it sees nobody in the drawn photos, which show faces and shoulders; nobody else is drawn here"
SEE: Final = "see PersonDetector and Tracker in bench/core/video.py"
_FRAMES: Final = 12
_EMPTY: Final = 6
"""A frame in which nobody is seen."""
_SIZE: Final = (240, 320)
_DIM: Final = 8
_SLACK: Final = 1e-3
Walk = list[tuple[Image, list[PersonBox], Floats32]]


def check_detector(ledger: Ledger, detector: Any) -> None:
    """A person detector: boxes inside the images, best first, one list an image whatever the batch."""
    images = [photo.sample.image for photo in (*drawn.faces(), drawn.no_face(), drawn.many_faces(), *drawn.odd_sizes())]
    before = copied(images)
    detections = tried(ledger, "answers", "drawn photos", lambda: detector.detect(images))
    nothing = tried(ledger, "shapes", "an empty list", lambda: detector.detect([]))
    if detections is None or nothing is None:
        return
    if list(nothing) != [] or len(detections) != len(images):
        ledger.break_("shapes", f"it returned {len(detections)} lists for {len(images)} photos", SEE)
        return
    for image, people in zip(images, detections, strict=True):
        if wrong := _wrong_people(image, people):
            ledger.break_("shapes", wrong, SEE)
    ledger.keep("shapes", "norm", "nan")
    if not any(detections):
        ledger.leave("answers", NOBODY)
    ledger.keep("answers")
    alone = tried(ledger, "batch", "one by one", lambda: [detector.detect([image])[0] for image in images[::-1]])
    if alone is not None and [len(people) for people in alone[::-1]] != [len(people) for people in detections]:
        ledger.break_("batch", "it sees another number of people where the photos come one by one")
    ledger.keep("batch")
    if not is_same(before, images):
        ledger.break_("inputs", "it wrote into the images")
    ledger.keep("inputs")


def _wrong_people(image: Image, people: Any) -> str:
    """What is wrong with the people of one image; '' = nothing."""
    height, width = image.shape[:2]
    scores = [person.score for person in people]
    if scores != sorted(scores, reverse=True) or not all(0 <= score <= 1 for score in scores):
        return "people must come best first, with scores of 0..1"
    for box in (person.box for person in people):
        inside = min(box.x, box.y) >= -_SLACK and box.x + box.w <= width + _SLACK and box.y + box.h <= height + _SLACK
        if not inside or box.w <= 0 or box.h <= 0:
            return f"the box {box} is empty or leaves the image of {width}x{height}"
    return ""


def check_tracker(ledger: Ledger, tracker: Any) -> None:
    """A tracker: a track for each person in each frame, the same for as long as somebody walks on, and sessions that
    know nothing of each other."""
    walk = _walk()
    before = copied(walk)
    session = tried(ledger, "answers", "start", tracker.start)
    if session is None:
        return
    given = tried(ledger, "answers", "two people who walk", lambda: [_updated(session, step) for step in walk])
    tracks = tried(ledger, "shapes", "tracks", session.tracks)
    if given is None or tracks is None:
        return
    for (_, people, _), numbers in zip(walk, given, strict=True):
        if len(numbers) != len(people) or len(set(numbers)) != len(numbers) or any(type(n) is not int for n in numbers):
            fault = f"update returned {numbers} for {len(people)} people: a whole number of its own for each wanted"
            ledger.break_("shapes", fault, SEE)
            return
    if wrong := _wrong_tracks(tracks, len(walk)):
        ledger.break_("shapes", wrong, SEE)
        return
    ledger.keep("shapes", "norm", "nan")
    walked = [numbers for numbers in given if numbers]
    if any(numbers != walked[0] for numbers in walked[1 : _EMPTY - 1]) or tracks.people < 2:
        turns = "; ".join(str(numbers) for numbers in walked[: _EMPTY - 1])
        mend = "keep a person's number from frame to frame, and confirm who is seen in several frames on end"
        ledger.break_("answers", f"two people far apart who walk steadily got the tracks {turns}", mend)
    ledger.keep("answers")
    _check_sessions(ledger, tracker, walk, tracks)
    if not is_same(before, walk):
        ledger.break_("inputs", "it wrote into frames, boxes or embeddings")
    ledger.keep("inputs")


def _check_sessions(ledger: Ledger, tracker: Any, walk: Walk, tracks: Tracks) -> None:
    """Two clips tracked by turns, each as if it were alone."""

    def by_turns() -> list[Tracks]:
        one, other = tracker.start(), tracker.start()
        for step in walk:
            _updated(one, step)
            _updated(other, step)
        return [one.tracks(), other.tracks()]

    both = tried(ledger, "batch", "two clips by turns", by_turns)
    if both is not None and not all(is_same(tracks, each) for each in both):
        mend = "keep all that is known of a clip in the session that start() returns"
        ledger.break_(
            "batch", "a clip gets other tracks where another one is tracked at the same time, or before", mend
        )
    fresh = tried(ledger, "batch", "a clip without frames", lambda: tracker.start().tracks())
    if fresh is not None and len(fresh):
        ledger.break_("batch", "a new session has tracks before its first frame")
    ledger.keep("batch")


def _updated(session: Any, step: tuple[Image, list[PersonBox], Floats32]) -> list[int]:
    image, people, embeddings = step
    return list(session.update(image, people, embeddings))


def _wrong_tracks(tracks: Any, frames: int) -> str:
    """What is wrong with the tracks of a clip; '' = nothing."""
    if not isinstance(tracks, Tracks):
        return f"tracks() returned a {type(tracks).__name__}, not Tracks"
    kinds = [str(column.dtype) for column in (tracks.frame, tracks.track, tracks.box)]
    if kinds != ["int64", "int64", "float32"] or tracks.box.shape != (len(tracks), 4):
        return "tracks need int64 frames and tracks, and float32 boxes of shape (N, 4)"
    order = np.lexsort((tracks.track, tracks.frame))
    if not np.array_equal(order, np.arange(len(tracks))):
        return "tracks must ascend by frame and then by track"
    if len(tracks) and not 0 <= tracks.frame.min() <= tracks.frame.max() < frames:
        return f"its frames are {tracks.frame.min()} to {tracks.frame.max()}, the clip's 0 to {frames - 1}"
    if len({*zip(tracks.frame.tolist(), tracks.track.tolist(), strict=True)}) != len(tracks):
        return "a track has two boxes in one frame"
    return ""


def _walk() -> Walk:
    """Two people far apart who walk steadily and look unlike, best first; nobody is seen in the frame `_EMPTY`."""
    rng = np.random.default_rng(3)
    looks = np.eye(_DIM, dtype=np.float32)[:2]
    steps: Walk = []
    for f in range(_FRAMES):
        people = [PersonBox(Box(20 + 2 * f, 60, 30, 60), 0.9), PersonBox(Box(220 - 2 * f, 130, 30, 60), 0.8)]
        people = [] if f == _EMPTY else people
        steps.append((rng.integers(0, 256, (*_SIZE, 3), np.uint8), people, looks[: len(people)].copy()))
    return steps
