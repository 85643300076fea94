"""TensorFlow.js models: weights dequantised, graphs run as TensorFlow would, everything else refused."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Floats32
from unmask.metrics.instruments.support.tfjs_graph import TfjsGraph
from unmask.metrics.instruments.support.tfjs_weights import read_json, read_weights


def text(value: str) -> dict[str, str]:
    return {"s": base64.b64encode(value.encode()).decode()}


def const(name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    dims = {"dim": [{"size": str(side)} for side in shape]}
    return {"name": name, "op": "Const", "attr": {"value": {"tensor": {"tensorShape": dims}}}}


def node(name: str, op: str, *inputs: str, **attr: Any) -> dict[str, Any]:
    return {"name": name, "op": op, "input": list(inputs), "attr": attr}


def convolution(name: str, op: str, *inputs: str, stride: int, padding: str = "SAME") -> dict[str, Any]:
    sides = {"list": {"i": ["1", str(stride), str(stride), "1"]}}
    ones = {"list": {"i": ["1", "1", "1", "1"]}}
    return node(name, op, *inputs, strides=sides, dilations=ones, padding=text(padding))


def small_graph(stride: int = 2) -> tuple[dict[str, Any], dict[str, Floats32]]:
    rng = np.random.default_rng(0)
    weights = {
        "filters": rng.normal(size=(3, 3, 3, 4)).astype(np.float32),
        "depthwise": rng.normal(size=(3, 3, 4, 1)).astype(np.float32),
        "axes": np.array([1, 2], np.float32),
        "matrix": rng.normal(size=(4, 5)).astype(np.float32),
        "bias": rng.normal(size=5).astype(np.float32),
    }
    nodes = [
        node("out", "Softmax", "dense"),
        node(
            "dense",
            "_FusedMatMul",
            "pooled",
            "matrix",
            "bias",
            transpose_a={"b": False},
            transpose_b={"b": False},
            fused_ops={"list": {"s": [text("BiasAdd")["s"], text("Relu")["s"]]}},
        ),
        node("image", "Placeholder"),
        convolution("a", "Conv2D", "image", "filters", stride=stride),
        node("b", "Relu", "a"),
        convolution("c", "DepthwiseConv2dNative", "b", "depthwise", stride=1),
        node("pooled", "Mean", "c", "axes", keep_dims={"b": False}),
        *(const(name, values.shape) for name, values in weights.items()),
    ]
    return {"node": nodes}, weights


@pytest.mark.parametrize(("side", "padding"), [(8, (0, 1, 0, 1)), (9, (1, 1, 1, 1))])
def test_a_graph_computes_what_torch_does(side: int, padding: tuple[int, ...]) -> None:
    topology, weights = small_graph()
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(2, side, side, 3)).astype(np.float32))
    ours = torch.from_numpy(TfjsGraph(topology, weights, ["out"]).run(x.numpy())["out"])
    w = {name: torch.from_numpy(values) for name, values in weights.items()}
    # TensorFlow's SAME at stride 2: an even side is padded by one pixel at its end only, an odd one on both.
    y = functional.conv2d(functional.pad(x.permute(0, 3, 1, 2), padding), w["filters"].permute(3, 2, 0, 1), stride=2)
    y = functional.conv2d(y.relu(), w["depthwise"].permute(2, 3, 0, 1), padding=1, groups=4)
    expected = (y.mean(dim=(2, 3)) @ w["matrix"] + w["bias"]).relu().softmax(dim=1)
    torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)


def broken(change: str) -> tuple[dict[str, Any], dict[str, Floats32]]:
    topology, weights = small_graph()
    nodes = {entry["name"]: entry for entry in topology["node"]}
    if change == "operation":
        nodes["b"]["op"] = "WriteFile"
    elif change == "missing":
        nodes["b"]["input"] = ["nowhere"]
    elif change == "circle":
        nodes["b"]["input"] = ["c"]
    elif change == "shape":
        weights["bias"] = np.zeros(6, np.float32)
    elif change == "weights":
        del weights["filters"]
    elif change == "inputs":
        topology["node"].append(node("other", "Placeholder"))
        nodes["b"].update(op="Add", input=["a", "other"])
    elif change == "nodes":
        topology["node"] = topology["node"] * 200
    else:
        topology = {"node": 7}
    return topology, weights


@pytest.mark.parametrize(
    "change", ["operation", "missing", "circle", "shape", "weights", "inputs", "nodes", "nonsense"]
)
def test_a_graph_that_is_not_one_of_ours_is_refused(change: str) -> None:
    topology, weights = broken(change)
    with pytest.raises(CheckpointError):
        TfjsGraph(topology, weights, ["out"])


def test_a_graph_that_fails_says_where() -> None:
    topology, weights = small_graph()
    with pytest.raises(CheckpointError, match=r"the graph fails: .* image"):
        TfjsGraph(topology, weights, ["out"]).run(np.zeros((1, 8, 8, 2), np.float32))
    weights["filters"] = np.zeros((3, 3, 2, 4), np.float32)
    topology["node"] = [*topology["node"][:-5], *(const(name, values.shape) for name, values in weights.items())]
    with pytest.raises(CheckpointError, match="the graph fails: "):
        TfjsGraph(topology, weights, ["out"]).run(np.zeros((1, 8, 8, 3), np.float32))
    nodes = {entry["name"]: entry for entry in topology["node"]}
    for attribute, value in {"strides": ["1", "9", "9", "1"], "dilations": ["1", "2", "2", "1"]}.items():
        changed = json.loads(json.dumps(topology))
        changed["node"][topology["node"].index(nodes["a"])]["attr"][attribute]["list"]["i"] = value
        with pytest.raises(CheckpointError, match=r"fails at a \(Conv2D\)"):
            TfjsGraph(changed, weights, ["out"])


def test_paddings_poolings_and_fused_convolutions_compute_what_torch_does() -> None:
    rng = np.random.default_rng(0)
    weights = {
        "filters": rng.normal(size=(3, 3, 3, 4)).astype(np.float32),
        "bias": rng.normal(size=4).astype(np.float32),
        "widths": np.array([[0, 0], [1, 2], [0, 3], [0, 1]], np.float32),
        "shape": np.array([-1, 5], np.float32),
        "low": np.float32(0.5),
        "high": np.float32(1.5),
    }
    twos = {"list": {"i": ["1", "2", "2", "1"]}}
    fused = {"list": {"s": [text("BiasAdd")["s"], text("Relu")["s"]]}}
    nodes = [
        node("image", "Placeholder"),
        convolution("a", "_FusedConv2D", "image", "filters", "bias", stride=2, padding="VALID"),
        node("b", "MaxPool", "a", ksize=twos, strides=twos, padding=text("SAME")),
        node("c", "Pad", "b", "widths"),
        node("d", "Minimum", "c", "high"),
        node("e", "Maximum", "d", "low"),
        node("out", "Reshape", "e:0", "shape"),
        *(const(name, values.shape) for name, values in weights.items()),
    ]
    nodes[1]["attr"]["fused_ops"] = fused
    x = rng.normal(size=(2, 11, 11, 3)).astype(np.float32)
    ours = TfjsGraph({"node": nodes}, weights, ["out"]).run(x)["out"]
    planes = torch.from_numpy(x).permute(0, 3, 1, 2)
    filters, bias = torch.from_numpy(weights["filters"]).permute(3, 2, 0, 1), torch.from_numpy(weights["bias"])
    y = functional.conv2d(planes, filters, bias, stride=2).relu()
    y = functional.max_pool2d(functional.pad(y, (0, 1, 0, 1), value=-torch.inf), 2)
    y = functional.pad(y.permute(0, 2, 3, 1), (0, 1, 0, 3, 1, 2)).clamp(0.5, 1.5).reshape(-1, 5)
    torch.testing.assert_close(torch.from_numpy(ours), y, rtol=1e-5, atol=1e-6)


def test_parametric_rectifiers_and_grey_images_compute_what_torch_does() -> None:
    rng = np.random.default_rng(0)
    weights = {
        "filters": rng.normal(size=(3, 3, 1, 4)).astype(np.float32),
        "bias": rng.normal(size=4).astype(np.float32),
        "slopes": rng.normal(size=(1, 1, 4)).astype(np.float32),
        "axis": np.array(-1, np.float32),
    }
    nodes = [
        node("image", "Placeholder", shape={"shape": {"dim": [{"size": size} for size in ("-1", "8", "8", "1")]}}),
        convolution("a", "_FusedConv2D", "image", "filters", "bias", "slopes", stride=1, padding="VALID"),
        convolution("b", "_FusedConv2D", "image", "filters", "bias", stride=1, padding="VALID"),
        node("c", "Prelu", "b", "slopes"),
        node("d", "AddV2", "c", "c"),
        node("out", "ConcatV2", "a", "d", "axis"),
        *(const(name, values.shape) for name, values in weights.items()),
    ]
    for k, fused in ((1, ["BiasAdd", "Prelu"]), (2, ["BiasAdd"])):
        nodes[k]["attr"]["fused_ops"] = {"list": {"s": [text(word)["s"] for word in fused]}}
    x = rng.normal(size=(2, 8, 8, 1)).astype(np.float32)
    graph = TfjsGraph({"node": nodes}, weights, ["out"])
    filters, bias = torch.from_numpy(weights["filters"]).permute(3, 2, 0, 1), torch.from_numpy(weights["bias"])
    y = functional.conv2d(torch.from_numpy(x).permute(0, 3, 1, 2), filters, bias)
    y = functional.prelu(y, torch.from_numpy(weights["slopes"].ravel()))
    expected = torch.cat([y, 2 * y], 1).permute(0, 2, 3, 1)
    torch.testing.assert_close(torch.from_numpy(graph.run(x)["out"]), expected, rtol=1e-5, atol=1e-5)
    with pytest.raises(CheckpointError, match="the graph fails"):
        graph.run(np.zeros((1, 8, 8, 3), np.float32))


def stored(folder: Path, entries: list[dict[str, Any]], data: bytes) -> tuple[Any, Path]:
    (folder / "w.bin").write_bytes(data)
    (folder / "m.json").write_text(json.dumps([{"paths": ["w.bin"], "weights": entries}]))
    return read_json(folder / "m.json"), folder / "w.bin"


def entry(name: str, shape: list[int], dtype: str = "float32", **quantization: Any) -> dict[str, Any]:
    return {"name": name, "shape": shape, "dtype": dtype, **({"quantization": quantization} if quantization else {})}


def test_weights_of_every_kind_are_dequantised(tmp_path: Path) -> None:
    entries = [
        entry("plain", [2]),
        entry("bytes", [2, 1], dtype="float32") | {"quantization": {"dtype": "uint8", "scale": 0.5, "min": -1.0}},
        entry("half", [1]) | {"quantization": {"dtype": "float16"}},
        entry("whole", [], dtype="int32"),
    ]
    data = b"".join(
        [
            np.array([1.5, -2.0], "<f4").tobytes(),
            bytes([0, 10]),
            np.array([0.25], "<f2").tobytes(),
            np.array(7, "<i4").tobytes(),
        ]
    )
    weights = read_weights(*stored(tmp_path, entries, data))
    assert {name: values.tolist() for name, values in weights.items()} == {
        "plain": [1.5, -2.0],
        "bytes": [[-1.0], [4.0]],
        "half": [0.25],
        "whole": 7.0,
    }
    assert all(values.dtype == np.float32 for values in weights.values())


@pytest.mark.parametrize(
    ("entries", "size"),
    [
        ([entry("a", [3])], 8),
        ([entry("a", [1])], 8),
        ([entry("a", [1]), entry("a", [1])], 8),
        ([entry("a", [-2])], 8),
        ([entry("a", [2.0])], 8),  # type: ignore[list-item]
        ([entry("a", [2], dtype="string")], 8),
        ([entry("a", [10**12])], 8),
        ([{"name": "a"}], 8),
    ],
    ids=["short", "long", "twice", "negative", "fraction", "kind", "huge", "incomplete"],
)
def test_a_manifest_that_does_not_fit_is_refused(tmp_path: Path, entries: list[dict[str, Any]], size: int) -> None:
    with pytest.raises(CheckpointError):
        read_weights(*stored(tmp_path, entries, bytes(size)))


def test_json_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    path.write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match="not readable"):
        read_json(path)
    path.write_text(" " * 1_000_001)
    with pytest.raises(CheckpointError, match="larger"):
        read_json(path)
