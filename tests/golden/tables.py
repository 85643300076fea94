"""What a run's numbers are, in a form that stays comparable while the code that makes them is rebuilt.

`make golden` runs the demo and compares: to the last digit with ``EXACT=1`` (one machine, before and after a change),
else within 1e-6 on a processor of the same kind; on another one networks round differently, which a threshold can turn
into another outcome, so only which rows there are is compared, and that is said.

``python -m tests.golden.tables take photos RUN`` (or ``clips``) takes a golden file anew from a run of `make demo`. Do
that only in a commit that changes numbers on purpose, and say in it which ones and why.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from unmask.bench.store.provenance import processor

HERE: Final = Path(__file__).parent
KINDS: Final = ("photos", "clips")
TABLES: Final[Mapping[str, Sequence[str]]] = {
    "estimates": ("dataset", "method", "metric", "instrument", "region", "group"),
    "gaps": ("dataset", "method", "metric", "instrument", "region", "by"),
    "ranks": ("dataset", "metric", "instrument", "region", "method"),
    "comparisons": ("dataset", "metric", "instrument", "region", "a", "b"),
    "findings": ("dataset", "method", "kind"),
    "inputs": ("dataset",),
    "clips": ("dataset", "clip"),
    "results": ("dataset", "clip", "method"),
}
"""Table -> the fields that name a row."""
KEPT: Final = ("estimates", "gaps", "ranks", "findings", "inputs", "clips", "results")
"""Tables whose rows lie in the golden file; of the others it holds the hash only. Estimates of subgroups are left out
too: gaps are made of them."""
TOLERANCE: Final = 1e-6
TIMED: Final = frozenset({"ms"})
RENAMED: Final[Mapping[str, Mapping[Any, Any]]] = {"region": {None: "image"}}
"""Field of a row -> value today -> value in the golden file, for what has another name since then: rows about no
region had one then. Clips have pseudonyms since; ``names.json`` gives their names back."""
Tables = dict[str, list[dict[str, Any]]]


def tables_of(run: Path) -> Tables:
    """All tables of a finished run, without what is timed, each sorted by its key."""
    document = json.loads((run / "estimates.json").read_text("utf-8"))
    plan = json.loads((run / "plan.json").read_text("utf-8"))
    timed = {card["name"] for metric in plan["metrics"] for card in metric["cards"] if card["family"] == "cost"}
    names = json.loads((run / "names.json").read_text("utf-8"))["datasets"]
    return {
        table: sorted(
            (
                {field: _then(names, row, field) for field in row if field not in TIMED}
                for row in document[table]
                if row.get("metric") not in timed
            ),
            key=lambda row: [str(row[field]) for field in TABLES[table]],
        )
        for table in TABLES
        if document.get(table)
    }


def _then(names: Mapping[str, Any], row: Mapping[str, Any], field: str) -> Any:
    """The value of a field as golden files have it."""
    value = row[field]
    if field == "clip":
        return names[row["dataset"]]["samples"][value]
    return RENAMED.get(field, {}).get(value, value) if value is None or isinstance(value, str) else value


def digest(tables: Tables) -> str:
    """sha256 over every digit of every row."""
    return hashlib.sha256(json.dumps(tables, sort_keys=True).encode()).hexdigest()


def golden(kind: str) -> dict[str, Any]:
    """``processor``, ``sha256`` (`digest` of everything) and ``tables`` (the rows of `KEPT`)."""
    document: dict[str, Any] = json.loads(gzip.decompress((HERE / f"{kind}.json.gz").read_bytes()))
    return document


def kept(tables: Tables) -> Tables:
    """The rows that a golden file holds."""
    return {
        table: [row for row in rows if row.get("group", "all") in ("all", "")]
        for table, rows in tables.items()
        if table in KEPT
    }


def differences(expected: Tables, rows: Tables, *, tolerance: float | None) -> Iterator[str]:
    """A line for each row that is missing, new, or differs by more than ``tolerance`` (absolute and relative).

    ``tolerance=None`` compares no values: only which rows there are.
    """
    for table, key in TABLES.items():
        before, after = (
            {tuple(str(row[field]) for field in key): row for row in each.get(table, [])} for each in (expected, rows)
        )
        yield from (f"{table} {name}: missing" for name in before.keys() - after.keys())
        yield from (f"{table} {name}: new" for name in after.keys() - before.keys())
        if tolerance is None:
            continue
        for name in before.keys() & after.keys():
            for field in sorted(before[name].keys() | after[name].keys()):
                old, new = before[name].get(field), after[name].get(field)
                if not _equal(old, new, tolerance):
                    yield f"{table} {name}: {field} was {old}, is {new}"


def _equal(old: Any, new: Any, tolerance: float) -> bool:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return old.keys() == new.keys() and all(_equal(old[k], new[k], tolerance) for k in old)
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(_equal(a, b, tolerance) for a, b in zip(old, new, strict=True))
    numbers = isinstance(old, int | float) and isinstance(new, int | float)
    return math.isclose(old, new, rel_tol=tolerance, abs_tol=tolerance) if numbers else bool(old == new)


def take(kind: str, run: Path) -> None:
    """Writes the golden file of ``kind`` from a run."""
    tables = tables_of(run)
    document = {"processor": processor(), "sha256": digest(tables), "tables": kept(tables)}
    data = gzip.compress(json.dumps(document, sort_keys=True).encode(), mtime=0)
    (HERE / f"{kind}.json.gz").write_bytes(data)


def compare(kind: str, run: Path, *, exact: bool) -> int:
    """The exit code of a comparison: 0 = equal, 1 = not; prints what was compared and the first differences."""
    expected, tables = golden(kind), tables_of(run)
    same = expected["processor"] == processor()
    tolerance = (0.0 if exact else TOLERANCE) if same else None
    lines = list(differences(expected["tables"], kept(tables), tolerance=tolerance))
    if exact and not same:
        lines.append(f"the golden file was taken on {expected['processor']}, so digits cannot be compared here")
    elif exact and not lines and digest(tables) != expected["sha256"]:
        lines.append("rows that the golden file does not hold (comparisons, estimates of subgroups) differ")
    how = "rows only: another processor" if tolerance is None else "every digit" if exact else f"within {TOLERANCE}"
    count = sum(map(len, kept(tables).values()))
    print(f"{kind}: {count} rows compared ({how}), {len(lines)} differences", *lines[:20], sep="\n  ")
    return int(bool(lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.golden.tables")
    parser.add_argument("action", choices=("take", "compare"))
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("run", type=Path)
    parser.add_argument("--exact", action="store_true")
    arguments = parser.parse_args()
    if arguments.action == "take":
        take(arguments.kind, arguments.run)
    else:
        sys.exit(compare(arguments.kind, arguments.run, exact=arguments.exact))
