"""k-Same: what it puts into a photo depends on the gallery only, and on the face by which entries are near."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from tests.methods.support import apply, changed
from unmask.bench.core.errors import CheckpointError, SpecError
from unmask.bench.core.types import Box, Image, Sample
from unmask.methods.gan.training.k_same_gallery import build_gallery, without_black_edges
from unmask.methods.k_same import Gallery, KSame, aligned, mean_of_nearest, read_gallery
from unmask.methods.shared.alignment import SIDE, TEMPLATE, to_frame

FACE = Box(176, 60, 96, 125)


def method(**params: int) -> KSame:
    made = KSame(**params)  # type: ignore[arg-type]
    made.load({}, "cpu")
    return made


def run(made: KSame, image: Image) -> Image:
    (output,) = made.anonymize([Sample("a", image)], seed=0)
    assert isinstance(output, np.ndarray)
    return output


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return method()._gallery or pytest.fail("load() loads the gallery")


def test_the_shipped_gallery_has_a_card_and_is_small() -> None:
    path = KSame().networks["k-same"]
    assert path.stat().st_size < 1 << 20
    card = path.with_suffix(".json").read_text()
    assert "non-commercial research" in card
    assert '"least": 20' in card


def test_the_mean_is_over_the_k_nearest_entries(gallery: Gallery) -> None:
    """Against the definition, entry by entry, in pixels."""
    face = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    pictures = gallery.mean + gallery.entries @ gallery.axes
    for k in (2, 5):
        means = [np.clip(pictures[list(rows)].mean(axis=0), 0, 255) for rows in _nearest_first(gallery, face, k)]
        np.testing.assert_allclose(mean_of_nearest(gallery, face, k).reshape(-1), means[0], atol=0.05)


def _nearest_first(gallery: Gallery, face: Image, k: int) -> list[list[int]]:
    from unmask.methods.k_same import as_vector

    place = (as_vector(face) - gallery.mean) @ gallery.axes.T
    return [sorted(range(len(gallery.entries)), key=lambda n: float(np.linalg.norm(gallery.entries[n] - place)))[:k]]


def test_an_entry_comes_out_for_a_face_that_looks_like_it(gallery: Gallery) -> None:
    """With the gallery's own mean of 2 nearest to entry 7, entry 7 is one of the two."""
    picture = np.clip(gallery.mean + gallery.entries[7] @ gallery.axes, 0, 255).reshape(SIDE, SIDE, 3)
    mean = mean_of_nearest(gallery, np.rint(picture).astype(np.uint8), 2)
    others = [
        (picture + np.clip(gallery.mean + entry @ gallery.axes, 0, 255).reshape(SIDE, SIDE, 3)) / 2
        for entry in gallery.entries
    ]
    assert min(float(np.abs(mean - other).mean()) for other in others) < 2.0


def test_only_the_face_changes_and_its_inside_is_the_gallerys(astronaut: Image) -> None:
    after = run(method(k=10), astronaut)
    where = changed(astronaut, after)
    rows, columns = np.flatnonzero(where.any(axis=1)), np.flatnonzero(where.any(axis=0))
    assert 20 < rows[0] < 90
    assert 170 < rows[-1] < 230
    assert 150 < columns[0] < 190
    assert 250 < columns[-1] < 300


def test_small_changes_of_a_face_do_not_show(astronaut: Image) -> None:
    """What does not change which entries are near leaves no trace in the face: it is not a filter of the original."""
    other = astronaut.copy()
    other[100:110, 215:225] = 255 - other[100:110, 215:225]
    boxes = (FACE,)
    a, b = (apply("k-same:k=64", image, *boxes) for image in (astronaut, other))
    # In the middle of the face nothing of the original is left, so both are means of the same, or nearly the same, 64.
    assert np.abs(a[100:110, 215:225].astype(int) - b[100:110, 215:225]).max() < 25


def test_a_larger_k_gives_faces_that_are_more_alike(gallery: Gallery) -> None:
    faces = np.random.default_rng(3).integers(0, 256, (6, SIDE, SIDE, 3), dtype=np.uint8)
    faces = (faces * np.linspace(0.2, 1, 6)[:, None, None, None]).astype(np.uint8)
    spread = [float(np.std([mean_of_nearest(gallery, face, k) for face in faces], axis=0).mean()) for k in (2, 64)]
    assert spread[1] < spread[0]


def test_a_turned_face_is_brought_upright() -> None:
    turn = np.array([[0.0, -2.0], [2.0, 0.0]])
    landmarks = (TEMPLATE @ turn.T + [300, 40]).astype(np.float32)
    frame = to_frame(landmarks)
    assert frame is not None
    np.testing.assert_allclose(landmarks @ frame[:, :2].T + frame[:, 2], TEMPLATE, atol=1e-4)
    image = np.zeros((400, 400, 3), np.uint8)
    x, y = np.rint(landmarks[2] - 0.5).astype(int)
    image[y - 2 : y + 3, x - 2 : x + 3] = 255
    row, column = np.unravel_index(aligned(image, frame)[..., 0].argmax(), (SIDE, SIDE))
    assert abs(row + 0.5 - TEMPLATE[2][1]) < 2
    assert abs(column + 0.5 - TEMPLATE[2][0]) < 2


def test_landmarks_that_coincide_or_are_unknown_have_no_frame() -> None:
    assert to_frame(np.zeros((5, 2), np.float32)) is None
    assert to_frame(np.full((5, 2), np.nan, np.float32)) is None


@pytest.mark.parametrize("box", [Box(-500, -500, 40, 40), Box(10, 10, 0.5, 0.5), Box(0, 0, 512, 512)])
def test_boxes_at_the_edge_and_outside(astronaut: Image, box: Box) -> None:
    assert apply("k-same", astronaut, box).shape == astronaut.shape


@pytest.mark.parametrize("k", [1, 65, 2.5, "many"])
def test_k_outside_its_range_is_refused(k: object) -> None:
    with pytest.raises(SpecError, match="a whole number from 2 to 64"):
        KSame(k=k)  # type: ignore[arg-type]


def test_a_gallery_holds_means_of_enough_photos_and_survives_storing(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 256, (70, SIDE, SIDE, 3))
    noise = rng.integers(-20, 21, (70, 6, SIDE, SIDE, 3))
    lonely = rng.integers(0, 256, (2, SIDE, SIDE, 3))
    faces = np.clip(np.concatenate([(kinds[:, None] + noise).reshape(-1, SIDE, SIDE, 3), lonely]), 0, 255)
    tensors, counts, _ = build_gallery(faces.astype(np.uint8), axes=40, groups=72, least=4)
    assert len(counts) >= 64
    assert min(counts) >= 4
    assert sum(counts) <= 420
    save_file(tensors, tmp_path / "g.safetensors")
    stored = read_gallery(tmp_path / "g.safetensors")
    np.testing.assert_array_equal(stored.entries, tensors["entries"])
    np.testing.assert_allclose(stored.axes @ stored.axes.T, np.eye(40), atol=0.05)


def test_a_file_that_is_no_gallery_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "g.safetensors"
    path.write_bytes(b"not a gallery")
    with pytest.raises(CheckpointError, match="holds no gallery"):
        read_gallery(path)


def test_edges_that_resampling_darkened_are_not_the_photos() -> None:
    crop = np.zeros((40, 50, 3), np.uint8)
    crop[10:, 5:45] = 120
    crop[10], crop[:, 5] = crop[10] // 3, crop[:, 5] // 3
    part, corner = without_black_edges(crop)
    assert (part == 120).all()
    assert part.shape == (28, 36, 3)
    assert corner.tolist() == [7, 12]
    dark = np.zeros((4, 4, 3), np.uint8)
    assert without_black_edges(dark)[0].shape == (4, 4, 3)


def test_no_band_lies_across_the_shipped_foreheads(gallery: Gallery) -> None:
    """Of the mean face, grey levels from row to row between hair line and brows."""
    face = gallery.mean.reshape(SIDE, SIDE, 3)[8:20, 26:38].mean(axis=(1, 2))
    assert np.abs(np.diff(face)).max() < 8, face
