"""TensorFlow.js graph models, rewritten operation by operation as ONNX networks and run by onnxruntime.

A graph is data from elsewhere, so it is checked before it runs: every operation must be one of `_OPERATIONS`, every
input must exist, there must be no cycle, and what it computes is bounded by the nodes it has (no loops, no control
flow).
"""

from __future__ import annotations

import base64
import graphlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from unmask.bench.core.errors import CheckpointError, UnavailableError
from unmask.bench.core.types import Floats32
from unmask.metrics.instruments.support.onnx_session import open_session
from unmask.metrics.instruments.support.tfjs_weights import read_json, read_weights

MAX_NODES: Final = 2_000
MAX_KERNEL: Final = 16
MAX_STRIDE: Final = 8
MAX_PADDING: Final = 1024
_TO_PLANES: Final = (0, 3, 1, 2)
_TO_PIXELS: Final = (0, 2, 3, 1)
"""Axes of (N, H, W, C), TensorFlow's order, as (N, C, H, W), ONNX's, and back."""


class Node(NamedTuple):
    """One operation of a graph."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attr: Mapping[str, Any]


class TfjsGraph:
    """A graph with its weights, ready to run. Tensors are NHWC, as in TensorFlow.

    ``topology`` is the model's ``modelTopology``, ``weights`` its constants. Only what ``outputs`` depend on is kept.
    Raises `CheckpointError` for anything that is not a graph of the operations that are supported, and
    `UnavailableError` naming instrument ``name`` where ``device`` cannot be used.
    """

    def __init__(
        self,
        topology: Any,
        weights: Mapping[str, Floats32],
        outputs: Sequence[str],
        device: str = "cpu",
        name: str = "graph",
    ) -> None:
        nodes = _sorted(_parse(topology), outputs)
        placeholders = [node for node in nodes if node.op == "Placeholder"]
        if len(placeholders) != 1:
            raise CheckpointError(f"the graph needs {len(placeholders)} inputs, not one; it is not one of ours")
        (source,) = placeholders
        network = _Network({node.name: _constant(node, weights) for node in nodes if node.op == "Const"})
        for node in nodes:
            network.append(node)
        self._input, self._outputs = source.name, list(outputs)
        try:
            self._session = open_session(network.model(self._input, _channels(source), outputs), device, name)
        except UnavailableError:
            raise
        except Exception as error:  # onnxruntime's errors share no base class below Exception
            raise CheckpointError(f"the graph fails: {' '.join(str(error).split())[:200]}") from error

    @classmethod
    def open(cls, graph: Path, weights: Path, outputs: Sequence[str], device: str, name: str) -> Self:
        """A model's two files, ``.json`` and ``.bin``; errors as above."""
        model = read_json(graph)
        if not isinstance(model, dict) or "modelTopology" not in model or "weightsManifest" not in model:
            raise CheckpointError(f"{graph.name} is not a TensorFlow.js graph model; fetch it again")
        return cls(model["modelTopology"], read_weights(model["weightsManifest"], weights), outputs, device, name)

    def run(self, images: Floats32) -> dict[str, Floats32]:
        """Output name -> array for (N, H, W, 3) float32 images, or (N, H, W, 1) where the graph takes grey ones.

        Raises `CheckpointError` where the graph fails.
        """
        try:
            values = self._session.run(self._outputs, {self._input: np.ascontiguousarray(images)})
        except Exception as error:
            raise CheckpointError(f"the graph fails: {' '.join(str(error).split())[:200]}") from error
        return dict(zip(self._outputs, values, strict=True))


def _parse(topology: Any) -> dict[str, Node]:
    try:
        raw = topology["node"]
        if len(raw) > MAX_NODES:
            raise ValueError(f"{len(raw)} nodes")
        nodes = {}
        for entry in raw:
            inputs = tuple(str(name).removesuffix(":0") for name in entry.get("input", ()))
            nodes[entry["name"]] = Node(str(entry["name"]), str(entry["op"]), inputs, dict(entry.get("attr", {})))
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise CheckpointError(f"the model's graph cannot be read ({error}); fetch it again") from error
    for op in (node.op for node in nodes.values() if node.op not in _OPERATIONS):
        raise CheckpointError(f"the graph uses the operation {op[:40]!r}, which none of our networks needs")
    return nodes


def _sorted(nodes: Mapping[str, Node], outputs: Sequence[str]) -> list[Node]:
    """What the outputs depend on, in an order in which it can be computed."""
    needed: dict[str, tuple[str, ...]] = {}
    ahead = list(outputs)
    while ahead:
        name = ahead.pop()
        if name not in nodes:
            raise CheckpointError(f"the graph refers to {name[:80]!r}, which it does not have")
        if name not in needed:
            needed[name] = nodes[name].inputs
            ahead += nodes[name].inputs
    try:
        return [nodes[name] for name in graphlib.TopologicalSorter(needed).static_order()]
    except graphlib.CycleError as error:
        raise CheckpointError(f"the graph runs in a circle at {error.args[1][0][:80]!r}") from error


def _channels(source: Node) -> int:
    """How many the images that go in have: as many as the graph says, else three."""
    try:
        return int(source.attr["shape"]["shape"]["dim"][3]["size"])
    except (TypeError, KeyError, IndexError, ValueError):
        return 3


def _constant(node: Node, weights: Mapping[str, Floats32]) -> Floats32:
    if node.name not in weights:
        raise CheckpointError(f"the graph's constant {node.name[:80]!r} has no weights")
    values = weights[node.name]
    try:
        dims = node.attr["value"]["tensor"]["tensorShape"].get("dim", [])
        declared = tuple(int(dim["size"]) for dim in dims)
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise CheckpointError(f"the graph does not say the shape of {node.name[:80]!r}") from error
    if declared != values.shape:
        raise CheckpointError(f"{node.name[:80]!r} has the shape {values.shape}, the graph says {declared}")
    return values


class _Network:
    """The ONNX network of the nodes appended so far."""

    def __init__(self, constants: Mapping[str, Floats32]) -> None:
        self.constants = constants
        self._nodes: list[onnx.NodeProto] = []
        self._tensors = [numpy_helper.from_array(values, name) for name, values in constants.items()]

    def append(self, node: Node) -> None:
        try:
            _OPERATIONS[node.op](node, self)
        except (IndexError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise CheckpointError(f"the graph fails at {node.name[:80]} ({node.op}): {str(error)[:200]}") from error

    def add(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Appends an operation of ONNX; returns its output's name."""
        output = output or f"onnx/{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def store(self, values: NDArray[Any]) -> str:
        """Appends stored values; returns their name."""
        self._tensors.append(numpy_helper.from_array(np.ascontiguousarray(values), f"onnx/{len(self._tensors)}/stored"))
        return str(self._tensors[-1].name)

    def whole(self, name: str) -> NDArray[np.int64]:
        """A constant of whole numbers: axes, a shape, a padding."""
        return self.constants[name].astype(np.int64)

    def model(self, source: str, channels: int, outputs: Sequence[str]) -> onnx.ModelProto:
        used = {name for node in self._nodes for name in node.input}
        graph = helper.make_graph(
            self._nodes,
            "tfjs",
            [helper.make_tensor_value_info(source, TensorProto.FLOAT, ["n", "height", "width", channels])],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
            [tensor for tensor in self._tensors if tensor.name in used],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def _window(node: Node, key: str, most: int) -> list[int]:
    """Height and width out of an attribute with a number for each axis."""
    sides = [int(value) for value in node.attr[key]["list"]["i"]]
    if len(sides) != 4 or sides[0] != 1 or sides[3] != 1 or not all(1 <= side <= most for side in sides):
        raise ValueError(f"{key} {sides}")
    return sides[1:3]


def _text(value: Any) -> str:
    return base64.b64decode(value, validate=True).decode("ascii")


def _fused(node: Node) -> list[str]:
    """What follows a product or a convolution: nothing, a bias, or a bias and a rectifier, which may be parametric."""
    fused = [_text(value) for value in node.attr["fused_ops"]["list"]["s"]] if node.op.startswith("_Fused") else []
    if fused not in ([], ["BiasAdd"], ["BiasAdd", "Relu"], ["BiasAdd", "Prelu"]):
        raise ValueError(f"fused {fused}")
    return fused


def _on_planes(
    op: str, node: Node, network: _Network, *stored: str, fused: Sequence[str] = (), **attributes: Any
) -> None:
    """An operation over windows. TensorFlow's SAME: ceil(side / stride) outputs, an odd pixel of padding at the end.
    The slopes of a parametric rectifier are the last input, one a channel."""
    padding = {"SAME": "SAME_UPPER", "VALID": "VALID"}[_text(node.attr["padding"]["s"])]
    planes = network.add("Transpose", node.inputs[0], perm=_TO_PLANES)
    strides = _window(node, "strides", MAX_STRIDE)
    planes = network.add(op, planes, *stored, strides=strides, auto_pad=padding, **attributes)
    if "Relu" in fused:
        planes = network.add("Relu", planes)
    if "Prelu" in fused:
        slopes = network.store(network.constants[node.inputs[3]].reshape(-1, 1, 1))
        planes = network.add("PRelu", planes, slopes)
    network.add("Transpose", planes, output=node.name, perm=_TO_PIXELS)


def _convolution(node: Node, network: _Network) -> None:
    kernel = network.constants[node.inputs[1]]
    height, width, inputs, outputs = kernel.shape
    depthwise, fused = node.op == "DepthwiseConv2dNative", _fused(node)
    if max(height, width) > MAX_KERNEL or _window(node, "dilations", 1) != [1, 1]:
        raise ValueError(f"filters {kernel.shape}")
    kernel = kernel.transpose(*((2, 3, 0, 1) if depthwise else (3, 2, 0, 1)))
    kernel = kernel.reshape(inputs * outputs, 1, height, width) if depthwise else kernel
    stored = network.store(kernel), *(node.inputs[2:3] if fused else ())
    _on_planes("Conv", node, network, *stored, fused=fused, group=inputs if depthwise else 1)


def _max_pool(node: Node, network: _Network) -> None:
    _on_planes("MaxPool", node, network, kernel_shape=_window(node, "ksize", MAX_KERNEL))


def _product(node: Node, network: _Network) -> None:
    if node.attr["transpose_a"].get("b") or node.attr["transpose_b"].get("b"):
        raise ValueError("a transposed product")
    x, matrix, bias = node.inputs
    product = network.add("Gemm", x, matrix, bias)
    if "Prelu" in (fused := _fused(node)):
        raise ValueError("a product with a parametric rectifier")
    network.add("Relu" if "Relu" in fused else "Identity", product, output=node.name)


def _pad(node: Node, network: _Network) -> None:
    widths = network.whole(node.inputs[1])
    if widths.ndim != 2 or widths.min() < 0 or widths.max() > MAX_PADDING:
        raise ValueError(f"padding {widths.tolist()}")
    network.add("Pad", node.inputs[0], network.store(widths.T.ravel()), output=node.name)


def _reshape(node: Node, network: _Network) -> None:
    network.add("Reshape", node.inputs[0], network.store(network.whole(node.inputs[1])), output=node.name, allowzero=1)


def _concat(node: Node, network: _Network) -> None:
    *parts, axis = node.inputs
    network.add("Concat", *parts, output=node.name, axis=int(network.whole(axis)))


def _mean(node: Node, network: _Network) -> None:
    axes, keep = network.whole(node.inputs[1]).ravel(), bool(node.attr["keep_dims"].get("b", False))
    network.add("ReduceMean", node.inputs[0], network.store(axes), output=node.name, keepdims=int(keep))


def _as(op: str) -> Callable[[Node, _Network], None]:
    """An operation that ONNX has under the name ``op``."""

    def append(node: Node, network: _Network) -> None:
        network.add(op, *node.inputs, output=node.name)

    return append


_OPERATIONS: Final[Mapping[str, Callable[[Node, _Network], None]]] = {
    **dict.fromkeys(("Const", "Placeholder"), lambda *_: None),
    **{op: _as(op) for op in ("Add", "Mul", "Relu", "Sigmoid", "Softmax", "Identity")},
    "AddV2": _as("Add"),
    "Minimum": _as("Min"),
    "Maximum": _as("Max"),
    "Prelu": _as("PRelu"),
    **dict.fromkeys(("Conv2D", "DepthwiseConv2dNative", "_FusedConv2D"), _convolution),
    "ConcatV2": _concat,
    "_FusedMatMul": _product,
    "MaxPool": _max_pool,
    "Mean": _mean,
    "Pad": _pad,
    "Reshape": _reshape,
}
"""TensorFlow operation -> what appends it to the network."""
