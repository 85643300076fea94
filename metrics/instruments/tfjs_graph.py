"""A small interpreter for TensorFlow.js graph models: just the operations our networks need, in torch.

A graph is data from elsewhere, so it is checked before it runs: every operation must be one of ours, every input must
exist, there must be no cycle, and what it computes is bounded by the nodes it has (no loops, no control flow).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import torch
from torch.nn import functional

from unmask.bench.core.errors import CheckpointError
from unmask.bench.core.types import Floats32

MAX_NODES: Final = 2_000
MAX_KERNEL: Final = 16
MAX_PADDING: Final = 1024


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
        self._device = device
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
        self._last_uses = {name: place for place, node in enumerate(self._order) for name in node.inputs}
        self._kept = {*self._constants, *self._outputs, self._input}

    def run(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Output name -> tensor for (N, H, W, 3) float32 images."""
        values: dict[str, torch.Tensor] = {**self._constants, self._input: images}
        for place, node in enumerate(self._order):
            if node.op in ("Const", "Placeholder"):
                continue
            inputs = [values[name] for name in node.inputs]
            # What nothing needs any more is freed, or written over: half of a MobileNet's time goes into new memory.
            spent = {name for name in node.inputs if self._last_uses[name] == place and name not in self._kept}
            try:
                if node.op in ELEMENTWISE and node.inputs[0] in spent and _covers(inputs[0], inputs[1:]):
                    values[node.name] = ELEMENTWISE[node.op](*inputs, out=inputs[0])
                else:
                    values[node.name] = OPERATIONS[node.op](node, inputs)
            except (RuntimeError, IndexError, ValueError, TypeError, KeyError) as error:
                raise CheckpointError(f"the graph fails at {node.name} ({node.op}): {str(error)[:200]}") from error
            for name in spent:
                del values[name]
        return {name: values[name] for name in self._outputs}

    @torch.inference_mode()
    def read(self, images: Floats32, *, logits: Collection[str] = ()) -> dict[str, Floats32]:
        """As `run`, of and to arrays; outputs named in ``logits`` come as probabilities (their logistic function)."""
        outputs = self.run(torch.from_numpy(images).to(self._device))
        return {
            name: (torch.sigmoid(values) if name in logits else values).cpu().numpy()
            for name, values in outputs.items()
        }


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


def _covers(x: torch.Tensor, others: Sequence[torch.Tensor]) -> bool:
    """Whether ``x`` has the shape of the result: the others are as large in each of their dimensions, or have 1."""
    return all(
        other.ndim <= x.ndim
        and all(side in (1, mine) for side, mine in zip(reversed(other.shape), reversed(x.shape), strict=False))
        for other in others
    )


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


def _same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """TensorFlow's SAME: ceil(side / stride) outputs; an odd pixel of padding goes to the end."""
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


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
    padding = (0, 0)
    if _text(node.attr["padding"]["s"]) == "SAME":
        rows = _same_padding(x.shape[2], height, strides[1])
        columns = _same_padding(x.shape[3], width, strides[2])
        if rows[0] == rows[1] and columns[0] == columns[1]:
            padding = rows[0], columns[0]
        else:
            x = functional.pad(x, (*columns, *rows))
    if depthwise:
        kernels = filters.permute(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width)
        y = functional.conv2d(x, kernels, stride=stride, padding=padding, groups=channels)
    else:
        y = functional.conv2d(x, filters.permute(3, 2, 0, 1), stride=stride, padding=padding)
    return y.permute(0, 2, 3, 1)


def _fused_convolution(node: Node, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    x, filters, bias = inputs
    return _fused(node, _convolution(node, [x, filters], depthwise=False), bias)


def _max_pool(node: Node, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    sides, strides = _integers(node, "ksize"), _integers(node, "strides")
    (x,) = inputs
    height, width = sides[1:3]
    # Where nothing has to be padded, SAME and VALID are one.
    if sides != strides or not 1 <= min(height, width) <= max(height, width) <= MAX_KERNEL:
        raise ValueError(f"windows {sides} by {strides}")
    if x.shape[1] % height or x.shape[2] % width:
        raise ValueError(f"windows {sides} on {tuple(x.shape)}")
    return functional.max_pool2d(x.permute(0, 3, 1, 2), (height, width)).permute(0, 2, 3, 1)


def _pad(_: Node, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    x, widths = inputs
    before_and_after = [int(width) for pair in widths.flip(0) for width in pair]
    if not all(0 <= width <= MAX_PADDING for width in before_and_after):
        raise ValueError(f"padding {before_and_after}")
    return functional.pad(x, before_and_after)


def _reshape(_: Node, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    return inputs[0].reshape([int(side) for side in inputs[1]])


def _fused_matmul(node: Node, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    if node.attr["transpose_a"].get("b") or node.attr["transpose_b"].get("b"):
        raise ValueError("a transposed product")
    x, matrix, bias = inputs
    return _fused(node, x @ matrix, bias)


def _fused(node: Node, y: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
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


def _elementwise(node: Node, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
    return ELEMENTWISE[node.op](*inputs)


def _relu(x: torch.Tensor, *, out: torch.Tensor | None = None) -> torch.Tensor:
    return torch.clamp(x, min=0.0, out=out)


ELEMENTWISE: Final[Mapping[str, Callable[..., torch.Tensor]]] = {
    "Add": torch.add,
    "AddV2": torch.add,
    "Mul": torch.mul,
    "Minimum": torch.minimum,
    "Maximum": torch.maximum,
    "Relu": _relu,
}
"""Operations that may write their result over their first input."""
Operation = Callable[[Node, Sequence[torch.Tensor]], torch.Tensor]
OPERATIONS: Final[Mapping[str, Operation]] = {
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    "Sigmoid": lambda _, x: x[0].sigmoid(),
    "Softmax": lambda _, x: x[0].softmax(-1),
    "Mean": _mean,
    "Conv2D": lambda node, x: _convolution(node, x, depthwise=False),
    "DepthwiseConv2dNative": lambda node, x: _convolution(node, x, depthwise=True),
    "_FusedConv2D": _fused_convolution,
    "_FusedMatMul": _fused_matmul,
    "Identity": lambda _, x: x[0],
    "MaxPool": _max_pool,
    "Pad": _pad,
    "Reshape": _reshape,
}
"""TensorFlow operation -> what computes it."""
