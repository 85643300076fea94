"""The table a run ends with: the headline numbers of each method."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from unmask.bench.cli.tables import page_console
from unmask.bench.core.cards import MetricCard
from unmask.bench.core.headlines import Key, headline_keys, speaking_key
from unmask.bench.run.reduce import NO_FACE
from unmask.bench.store.results import EstimateRow
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


def print_summary(folder: RunFolder) -> bool:
    """One table a data set, every number with its 95 % interval, and below it what went wrong and what stands out.

    False where a data set of photos has no face, or a method no usable output on a data set.
    """
    photos = not folder.plan.datasets_of("photos") or _print_photos(folder)
    clips = not folder.plan.datasets_of("clips") or _print_clips(folder)
    return photos and clips


def _print_photos(folder: RunFolder) -> bool:
    estimates = folder.estimates
    draws = {method.label for method in folder.plan.methods if method.draw_of}
    labels = [each.label for each in folder.plan.of("photos").releases if each.method not in draws]
    console = page_console()
    cards = {card.name: card for metric in folder.plan.metrics for card in metric.cards}
    instruments = folder.plan.headline_instruments
    complete = True
    for dataset in folder.plan.datasets_of("photos"):
        given = next((item for item in estimates.inputs if item.dataset == dataset.label), None)
        images = 0 if given is None else given.images - given.unreadable
        title = dataset.label
        if given is not None:
            title += f": {given.faces} faces in {given.images} images"
            if given.unreadable or given.without_face:
                title += f" ({given.unreadable} unreadable, {given.without_face} without a face)"
        failures = [row for row in estimates.failures if row.dataset == dataset.label]
        errors = {label: [row.reason for row in failures if row.method == label] for label in labels}
        counts = {label: f"{len(reasons)} of {images}" for label, reasons in errors.items()}
        rows = _rows(estimates.estimates, dataset.label)
        _print_table(console, title, counts, _headlines(cards, rows, instruments, OUTCOMES), rows)
        lines = [_failure(folder.path, *item, images, "images") for item in errors.items() if item[1]]
        _print_lines(console, lines, len(lines))
        findings = [f for f in estimates.findings if f.dataset == dataset.label]
        _print_lines(console, [f"{f.method}: {f.text}" for f in findings])
        problems = [p for p in given.problems if p.reason != NO_FACE] if given is not None else []
        # The terminal is the owner's: a file has to be found to be mended.
        _print_lines(console, _unusable([(folder.names.sample(dataset.label, p.sample), p.reason) for p in problems]))
        if given is not None and not given.faces:
            console.print("[bold]nothing measured[/bold]: no face was found in any image that can be read")
            complete = False
        notes = given.notes if given is not None else []
        _print_lines(console, [f"note: {note}" for note in notes])
        complete &= all(len(reasons) < images for reasons in errors.values() if reasons)
    console.print("95 % intervals below each value; privacy by the worst recogniser for the people shown")
    return complete


def _print_clips(folder: RunFolder) -> bool:
    plan, estimates = folder.plan.of("clips"), folder.estimates
    labels = [release.label for release in plan.releases]
    console = page_console()
    cards = {card.name: card for metric in plan.metrics for card in metric.cards}
    instruments = [plan.settings.default_recogniser, *(part.label for part in plan.trackers)]
    complete = True
    for dataset in plan.datasets_of("clips"):
        clips = [row for row in estimates.clips if row.dataset == dataset.label]
        broken = sum(bool(row.problem) for row in clips)
        frames = sum(row.frames for row in clips)
        title = (
            f"{dataset.label}: {sum(row.face_tracks for row in clips)} face tracks in {len(clips)} clips, "
            f"{frames} frames" + (f" ({broken} clips cannot be used)" if broken else "")
        )
        results = [row for row in estimates.results if row.dataset == dataset.label]
        failed = {label: sum(row.failed_frames for row in results if row.method == label) for label in labels}
        errors = {label: sum(bool(row.error) for row in results if row.method == label) for label in labels}
        counts = {label: f"{count} of {frames}" for label, count in failed.items()}
        rows = _rows(estimates.estimates, dataset.label)
        _print_table(console, title, counts, _headlines(cards, rows, instruments), rows)
        of_method = {release.label: release.method for release in plan.releases}
        lines = [
            f"{label}: {failed[label]} of {frames} frames failed{_log(folder.path, of_method[label])}"
            for label in labels
            if failed[label]
        ]
        lines += [f"{label}: no output for {errors[label]} of {len(clips)} clips" for label in labels if errors[label]]
        _print_lines(console, lines, len(lines))
        _print_lines(
            console,
            _unusable([(folder.names.sample(row.dataset, row.clip), row.problem) for row in clips if row.problem]),
        )
        _print_lines(console, [f"note: {note}" for note in dataset.notes])
        complete &= not frames or all(failed[label] < frames for label in labels)
        complete &= not clips or all(errors[label] < len(clips) for label in labels)
    console.print(
        "95 % intervals over clips below each value (none for fewer than three); privacy by the worst recogniser for "
        "the people shown"
    )
    return complete


def _failure(run: Path, method: str, reasons: Sequence[str], of: int, units: str) -> str:
    """One line about a method's failures: how many, the commonest reasons, where to read more."""
    counts = Counter(_short(reason) for reason in reasons).most_common()
    texts = [f"{reason} ({count})" if len(counts) > 1 else reason for reason, count in counts[:MOST_NAMED]]
    more = [f"and {len(counts) - MOST_NAMED} more"] if len(counts) > MOST_NAMED else []
    return f"{method}: {len(reasons)} of {of} {units} failed: {'; '.join([*texts, *more])}{_log(run, method)}"


def _short(reason: str) -> str:
    return textwrap.shorten(reason, MOST_REASON, placeholder=" ...")


def _unusable(problems: Sequence[tuple[str, str]]) -> list[str]:
    """One line about inputs that cannot be used; ``problems``: name and reason of each. None without such inputs."""
    if not problems:
        return []
    texts = [f"{name}: {_short(reason)}" for name, reason in problems[:MOST_NAMED]]
    more = [f"and {len(problems) - MOST_NAMED:,} more: see the report"] if len(problems) > MOST_NAMED else []
    return [f"unreadable: {'; '.join([*texts, *more])}"]


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
    cards: Mapping[str, MetricCard],
    rows: Mapping[RowKey, EstimateRow],
    instruments: Sequence[str],
    first: Sequence[str] = (),
) -> list[tuple[str, Key]]:
    """Title and key of each column: those named ``first``, then the headline columns."""
    measured = list(dict.fromkeys(key[1:] for key in rows))
    valued = {key[1:] for key, row in rows.items() if row.value is not None}
    before = [key for name in first if (key := speaking_key(measured, name, instruments)) is not None]
    keys = [*before, *headline_keys(cards, measured, valued, instruments=instruments)]
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
