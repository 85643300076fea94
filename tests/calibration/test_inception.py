"""Our Inception features against the TorchScript network whose tensors they use, run as its makers meant it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Image
from unmask.bench.fetch.packages import cached
from unmask.metrics.instruments.inception import Inception, build_network
from unmask.metrics.instruments.support.safe_pickle import load_torchscript_tensors

Opener = Callable[[str], Any]
pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def photos(astronaut: Image) -> list[Image]:
    """Three regions of different sizes; one is enlarged to 299 px, two are reduced."""
    return [
        astronaut,
        np.ascontiguousarray(astronaut[40:168, 160:288]),
        np.ascontiguousarray(astronaut[100:500, 20:340]),
    ]


@pytest.mark.filterwarnings("ignore:.*torch.jit.*")
def test_same_features_as_the_torchscript_network(photos: list[Image], open_instrument: Opener) -> None:
    ours = open_instrument("inception").read(photos)["features"]
    path = cached(Inception.card.files[0])
    # The file's sha256 is pinned and was checked, so that running its program here is safe; the instrument never does.
    load: Any = torch.jit.load
    network = load(str(path), map_location="cpu").eval()
    for row, photo in enumerate(photos):
        pixels = torch.from_numpy(photo.copy()).permute(2, 0, 1)[None].float() / 255
        pixels = torch.nn.functional.interpolate(pixels, size=(299, 299), mode="bilinear", align_corners=False)
        with torch.inference_mode():
            theirs = network(2 * pixels - 1)[0].numpy()
        np.testing.assert_allclose(ours[row], theirs, atol=1e-4)


def test_shape_batch_and_sensitivity(photos: list[Image], open_instrument: Opener) -> None:
    instrument = open_instrument("inception")
    together = instrument.read(photos)["features"]
    assert together.shape == (3, 2048)
    assert together.dtype == np.float32
    assert (together >= 0).all()
    np.testing.assert_allclose(instrument.read(photos[1:2])["features"][0], together[1], atol=1e-3)
    blurred = [np.asarray(cv2.GaussianBlur(photos[1], (0, 0), sigma), np.uint8) for sigma in (1.0, 4.0)]
    far = np.linalg.norm(instrument.read(blurred)["features"] - together[1], axis=1)
    assert 0 < far[0] < far[1]
    assert instrument.read([])["features"].shape == (0, 2048)


def test_a_file_of_other_tensors_is_refused() -> None:
    tensors = load_torchscript_tensors(cached(Inception.card.files[0]))
    del tensors["net/layers/conv/beta"]
    with pytest.raises(CheckpointError, match=r"does not fit .*net/layers/conv/beta"):
        build_network(tensors)
    first = {"net/layers/conv/weight": np.zeros((32, 3, 3, 3), np.float32)}
    with pytest.raises(CheckpointError, match="does not fit"):
        build_network(first)
    swapped = load_torchscript_tensors(cached(Inception.card.files[0]))
    swapped["net/layers/conv/weight"] = swapped["net/layers/conv_1/weight"]
    with pytest.raises(CheckpointError, match="does not fit"):
        build_network(swapped)
