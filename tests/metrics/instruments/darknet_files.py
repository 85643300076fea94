"""Small networks in Darknet's two files, for tests."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from unmask.metrics.instruments.support.darknet_cfg import Convolution, read_cfg

SMALL = """
[net]
channels=3
width=64   # not looked at
learning_rate=0.001

[convolutional]
batch_normalize=1
filters=6
size=3
stride=2
pad=1
activation=leaky

[convolutional]
batch_normalize=1
filters=6
size=1
stride=1
pad=1
activation=leaky

[shortcut]
from=-2
activation=linear

[maxpool]
size=2
stride=2

[maxpool]
size=2
stride=1

[convolutional]
filters=14
size=3
stride=1
pad=1
activation=linear

[yolo]
mask = 1,2
anchors = 4,5,  8,9,  16,20
classes=2
num=3
jitter=.3

[route]
layers = -3

[upsample]
stride=2

[route]
layers = -1, 2

[convolutional]
filters=7
size=1
stride=1
pad=1
activation=linear

[yolo]
mask = 0
anchors = 4,5,  8,9,  16,20
classes=2
num=3
"""
"""Every kind of section once; two grids of 16 and 32 cells for an input of 64 pixels; classes 0 and 1."""


def write_cfg(folder: Path, text: str = SMALL, name: str = "small.cfg") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def write_weights(folder: Path, cfg: Path, seed: int = 0, *, version: int = 2, extra: int = 0) -> Path:
    """Random weights that fit; ``extra`` values too many (or, below 0, too few)."""
    rng = np.random.default_rng(seed)
    parts = []
    for settings, inputs, _ in read_cfg(cfg):
        if isinstance(settings, Convolution):
            parts.append(rng.normal(0, 0.3, settings.filters))
            if settings.batch_normalize:
                parts += [rng.uniform(0.5, 1.5, settings.filters), rng.normal(0, 0.3, settings.filters)]
                parts.append(rng.uniform(0.5, 2, settings.filters))
            count = inputs * settings.size**2
            # Layers that boxes are read off (not normalised) speak softly: sizes are exponents.
            spread = 1.0 if settings.batch_normalize else 0.2
            parts.append(rng.normal(0, spread * count**-0.5, settings.filters * count))
    values = np.concatenate(parts).astype("<f4")
    values = np.concatenate([values, np.zeros(extra, "<f4")]) if extra >= 0 else values[:extra]
    path = folder / f"small-{version}-{extra}.weights"
    seen = struct.pack("<q", 1000) if version >= 2 else struct.pack("<i", 1000)
    path.write_bytes(struct.pack("<3i", 0, version, 0) + seen + values.tobytes())
    return path
