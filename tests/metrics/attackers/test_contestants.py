"""Contestants made for the audit do what they say, so that an attacker who undoes them has undone something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.support.fetched import files_of
from tests.support.fooling import permuted, reversible
from tests.support.perturbing import LEVELS, cloak_of_one
from tests.support.textured import photo
from unmask.bench.core.types import FaceView, Image, Sample


@pytest.mark.weights
@pytest.mark.slow
def test_the_cloak_against_one_recogniser_fools_that_one_alone(
    open_instrument: Callable[[str], Any], astronaut: Image
) -> None:
    facenet, other, judge = (open_instrument(name) for name in ("facenet", "mobilefacenet", "yunet"))
    cloak = cloak_of_one(files_of(facenet.card)["weights"], lambda image: judge.detect([image])[0])
    (output,) = cloak.anonymize([Sample("a", astronaut)], seed=0)
    assert 0 < np.abs(output.astype(int) - astronaut).max() <= LEVELS
    (face,) = judge.detect([astronaut])[0]
    views = [FaceView(image, face.box, face.landmarks) for image in (astronaut, output)]
    alike = {
        name: float(np.prod(net.read(views)["embedding"], axis=0).sum())
        for name, net in (("fooled", facenet), ("other", other))
    }
    assert alike["fooled"] < 0.2
    assert alike["other"] > 0.7


def test_keyed_contestants_follow_their_key_and_keep_every_pixel() -> None:
    image, box = photo(0)
    for first, again, other in zip(reversible(1), reversible(1), reversible(2), strict=True):
        outputs = [each.anonymize([Sample("a", image, (box,))], seed=0)[0] for each in (first, again, other)]
        np.testing.assert_array_equal(outputs[0], outputs[1])
        assert (outputs[0] != outputs[2]).any() == (first.name in {"face-tiles", "tiles", "pixels"})
        if first.name in {"face-tiles", "tiles", "pixels"}:
            np.testing.assert_array_equal(*(np.sort(v.reshape(-1, 3), axis=0) for v in (outputs[0], image)))


def test_what_no_tile_covers_stays() -> None:
    image, _ = photo(0, (50, 61))
    output = permuted(image, 0, 16)
    np.testing.assert_array_equal(output[48:], image[48:])
    np.testing.assert_array_equal(output[:, 48:], image[:, 48:])
    assert (output[:48, :48] != image[:48, :48]).any()
