"""``make bench-audit``: how far attackers who know a method come with each, on lfw, each person by another photo.

Prints a Markdown table (`bench/design/privacy-audit.md` holds one) and whether the claims about it hold. Needs lfw (set
UNMASK_DATA); UNMASK_BENCH_LIMIT takes the first so many photos of either half, UNMASK_BENCH_METHODS other methods
(with ;), UNMASK_BENCH_AUDIT quick in place of full, UNMASK_BENCH_OUT keeps the run, which goes on where it was stopped.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tests.benchmarks.printing import print_claims
from unmask.bench.cli.progress import PlainProgress
from unmask.bench.core.headlines import WORST
from unmask.bench.run.pipeline import get_ready, locations_for, run
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.store.results import AttackRow, EstimateRow, Estimates
from unmask.bench.store.run_folder import RunFolder

METHODS: Final = (
    "none", "blackout", "blur:sigma=0.05", "blur:sigma=0.15", "pixelate:blocks=8", "pixelate:blocks=16", "k-same",
    "deepprivacy", "dp-att", "dp-att-s:tone=dark",
)  # fmt: skip
INSTRUMENTS: Final = ("yunet", "mobilefacenet", "sface", "facenet")
IGNORANT: Final = "ignorant"


def main() -> int:
    limit = int(os.environ.get("UNMASK_BENCH_LIMIT", "0")) or None
    with tempfile.TemporaryDirectory() as scratch:
        config = RunConfig(
            datasets=("lfw",),
            methods=tuple(filter(None, os.environ.get("UNMASK_BENCH_METHODS", "").split(";"))) or METHODS,
            metrics=("audit", "rank1_cross_photo"),
            instruments=INSTRUMENTS,
            limit=limit,
            audit="quick" if os.environ.get("UNMASK_BENCH_AUDIT") == "quick" else "full",
        )
        plan = get_ready(config, root=None)
        folder = run(
            plan,
            Path(os.environ.get("UNMASK_BENCH_OUT") or scratch),
            locations=locations_for(config),
            root=None,
            workers=os.cpu_count() or 1,
            progress=PlainProgress(),
        )
        return report(folder)


def report(folder: RunFolder) -> int:
    """Prints the table and the claims; 0 if all hold."""
    estimates = folder.estimates
    labels = [method.label for method in folder.plan.methods if method.origin == method.label]
    attackers = [planned.label for planned in folder.plan.attackers]
    searches, people = max((row.searches, row.people) for row in estimates.attacks)
    print(f"lfw: {searches} released faces, each searched among {people} people\n")
    print(f"| method | {' | '.join(attackers)} | strongest | residual risk |")
    print("|---" * (len(attackers) + 3) + "|")
    for label in labels:
        cells = [_cell(_best(estimates, label, attacker)) for attacker in attackers]
        named, risk = (_row(estimates, label, metric) for metric in ("attack_rank1", "residual_risk"))
        print(f"| {label} | {' | '.join(cells)} | {_interval(named)} | {_interval(risk)} |")
    return print_claims(claims(estimates, labels))


def claims(estimates: Estimates, labels: Sequence[str]) -> list[tuple[str, bool]]:
    """What the issue of an audit is: each claim, and whether it holds."""
    risk = {label: _row(estimates, label, "residual_risk") for label in labels}
    checks: list[tuple[str, bool]] = [
        ("photos that are not anonymized are at the ceiling", _value(risk, "none") > 0.95)
    ]
    for label in labels:
        weak = label.startswith(("blur", "pixelate", "k-same"))
        ignorant, parrot = (_best(estimates, label, name) or 0.0 for name in (IGNORANT, "parrot"))
        row = risk[label]
        if weak and ignorant < 0.1:
            falls = row is not None and row.low is not None and row.low > 0.05
            checks.append((f"{label}, hidden from the ignorant attacker, falls to those who know it", falls))
        if label == "k-same":
            checks.append(("k-same is clearly weaker against the parrot", parrot > ignorant + 0.1))
        if label == "blackout":
            checks.append(("blackout leaves little more than what lies outside the face", _value(risk, label) < 0.25))
    return checks


def _best(estimates: Estimates, label: str, attacker: str) -> float | None:
    """The share that an attacker names by the recogniser that serves it best, of those that may be believed."""
    named = [row.named for row in _attacks(estimates, label) if row.attacker == attacker and row.named is not None]
    return max(named, default=None)


def _attacks(estimates: Estimates, label: str) -> list[AttackRow]:
    return [row for row in estimates.attacks if row.method == label]


def _row(estimates: Estimates, label: str, metric: str) -> EstimateRow | None:
    rows = (
        r for r in estimates.estimates if (r.method, r.metric, r.instrument, r.group) == (label, metric, WORST, "all")
    )
    return next(rows, None)


def _value(rows: Mapping[str, EstimateRow | None], label: str) -> float:
    row = rows.get(label)
    return float("nan") if row is None or row.value is None else row.value


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _interval(row: EstimateRow | None) -> str:
    if row is None or row.value is None:
        return "not measured"
    return f"{row.value:.2f}" + ("" if row.low is None or row.high is None else f" ({row.low:.2f} to {row.high:.2f})")


if __name__ == "__main__":
    sys.exit(main())
