"""Networks in onnxruntime: opened safely, for any batch size, torch's exported to it; and what they run on."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper

from unmask.bench.core.errors import CheckpointError, UnavailableError
from unmask.bench.core.types import Floats32

if TYPE_CHECKING:
    import torch
    from torch import nn

_ANY_SIDE: Final = 64
"""The size of the images that a network for any size is exported with."""


def cores() -> int:
    """Threads a network may use: ``OMP_NUM_THREADS`` where it is set (as for torch), else the cores of this process."""
    limit = os.environ.get("OMP_NUM_THREADS", "")
    if limit.isdigit() and int(limit) > 0:
        return int(limit)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def torch_device(device: str, name: str) -> torch.device:
    """``cpu``, ``cuda`` or ``cuda:1`` for torch. Raises `UnavailableError` naming the instrument ``name``."""
    import torch

    if device != "cpu":
        index = _index(device, name)
        if not torch.cuda.is_available() or index >= torch.cuda.device_count():
            raise UnavailableError(f"{name} cannot use {device}: torch sees no such GPU; use --device cpu")
    return torch.device(device)


def check_device(device: str) -> None:
    """Raises `UnavailableError` if ``device`` is not the CPU and torch cannot use it. For the CPU loads nothing."""
    if device != "cpu":
        torch_device(device, "this machine")


def onnx_providers(device: str, name: str) -> list[str | tuple[str, dict[str, str]]]:
    """The execution providers of onnxruntime for a device. Raises `UnavailableError` naming the instrument ``name``."""
    if device == "cpu":
        return ["CPUExecutionProvider"]
    index = _index(device, name)
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise UnavailableError(
            f"{name} cannot use {device}: this onnxruntime has no CUDA; install onnxruntime-gpu or use --device cpu"
        )
    return [("CUDAExecutionProvider", {"device_id": str(index)}), "CPUExecutionProvider"]


def _index(device: str, name: str) -> int:
    """The number of a GPU. Raises `UnavailableError` where ``device`` names none."""
    kind, colon, index = device.partition(":")
    if kind != "cuda" or (colon and not index.isdigit()):
        raise UnavailableError(f"{name} cannot use device {device!r}; write cpu, cuda or cuda:1")
    return int(index or 0)


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


def open_session(model: onnx.ModelProto | bytes, device: str, name: str) -> onnxruntime.InferenceSession:
    """A session on ``device`` that uses this machine's cores; bytes are a file's. Raises `UnavailableError` naming
    instrument ``name``."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    options.log_severity_level = 3
    # Threads that spin while they wait take the cores from the other stages: a tenth slower on a busy machine.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Stored weights of 8 bits become floats once, not in every call, and can be fused like others.
    options.add_session_config_entry("session.disable_quant_qdq", "1")
    content = model if isinstance(model, bytes) else model.SerializeToString()
    session = onnxruntime.InferenceSession(content, options, providers=onnx_providers(device, name))
    # onnxruntime only logs it when the GPU's libraries cannot be loaded, and would then be silently slow.
    if device != "cpu" and session.get_providers()[0] != "CUDAExecutionProvider":
        raise UnavailableError(f"{name} cannot use {device}: onnxruntime could not start CUDA; use --device cpu")
    return session


def fast_network(
    network: nn.Module, device: str, name: str, *, sides: tuple[int, int] | None, inputs: int = 1
) -> Callable[..., Floats32]:
    """What computes ``network``: as many (N, 3, height, width) float32 arrays as it has ``inputs`` -> (N, ...) float32.

    ``sides`` (height, width) is the one size of images, ``None`` any size. On a CPU the network is exported to
    onnxruntime once, within half a second: equal but for rounding, up to twice as fast, most of all for one image at a
    time. On a GPU torch runs it. Raises `UnavailableError` naming instrument ``name``.
    """
    import torch

    if device != "cpu":
        target = torch_device(device, name)
        moved = network.to(target)

        def on_gpu(*images: Floats32) -> Floats32:
            with torch.inference_mode():
                output: Floats32 = moved(*(torch.from_numpy(image).to(target) for image in images)).cpu().numpy()
            return output

        return on_gpu
    names = [f"images_{k}" for k in range(inputs)]
    free = {0: "n"} if sides is not None else {0: "n", 2: "height", 3: "width"}
    file: Any = io.BytesIO()
    with warnings.catch_warnings():
        # The exporter that torch prefers needs one more package and ten times as long.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(1, 3, *(sides or (_ANY_SIDE, _ANY_SIDE))),) * inputs,
            file,
            dynamo=False,
            input_names=names,
            output_names=["values"],
            dynamic_axes={**dict.fromkeys(names, free), "values": {0: "n"}},
        )
    session = open_session(file.getvalue(), device, name)

    def on_cpu(*images: Floats32) -> Floats32:
        arrays = {name: np.ascontiguousarray(image) for name, image in zip(names, images, strict=True)}
        output: Floats32 = session.run(None, arrays)[0]
        return output

    return on_cpu


def on_planes(
    session: onnxruntime.InferenceSession, scaled: Callable[[Floats32], Floats32]
) -> Callable[[NDArray[np.uint8]], Floats32]:
    """What computes a session's first output of (B, S, S, 3) uint8 crops, which its one input takes as (B, 3, S, S).

    ``scaled``: float32 values 0..255 to what the network expects.
    """
    name = session.get_inputs()[0].name

    def network(crops: NDArray[np.uint8]) -> Floats32:
        planes = np.ascontiguousarray(crops.transpose(0, 3, 1, 2), np.float32)
        output: Floats32 = session.run(None, {name: scaled(planes)})[0]
        return output

    return network


def keep_inputs(model: onnx.ModelProto, names: Iterable[str]) -> None:
    """Removes all other graph inputs: old exporters list every weight as one, which stops all optimisation."""
    kept_names = set(names)
    kept = [value for value in model.graph.input if value.name in kept_names]
    del model.graph.input[:]
    model.graph.input.extend(kept)


def free_batch(model: onnx.ModelProto) -> None:
    """Makes the first dimension of inputs and outputs free, where a file was exported for one image at a time."""
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del model.graph.value_info[:]


def unfold_prelu(model: onnx.ModelProto) -> None:
    """Replaces each ``PRelu`` of slopes a by a x + (1 - a) relu(x), equal but for rounding.

    onnxruntime keeps the layout of its fast convolutions through these, but not through a PRelu: SFace takes a third of
    the time.
    """
    graph = model.graph
    one = "unfold_prelu/one"
    graph.initializer.append(numpy_helper.from_array(np.ones((), np.float32), one))
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        if node.op_type != "PRelu":
            nodes.append(node)
            continue
        (x, slope), (y,) = node.input, node.output
        nodes += [
            onnx.helper.make_node("Relu", [x], [f"{y}/relu"]),
            onnx.helper.make_node("Mul", [x, slope], [f"{y}/linear"]),
            onnx.helper.make_node("Sub", [one, slope], [f"{y}/rest"]),
            onnx.helper.make_node("Mul", [f"{y}/relu", f"{y}/rest"], [f"{y}/above"]),
            onnx.helper.make_node("Add", [f"{y}/linear", f"{y}/above"], [y]),
        ]
    del graph.node[:]
    graph.node.extend(nodes)
