"""``make bench-lfw``: what the project claims on lfw, on people who took no part in calibration.

Needs lfw (set UNMASK_DATA). Runs at least 1,000 photos through the control, blackout and three strengths of blur,
prints the figures as Markdown (`bench/design/lfw.md` is such a print) and fails if a claim does not hold. About
14 minutes on two cores; UNMASK_BENCH_OUT keeps the run, so that it can be resumed and looked at.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.printing import cell, print_claims
from unmask.bench.cli.progress import PlainProgress
from unmask.bench.run.pipeline import get_ready, locations_for, run
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.store.results import EstimateRow
from unmask.bench.store.run_folder import RunFolder

PHOTOS = 1024
BLURS = ("blur:sigma=0.05", "blur:sigma=0.1", "blur:sigma=0.2")
METHODS = ("none", "blackout", *BLURS)
RECOGNISERS = ("mobilefacenet", "sface", "facenet", "dlib")
DEFAULT = "mobilefacenet"


def main() -> int:
    config = RunConfig(
        datasets=("lfw",),
        methods=METHODS,
        metrics=("outcome", "deid_rate", "deid_rate_thesis", "verification", "identification", "pixel_quality"),
        instruments=("yunet", *RECOGNISERS, "pixels"),
        limit=PHOTOS,
    )
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(os.environ.get("UNMASK_BENCH_OUT") or scratch)
        plan = get_ready(config, root=None)
        places, workers = locations_for(config), os.cpu_count() or 1
        folder = run(plan, out, locations=places, root=None, workers=workers, progress=PlainProgress())
        print_figures(folder)
        return check(folder)


def rows(folder: RunFolder) -> dict[tuple[str, str, str, str], EstimateRow]:
    return {
        (row.method, row.metric, row.instrument, row.region): row
        for row in folder.estimates.estimates
        if row.group == "all"
    }


def print_figures(folder: RunFolder) -> None:
    found = rows(folder)
    given = folder.estimates.inputs[0]
    print(f"lfw, probe half: {given.images} photos, {given.faces} faces; {given.without_face} without a face\n")
    columns = [("destroyed", "outcome_destroyed", "yunet"), ("missed", "outcome_missed", "yunet")]
    columns += [(f"de-id. {name} @1e-3", "deid_rate@1e-3", name) for name in (*RECOGNISERS, "worst")]
    columns += [("rank-1 cross-photo", "rank1_cross_photo", DEFAULT), ("rank-1, worst", "rank1_cross_photo", "worst")]
    columns += [("EER", "eer", DEFAULT), ("SSIM", "ssim", "standard")]
    print("| method | " + " | ".join(head for head, *_ in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    for method in (m.label for m in folder.plan.methods):
        print(f"| {method} | " + " | ".join(cell(found[method, m, i, "face"]) for _, m, i in columns) + " |")


def check(folder: RunFolder) -> int:
    """0 if every claim holds."""
    found = rows(folder)

    def value(method: str, metric: str, instrument: str) -> float:
        given = found[method, metric, instrument, "face"].value
        return float("nan") if given is None else given

    labels = {m.spec: m.label for m in folder.plan.methods}
    blurs = [labels[spec] for spec in BLURS]
    claims = {
        "at least 1,000 photos": folder.estimates.inputs[0].images >= 1000,
        "the control is re-identified at rank 1 across photos by more than 0.90": value(
            "none", "rank1_cross_photo", DEFAULT
        )
        > 0.90,
        "the control has no privacy": all(value("none", "deid_rate@1e-3", name) == 0 for name in RECOGNISERS),
        "the control has perfect quality": value("none", "ssim", "standard") == 1
        and value("none", "l1", "standard") == 0,
        # What its detector does not find it cannot black out; that is counted, as missed.
        "of the faces that blackout touches, more than 0.95 end as destroyed": value(
            "blackout", "outcome_destroyed", "yunet"
        )
        > 0.95 * (1 - value("blackout", "outcome_missed", "yunet")),
    }
    for name in RECOGNISERS:
        rates = [value(label, "deid_rate@1e-3", name) for label in blurs]
        claims[f"more blur, more de-identification: {name} {rates}"] = rates == sorted(rates) and rates[0] < rates[-1]
    return print_claims(claims.items())


if __name__ == "__main__":
    sys.exit(main())
