"""A balanced test set: equal cells, a choice that does not depend on order, limits that stay balanced."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from unmask.bench.study.balanced import PER_CELL, Labelled, choose_balanced, label_photos

GROUPS = ((0, 19), (20, 29), (30, 39), (40, 120))


def photos(per_cell: int, *, extra: int = 0) -> list[Labelled]:
    made = [
        Labelled(f"{low}-{p}-{k}.jpg", low + 3.7, p)
        for low, _ in GROUPS
        for p in (0.9, 0.1)
        for k in range(per_cell + (extra if low == 20 else 0))
    ]
    random.Random(1).shuffle(made)
    return made


def test_at_most_so_many_of_each_and_all_where_there_are_fewer() -> None:
    chosen = choose_balanced(photos(100, extra=400), GROUPS)
    assert len(chosen) == 8
    assert {cell: len(found) for cell, found in chosen.items() if cell[0] == (20, 29)} == {
        ((20, 29), "female"): PER_CELL,
        ((20, 29), "male"): PER_CELL,
    }
    assert all(len(found) == 100 for cell, found in chosen.items() if cell[0] != (20, 29))


def test_everybody_lands_in_the_cell_of_their_estimates() -> None:
    chosen = choose_balanced(photos(5), GROUPS)
    for ((low, _), gender), names in chosen.items():
        assert all(name.startswith(f"{low}-{0.9 if gender == 'female' else 0.1}") for name in names)


def test_the_choice_depends_on_the_seed_and_not_on_the_order() -> None:
    given_photos = photos(300)
    again = choose_balanced(sorted(given_photos, key=lambda p: p.sample), GROUPS)
    assert choose_balanced(given_photos, GROUPS) == again
    assert choose_balanced(given_photos, GROUPS, seed=1) != again
    # The photos of one cell have no say in another.
    older = [p for p in given_photos if p.age >= 30]
    assert all(choose_balanced(older, GROUPS)[cell] == again[cell] for cell in again if cell[0][0] >= 30)


@given(st.integers(8, 90), st.integers(0, 12))
def test_a_limit_is_kept_and_stays_balanced(limit: int, few: int) -> None:
    chosen = choose_balanced([*photos(10)[: 80 - few]], GROUPS, limit=limit)
    sizes = [len(found) for found in chosen.values()]
    full = choose_balanced([*photos(10)[: 80 - few]], GROUPS)
    assert sum(sizes) == min(limit, 80 - few)
    short = [size for cell, size in zip(chosen, sizes, strict=True) if size < len(full[cell])]
    assert not short or max(sizes) - min(short) <= 1
    assert all(full[cell][: len(found)] == found for cell, found in chosen.items())


def test_every_photo_is_labelled_or_counted_with_a_reason() -> None:
    originals: Any = SimpleNamespace(
        inputs={"readable": np.array([True, True, True, True, False])},
        images=SimpleNamespace(id=np.array(["alone.jpg", "crowd.jpg", "sky.jpg", "blurred.jpg"])),
        faces=SimpleNamespace(sample=np.array(["alone.jpg", "crowd.jpg", "crowd.jpg", "blurred.jpg"])),
        faces_per_image=np.array([1, 2, 0, 1]),
    )
    readings = {"age": np.array([33.0, 5.0, 6.0, np.nan]), "p_female": np.array([0.2, 0.9, 0.9, 0.9])}
    found, dropped = label_photos(originals, readings)
    assert found == [Labelled("alone.jpg", 33.0, 0.2)]
    assert list(dropped.values()) == [1, 1, 1, 1]
    assert len(found) + sum(dropped.values()) == 5
