"""blackout, blur and pixelate, told where the faces are."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from tests.methods.support import apply, changed, noise
from unmask.bench.core.registry import create_method
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.types import Box, MethodFailure, Sample

ALL = ("blackout", "blur", "blur:shape=ellipse", "pixelate")


def test_blackout_fills_the_grown_box_and_nothing_else() -> None:
    image = noise(60, 80)
    output = apply("blackout:margin=0.1", image, Box(20, 10, 20, 30))
    expected = image.copy()
    expected[7:43, 18:42] = 0
    np.testing.assert_array_equal(output, expected)


def test_blur_equals_blurring_the_whole_photo_and_pasting_the_box() -> None:
    """Against scipy's Gaussian (same cut-off, same mirror), to one level of rounding."""
    image = noise(90, 120)
    output = apply("blur:sigma=0.1,margin=0", image, Box(30, 5, 40, 50))
    whole = np.stack([gaussian_filter(image[..., c].astype(float), 4.0, mode="mirror") for c in range(3)], axis=-1)
    assert np.abs(output[5:55, 30:70] - whole[5:55, 30:70]).max() <= 0.51
    outside = np.ones(image.shape[:2], dtype=bool)
    outside[5:55, 30:70] = False
    np.testing.assert_array_equal(output[outside], image[outside])


def test_blur_strength_is_relative_to_the_face() -> None:
    """The same scene at twice the size, blurred by the same fraction, is the same picture at twice the size."""
    small = np.repeat(np.repeat(noise(20, 20), 4, axis=0), 4, axis=1)
    large = np.repeat(np.repeat(small, 2, axis=0), 2, axis=1)
    a = apply("blur:sigma=0.2,margin=0", small, Box(20, 20, 40, 40))
    b = apply("blur:sigma=0.2,margin=0", large, Box(40, 40, 80, 80))
    halved = b.reshape(80, 2, 80, 2, 3).mean(axis=(1, 3))
    assert np.abs(halved - a)[25:55, 25:55].max() < 3


def test_stronger_blur_leaves_less_detail() -> None:
    image = noise(80, 80)
    spread = [apply(f"blur:sigma={s}", image, Box(20, 20, 40, 40))[22:58, 22:58].std() for s in (0.02, 0.05, 0.1, 0.3)]
    assert spread == sorted(spread, reverse=True)


def test_an_ellipse_leaves_the_corners() -> None:
    image = noise(80, 80)
    touched = changed(image, apply("blur:shape=ellipse,margin=0", image, Box(20, 20, 40, 40)))
    assert not touched[20, 20]
    assert not touched[59, 59]
    assert touched[40, 22]
    assert touched[40, 40]
    assert touched.sum() == pytest.approx(np.pi * 20**2, rel=0.02)


def test_pixelate_blocks_are_means_anchored_to_the_box() -> None:
    image = noise(60, 70)
    output = apply("pixelate:blocks=4,margin=0", image, Box(13, 7, 32, 24))
    for row in range(3):
        for column in range(4):
            block = (slice(7 + 8 * row, 15 + 8 * row), slice(13 + 8 * column, 21 + 8 * column))
            mean = image[block].reshape(-1, 3).mean(axis=0)
            assert np.abs(output[block] - mean).max() <= 0.5
    assert changed(image, output).sum() == changed(image, output)[7:31, 13:45].sum()


def test_pixelate_margin_is_rounded_up_to_whole_blocks() -> None:
    image = noise(80, 80)
    touched = changed(image, apply("pixelate:blocks=4,margin=0.1", image, Box(20, 20, 32, 32)))
    rows, columns = np.nonzero(touched)
    assert (rows.min(), rows.max()) == (12, 59)
    assert (columns.min(), columns.max()) == (12, 59)


@pytest.mark.parametrize("spec", ALL)
@pytest.mark.parametrize(
    "face",
    [
        Box(10, 10, 1, 1),
        Box(10.4, 10.4, 0.2, 0.2),
        Box(10, 10, 5, 6),
        Box(-15, -10, 30, 30),
        Box(50, 30, 40, 40),
        Box(-5, -5, 200, 200),
    ],
    ids=["one pixel", "below a pixel", "smaller than the blocks", "left top edge", "right bottom edge", "whole image"],
)
def test_every_face_in_the_image_is_changed(spec: str, face: Box) -> None:
    """However small: a face that comes back as it was would count as missed."""
    image = noise(50, 70)
    assert changed(image, apply(spec, image, face)).any()


@pytest.mark.parametrize("spec", ALL)
@pytest.mark.parametrize("face", [Box(200, 200, 10, 10), Box(-60, 10, 20, 20), Box(10, 10, 0, 10), Box(10, 10, 9, -3)])
def test_no_face_in_the_image_changes_nothing(spec: str, face: Box) -> None:
    image = noise(50, 70)
    np.testing.assert_array_equal(apply(f"{spec},margin=0" if ":" in spec else f"{spec}:margin=0", image, face), image)


@pytest.mark.parametrize("spec", ALL)
def test_overlapping_faces_do_not_depend_on_the_order_of_the_boxes(spec: str) -> None:
    image = noise(80, 80)
    boxes = (Box(10, 10, 40, 40), Box(30, 30, 30, 30), Box(20, 25, 30, 30))
    np.testing.assert_array_equal(apply(spec, image, *boxes), apply(spec, image, *boxes[::-1]))


def test_an_overlap_is_not_weaker_than_one_face() -> None:
    image = noise(80, 80)
    one = apply("blur:sigma=0.1,margin=0", image, Box(10, 10, 40, 40))[30:50, 30:50]
    both = apply("blur:sigma=0.1,margin=0", image, Box(10, 10, 40, 40), Box(30, 30, 20, 20))[30:50, 30:50]
    assert both.std() <= one.std()


@pytest.mark.parametrize("spec", ["blackout", "blur", "pixelate"])
def test_no_faces_is_the_input_and_no_boxes_is_a_failure(spec: str) -> None:
    image = noise(30, 30)
    np.testing.assert_array_equal(apply(spec, image), image)
    method = create_method(parse_spec(f"{spec}:detector=harness"))
    assert isinstance(method.anonymize([Sample("a", image, None)], seed=0)[0], MethodFailure)


def test_the_card_says_whose_boxes_were_used() -> None:
    own, given = (create_method(parse_spec(s)).card for s in ("blur", "blur:detector=harness"))
    assert own.detector == "mtcnn"
    assert set(own.weights) == {"mtcnn-pnet", "mtcnn-rnet", "mtcnn-onet"}
    assert all(len(value) == 64 for value in own.weights.values())
    assert given.detector == "harness"
    assert not given.weights
    assert given.params["detector"] == "harness"
