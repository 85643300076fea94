"""Sample grids: one row a step of the way, one column a face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image as Pillow


def save_grid(path: Path, rows: Sequence[torch.Tensor]) -> None:
    """Writes (N, 3, H, W) tensors in [-1, 1], one below the other; no file where there are none."""
    if not rows:
        return
    strips = []
    for row in rows:
        pixels = ((row.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        strips.append(np.concatenate(list(pixels), 1))
    Pillow.fromarray(np.concatenate(strips)).save(path)
