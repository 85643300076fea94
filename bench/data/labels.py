"""``labels.csv``: labels of the people in a data set's photos.

Columns, in any order and case: ``file`` (required; path below the folder), ``identity``, ``age`` (years), ``gender``
(f/female/woman, m/male/man), ``race``, ``split``, and ``x``, ``y`` (a pixel inside the face that is meant, for photos
of several people; one line per face; counted from the left and the top of the upright photo, after its orientation
tag is applied). Empty = not labelled. Other columns are passed over, and named; those without a name, such as the index
that pandas writes, are not named. Commas, semicolons or tabs, or what a first line such as ``sep=;`` says (Excel);
UTF-8 with or without a byte order mark, or UTF-16 with one. Spellings of one name that differ only in capitals,
blanks, underscores or the form of their accents are one person.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Final

from unmask.bench.core.errors import DataError, counted
from unmask.bench.core.types import FaceLabel, Gender
from unmask.bench.data.folders import read_text
from unmask.bench.data.identities import person_key

GENDERS: Final[dict[str, Gender]] = {
    "f": "female",
    "female": "female",
    "woman": "female",
    "m": "male",
    "male": "male",
    "man": "male",
}
MAX_AGE: Final = 130.0
MAX_TEXT: Final = 200
"""Characters of an identity or race: they are shown in tables and used as group names."""
COLUMNS: Final = ("file", "identity", "age", "gender", "race", "split", "x", "y")
_MEANT: Final = {
    **dict.fromkeys(("filename", "file_name", "file name", "path", "image", "photo", "img"), "file"),
    **dict.fromkeys(("subject", "person", "name", "id", "person_id", "subject_id", "label", "who"), "identity"),
    **dict.fromkeys(("years", "age_years"), "age"),
    "sex": "gender",
    "ethnicity": "race",
}
"""What others call the columns."""


@dataclass(slots=True)
class LabelTable:
    """The labels of a data set, by file."""

    faces: dict[str, tuple[FaceLabel, ...]] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """How the file was read, a sentence each."""


def read_rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    """(line number, column -> value) of a CSV file; column names lower-case, values stripped. Raises `DataError`."""
    text = read_text(path)
    if not text.strip():
        raise DataError(f"{path} is empty; it needs a head line with at least the column 'file'")
    first = text.lstrip().splitlines()[0]
    stated = re.fullmatch(r'"?sep=(.)"?[,;\t]*', first, re.IGNORECASE)
    delimiter = stated[1] if stated else max(",;\t", key=first.count)
    if delimiter not in ",;\t":
        raise DataError(f"{path}: {first!r} states a delimiter that is not read; use commas, semicolons or tabs")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[tuple[int, dict[str, str]]] = []
    columns: list[str] | None = None
    try:
        for values in reader:
            cells = [value.strip() for value in values]
            if not any(cells) or (stated and columns is None and values[0].lower().startswith("sep=")):
                continue
            if columns is None:
                columns = [cell.lower() for cell in cells]
                _check_columns(path, columns)
            elif any(cells[len(columns) :]):
                raise DataError(f"{path}, line {reader.line_num}: {len(cells)} values for {len(columns)} columns")
            else:
                rows.append((reader.line_num, dict(zip(columns, cells, strict=False))))
    except csv.Error as error:
        raise DataError(f"{path}, line {reader.line_num}: not readable as CSV ({error})") from error
    if columns is None:
        raise DataError(f"{path}: the head line is missing; it needs at least the column 'file'")
    return rows


def read_labels(path: Path) -> LabelTable:
    """A whole labels file. Raises `DataError` with the line number of the first value that makes no sense."""
    table, lines = LabelTable(), dict[str, int]()
    rows = read_rows(path)
    table.notes += _unread_columns(path, rows[0][1] if rows else {})
    names = _one_spelling([row.get("identity", "") for _, row in rows])
    if len(set(names.values())) < len(names):
        several = sum(spellings > 1 for spellings in Counter(names.values()).values())
        people = counted(several, "person", "people")
        table.notes.append(
            f"{path.name} writes {people} in several ways (capitals, blanks, accents); each counts as one"
        )
    for line, row in rows:
        where = f"{path}, line {line}"
        file = file_id(row.get("file", ""), where)
        label = FaceLabel(
            identity=_text(names.get(row.get("identity", "")), "identity", where),
            age=_age(row.get("age"), where),
            gender=parse_gender(row.get("gender"), where),
            race=_text(row.get("race"), "race", where),
            at=_point(row.get("x"), row.get("y"), where),
        )
        before = table.faces.get(file, ())
        if before and (label.at is None or any(other.at is None for other in before)):
            raise DataError(f"{where}: {file!r} is also on line {lines[file]}; give x and y to say which face is which")
        table.faces[file] = (*before, label)
        lines.setdefault(file, line)
        if row.get("split"):
            table.splits[file] = row["split"].lower()
    return table


def parse_gender(text: str | None, where: str) -> Gender | None:
    """``female``, ``male`` or ``None`` for an empty value; raises `DataError` for anything else."""
    if not text:
        return None
    if text.lower() not in GENDERS:
        raise DataError(f"{where}: gender {text!r} must be female (f), male (m) or empty")
    return GENDERS[text.lower()]


def _unread_columns(path: Path, columns: Iterable[str]) -> list[str]:
    """A sentence about columns that nothing here reads; none without such columns."""
    unread = [name for name in columns if name and name not in COLUMNS]
    if not unread:
        return []
    listed = ", ".join(name[:30] for name in unread[:8]) + (", ..." if len(unread) > 8 else "")
    return [f"{path.name}: not read: {listed} (columns that are: {', '.join(COLUMNS)}){_renamed(unread)}"]


def _renamed(columns: Iterable[str]) -> str:
    meant = [f"{name} to {_MEANT[name]}" for name in columns if name in _MEANT]
    return f"; perhaps rename {', '.join(meant)}" if meant else ""


def _one_spelling(identities: Iterable[str]) -> dict[str, str]:
    """Each spelling of a person -> the one that comes first."""
    first: dict[str, str] = {}
    return {name: first.setdefault(person_key(name), name) for name in identities if name}


def _check_columns(path: Path, columns: list[str]) -> None:
    if "file" not in columns:
        listed = ", ".join(columns)
        raise DataError(f"{path}: the head line has no column 'file' (it has: {listed}){_renamed(columns)}")
    double = sorted({name for name in columns if name and columns.count(name) > 1})
    if double:
        raise DataError(f"{path}: the head line names {', '.join(double)} twice")
    if ("x" in columns) != ("y" in columns):
        raise DataError(f"{path}: columns x and y come together; the head line has only one of them")


def file_id(text: str, where: str) -> str:
    """The sample id that a line is about. Raises `DataError` where it is empty or leads out of the folder."""
    path = PurePosixPath(text.replace("\\", "/") if "/" not in text else text)
    if not text:
        raise DataError(f"{where}: the column 'file' is empty")
    if path.is_absolute() or ".." in path.parts:
        raise DataError(f"{where}: {text!r} must be a path below the folder of the labels file")
    return str(path)


def _text(text: str | None, column: str, where: str) -> str | None:
    if text and len(text) > MAX_TEXT:
        raise DataError(f"{where}: {column} is longer than {MAX_TEXT} characters")
    if text and not text.isprintable():
        raise DataError(f"{where}: {column} {text!r} holds control characters")
    return text or None


def _age(text: str | None, where: str) -> float | None:
    if not text:
        return None
    value = _number(text)
    if value is None or not 0 <= value <= MAX_AGE:
        raise DataError(f"{where}: age {text!r} must be a number of years from 0 to {MAX_AGE:.0f}, or empty")
    return value


def _point(x: str | None, y: str | None, where: str) -> tuple[float, float] | None:
    if not x and not y:
        return None
    a, b = _number(x or ""), _number(y or "")
    if a is None or b is None or a < 0 or b < 0:
        raise DataError(f"{where}: x {x!r} and y {y!r} must both be pixel positions, or both empty")
    return a, b


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
