"""The table a run ends with: the headline numbers of each method."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from unmask.bench.cli.listing import page_console
from unmask.bench.core.cards import MetricCard
from unmask.bench.core.headlines import Key, headline_keys, speaking_key
from unmask.bench.store.attack_rows import few_people
from unmask.bench.store.planned import PlannedDataset
from unmask.bench.store.results import NO_FACE, EstimateRow, Estimates
from unmask.bench.store.run_folder import RunFolder

OUTCOMES = ("outcome_destroyed", "outcome_missed")
"""Stand before the headline columns, since no other number can be read without them."""

RowKey = tuple[str, str, str, str]
"""Method, metric, instrument, region; of clips the region is ''."""

COLUMN_WIDTH = 17
"""Characters: an interval such as ``[0.123, 0.456]`` with its frame. Columns that do not fit go to a further table."""

MOST_NAME = 40
"""Characters of a method's label on one line of a table."""

MOST_REASON = 120
"""Characters of a reason in the terminal; the log has the rest."""

MOST_NAMED = 3
"""Reasons of a method's failures, and unusable inputs, that are named."""

ERRORS_WIDTH = 16

MOST_LINES = 8
"""Lines of each kind of remark below a table; the report has all."""


@dataclass(frozen=True, slots=True)
class _Section:
    """What the terminal says of one data set beside its table."""

    title: str
    counts: Mapping[str, str]
    """Label -> how many of its units failed."""
    failures: Sequence[str]
    findings: Sequence[str]
    problems: Sequence[tuple[str, str]]
    """Name and reason of each input that cannot be used."""
    notes: Sequence[str]
    complete: bool
    """Whether every method gave something usable, of faces that are there."""
    has_faces: bool = True


def print_summary(folder: RunFolder) -> bool:
    """One table a data set, every number with its 95 % interval, and below it what went wrong and what stands out.

    False where a data set of photos has no face, or a method no usable output on a data set.
    """
    plan, console = folder.plan, page_console()
    cards = {card.name: card for metric in plan.metrics for card in metric.cards}
    instruments = plan.headline_instruments
    complete = True
    for dataset in plan.datasets:
        section = (_of_clips if dataset.kind == "clips" else _of_photos)(folder, dataset)
        rows = _rows(folder.estimates.estimates, dataset.label)
        _print_table(console, section.title, section.counts, _headlines(cards, rows, instruments), rows)
        _print_lines(console, section.failures, len(section.failures))
        _print_lines(console, section.findings)
        texts = [f"{name}: {_short(reason)}" for name, reason in section.problems]
        _print_lines(console, [f"unreadable: {_first_of(texts)}"] if texts else [])
        if not section.has_faces:
            console.print("[bold]nothing measured[/bold]: no face was found in any image that can be read")
        _print_lines(console, [f"note: {note}" for note in section.notes])
        complete &= section.complete and section.has_faces
    few = " (over clips: none for fewer than three)" if plan.datasets_of("clips") else ""
    console.print(f"95 % intervals below each value{few}; privacy by the worst recogniser for the people shown")
    return complete


def _of_photos(folder: RunFolder, dataset: PlannedDataset) -> _Section:
    estimates, label = folder.estimates, dataset.label
    inputs = next((item for item in estimates.inputs if item.dataset == label), None)
    images = 0 if inputs is None else inputs.images - inputs.unreadable
    title = label
    if inputs is not None:
        title += f": {inputs.faces} faces in {inputs.images} images"
        if inputs.unreadable or inputs.without_face:
            title += f" ({inputs.unreadable} unreadable, {inputs.without_face} without a face)"
    draws = {method.label for method in folder.plan.methods if method.draw_of}
    methods = [each.label for each in folder.plan.releases_of(dataset) if each.method not in draws]
    failures = [row for row in estimates.failures if row.dataset == label]
    reasons = {method: [row.reason for row in failures if row.method == method] for method in methods}
    problems = [p for p in inputs.problems if p.reason != NO_FACE] if inputs is not None else []
    return _Section(
        title,
        {method: f"{len(texts)} of {images}" for method, texts in reasons.items()},
        [_failure(folder.path, method, texts, images) for method, texts in reasons.items() if texts],
        [f"{f.method}: {f.text}" for f in estimates.findings if f.dataset == label],
        # The terminal is the owner's: a file has to be found to be mended.
        [(folder.names.sample(label, p.sample), p.reason) for p in problems],
        [*(inputs.notes if inputs is not None else []), *_few_people(estimates, label)],
        all(len(texts) < images for texts in reasons.values() if texts),
        has_faces=inputs is None or inputs.faces > 0,
    )


def _few_people(estimates: Estimates, dataset: str) -> list[str]:
    few = few_people(row for row in estimates.attacks if row.dataset == dataset)
    return [f"few people allow few claims: attackers who know the methods search {few:,}"] if few else []


def _of_clips(folder: RunFolder, dataset: PlannedDataset) -> _Section:
    estimates, label = folder.estimates, dataset.label
    clips = [row for row in estimates.clips if row.dataset == label]
    broken = [(folder.names.sample(label, row.clip), row.problem) for row in clips if row.problem]
    frames, tracks = sum(row.frames for row in clips), sum(row.face_tracks for row in clips)
    results = [row for row in estimates.results if row.dataset == label]
    methods = {release.label: release.method for release in folder.plan.releases_of(dataset)}
    failed = {each: sum(row.failed_frames for row in results if row.method == each) for each in methods}
    errors = {each: sum(bool(row.error) for row in results if row.method == each) for each in methods}
    return _Section(
        f"{label}: {tracks} face tracks in {len(clips)} clips, {frames} frames"
        + (f" ({len(broken)} clips cannot be used)" if broken else ""),
        {each: f"{count} of {frames}" for each, count in failed.items()},
        [
            *(
                f"{each}: {count} of {frames} frames failed{_log(folder.path, methods[each])}"
                for each, count in failed.items()
                if count
            ),
            *(f"{each}: no output for {count} of {len(clips)} clips" for each, count in errors.items() if count),
        ],
        [f"{f.method}: {f.text}" for f in estimates.findings if f.dataset == label],
        broken,
        dataset.notes,
        (not frames or all(count < frames for count in failed.values()))
        and (not clips or all(count < len(clips) for count in errors.values())),
    )


def _failure(run: Path, method: str, reasons: Sequence[str], images: int) -> str:
    """One line about a method's failures: how many, the commonest reasons, where to read more."""
    counts = Counter(_short(reason) for reason in reasons).most_common()
    texts = [f"{reason} ({count:,})" if len(counts) > 1 else reason for reason, count in counts]
    return f"{method}: {len(reasons):,} of {images:,} images failed: {_first_of(texts)}{_log(run, method)}"


def _short(reason: str) -> str:
    return textwrap.shorten(reason, MOST_REASON, placeholder=" ...")


def _first_of(texts: Sequence[str]) -> str:
    """The first three, and how many more there are."""
    more = [f"and {len(texts) - MOST_NAMED:,} more: see the report"] if len(texts) > MOST_NAMED else []
    return "; ".join([*texts[:MOST_NAMED], *more])


def _log(run: Path, method: str) -> str:
    path = run / "logs" / f"{method}.txt"
    if not path.is_file():
        return ""
    return f" (log: {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path})"


def _print_lines(console: Console, lines: Sequence[str], most: int = MOST_LINES) -> None:
    for line in lines[:most]:
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if len(lines) > most:
        console.print(f"and {len(lines) - most} more: see the report", markup=False, highlight=False)


def _rows(estimates: Sequence[EstimateRow], dataset: str) -> dict[RowKey, EstimateRow]:
    """(method, metric, instrument, region) -> the row over everybody."""
    return {
        (row.method, row.metric, row.instrument, row.region or ""): row
        for row in estimates
        if row.group == "all" and row.dataset == dataset
    }


def _headlines(
    cards: Mapping[str, MetricCard], rows: Mapping[RowKey, EstimateRow], instruments: Sequence[str]
) -> list[tuple[str, Key]]:
    """Title and key of each column: `OUTCOMES`, then the headline columns that cards name."""
    measured = list(dict.fromkeys(key[1:] for key in rows))
    valued = {key[1:] for key, row in rows.items() if row.value is not None}
    before = [key for name in OUTCOMES if (key := speaking_key(measured, name, instruments)) is not None]
    keys = dict.fromkeys([*before, *headline_keys(cards, measured, valued, instruments=instruments)])
    return [(_head(cards[key[0]]), key) for key in keys]


def _head(card: MetricCard) -> str:
    return f"{card.title}, {card.unit}" if card.unit in ("ms", "seconds", "kbit/s") else card.title


def _print_table(
    console: Console,
    title: str,
    errors: Mapping[str, str],
    columns: Sequence[tuple[str, Key]],
    rows: Mapping[RowKey, EstimateRow],
) -> None:
    """``errors``: the methods, each with how many of its units failed."""
    console.print(f"\n{title}", markup=False, highlight=False)
    names = min(max(map(len, errors)), MOST_NAME)
    room = console.width - names - 4
    first = max((room - ERRORS_WIDTH) // COLUMN_WIDTH, 1)
    each = max(room // COLUMN_WIDTH, 1)
    for start in (0, *range(first, len(columns), each)):
        part = columns[start : start + (each if start else first)]
        table = Table()
        table.add_column("method", overflow="fold", max_width=names)
        if not start:
            table.add_column("errors", justify="right", no_wrap=True)
        for head, _ in part:
            table.add_column(head, justify="right")
        for label, count in errors.items():
            cells = [_cell(rows, (label, key[0], key[1], key[2])) for _, key in part]
            table.add_row(escape(label), *([] if start else [count]), *cells)
        console.print(table)


def _cell(rows: Mapping[RowKey, EstimateRow], key: RowKey) -> str:
    row = rows.get(key)
    if row is None or row.value is None:
        return "not measured"
    if row.low is None or row.high is None:
        return _number(row.value)
    return f"{_number(row.value)}\n\\[{_number(row.low)}, {_number(row.high)}]"


def _number(value: float) -> str:
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
