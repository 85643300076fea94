"""The losses that several networks are trained with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
from torch.nn import functional

from unmask.methods.gan.training.ms_ssim_l1 import ms_ssim_l1_loss

Reconstruction = Literal["l1", "smooth_l1", "ms_ssim_l1"]


def hinge(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """The critics' loss (Lim and Ye 2017) of their answers, a scalar."""
    return functional.relu(1 - real.float()).mean() + functional.relu(1 + fake.float()).mean()


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
