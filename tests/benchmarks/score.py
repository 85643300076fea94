"""``make bench-score``: faces per second per stage, and the share of the time spent outside networks.

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
from unmask.bench.run.jobs import opened
from unmask.bench.run.pipeline import get_ready, locations_for, run
from unmask.bench.run.planning.config import RunConfig

METHODS = ("blur:sigma=0.15", "pixelate:blocks=8")
CALLS = ("detect", "read", "read_looks", "compare")


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


if __name__ == "__main__":
    main()
