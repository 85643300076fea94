"""``make bench-gate``: how often a gate stops an unchanged method, and the smallest loss that it finds.

Rows come from one run of a method under five seeds (``UNMASK_GATE_RUN``; without it DeepPrivacy is run over the demo
photos first). In each draw people are drawn anew with replacement until there are so many faces, each time as another
person; of each person baseline and candidate have two different seeds. A candidate is weakened by a known amount: a
share of its faces is left as it was, with the control's rows in place of its own, so that it loses that share of its
rate.

A false alarm is a decision of *worse* on an unweakened candidate, over all metrics and subgroups. The figures are
printed, and nothing is asserted; `bench/design/gate.md` has those of the last release.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.bench.cli.progress import show_progress
from unmask.bench.core.headlines import WORST, Key
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.stats.intervals import clopper_pearson
from unmask.bench.core.types import Bools, Float
from unmask.bench.core.values import UnitValues
from unmask.bench.gate.gate import decide
from unmask.bench.gate.judging import Judge, paired
from unmask.bench.gate.policy import Policy
from unmask.bench.gate.running import PRESETS
from unmask.bench.gate.sides import Side, columns_of_faces, side_of_run
from unmask.bench.run.pipeline import get_ready, locations_for, run
from unmask.bench.run.planning.config import RunConfig
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.view import RunView

Ints = NDArray[np.int64]
METHOD = "me"
SEEDS = 5
SIZES = (200, 1000, 5000)
DRAWS = int(os.environ.get("UNMASK_BENCH_DRAWS", "2000"))
POWER_DRAWS = max(DRAWS // 10, 20)
SHARES = (0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.10, 0.12, 0.15, 0.20)
"""Of faces that a weakened candidate leaves as they are."""
REPLICATES = 200
RATE: Key = ("deid_rate@1e-3", WORST, "face")


def five_seeds() -> Path:
    """The run folder."""
    if os.environ.get("UNMASK_GATE_RUN"):
        return Path(os.environ["UNMASK_GATE_RUN"])
    out, preset = Path("runs/bench-gate"), PRESETS["ci"]
    config = RunConfig(
        datasets=(os.environ.get("UNMASK_BENCH_DATASET", "demo"),),
        methods=(f"{METHOD}=deepprivacy:truncation=1,seeds={SEEDS}",),
        metrics=preset.metrics,
        instruments=preset.instruments,
        limit=int(os.environ.get("UNMASK_BENCH_LIMIT", "0")) or None,
    )
    cores = os.cpu_count() or 1
    plan = get_ready(config, root=None, workers=cores)
    where = locations_for(config)
    run(plan, out, locations=where, root=None, workers=cores, progress=show_progress())
    return out


def sides(path: Path) -> tuple[list[Side], Side]:
    """Of the five seeds, and of the control."""
    view = RunView(RunFolder.open(path))
    (dataset,) = view.datasets
    first = side_of_run(view, dataset, METHOD, Policy())
    labels = [METHOD, *(f"{METHOD}+draw{k}" for k in range(1, SEEDS))]
    every = []
    for label in labels:
        outcome, values = columns_of_faces(view.folder.faces(dataset, label))
        every.append(replace(first, outcome=outcome, values=values, outputs="", statistics=None))
    return every, replace(side_of_run(view, dataset, "none", Policy()), outputs="", statistics=None)


class Draws:
    """Pairs of sides of so many faces, of people drawn anew."""

    def __init__(self, seeds: list[Side], control: Side, faces: int) -> None:
        self._seeds, self._control, self._faces = seeds, control, faces
        people = seeds[0].person
        self._of = [np.flatnonzero(people == person) for person in dict.fromkeys(people.tolist())]

    def pair(self, number: int, share: float) -> tuple[Side, Side]:
        """``share``: of the candidate's faces that are left as they were."""
        rng = np.random.default_rng(derive_seed(number, "bench-gate", str(self._faces), str(share)))
        chosen: list[int] = []
        person: list[int] = []
        while len(chosen) < self._faces:
            own = self._of[int(rng.integers(len(self._of)))]
            person += [len(chosen)] * len(own)
            chosen += own.tolist()
        rows, people = np.array(chosen[: self._faces]), np.array(person[: self._faces])
        # Two seeds for each person: between two whole sets of rows there is a difference, that of these photos.
        seeds = rng.permuted(np.tile(np.arange(len(self._seeds)), (len(people), 1)), axis=1)[people]
        left = rng.random(self._faces) < share
        baseline = self._taken(rows, people, seeds[:, 0], np.zeros(self._faces, np.bool_))
        return baseline, self._taken(rows, people, seeds[:, 1], left)

    def _taken(self, rows: Ints, people: Ints, seeds: Ints, left: Bools) -> Side:
        def taken(of: Sequence[Float], untouched: Float) -> Float:
            return np.where(left, untouched[rows], np.stack(of)[seeds, rows])

        first = self._seeds[0]
        names = np.array([f"{k}#0" for k in range(len(rows))])
        outcomes = np.stack([side.outcome for side in self._seeds])[seeds, rows]
        return replace(
            first,
            face=names,
            shown=names,
            person=people.astype(np.str_),
            groups={name: members[rows] for name, members in first.groups.items()},
            outcome=np.where(left, self._control.outcome[rows], outcomes),
            values={
                key: taken([side.values[key] for side in self._seeds], self._control.values[key])
                for key in first.values
            },
        )


def decisions(draws: Draws, share: float, count: int) -> list[str]:
    """What the gate decides in each draw."""
    policy = Policy()
    out: list[str] = []
    for number in range(count):
        pair = paired(*draws.pair(number, share))
        rows = Judge(policy, replicates=REPLICATES, seed=number).rows([pair])
        out.append(decide(rows, [], policy)[0])
    return out


def rate_of(side: Side) -> float:
    """De-identified by the worst attack."""
    items = [item for item in side.items(RATE).values() if isinstance(item, UnitValues)]
    return min(float(np.nanmean(item.values)) for item in items)


def main() -> None:
    every, control = sides(five_seeds())
    rates = [rate_of(side) for side in every]
    people = len(set(every[0].person.tolist()))
    print(f"{len(every[0].face)} faces of {people} people; de-identified: {', '.join(f'{rate:.3f}' for rate in rates)}")
    for size in [int(each) for each in sys.argv[1:]] or SIZES:
        draws = Draws(every, control, size)
        unchanged = decisions(draws, 0.0, DRAWS)
        alarms = unchanged.count("worse")
        low, high = clopper_pearson(alarms, DRAWS)
        passed = unchanged.count("pass") / DRAWS
        print(
            f"{size} faces: false alarms {alarms / DRAWS:.2%} [{low:.2%}, {high:.2%}], passed {passed:.0%}", flush=True
        )
        for share in SHARES:
            power = decisions(draws, share, POWER_DRAWS).count("worse") / POWER_DRAWS
            print(f"  loss {share * float(np.mean(rates)):.1%}: worse in {power:.0%}", flush=True)
            if power >= 0.95:
                break


if __name__ == "__main__":
    main()
