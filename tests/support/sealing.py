"""Seals made-up runs, and runs that a test changed on purpose, as unmask would have written them."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq

from unmask.bench.store.documents import write_json
from unmask.bench.store.results import Estimates
from unmask.bench.store.schemas import Plan
from unmask.bench.store.tables import read_columns, write_table


def seal_run(run: Path) -> None:
    """Gives the plan, the estimates and the per-face tables of ``run`` the hashes that belong to what they hold now."""
    body = json.loads((run / "plan.json").read_text("utf-8"))
    plan = Plan.sealed({key: value for key, value in body.items() if key not in ("run", "schema")})
    write_json(run / "plan.json", plan.model_dump(mode="json", by_alias=True))
    numbers = json.loads((run / "estimates.json").read_text("utf-8"))
    estimates = Estimates.model_validate({**numbers, "run": plan.run}).sealed()
    write_json(run / "estimates.json", estimates.model_dump(mode="json", by_alias=True))
    for path in run.glob("faces/*/*.parquet"):
        write_table(path, read_columns(pq.read_table(path)), "")
