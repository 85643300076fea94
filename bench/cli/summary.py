"""The table a run ends with: the headline numbers of each method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bench.store.run_folder import RunFolder
from bench.store.schemas import EstimateRow, PlanSettings
from bench.store.video_folder import VideoRunFolder

ATTRIBUTES = PlanSettings().default_attributes

HEADLINES: Sequence[tuple[str, str, str, str]] = (
    # head, metric, instrument, region
    ("destroyed", "outcome_destroyed", "yunet", "face"),
    ("missed", "outcome_missed", "yunet", "face"),
    ("de-identified", "deid_rate@1e-3", "worst", "face"),
    ("rank-1, other photo", "rank1_cross_photo", "worst", "face"),
    ("rank-1, same photo", "rank1_same_photo", "worst", "face"),
    ("gender kept", "gender_estimated_correct", ATTRIBUTES, "face"),
    ("age group kept", "age_group_estimated_correct", ATTRIBUTES, "face"),
    ("SSIM", "ssim", "standard", "face"),
    ("LPIPS", "lpips_alex", "lpips-alex", "face"),
    ("ms per face", "ms_per_face", "wall-clock", "image"),
)

TRACKER = "tracker"
"""Stands for the run's first tracker."""

VIDEO_HEADLINES: Sequence[tuple[str, str, str, str]] = (
    ("people per clip", "people", TRACKER, "image"),
    ("original - de-identified", "people_difference", TRACKER, "image"),
    ("HOTA, truth", "hota", TRACKER, "image"),
    ("IDF1, truth", "idf1", TRACKER, "image"),
    ("IDF1, original's tracks", "idf1_original", TRACKER, "image"),
    ("frames missed", "frames_missed", "yunet", "image"),
    ("tracks exposed", "tracks_exposed", "worst", "image"),
    ("longest exposure, s", "longest_exposure", "worst", "image"),
    ("one new face", "identity_kept", "mobilefacenet", "image"),
    ("flicker", "flicker", "frames", "image"),
)

COLUMN_WIDTH = 17
"""Characters: an interval such as ``[0.123, 0.456]`` with its frame. Columns that do not fit go to a further table."""


def print_summary(folder: RunFolder) -> None:
    """One table a data set; every number with its 95 % interval."""
    estimates = folder.estimates
    labels = [method.label for method in folder.plan.methods if not method.draw_of]
    console, width = _console()
    for dataset in folder.plan.datasets:
        given = next((item for item in estimates.inputs if item.dataset == dataset.label), None)
        title = dataset.label
        if given is not None:
            title += f": {given.faces} faces in {given.images} images"
            if given.unreadable or given.without_face:
                title += f" ({given.unreadable} unreadable, {given.without_face} without a face)"
        notes = given.notes if given is not None else []
        _print_table(console, width, title, labels, HEADLINES, _rows(estimates.estimates, dataset.label), notes)
    console.print("95 % intervals below each value; privacy by the worst recogniser for the people shown")


def print_video_summary(folder: VideoRunFolder) -> None:
    """The same for a run over clips."""
    plan, estimates = folder.plan, folder.estimates
    labels = [contestant.label for contestant in plan.contestants]
    console, width = _console()
    headlines = [
        (head, metric, plan.trackers[0].label if instrument == TRACKER else instrument, region)
        for head, metric, instrument, region in VIDEO_HEADLINES
    ]
    for dataset in plan.datasets:
        clips = [row for row in estimates.clips if row.dataset == dataset.label]
        broken = sum(bool(row.problem) for row in clips)
        title = (
            f"{dataset.label}: {sum(row.face_tracks for row in clips)} face tracks in {len(clips)} clips, "
            f"{sum(row.frames for row in clips)} frames" + (f" ({broken} clips cannot be used)" if broken else "")
        )
        _print_table(console, width, title, labels, headlines, _rows(estimates.estimates, dataset.label))
    console.print(
        "95 % intervals over clips below each value (none for fewer than three); privacy by the worst recogniser for "
        "the people shown"
    )


def _console() -> tuple[Console, int]:
    console = Console()
    # In a pipe rich assumes 80 columns; a log may be as wide as the table.
    width = console.width if console.is_terminal else 200
    return Console(width=width), width


def _rows(estimates: Sequence[EstimateRow], dataset: str) -> dict[tuple[str, ...], EstimateRow]:
    """(method, metric, instrument, region) -> the row over everybody."""
    return {
        (row.method, row.metric, row.instrument, row.region): row
        for row in estimates
        if row.group == "all" and row.dataset == dataset
    }


def _print_table(
    console: Console,
    width: int,
    title: str,
    labels: Sequence[str],
    headlines: Sequence[tuple[str, str, str, str]],
    rows: Mapping[tuple[str, ...], EstimateRow],
    notes: Sequence[str] = (),
) -> None:
    shown = [h for h in headlines if any((label, *h[1:]) in rows for label in labels)]
    console.print(f"\n{title}", markup=False, highlight=False)
    for note in notes:
        console.print(f"note: {note}", markup=False, highlight=False)
    fitting = max((width - max(map(len, labels)) - 4) // COLUMN_WIDTH, 1)
    for start in range(0, len(shown), fitting):
        columns = shown[start : start + fitting]
        table = Table()
        table.add_column("method", no_wrap=True)
        for head, *_ in columns:
            table.add_column(head, justify="right")
        for label in labels:
            table.add_row(escape(label), *(_cell(rows, (label, *column[1:])) for column in columns))
        console.print(table)


def _cell(rows: Mapping[tuple[str, ...], EstimateRow], key: tuple[str, ...]) -> str:
    row = rows.get(key)
    if row is None or row.value is None:
        return "not measured"
    if row.low is None or row.high is None:
        return _number(row.value)
    return f"{_number(row.value)}\n\\[{_number(row.low)}, {_number(row.high)}]"


def _number(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
