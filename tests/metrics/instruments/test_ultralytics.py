"""Models of ultralytics, with a package made up for the test: the real one is an optional extra."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from unmask.bench.core.cards import OWN_WEIGHTS
from unmask.bench.core.errors import CheckpointError, SpecError, UnavailableError
from unmask.bench.core.files import sha256_of
from unmask.bench.core.registry import create_instrument
from unmask.bench.core.spec import Spec
from unmask.bench.core.types import Box, Image
from unmask.bench.core.video import PersonDetector

NAMES = "{0: 'bicycle', 1: 'person', 2: 'car'}"


def exported(path: Path, **metadata: str) -> Path:
    """A network that does nothing, with the metadata that ultralytics writes."""
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("images", "output0")]
    graph = helper.make_graph([helper.make_node("Identity", ["images"], ["output0"])], "g", ends[:1], ends[1:])
    model = helper.make_model(graph)
    for key, value in metadata.items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(model, str(path))
    return path


class FakeModel:
    """Answers in ultralytics's form, whatever it is shown, and remembers what it was asked."""

    def __init__(self, path: str, task: str) -> None:
        self.path, self.task, self.asked = path, task, []

    def predict(self, source: list[Image], **settings: Any) -> list[Any]:
        self.asked.append((source, settings))
        rows = torch.tensor(
            [
                [10.0, 20.0, 40.0, 80.0, 0.7, 1],
                [-5.0, 30.0, 60.0, 500.0, 0.9, 1],
                [0.0, 0.0, 50.0, 50.0, 0.99, 2],
                [300.0, 10.0, 340.0, 90.0, 0.8, 1],
            ]
        )
        boxes = SimpleNamespace(xyxy=rows[:, :4].numpy(), conf=rows[:, 4].numpy(), cls=rows[:, 5].numpy())
        return [SimpleNamespace(boxes=SimpleNamespace(cpu=lambda: SimpleNamespace(numpy=lambda: boxes)))]


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType("ultralytics")
    module.YOLO = FakeModel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ultralytics", module)
    return module


def detector(path: Path, **params: Any) -> PersonDetector:
    return create_instrument(Spec("ultralytics", {"model": str(path), **params}), "people")


def test_boxes_of_people_are_read_right(package: ModuleType, tmp_path: Path) -> None:
    made = detector(exported(tmp_path / "yolo.onnx", names=NAMES, imgsz="[320, 320]"), score=0.4, iou=0.6)
    made.load({}, "cpu")
    image = np.zeros((100, 200, 3), np.uint8)
    image[..., 0] = 255
    found = made.detect([image, image])
    # Best first, clipped to the image, the car and the person outside left out.
    assert [p.box for p in found[0]] == [Box(0, 30, 60, 70), Box(10, 20, 30, 60)]
    assert [p.score for p in found[0]] == pytest.approx([0.9, 0.7])
    assert found[0] == found[1]
    assert made.detect([]) == []
    model = made._model  # type: ignore[attr-defined]
    ((shown,), settings), _ = model.asked
    assert (shown[0, 0] == [0, 0, 255]).all(), "the package takes arrays for BGR"
    assert settings == {
        "conf": 0.4,
        "iou": 0.6,
        "classes": [1],
        "max_det": 100,
        "device": "cpu",
        "verbose": False,
        "imgsz": [320, 320],
    }
    assert (model.path, model.task) == (str(tmp_path / "yolo.onnx"), "detect")


def test_the_card_tells_which_file_is_used(package: ModuleType, tmp_path: Path) -> None:
    path = exported(tmp_path / "yolo.onnx", names=NAMES)
    card = detector(path).card
    assert dict(card.params) == {"score": 0.5, "iou": 0.5, OWN_WEIGHTS: sha256_of(path)}
    assert "AGPL-3.0" in card.licence
    assert str(tmp_path) not in str(card)
    assert not card.default


def test_without_the_package_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = exported(tmp_path / "yolo.onnx", names=NAMES)
    monkeypatch.delitem(sys.modules, "ultralytics", raising=False)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UnavailableError, match=r"needs its package \(AGPL-3.0\): pip install 'unmask\[ultralytics\]'"):
        detector(path)


def test_pickles_and_other_formats_are_refused_unopened(package: ModuleType, tmp_path: Path) -> None:
    for name in ("yolo11n.pt", "yolo11n.torchscript", "yolo.engine", "yolo"):
        (tmp_path / name).write_bytes(b"x")
        with pytest.raises(SpecError, match=r"can run code when opened; export it where you trust it"):
            detector(tmp_path / name)


def test_a_name_that_the_package_takes_for_a_pickle_is_refused(package: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"rename yolo.pt.onnx so that its only dot is that of .onnx"):
        detector(exported(tmp_path / "yolo.pt.onnx", names=NAMES))


def test_a_missing_file_is_said(package: ModuleType) -> None:
    with pytest.raises(UnavailableError, match=r"model=nowhere.onnx is not a file"):
        detector(Path("nowhere.onnx"))


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"names": "__import__('os').mkdir('harm')"}, "metadata 'names' is no plain value; do not use the file"),
        ({"names": NAMES, "args": "exec('1')"}, "metadata 'args' is no plain value"),
        ({"names": "{0: 'car'}"}, "has no class 'person'"),
        ({"names": "[" * 5000}, "no plain value"),
        ({}, "has no class 'person'"),
    ],
)
def test_metadata_that_old_versions_would_run_is_refused(
    package: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, metadata: dict[str, str], says: str
) -> None:
    monkeypatch.chdir(tmp_path)
    made = detector(exported(tmp_path / "yolo.onnx", **metadata))
    with pytest.raises(CheckpointError, match=says):
        made.load({}, "cpu")
    assert not (tmp_path / "harm").exists()


def test_files_that_are_no_network_are_refused(package: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "yolo.onnx"
    path.write_bytes(b"\x80\x04not a network")
    made = detector(path)
    with pytest.raises(CheckpointError, match=r"yolo.onnx is not a usable ONNX network"):
        made.load({}, "cpu")


def test_the_package_is_kept_from_installing_and_reporting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It reads these when it is imported."""
    folder = tmp_path / "ultralytics"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "import os\nSEEN = {k: v for k, v in os.environ.items() if k.startswith('YOLO_')}\n"
        "def YOLO(path, task):\n    return SEEN\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "ultralytics", raising=False)
    for key in ("YOLO_AUTOINSTALL", "YOLO_OFFLINE", "YOLO_VERBOSE"):
        monkeypatch.setenv(key, "true")
    made = detector(exported(tmp_path / "yolo.onnx", names=NAMES))
    made.load({}, "cpu")
    assert made._model == {  # type: ignore[attr-defined]
        "YOLO_AUTOINSTALL": "false",
        "YOLO_OFFLINE": "true",
        "YOLO_VERBOSE": "false",
    }
    sys.modules.pop("ultralytics")
    assert os.environ["YOLO_OFFLINE"] == "true"


def test_detecting_before_loading_is_a_bug(package: ModuleType, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="load"):
        detector(exported(tmp_path / "yolo.onnx", names=NAMES)).detect([np.zeros((9, 9, 3), np.uint8)])


@pytest.mark.parametrize("params", [{"score": 0}, {"iou": 1}, {"score": "low"}])
def test_shares_that_are_none_are_refused(package: ModuleType, tmp_path: Path, params: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="must be above 0 and below 1"):
        detector(exported(tmp_path / "yolo.onnx", names=NAMES), **params)
