"""What every registered instrument must keep to."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.bench.core.cards import Role
from unmask.bench.core.errors import UnavailableError
from unmask.bench.core.evidence import LOOKS, look_column
from unmask.bench.core.files import canonical_json
from unmask.bench.core.registry import instrument_cards, instrument_class
from unmask.bench.core.types import Box, FaceView, Image, RegionPair
from unmask.bench.run.planning.choosing import READING_ROLES
from unmask.metrics.instruments.support.crops import ARCFACE_TEMPLATE, aligned

OPTIONAL = {"buffalo_l"}
"""Instruments whose weights are the user's own."""
COLUMNS = {
    "recogniser": {"embedding"},
    "attributes": {"age", "p_female"},
    "skin": {"r", "g", "b", "ita"},
    "expression": {"expression"},
    "pose": {"roll"},
    "photometry": {"statistics", "around"},
    "features": {"features"},
}
TOLERANCE = 2e-3
"""Share of the largest value: the sums of a convolution may be added up in another order in another batch."""


NAMES = [name for name, _ in instrument_cards(*READING_ROLES)]


def card_of(name: str) -> Any:
    return instrument_class(name).card


def opened(name: str, open_instrument: Callable[[str], Any]) -> Any:
    if name not in OPTIONAL:
        return open_instrument(name)
    try:
        return open_instrument(name)
    except UnavailableError as error:
        pytest.skip(str(error))


def places(astronaut: Image, *, spoil: bool) -> list[FaceView]:
    """Three views of a face in photos of their own, and (where asked) one that cannot be read."""
    points = np.array([[202, 108], [248, 108], [227, 138], [207, 155], [247, 155]], np.float32)
    box = Box(176, 60, 96, 125)
    photos = [astronaut, np.ascontiguousarray(astronaut[:, :, ::-1]), (astronaut * 0.6).astype(np.uint8)]
    views = [FaceView(photo, box, points) for photo in photos]
    return [*views, FaceView(astronaut, Box(5, 5, 0, 0), np.full((5, 2), np.nan, np.float32))] if spoil else views


def regions(astronaut: Image) -> list[Image]:
    return [astronaut[60:260, 120:320], astronaut[200:401, 30:231], astronaut[:180, 300:481]]


def region_pairs(astronaut: Image) -> list[RegionPair]:
    pairs = []
    for region in regions(astronaut):
        changed = (region * 0.8 + 20).astype(np.uint8)
        pairs.append(RegionPair(region, changed))
    return pairs


def inputs(role: str, astronaut: Image) -> list[Any]:
    if role == "pair":
        return region_pairs(astronaut)
    return regions(astronaut) if role == "features" else places(astronaut, spoil=role == "recogniser")


def measure(instrument: Any, items: list[Any]) -> Mapping[str, NDArray[Any]]:
    columns: Mapping[str, NDArray[Any]]
    columns = instrument.compare(items) if instrument.card.role == "pair" else instrument.read(items)
    return columns


def same(a: Mapping[str, NDArray[Any]], b: Mapping[str, NDArray[Any]]) -> None:
    assert set(a) == set(b)
    for key in a:
        largest = float(np.nanmax(np.abs(a[key]), initial=1e-6))
        np.testing.assert_allclose(a[key], b[key], atol=TOLERANCE * largest, err_msg=key)


@pytest.mark.parametrize("name", NAMES)
def test_card(name: str) -> None:
    card = card_of(name)
    assert card.name == name
    assert card.role in get_args(Role)
    for text in (card.version, card.description, card.licence, card.source, card.limits):
        assert text.strip()
    assert card.default is (name not in OPTIONAL)
    canonical_json(dict(card.params))
    keys = [file.key for file in card.files]
    assert len(set(keys)) == len(keys)
    for file in card.files:
        assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
        assert file.size > 0
        assert file.version
        assert not file.member.startswith("/")
        assert ".." not in file.member.split("/")


READERS = [name for name in NAMES if card_of(name).role != "detector"]


@pytest.mark.weights
@pytest.mark.parametrize("name", READERS)
def test_nothing_in_nothing_out(name: str, open_instrument: Callable[[str], Any], astronaut: Image) -> None:
    instrument = opened(name, open_instrument)
    empty = measure(instrument, [])
    assert set(empty) == set(measure(instrument, inputs(instrument.card.role, astronaut)[:1]))
    if instrument.card.role in COLUMNS:
        assert set(empty) >= COLUMNS[instrument.card.role]
    else:
        assert all(re.fullmatch(r"[a-z0-9_]+\|[a-z0-9-]+", key) for key in empty)
    for column in empty.values():
        assert len(column) == 0
        assert column.dtype == np.float32


@pytest.mark.weights
@pytest.mark.parametrize("name", READERS)
def test_columns_do_not_depend_on_order_or_batch(
    name: str, open_instrument: Callable[[str], Any], astronaut: Image
) -> None:
    instrument = opened(name, open_instrument)
    role = instrument.card.role
    together = measure(instrument, inputs(role, astronaut))
    n = len(inputs(role, astronaut))
    for column in together.values():
        assert len(column) == n
        assert column.dtype == np.float32
    backwards = measure(instrument, inputs(role, astronaut)[::-1])
    same(together, {key: column[::-1] for key, column in backwards.items()})
    alone = [measure(instrument, [item]) for item in inputs(role, astronaut)]
    same(together, {key: np.concatenate([part[key] for part in alone]) for key in together})


@pytest.mark.weights
@pytest.mark.parametrize("name", READERS)
def test_inputs_stay_as_they_are(name: str, open_instrument: Callable[[str], Any], astronaut: Image) -> None:
    instrument = opened(name, open_instrument)
    items = inputs(instrument.card.role, astronaut)
    before = copy.deepcopy(items)
    measure(instrument, items)
    for old, new in zip(before, items, strict=True):
        for field in ("image", "landmarks", "original", "anonymized"):
            if hasattr(old, field):
                np.testing.assert_array_equal(getattr(new, field), getattr(old, field))
        if isinstance(old, np.ndarray):
            np.testing.assert_array_equal(new, old)


@pytest.mark.weights
@pytest.mark.parametrize("name", [n for n in READERS if card_of(n).role == "recogniser"])
def test_recognisers_normalise_and_answer_nan_where_they_cannot_say(
    name: str, open_instrument: Callable[[str], Any], astronaut: Image
) -> None:
    embedding = measure(opened(name, open_instrument), places(astronaut, spoil=True))["embedding"]
    np.testing.assert_allclose(np.linalg.norm(embedding[:3], axis=1), 1, atol=1e-5)
    assert np.isnan(embedding[3]).all()


def test_all_recognisers_but_dlib_read_looks() -> None:
    recognisers = [name for name in NAMES if card_of(name).role == "recogniser"]
    assert {name for name in recognisers if not card_of(name).looks} == {"dlib"}
    for name in NAMES:
        assert hasattr(instrument_class(name), "read_looks") is card_of(name).looks, name


@pytest.mark.weights
@pytest.mark.parametrize("name", [n for n in READERS if card_of(n).looks])
def test_looks_are_read_like_plain_crops(name: str, open_instrument: Callable[[str], Any], astronaut: Image) -> None:
    instrument = opened(name, open_instrument)
    plain = measure(instrument, places(astronaut, spoil=True))["embedding"]
    looks = instrument.read_looks(places(astronaut, spoil=True))
    assert set(looks) == {look_column(look) for look in LOOKS}
    for column in looks.values():
        assert column.shape == plain.shape
        assert column.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(column[:3], axis=1), 1, atol=1e-5)
        assert np.isnan(column[3]).all()
    assert all(values.shape == (0, plain.shape[1]) for values in instrument.read_looks([]).values())


@pytest.mark.weights
@pytest.mark.parametrize("name", [n for n in READERS if card_of(n).looks])
def test_a_face_turned_in_its_place_is_turned_back(
    name: str, open_instrument: Callable[[str], Any], astronaut: Image
) -> None:
    instrument = opened(name, open_instrument)
    chip = aligned(places(astronaut, spoil=False)[0])
    assert chip is not None
    upright, turned = (
        FaceView(np.ascontiguousarray(image), Box(5, 5, 102, 102), np.array(ARCFACE_TEMPLATE, np.float32))
        for image in (chip, np.rot90(chip, 2))
    )
    plain = measure(instrument, [upright])["embedding"][0]
    back = instrument.read_looks([turned])[look_column("turned-180")][0]
    assert 1 - float(back @ plain) < 0.02
    assert 1 - float(measure(instrument, [turned])["embedding"][0] @ plain) > 0.5


@pytest.mark.weights
@pytest.mark.parametrize("name", [n for n in NAMES if card_of(n).role == "detector"])
def test_detectors_answer_for_every_image(name: str, open_instrument: Callable[[str], Any], astronaut: Image) -> None:
    detector = opened(name, open_instrument)
    blank = np.zeros((80, 60, 3), np.uint8)
    assert detector.detect([]) == []
    found = detector.detect([blank, astronaut, blank])
    assert [len(faces) for faces in found] == [0, 1, 0]
    assert found[1][0].landmarks.shape == (5, 2)
    scores = [face.score for faces in found for face in faces]
    assert all(0 <= score <= 1 for score in scores)
