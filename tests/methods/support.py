"""Photos and samples for tests of methods."""

from __future__ import annotations

from typing import Any

import numpy as np

from unmask.bench.core.registry import create_method
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.types import Box, Image, MethodFailure, Sample


def noise(height: int, width: int, seed: int = 0) -> Image:
    """An image of which no two neighbouring pixels are alike, so that every edit shows."""
    return np.random.default_rng(seed).integers(1, 256, (height, width, 3), dtype=np.uint8)


def apply(spec: str, image: Image, *boxes: Box) -> Image:
    """What the method makes of ``image`` when it is told where the faces are (``detector=harness``)."""
    method = create_method(parse_spec(f"{spec}{',' if ':' in spec else ':'}detector=harness"))
    method.load({}, "cpu")
    (output,) = method.anonymize([Sample("a.png", image, boxes)], seed=0)
    assert not isinstance(output, MethodFailure)
    return output


def changed(before: Image, after: Image) -> Any:
    """(H, W) bool: the pixels that differ."""
    return (before != after).any(axis=-1)
