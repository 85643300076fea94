"""Contestants made for the audit do what they say, so that an attacker who undoes them has undone something."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.benchmarks.exposed import CONTESTANTS, FILE
from tests.support.fetched import files_of
from tests.support.fooling import permuted, reversible
from tests.support.perturbing import LEVELS, cloak_of_one
from tests.support.textured import photo
from unmask.bench.core import registry
from unmask.bench.core.types import FaceView, Image, Sample
from unmask.bench.run.planning.choosing import shipped_card


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


METHODS = {label: registry.method_spec(f"{label}={spec}") for label, spec in CONTESTANTS.items() if label != "cloak"}


@pytest.mark.parametrize("label", METHODS)
def test_contestants_are_methods_that_keep_every_level(label: str) -> None:
    """Nothing is lost: whoever knows a method has the photo."""
    image, box = photo(0, (120, 120))
    method = registry.create_method(METHODS[label])
    method.load({}, "cpu")

    def outputs(given: Image, seed: int) -> Image:
        (output,) = method.anonymize([Sample("a", given, (box,))], seed=seed)
        assert isinstance(output, np.ndarray)
        return output

    output = outputs(image, 0)
    np.testing.assert_array_equal(output, outputs(image, 1))
    assert (output != image).any()
    left, top, right, bottom = box.scaled(1.2).clipped(*image.shape[:2])
    face = np.zeros(image.shape[:2], np.bool_)
    face[top:bottom, left:right] = True
    if not method.card.params["whole"]:
        np.testing.assert_array_equal(output[~face], image[~face])
    if label.startswith("tiles"):
        np.testing.assert_array_equal(*(np.sort(v.reshape(-1, 3), axis=0) for v in (output, image)))
    else:
        np.testing.assert_array_equal(outputs(output, 0), image)


@pytest.mark.parametrize("name", ["Mirror", "Invert", "Tiles"])
def test_the_whole_photo_may_be_meant(name: str) -> None:
    image, box = photo(0, (120, 120))
    method = registry.create_method(registry.method_spec(f"{FILE}:{name}:whole=true"))
    (output,) = method.anonymize([Sample("a", image, (box,))], seed=0)
    (other,) = method.anonymize([Sample("a", image, ())], seed=0)
    np.testing.assert_array_equal(output, other)
    assert ((output != image).any(axis=2).mean()) > 0.9


@pytest.mark.weights
def test_the_cloak_as_a_method_fools_that_one_alone(open_instrument: Callable[[str], Any], astronaut: Image) -> None:
    facenet, sface, judge = (open_instrument(name) for name in ("facenet", "sface", "yunet"))
    small = np.ascontiguousarray(astronaut[::2, ::2])
    (face,) = judge.detect([small])[0]
    outputs: list[Any] = []
    for _ in range(2):
        method = registry.create_method(registry.method_spec(f"{FILE}:Cloak"))
        method.load(files_of(method.card), "cpu")
        outputs += method.anonymize([Sample("a", small, (face.box,))], seed=len(outputs))
    np.testing.assert_array_equal(*outputs)
    assert 0 < np.abs(outputs[0].astype(int) - small).max() <= LEVELS
    views = [FaceView(image, face.box, face.landmarks) for image in (small, outputs[0])]
    thresholds = {name: points[0]["threshold"] for name, points in shipped_card()["points"].items()}

    def distance(network: Any) -> float:
        return 1 - float(np.prod(network.read(views)["embedding"], axis=0).sum())

    assert distance(facenet) > 1.5 * thresholds["facenet"]
    assert distance(sface) < 0.5 * thresholds["sface"]


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
