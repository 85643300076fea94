"""Views: what an attacker has a recogniser read in place of faces as they were released."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from unmask.bench.core.evidence import KNOWN_PLACE, Columns
from unmask.bench.core.types import Image

RELEASE: Final = ""
"""The faces as they were released: found again, or at the place where the original has them."""
OUTSIDE: Final = "outside"
"""The place of the face with the face itself blanked, of photos and of releases."""
PATCH: Final = "patch"
"""The largest square of the picture without a face, of photos and of releases."""
ACTIVATIONS: Final = "activations"
"""What a recogniser's last block is given of a released face, in place of an embedding; only of recognisers that have
``read_activations``."""
RESTORED: Final = "restored:"
"""Followed by an attacker's name: released faces as this one restores them, at the original's place. Photos stay as
they are."""
VIEWS_VERSION: Final = 1
"""Raise it whenever a view is made otherwise."""
BEST_PSNR: Final = 60.0
"""Decibels that count for identical pixels."""


def psnr(image: Image, other: Image) -> float:
    """Peak signal-to-noise ratio in dB of what is restored and its original, of one shape (H, W, 3): at most
    `BEST_PSNR`, NaN where they have no pixel."""
    if not image.size:
        return math.nan
    error = float(np.mean((image.astype(np.float64) - other) ** 2))
    return min(BEST_PSNR, 10 * math.log10(255**2 / error)) if error else BEST_PSNR


def is_restored(view: str) -> bool:
    return view.startswith(RESTORED)


def of_photos(view: str) -> bool:
    """Whether photos are looked at in this view too, not only releases."""
    return view in (OUTSIDE, PATCH)


def view_column(view: str, choice: int = 0) -> str:
    """The reading of a recogniser in a view, (N, D); of a restoration also of its further ``choice``."""
    return f"view:{view}" + (f"|{choice}" if choice else "")


def viewed(columns: Columns, view: str) -> Columns:
    """A recogniser's readings in one view, the first as ``embedding``, as attackers read them; {} where there is none.
    Of `RELEASE` all that are of no view; of restorations the release as it is, too, at the known place."""
    if view == RELEASE:
        return {name: rows for name, rows in columns.items() if not name.startswith("view:")}
    first = view_column(view)
    rows = {name: each for name, each in columns.items() if name == first or name.startswith(f"{first}|")}
    as_released = {KNOWN_PLACE: columns[KNOWN_PLACE]} if rows and is_restored(view) else {}
    return {name.replace(first, "choice") if name != first else "embedding": each for name, each in rows.items()} | (
        as_released
    )


def nothing_to_restore(columns: Columns, views: Sequence[str]) -> dict[str, NDArray[Any]]:
    """A recogniser's readings of photos to which nothing was done, with those of the restored ones among ``views``:
    what lies at the known place."""
    return {**columns, **{view_column(view): columns[KNOWN_PLACE] for view in views if is_restored(view)}}
