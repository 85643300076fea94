"""A made-up audit for a made-up run: what attackers who know the methods reached, with figures that tests know."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from tests.reports.synthetic import CARDS, HOSTILE
from tests.support.sealing import seal_run
from unmask.bench.core import registry
from unmask.bench.core.spec import parse_spec
from unmask.bench.core.views import OUTSIDE, RESTORED
from unmask.bench.store.run_folder import RunFolder

REACHED: Final[Mapping[str, float | None]] = {
    "none": 0.98,
    "blackout": 0.1,
    "blur-sigma0.05": 0.9,
    "blur-sigma0.15": 0.43,
    "pixelate-blocks16": None,
    "pixelate-blocks8": 0.2,
    HOSTILE: 0.05,
}
"""Named first; of ``pixelate-blocks16`` no attack may be believed, and `HOSTILE` cannot be run by an attacker."""
DOUBT: Final = "It does <worse> than guessing."
EVIL: Final = "<b>evil</b>"
CHANNEL: Final = "sface"
SIZES: Final = (10, 100, 400, 1000, 10_000)
QUARTER: Final = 0.3456
"""What a doubted attack reached with a quarter of the people: it must not be printed."""


def add_audit(folder: RunFolder, people: int = 400, dataset: str = "demo") -> RunFolder:
    """Gives a run of `synthetic.make_run` an audit: the attackers `ignorant`, `parrot`, `ridge`, a restoring one whose
    names are markup, and one who looks outside the face."""
    plan = json.loads((folder.path / "plan.json").read_text("utf-8"))
    numbers = json.loads((folder.path / "estimates.json").read_text("utf-8"))
    plan["attackers"] = [_planned("ignorant"), _planned("parrot"), _planned("ridge")]
    plan["attackers"] += [_planned("ridge", EVIL, RESTORED), _planned("ridge", "around", OUTSIDE)]
    runnable = [label for label in REACHED if label not in ("none", HOSTILE)]
    again = [m for m in plan["methods"] if m["label"] in runnable]
    plan["methods"] += [{**m, "label": f"{m['label']}+again", "again_of": m["label"]} for m in again]
    names = ("attack_rank1", "attack_rank5", "residual_risk", "release_auc", "inferred_gender_auc", "attack_tar@1e-3")
    plan["metrics"] += [{"name": name, "cards": [asdict(CARDS[name])], "needs": []} for name in names]
    for method, named in REACHED.items():
        numbers["attacks"] += _attacks(dataset, method, named, people)
        numbers["estimates"] += _estimates(dataset, method, named, people)
        numbers["gaps"] += [] if named is None else _gaps(dataset, method)
    contestants = ("blackout", "pixelate-blocks8", "blur-sigma0.15", "blur-sigma0.05")
    numbers["ranks"] += [
        {**_column(dataset, "attack_rank1"), "method": method, "best": k, "worst": k}
        for k, method in enumerate(contestants, 1)
    ]
    (folder.path / "plan.json").write_text(json.dumps(plan), "utf-8")
    (folder.path / "estimates.json").write_text(json.dumps(numbers), "utf-8")
    for path in (folder.path / "faces" / dataset).glob("*.parquet"):
        _name_faces(path)
    seal_run(folder.path)
    return RunFolder.open(folder.path)


def _planned(spec: str, label: str = "", view: str = "") -> dict[str, Any]:
    card = asdict(registry.create_attacker(parse_spec(spec)).card)
    card |= {"view": view, "explains": view == OUTSIDE, "title": label or card["title"], "params": dict(card["params"])}
    return {"label": label or spec, "spec": spec, "card": card}


def _attacks(dataset: str, method: str, named: float | None, people: int) -> list[dict[str, Any]]:
    base = {
        "dataset": dataset, "method": method, "channel": CHANNEL, "floor": 0.0025, "ceiling": 0.98, "searches": 60,
        "people": people,
    }  # fmt: skip
    curves = {
        "cmc": [min(1.0, (named or 0.0) + 0.01 * k) for k in range(10)],
        "fmr": [1.0, 0.1, 0.01, 0.0],
        "fnmr": [0.0, 0.3, 0.6, 1.0],
        "galleries": [_gallery(size, named or 0.0, people) for size in SIZES],
        "gallery_misfit": 0.021,
    }
    if named is None:
        return [{**base, "attacker": "ignorant", "doubts": [DOUBT]}, {**base, "attacker": "parrot", "doubts": [DOUBT]}]
    if method == HOSTILE:
        impossible = [{**base, "attacker": name, "problem": "the method cannot be run"} for name in ("parrot", "ridge")]
        return [{**base, **curves, "attacker": "ignorant", "named": named}, *impossible]
    learned = {"learned_people": 89, "learned_photos": 300, "trained": 0.7}
    doubted = {"doubts": [DOUBT], "shares": {"0.25": QUARTER, "0.5": QUARTER}, "trainings": [QUARTER] * 3}
    return [
        {**base, **curves, "attacker": "ignorant", "named": named / 10},
        {**base, **curves, "attacker": "parrot", "named": named / 2},
        {**base, **learned, **doubted, "attacker": "ridge"},
        {
            **base, **learned, **curves, "attacker": EVIL, "named": named, "lower_bound": True,
            "shares": {"0.25": named / 4, "0.5": named / 2}, "trainings": [named, named / 2, named / 2],
            "psnr_released": 19.5, "psnr": 24.25,
            "disclosed": 2.306, "disclosed_tag": "C", "disclosed_limit": 4.97,
        },
        {**base, "attacker": "around", "named": 0.99, "explains": True},
    ]  # fmt: skip


def _gallery(size: int, named: float, people: int) -> dict[str, float | None]:
    modelled = size <= 1000
    return {
        "size": size,
        "measured": named if size <= people else None,
        "modelled": named if modelled else None,
        "low": named - 0.05 if modelled else None,
        "high": min(named + 0.05, 1.0) if modelled else None,
    }


def _column(dataset: str, metric: str, instrument: str = "worst") -> dict[str, Any]:
    return {"dataset": dataset, "metric": metric, "instrument": instrument, "region": "face"}


def _estimates(dataset: str, method: str, named: float | None, people: int) -> list[dict[str, Any]]:
    # Where some attackers could not be tried, the strongest of the others has a name of its own.
    strongest = "worst-without-method" if method == HOSTILE else "worst"

    def row(metric: str, value: float, chance: float | None, instrument: str, **more: Any) -> dict[str, Any]:
        return {
            **_column(dataset, metric, instrument), "method": method, "group": "all", "value": value,
            "low": max(value - 0.05, 0.0), "high": min(value + 0.05, 1.0), "n": 60, "unscored": 0, "chance": chance,
            **more,
        }  # fmt: skip

    linked = row("release_auc", 0.5 + (named or 0.0) / 3, 0.5, "worst", note="sface")
    others = [
        row("release_auc", 0.51, 0.5, "geometry"),
        *(row("release_auc", 0.7 + k / 10, 0.5, f"{name}+one-draw") for k, name in enumerate(("sface", "dlib"))),
    ]
    read = [row("inferred_gender_auc", 0.6 + 0.1 * k, 0.5, name) for k, name in enumerate(("face-api", "faceres"))]
    if named is None:
        return [linked, *others, *read]
    read += [row("attack_tar@1e-3", named / 3, 0.001, f"{EVIL}/{CHANNEL}")]
    first, risk = row("attack_rank1", named, 1 / people, strongest), row("residual_risk", named / 0.98, None, strongest)
    groups = [
        {**each, "group": f"gender={gender}", "value": each["value"] + more}
        for each in (first, risk)
        for gender, more in (("female", 0.013), ("male", -0.013))
    ]
    return [
        first,
        row("attack_rank5", min(named + 0.01, 1.0), 5 / people, strongest),
        risk,
        *groups,
        linked,
        *others,
        *read,
    ]


def _gaps(dataset: str, method: str) -> list[dict[str, Any]]:
    """A difference is shown between the genders under ``blur-sigma0.15`` alone."""
    p = 0.012 if method == "blur-sigma0.15" else 0.4
    groups = {"by": "gender", "worst_group": "gender=female", "best_group": "gender=male"}
    size = {"gap": 0.026, "low": 0.001, "high": 0.05, "expected": 0.01, "p": p}
    instrument = "worst-without-method" if method == HOSTILE else "worst"
    return [{**_column(dataset, "attack_rank1", instrument), "method": method, **groups, **size}]


def _name_faces(path: Any) -> None:
    """The parrot names faces 3 and 5, the doubted attacker all, the strongest those from the third one on."""
    table = pq.read_table(path)
    n = table.num_rows
    values = {
        "ignorant": [0.0] * n,
        "parrot": [float(i in (3, 5)) for i in range(n)],
        "ridge": [1.0] * n,
        EVIL: [float(i >= 2) for i in range(n)],
    }
    for name, column in values.items():
        table = table.append_column(f"attack_rank1|{name}/{CHANNEL}|face", pa.array(column))
    pq.write_table(table, path)
