"""``make bench-score``: faces per second per stage, the share of the time spent outside networks, and the CPU time that
methods with networks take for a face.

Runs the demo set (or UNMASK_BENCH_DATASET, at most UNMASK_BENCH_LIMIT photos) with two methods in this process, every
instrument in a stopwatch.
Timings are benchmarks, not tests: the figures are printed, nothing is asserted.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.stages import Stages
from unmask.bench.core.registry import instrument_class
from unmask.bench.core.types import Detection, Image, Sample
from unmask.bench.data import open_dataset
from unmask.bench.run.jobs import opened
from unmask.bench.run.pipeline import get_ready, locations_for, run
from unmask.bench.run.planning.config import RunConfig
from unmask.methods.shared.mtcnn import Mtcnn

METHODS = ("blur:sigma=0.15", "pixelate:blocks=8")
CALLS = ("detect", "read", "read_looks", "compare")
CASCADES = ("k-same", "k-same-select", "k-same-m", "deepprivacy", "dp-att", "dp-att-s:tone=dark", "dp-stargan")


class Stopwatch(Stages):
    """Notes the stages, and owns the instruments' stopwatches."""

    def __init__(self) -> None:
        super().__init__()
        self.inside: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))

    def timed(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*arguments: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*arguments)
            finally:
                self.inside[self.stage][name] += time.perf_counter() - began

        return wrapped


def print_cascades(dataset: str, limit: int | None) -> None:
    """CPU milliseconds a face of the judge's, opening the networks and reading the photos left out: unlike the clock,
    they stay the same on a busy machine. Of the detector and of everything else, which grows with the faces only."""
    source = open_dataset(dataset)
    samples = [Sample(ref.id, source.read(ref)) for ref in source.refs[:limit]]
    judge = opened.detector("yunet", "cpu")
    faces = sum(len(judge.detect([sample.image])[0]) for sample in samples)
    detecting = [0.0]
    find = Mtcnn.faces

    def timed(self: Mtcnn, image: Image) -> list[Detection]:
        began = time.process_time()
        try:
            return find(self, image)
        finally:
            detecting[0] += time.process_time() - began

    print(f"\n{len(samples)} photos, {faces} faces; CPU milliseconds a face")
    print(f"{'method':<20} {'detector':>8} {'rest':>8} {'all':>8} {'faces a CPU second':>19}")
    Mtcnn.faces = timed  # type: ignore[method-assign]
    try:
        for spec in CASCADES:
            method = opened.method(spec, "cpu")
            method.anonymize(samples[:1], seed=0)
            detecting[0], began = 0.0, time.process_time()
            for sample in samples:
                method.anonymize([sample], seed=0)
            whole = time.process_time() - began
            parts = [1000 * seconds / faces for seconds in (detecting[0], whole - detecting[0], whole)]
            print(f"{spec:<20} {parts[0]:>8.1f} {parts[1]:>8.1f} {parts[2]:>8.1f} {faces / whole:>19.1f}")
    finally:
        Mtcnn.faces = find  # type: ignore[method-assign]


def main() -> None:
    dataset = os.environ.get("UNMASK_BENCH_DATASET", "demo")
    limit = int(os.environ.get("UNMASK_BENCH_LIMIT", "0")) or None
    watch = Stopwatch()
    open_plainly = opened.open_instrument

    def open_timed(name: str, device: str) -> Any:
        instrument = open_plainly(name, device)
        for call in CALLS:
            if hasattr(instrument, call) and not hasattr(instrument, f"_timed_{call}"):
                setattr(instrument, call, watch.timed(name, getattr(instrument, call)))
                setattr(instrument, f"_timed_{call}", True)
        return instrument

    opened.open_instrument = open_timed
    # Opening networks is not scoring them: one image warms everything up first.
    with tempfile.TemporaryDirectory() as scratch:
        warm = RunConfig(datasets=(dataset,), methods=METHODS, limit=1)
        run(
            get_ready(warm, root=None),
            Path(scratch) / "warm",
            locations=locations_for(warm),
            root=None,
            workers=1,
            progress=watch,
        )
        watch.seconds.clear()
        watch.inside.clear()
        config = RunConfig(datasets=(dataset,), methods=METHODS, limit=limit)
        folder = run(
            get_ready(config, root=None),
            Path(scratch) / "run",
            locations=locations_for(config),
            root=None,
            workers=1,
            progress=watch,
        )
        faces = folder.estimates.inputs[0].faces
        methods = len(folder.plan.methods)
    times = {"prepare": 1, "anonymize": methods - 1, "score": methods, "reduce": methods}
    print(f"{dataset}: {faces} faces, {methods} methods (the control is one of them)")
    print(f"{'stage':<10} {'seconds':>8} {'faces/s':>8} {'networks':>9} {'other instruments':>18} {'harness':>8}")
    for stage, passes in times.items():
        seconds = watch.seconds[stage]
        networks = sum(s for name, s in watch.inside[stage].items() if instrument_class(name).card.files)
        others = sum(watch.inside[stage].values()) - networks
        # The methods of `anonymize` run in processes of their own, out of the stopwatches' reach.
        shares = [networks / seconds, others / seconds, 1 - (networks + others) / seconds]
        shown = ["not measured"] * 3 if stage == "anonymize" else [f"{share:.0%}" for share in shares]
        rate = faces * passes / seconds
        print(f"{stage:<10} {seconds:>8.1f} {rate:>8.1f} {shown[0]:>9} {shown[1]:>18} {shown[2]:>8}")
    print("\nwithin score, seconds by instrument:")
    for name, seconds in sorted(watch.inside["score"].items(), key=lambda item: -item[1]):
        print(f"  {name:<16} {seconds:7.1f}")
    print_cascades(dataset, limit)


if __name__ == "__main__":
    main()
