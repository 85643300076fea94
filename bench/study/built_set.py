"""The test photos of a set that ``unmask data build`` made, as whole photos of their data set."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any, Final

from unmask.bench.core.errors import DataError
from unmask.bench.data import Dataset
from unmask.bench.run.plan import planned_dataset
from unmask.bench.store.reproduction import Cell, Selection
from unmask.bench.store.schemas import PlanSettings
from unmask.bench.study.balanced import LABELLER, BalancedSet, restricted, source_name, take_turns

CARD: Final = "card.json"
LABELS: Final = "labels.csv"
FULL: Final = "the cell was full"


def built_test_set(built: Path, spec: str, dataset: Dataset, settings: PlanSettings) -> BalancedSet:
    """The samples of ``dataset`` that the set in the folder ``built`` lists for testing.

    ``settings.limit`` is the number of photos taken, the cells in turns. Raises `DataError` where ``built`` is no such
    set, was not labelled by the run's labelling estimator, or names photos that ``dataset`` has not.
    """
    source = source_name(spec)
    card, rows = _card(built), _rows(built)
    made, estimator = card["plan"]["settings"], LABELLER
    if made["labels"] != "estimator" or made["estimator"] != estimator:
        raise DataError(f"{built} was not labelled by {estimator}; build it with --labels estimator")
    own = [row for row in rows if row["source"] == source]
    if not own:
        named = ", ".join(sorted({row["source"] for row in rows})) or "none"
        raise DataError(f"{built} has no test photos of {source} (it has: {named}); choose another --dataset")
    known = {ref.id for ref in dataset.refs}
    absent = [row["sample"] for row in own if row["sample"] not in known]
    if absent:
        raise DataError(f"{built} lists {len(absent):,} photos that {source} has not, {absent[0]!r} the first")
    cells: dict[tuple[str, str], list[str]] = {
        (group, gender): [] for group in made["age_groups"] for gender in ("female", "male")
    }
    for row in own:
        cells[row["age_group"], row["label_gender"]].append(row["sample"])
    chosen = cells if settings.limit is None else take_turns(cells, settings.limit)
    counts = [each for each in card["counts"] if each["part"] == "test" and each["source"] == source]
    dropped = {reason: n for each in counts for reason, n in each["dropped"].items()}
    over = sum(each["over_the_limit"] for each in counts)
    return BalancedSet(
        restricted(
            planned_dataset(spec, dataset, None), dataset, {name for names in chosen.values() for name in names}
        ),
        Selection(
            source=source,
            photos=len(dataset.refs),
            estimator=estimator,
            per_cell=made["test_per_cell"],
            seed=made["seed"],
            cells=[
                Cell(age=group, gender=gender, available=None, chosen=len(names))
                for (group, gender), names in chosen.items()
            ],
            dropped={**dropped, **({FULL: over} if over else {})},
        ),
    )


def _card(built: Path) -> dict[str, Any]:
    try:
        card: dict[str, Any] = json.loads((built / CARD).read_text("utf-8"))
        _ = card["plan"]["settings"]["test_per_cell"], card["counts"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{built} is no finished set of `unmask data build` (no usable {CARD})") from error
    return card


def _rows(built: Path) -> list[dict[str, str]]:
    path = built / "test" / LABELS
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
    except (OSError, ValueError) as error:
        raise DataError(f"{built} has no test part ({path.name} cannot be read); build it with a test split") from error
    needed = {"sample", "source", "age_group", "label_gender"}
    if rows and not needed <= rows[0].keys():
        raise DataError(f"{path} has no column {min(needed - rows[0].keys())!r}; build the set again")
    return rows
