"""Age groups and genders: one rule for metrics, subgroups, balanced sets and the attributes that networks learn.

Ages count in completed years, as people state them: 19.6 belongs to 0-19. An estimate below zero counts as zero. A
probability of female of 0.5 or more is female.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # settings need the groups, and the help of a command no numpy
    from numpy.typing import ArrayLike, NDArray

    from unmask.bench.core.types import Float, Gender

AgeGroup = tuple[int, int]
"""First and last year of age, both included."""
AGE_GROUPS: Final[tuple[AgeGroup, ...]] = ((0, 19), (20, 29), (30, 39), (40, 120))
"""Of the thesis's evaluation and of its final models (4.3, 4.4)."""
GENDERS: Final[tuple[Gender, ...]] = ("female", "male")
SKIN_TERCILES: Final = {
    "dark": "darkest third of this set",
    "medium": "middle third of this set",
    "light": "lightest third of this set",
}
"""Subgroups by skin tone, darkest first, and what they are called where people read them: not a dark skin as such."""
NO_GROUP: Final = -1.0
"""The number of an age that lies in none of the groups."""
OLDEST: Final = 120
"""Where ``40+`` ends: an age above it is a mistake, of a label or of an estimator."""
_GROUP: Final = re.compile(r"(\d{1,3})(?:-(\d{1,3})|\+)")


def age_group(age: ArrayLike, groups: Sequence[AgeGroup]) -> Float:
    """(N,) years, or one age, to the number of the group; `NO_GROUP` between and beyond them, NaN for NaN."""
    import numpy as np

    years = np.floor(np.maximum(np.asarray(age, dtype=np.float64), 0))
    number = np.asarray(np.where(np.isnan(years), np.nan, NO_GROUP))
    for index, (low, high) in enumerate(groups):
        number[(years >= low) & (years <= high)] = index
    return number


def ascending(groups: Sequence[AgeGroup]) -> bool:
    """Whether they follow each other without overlap, and there is one at least."""
    bounds = [bound for group in groups for bound in group]
    return bool(groups) and bounds == sorted(bounds) and all(a[1] < b[0] for a, b in pairwise(groups))


def group_name(group: AgeGroup) -> str:
    """``20-29``; ``40+`` for one that ends at 100 or later."""
    low, high = group
    return f"{low}+" if high >= 100 else f"{low}-{high}"


def parse_group(text: str) -> AgeGroup | None:
    """``20-29`` or ``40+`` (to `OLDEST`); ``None`` = it is no age group."""
    match = _GROUP.fullmatch(text)
    return None if match is None else (int(match[1]), int(match[2]) if match[2] else OLDEST)


def as_female(p_female: ArrayLike) -> Float:
    """(N,) probabilities to 1.0 female, 0.0 male, NaN where there is none."""
    import numpy as np

    p = np.asarray(p_female, dtype=np.float64)
    return np.where(np.isnan(p), np.nan, p >= 0.5)


def gender_names(p_female: ArrayLike) -> NDArray[Any]:
    """(N,) probabilities to ``female``, ``male``, or '' where there is none."""
    import numpy as np

    female = as_female(p_female)
    return np.where(np.isnan(female), "", np.where(female == 1, *GENDERS))
