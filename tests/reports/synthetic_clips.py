"""A made-up finished run over clips on disk: the files that `bench.run.reduce` writes, with nothing behind them.

Two data sets: ``street`` with two groups of clips, hostile names and a clip that cannot be used; ``one`` with one clip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.reports.synthetic import PROVENANCE, Made, dataset_card, instrument_card, method_card, operating_points
from unmask.bench.core import registry
from unmask.bench.run.planning.choosing import planned_metrics
from unmask.bench.store.documents import write_json
from unmask.bench.store.results import Estimates
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.schemas import Plan
from unmask.bench.store.tables import write_table

HOSTILE = 'group/"><script>alert(1)</script>&.mp4'
UNICODE = "Straße/中文 видео.mp4"
RECOGNISERS = ("mobilefacenet", "sface")
TRACKERS = ("deepsort", "sort")


@dataclass(frozen=True)
class Shown:
    """What a contestant's made-up numbers are like."""

    label: str
    method: str
    quality: str
    lost: int
    """People fewer a clip."""
    idf1: float
    exposed: float
    missed: float
    destroyed: float = 0.0


CONTESTANTS = (
    Shown("none", "none", "lossless", 0, 1.0, 1.0, 1.0),
    Shown("none@matched", "none", "matched", 1, 0.93, 1.0, 0.4),
    Shown("blur-sigma0.15", "blur-sigma0.15", "lossless", 0, 0.97, 0.42, 0.05),
    Shown("<b>box<_b>", "<b>box<_b>", "lossless", 3, 0.71, 0.06, 0.02, 0.93),
)
CLIPS = (
    *((f"fight/{n:03d}.mp4", "fight") for n in range(6)),
    (HOSTILE, "<i>quiet</i>"),
    (UNICODE, "<i>quiet</i>"),
    *((f"quiet/{n:03d}.mp4", "<i>quiet</i>") for n in range(4)),
    ("broken.mp4", "fight"),
)


def make_video_run(
    path: Path,
    *,
    dataset: str = "street-clips",
    clips: Sequence[tuple[str, str]] = CLIPS,
    contestants: Sequence[Shown] = CONTESTANTS,
    tracker_version: str = "1",
    asked: Sequence[str] = (),
) -> RunFolder:
    """Writes a finished run and opens it. ``dataset``: the first data set's name on its card; ``asked``: metrics of
    photos that are asked of the clips too."""
    plan = _plan(dataset, clips, contestants, tracker_version, asked)
    write_json(path / "plan.json", plan.model_dump(mode="json", by_alias=True))
    rng = np.random.default_rng(0)
    rows: list[dict[str, Any]] = []
    clip_rows: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for planned in plan.datasets:
        listed = zip(planned.samples, planned.groups, strict=True)
        mine = [_clip(planned.label, clip, group, rng) for clip, group in listed]
        clip_rows += mine
        usable = [row for row in mine if not row["problem"]]
        first: dict[str, list[dict[str, Any]]] = {}
        for shown in contestants:
            stretches = [line for row in usable for line in _stretches(row, shown, rng)]
            write_table(RunFolder(path).timelines_path(planned.label, shown.label), _columns(stretches), "")
            own = [_result(row, shown, stretches, rng) for row in usable]
            results += own
            first[shown.label] = own
            rows += _estimates(planned.label, shown, usable, own, first.get("none@matched"))
    body = {
        "run": plan.run,
        "estimates": rows,
        "comparisons": [],
        "ranks": [
            {"dataset": d.label, "metric": "tracks_exposed", "instrument": "worst", "region": None, "method": m,
             "best": k, "worst": k}
            for d in plan.datasets
            for m, k in (("blur-sigma0.15", 2), ("<b>box<_b>", 1))
            if m in {shown.label for shown in contestants}
        ],
        "clips": clip_rows,
        "results": results,
    }  # fmt: skip
    RunFolder(path).write_estimates(Estimates.model_validate(body))
    write_json(path / "provenance.json", PROVENANCE)
    return RunFolder.open(path)


def _plan(
    dataset: str,
    clips: Sequence[tuple[str, str]],
    contestants: Sequence[Shown],
    tracker: str,
    asked: Sequence[str],
) -> Plan:
    methods = {shown.method: None for shown in contestants}
    datasets = [("street", dataset, clips), ("one", "one-clip", [("only.mp4", "")])]
    return Plan.sealed(
        {
            "datasets": [
                {
                    "label": label,
                    "spec": label,
                    "card": dataset_card(name),
                    "kind": "clips",
                    "samples": [clip for clip, _ in listed],
                    "digests": ["d" * 64] * len(listed),
                    "groups": [group for _, group in listed],
                }
                for label, name, listed in datasets
            ],
            "methods": [_method(label) for label in methods],
            "releases": [{"label": s.label, "method": s.method, "variant": s.quality} for s in contestants],
            "detector": instrument_card("yunet", "detector"),
            "instruments": [instrument_card(name, "recogniser") for name in RECOGNISERS],
            "person_detector": {
                "label": "yolov3-tiny",
                "spec": "yolov3-tiny",
                "card": instrument_card("yolov3-tiny", "people"),
            },
            "trackers": [_tracker(name, tracker) for name in TRACKERS],
            "face_tracker": _tracker("deepsort", tracker),
            "metrics": planned_metrics(
                [*registry.all_metrics(clips=True), *((name, registry.create_metric(name)) for name in asked)],
                asked,
                ("clips",),
            ),
            "operating_points": operating_points(RECOGNISERS),
            "settings": {"replicates": 200},
        }
    )


def _tracker(name: str, version: str) -> dict[str, Any]:
    return {"label": name, "spec": name, "card": instrument_card(name, "tracker", version)}


def _method(label: str) -> dict[str, Any]:
    params = {} if label == "none" else {"sigma": 0.15}
    return {"label": label, "spec": label, "card": method_card(Made(label, label.partition("-")[0], params, 0, 0), {})}


def _clip(dataset: str, clip: str, group: str, rng: np.random.Generator) -> dict[str, Any]:
    broken = clip == "broken.mp4"
    people = int(rng.integers(1, 9))
    faceless = clip.endswith("003.mp4")
    return {
        "dataset": dataset,
        "clip": clip,
        "group": group,
        "problem": "moov atom not found <truncated>" if broken else "",
        "damage": "ends early after 140 frames" if clip == UNICODE else "",
        "frames": 0 if broken else 150,
        "seconds": 0.0 if broken else 6.0,
        "width": 0 if broken else 640,
        "height": 0 if broken else 360,
        "rotation": 90 if clip == HOSTILE else 0,
        "rate": None if broken else 25.0,
        "variable_rate": clip == UNICODE,
        "codec": "" if broken else "h264",
        "kbps": None if broken or clip == UNICODE else float(rng.integers(300, 1900)),
        "audio": clip == HOSTILE,
        "faces": 0 if broken or faceless else 210,
        "face_width": None if broken or faceless else 9.0 if dataset == "one" else 64.0,
        "strangers": {} if broken else dict.fromkeys(RECOGNISERS, (3 if dataset == "one" else 0, 40)),
        "face_tracks": 0 if broken or faceless else int(rng.integers(1, 4)),
        "people": {} if broken else {t: people + k for k, t in enumerate(TRACKERS)},
        "truth_people": people if dataset == "street" and group == "fight" and not broken else None,
    }


def _stretches(
    row: Mapping[str, Any], shown: Shown, rng: np.random.Generator
) -> list[tuple[str, int, float, float, str]]:
    """Half a second each, from 0.25 s on."""
    other = "destroyed" if shown.destroyed > 0.5 else "anonymized"
    shares = [shown.missed, min(shown.exposed / 3, 1 - shown.missed), 0.0]
    shares[2] = 1 - sum(shares)
    lines = []
    for track in range(row["face_tracks"]):
        for k in range(10):
            state = str(rng.choice(["missed", "exposed", other], p=shares))
            lines.append((row["clip"], track, 0.25 + 0.5 * k, 0.75 + 0.5 * k, state))
    return lines


def _columns(lines: Sequence[tuple[str, int, float, float, str]]) -> dict[str, Any]:
    kinds = (np.str_, np.int64, np.float64, np.float64, np.str_)
    names = ("clip", "track", "from", "to", "state")
    return {name: np.array([line[k] for line in lines], kinds[k]) for k, name in enumerate(names)}


def _result(
    row: Mapping[str, Any],
    shown: Shown,
    stretches: Sequence[tuple[str, int, float, float, str]],
    rng: np.random.Generator,
) -> dict[str, Any]:
    own = [line for line in stretches if line[0] == row["clip"]]
    bad = [line for line in own if line[4] in ("missed", "exposed")]
    lost = int(rng.integers(0, 2 * shown.lost + 1))
    return {
        "dataset": row["dataset"],
        "clip": row["clip"],
        "method": shown.label,
        "people": {t: max(n - lost, 0) for t, n in row["people"].items()},
        "kbps": (row["kbps"] if shown.quality == "matched" else 21_000.0),
        "failed_frames": 3 if shown.method.startswith("<b>") and row["clip"] == HOSTILE else 0,
        "ms": 0.02 if shown.method == "none" else float(rng.uniform(20, 40)),
        "tracks_exposed": len({line[1] for line in bad}),
        "longest_exposure": 0.5 * min(len(bad), 4),
        "missed": [(line[2], line[3]) for line in own if line[4] == "missed"],
        "error": "",
    }


def _estimates(
    dataset: str,
    shown: Shown,
    usable: Sequence[Mapping[str, Any]],
    results: Sequence[Mapping[str, Any]],
    recoded: Sequence[Mapping[str, Any]] | None,
) -> list[dict[str, Any]]:
    """``recoded``: the results of the re-encoded control."""
    groups = {"all": list(range(len(usable)))}
    for name in sorted({row["group"] for row in usable} - {""}):
        groups[f"group={name}"] = [k for k, row in enumerate(usable) if row["group"] == name]
    found: list[dict[str, Any]] = []
    for group, members in groups.items():
        rows: list[tuple[Any, ...]] = []
        clips = [usable[k] for k in members]
        tracks = sum(row["face_tracks"] for row in clips)
        annotated = sum(row["truth_people"] is not None for row in clips)
        one = len(clips) == 1
        for tracker in TRACKERS:
            before = np.array([row["people"][tracker] for row in clips])
            after = np.array([results[k]["people"][tracker] for k in members])
            for metric, values in (
                ("people", after),
                ("people_original", before),
                ("people_difference", before - after),
            ):
                value = float(values.mean())
                rows.append((metric, tracker, value, 0.9 if not one else None, len(clips), None, ""))
            spread = float((before - after).std(ddof=1)) if len(clips) > 1 else None
            rows.append(("people_difference_sum", tracker, float((before - after).sum()), None, len(clips), None, ""))
            rows.append(("people_difference_sd", tracker, spread, None, len(clips), None, ""))
            if recoded is not None:
                codec = np.array([recoded[k]["people"][tracker] for k in members])
                found.append(
                    _mean_row(dataset, shown.label, group, "people_difference_recoded", tracker, codec - after)
                )
            for metric in ("hota", "idf1", "mota", "id_switches"):
                rows.append(
                    (f"{metric}_original", tracker, shown.idf1, 0.02 if not one else None, len(clips), None, "")
                )
                if annotated:
                    rows.append((metric, tracker, shown.idf1 - 0.35, 0.08, annotated, None, ""))
        for k, recogniser in enumerate((*RECOGNISERS, "worst")):
            note = RECOGNISERS[0] if recogniser == "worst" else ""
            less = 1 - 0.1 * (k == 1)
            wide = None if one else 0.11
            rows.append(("tracks_exposed", recogniser, shown.exposed * less, wide, tracks, 0.031, note))
            rows.append(("longest_exposure", recogniser, 2.5 * shown.exposed * less, wide, tracks, None, note))
            if recogniser != "worst":
                kept = None if shown.destroyed > 0.5 else 0.8
                rows.append(("identity_kept", recogniser, kept, wide, tracks, 1e-3, ""))
                rows.append(("identity_kept_original", recogniser, 0.95, wide, tracks, 1e-3, ""))
                rows.append(
                    ("identity_shared", recogniser, None if one or kept is None else 0.02, wide, tracks, None, "")
                )
        shares = {"missed": shown.missed, "destroyed": shown.destroyed, "error": 0.0}
        shares["anonymized"] = 1 - sum(shares.values())
        for outcome, share in shares.items():
            rows.append((f"frames_{outcome}", "yunet", share, None if one else 0.03, tracks, None, ""))
        rows.append(("tracks_missed", "yunet", min(3 * shown.missed, 1.0), None if one else 0.1, tracks, None, ""))
        rows.append(("flicker", "frames", 1.31 if shown.lost else 0.94, None if one else 0.2, tracks, None, ""))
        rows.append(
            (
                "landmark_correlation",
                "yunet",
                None if shown.destroyed else 0.97,
                None if one else 0.01,
                tracks,
                None,
                "",
            )
        )
        found += [_row(dataset, shown.label, group, *row) for row in rows]
        for metric, instrument, numbers in (
            ("ms_per_frame", "wall-clock", [results[k]["ms"] for k in members]),
            ("kbps", "stream", [results[k]["kbps"] for k in members]),
            ("kbps_original", "stream", [row["kbps"] for row in clips]),
        ):
            found.append(_mean_row(dataset, shown.label, group, metric, instrument, np.array(numbers, np.float64)))
    return found


def _mean_row(
    dataset: str, method: str, group: str, metric: str, instrument: str, values: NDArray[Any]
) -> dict[str, Any]:
    """The mean over clips of one number each, NaN = none, with an interval from three clips on."""
    scored = values[np.isfinite(values)]
    value = float(scored.mean()) if len(scored) else None
    half = 2 * float(scored.std()) / len(scored) ** 0.5 if len(scored) > 2 else None
    row = _row(dataset, method, group, metric, instrument, value, half, len(values), None, "")
    return {**row, "n": len(scored), "unscored": len(values) - len(scored)}


def _row(
    dataset: str, method: str, group: str, metric: str, instrument: str, value: float | None, half: float | None,
    n: int, chance: float | None, note: str,
) -> dict[str, Any]:  # fmt: skip
    """``half`` = half the interval's width; ``None`` = no interval."""
    scored = n if value is not None else 0
    ends = (None, None) if value is None or half is None else (value - half, value + half)
    if metric.startswith(("tracks", "frames", "identity", "idf1", "hota")) and None not in ends:
        ends = (max(ends[0], 0.0), min(ends[1], 1.0))
    return {
        "dataset": dataset, "method": method, "metric": metric, "instrument": instrument, "region": None,
        "group": group, "value": value, "low": ends[0], "high": ends[1], "n": scored, "unscored": n - scored,
        "chance": chance, "note": note,
    }  # fmt: skip
