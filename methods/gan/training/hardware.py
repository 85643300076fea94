"""Where a training runs and how it calculates: device, precision, compilation, and the optimizer that fits them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, cast

import torch
from torch import nn

from unmask.bench.core.errors import ConfigError, UnavailableError

Precision = Literal["auto", "float32", "bfloat16", "float16"]
"""Of forward passes; ``auto`` = bfloat16 on a GPU and float32 elsewhere."""
Function = TypeVar("Function", bound=Callable[..., Any])
Network = TypeVar("Network", bound=nn.Module)


@dataclass(frozen=True, slots=True)
class Hardware:
    """A device with the precision and the compilation that a training uses on it."""

    device: torch.device
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    compiles: bool = False
    """Whether the arithmetic of a step is compiled by torch: minutes at the start, then several times as fast."""

    def autocast(self) -> torch.autocast:
        """The context for forward passes."""
        dtype = torch.float16 if self.precision == "float16" else torch.bfloat16
        return torch.autocast(self.device.type, dtype, enabled=self.precision != "float32")

    def compiled(self, function: Function) -> Function:
        """``function`` of tensors, compiled where `compiles` says so."""
        return cast(Function, torch.compile(function)) if self.compiles else function

    def placed(self, network: Network) -> Network:
        """The network on the device, its weights laid out for convolutions of channels-last images."""
        return network.to(self.device).to(memory_format=torch.channels_last)


def open_hardware(device: str, precision: Precision = "auto", compiles: bool | None = None) -> Hardware:
    """The hardware of that name (``cpu``, ``cuda``, ``cuda:1``); ``compiles`` None = on a GPU only.

    Raises UnavailableError for a device that is not there, ConfigError for float16 on a CPU (no loss scaling).
    """
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise UnavailableError(
            f"cannot train on {device!r}: torch has no such device here; use --device cpu"
        ) from error
    on_gpu = place.type == "cuda"
    torch.backends.cudnn.benchmark = on_gpu  # all batches of a training have one size
    if precision == "float16" and not on_gpu:
        raise ConfigError("precision = 'float16' needs --device cuda; on a CPU use 'bfloat16' or 'float32'")
    if precision == "auto":
        precision = "bfloat16" if on_gpu else "float32"
    return Hardware(place, precision, on_gpu if compiles is None else compiles)


@contextmanager
def frozen(*networks: nn.Module) -> Iterator[None]:
    """Inside, nothing that is computed has gradients for the weights of ``networks``."""
    for network in networks:
        network.requires_grad_(False)
    try:
        yield
    finally:
        for network in networks:
            network.requires_grad_(True)


class Stepper:
    """An Adam in mixed precision; saved and resumed together with its loss scale."""

    def __init__(
        self, parameters: Any, rate: float, betas: tuple[float, float], hardware: Hardware, weight_decay: float = 0.0
    ) -> None:
        """``parameters``: as torch's optimizers take them; a group with a ``share`` learns at so much of ``rate``, the
        base rate. With ``weight_decay`` it is AdamW (Loshchilov and Hutter 2019)."""
        on_gpu = hardware.device.type == "cuda"
        self._rate = rate
        kind = torch.optim.AdamW if weight_decay else torch.optim.Adam
        self._optimizer = kind(parameters, rate, betas, weight_decay=weight_decay, fused=on_gpu or None)
        self._scaler = torch.amp.GradScaler(hardware.device.type, enabled=hardware.precision == "float16" and on_gpu)

    def step(self, loss: torch.Tensor, factor: float) -> None:
        """One update down the gradient of ``loss``, at ``factor`` times the base rate."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * factor * group.get("share", 1.0)
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.step(self._optimizer)
        self._scaler.update()

    def state_dict(self) -> dict[str, Any]:
        return {"optimizer": self._optimizer.state_dict(), "scaler": self._scaler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])


@torch.no_grad()
def update_average(average: nn.Module, current: nn.Module, decay: float) -> None:
    """Moves the running average of the weights a little towards the current ones (Karras et al. 2018)."""
    torch._foreach_lerp_(list(average.parameters()), list(current.parameters()), 1 - decay)
