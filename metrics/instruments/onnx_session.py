"""ONNX networks in onnxruntime: opened safely, quantised weights expanded once, any batch size."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper

from unmask.bench.core.errors import CheckpointError, UnavailableError
from unmask.metrics.instruments.hardware import cores, onnx_providers


def read_model(path: Path) -> onnx.ModelProto:
    """The network in a file. Raises `CheckpointError` if it is none, or refers to weights in other files."""
    try:
        model = onnx.load(str(path), load_external_data=False)
        onnx.checker.check_model(model)
    except Exception as error:  # protobuf and the checker share no base class below Exception
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path.name} is not a usable ONNX network: {reason}") from error
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in model.graph.initializer):
        raise CheckpointError(f"{path.name} keeps its weights in other files; give one self-contained ONNX file")
    return model


def open_session(model: onnx.ModelProto, device: str, name: str) -> onnxruntime.InferenceSession:
    """A session on ``device`` that uses this machine's cores. Raises `UnavailableError` naming instrument ``name``."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    options.log_severity_level = 3
    # Threads that spin while they wait take the cores from the other stages: a tenth slower on a busy machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=onnx_providers(device, name))
    # onnxruntime only logs it when the GPU's libraries cannot be loaded, and would then be silently slow.
    if device != "cpu" and session.get_providers()[0] != "CUDAExecutionProvider":
        raise UnavailableError(f"{name} cannot use {device}: onnxruntime could not start CUDA; use --device cpu")
    return session


def keep_inputs(model: onnx.ModelProto, names: Iterable[str]) -> None:
    """Removes all other graph inputs: old exporters list every weight as one, which stops all optimisation."""
    wanted = set(names)
    kept = [value for value in model.graph.input if value.name in wanted]
    del model.graph.input[:]
    model.graph.input.extend(kept)


def free_batch(model: onnx.ModelProto) -> None:
    """Makes the first dimension of inputs and outputs free, where a file was exported for one image at a time."""
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del model.graph.value_info[:]


def expand_weights(model: onnx.ModelProto) -> None:
    """Replaces ``DequantizeLinear`` (and a ``Reshape`` after it) of stored weights by the float weights they yield.

    The numbers are the same; onnxruntime would otherwise compute them again in every call and could not fuse batch
    normalisations into the convolutions.
    """
    graph = model.graph
    known: dict[str, NDArray[Any]] = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    stored = set(known)
    kept = []
    for node in graph.node:
        if not all(name in known for name in node.input):
            kept.append(node)
        elif node.op_type == "DequantizeLinear":
            known[node.output[0]] = _dequantised(node, [known[name] for name in node.input])
        elif node.op_type == "Reshape" and node.input[0] not in stored:
            known[node.output[0]] = known[node.input[0]].reshape(known[node.input[1]])
        else:
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
    used = {name for node in kept for name in node.input}
    tensors = [tensor for tensor in graph.initializer if tensor.name in used]
    tensors += [numpy_helper.from_array(value, name) for name, value in known.items() if name in used - stored]
    del graph.initializer[:]
    graph.initializer.extend(tensors)


def unfold_prelu(model: onnx.ModelProto) -> None:
    """Replaces each ``PRelu`` with stored slopes a by a x + (1 - a) relu(x), equal but for rounding.

    onnxruntime keeps the layout of its fast convolutions through these, but not through a PRelu: SFace takes a third of
    the time. Call it after `expand_weights`.
    """
    graph = model.graph
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type != "PRelu" or node.input[1] not in stored:
            nodes.append(node)
            continue
        (x, _), (y,) = node.input, node.output
        slope = stored[node.input[1]].astype(np.float32)
        graph.initializer.append(numpy_helper.from_array(slope, f"{y}/slope"))
        graph.initializer.append(numpy_helper.from_array(1 - slope, f"{y}/rest"))
        nodes += [
            onnx.helper.make_node("Relu", [x], [f"{y}/relu"]),
            onnx.helper.make_node("Mul", [x, f"{y}/slope"], [f"{y}/linear"]),
            onnx.helper.make_node("Mul", [f"{y}/relu", f"{y}/rest"], [f"{y}/above"]),
            onnx.helper.make_node("Add", [f"{y}/linear", f"{y}/above"], [y]),
        ]
    del graph.node[:]
    graph.node.extend(nodes)


def _dequantised(node: onnx.NodeProto, inputs: list[NDArray[Any]]) -> NDArray[np.float32]:
    """``(x - zero) * scale``, given for the whole tensor, for each index of an axis or for blocks along it."""
    attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
    values, scale = inputs[0].astype(np.float32), inputs[1].astype(np.float32)
    zero = inputs[2].astype(np.float32) if len(inputs) > 2 else np.zeros_like(scale)
    axis, block = int(attributes.get("axis", 1)), int(attributes.get("block_size", 0))
    if block:
        spread = np.arange(values.shape[axis]) // block
        scale, zero = scale.take(spread, axis), zero.take(spread, axis)
    elif scale.ndim == 1 and scale.size > 1:
        shape = [1] * values.ndim
        shape[axis] = -1
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    result: NDArray[np.float32] = (values - zero) * scale
    return result
