"""Outputs of somebody else's anonymizer that lie wrongly, and ones that are the inputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow
from skimage import data

from tests.support.cli import unmask_here
from unmask.bench.core.types import Image

FEW = ("--instrument", "sface", "--metric", "outcome", "--workers", "1", "--device", "cpu")
PHOTOS: tuple[Callable[[], Image], ...] = (
    lambda: data.astronaut()[:300, 60:360],
    lambda: data.astronaut()[0:260, 100:360, ::-1],
    lambda: data.astronaut()[20:420, 20:420],
)


def save(folder: Path, name: str, image: Image) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Pillow.fromarray(np.ascontiguousarray(image)).save(folder / name)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    for k, photo in enumerate(PHOTOS):
        save(tmp_path / "photos", f"{k}.png", photo())
    return tmp_path


def test_untouched_photos_that_lie_wrongly_are_failures_and_untouched_ones_are_said(photos: Path) -> None:
    turned = (lambda i: i[::-1, ::-1], lambda i: np.rot90(i), lambda i: i[:, ::-1])
    for k, (photo, turn) in enumerate(zip(PHOTOS, turned, strict=True)):
        save(photos / "turned", f"{k}.png", turn(photo()))
        save(photos / "same", f"{k}.png", photo())
    specs = [f"{name}=outputs:dir={photos / name}" for name in ("turned", "same")]
    methods = [argument for spec in specs for argument in ("--method", spec)]
    unmask_here("run", "--dataset", f"folder:{photos / 'photos'}", *methods, *FEW, "--out", str(photos / "run"))
    estimates = json.loads((photos / "run/estimates.json").read_text())
    reasons = {row["sample"]: row["reason"] for row in estimates["failures"] if row["method"] == "turned"}
    assert sorted(reasons.values()) == [
        "the output is the mirrored input",
        "the output lies turned by 180 degrees",
        "the output lies turned by 90 degrees anticlockwise",
    ]
    said = [row["text"] for row in estimates["findings"] if row["method"] == "same" and row["kind"] == "unchanged"]
    assert said == ["3 of 3 outputs are the inputs themselves, pixel for pixel: nothing was done to them"]
