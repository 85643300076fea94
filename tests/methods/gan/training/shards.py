"""Little shards of made-up faces, as `unmask data build` writes them, and packs of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from unmask.methods.gan.training.packing import Packer

SKIN = (190, 140, 120)
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


def built(folder: Path, side: int = 128, counts: tuple[int, int] = (24, 6)) -> Path:
    """A built set with a card; the first faces have skin, the last of each part are grey."""
    for part, count, seed in (("train", counts[0], 0), ("val", counts[1], 3)):
        (folder / part).mkdir(parents=True)
        faces = arrays(count, side, seed)
        faces["images"][: count - 1, side // 4 : -side // 4, side // 4 : -side // 4] = SKIN
        faces["images"][-1] = 128  # grey is nobody's skin
        half = count // 2
        for number, chosen in enumerate((slice(0, half), slice(half, count))):
            shard = {name: value[chosen] for name, value in faces.items()}
            np.savez(folder / part / f"faces-{number:03d}.npz", **shard, attributes=np.array(ATTRIBUTES))
    source = {"part": "train", "spec": "mine", "title": "Mine", "revision": "1", "licence": "CC0", "fingerprint": "f"}
    (folder / "card.json").write_text(json.dumps({"name": "mine", "terms": "", "plan": {"sources": [source]}}))
    return folder


def packed(folder: Path, **options: Any) -> Path:
    Packer().pack(built(folder / "set", **options), folder / "pack", {}, lambda line: None)
    return folder / "pack"
