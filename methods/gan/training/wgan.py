"""What the published trainings share: the Wasserstein critic's penalty, the reconstruction losses, mixed precision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from torch.nn import functional

from unmask.bench.core.errors import ConfigError
from unmask.methods.gan.training.ms_ssim_l1 import ms_ssim_l1_loss

Precision = Literal["float32", "bfloat16", "float16"]
Reconstruction = Literal["l1", "smooth_l1", "ms_ssim_l1"]


def gradient_penalty(
    score: Callable[[torch.Tensor], torch.Tensor], real: torch.Tensor, made: torch.Tensor, share: torch.Tensor
) -> torch.Tensor:
    """mean over images of (||d score / d x||_2 - 1)^2 at x = real + share (made - real) (Gulrajani et al. 2017, eq. 3).

    ``score`` maps (N, C, H, W) to answers whose sum per image is differentiated; ``share`` (N, 1, 1, 1) in [0, 1].
    In float32 whatever autocast says: the gradient of a gradient has no digits to lose, and needs no loss scaling.
    """
    with torch.autocast(real.device.type, enabled=False):
        real, made = real.detach().float(), made.detach().float()
        between = (real + share * (made - real)).requires_grad_(True)
        (slope,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
        penalty: torch.Tensor = (torch.linalg.vector_norm(slope.flatten(1), dim=1) - 1).square().mean()
        return penalty


def shares(rng: np.random.Generator, count: int, device: torch.device) -> torch.Tensor:
    """(count, 1, 1, 1) uniform draws: where between a real and a made image the penalty is taken."""
    return torch.from_numpy(rng.random((count, 1, 1, 1), np.float32)).to(device)


def reconstruction_loss(
    kind: Reconstruction, made: torch.Tensor, wanted: torch.Tensor, alpha: float, compensation: float
) -> torch.Tensor:
    """Mean difference of (N, 3, H, W) images in [-1, 1]: over that range for L1 and smooth L1 (beta 1), as published;
    MS-SSIM + L1, whose constants are made for [0, 1], gets the images brought there."""
    if kind == "l1":
        return functional.l1_loss(made, wanted)
    if kind == "smooth_l1":
        return functional.smooth_l1_loss(made, wanted)
    return ms_ssim_l1_loss((made + 1) / 2, (wanted + 1) / 2, alpha=alpha, compensation=compensation)


def autocast(precision: Precision, device: torch.device) -> torch.autocast:
    """The context for forward passes. Raises ConfigError for float16 on a CPU, where nothing scales the losses."""
    if precision == "float16" and device.type != "cuda":
        raise ConfigError("precision = 'float16' needs --device cuda; on a CPU use 'bfloat16' or 'float32'")
    dtype = torch.float16 if precision == "float16" else torch.bfloat16
    return torch.autocast(device.type, dtype, enabled=precision != "float32")


class Stepper:
    """An Adam that knows how to step in mixed precision; saved and resumed together with its loss scale."""

    def __init__(
        self,
        parameters: Any,
        rate: float,
        betas: tuple[float, float],
        precision: Precision,
        device: torch.device,
    ) -> None:
        self._rate = rate
        self._optimizer = torch.optim.Adam(parameters, rate, betas)
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision == "float16" and device.type == "cuda")

    def step(self, loss: torch.Tensor, factor: float) -> None:
        """One update down the gradient of ``loss``, at ``factor`` times the base rate."""
        for group in self._optimizer.param_groups:
            group["lr"] = self._rate * factor
        self._optimizer.zero_grad(set_to_none=True)
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self._scaler.step(self._optimizer)
        self._scaler.update()

    def state_dict(self) -> dict[str, Any]:
        return {"optimizer": self._optimizer.state_dict(), "scaler": self._scaler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
