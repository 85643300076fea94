"""Which processor a network runs on: the cores of a CPU, or a GPU and one clear error where there is none."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from unmask.bench.core.errors import UnavailableError

if TYPE_CHECKING:
    import torch


def cores() -> int:
    """Threads a network may use: ``OMP_NUM_THREADS`` where it is set (as for torch), else the cores of this process."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def torch_device(device: str, name: str) -> torch.device:
    """``cpu``, ``cuda`` or ``cuda:1`` for torch. Raises `UnavailableError` naming the instrument ``name``."""
    import torch

    if device != "cpu":
        _check(device, name)
        index = _index(device)
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
    import onnxruntime

    _check(device, name)
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise UnavailableError(
            f"{name} cannot use {device}: this onnxruntime has no CUDA; install onnxruntime-gpu or use --device cpu"
        )
    return [("CUDAExecutionProvider", {"device_id": str(_index(device))}), "CPUExecutionProvider"]


def _check(device: str, name: str) -> None:
    kind, _, index = device.partition(":")
    if kind != "cuda" or (":" in device and not index.isdigit()):
        raise UnavailableError(f"{name} cannot use device {device!r}; write cpu, cuda or cuda:1")


def _index(device: str) -> int:
    return int(device.partition(":")[2] or 0)
