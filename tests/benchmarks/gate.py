"""``make bench-gate``: how often a gate stops an unchanged method, and the smallest loss that it finds.

Rows come from one run of a method under five seeds (``UNMASK_GATE_RUN``; without it DeepPrivacy is run first over the
200 faces that the preset ``ci`` chooses of ``UNMASK_BENCH_DATASET``, the demo unless it is set). In each draw people
are drawn anew with replacement until there are so many faces, each time as another person; of each person baseline and
candidate have two different seeds. A candidate is weakened by a known amount: a share of its faces is left as it was,
with the control's rows in place of its own, so that it loses that share of its rate.

A false alarm is a decision of *worse* on an unweakened candidate, over all metrics and subgroups. The figures are
printed, and nothing is asserted; `bench/design/gate.md` has those of the last release. ``UNMASK_BENCH_DRAWS`` (2000) is
how often people are drawn, for each size and each share; sizes other than 200, 1,000 and 5,000 are arguments.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from unmask.bench.cli.progress import show_progress
from unmask.bench.core.headlines import WORST, Key
from unmask.bench.core.seeds import derive_seed
from unmask.bench.core.stats.intervals import clopper_pearson
from unmask.bench.core.types import Bools
from unmask.bench.core.values import UnitValues
from unmask.bench.gate.gate import decide
from unmask.bench.gate.judging import Judge, Pair
from unmask.bench.gate.policy import Policy
from unmask.bench.gate.running import run_candidate
from unmask.bench.gate.sides import Side, columns_of_faces, side_of_run
from unmask.bench.store.run_folder import RunFolder
from unmask.bench.store.view import RunView

Ints = NDArray[np.int64]
METHOD = "me"
SEEDS = 5
SIZES = (200, 1000, 5000)
DRAWS = int(os.environ.get("UNMASK_BENCH_DRAWS", "2000"))
SHARES = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.10, 0.12, 0.15, 0.20)
"""Of faces that a weakened candidate leaves as they are."""
FOUND = 0.8
"""Share of draws in which a loss must be found to count as one that is."""
REPLICATES = 200
RATE: Key = ("deid_rate@1e-3", WORST, "face")


def five_seeds() -> Path:
    """The run folder."""
    if os.environ.get("UNMASK_GATE_RUN"):
        return Path(os.environ["UNMASK_GATE_RUN"])
    out = Path("runs/bench-gate")
    run_candidate(
        f"{METHOD}=deepprivacy:truncation=1,seeds={SEEDS}",
        [os.environ.get("UNMASK_BENCH_DATASET", "demo")],
        out,
        "ci",
        out,
        root=Path(os.environ["UNMASK_DATA"]) if os.environ.get("UNMASK_DATA") else None,
        workers=os.cpu_count() or 1,
        progress=show_progress(),
    )
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
        self._first, self._control, self._faces, self._seeds = seeds[0], control, faces, len(seeds)
        people = seeds[0].person
        self._of = [np.flatnonzero(people == person) for person in dict.fromkeys(people.tolist())]
        self._names = np.array([f"{k}#0" for k in range(faces)])
        self._outcomes = np.stack([side.outcome for side in seeds])
        self._values = {key: np.stack([side.values[key] for side in seeds]) for key in seeds[0].values}

    def pair(self, number: int, share: float) -> Pair:
        """``share``: of the candidate's faces that are left as they were."""
        rng = np.random.default_rng(derive_seed(number, "bench-gate", str(self._faces), str(share)))
        drawn = [self._of[k] for k in rng.integers(len(self._of), size=self._faces).tolist()]  # at least a face each
        rows = np.concatenate(drawn)[: self._faces]
        people = np.repeat(np.arange(len(drawn)), [len(own) for own in drawn])[: self._faces]
        # Two seeds for each person: between two whole sets of rows there is a difference, that of these photos.
        seeds = rng.permuted(np.tile(np.arange(self._seeds), (people[-1] + 1, 1)), axis=1)[people]
        left = rng.random(self._faces) < share
        baseline = self._taken(rows, people, seeds[:, 0], np.zeros(self._faces, np.bool_))
        candidate = self._taken(rows, people, seeds[:, 1], left)
        return Pair(baseline, candidate, np.arange(self._faces), "")

    def _taken(self, rows: Ints, people: Ints, seeds: Ints, left: Bools) -> Side:
        return replace(
            self._first,
            face=self._names,
            shown=self._names,
            person=people.astype(np.str_),
            groups={name: members[rows] for name, members in self._first.groups.items()},
            outcome=np.where(left, self._control.outcome[rows], self._outcomes[seeds, rows]),
            values={
                key: np.where(left, self._control.values[key][rows], stacked[seeds, rows])
                for key, stacked in self._values.items()
            },
        )


def decisions(draws: Draws, share: float, count: int) -> list[str]:
    """What the gate decides in each draw."""
    policy = Policy()
    out: list[str] = []
    for number in range(count):
        rows = Judge(policy, replicates=REPLICATES, seed=number).rows([draws.pair(number, share)])
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
        start = time.process_time()
        draws = Draws(every, control, size)
        unchanged = decisions(draws, 0.0, DRAWS)
        alarms = unchanged.count("worse")
        low, high = clopper_pearson(alarms, DRAWS)
        passed = unchanged.count("pass") / DRAWS
        print(
            f"{size} faces, {DRAWS} draws: false alarms {alarms / DRAWS:.2%} [{low:.2%}, {high:.2%}], "
            f"passed {passed:.0%}",
            flush=True,
        )
        smallest = 0.0
        for share in SHARES:
            loss = share * float(np.mean(rates))
            power = decisions(draws, share, DRAWS).count("worse") / DRAWS
            smallest = smallest or (loss if power >= FOUND else 0.0)
            print(f"  loss {loss:.1%}: worse in {power:.0%}", flush=True)
            if power >= 0.95:
                break
        found = f"{smallest:.1%}" if smallest else f"more than {SHARES[-1] * float(np.mean(rates)):.1%}"
        print(f"  found in {FOUND:.0%}: {found}; {time.process_time() - start:.0f} s of CPU", flush=True)


if __name__ == "__main__":
    main()
