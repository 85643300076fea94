"""How a face's place looks as a picture: by hand, and what each number answers to."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image as Pillow

from unmask.bench.core.types import Box, Float, Image
from unmask.metrics.instruments.photometric import STATISTICS, SURROUNDING, photometric

BOX = Box(60, 40, 64, 64)


def named(image: Image, box: Box = BOX) -> dict[str, float]:
    names = [*STATISTICS, *(f"around_{name}" for name in SURROUNDING)]
    return dict(zip(names, photometric(image, box).tolist(), strict=True))


def scene(seed: int = 0) -> Float:
    """A smooth scene of 160 x 200 px, levels 60..200."""
    rng = np.random.default_rng(seed)
    rough = rng.uniform(60, 200, (6, 8, 3)).astype(np.float32)
    return np.asarray(cv2.resize(rough, (200, 160), interpolation=cv2.INTER_CUBIC), np.float64)


def as_image(levels: Float) -> Image:
    return np.clip(np.round(levels), 0, 255).astype(np.uint8)


def test_flat_colours_by_hand() -> None:
    image = np.full((160, 200, 3), (10, 20, 30), np.uint8)
    image[40:104, 60:124] = (200, 100, 50)
    numbers = named(image)
    for name, values in {"mean": (200, 100, 50), "low": (200, 100, 50), "high": (200, 100, 50)}.items():
        assert [numbers[f"{name}_{c}"] for c in ("red", "green", "blue")] == pytest.approx(values)
    assert [numbers[f"around_mean_{c}"] for c in ("red", "green", "blue")] == pytest.approx((10, 20, 30))
    assert numbers["deviation_red"] == numbers["around_deviation_red"] == 0
    assert numbers["red_to_green"] == pytest.approx(np.log(201 / 101))
    assert numbers["blue_to_green"] == pytest.approx(np.log(51 / 101))
    assert numbers["saturation"] == pytest.approx(0.75, abs=0.01)
    assert numbers["noise"] == numbers["sharpness"] == pytest.approx(np.log(1e-3))
    assert numbers["blocks"] == numbers["light_from_left"] == numbers["light_from_above"] == 0


def test_light() -> None:
    image = scene()
    image[:, :92] += 40
    brighter = named(as_image(image))
    plain = named(as_image(scene()))
    assert brighter["light_from_left"] - plain["light_from_left"] == pytest.approx(40, abs=2)
    assert brighter["light_from_above"] == pytest.approx(plain["light_from_above"], abs=2)


@pytest.mark.parametrize("level", [2.0, 5.0, 12.0])
def test_noise_is_measured(level: float) -> None:
    noisy = as_image(scene() + np.random.default_rng(1).normal(0, level, (160, 200, 1)))
    assert np.exp(named(noisy)["noise"]) == pytest.approx(level, rel=0.2)


def test_blur_is_less_sharp() -> None:
    rough = np.random.default_rng(0).integers(0, 255, (160, 200, 3)).astype(np.uint8)
    levels = [named(np.asarray(cv2.GaussianBlur(rough, (0, 0), s), np.uint8))["sharpness"] for s in (0.5, 2, 5)]
    assert levels == sorted(levels, reverse=True)


def test_compression_shows_as_blocks_wherever_the_face_lies() -> None:
    noisy = as_image(scene() + np.random.default_rng(1).normal(0, 8, (160, 200, 3)))
    stored = io.BytesIO()
    Pillow.fromarray(noisy).save(stored, "JPEG", quality=10)
    compressed = np.asarray(Pillow.open(stored))
    for box in (BOX, Box(63, 37, 61, 70)):
        assert named(compressed, box)["blocks"] > named(noisy, box)["blocks"] + 0.3
        assert abs(named(noisy, box)["blocks"]) < 0.15


@pytest.mark.parametrize(
    "box", [Box(0, 0, 1, 1), Box(-5, -5, 7, 7), Box(0, 0, 200, 160), Box(-999, -999, 5000, 5000), Box(199, 159, 9, 9)]
)
def test_any_box_with_an_area_in_the_image_is_measured(box: Box) -> None:
    assert np.isfinite(photometric(as_image(scene()), box)).all()


@pytest.mark.parametrize("box", [Box(10, 10, 0, 9), Box(500, 10, 9, 9), Box(float("nan"), 0, 9, 9)])
def test_others_are_not(box: Box) -> None:
    assert np.isnan(photometric(as_image(scene()), box)).all()
