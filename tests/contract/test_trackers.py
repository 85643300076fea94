"""What every registered person detector and tracker must keep, as far as it can be made without files of the user's."""

from __future__ import annotations

import copy
import inspect
import re
from typing import Any

import numpy as np
import pytest

from tests.support.fetched import files_of
from tests.support.video_parts import looks, person, person_detector, tracker
from unmask.bench.core.cards import InstrumentCard
from unmask.bench.core.errors import SpecError, UnavailableError, UnknownNameError
from unmask.bench.core.files import canonical_json
from unmask.bench.core.registry import create_instrument, instrument_cards
from unmask.bench.core.spec import Spec
from unmask.bench.core.types import Image
from unmask.bench.core.video import PersonBox

USERS_OWN = {"yolov3", "ultralytics"}
"""Detectors that need files of the user's; their own tests are in tests/metrics/instruments."""
DETECTORS = [name for name, _ in instrument_cards("people")]
TRACKERS = [name for name, _ in instrument_cards("tracker")]
BLANK: Image = np.zeros((240, 320, 3), np.uint8)


def walk(frames: int) -> list[list[PersonBox]]:
    """Two people far apart who walk steadily; the second joins in frame 3. The best comes first."""
    return [
        [person(20 + 2 * f, 60, score=0.9), *([person(200 - 2 * f, 130, score=0.8)] if f >= 3 else [])]
        for f in range(frames)
    ]


def check_card(card: InstrumentCard, made: Any, name: str, role: str) -> None:
    assert (card.name, card.role) == (name, role)
    for text in (card.version, card.description, card.licence, card.source, card.limits):
        assert text.strip()
    canonical_json(dict(card.params))
    for key, parameter in inspect.signature(type(made)).parameters.items():
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY
        assert card.params[key] == parameter.default
    keys = [file.key for file in card.files]
    assert len(set(keys)) == len(keys)
    for file in card.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.size > 0
    assert made.card == card


@pytest.mark.parametrize("name", DETECTORS)
def test_detector_cards(name: str) -> None:
    made = create_instrument(Spec(name), "people")
    check_card(made.card, made, name, "people")


@pytest.mark.parametrize("name", TRACKERS)
def test_tracker_cards(name: str) -> None:
    made = create_instrument(Spec(name), "tracker")
    check_card(made.card, made, name, "tracker")


@pytest.mark.parametrize("name", sorted(USERS_OWN))
def test_detectors_of_users_files_say_what_they_need(name: str) -> None:
    with pytest.raises(SpecError, match=f"instrument '{name}' needs "):
        create_instrument(Spec(name), "people")


@pytest.mark.parametrize("name", [*DETECTORS, *sorted(USERS_OWN), *TRACKERS, "yunet", "sface"])
def test_unknown_parameters_are_refused(name: str) -> None:
    with pytest.raises(SpecError, match="has no parameter 'colour'"):
        create_instrument(Spec(name, {"colour": "red"}))


def test_an_instrument_of_another_role_is_refused() -> None:
    with pytest.raises(SpecError, match="'yolov3-tiny' is no tracker; its role is: people"):
        create_instrument(Spec("yolov3-tiny"), "tracker")
    with pytest.raises(SpecError, match="'sface' is no person detector; its role is: recogniser"):
        create_instrument(Spec("sface"), "people")
    with pytest.raises(UnknownNameError, match=r"person detector 'yolov3-tny'.*yolov3-tiny"):
        create_instrument(Spec("yolov3-tny"), "people")


@pytest.mark.weights
@pytest.mark.parametrize("name", DETECTORS)
def test_detectors_answer_for_every_image(name: str, astronaut: Image) -> None:
    made = person_detector(name)
    assert made.detect([]) == []
    small = np.ascontiguousarray(astronaut[::4, ::2])
    images = [np.zeros((80, 60, 3), np.uint8), astronaut, small, astronaut[100:101, 100:101]]
    before = copy.deepcopy(images)
    found = made.detect(images)
    assert len(found) == len(images)
    for old, image, people in zip(before, images, found, strict=True):
        np.testing.assert_array_equal(image, old)
        scores = [p.score for p in people]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
        for p in people:
            assert p.box.w > 0
            assert p.box.h > 0
            assert min(p.box.x, p.box.y) >= 0
            assert p.box.x + p.box.w <= image.shape[1] + 1e-6
            assert p.box.y + p.box.h <= image.shape[0] + 1e-6
    for image in images:
        image.flags.writeable = False
    assert [len(people) for people in made.detect(images[::-1])] == [len(people) for people in found[::-1]]


@pytest.mark.parametrize("name", DETECTORS)
def test_a_gpu_that_is_not_there_is_said(name: str) -> None:
    made = create_instrument(Spec(name), "people")
    with pytest.raises(UnavailableError, match="cuda:9"):
        made.load(files_of(made.card), "cuda:9")


@pytest.mark.weights
@pytest.mark.parametrize("given_looks", [False, True])
@pytest.mark.parametrize("name", TRACKERS)
def test_every_detection_gets_a_track_and_people_keep_theirs(name: str, given_looks: bool) -> None:
    made = tracker(name)
    session = made.start()
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, BLANK.shape, np.uint8)
    for f, found in enumerate(walk(12)):
        before = image.copy()
        given = session.update(image, found, looks(0, 1)[: len(found)] if given_looks else None)
        np.testing.assert_array_equal(image, before)
        assert given == [1, 2][: len(found)]
        assert all(type(track) is int for track in given)
        tracks = session.tracks()
        assert len(tracks) == len(tracks.track) == len(tracks.box)
        assert tracks.people == sum((f >= 2, f >= 5))
    assert tracks.frame.dtype == tracks.track.dtype == np.int64
    assert tracks.box.dtype == np.float32
    assert tracks.box.shape == (len(tracks), 4)
    order = np.lexsort((tracks.track, tracks.frame))
    np.testing.assert_array_equal(order, np.arange(len(tracks)))
    assert tracks.frame.min() >= 0
    assert tracks.frame.max() <= 11
    assert len({*zip(tracks.frame.tolist(), tracks.track.tolist(), strict=True)}) == len(tracks)


@pytest.mark.parametrize("name", TRACKERS)
def test_embeddings_alone_are_enough(name: str) -> None:
    """Without loading, so without the tracker's own network."""
    session = create_instrument(Spec(name), "tracker").start()
    for found in walk(5):
        session.update(BLANK, found, looks(0, 1)[: len(found)])
    assert session.tracks().people == 1
    assert session.update(BLANK, [], looks()) == []


@pytest.mark.parametrize("name", TRACKERS)
def test_sessions_are_alike_and_apart(name: str) -> None:
    made = create_instrument(Spec(name), "tracker")
    sessions = [made.start(), made.start()]
    for found in walk(12):
        for session in sessions:
            session.update(BLANK, found, looks(0, 1)[: len(found)])
    a, b = (session.tracks() for session in sessions)
    np.testing.assert_array_equal(a.track, b.track)
    np.testing.assert_array_equal(a.box, b.box)
    assert a.people == 2
    assert made.start().tracks().people == 0
