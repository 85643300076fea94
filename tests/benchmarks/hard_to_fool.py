"""``make bench-hard-to-fool``: contestants that protect nobody, and what a run says of them.

Writes the outputs of each (`tests.support.fooling`, `tests.support.perturbing`) over the first photos of lfw to a
folder, runs them beside an honest blackout and a blur, prints a Markdown table (`bench/design/hard-to-fool.md` holds
one) and fails where one looks good that must not. Needs lfw (set UNMASK_DATA), or UNMASK_BENCH_DATASET=demo; takes 30
photos or UNMASK_BENCH_LIMIT; UNMASK_BENCH_OUT keeps the run.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.benchmarks.printing import print_claims
from tests.support.fooling import Contestant, contestants
from tests.support.perturbing import perturbations
from unmask.bench.cli.progress import PlainProgress
from unmask.bench.core.evidence import ANY_LOOK
from unmask.bench.core.images import encode_png
from unmask.bench.core.registry import instrument_class
from unmask.bench.core.types import Sample
from unmask.bench.data import open_dataset
from unmask.bench.fetch.packages import fetch_all
from unmask.bench.run.jobs import opened
from unmask.bench.run.pipeline import get_ready, locations_for, run
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.store.results import EstimateRow, Estimates
from unmask.bench.store.run_folder import RunFolder

HONEST = ("blackout", "blur:sigma=0.15")
RECOGNISERS = ("mobilefacenet", "sface", "facenet", "dlib")
DEID, RANK = "deid_rate@1e-3", "rank1_same_photo"
GOOD = 0.9
"""De-identification from which on a method looks good, where no more than `FEW` of its images failed."""
FEW = 0.1
FOUND = 0.5
"""Share of faces found in first place among the originals from which on a method does not look good."""
Rows = Mapping[tuple[str, str, str], EstimateRow]


def main() -> int:
    dataset = os.environ.get("UNMASK_BENCH_DATASET", "lfw")
    limit = int(os.environ.get("UNMASK_BENCH_LIMIT", "30"))
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(os.environ.get("UNMASK_BENCH_OUT") or scratch)
        everybody = write_outputs(dataset, limit, out / "contestants")
        config = RunConfig(
            datasets=(dataset,),
            methods=(*HONEST, *(f"{c.name}=outputs:dir={out / 'contestants' / c.name}" for c in everybody)),
            metrics=("privacy", "outcome", "pixel_quality", "lpips"),
            instruments=("yunet", *RECOGNISERS, "pixels", "lpips-alex"),
            limit=limit,
        )
        plan = get_ready(config, root=None)
        folder = run(
            plan,
            out / "run",
            locations=locations_for(config),
            root=None,
            workers=os.cpu_count() or 1,
            progress=PlainProgress(),
        )
        return report(folder, everybody)


def write_outputs(dataset: str, limit: int, to: Path) -> list[Contestant]:
    """Runs every contestant over the first ``limit`` photos; their outputs lie in a folder each."""
    opened_set = open_dataset(dataset)
    judge = opened.detector("yunet", "cpu")
    images = {ref.id: opened_set.read(ref) for ref in opened_set.refs[:limit]}
    faces = {name: judge.detect([image])[0] for name, image in images.items()}
    samples = [Sample(name, image, tuple(face.box for face in faces[name])) for name, image in images.items()]
    files = {name: fetch_all(instrument_class(name).card.files)["weights"] for name in ("sface", "facenet", "yunet")}
    everybody = [*contestants(), *perturbations(files, lambda image: judge.detect([image])[0])]
    for contestant in everybody:
        paths = [(to / contestant.name / sample.id).with_suffix(".png") for sample in samples]
        if all(path.exists() for path in paths):
            continue
        print(f"contestant {contestant.name}", file=sys.stderr)
        for path, output in zip(paths, contestant.anonymize(samples, seed=0), strict=True):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(encode_png(output))
    return everybody


def report(folder: RunFolder, everybody: Sequence[Contestant]) -> int:
    """Prints the table and whether each contestant was seen through; 0 if all were."""
    estimates = folder.estimates
    rows = {(r.method, r.metric, r.instrument): r for r in estimates.estimates if r.group == "all"}
    labels = [method.label for method in folder.plan.methods]
    inputs = estimates.inputs[0]
    print(f"{inputs.dataset}: {inputs.images} photos, {inputs.faces} faces\n")
    print("| contestant | error | missed | destroyed | anonymized | de-id. | any look | rank-1 | any look | findings |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for label in labels:
        shares = [_value(rows, label, f"outcome_{name}") for name in ("error", "missed", "destroyed", "anonymized")]
        scores = [_worst(rows, label, metric, look) for metric in (DEID, RANK) for look in ("", ANY_LOOK)]
        print(f"| {label} | " + " | ".join(_cell(v) for v in (*shares, *scores)) + f" | {_kinds(estimates, label)} |")
    for label in labels:
        for finding in (f for f in estimates.findings if f.method == label):
            print(f"- {label}: {finding.text}")
        reasons = [f.reason for f in estimates.failures if f.method == label]
        if reasons:
            print(f"- {label}: {len(reasons)} failures, e.g. {reasons[0]}")
    return print_claims([(f"{c.name} is seen through: {c.what}", seen_through(rows, estimates, c)) for c in everybody])


def seen_through(rows: Rows, estimates: Estimates, contestant: Contestant) -> bool:
    """Whether a reader is warned of a contestant: it fails, its faces are recognised, or a finding says so."""
    warned = {finding.kind for finding in estimates.findings if finding.method == contestant.name}
    failed = _value(rows, contestant.name, "outcome_error")
    scores = [_worst(rows, contestant.name, DEID, ""), _worst(rows, contestant.name, DEID, ANY_LOOK)]
    rank = _worst(rows, contestant.name, RANK, ANY_LOOK)
    recognised = any(score is not None and score < GOOD for score in scores) or (rank is not None and rank > FOUND)
    return bool(warned) or recognised or (failed is not None and failed > FEW)


def _value(rows: Rows, label: str, metric: str) -> float | None:
    return next((r.value for (method, name, _), r in rows.items() if method == label and name == metric), None)


def _worst(rows: Rows, label: str, metric: str, look: str) -> float | None:
    """The worst of the recognisers: the lowest de-identification, the highest rank-1."""
    found = [rows.get((label, metric, f"{name}{look}")) for name in RECOGNISERS]
    values = [row.value for row in found if row is not None and row.value is not None]
    return (max(values) if metric == RANK else min(values)) if values else None


def _cell(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.2f}"


def _kinds(estimates: Estimates, label: str) -> str:
    found = [f"{f.kind} {f.count}/{f.of}" for f in estimates.findings if f.method == label]
    return ", ".join(found) or "-"


if __name__ == "__main__":
    sys.exit(main())
