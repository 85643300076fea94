"""Little .npz shards of made-up faces, as `unmask data build` writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

ATTRIBUTES = ("female", "0-19", "20-29", "30-39", "40+")


def arrays(count: int, side: int, seed: int = 0) -> dict[str, Any]:
    """Gradients whose colour tells the labels; deterministic."""
    rng = np.random.default_rng(seed)
    female, group = rng.integers(0, 2, count), rng.integers(0, 4, count)
    labels = np.zeros((count, 5), np.float32)
    labels[:, 0], labels[np.arange(count), 1 + group] = female, 1
    ramp = np.linspace(0, 150, side)[None, :, None, None] * np.ones((count, 1, side, 3))
    ramp[..., 0] += 60 * female[:, None, None]
    ramp[..., 1] += 25 * group[:, None, None]
    images = np.clip(ramp + rng.normal(0, 1, ramp.shape), 0, 255).astype(np.uint8)
    quarter = side // 4
    return {
        "images": images,
        "ids": np.array([f"face{seed}_{k}.jpg" for k in range(count)]),
        "boxes": np.tile(np.array([quarter, quarter, 3 * quarter, 3 * quarter], np.int16), (count, 1)),
        "landmarks": np.full((count, 5, 2), side / 2, np.float32),
        "labels": labels,
    }


def write_shard(path: Path, count: int = 24, side: int = 16, seed: int = 0, **changes: Any) -> Path:
    """``changes``: arrays instead of the usual ones; None leaves one out."""
    found = {**arrays(count, side, seed), **changes}
    np.savez(path, **{name: value for name, value in found.items() if value is not None})
    return path
