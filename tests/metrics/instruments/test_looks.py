"""A disturbance that hides a face from a recogniser is undone by one of the looks."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from unmask.bench.core.evidence import LOOKS, look_column
from unmask.bench.core.types import Box, FaceView, Floats32, Image
from unmask.metrics.instruments.support.embedding import LookEmbedder


def reading(crops: NDArray[np.uint8]) -> Floats32:
    """A recogniser that knows a crop by its pixels."""
    return crops.reshape(len(crops), -1).astype(np.float32) - 127.4


class Whole(LookEmbedder):
    """Sees the whole image; one of black pixels cannot be cut."""

    batch = 4

    def cut(self, face: FaceView) -> Image | None:
        return face.image if face.image.any() else None


def embedder(crop: Image) -> LookEmbedder:
    whole = Whole(reading)
    whole.dimension = crop.size  # type: ignore[misc]
    return whole


def looks_of(crop: Image) -> dict[str, Floats32]:
    view = FaceView(crop, Box(0, 0, 8, 8), np.zeros((5, 2), np.float32))
    return {name: values[0] for name, values in embedder(crop).read_looks([view]).items()}


def unit(crop: Image) -> Floats32:
    row = reading(crop[None])[0]
    return row / np.linalg.norm(row)


@pytest.fixture
def crop(astronaut: Image) -> Image:
    return np.asarray(cv2.resize(astronaut[60:185, 165:290], (112, 112), interpolation=cv2.INTER_AREA), np.uint8)


def test_what_was_turned_mirrored_or_inverted_is_found_again(crop: Image) -> None:
    made = {"mirrored": crop[:, ::-1], "inverted": 255 - crop}
    made |= {f"turned-{90 * k}": np.rot90(crop, -k) for k in (1, 2, 3)}
    for look, hidden in made.items():
        np.testing.assert_allclose(looks_of(hidden)[look_column(look)], unit(crop), atol=1e-6, err_msg=look)


@pytest.mark.parametrize("look", ["blurred", "halved"])
def test_fine_disturbances_are_mostly_undone(crop: Image, look: str) -> None:
    noise = np.random.default_rng(0).choice([-24, 24], crop.shape)
    disturbed = np.clip(crop + noise, 0, 255).astype(np.uint8)
    left = np.linalg.norm(looks_of(disturbed)[look_column(look)] - looks_of(crop)[look_column(look)])
    assert left < 0.45 * np.linalg.norm(unit(disturbed) - unit(crop))


def test_all_looks_are_there_and_crops_of_other_sizes_are_blurred_alike(crop: Image) -> None:
    assert set(looks_of(crop)) == {look_column(look) for look in LOOKS}
    large = np.asarray(cv2.resize(crop, (224, 224), interpolation=cv2.INTER_LINEAR), np.uint8)
    small, double = (looks_of(image)[look_column("blurred")] for image in (crop, large))
    shrunk = cv2.resize(double.reshape(224, 224, 3), (112, 112), interpolation=cv2.INTER_AREA).ravel()
    assert float(small @ shrunk / np.linalg.norm(shrunk)) > 0.9995


def test_a_face_that_cannot_be_cut_has_no_looks() -> None:
    view = FaceView(np.zeros((8, 8, 3), np.uint8), Box(0, 0, 8, 8), np.zeros((5, 2), np.float32))
    columns = embedder(view.image).read_looks([view])
    assert all(np.isnan(values).all() and values.shape == (1, view.image.size) for values in columns.values())
