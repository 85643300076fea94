"""Losses, the learning rate's course and the table of losses: what all loops share."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional

from unmask.bench.core.files import replacing_file
from unmask.methods.gan.compact.critics import FeatureCritic, PixelCritic

Critics = tuple[PixelCritic, FeatureCritic]


class Features:
    """The layers of LPIPS's AlexNet: for the perceptual loss, and what the feature critic looks at."""

    channels = (64, 192, 384, 256, 256)

    def __init__(self, lpips_network: Any) -> None:
        self._lpips = lpips_network

    def __call__(self, image: torch.Tensor) -> list[torch.Tensor]:
        """Image in [-1, 1] -> five layers, looked at in half size: 64 px is what LPIPS was tuned on."""
        return list(self._lpips.net(self._lpips.scaling_layer(functional.avg_pool2d(image, 2))))

    def distance(self, a: list[torch.Tensor], b: list[torch.Tensor]) -> torch.Tensor:
        """LPIPS (N,) from the layers of two images."""
        total = torch.zeros(len(a[0]), device=a[0].device)
        for head, x, y in zip(self._lpips.lins, a, b, strict=True):
            difference = functional.normalize(x, eps=1e-8) - functional.normalize(y, eps=1e-8)
            total = total + head(difference.square()).mean((1, 2, 3))
        return total


def hinge(real: torch.Tensor, made: torch.Tensor) -> torch.Tensor:
    """The critics' loss (Lim and Ye 2017)."""
    return functional.relu(1 - real).mean() + functional.relu(1 + made).mean()


def learning_rate(step: int, steps: int) -> float:
    """Factor of the base rate: 1 for the first half, then down to a twentieth by a cosine."""
    half = steps / 2
    if step < half:
        return 1.0
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min((step - half) / half, 1.0)))


def log_row(path: Path, columns: Sequence[str], step: int, row: Mapping[str, float]) -> None:
    """Appends a row to the table of losses; a loss that was not taken stays empty."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ("step", *columns))
        if new:
            writer.writeheader()
        writer.writerow({"step": step, **row})


def trim_rows(path: Path, step: int) -> None:
    """Removes what a killed training wrote after its last saved ``step``, so that resuming writes no row twice."""
    if not path.exists():
        return
    with path.open(newline="", encoding="utf-8") as file:
        head, *rows = list(csv.reader(file)) or [[]]
    kept = [row for row in rows if len(row) == len(head) and row[0].isdigit() and int(row[0]) <= step]
    if not kept:
        path.unlink()
    elif len(kept) < len(rows):
        with replacing_file(path) as temp, temp.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *kept])


def fooled(
    critics: Critics, made: torch.Tensor, made_layers: list[torch.Tensor], keep: torch.Tensor
) -> dict[str, torch.Tensor]:
    """The generator's adversarial losses: how far both critics are from taking what was made for real."""
    pixels, layers = critics
    return {
        "adv_pixels": -pixels(torch.cat([made, keep], 1)).mean(),
        "adv_layers": -torch.stack([x.mean() for x in layers(made_layers)]).mean(),
    }


def told_apart(
    critics: Critics,
    real: torch.Tensor,
    real_layers: list[torch.Tensor],
    made: torch.Tensor,
    made_layers: list[torch.Tensor],
    keep: torch.Tensor,
) -> dict[str, torch.Tensor]:
    """The critics' losses; what was made is detached. They see the mask too: a face may be right and its seam not."""
    pixels, layers = critics
    made, made_layers = made.detach(), [x.detach() for x in made_layers]
    pairs = zip(layers(real_layers), layers(made_layers), strict=True)
    return {
        "critic_pixels": hinge(pixels(torch.cat([real, keep], 1)), pixels(torch.cat([made, keep], 1))),
        "critic_layers": torch.stack([hinge(a, b) for a, b in pairs]).mean(),
    }


def set_rates(bases: Sequence[tuple[torch.optim.Optimizer, float]], factor: float) -> None:
    """Each optimizer's rate: its base times ``factor``."""
    for optimizer, base in bases:
        for group in optimizer.param_groups:
            group["lr"] = base * factor
