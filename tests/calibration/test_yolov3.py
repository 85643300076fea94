"""YOLOv3-tiny in torch against OpenCV's reading of the same two files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.metrics.instruments.test_darknet import compare, opencv
from tests.support.fetched import files_of
from tests.support.video_parts import person_detector, pets_frames
from unmask.bench.core.types import Image
from unmask.metrics.instruments.support.darknet import load_darknet
from unmask.metrics.instruments.yolov3 import YoloV3, YoloV3Tiny

WEIGHTS = 8_858_734
pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def files() -> dict[str, Path]:
    return files_of(YoloV3Tiny().card)


@pytest.fixture(scope="module")
def trained_cfg(files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The .cfg with the anchors that the weights were trained with."""
    text = files["cfg"].read_text()
    assert text.count("mask = 0,1,2") == 1
    path = tmp_path_factory.mktemp("cfg") / "trained.cfg"
    path.write_text(text.replace("mask = 0,1,2", "mask = 1,2,3"))
    return path


def test_every_weight_of_the_file_is_used(files: dict[str, Path]) -> None:
    assert files["weights"].stat().st_size == 20 + 4 * WEIGHTS
    network = load_darknet(files["cfg"], files["weights"], 416)
    # Scales, means and variances (3 for each filter of a normalised layer) are multiplied into the weights.
    normalised = sum(c.out_channels for c in network.convolutions if c.out_channels != 255)
    assert sum(parameter.numel() for parameter in network.parameters()) == WEIGHTS - 3 * normalised


@pytest.mark.parametrize("size", [416, 320])
def test_raw_outputs_are_opencvs(files: dict[str, Path], astronaut: Image, size: int) -> None:
    photos = [astronaut, np.ascontiguousarray(astronaut[::-1, :, ::-1])]
    pixels = np.stack([cv2.resize(photo, (size, size)) for photo in photos]).astype(np.float32) / 255
    pixels = np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))
    ours = load_darknet(files["cfg"], files["weights"], size)(torch.from_numpy(pixels)).numpy()
    compare(ours, opencv(files["cfg"], files["weights"], pixels))
    network: Any = cv2.dnn.readNetFromDarknet(str(files["cfg"]), str(files["weights"]))
    network.setInput(pixels)
    raw = network.forward(["conv_15", "conv_22"])
    cells = [r.reshape(2, 3, 85, *r.shape[2:]).transpose(0, 3, 4, 1, 2).reshape(2, -1, 85) for r in raw]
    theirs = 1 / (1 + np.exp(-np.concatenate(cells, 1)))
    np.testing.assert_allclose(ours[..., 4:], theirs[..., 4:], atol=1e-4)


@pytest.mark.data
def test_boxes_are_opencvs(trained_cfg: Path, files: dict[str, Path], shared_data: Path) -> None:
    """The whole way: resizing, scores, suppression, pixels; with OpenCV's own network and suppression."""
    photo = pets_frames(shared_data, 1)[0]
    found = person_detector().detect([photo])[0]
    pixels = cv2.resize(photo, (416, 416)).astype(np.float32).transpose(2, 0, 1)[None] / 255
    rows = opencv(trained_cfg, files["weights"], np.ascontiguousarray(pixels))[0]
    edges = np.column_stack([rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2]) * ([768, 576] * 2)
    boxes = np.column_stack([edges[:, :2], edges[:, 2:] - edges[:, :2]])
    kept = np.array(cv2.dnn.NMSBoxes(boxes.tolist(), rows[:, 5].tolist(), 0.5, 0.5)).reshape(-1)
    assert len(kept) == len(found) >= 3
    for index, person in zip(kept, found, strict=True):
        assert person.score == pytest.approx(rows[index, 5], abs=1e-4)
        left, top, right, bottom = np.clip(edges[index], 0, [768, 576] * 2)
        box = person.box
        np.testing.assert_allclose([box.x, box.y, box.w, box.h], [left, top, right - left, bottom - top], atol=0.05)


def test_the_tiny_network_is_the_users_own_with_the_right_anchors(
    trained_cfg: Path, files: dict[str, Path], astronaut: Image
) -> None:
    own = YoloV3(cfg=str(trained_cfg), weights=str(files["weights"]), names=str(files["names"]), score=0.05)
    own.load({}, "cpu")
    expected = person_detector("yolov3-tiny:score=0.05").detect([astronaut])
    assert len(expected[0]) > 1
    assert own.detect([astronaut]) == expected
