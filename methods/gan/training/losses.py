"""The losses that several networks are trained with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import torch
from torch.nn import functional

from methods.gan.training.ms_ssim_l1 import ms_ssim_l1_loss

Reconstruction = Literal["l1", "smooth_l1", "ms_ssim_l1"]


def hinge(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """The critics' loss (Lim and Ye 2017) of their answers, a scalar."""
    return functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()


def weighted(losses: Mapping[str, torch.Tensor], weights: Mapping[str, float]) -> torch.Tensor:
    """The sum of the losses that have a weight, each times it."""
    terms = [weight * losses[name] for name, weight in weights.items() if name in losses]
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total


def attribute_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean loss of (N, A) logits against 0/1 labels: two-way for the first attributes, one of four for the age groups,
    which are the last four columns."""
    single, groups = logits[:, :-4], logits[:, -4:]
    yes_or_no = functional.binary_cross_entropy_with_logits(single, labels[:, :-4])
    return yes_or_no + functional.cross_entropy(groups, labels[:, -4:])


def gradient_penalty(
    score: Callable[[torch.Tensor], torch.Tensor], real: torch.Tensor, fake: torch.Tensor, share: torch.Tensor
) -> torch.Tensor:
    """mean over images of (||d score / d x||_2 - 1)^2 at x = real + share (fake - real) (Gulrajani et al. 2017, eq. 3).

    ``score`` maps (N, C, H, W) to answers whose sum per image is differentiated; ``share`` (N, 1, 1, 1) in [0, 1].
    In float32 whatever autocast says: the gradient of a gradient has no digits to lose, and needs no loss scaling.
    """
    with torch.autocast(real.device.type, enabled=False):
        real, fake = real.detach().float(), fake.detach().float()
        between = (real + share * (fake - real)).requires_grad_(True)
        (slope,) = torch.autograd.grad(score(between).sum(), between, create_graph=True)
        penalty: torch.Tensor = (torch.linalg.vector_norm(slope.flatten(1), dim=1) - 1).square().mean()
        return penalty


def shares(rng: np.random.Generator, count: int, device: torch.device) -> torch.Tensor:
    """(count, 1, 1, 1) uniform draws: where between a real and a fake image the penalty is taken."""
    return torch.from_numpy(rng.random((count, 1, 1, 1), np.float32)).to(device)


def reconstruction_loss(
    kind: Reconstruction, rebuilt: torch.Tensor, photo: torch.Tensor, alpha: float, compensation: float
) -> torch.Tensor:
    """Mean difference of (N, 3, H, W) images in [-1, 1]: over that range for L1 and smooth L1 (beta 1), as published;
    MS-SSIM + L1, whose constants are made for [0, 1], gets the images brought there."""
    if kind == "l1":
        return functional.l1_loss(rebuilt, photo)
    if kind == "smooth_l1":
        return functional.smooth_l1_loss(rebuilt, photo)
    return ms_ssim_l1_loss((rebuilt + 1) / 2, (photo + 1) / 2, alpha=alpha, compensation=compensation)
