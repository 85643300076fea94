"""Darknet's files: networks of every kind of section answer as OpenCV's do, and what is wrong or hostile is refused."""

from __future__ import annotations

import tracemalloc
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from tests.metrics.instruments.darknet_files import SMALL, write_cfg, write_weights
from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Floats32
from unmask.metrics.instruments.support.darknet import load_darknet

SIZE = 64
TOLERANCE = 2e-5
"""Of shares of the input's side (and 1e-5 of the share, where a box is larger than the image) and of probabilities."""


def opencv(cfg: Path, weights: Path, pixels: Floats32) -> Floats32:
    """(B, N, 5 + classes) as our network answers, but probabilities times objectness, and 0 where that is below 0.2."""
    network: Any = cv2.dnn.readNetFromDarknet(str(cfg), str(weights))
    network.setInput(pixels)
    found = network.forward(network.getUnconnectedOutLayersNames())
    return np.concatenate([part.reshape(len(pixels), -1, part.shape[-1]) for part in found], 1)


def compare(ours: Floats32, theirs: Floats32) -> int:
    """Compares as far as OpenCV tells; returns how many probabilities it told."""
    np.testing.assert_allclose(ours[..., :5], theirs[..., :5], rtol=1e-5, atol=TOLERANCE)
    products = ours[..., 5:] * ours[..., 4:5]
    told = theirs[..., 5:] > 0
    np.testing.assert_allclose(products[told], theirs[..., 5:][told], atol=TOLERANCE)
    assert (products[~told] <= 0.2 + TOLERANCE).all()
    return int(told.sum())


@pytest.fixture
def pixels() -> Floats32:
    return np.random.default_rng(1).random((2, 3, SIZE, SIZE), np.float32)


def test_every_kind_of_section_answers_as_in_opencv(tmp_path: Path, pixels: Floats32) -> None:
    cfg = write_cfg(tmp_path)
    weights = write_weights(tmp_path, cfg)
    ours = load_darknet(cfg, weights, SIZE)(torch.from_numpy(pixels)).numpy()
    assert ours.shape == (2, 16 * 16 * 2 + 32 * 32, 7)
    assert compare(ours, opencv(cfg, weights, pixels)) > 100


def test_old_headers_are_shorter(tmp_path: Path, pixels: Floats32) -> None:
    cfg = write_cfg(tmp_path)
    x = torch.from_numpy(pixels)
    old, new = (load_darknet(cfg, write_weights(tmp_path, cfg, version=v), SIZE)(x) for v in (1, 2))
    torch.testing.assert_close(old, new, rtol=0, atol=0)


def test_loading_draws_nothing_from_torchs_generator(tmp_path: Path) -> None:
    cfg = write_cfg(tmp_path)
    weights = write_weights(tmp_path, cfg)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    load_darknet(cfg, weights, SIZE)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("extra", [1, -1, 500, -10_000_000])
def test_every_weight_is_used_and_none_is_left_over(tmp_path: Path, extra: int) -> None:
    cfg = write_cfg(tmp_path)
    with pytest.raises(CheckpointError, match=r"holds .* weights, but the layers of its \.cfg take [\d,]+;"):
        load_darknet(cfg, write_weights(tmp_path, cfg, extra=extra), SIZE)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no Darknet .weights: it has 0 bytes"),
        (b"PK\x03\x04" + b"\xff" * 2000, "no Darknet .weights: it says to be of version"),
    ],
)
def test_other_files_are_no_weights(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "x.weights"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=says):
        load_darknet(write_cfg(tmp_path), path, SIZE)


@pytest.mark.parametrize("poison", [np.nan, np.inf, -1.0])
def test_numbers_that_make_no_network_are_refused(tmp_path: Path, poison: float) -> None:
    cfg = write_cfg(tmp_path)
    path = write_weights(tmp_path, cfg)
    content = bytearray(path.read_bytes())
    # The first layer's fourth block of six: its variances.
    content[20 + 4 * 18 : 20 + 4 * 19] = np.array([poison], "<f4").tobytes()
    path.write_bytes(content)
    if poison == np.inf:
        load_darknet(cfg, path, SIZE)  # an infinite variance makes a weight of 0
        content[20:24] = np.array([poison], "<f4").tobytes()
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=r"small-2-0.weights holds (a variance|values)"):
        load_darknet(cfg, path, SIZE)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[upsample]", "[lstm]", r"line \d+, \[lstm\]: is a section that YOLOv3 has not"),
        ("[net]", "[nets]", r"does not begin with \[net\]"),
        ("channels=3", "channels=1", "channels = '1': .* equal to 3"),
        ("filters=6", "filters=10000000", "filters = '10000000': .* less than or equal to 4096"),
        ("filters=6", "filters=6.5", "filters = '6.5': .* valid integer"),
        ("filters=6", "filters=nan", "valid integer"),
        ("filters=6", "filters=1e400", "valid integer"),
        ("filters=6", "filters=", "valid integer"),
        ("filters=6\n", "", "filters is missing"),
        ("filters=6", "filters=6\nfilters=7", "'filters' is given twice"),
        ("filters=6", "filters=6\ngroups=2", "'groups' is a setting that YOLOv3 has not"),
        ("filters=6", "filters=7", "adds 7 channels to 6"),
        ("size=3", "size=99", "size = '99': .* less than or equal to 15"),
        ("stride=2", "stride=0", "stride = '0': .* greater than or equal to 1"),
        ("activation=leaky", "activation=mish", "activation = 'mish': .* 'leaky' or 'linear'"),
        ("from=-2", "from=-3", "refers to layer -3, which is not before it"),
        ("from=-2", "from=2", "refers to layer 2, which is not before it"),
        ("layers = -1, 2", "layers = -1, 99", "refers to layer 99"),
        ("layers = -1, 2", "layers = -1, 5", r"do not fit together at 64 pixels \(Sizes of tensors must match"),
        ("layers = -1, 2", "layers = " + "-1," * 2000 + "-1", "at most 8 items"),
        ("mask = 1,2", "mask = 1,3", "mask must count them from 0"),
        ("mask = 1,2", "mask = 1", "needs 1 x .5 . 2. channels, but the layer before it gives 14"),
        ("anchors = 4,5,  8,9,  16,20", "anchors = 4,5,  8,9,  16", "must be pairs"),
        ("anchors = 4,5,", "anchors = 0,5,", "greater than 0"),
        ("classes=2", "classes=3", "needs 2 x"),
        ("anchors = 4,5,", "anchors = 4,nan,", "anchors = .* finite number"),
        ("anchors = 4,5,", "anchors = 4,inf,", "anchors = .* finite number"),
        ("mask = 1,2", "mask = 1,-2", "greater than or equal to 0"),
        ("pad=1", "pad=2", "less than or equal to 1"),
        ("jitter=.3", "scale_x_y=1.2", "'scale_x_y' is a setting that YOLOv3 has not"),
        ("[yolo]", "[yolo]\nthis is no setting", "neither .section. nor setting=value"),
    ],
)
def test_what_yolov3_has_not_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    assert old in SMALL
    with pytest.raises(CheckpointError, match=says) as caught:
        load_darknet(write_cfg(tmp_path, SMALL.replace(old, new, 1)), tmp_path / "none.weights", SIZE)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_shortcut_does_not_spread_one_cell_over_a_grid(tmp_path: Path) -> None:
    text = "[net]\n" + "[maxpool]\nstride=4\n" * 3 + "[shortcut]\nfrom=-3\nactivation=linear\n"
    cfg = write_cfg(tmp_path, text + "[route]\nlayers=-1,-1\n[yolo]\nmask=0\nanchors=1,1\nclasses=1\n")
    with pytest.raises(CheckpointError, match="adds outputs of different sizes"):
        load_darknet(cfg, tmp_path / "none.weights", SIZE)


def test_files_that_are_no_cfg_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.cfg"
    answers = {
        b"": r"begin with \[net\]",
        b"\xff\xfe\x00": "not text",
        b"#" * 200_000: "more than",
        b"[net]\n[maxpool]\nstride=2\n": "describes no detector",
    }
    for content, says in answers.items():
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=says):
            load_darknet(path, tmp_path / "none.weights", SIZE)


def test_a_cfg_cannot_ask_for_all_memory(tmp_path: Path) -> None:
    """Neither by weights nor by activations, nor by layers without number; found out before any is made."""
    layer = "[convolutional]\nfilters=4096\nsize=15\nstride=1\npad=1\nactivation=linear\n"
    texts = {
        "weights, more than": "[net]\n" + layer * 20 + "[yolo]\nmask=0\nanchors=1,1\nclasses=4091\n",
        "they take more than": SMALL.replace("[upsample]\nstride=2", "[upsample]\nstride=4\n" * 20),
        "1 to 256 can be read": "[net]\n" + "[maxpool]\nstride=1\n" * 300,
    }
    tracemalloc.start()
    for says, text in texts.items():
        with pytest.raises(CheckpointError, match=says):
            load_darknet(write_cfg(tmp_path, text), tmp_path / "none.weights", SIZE)
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()
