"""Gates of made-up runs, as the command line runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.cli import unmask_here
from tests.support.gate_runs import near
from unmask.bench.core.types import Float

N = 200


def matched(share: float, n: int = N) -> Float:
    """(N,) distances of which the first ``share`` are matched."""
    return near((np.arange(n) < round(share * n)).astype(float))


def run_gate(baseline: Path, candidate: Path, *more: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, gate.json and what was printed."""
    done = unmask_here("gate", "--baseline", str(baseline), "--candidate", str(candidate), *more)
    path = candidate / "gate" / "gate.json"
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(path.read_text()) if path.is_file() else {}, done.stdout + done.stderr


def verdict(gate: dict[str, Any], metric: str = "deid_rate@1e-3", group: str = "all", against: str = "baseline") -> str:
    rows = [r for r in gate["rows"] if (r["metric"], r["group"], r["against"]) == (metric, group, against)]
    assert len(rows) == 1
    return str(rows[0]["verdict"])


def accepted(run: Path, *more: str) -> Path:
    file = run.parent / f"{run.name}.json"
    done = unmask_here("baseline", "accept", str(run), "--out", str(file), *more)
    assert done.returncode == 0, done.stderr
    return file
