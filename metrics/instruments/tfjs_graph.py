"""A small interpreter for TensorFlow.js graph models: just the operations our networks need, in torch.

A graph is data from elsewhere, so it is checked before it runs: every operation must be one of ours, every input must
exist, there must be no cycle, and what it computes is bounded by the nodes it has (no loops, no control flow).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch.nn import functional

from bench.core.errors import CheckpointError
from bench.core.types import Floats32

MAX_NODES: Final = 2_000
MAX_KERNEL: Final = 16


@dataclass(frozen=True, slots=True)
class Node:
    """One operation of a graph."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attr: Mapping[str, Any]


class TfjsGraph:
    """A graph with its weights, ready to run. Tensors are NHWC, as in TensorFlow.

    ``topology`` is the model's ``modelTopology``, ``weights`` its constants. Only what ``outputs`` depend on is kept.
    Raises CheckpointError for anything that is not a graph of the operations we know.
    """

    def __init__(
        self, topology: Any, weights: Mapping[str, Floats32], outputs: Sequence[str], device: torch.device | str = "cpu"
    ) -> None:
        nodes = _parse(topology)
        self._order = _sorted(nodes, outputs)
        self._outputs = tuple(outputs)
        self._constants: dict[str, torch.Tensor] = {}
        placeholders = []
        for node in self._order:
            if node.op == "Const":
                self._constants[node.name] = torch.from_numpy(_constant(node, weights)).to(device)
            elif node.op == "Placeholder":
                placeholders.append(node.name)
        if len(placeholders) != 1:
            raise CheckpointError(f"the graph needs {len(placeholders)} inputs, not one; it is not one of ours")
        self._input = placeholders[0]

    def run(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Output name -> tensor for (N, H, W, 3) float32 images."""
        values: dict[str, torch.Tensor] = {**self._constants, self._input: images}
        uses = _last_uses(self._order)
        for place, node in enumerate(self._order):
            if node.op not in ("Const", "Placeholder"):
                try:
                    values[node.name] = OPERATIONS[node.op](node, [values[name] for name in node.inputs])
                except (RuntimeError, IndexError, ValueError, TypeError, KeyError) as error:
                    raise CheckpointError(f"the graph fails at {node.name} ({node.op}): {str(error)[:200]}") from error
            for name in node.inputs:  # free what nothing needs any more
                if uses[name] == place and name not in self._outputs and name not in self._constants:
                    values.pop(name, None)
        return {name: values[name] for name in self._outputs}


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
    for node in nodes.values():
        if node.op not in OPERATIONS and node.op not in ("Const", "Placeholder"):
            raise CheckpointError(f"the graph uses the operation {node.op[:40]!r}, which none of our networks needs")
    return nodes


def _sorted(nodes: Mapping[str, Node], outputs: Sequence[str]) -> list[Node]:
    """What the outputs depend on, in an order in which it can be computed."""
    order: list[Node] = []
    done: set[str] = set()
    open_: set[str] = set()
    stack = [(name, False) for name in reversed(outputs)]
    while stack:
        name, inputs_done = stack.pop()
        if name in done:
            continue
        if name not in nodes:
            raise CheckpointError(f"the graph refers to {name[:80]!r}, which it does not have")
        if inputs_done:
            done.add(name)
            order.append(nodes[name])
            continue
        if name in open_:
            raise CheckpointError(f"the graph runs in a circle at {name[:80]!r}")
        open_.add(name)
        stack.append((name, True))
        stack.extend((other, False) for other in reversed(nodes[name].inputs) if other not in done)
    return order


def _last_uses(order: Sequence[Node]) -> dict[str, int]:
    return {name: place for place, node in enumerate(order) for name in node.inputs}


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


def _text(value: Any) -> str:
    return base64.b64decode(value, validate=True).decode("ascii")


def _integers(node: Node, key: str) -> list[int]:
    return [int(value) for value in node.attr[key]["list"]["i"]]


def _same_padded(x: torch.Tensor, kernel: tuple[int, int], stride: tuple[int, int]) -> torch.Tensor:
    """TensorFlow's SAME: ceil(side / stride) outputs; the odd pixel of padding goes to the right and bottom. NCHW."""
    padding: list[int] = []
    for axis in (1, 0):  # torch counts from the last dimension
        side = x.shape[2 + axis]
        total = max((-(-side // stride[axis]) - 1) * stride[axis] + kernel[axis] - side, 0)
        padding += [total // 2, total - total // 2]
    return functional.pad(x, padding)


def _convolution(node: Node, inputs: Sequence[torch.Tensor], *, depthwise: bool) -> torch.Tensor:
    x, filters = inputs
    strides, dilations = _integers(node, "strides"), _integers(node, "dilations")
    if len(strides) != 4 or dilations != [1, 1, 1, 1] or not all(1 <= s <= 8 for s in strides):
        raise ValueError(f"strides {strides}, dilations {dilations}")
    height, width, channels, multiplier = filters.shape
    if max(height, width) > MAX_KERNEL or x.shape[3] != channels:
        raise ValueError(f"filters {tuple(filters.shape)} on {tuple(x.shape)}")
    x = x.permute(0, 3, 1, 2)
    stride = strides[1], strides[2]
    if _text(node.attr["padding"]["s"]) == "SAME":
        x = _same_padded(x, (height, width), stride)
    if depthwise:
        kernels = filters.permute(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width)
        y = functional.conv2d(x, kernels, stride=stride, groups=channels)
    else:
        y = functional.conv2d(x, filters.permute(3, 2, 0, 1), stride=stride)
    return y.permute(0, 2, 3, 1)


def _fused_matmul(node: Node, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    if node.attr["transpose_a"].get("b") or node.attr["transpose_b"].get("b"):
        raise ValueError("a transposed product")
    x, matrix, bias = inputs
    y = x @ matrix
    for fused in (_text(value) for value in node.attr["fused_ops"]["list"]["s"]):
        if fused == "BiasAdd":
            y = y + bias
        elif fused == "Relu":
            y = y.relu()
        else:
            raise ValueError(f"fused {fused!r}")
    return y


def _mean(node: Node, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    axes = [int(axis) for axis in inputs[1].flatten()]
    return inputs[0].mean(dim=axes, keepdim=bool(node.attr["keep_dims"].get("b", False)))


Operation = Callable[[Node, Sequence[torch.Tensor]], torch.Tensor]
OPERATIONS: Final[Mapping[str, Operation]] = {
    "Add": lambda _, x: x[0] + x[1],
    "Mul": lambda _, x: x[0] * x[1],
    "Minimum": lambda _, x: torch.minimum(x[0], x[1]),
    "Maximum": lambda _, x: torch.maximum(x[0], x[1]),
    "Relu": lambda _, x: x[0].relu(),
    "Sigmoid": lambda _, x: x[0].sigmoid(),
    "Softmax": lambda _, x: x[0].softmax(-1),
    "Mean": _mean,
    "Conv2D": lambda node, x: _convolution(node, x, depthwise=False),
    "DepthwiseConv2dNative": lambda node, x: _convolution(node, x, depthwise=True),
    "_FusedMatMul": _fused_matmul,
}
"""TensorFlow operation -> what computes it."""
