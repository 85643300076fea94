"""Ground truth of people in MOTChallenge's form: ``frame, id, left, top, width, height, consider, class, visibility``.

Frames count from 1 in the file and from 0 here. Rows that the benchmark does not consider (0 in the seventh column) and
rows of another class than pedestrian (1) are left out. Files of 2015 have ten columns and no class: the last three are
positions in the world, and all rows are of pedestrians.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

from bench.core.errors import DataError
from bench.core.video import Tracks
from bench.data.labels import read_text

PEDESTRIAN: Final = 1
MAX_FRAME: Final = 10_000_000
_COLUMNS: Final = (6, 7, 8, 9, 10)
_WITHOUT_CLASS: Final = 10


def read_truth(path: Path) -> Tracks:
    """The boxes that count. Raises `DataError` with the line number of the first row that makes no sense."""
    rows: dict[tuple[int, int], tuple[float, ...]] = {}
    lines: dict[tuple[int, int], int] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        where = f"{path}, line {number}"
        frame, track, box, counts = _row(line, where)
        if not counts:
            continue
        key = frame - 1, track
        if key in rows:
            raise DataError(f"{where}: frame {frame} has track {track} on line {lines[key]} already")
        rows[key], lines[key] = box, number
    if not rows:
        raise DataError(f"{path} has no box that counts; it needs lines such as 1,1,100,50,40,80,1,1,1")
    frames, tracks = zip(*rows, strict=True)
    return Tracks.sorted(frames, tracks, list(rows.values()))


def _row(line: str, where: str) -> tuple[int, int, tuple[float, ...], bool]:
    cells = line.replace(",", " ").split() if "," not in line else [cell.strip() for cell in line.split(",")]
    while cells and cells[-1] == "":  # some files end each line in a comma
        cells.pop()
    if len(cells) not in _COLUMNS:
        raise DataError(f"{where}: {len(cells)} values; a row is frame, id, left, top, width, height, consider, class")
    try:
        values = [float(cell) for cell in cells]
    except ValueError as error:
        raise DataError(f"{where}: {error}") from error
    if not all(math.isfinite(value) for value in values):
        raise DataError(f"{where}: a value is not a finite number")
    frame, track = values[:2]
    if frame != int(frame) or track != int(track) or not 1 <= frame <= MAX_FRAME or abs(track) > MAX_FRAME:
        raise DataError(f"{where}: frame and id must be whole numbers, frames from 1")
    considered = len(values) < 7 or values[6] > 0
    pedestrian = len(values) < 8 or len(values) == _WITHOUT_CLASS or values[7] == PEDESTRIAN
    counts = considered and pedestrian
    if counts and (values[4] <= 0 or values[5] <= 0):
        raise DataError(f"{where}: width and height must be positive")
    return int(frame), int(track), tuple(values[2:6]), counts
