"""Finished runs with made-up rows of faces, for gates: what a gate reads of a run, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.cards import dataset_card, method_card
from unmask.bench.core import registry
from unmask.bench.core.types import Float
from unmask.bench.store.documents import write_json
from unmask.bench.store.results import Estimates
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.tables import write_table

THRESHOLD = 0.5
METRICS = ("outcome", "deid_rate", "own_distance", "ssim")


def near(shares: Float, seed: int = 0) -> Float:
    """(N,) distances: below the threshold where a face is matched."""
    rng = np.random.default_rng(seed)
    return np.where(shares > 0, rng.uniform(0.1, 0.45, len(shares)), rng.uniform(0.55, 1.0, len(shares)))


def gate_run(
    path: Path,
    distance: Float,
    *,
    outcome: NDArray[np.str_] | None = None,
    ssim: Float | None = None,
    label: str = "me",
    gender: Sequence[str] = (),
    people: Sequence[str] = (),
    photos: Sequence[str] = (),
    outputs: str = "",
    recogniser_version: str = "",
    metrics: Sequence[str] = METRICS,
    points: float = THRESHOLD,
    dataset: str = "photos",
    fingerprint: str = "f" * 64,
) -> Path:
    """One face a photo, (N,) each. ``photos``: contents; ``outputs``: equal = the same bytes, '' = of this folder."""
    n = len(distance)
    samples = [f"{k:05d}.png" for k in range(n)]
    sface = asdict(registry.instrument_card("sface"))
    sface |= {"version": recogniser_version or sface["version"], "looks": False}
    plan = Plan.sealed(
        {
            "datasets": [
                {"label": dataset, "spec": "folder", "card": dataset_card(fingerprint=fingerprint), "samples": samples}
            ],
            "methods": [
                {"label": name, "spec": kind, "card": method_card(kind, version=version)}
                for name, kind, version in (("none", "none", "1"), (label, "blur", str(path)))
            ],
            "releases": [{"label": name, "method": name} for name in ("none", label)],
            "detector": asdict(registry.instrument_card("yunet")),
            "instruments": [sface, asdict(registry.instrument_card("pixels"))],
            "metrics": [_planned(name) for name in metrics],
            "operating_points": _points(points),
            "settings": {"replicates": 200, "shard_size": 4096, "default_recogniser": "sface"},
        }
    )
    ended = np.full(n, "anonymized") if outcome is None else outcome
    columns = _columns(distance, ended, np.linspace(0.4, 0.6, n) if ssim is None else ssim, points)
    kept = {key: values for key, values in columns.items() if _asked(plan, key)}
    person = np.array(people or [f"person-{k:05d}" for k in range(1, n + 1)], np.str_)
    folder = RunFolder(path)
    estimates = Estimates.model_validate({"run": plan.run, "estimates": _estimates(kept, dataset, label)})
    write_json(path / "plan.json", plan)
    write_json(path / "estimates.json", estimates.sealed())
    names = {
        "face": np.array([f"photo-{k:05d}#0" for k in range(1, n + 1)]),
        "sample": np.array([f"photo-{k:05d}" for k in range(1, n + 1)]),
        "identity": person,
        "outcome": ended,
    }
    write_table(folder.faces_path(dataset, label), {**names, **kept}, "")
    untouched = _columns(np.where(np.isnan(distance), np.nan, 0.0), np.full(n, "missed"), np.ones(n), points)
    write_table(folder.faces_path(dataset, "none"), {**names, **{key: untouched[key] for key in kept}}, "")
    _write_originals(folder, dataset, samples, person, gender, photos)
    for method, origin in ((label, outputs or path), ("none", "originals")):
        digests = [hashlib.sha256(f"{origin}{k}".encode()).hexdigest() for k in range(n)]
        texts = {name: np.full(n, "") for name in ("file", "error")}
        table = {"sample": np.array(samples), "sha256": np.array(digests), **texts}
        write_table(folder.outputs_dir(dataset, method, 0) / "outputs.parquet", table, "")
    return path


def _planned(name: str) -> dict[str, Any]:
    """The plug-in that answers a metric, or has its name."""
    name, metric = next(
        (plugin, each)
        for plugin, each in registry.all_metrics()
        if name in (plugin, *(card.name for card in each.cards))
    )
    return {"name": name, "cards": [asdict(card) for card in metric.cards], "needs": list(metric.needs)}


def _points(threshold: float) -> dict[str, Any]:
    points = [
        {"fmr": fmr, "threshold": threshold, "low": threshold - 0.02, "high": threshold + 0.02}
        for fmr in (1e-2, 1e-3, 1e-4)
    ]
    return {"schema": "unmask.operating-points/1", "points": {"sface": points}}


def _columns(distance: Float, outcome: NDArray[np.str_], ssim: Float, threshold: float) -> dict[str, Float]:
    rate = np.where(np.isnan(distance), np.nan, (distance > threshold).astype(float))
    return {
        "outcome_missed|yunet|face": (outcome == "missed").astype(float),
        "outcome_error|yunet|face": (outcome == "error").astype(float),
        "deid_rate@1e-3|sface|face": rate,
        "own_distance|sface|face": distance,
        "ssim|standard|face": ssim,
    }


def _asked(plan: Plan, column: str) -> bool:
    return any(card.name == column.split("|")[0] for metric in plan.metrics for card in metric.cards)


def _estimates(columns: Mapping[str, Float], dataset: str, label: str) -> list[dict[str, Any]]:
    rows = []
    for column, values in columns.items():
        metric, instrument, region = column.split("|")
        names = [instrument, "worst"] if metric.startswith("deid_rate") else [instrument]
        finite = values[np.isfinite(values)]
        rows += [
            {
                "dataset": dataset,
                "method": method,
                "metric": metric,
                "instrument": name,
                "region": region,
                "group": "all",
                "value": float(finite.mean()) if len(finite) else None,
                "low": None,
                "high": None,
                "n": len(finite),
                "unscored": len(values) - len(finite),
            }
            for name in names
            for method in ("none", label)
        ]
    return rows


def _write_originals(
    folder: RunFolder,
    dataset: str,
    samples: Sequence[str],
    people: NDArray[np.str_],
    gender: Sequence[str],
    photos: Sequence[str],
) -> None:
    n = len(samples)
    contents = photos or [f"content {k}" for k in range(n)]
    digests = [hashlib.sha256(content.encode()).hexdigest() for content in contents]
    images = {
        "sample": np.array(samples),
        "readable": np.ones(n, np.bool_),
        "reason": np.full(n, ""),
        "digest": np.array(digests),
    }
    faces = {
        "face": np.array([f"{sample}#0" for sample in samples]),
        "sample": np.array(samples),
        "identity": people,
        "age": np.full(n, np.nan, np.float32),
        "gender": np.array(gender or [""] * n),
        "race": np.full(n, ""),
        "box": np.zeros((n, 4), np.float32),
        "landmarks": np.zeros((n, 10), np.float32),
        "score": np.ones(n, np.float32),
    }
    write_table(folder.prepare_dir(dataset, 0) / "images.parquet", images, "")
    write_table(folder.prepare_dir(dataset, 0) / "faces.parquet", faces, "")
