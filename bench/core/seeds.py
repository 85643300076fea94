"""Randomness that depends on the run's seed and on what is drawn for, never on order, batch or worker."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np

AGAIN: Final = 101
"""The draw of an attacker who runs a method: beyond all that are averaged."""
ONE_DRAW: Final = 102
"""The draw of a release in which all photos of one person get the same chance."""


def derive_seed(seed: int, *names: str) -> int:
    """A 63-bit seed for ``names`` under a run's ``seed``; the same on every machine."""
    text = "\x1f".join((str(seed), *names)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "big") >> 1


def sample_rng(seed: int, draw: str) -> np.random.Generator:
    """The generator a method must use for one sample, so that batching cannot change its output; ``draw``: its
    `Sample.draw`."""
    return np.random.default_rng(derive_seed(seed, "sample", draw))
