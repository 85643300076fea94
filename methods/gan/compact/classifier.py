"""A small classifier of attributes, which tells the editor in training whether its edit shows. Not shipped."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from unmask.methods.gan.compact.layers import SLOPE


class AttributeClassifier(nn.Module):
    """(N, 3, 128, 128) in [-1, 1] -> (N, A) logits. Looks at half size."""

    def __init__(self, attributes: int, width: int = 32) -> None:
        super().__init__()
        self.width = width
        sizes = [3, width, 2 * width, 4 * width, 4 * width]
        self.trunk = nn.Sequential(
            *[
                layer
                for before, after in pairwise(sizes)
                for layer in (nn.Conv2d(before, after, 3, 2, 1), nn.BatchNorm2d(after), nn.LeakyReLU(SLOPE))
            ],
            nn.Conv2d(sizes[-1], sizes[-1], 3, 1, 1),
            nn.BatchNorm2d(sizes[-1]),
            nn.LeakyReLU(SLOPE),
        )
        self.head = nn.Sequential(
            nn.Dropout(0.3), nn.Linear(sizes[-1] * 16, 128), nn.LeakyReLU(SLOPE), nn.Linear(128, attributes)
        )

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.head(self.trunk(functional.avg_pool2d(image, 2)).flatten(1))
        return logits
