"""What all recognisers promise: embeddings of length 1, NaN for what cannot be read, clear errors."""

from __future__ import annotations

import hashlib
import shutil
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import dlib
import h5py
import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from tests.support.fetched import files_of
from unmask.bench.core.errors import CheckpointError, UnavailableError
from unmask.bench.core.registry import create_metric
from unmask.bench.core.types import Box, FaceView, Image
from unmask.bench.run.figures.operating_points import instrument_identity, usable_points
from unmask.bench.run.planning.choosing import choose_instruments
from unmask.metrics.instruments.buffalo import BuffaloL
from unmask.metrics.instruments.recognisers import DlibResNet, FaceNet, standardised
from unmask.metrics.instruments.support.crops import ARCFACE_TEMPLATE, aligned
from unmask.metrics.instruments.support.dlib_network import load_dlib
from unmask.metrics.instruments.support.embedding import normalised
from unmask.metrics.instruments.support.keras_inception_resnet import last_part_of, load_keras
from unmask.metrics.instruments.support.onnx_session import (
    cores,
    fast_network,
    onnx_providers,
    open_session,
    read_model,
    torch_device,
    unfold_prelu,
)

NAMES = ("mobilefacenet", "sface", "facenet", "dlib")


@pytest.fixture
def face(open_instrument: Callable[[str], Any], astronaut: Image) -> FaceView:
    (found,) = open_instrument("yunet").detect([astronaut])
    return FaceView(astronaut, found[0].box, found[0].landmarks)


def again(face: FaceView, image: Image | None = None) -> FaceView:
    """The same face without its cached crops, or the same place in another image."""
    return FaceView(face.image if image is None else image, face.box, face.landmarks)


@pytest.mark.weights
@pytest.mark.parametrize("name", NAMES)
def test_embeddings_have_length_one_and_tell_a_face_from_noise(
    name: str, open_instrument: Callable[[str], Any], face: FaceView
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, face.image.shape, np.uint8)
    darker = (face.image * 0.8).astype(np.uint8)
    embedding = open_instrument(name).read([face, again(face, darker), again(face, noise)])["embedding"]
    assert embedding.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(embedding, axis=1), 1, atol=1e-5)
    assert embedding[0] @ embedding[1] > 0.95
    assert embedding[0] @ embedding[1] > embedding[0] @ embedding[2] + 0.02


@pytest.mark.weights
@pytest.mark.parametrize("name", NAMES)
def test_faces_that_cannot_be_read_are_nan_rows(
    name: str, open_instrument: Callable[[str], Any], face: FaceView
) -> None:
    no_landmarks = FaceView(face.image, face.box, np.full((5, 2), np.nan, np.float32))
    no_area = FaceView(face.image, Box(face.box.x, face.box.y, 0, face.box.h), face.landmarks)
    elsewhere = FaceView(face.image, Box(2000, 2000, 90, 90), face.landmarks + 2000)
    embedding = open_instrument(name).read([no_landmarks, face, no_area, elsewhere])["embedding"]
    assert np.isnan(embedding).all(axis=1).tolist() == [True, False, True, True]
    assert np.isfinite(embedding[1]).all()


@pytest.mark.weights
@pytest.mark.parametrize("name", NAMES)
def test_faces_at_the_edge_and_tiny_faces_are_read(
    name: str, open_instrument: Callable[[str], Any], face: FaceView
) -> None:
    left, top = int(face.box.x + face.box.w * 0.2), int(face.box.y + face.box.h * 0.2)
    box = Box(face.box.x - left, face.box.y - top, face.box.w, face.box.h)
    cut = FaceView(face.image[top:, left:], box, face.landmarks - np.array([left, top], np.float32))
    small = cv2.resize(face.image, (64, 64), interpolation=cv2.INTER_AREA)
    tiny_box = Box(*(v / 8 for v in (face.box.x, face.box.y, face.box.w, face.box.h)))
    tiny = FaceView(np.asarray(small, np.uint8), tiny_box, (face.landmarks / 8).astype(np.float32))
    assert np.isfinite(open_instrument(name).read([cut, tiny])["embedding"]).all()


@pytest.mark.weights
def test_facenets_activations_lead_to_its_embedding(open_instrument: Callable[[str], Any], face: FaceView) -> None:
    """One network gives both; the activations are rounded to 16 bits."""
    nowhere = FaceView(face.image, face.box, np.full((5, 2), np.nan, np.float32))
    instrument = open_instrument("facenet")
    activations = instrument.read_activations([nowhere, again(face)])["embedding"]
    assert activations.dtype == np.float16
    assert activations.shape == (2, 1792 * 9)
    assert np.isnan(activations[0]).all()
    network = load_keras(files_of(FaceNet.card)["weights"])
    last = last_part_of(network)(torch.from_numpy(activations[1:].astype(np.float32)).reshape(1, 1792, 3, 3))
    embedding = instrument.read([face])["embedding"]
    np.testing.assert_allclose(normalised(last.numpy()), embedding, atol=2e-3)


def test_a_zero_vector_has_no_direction() -> None:
    rows = normalised(np.array([[3, 4], [0, 0], [np.inf, 1], [np.nan, 1]], np.float32))
    np.testing.assert_allclose(rows[0], [0.6, 0.8], rtol=1e-6)
    assert np.isnan(rows[1:]).all()


def test_a_plain_image_is_standardised_without_dividing_by_zero() -> None:
    crops = np.stack([np.full((8, 8, 3), 77, np.uint8), np.arange(192, dtype=np.uint8).reshape(8, 8, 3)])
    values = standardised(crops)
    assert (values[0] == 0).all()
    assert values[1].mean() == pytest.approx(0, abs=1e-6)
    assert values[1].std() == pytest.approx(1, abs=1e-6)


def buffalo_like(path: Path, *, dimension: int = 512, batch: int | str = "None") -> Path:
    """A small network with buffalo_l's inputs and outputs: block means of the crop, times fixed random weights."""
    weights = np.random.default_rng(0).normal(size=(3 * 49, dimension)).astype(np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("AveragePool", ["input.1"], ["pooled"], kernel_shape=[16, 16], strides=[16, 16]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("MatMul", ["flat", "weights"], ["683"]),
        ],
        "buffalo-like",
        [helper.make_tensor_value_info("input.1", TensorProto.FLOAT, [batch, 3, 112, 112])],
        [helper.make_tensor_value_info("683", TensorProto.FLOAT, [1, dimension])],
        [numpy_helper.from_array(weights, "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))
    return path


def template_face(image: Image) -> FaceView:
    return FaceView(
        image, Box(170, 70, 112, 112), np.array(ARCFACE_TEMPLATE, np.float32) + np.array([170, 70], np.float32)
    )


@pytest.mark.parametrize("batch", ["None", 1])
def test_buffalo_runs_the_users_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut: Image, batch: int | str
) -> None:
    monkeypatch.setenv("UNMASK_BUFFALO_L", str(buffalo_like(tmp_path / "mine.onnx", batch=batch)))
    faces = [template_face(np.ascontiguousarray(np.roll(astronaut, k, axis=1))) for k in range(11)]
    embedding = BuffaloL.open({}, "cpu").read(faces)["embedding"]
    assert embedding.shape == (11, 512)
    crop = aligned(faces[3])
    assert crop is not None
    planes = (crop.astype(np.float64).transpose(2, 0, 1) - 127.5) / 127.5
    means = planes.reshape(3, 7, 16, 7, 16).mean(axis=(2, 4)).ravel()
    expected = means @ np.random.default_rng(0).normal(size=(147, 512)).astype(np.float32)
    np.testing.assert_allclose(embedding[3], expected / np.linalg.norm(expected), atol=1e-5)


def test_another_buffalo_file_makes_another_plan_and_voids_its_thresholds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [buffalo_like(tmp_path / f"{name}.onnx", batch=batch) for name, batch in (("one", 1), ("two", "None"))]
    cards = []
    for file in files:
        monkeypatch.setenv("UNMASK_BUFFALO_L", str(file))
        (*_, card) = choose_instruments([create_metric("deid_rate")], ["yunet", "buffalo_l"])
        assert card.params["weights_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
        cards.append(card)
    point = {"fmr": 1e-3, "threshold": 0.5, "low": 0.4, "high": 0.6}
    measured = {"instruments": {"buffalo_l": instrument_identity(cards[0])}, "points": {"buffalo_l": [point]}}
    assert usable_points(measured, {"buffalo_l": cards[0]})
    assert not usable_points(measured, {"buffalo_l": cards[1]})
    assert "weights_sha256" not in BuffaloL.card.params


def test_buffalo_finds_insightfaces_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / ".insightface" / "models" / "buffalo_l"
    folder.mkdir(parents=True)
    buffalo_like(folder / "w600k_r50.onnx")
    monkeypatch.delenv("UNMASK_BUFFALO_L", raising=False)
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    assert BuffaloL.open({}, "cpu").read([])["embedding"].shape == (0, 512)


def test_buffalo_reads_a_face_as_insightface_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, astronaut: Image
) -> None:
    """With the package itself, which finds the file in its folder, aligns the face and reads it."""
    insightface = pytest.importorskip("insightface", reason="needs the extra: pip install 'unmask[insightface]'")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("UNMASK_BUFFALO_L", raising=False)
    folder = tmp_path / ".insightface" / "models" / "buffalo_l"
    folder.mkdir(parents=True)
    buffalo_like(folder / "w600k_r50.onnx")
    assert Path(insightface.utils.ensure_available("models", "buffalo_l")) == folder
    face = template_face(astronaut)
    tilt = np.array([[0.8, 0.1], [-0.1, 0.8]], np.float32)
    for landmarks in (face.landmarks, (face.landmarks - 220) @ tilt + 220, (face.landmarks - 220) * 1.4 + 215):
        network = insightface.model_zoo.get_model(str(folder / "w600k_r50.onnx"), providers=["CPUExecutionProvider"])
        theirs = network.get(astronaut[..., ::-1], types.SimpleNamespace(kps=landmarks))
        ours = BuffaloL.open({}, "cpu").read([FaceView(astronaut, face.box, landmarks)])["embedding"][0]
        np.testing.assert_allclose(ours, theirs / np.linalg.norm(theirs), atol=1e-4)


def test_buffalo_says_what_to_do_without_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setitem(sys.modules, "insightface.utils", None)  # as if it were not installed
    monkeypatch.delenv("UNMASK_BUFFALO_L", raising=False)
    with pytest.raises(UnavailableError, match=r"set UNMASK_BUFFALO_L") as missing:
        BuffaloL.open({}, "cpu")
    assert "\n" not in str(missing.value)
    monkeypatch.setenv("UNMASK_BUFFALO_L", str(tmp_path / "nowhere.onnx"))
    with pytest.raises(UnavailableError, match="not a file"):
        BuffaloL.open({}, "cpu")


def insightface_that(ensure: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    utils = types.ModuleType("insightface.utils")
    utils.ensure_available = ensure  # type: ignore[attr-defined]
    package = types.ModuleType("insightface")
    monkeypatch.setitem(sys.modules, "insightface", package)
    monkeypatch.setitem(sys.modules, "insightface.utils", utils)


def test_buffalo_lets_insightface_download_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ensure(kind: str, name: str) -> None:
        print("download_path")
        folder = tmp_path / ".insightface" / kind / name
        folder.mkdir(parents=True)
        buffalo_like(folder / "w600k_r50.onnx")

    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("UNMASK_BUFFALO_L", raising=False)
    insightface_that(ensure, monkeypatch)
    BuffaloL.open({}, "cpu")
    assert capsys.readouterr().out == ""


def test_buffalo_says_so_when_the_download_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def ensure(kind: str, name: str) -> None:
        raise RuntimeError("no route to host\nand more")

    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("UNMASK_BUFFALO_L", raising=False)
    insightface_that(ensure, monkeypatch)
    with pytest.raises(UnavailableError, match=r"could not download buffalo_l \(no route to host\); set"):
        BuffaloL.open({}, "cpu")


def test_buffalo_refuses_another_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNMASK_BUFFALO_L", str(buffalo_like(tmp_path / "other.onnx", dimension=128)))
    with pytest.raises(CheckpointError, match="is not buffalo_l's recogniser"):
        BuffaloL.open({}, "cpu")
    (tmp_path / "text.onnx").write_text("not a network")
    monkeypatch.setenv("UNMASK_BUFFALO_L", str(tmp_path / "text.onnx"))
    with pytest.raises(CheckpointError, match="not a usable ONNX network"):
        BuffaloL.open({}, "cpu")


def test_a_rectifier_of_quantised_slopes_is_unfolded() -> None:
    quantised = np.array([[[-100]], [[0]], [[50]]], np.int8)
    graph = helper.make_graph(
        [
            helper.make_node("DequantizeLinear", ["q", "scale"], ["slope"]),
            helper.make_node("PRelu", ["x", "slope"], ["y"]),
        ],
        "rectifier",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 4, 4])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3, 4, 4])],
        [numpy_helper.from_array(quantised, "q"), numpy_helper.from_array(np.float32(0.01), "scale")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    unfold_prelu(model)
    assert "PRelu" not in {node.op_type for node in model.graph.node}
    x = np.random.default_rng(1).normal(size=(5, 3, 4, 4)).astype(np.float32)
    expected = np.where(x > 0, x, x * quantised * np.float32(0.01))
    np.testing.assert_allclose(open_session(model, "cpu", "test").run(None, {"x": x})[0], expected, atol=1e-6)


def test_networks_with_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    path = buffalo_like(tmp_path / "whole.onnx")
    onnx.save(onnx.load(str(path)), str(tmp_path / "split.onnx"), save_as_external_data=True, size_threshold=0)
    with pytest.raises(CheckpointError):
        read_model(tmp_path / "split.onnx")


def test_load_keras_refuses_other_files(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("not a network")
    with h5py.File(tmp_path / "empty.h5", "w") as file:
        file.create_group("model_weights")
    for name in ("text.h5", "empty.h5", "missing.h5"):
        with pytest.raises(CheckpointError, match="not the FaceNet file"):
            load_keras(tmp_path / name)


@pytest.mark.weights
def test_load_keras_refuses_damaged_files(tmp_path: Path) -> None:
    path = shutil.copy(files_of(FaceNet.card)["weights"], tmp_path / "damaged.h5")
    block = "Block35_1_Branch_1_Conv2d_0b_3x3"

    def damage(change: Callable[[h5py.Group], None], says: str) -> None:
        with h5py.File(path, "r+") as file:
            weights = file["model_weights"]
            weights.move(block, "/kept")
            weights.copy("/kept", block)
            change(weights)
        with pytest.raises(CheckpointError, match=f"^damaged.h5 is not the FaceNet file .*{says}") as caught:
            load_keras(path)
        assert "\n" not in str(caught.value)
        with h5py.File(path, "r+") as file:
            weights = file["model_weights"]
            if block in weights:
                del weights[block]
            weights.move("/kept", block)

    def kernel(values: NDArray[Any]) -> Callable[[h5py.Group], None]:
        def change(weights: h5py.Group) -> None:
            group = weights[block][block]
            del group["kernel:0"]
            group["kernel:0"] = values

        return change

    damage(lambda weights: weights.__delitem__(block), "no layer for repeat_1.0.branch1.1")
    damage(kernel(np.full((3, 3, 32, 32), np.nan)), "not finite")
    damage(kernel(np.ones((3, 3, 32, 16))), "size mismatch")
    damage(kernel(np.ones(7)), "axes don't match")
    damage(lambda weights: weights[block][block].__delitem__("kernel:0"), "kernel:0")
    damage(lambda weights: weights.copy(block, "Another_Conv2d"), "layers that the network does not")


@pytest.fixture
def dlib_weights() -> Path:
    return files_of(DlibResNet.card)["weights"]


@pytest.mark.weights
def test_dlibs_network_computes_what_dlib_does(dlib_weights: Path, face: FaceView) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (2, 150, 150, 3), np.uint8)
    smooth = [cv2.resize(rng.integers(0, 256, (9, 9, 3), np.uint8), (150, 150)) for _ in range(3)]
    chips = np.stack([*noise, *smooth, cv2.resize(face.image, (150, 150))])
    expected = np.array(dlib.face_recognition_model_v1(str(dlib_weights)).compute_face_descriptor(list(chips)))
    images = chips.transpose(0, 3, 1, 2).astype(np.float32)
    network = fast_network(load_dlib(dlib_weights), "cpu", "dlib", sides=(150, 150))
    np.testing.assert_allclose(network(images), expected, atol=2e-6)
    np.testing.assert_allclose(network(images[:1]), expected[:1], atol=2e-6)


@pytest.mark.weights
def test_load_dlib_refuses_damaged_and_other_files(dlib_weights: Path, tmp_path: Path) -> None:
    data = dlib_weights.read_bytes()
    layer = data.index(b"\x07affine_")
    damaged = {
        "empty": b"",
        "text": b"not a network",
        "truncated": data[:-3000],
        "within-a-header": data[: layer + 10],
        "layer-lost": data[:layer] + data[layer + 1 :],
        "not-finite": data[: layer + 18] + np.float32(np.nan).tobytes() + data[layer + 22 :],
        "twice": data + data,
        "other-version": data[: layer + 8] + b"\x01\x03" + data[layer + 10 :],
    }
    for name, content in damaged.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=f"^{name} (is not|has more layers than) .*dlib's face recognition"):
            load_dlib(tmp_path / name)


@pytest.mark.parametrize("sides", [(24, 32), None])
def test_exported_networks_compute_what_torch_does(sides: tuple[int, int] | None) -> None:
    torch.manual_seed(0)
    network = Pooled().eval()
    fast = fast_network(network, "cpu", "test", sides=sides, inputs=2)
    rng = np.random.default_rng(0)
    for n, height, width in [(1, 24, 32), (5, 24, 32)] if sides else [(1, 24, 32), (3, 70, 66)]:
        a, b = rng.normal(size=(2, n, 3, height, width)).astype(np.float32)
        expected = network(torch.from_numpy(a), torch.from_numpy(b)).detach().numpy()
        np.testing.assert_allclose(fast(a, b), expected, atol=1e-5)
        # Views in another order of memory are what crops come as.
        np.testing.assert_allclose(fast(*(np.asfortranarray(x) for x in (a, b))), expected, atol=1e-5)


class Pooled(torch.nn.Module):
    """A small network of two images."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 4, 3, stride=2)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (torch.relu(self.layer(a)) - torch.relu(self.layer(b))).mean(dim=(2, 3))


@pytest.mark.parametrize("device", ["cuda", "cuda:1", "cuda:99", "tpu", "cuda:x", ""])
def test_a_missing_gpu_is_one_clear_error(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    for choose in (torch_device, onnx_providers):
        with pytest.raises(UnavailableError, match="sface cannot use") as error:
            choose(device, "sface")
        assert "\n" not in str(error.value)


def test_a_gpu_is_used_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr(
        "onnxruntime.get_available_providers", lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
    )
    assert str(torch_device("cuda:1", "facenet")) == "cuda:1"
    assert onnx_providers("cuda:1", "sface")[0] == ("CUDAExecutionProvider", {"device_id": "1"})
    assert onnx_providers("cpu", "sface") == ["CPUExecutionProvider"]


def test_cores_can_be_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert cores() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "")
    assert cores() >= 1
