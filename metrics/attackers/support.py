"""What attackers who learn share: which rows can be learned from, what is too little, and rows of length 1."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.errors import UnavailableError
from unmask.bench.core.protocols import Background, Columns
from unmask.bench.core.types import Bools, Float, Floats32

LEAST_PEOPLE: Final = 10
"""Background people below whom nothing is learned."""
LEAST_FACES: Final = 20
"""Their faces, likewise."""
EMBEDDING: Final = "embedding"


class AsRead:
    """An attacker who takes a recogniser's readings as they are."""

    def fit(self, background: Background, *, seed: int) -> Columns:
        return {}

    def read(self, state: Columns, readings: Columns, *, released: bool) -> Columns:
        return readings


def readable(rows: NDArray[Any]) -> Bools:
    """(N,) which rows of (N, D) have a reading."""
    return np.asarray(np.isfinite(rows).all(axis=1), np.bool_)


def unit(rows: NDArray[Any]) -> Floats32:
    """(N, D) rows scaled to length 1; NaN rows stay NaN. A row of zeros, which no face has before it is mapped, becomes
    the first axis: it is still a reading, and says nothing."""
    wide = np.asarray(rows, np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    first = np.eye(1, wide.shape[1])
    return np.where(length == 0, first, wide / np.where(length == 0, 1.0, length)).astype(np.float32)


def enough(identity: NDArray[np.str_]) -> bool:
    """Whether faces (their people: (N,)) suffice to learn from."""
    return len(identity) >= LEAST_FACES and len(np.unique(identity)) >= LEAST_PEOPLE


def too_little(who: str, identity: NDArray[np.str_], what: str) -> UnavailableError:
    """For the faces that there are, of the people ``identity`` (N,); ``what`` is needed of each face or person."""
    return UnavailableError(
        f"attacker {who!r} needs {what} of at least {LEAST_PEOPLE} background people, {LEAST_FACES} faces in all; "
        f"there are {len(identity)} faces of {len(np.unique(identity))} people: add people to the background"
    )


def learned(state: Columns, name: str, who: str) -> Float:
    """An array of a state in float64. Raises `UnavailableError` where it is not there."""
    if name not in state:
        raise UnavailableError(f"attacker {who!r} has learned nothing of this recogniser: fit it on background people")
    return np.asarray(state[name], np.float64)
